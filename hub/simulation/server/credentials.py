"""Credentials, tokens and ids that look real and come from a seed."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Final

__all__ = ["ALPHANUMERIC", "DIGITS", "HEX", "derive"]

HEX: Final = "0123456789abcdef"
DIGITS: Final = "0123456789"
ALPHANUMERIC: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"


def derive(*parts: object, length: int = 32, alphabet: str = HEX) -> str:
    """Return a text that looks random and depends on ``parts`` only.

    Not a secret in any sense: whoever knows the parts knows the text.
    """
    return "".join(alphabet[byte % len(alphabet)] for _place, byte in zip(range(length), _bytes(parts), strict=False))


def _bytes(parts: tuple[object, ...]) -> Iterator[int]:
    stem = "\x1f".join(str(part) for part in parts).encode()
    block = 0
    while True:
        yield from hashlib.sha256(stem + block.to_bytes(8, "big")).digest()
        block += 1
