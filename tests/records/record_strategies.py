"""Random records of any type, made from the fields of their models."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from enum import StrEnum
from functools import cache
from typing import Any, Literal, get_args, get_origin

from hypothesis import strategies as st
from pydantic import AwareDatetime, BaseModel

from hub.columns import _strip
from hub.records import Record

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
AMOUNT = st.decimals(min_value=-(10**13), max_value=10**13, places=4, allow_nan=False)
ZONES = st.sampled_from([dt.UTC, dt.timezone(dt.timedelta(hours=8)), dt.timezone(dt.timedelta(hours=-5))])
INSTANT = st.datetimes(dt.datetime(1900, 1, 2), dt.datetime(2200, 1, 1), timezones=ZONES)  # noqa: DTZ001 - zones are added
JSON = st.dictionaries(TEXT, st.one_of(st.none(), st.booleans(), st.integers(-(2**40), 2**70), TEXT), max_size=3)

_PATTERNS = {
    "birthday": st.sampled_from(["1990-05-17", "--05-17"]),
    "currency": st.sampled_from(["CNY", "HKD"]),
}
_SCALARS: dict[Any, st.SearchStrategy[Any]] = {
    str: TEXT,
    bool: st.booleans(),
    float: st.floats(allow_nan=False, allow_infinity=False, width=64),
    Decimal: AMOUNT,
    AwareDatetime: INSTANT,
    dt.datetime: INSTANT,
    dt.date: st.dates(dt.date(1900, 1, 1), dt.date(2200, 1, 1)),
    dt.time: st.times(),
}


@cache
def records(model: type[BaseModel]) -> st.SearchStrategy[Any]:
    """Return a strategy for a model: every field has a value of its type, or its default."""
    return st.builds(
        model, **{name: _field(name, field.annotation, field) for name, field in model.model_fields.items()}
    )


def _field(name: str, annotation: Any, field: Any) -> st.SearchStrategy[Any]:
    value = _PATTERNS[name] if name in _PATTERNS else _value(_strip(annotation))
    if any(getattr(rule, "min_length", None) for rule in field.metadata) or name in {"source_id", "value", "staff_id"}:
        value = TEXT.filter(lambda text: text.strip() != "") if _strip(annotation) is str else value
    return st.one_of(st.none(), value) if field.default is None else value


def _value(kind: Any) -> st.SearchStrategy[Any]:
    origin = get_origin(kind)
    if origin is Literal:
        return st.sampled_from(get_args(kind))
    if origin is dict:
        return JSON
    if origin is tuple:
        item = _strip(get_args(kind)[0])
        inner = records(item) if isinstance(item, type) and issubclass(item, BaseModel) else _value(item)
        return st.lists(inner, max_size=2).map(tuple)
    if isinstance(kind, type) and issubclass(kind, StrEnum):
        return st.sampled_from(list(kind))
    return _SCALARS[kind]


def batches(model: type[Record]) -> st.SearchStrategy[list[Record]]:
    """Return a strategy for lists of records with distinct source ids."""
    return st.lists(records(model), max_size=3, unique_by=lambda record: record.source_id)
