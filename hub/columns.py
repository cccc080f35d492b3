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
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from functools import cache
from itertools import chain
from operator import itemgetter
from typing import Annotated, Any, Final, Literal, Union, get_args, get_origin

import numpy as np
import numpy.typing as npt
import orjson
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import AwareDatetime, BaseModel

from hub.records import RECORD_TYPES, Record

__all__ = [
    "AMOUNT",
    "INSTANT",
    "ColumnBuilder",
    "Table",
    "child_tables",
    "parent_table",
    "record_tables",
    "tables_of",
    "to_arrow",
]

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

    Args:
        record: the record type; every row must be of it.
        rows: records with distinct ``source_id``.

    Raises:
        pa.ArrowInvalid: a value does not fit its column (cannot happen for validated records).
    """
    builder = ColumnBuilder(record)
    builder.add(rows)
    return builder.tables()


_CHUNK: Final = 2_000
"""Records turned into columns at a time: few enough to be still in the processor's cache, enough to be worth a set of arrays."""


class ColumnBuilder:
    """Turns records into columns as they come, so that no more than a few thousand stand in memory as objects.

    Args:
        record: the record type; every record must be of it.
    """

    def __init__(self, record: type[Record]) -> None:
        self._tables = tables_of(record)
        self._waiting: list[Record] = []
        self._parts: dict[str, list[pa.Table]] = {table.name: [] for table in self._tables}
        self._owners: dict[str, list[npt.NDArray[np.int64]]] = {table.name: [] for table in self._tables[1:]}
        self._dropped: list[int] = []
        self._converted = 0

    def __len__(self) -> int:
        return self._converted + len(self._waiting)

    def add(self, rows: Iterable[Record]) -> None:
        """Take in records; each gets the next place, from 0.

        Raises:
            pa.ArrowInvalid: a value does not fit its column (cannot happen for validated records).
        """
        self._waiting += rows
        full = len(self._waiting) - len(self._waiting) % _CHUNK
        for start in range(0, full, _CHUNK):
            self._convert(self._waiting[start : start + _CHUNK])
        del self._waiting[:full]

    def drop(self, place: int) -> None:
        """Leave out the record at a place, with its child rows."""
        self._dropped.append(place)

    def tables(self) -> dict[str, pa.Table]:
        """Return the Arrow tables of all records that were not dropped, by table name."""
        if self._waiting:
            self._convert(self._waiting)
            self._waiting = []
        whole = {
            table.name: pa.concat_tables(self._parts[table.name] or [table.schema.empty_table()])
            for table in self._tables
        }
        if not self._dropped:
            return whole
        kept = np.ones(self._converted, dtype=bool)
        kept[self._dropped] = False
        return {name: table.filter(pa.array(self._kept_rows(name, kept))) for name, table in whole.items()}

    def _kept_rows(self, name: str, kept: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
        owners = self._owners.get(name)
        if owners is None:
            return kept
        return kept[np.concatenate(owners)] if owners else np.ones(0, dtype=bool)

    def _convert(self, rows: Sequence[Record]) -> None:
        # A model's fields live in its __dict__; reading that is twice as fast as asking the model for each attribute.
        fields = [row.__dict__ for row in rows]
        parent, *children = self._tables
        table = _table(parent, fields, [])
        self._parts[parent.name].append(table)
        for child in children:
            lists = list(map(itemgetter(child.field), fields))
            items = [item.__dict__ for item in chain.from_iterable(lists)]
            if items:
                counts = np.fromiter(map(len, lists), dtype=np.int64, count=len(lists))
                owners = np.repeat(np.arange(len(lists)), counts)
                position = np.arange(len(items)) - np.repeat(np.cumsum(counts) - counts, counts)
                lead = [table["source_id"].take(pa.array(owners)).combine_chunks(), pa.array(position, type=pa.int32())]
                self._parts[child.name].append(_table(child, items, lead))
                self._owners[child.name].append(owners + self._converted)
        self._converted += len(rows)


def _table(table: Table, rows: Sequence[Mapping[str, Any]], lead: Sequence[pa.Array]) -> pa.Table:
    """Row by row, each is looked at once while it is at hand; what comes out is turned on its side."""
    columns = _columns(table.model)
    taken = zip(*map(itemgetter(*(column.name for column in columns)), rows), strict=True)
    arrays = [_array(column, values) for column, values in zip(columns, taken, strict=True)]
    return pa.Table.from_arrays([*lead, *arrays], schema=table.schema)


def _array(column: _Column, values: Sequence[Any]) -> pa.Array:
    if column.encode is not None:
        values = list(map(column.encode, values))
    array = pa.array(values, type=column.type)
    # Platforms write "" for "not known"; a key may not be empty, so every empty text means NULL.
    if column.type != pa.string() or array.null_count == len(array) or "" not in values:
        return array
    return pc.if_else(pc.equal(array, ""), None, array)
