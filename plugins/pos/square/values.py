"""How Square writes money, times and quantities, read into Python. Pure."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from hub.errors import RowError

__all__ = ["currency_of", "moment", "money", "needed", "quantity", "rfc3339", "text"]

_NO_MINOR: Final = frozenset(("BIF", "CLP", "DJF", "GNF", "JPY", "KMF", "KRW", "MGA", "PYG", "RWF", "UGX", "VND", "VUV", "XAF", "XOF", "XPF"))  # fmt: skip
_THREE_DIGITS: Final = frozenset(("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"))


def text(value: object) -> str | None:
    """Return a value as text, None for nothing."""
    return str(value).strip() or None if isinstance(value, str | int) and not isinstance(value, bool) else None


def needed(row: Mapping[str, Any], name: str = "id") -> str:
    """Return an id that a row must have.

    Raises:
        RowError: ``id_missing``.
    """
    found = text(row.get(name))
    if found is None:
        raise RowError("The row has no id.", code="id_missing", context={"column": name})
    return found


def money(value: object) -> Decimal:
    """Read an amount in minor units with its currency (ISO 4217); nothing is zero.

    Raises:
        RowError: ``amount_invalid``.
    """
    if value is None:
        return Decimal(0)
    amount = value.get("amount", 0) if isinstance(value, Mapping) else None
    if isinstance(amount, bool) or not isinstance(amount, int):
        raise RowError("An amount is no whole number.", code="amount_invalid", context={"column": "amount"})
    return Decimal(amount).scaleb(-_places(currency_of(value)))


def currency_of(value: object) -> str:
    """Return an amount's currency, or nothing."""
    return str(value.get("currency") or "") if isinstance(value, Mapping) else ""


def _places(currency: str) -> int:
    return 0 if currency in _NO_MINOR else 3 if currency in _THREE_DIGITS else 2


def quantity(value: object) -> Decimal:
    """Read a quantity, which is a text.

    Raises:
        RowError: ``amount_invalid``.
    """
    try:
        return Decimal(str(value))
    except InvalidOperation:
        raise RowError("A quantity is no number.", code="amount_invalid", context={"column": "quantity"}) from None


def moment(value: object, column: str = "created_at") -> dt.datetime | None:
    """Read an RFC 3339 time.

    Raises:
        RowError: ``time_invalid``.
    """
    if value in (None, ""):
        return None
    try:
        found = dt.datetime.fromisoformat(str(value))
    except ValueError:
        found = None
    if found is None or found.tzinfo is None:
        raise RowError("A time cannot be read.", code="time_invalid", context={"column": column})
    return found


def rfc3339(value: dt.datetime) -> str:
    """Write an instant as the API wants it."""
    return value.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
