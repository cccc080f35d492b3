"""Signature and encryption of WeCom callbacks (official documents 90930 and 90968).

A message is ``random(16) ‖ length (4 bytes, big-endian) ‖ text ‖ receiver id``, padded as PKCS#7 to multiples of 32 bytes and
encrypted with AES-256-CBC, whose initial vector is the beginning of the key. The signature is the SHA-1 over the sorted
values of token, timestamp, nonce and ciphertext; SHA-1 and the fixed vector are the platform's choice, not ours.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
import secrets
import struct
from collections.abc import Callable
from typing import Final

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

__all__ = ["CallbackCrypto", "CallbackError"]

_BLOCK: Final = 32
_RANDOM: Final = 16
_HEAD: Final = _RANDOM + 4


class CallbackError(Exception):
    """A callback that is not the platform's, or not for this corp.

    Attributes:
        code: ``key_invalid``, ``signature_mismatch``, ``ciphertext_invalid``, ``receiver_mismatch`` or ``xml_invalid``.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class CallbackCrypto:
    """Signs, encrypts and decrypts.

    Args:
        token: the callback's Token.
        aes_key: its EncodingAESKey, 43 characters.
        receiver: the corp's id, which every message must name.
        random_bytes: source of the 16 bytes before each message.

    Raises:
        ValueError: a setting is not what the admin console gives out.
    """

    def __init__(
        self, token: str, aes_key: str, receiver: str, random_bytes: Callable[[int], bytes] = secrets.token_bytes
    ) -> None:
        if not re.fullmatch(r"[A-Za-z0-9]{1,32}", token):
            raise ValueError("the token of a callback is 1 to 32 letters and digits")
        if not re.fullmatch(r"[A-Za-z0-9]{43}", aes_key):
            raise ValueError("an EncodingAESKey is 43 letters and digits")
        self._token = token
        self._key = base64.b64decode(aes_key + "=")
        self._receiver = receiver.encode()
        self._random = random_bytes

    def sign(self, timestamp: str, nonce: str, encrypted: str) -> str:
        """Return the signature over a ciphertext."""
        values = sorted(value.encode() for value in (self._token, timestamp, nonce, encrypted))
        return hashlib.sha1(b"".join(values)).hexdigest()  # noqa: S324 - the platform's algorithm

    def encrypt(self, text: str) -> str:
        """Return the ciphertext of a message in base64."""
        message = text.encode()
        plain = self._random(_RANDOM) + struct.pack(">I", len(message)) + message + self._receiver
        fill = _BLOCK - len(plain) % _BLOCK
        encryptor = self._cipher().encryptor()
        return base64.b64encode(encryptor.update(plain + bytes([fill]) * fill) + encryptor.finalize()).decode()

    def open(self, signature: str, timestamp: str, nonce: str, encrypted: str) -> str:
        """Check the signature and return the message.

        Raises:
            CallbackError: the signature is wrong, the ciphertext unreadable, or the message for another corp.
        """
        if not hmac.compare_digest(self.sign(timestamp, nonce, encrypted).encode(), signature.encode()):
            raise CallbackError("signature_mismatch", "The signature was not made with this connection's token.")
        plain = self._decrypt(encrypted)
        length = struct.unpack(">I", plain[_RANDOM:_HEAD])[0]
        message, receiver = plain[_HEAD : _HEAD + length], plain[_HEAD + length :]
        if len(message) != length or not hmac.compare_digest(receiver, self._receiver):
            raise CallbackError("receiver_mismatch", "The message is not for this connection's corp.")
        try:
            return message.decode()
        except UnicodeDecodeError as error:
            raise CallbackError("ciphertext_invalid", "The message is not UTF-8 text.") from error

    def _cipher(self) -> Cipher[modes.CBC]:
        return Cipher(algorithms.AES(self._key), modes.CBC(self._key[:16]))

    def _decrypt(self, encrypted: str) -> bytes:
        try:
            sealed = base64.b64decode(encrypted, validate=True)
            decryptor = self._cipher().decryptor()
            padded = decryptor.update(sealed) + decryptor.finalize()
        except (binascii.Error, ValueError) as error:
            raise CallbackError("ciphertext_invalid", "The message is not an AES ciphertext in base64.") from error
        fill = padded[-1] if padded else 0
        if not 1 <= fill <= _BLOCK or padded[-fill:] != bytes([fill]) * fill or len(padded) - fill < _HEAD:
            raise CallbackError("ciphertext_invalid", "The message was encrypted with another EncodingAESKey.")
        return padded[:-fill]
