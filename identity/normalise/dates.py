"""Birthdays: the shapes they come in, those nobody was born on, and the lunar calendar."""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass

from identity.normalise.text import clean, is_nothing

__all__ = ["NO_BIRTHDAY", "PLACEHOLDER_DATES", "Birthday", "birthday", "birthdays_agree", "to_solar"]

PLACEHOLDER_DATES = frozenset(
    {"1900-01-01", "1901-01-01", "1970-01-01", "1980-01-01", "1990-01-01", "2000-01-01", "0001-01-01", "1899-12-30"}
)
"""What software and hurried people enter when they do not know. More may be given by :class:`identity.Rules`."""

_LUNAR_MARK = re.compile(r"^(农历|阴历|旧历|lunar[: ])", re.IGNORECASE)
_YEAR_FIRST = re.compile(r"^(\d{4})[-/.年](\d{1,2})[-/.月](\d{1,2})日?(?:[T ].*)?$")
_COMPACT = re.compile(r"^(\d{4})(\d{2})(\d{2})$")
_NO_YEAR = re.compile(r"^(?:--|0000[-/]|-)?(\d{1,2})[-/.月](\d{1,2})日?$")
_LEAP_YEAR = 2000


@dataclass(frozen=True, slots=True)
class Birthday:
    """A birthday in canonical form.

    Attributes:
        value: ``1990-05-17``, ``--05-17`` without a year, or None for none.
        lunar: whether month and day are those of the lunar calendar.
        placeholder: a date was given, but one nobody means.
    """

    value: str | None
    lunar: bool = False
    placeholder: bool = False


NO_BIRTHDAY = Birthday(None)


def birthday(raw: str, *, lunar: bool = False, placeholders: frozenset[str] = PLACEHOLDER_DATES) -> Birthday:
    """Normalise one birthday.

    >>> birthday("1990年5月17日").value, birthday("5-17").value, birthday("1900/1/1").placeholder
    ('1990-05-17', '--05-17', True)
    """
    text = clean(raw)
    if is_nothing(text):
        return NO_BIRTHDAY
    marked = _LUNAR_MARK.match(text)
    text = _LUNAR_MARK.sub("", text).strip()
    lunar = lunar or marked is not None
    if match := _YEAR_FIRST.match(text) or _COMPACT.match(text):
        return _dated(int(match[1]), int(match[2]), int(match[3]), lunar=lunar, placeholders=placeholders)
    if match := _NO_YEAR.match(text):
        return _dated(None, int(match[1]), int(match[2]), lunar=lunar, placeholders=placeholders)
    return NO_BIRTHDAY


def _dated(year: int | None, month: int, day: int, *, lunar: bool, placeholders: frozenset[str]) -> Birthday:
    if year == 0:
        year = None
    if not _exists(year, month, day, lunar=lunar):
        return NO_BIRTHDAY
    value = f"{year:04d}-{month:02d}-{day:02d}" if year else f"--{month:02d}-{day:02d}"
    if value in placeholders:
        return Birthday(None, placeholder=True)
    return Birthday(value, lunar=lunar) if year is None or year >= 1900 else NO_BIRTHDAY


def _exists(year: int | None, month: int, day: int, *, lunar: bool) -> bool:
    if lunar:
        return 1 <= month <= 12 and 1 <= day <= 30
    try:
        dt.date(year or _LEAP_YEAR, month, day)
    except ValueError:
        return False
    return True


def to_solar(value: str) -> str | None:
    """The solar date of a lunar birthday with a year, or None when that lunar month had no such day."""
    from lunar_python import Lunar, LunarMonth

    year, month, day = (int(part) for part in value.split("-"))
    if day > LunarMonth.fromYm(year, month).getDayCount():
        return None
    return str(Lunar.fromYmd(year, month, day).getSolar().toYmd())


def birthdays_agree(one: Birthday, other: Birthday) -> bool | None:
    """Whether two birthdays can be one person's; None when nothing can be said.

    A full date meets a yearless one on month and day. A date is also compared with the other read as lunar: people
    give either without saying which, so two dates 20 to 50 days apart in one year, as the calendars are, do not
    contradict each other (None).
    """
    if one.value is None or other.value is None:
        return None
    left, right = one.value, other.value
    if one.lunar != other.lunar and not left.startswith("-") and not right.startswith("-"):
        left, right = (_solar(one) or left), (_solar(other) or right)
    if left.startswith("-") or right.startswith("-"):
        return left[-5:] == right[-5:] if one.lunar == other.lunar else None
    if left == right:
        return True
    if one.lunar or other.lunar:
        return False
    apart = abs((dt.date.fromisoformat(left) - dt.date.fromisoformat(right)).days)
    return None if 20 <= apart <= 50 else False


def _solar(day: Birthday) -> str | None:
    return to_solar(day.value) if day.lunar and day.value else day.value
