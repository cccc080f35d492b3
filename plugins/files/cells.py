"""From mapped values to what a file holds. Pure functions."""

from __future__ import annotations

import datetime as dt
import math
import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

import orjson

__all__ = ["csv_text", "guarded", "parquet_value"]

_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")
_SIGNED_NUMBER: Final = re.compile(r"[+-]\d[\d.,]*")


def guarded(text: str) -> str:
    """Return ``text`` so that a spreadsheet shows it instead of running it (OWASP "CSV injection").

    A signed number is left alone: it computes to itself, and phone numbers in international form must stay usable.
    """
    return f"'{text}" if text.startswith(_FORMULA) and not _SIGNED_NUMBER.fullmatch(text) else text


def csv_text(value: object, zone: dt.tzinfo, *, guard: bool) -> str:
    """Return a cell's text: ISO dates and times in the chain's zone, ``true``/``false``, lists as JSON, nothing for None."""
    if isinstance(value, str):
        return guarded(value) if guard else value
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, dt.datetime):
        return _local(value, zone).isoformat()
    if isinstance(value, dt.date):
        return value.isoformat()
    if isinstance(value, Mapping | list | tuple):
        return _json(value)
    return str(value)


def parquet_value(value: object, zone: dt.tzinfo) -> object:
    """Return a value that Arrow has a type for; lists and mappings become JSON text."""
    if isinstance(value, dt.datetime):
        return _local(value, zone)
    return _json(value) if isinstance(value, Mapping | list | tuple) else value


def _local(value: dt.datetime, zone: dt.tzinfo) -> dt.datetime:
    return value.replace(tzinfo=zone) if value.tzinfo is None else value.astimezone(zone)


def _json(value: Any) -> str:
    return orjson.dumps(value, default=str).decode()
