"""Signatures and encryption of WeChat: pushed messages (消息推送), and the data a mini-program hands over encrypted.

Pushed messages: developers.weixin.qq.com, "message encryption" of official accounts and mini-programs. A message is
``random(16) ‖ length (4 bytes, big-endian) ‖ text ‖ appid``, padded as PKCS#7 to multiples of 32 bytes and encrypted with
AES-256-CBC, whose initial vector is the beginning of the key. User data: "open-ability/signature", AES-128-CBC with the
session key. SHA-1 and the fixed vector are the platform's choice, not ours.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
import secrets
import struct
from collections.abc import Callable, Mapping
from typing import Any, Final

import orjson
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from hub.errors import RowError

__all__ = ["MessageCrypto", "MessageError", "decrypt_user_data", "encrypt_user_data", "raw_data_signature"]

_BLOCK: Final = 32
_RANDOM: Final = 16
_HEAD: Final = _RANDOM + 4


class MessageError(Exception):
    """A pushed message that is not the platform's, or not for this account.

    Attributes:
        code: ``signature_mismatch``, ``ciphertext_invalid``, ``receiver_mismatch`` or ``message_invalid``.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class MessageCrypto:
    """Signs, encrypts and decrypts the messages of one account.

    Args:
        token: the Token of 消息推送.
        aes_key: its EncodingAESKey, 43 characters; empty where only the plain mode (明文模式) is used.
        appid: the account, which every encrypted message must name.
        random_bytes: source of the 16 bytes before each message.

    Raises:
        ValueError: a setting is not what the console gives out.
    """

    def __init__(
        self, token: str, aes_key: str, appid: str, random_bytes: Callable[[int], bytes] = secrets.token_bytes
    ) -> None:
        if not re.fullmatch(r"[A-Za-z0-9_-]{3,32}", token):
            raise ValueError("the token of pushed messages is 3 to 32 letters and digits")
        if aes_key and not re.fullmatch(r"[A-Za-z0-9]{43}", aes_key):
            raise ValueError("an EncodingAESKey is 43 letters and digits")
        self._token = token
        self._key = base64.b64decode(aes_key + "=") if aes_key else b""
        self._appid = appid.encode()
        self._random = random_bytes

    def sign(self, timestamp: str, nonce: str, encrypted: str = "") -> str:
        """Return ``signature`` (without ciphertext), or ``msg_signature`` over a ciphertext."""
        parts = (self._token, timestamp, nonce, encrypted) if encrypted else (self._token, timestamp, nonce)
        return hashlib.sha1(b"".join(sorted(part.encode() for part in parts))).hexdigest()  # noqa: S324

    def check(self, signature: str, timestamp: str, nonce: str, encrypted: str = "") -> None:
        """Make sure that a request was signed with this account's token.

        Raises:
            MessageError: ``signature_mismatch``.
        """
        if not hmac.compare_digest(self.sign(timestamp, nonce, encrypted).encode(), signature.encode()):
            raise MessageError("signature_mismatch", "The signature was not made with this connection's token.")

    def encrypt(self, text: str) -> str:
        """Return the ciphertext of a message in base64."""
        message = text.encode()
        plain = self._random(_RANDOM) + struct.pack(">I", len(message)) + message + self._appid
        fill = _BLOCK - len(plain) % _BLOCK
        encryptor = self._cipher().encryptor()
        return base64.b64encode(encryptor.update(plain + bytes([fill]) * fill) + encryptor.finalize()).decode()

    def open(self, signature: str, timestamp: str, nonce: str, encrypted: str) -> str:
        """Check ``msg_signature`` and return the message.

        Raises:
            MessageError: the signature is wrong, the ciphertext unreadable, or the message for another account.
        """
        self.check(signature, timestamp, nonce, encrypted)
        plain = self._decrypt(encrypted)
        length = struct.unpack(">I", plain[_RANDOM:_HEAD])[0]
        message, receiver = plain[_HEAD : _HEAD + length], plain[_HEAD + length :]
        if len(message) != length or not hmac.compare_digest(receiver, self._appid):
            raise MessageError("receiver_mismatch", "The message is not for this connection's account.")
        try:
            return message.decode()
        except UnicodeDecodeError as error:
            raise MessageError("ciphertext_invalid", "The message is not UTF-8 text.") from error

    def _cipher(self) -> Cipher[modes.CBC]:
        if not self._key:
            raise MessageError("ciphertext_invalid", "The message is encrypted, but no EncodingAESKey is configured.")
        return Cipher(algorithms.AES(self._key), modes.CBC(self._key[:16]))

    def _decrypt(self, encrypted: str) -> bytes:
        cipher = self._cipher()
        try:
            sealed = base64.b64decode(encrypted, validate=True)
            decryptor = cipher.decryptor()
            padded = decryptor.update(sealed) + decryptor.finalize()
        except (binascii.Error, ValueError) as error:
            raise MessageError("ciphertext_invalid", "The message is not an AES ciphertext in base64.") from error
        plain = _unpadded(padded, _BLOCK)
        if plain is None or len(plain) < _HEAD:
            raise MessageError("ciphertext_invalid", "The message was encrypted with another EncodingAESKey.")
        return plain


