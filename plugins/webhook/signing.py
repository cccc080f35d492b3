"""Standard Webhooks 1.0.0: keys, signatures, and the three headers that carry them.

The signature is made over ``<webhook-id>.<webhook-timestamp>.<body>``, the bytes that travel. Several keys give several
signatures in one header, so that a receiver that knows either the old or the new key can verify (rotation).
"""

from __future__ import annotations

import base64
import binascii
import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Protocol

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from standardwebhooks import Webhook

__all__ = [
    "HEADER_ID",
    "HEADER_SIGNATURE",
    "HEADER_TIMESTAMP",
    "Signer",
    "decode_key",
    "public_key",
    "read_signing_key",
]

HEADER_ID: Final = "webhook-id"
HEADER_TIMESTAMP: Final = "webhook-timestamp"
HEADER_SIGNATURE: Final = "webhook-signature"

SYMMETRIC: Final = "whsec_"
PRIVATE: Final = "whsk_"
PUBLIC: Final = "whpk_"
_SEED_BYTES: Final = 32
_SHORTEST, _LONGEST = 24, 64


class SigningKey(Protocol):
    """A key that signs."""

    def sign(self, message_id: str, at: dt.datetime, body: bytes) -> str:
        """Return one ``version,base64`` entry of the signature header."""


@dataclass(frozen=True)
class _HmacKey:
    """``v1``: HMAC-SHA256 with a shared secret."""

    webhook: Webhook

    def sign(self, message_id: str, at: dt.datetime, body: bytes) -> str:
        # The library drops the time zone instead of converting, so it must be given UTC.
        return str(self.webhook.sign(message_id, at.astimezone(dt.UTC), body.decode()))


@dataclass(frozen=True)
class _Ed25519Key:
    """``v1a``: ed25519 with a key pair."""

    private: Ed25519PrivateKey

    def sign(self, message_id: str, at: dt.datetime, body: bytes) -> str:
        signature = self.private.sign(signed_content(message_id, str(int(at.timestamp())), body))
        return "v1a," + base64.b64encode(signature).decode()


def signed_content(message_id: str, timestamp: str, body: bytes) -> bytes:
    """Return the bytes a signature is made over."""
    return b".".join((message_id.encode(), timestamp.encode(), body))


def decode_key(text: str, prefix: str) -> bytes:
    """Return the bytes of a key written as ``prefix`` + base64, padded or not.

    Raises:
        ValueError: no such prefix, or not base64. The message never quotes the key.
    """
    encoded = text.removeprefix(prefix).rstrip("=")
    try:
        if not text.startswith(prefix):
            raise binascii.Error
        return base64.b64decode(encoded + "=" * (-len(encoded) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise ValueError(f"a key must be {prefix} followed by base64") from None


def read_signing_key(text: str) -> SigningKey:
    """Read a ``whsec_`` shared secret (24 to 64 bytes) or a ``whsk_`` ed25519 private key (32-byte seed).

    Raises:
        ValueError: neither of the two; the message never quotes the key.
    """
    if text.startswith(PRIVATE):
        return _Ed25519Key(_private_key(decode_key(text, PRIVATE)))
    key = decode_key(text, SYMMETRIC)
    if not _SHORTEST <= len(key) <= _LONGEST:
        raise ValueError(
            f"a {SYMMETRIC} secret must hold {_SHORTEST} to {_LONGEST} random bytes, this one holds {len(key)}"
        )
    return _HmacKey(Webhook(key))


def _private_key(raw: bytes) -> Ed25519PrivateKey:
    # Some tools write the seed alone, others the seed followed by the public key.
    if len(raw) not in {_SEED_BYTES, 2 * _SEED_BYTES}:
        raise ValueError(f"a {PRIVATE} key must hold a seed of {_SEED_BYTES} bytes, this one holds {len(raw)}")
    key = Ed25519PrivateKey.from_private_bytes(raw[:_SEED_BYTES])
    if raw[_SEED_BYTES:] not in {b"", _public_bytes(key)}:
        raise ValueError(f"the two halves of the {PRIVATE} key do not belong together")
    return key


def _public_bytes(key: Ed25519PrivateKey) -> bytes:
    return key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)


def public_key(private: str) -> str:
    """Return the ``whpk_`` key to hand to receivers, for a ``whsk_`` private key."""
    return PUBLIC + base64.b64encode(_public_bytes(_private_key(decode_key(private, PRIVATE)))).decode()


class Signer:
    """Signs with every configured key, in their order.

    Args:
        secrets: ``whsec_`` and ``whsk_`` keys; the newest first is customary.
    """

    def __init__(self, secrets: Iterable[str]) -> None:
        self._keys = [read_signing_key(secret) for secret in secrets]

    def headers(self, message_id: str, at: dt.datetime, body: bytes) -> dict[str, str]:
        """Return the three headers of one attempt.

        Args:
            message_id: the same for every attempt; the receiver's key for de-duplication.
            at: the instant of this attempt.
            body: the bytes that will be sent.
        """
        return {
            HEADER_ID: message_id,
            HEADER_TIMESTAMP: str(int(at.timestamp())),
            HEADER_SIGNATURE: " ".join(key.sign(message_id, at, body) for key in self._keys),
        }
