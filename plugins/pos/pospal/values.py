"""How Pospal writes times, amounts and ids, read into Python and back. Pure."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from typing import Any, Final
from zoneinfo import ZoneInfo

from hub.errors import RowError

__all__ = ["amount", "day", "first", "id_of", "kept", "local", "moment", "needed_id", "text", "time_text"]

_PLACES: Final = Decimal("0.0001")
_TIME: Final = "%Y-%m-%d %H:%M:%S"


def text(value: object) -> str | None:
    """Return a value as text, None for nothing; a 64-bit id keeps all its digits."""
    if value is None or isinstance(value, bool | Mapping | list):
        return None
    return str(value).strip() or None


def id_of(value: object) -> str | None:
    """Return an id as text; 0 and nothing mean that there is none."""
    found = text(value)
    return None if found == "0" else found


def needed_id(row: Mapping[str, Any], *names: str) -> str:
    """Return the first id a row has under one of the names.

    Raises:
        RowError: ``id_missing``.
    """
    found = next((value for name in names if (value := id_of(row.get(name)))), None)
    if found is None:
        raise RowError("The row has no id.", code="id_missing", context={"column": names[0]})
    return found


def amount(value: object, column: str = "amount") -> Decimal:
    """Read an amount or quantity, rounded half up to four decimals (the tills calculate in binary); nothing is zero.

    Raises:
        RowError: ``amount_invalid``.
    """
    try:
        found = Decimal(str(value).strip() or "0") if value is not None else Decimal(0)
        if not found.is_finite():
            raise InvalidOperation
        return found if found == found.quantize(_PLACES) else found.quantize(_PLACES, ROUND_HALF_UP)
    except InvalidOperation:
        raise RowError("An amount is not a number.", code="amount_invalid", context={"column": column}) from None


def moment(value: object, zone: ZoneInfo, column: str = "datetime") -> dt.datetime:
    """Read ``yyyy-MM-dd HH:mm:ss`` in the shop's time.

    Raises:
        RowError: ``time_invalid``.
    """
    written = text(value) or ""
    try:
        return dt.datetime.fromisoformat(written).replace(tzinfo=zone)
    except ValueError:
        raise RowError("A time cannot be read.", code="time_invalid", context={"column": column}) from None


def time_text(value: dt.datetime, zone: ZoneInfo) -> str:
    """Write an instant as the interface wants it."""
    return value.astimezone(zone).strftime(_TIME)


def local(day: dt.date, cutoff: dt.time, zone: ZoneInfo) -> dt.datetime:
    """Return the beginning of a shop's day."""
    return dt.datetime.combine(day, cutoff, zone)


def day(value: object) -> dt.date | None:
    """Read a date, with or without a time behind it; what is none gives None."""
    written = (text(value) or "")[:10].replace("/", "-")
    try:
        found = dt.date.fromisoformat(written)
    except ValueError:
        return None
    return None if found.year <= 1 else found


def first(row: Mapping[str, Any], *names: str) -> Any:
    """Return the first value a row has under one of the names: manuals and answers differ."""
    return next((row[name] for name in names if row.get(name) not in (None, "")), None)


def kept(row: Mapping[str, Any], known: frozenset[str]) -> dict[str, Any]:
    """Return the fields that have no place of their own, as JSON values."""
    return {
        name: _plain(value) for name, value in row.items() if name not in known and value not in (None, "", [], {}, 0)
    }


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, Mapping):
        return {str(name): _plain(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_plain(inner) for inner in value]
    return value