def _unpadded(padded: bytes, block: int) -> bytes | None:
    fill = padded[-1] if padded else 0
    if not 1 <= fill <= block or padded[-fill:] != bytes([fill]) * fill:
        return None
    return padded[:-fill]


def raw_data_signature(raw_data: str, session_key: str) -> str:
    """Return what ``signature`` beside ``rawData`` of ``wx.getUserProfile`` must be."""
    return hashlib.sha1((raw_data + session_key).encode()).hexdigest()  # noqa: S324 - the platform's algorithm


def decrypt_user_data(session_key: str, encrypted_data: str, iv: str, appid: str) -> dict[str, Any]:
    """Decrypt ``encryptedData`` of a mini-program and check its watermark.

    Args:
        session_key: from ``code2session``; never leaves the server.
        encrypted_data: as the client sent it, base64.
        iv: as the client sent it, base64.
        appid: the mini-program that the data must be from.

    Raises:
        RowError: ``user_data_unreadable`` (often a newer login has replaced the session key), or ``watermark_mismatch``: the
            data is from another mini-program and must not be believed.
    """
    try:
        key, vector, sealed = (base64.b64decode(part, validate=True) for part in (session_key, iv, encrypted_data))
        decryptor = Cipher(algorithms.AES128(key), modes.CBC(vector)).decryptor()
        plain = _unpadded(decryptor.update(sealed) + decryptor.finalize(), 16)
        data = orjson.loads(plain or b"")
    except ValueError as error:
        raise _unreadable() from error
    if not isinstance(data, dict):
        raise _unreadable()
    watermark = data.get("watermark")
    if not isinstance(watermark, Mapping) or watermark.get("appid") != appid:
        raise RowError(
            "The encrypted data is not from this mini-program.",
            code="watermark_mismatch",
            hint="Do not use it; see which appid the client runs under.",
        )
    return data


def _unreadable() -> RowError:
    return RowError(
        "The encrypted data cannot be decrypted with this session key.",
        code="user_data_unreadable",
        hint="Let the client call wx.login again and send new data: a later login replaces the session key.",
    )


def encrypt_user_data(session_key: str, iv: str, data: Mapping[str, Any]) -> str:
    """Return ``encryptedData`` as the WeChat client makes it; the simulator's part."""
    plain = orjson.dumps(dict(data))
    fill = 16 - len(plain) % 16
    encryptor = Cipher(algorithms.AES128(base64.b64decode(session_key)), modes.CBC(base64.b64decode(iv))).encryptor()
    return base64.b64encode(encryptor.update(plain + bytes([fill]) * fill) + encryptor.finalize()).decode()
