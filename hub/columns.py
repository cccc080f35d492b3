"""Records as columns: Arrow schemas generated from the record models, and records turned into Arrow tables.

One record type gives one parent table and one table per list of sub-models::

    Order  ->  orders(source_id, ordered_at, ...)  orders_lines(source_id, position, ...)  orders_tenders(...)
                                                   orders_identifiers(...)

Child rows carry their parent's ``source_id`` and their ``position`` in the list (from 0). Nested mappings become JSON text.
"""

from __future__ import annotations

import datetime as dt
import json
import types
import typing
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from functools import cache
from operator import itemgetter
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import orjson
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import AwareDatetime, BaseModel

from hub.records import RECORD_TYPES, Record

__all__ = ["AMOUNT", "INSTANT", "Table", "child_tables", "parent_table", "record_tables", "tables_of", "to_arrow"]

AMOUNT = pa.decimal128(18, 4)
"""Money and quantities."""
INSTANT = pa.timestamp("us", tz="UTC")
"""Points in time."""

_SCALARS: dict[type, pa.DataType] = {
    str: pa.string(),
    bool: pa.bool_(),
    int: pa.int64(),
    float: pa.float64(),
    Decimal: AMOUNT,
    dt.datetime: INSTANT,
    AwareDatetime: INSTANT,
    dt.date: pa.date32(),
    dt.time: pa.time64("us"),
}


@dataclass(frozen=True)
class Table:
    """One Arrow table of a record type.

    Attributes:
        name: warehouse table name.
        field: the record's list field a child table comes from; None for the parent.
        schema: its columns, ``source_id`` first; child tables have ``position`` second.
        model: the pydantic model of one row.
    """

    name: str
    field: str | None
    schema: pa.Schema
    model: type[BaseModel]


@dataclass(frozen=True)
class _Column:
    name: str
    type: pa.DataType
    encode: Callable[[Any], Any] | None


@cache
def tables_of(record: type[Record]) -> tuple[Table, ...]:
    """Return the tables of a record type: the parent first, then one per list of sub-models."""
    parent = Table(record.table, None, pa.schema([(c.name, c.type) for c in _columns(record)]), record)
    return (parent, *(_child(record, name, model) for name, model in _children(record).items()))


def parent_table(record: type[Record]) -> Table:
    """Return the parent table of a record type."""
    return tables_of(record)[0]


def child_tables(record: type[Record]) -> tuple[Table, ...]:
    """Return the child tables of a record type, in the order of its fields."""
    return tables_of(record)[1:]


def record_tables() -> dict[str, Table]:
    """Return every table of every record type by name."""
    return {table.name: table for record in RECORD_TYPES.values() for table in tables_of(record)}


def _child(record: type[Record], field: str, model: type[BaseModel]) -> Table:
    columns = [("source_id", pa.string()), ("position", pa.int32())]
    columns += [(c.name, c.type) for c in _columns(model)]
    return Table(f"{record.table}_{field}", field, pa.schema(columns), model)


@cache
def _columns(model: type[BaseModel]) -> tuple[_Column, ...]:
    columns = []
    for name, field in model.model_fields.items():
        kind = _strip(field.annotation)
        if _sub_model(kind) is None:
            columns.append(_Column(name, *_arrow_type(kind, f"{model.__name__}.{name}")))
    return tuple(columns)


@cache
def _children(model: type[BaseModel]) -> dict[str, type[BaseModel]]:
    found = {name: _sub_model(_strip(field.annotation)) for name, field in model.model_fields.items()}
    return {name: sub for name, sub in found.items() if sub is not None}


def _strip(annotation: Any) -> Any:
    """Take ``Annotated`` and ``| None`` off an annotation."""
    while True:
        origin = get_origin(annotation)
        if origin is Annotated:
            annotation = get_args(annotation)[0]
        elif origin in (Union, types.UnionType):
            options = [option for option in get_args(annotation) if option is not type(None)]
            if len(options) != 1:
                return annotation
            annotation = options[0]
        else:
            return annotation


def _sub_model(kind: Any) -> type[BaseModel] | None:
    if get_origin(kind) is tuple:
        item = _strip(get_args(kind)[0])
        if isinstance(item, type) and issubclass(item, BaseModel):
            return item
    return None


def _json(value: Any) -> str | None:
    """Sorted, so that a platform that shuffles its keys does not look as if it had changed something."""
    if not value:
        return None
    try:
        return orjson.dumps(value, default=str, option=orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS).decode()
    except TypeError:
        # Numbers beyond 64 bits and half surrogate pairs: rare, and never a reason to lose a record.
        return json.dumps(value, default=str)


def _arrow_type(kind: Any, where: str) -> tuple[pa.DataType, Callable[[Any], Any] | None]:
    origin = get_origin(kind)
    if origin is Literal:
        return pa.string(), None
    if origin is dict or kind is dict:
        return pa.string(), _json
    if origin is tuple:
        item, _ = _arrow_type(_strip(get_args(kind)[0]), where)
        return pa.list_(item), None
    if isinstance(kind, type) and issubclass(kind, StrEnum):
        return pa.string(), None
    if kind in _SCALARS:
        return _SCALARS[kind], None
    raise TypeError(f"{where} has type {kind!r}, which has no Arrow column type")


def to_arrow(record: type[Record], rows: Sequence[Record]) -> dict[str, pa.Table]:
    """Turn records of one type into its Arrow tables, by table name.

    Works column by column: no per-row dictionaries are made.

    Args:
        record: the record type; every row must be of it.
        rows: records with distinct ``source_id``.

    Raises:
        pa.ArrowInvalid: a value does not fit its column (cannot happen for validated records).
    """
    tables = {record.table: _table(tables_of(record)[0].schema, _columns(record), rows, {})}
    for child in child_tables(record):
        tables[child.name] = _child_table(child, rows)
    return tables


def _child_table(child: Table, rows: Iterable[Record]) -> pa.Table:
    keys: list[str] = []
    positions: list[int] = []
    items: list[BaseModel] = []
    field = typing.cast("str", child.field)
    for row in rows:
        parts = row.__dict__[field]
        if parts:
            keys += [row.source_id] * len(parts)
            positions += range(len(parts))
            items += parts
    lead: dict[str, list[Any]] = {"source_id": keys, "position": positions}
    return _table(child.schema, _columns(child.model), items, lead)


def _table(
    schema: pa.Schema, columns: Iterable[_Column], rows: Sequence[BaseModel], lead: Mapping[str, list[Any]]
) -> pa.Table:
    arrays = [pa.array(values, type=schema.field(name).type) for name, values in lead.items()]
    # A model's fields live in its __dict__; reading that is twice as fast as asking the model for each attribute.
    fields = [row.__dict__ for row in rows]
    for column in columns:
        values = list(map(itemgetter(column.name), fields))
        if column.encode is not None:
            values = list(map(column.encode, values))
        arrays.append(_empty_to_null(pa.array(values, type=column.type)))
    return pa.Table.from_arrays(arrays, schema=schema)


def _empty_to_null(array: pa.Array) -> pa.Array:
    """Platforms write "" for "not known"; a key may not be empty, so every empty text means NULL."""
    if not pa.types.is_string(array.type) or not array.nbytes:
        return array
    empty = pc.equal(array, "")
    return pc.if_else(empty, None, array) if pc.any(empty).as_py() else array
