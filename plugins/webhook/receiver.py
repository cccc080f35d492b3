"""For those who receive: verify a request, read its events, answer row by row.

Two pure functions without any framework::

    received = receive(headers, body, secrets=["whsec_..."], now=datetime.now(UTC))
    for event in received.events: ...

:mod:`plugins.webhook.inbox` adds de-duplication and a small HTTP server.
"""

from __future__ import annotations

import base64
import binascii
import datetime as dt
import hashlib
import hmac
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from plugins.webhook.events import CloudEvent, parse_message
from plugins.webhook.signing import (
    HEADER_ID,
    HEADER_SIGNATURE,
    HEADER_TIMESTAMP,
    PUBLIC,
    SYMMETRIC,
    decode_key,
    signed_content,
)

__all__ = ["TOLERANCE_SECONDS", "Received", "SignatureError", "receive", "verify"]

TOLERANCE_SECONDS: Final = 300
"""How far the timestamp may be from now, either way."""


class SignatureError(Exception):
    """The request was not signed by a known key, or is too old or too new.

    Attributes:
        code: ``signature_missing``, ``timestamp_invalid``, ``timestamp_outside_tolerance`` or ``signature_mismatch``.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True)
class Received:
    """A verified request.

    Attributes:
        id: its ``webhook-id``, the same on every repeat.
        sent_at: when this attempt was made.
        events: its events, in order.
    """

    id: str
    sent_at: dt.datetime
    events: tuple[CloudEvent, ...]


def verify(
    headers: Mapping[str, str],
    body: bytes,
    secrets: Iterable[str],
    now: dt.datetime,
    tolerance: float = TOLERANCE_SECONDS,
) -> tuple[str, dt.datetime]:
    """Check a request before anything of it is parsed; return its id and the instant of the attempt.

    Args:
        headers: names in any case.
        body: the bytes as they came.
        secrets: ``whsec_`` shared secrets and ``whpk_`` public keys; during a rotation the old and the new one.
        now: the present instant.
        tolerance: seconds that the timestamp may be off, either way.

    Raises:
        SignatureError: see its codes.
        ValueError: one of ``secrets`` is not a key.
    """
    lower = {name.lower(): value for name, value in headers.items()}
    message_id, timestamp, signatures = (
        lower.get(name, "") for name in (HEADER_ID, HEADER_TIMESTAMP, HEADER_SIGNATURE)
    )
    if not (message_id and timestamp and signatures):
        raise SignatureError("signature_missing", "One of the three webhook headers is missing.")
    sent_at = _instant(timestamp)
    if abs((now - sent_at).total_seconds()) > tolerance:
        raise SignatureError("timestamp_outside_tolerance", "The request is too old, or one of the clocks is wrong.")
    content = signed_content(message_id, timestamp, body)
    if not any(_fits(secret, content, signatures) for secret in secrets):
        raise SignatureError("signature_mismatch", "No signature was made with a known key.")
    return message_id, sent_at


def _instant(timestamp: str) -> dt.datetime:
    if not re.fullmatch(r"[0-9]{1,11}", timestamp):
        raise SignatureError("timestamp_invalid", "The timestamp is not a number of seconds.")
    return dt.datetime.fromtimestamp(int(timestamp), dt.UTC)


def _fits(secret: str, content: bytes, signatures: str) -> bool:
    if secret.startswith(PUBLIC):
        key = Ed25519PublicKey.from_public_bytes(decode_key(secret, PUBLIC))
        return any(_verified(key, given, content) for given in _of_version("v1a", signatures))
    expected = hmac.new(decode_key(secret, SYMMETRIC), content, hashlib.sha256).digest()
    return any(hmac.compare_digest(expected, given) for given in _of_version("v1", signatures))


def _of_version(version: str, signatures: str) -> Iterator[bytes]:
    """Yield the signatures of one version; what is not base64 fits nothing and is passed over."""
    for entry in signatures.split():
        name, _, encoded = entry.partition(",")
        if name == version:
            try:
                yield base64.b64decode(encoded, validate=True)
            except (binascii.Error, ValueError):
                continue


def _verified(key: Ed25519PublicKey, signature: bytes, content: bytes) -> bool:
    try:
        key.verify(signature, content)
    except InvalidSignature:
        return False
    return True


def receive(
    headers: Mapping[str, str],
    body: bytes,
    secrets: Iterable[str],
    now: dt.datetime,
    tolerance: float = TOLERANCE_SECONDS,
) -> Received:
    """Verify a request and read its events.

    Raises:
        SignatureError: answer 401.
        plugins.webhook.events.EventError: answer 400.
    """
    message_id, sent_at = verify(headers, body, secrets, now, tolerance)
    return Received(message_id, sent_at, tuple(parse_message(headers, body)))
