"""What every normaliser does first: width, blanks, and words that mean "nothing"."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

__all__ = ["NOTHING_PATTERN", "VERSION", "Normal", "Status", "clean", "compact", "is_nothing"]

VERSION = "1"
"""Raised whenever any normaliser gives a different answer for the same input; stored with every state."""

_FULL_WIDTH = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)} | {0x3000: 0x20, 0xA0: 0x20}
_INVISIBLE = dict.fromkeys([*range(0x200B, 0x2010), *range(0x202A, 0x202F), 0x2060, 0xFEFF])
_CLEAN = _FULL_WIDTH | _INVISIBLE

NOTHING_PATTERN = r"[0\-\s]*|-1|null|none|nan|nil|n/a|na|undefined|unknown|anonymous|test|匿名|匿名用户|无|没有|未知|暂无|空|未填写|保密"
"""Values that stand for "not known". Matched in full against the cleaned, lower-cased text, as a pattern of Python and of RE2 alike."""

_NOTHING = re.compile(NOTHING_PATTERN)
_BLANKS = " \t\r\n"


class Status(StrEnum):
    """What a raw value turned out to be."""

    KEY = "key"
    """A well-formed identifier that may link profiles."""
    MASKED = "masked"
    """Digits hidden (154****1234): kept as a pattern, evidence at most, never an identifier."""
    LANDLINE = "landline"
    """A valid number of a place, not of a person."""
    BLOCKED = "blocked"
    """Well-formed but known to say nothing about a person (placeholder, hotline, a shop's number)."""
    EMPTY = "empty"
    """Nothing, or a word for nothing."""
    INVALID = "invalid"
    """Something, but not a value of this kind."""
    UNSCOPED = "unscoped"
    """An identifier that means nothing without its scope, given without one."""


@dataclass(frozen=True, slots=True)
class Normal:
    """A normalised value: its canonical form (None when there is none) and what it is."""

    value: str | None
    status: Status


def clean(raw: str) -> str:
    """Half-width, without invisible characters and outer blanks."""
    return raw.translate(_CLEAN).strip(_BLANKS)


def compact(raw: str, drop: str) -> str:
    """:func:`clean`, and without any character of ``drop``."""
    return clean(raw).translate({ord(char): None for char in drop})


def is_nothing(cleaned: str) -> bool:
    """Whether a cleaned text stands for "not known": empty, zeros and dashes, -1, null, 未知 …"""
    return _NOTHING.fullmatch(cleaned.lower()) is not None
