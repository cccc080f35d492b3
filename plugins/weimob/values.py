"""How Weimob writes times, money, ids and flags, read into Python and back. Pure."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, Final
from zoneinfo import ZoneInfo

from hub.errors import RowError

__all__ = [
    "CHINA",
    "birthday",
    "extra_of",
    "flag",
    "instant",
    "is_masked",
    "is_plain_phone",
    "kept",
    "milliseconds",
    "text",
    "yuan",
]

CHINA: Final = ZoneInfo("Asia/Shanghai")
_SECONDS_BELOW: Final = 10**11
"""An epoch number below this is in seconds: in milliseconds it would lie before March 1973, and no shop does."""
_PLAIN_PHONE: Final = re.compile(r"^1\d{10}$")
_EXACT: Final = 2**53
_EPOCH: Final = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


def text(value: object) -> str | None:
    """Return a value as text, None for nothing; a 19-digit id keeps all its digits, whether it came as number or text."""
    if value is None or isinstance(value, bool | Mapping | list):
        return None
    found = str(value).strip()
    return found or None


def flag(value: object) -> bool:
    """Read a truth value that may be a boolean, 0 and 1, or the word."""
    return value is True or str(value).strip().lower() in {"true", "1"}


def yuan(value: object) -> Decimal:
    """Read an amount in yuan, ``"128.00"``; nothing is zero.

    Raises:
        RowError: ``amount_invalid``.
    """
    try:
        amount = Decimal(str(value).strip() or "0") if value is not None else Decimal(0)
    except InvalidOperation:
        amount = Decimal("NaN")
    if not amount.is_finite():
        raise RowError("An amount is not a number.", code="amount_invalid", context={"column": "amount"})
    return amount


def instant(value: object) -> dt.datetime | None:
    """Read a moment: epoch milliseconds, or text ``yyyy-MM-dd HH:mm:ss`` in China's time; 0 and nothing are None.

    The pages promise milliseconds. A number too small for those is taken for seconds.

    Raises:
        RowError: ``time_invalid``.
    """
    written = text(value)
    if written is None or written.startswith("0000"):
        return None
    try:
        if not written.lstrip("-").isdecimal():
            found = dt.datetime.fromisoformat(written)
            return found if found.tzinfo else found.replace(tzinfo=CHINA)
        number = int(written)
        if number <= 0:
            return None
        return _moment(number * 1000 if number < _SECONDS_BELOW else number)
    except (ValueError, OverflowError):
        raise RowError("A time cannot be read.", code="time_invalid", context={"column": "time"}) from None


def _moment(number: int) -> dt.datetime:
    """Return the moment of epoch milliseconds, exactly: floats round."""
    return (_EPOCH + dt.timedelta(milliseconds=number)).astimezone(CHINA)


def birthday(value: object) -> str | None:
    """Read a birthday: epoch milliseconds of the day in China, negative before 1970; text is read too.

    Nothing is told by size here: the birthdays of the early seventies are small numbers.
    """
    written = text(value)
    if written is None:
        return None
    if written.lstrip("-").isdecimal():
        try:
            return _moment(int(written)).date().isoformat()
        except OverflowError:
            return None
    found = re.match(r"^(\d{4}-\d{2}-\d{2})", written)
    return found[1] if found else None


def milliseconds(moment: dt.datetime) -> int:
    """Write a moment as epoch milliseconds, exactly."""
    return (moment - _EPOCH) // dt.timedelta(milliseconds=1)


def is_masked(number: str) -> bool:
    """Say whether a phone number is masked (``138****8000``): good for display, never a key."""
    return "*" in number


def is_plain_phone(number: str) -> bool:
    """Say whether a number can be a mobile number as it stands; what is neither this nor masked may be cipher text."""
    return _PLAIN_PHONE.match(number) is not None


def kept(value: object) -> object:
    """Return a value fit for JSON that others read: whole numbers beyond 2^53 become text, at any depth."""
    if isinstance(value, Mapping):
        return {str(name): kept(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [kept(item) for item in value]
    large = isinstance(value, int) and not isinstance(value, bool) and abs(value) > _EXACT
    return str(value) if large else value


def extra_of(row: Mapping[str, Any], used: frozenset[str]) -> dict[str, Any]:
    """Return what has no field of its own, without what is empty."""
    return {name: kept(value) for name, value in row.items() if name not in used and value not in (None, "", [], {})}
