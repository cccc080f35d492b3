"""How Youzan writes times, money, ids and flags, read into Python and back. Pure."""

from __future__ import annotations

import base64
import binascii
import datetime as dt
import json
import re
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, Final
from zoneinfo import ZoneInfo

from hub.errors import RowError

__all__ = [
    "CHINA",
    "flag",
    "from_epoch",
    "from_text",
    "is_cipher",
    "milliseconds",
    "seconds",
    "text",
    "to_text",
    "unwrapped",
    "yuan",
    "yuan_of_fen",
]

CHINA: Final = ZoneInfo("Asia/Shanghai")
_MILLISECONDS_FROM: Final = 10**12
"""An epoch number this large is in milliseconds: in seconds it would lie 29 000 years ahead."""
_CIPHER: Final = re.compile(r"^\$([A-Za-z0-9+/=]+)\$\d+\$$")


def text(value: object) -> str | None:
    """Return a value as text, None for nothing; a 64-bit id keeps all its digits."""
    if value is None or isinstance(value, bool):
        return None
    found = str(value).strip()
    return found or None


def flag(value: object) -> bool:
    """Read a truth value that may be a boolean, 0 and 1, or the word."""
    return value is True or str(value).strip().lower() in {"true", "1"}


def yuan(value: object) -> Decimal:
    """Read an amount in yuan, ``"9.82"``; nothing is zero.

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


def yuan_of_fen(value: object) -> Decimal:
    """Read an amount in fen (分) as yuan."""
    return yuan(value) / 100


def from_text(value: object) -> dt.datetime | None:
    """Read ``yyyy-MM-dd HH:mm:ss`` in China's time; epoch numbers are read too.

    Raises:
        RowError: ``time_invalid``.
    """
    written = text(value)
    if written is None or written.startswith("0000"):
        return None
    if written.isdecimal():
        return from_epoch(written)
    try:
        found = dt.datetime.fromisoformat(written)
    except ValueError:
        raise RowError("A time cannot be read.", code="time_invalid", context={"column": "time"}) from None
    return found if found.tzinfo else found.replace(tzinfo=CHINA)


def from_epoch(value: object) -> dt.datetime | None:
    """Read an epoch number in seconds or milliseconds, told by its size; 0 and nothing are None.

    Raises:
        RowError: ``time_invalid``.
    """
    written = text(value)
    if written is None:
        return None
    try:
        number = int(Decimal(written))
        moment = dt.datetime.fromtimestamp(number / 1000 if number >= _MILLISECONDS_FROM else number, CHINA)
    except (InvalidOperation, ValueError, OverflowError, OSError):
        raise RowError("A time cannot be read.", code="time_invalid", context={"column": "time"}) from None
    return moment if number > 0 else None


def to_text(moment: dt.datetime) -> str:
    """Write a moment as the trade methods want it."""
    return moment.astimezone(CHINA).strftime("%Y-%m-%d %H:%M:%S")


def seconds(moment: dt.datetime) -> int:
    """Write a moment as epoch seconds."""
    return int(moment.timestamp())


def milliseconds(moment: dt.datetime) -> int:
    """Write a moment as epoch milliseconds."""
    return int(moment.timestamp() * 1000)


def is_cipher(value: object) -> bool:
    """Say whether a text is encrypted: ``$<base64>$<version>$``."""
    found = _CIPHER.match(value) if isinstance(value, str) else None
    if found is None:
        return False
    try:
        base64.b64decode(found[1], validate=True)
    except binascii.Error:
        return False
    return True


def unwrapped(value: object) -> Mapping[str, Any]:
    """Return an object that may come as JSON text; anything else is empty."""
    if isinstance(value, str) and value[:1] == "{":
        try:
            value = json.loads(value)
        except ValueError:
            return {}
    return value if isinstance(value, Mapping) else {}
