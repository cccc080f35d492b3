"""Reports, records and errors as one JSON document."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
from collections.abc import Mapping
from decimal import Decimal
from enum import Enum
from typing import Any

from hub.errors import ConfigError, HubError
from hub.show.screen import decimal_text

__all__ = ["error_document", "plain", "to_json"]


def to_json(value: Any) -> str:
    """Return a value as JSON text.

    Instants and days are ISO 8601; amounts are texts, so that no digit is lost; Chinese is written as it is.
    """
    return json.dumps(plain(value), ensure_ascii=False, indent=2)


def plain(value: Any) -> Any:
    """Return a value made of JSON types only."""
    if isinstance(value, Enum):
        return value.value
    if value is None or isinstance(value, str | bool | int | float):
        return value
    if isinstance(value, HubError):
        return error_document(value)
    if isinstance(value, dt.datetime | dt.date | dt.time):
        return value.isoformat()
    if isinstance(value, Decimal):
        return decimal_text(value)
    return _plain_container(value)


def _plain_container(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, set | frozenset):
        return sorted(plain(item) for item in value)
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return str(value)


def error_document(error: HubError) -> dict[str, Any]:
    """Return an error as JSON types: what happened, where, what to do, and every problem of a configuration."""
    from hub.redaction import redact

    found: dict[str, Any] = {
        "code": error.code,
        "message": redact(error.message),
        "hint": error.hint,
        "context": plain(error.context),
    }
    if isinstance(error, ConfigError):
        found["problems"] = plain(error.problems)
    return found
