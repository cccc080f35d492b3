"""How the simulated platform encrypts personal fields: AES-128-CBC under a key per application and shop."""

from __future__ import annotations

import base64
import hashlib
import re
from typing import Final

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.padding import PKCS7

__all__ = ["decrypted", "encrypted", "is_encrypted", "key_of"]

_IV: Final = b"0807060504030201"
_SHAPE: Final = re.compile(r"^\$([A-Za-z0-9+/=]+)\$1\$$")
_BLOCK: Final = 128


def key_of(client_id: str, kdt_id: str, secret: str) -> bytes:
    """Return the key under which one application sees one shop's people."""
    return hashlib.sha256(f"{client_id}/{kdt_id}/{secret}".encode()).digest()[:16]


def encrypted(text: str, key: bytes) -> str:
    """Return ``$<base64>$1$``; an empty text stays empty."""
    if not text:
        return text
    padder = PKCS7(_BLOCK).padder()
    padded = padder.update(text.encode()) + padder.finalize()
    encryptor = Cipher(algorithms.AES128(key), modes.CBC(_IV)).encryptor()
    return f"${base64.b64encode(encryptor.update(padded) + encryptor.finalize()).decode()}$1$"


def is_encrypted(text: str) -> bool:
    """Say whether a text has the shape of cipher text."""
    return _SHAPE.match(text) is not None


def decrypted(text: str, key: bytes) -> str:
    """Return the plain text; plain input comes back unchanged.

    Raises:
        ValueError: encrypted under another key.
    """
    found = _SHAPE.match(text)
    if found is None:
        return text
    decryptor = Cipher(algorithms.AES128(key), modes.CBC(_IV)).decryptor()
    padded = decryptor.update(base64.b64decode(found[1])) + decryptor.finalize()
    unpadder = PKCS7(_BLOCK).unpadder()
    return (unpadder.update(padded) + unpadder.finalize()).decode()
