"""Every column of a record's schema, in its order and type, with the record's defaults where nothing is known."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Final

import numpy as np
import pyarrow as pa

from hub.columns import AMOUNT, INSTANT, Table
from plugins.pos.tickets.typed import identifier, literal

__all__ = ["canonical_columns", "completed", "json_extra", "positions"]

_SQL_TYPES: Final[Mapping[pa.DataType, str]] = {
    pa.string(): "VARCHAR",
    pa.bool_(): "BOOLEAN",
    pa.int32(): "INTEGER",
    pa.float64(): "DOUBLE",
    AMOUNT: "DECIMAL(18,4)",
    INSTANT: "TIMESTAMPTZ",
    pa.date32(): "DATE",
    pa.time64("us"): "TIME",
    pa.list_(pa.string()): "VARCHAR[]",
}


def canonical_columns(table: Table, columns: Mapping[str, str]) -> str:
    """Return the SELECT list of some columns of a canonical table, each in its type.

    Args:
        table: the canonical table.
        columns: SQL by column; a NULL gives way to the record's default.
    """
    return ", ".join(
        f"CAST({_defaulted(table, name, sql)} AS {_SQL_TYPES[table.schema.field(name).type]}) AS {identifier(name)}"
        for name, sql in columns.items()
    )


def completed(table: Table, given: pa.Table) -> pa.Table:
    """Return a canonical table from the columns that are known; those nobody gives are made here, of the record's default.

    Args:
        table: the canonical table.
        given: some of its columns. The position of a child row is counted from two more, ``tn`` and ``rn``: the number of its
            parent and its own place among all rows.
    """
    if table.field is not None:
        given = given.append_column("position", positions(given["tn"].to_numpy(), given["rn"].to_numpy()))
    defaults: dict[tuple[pa.DataType, object], pa.Array] = {}

    def column(field: pa.Field) -> pa.Array | pa.ChunkedArray:
        if field.name in given.column_names:
            return given.column(field.name).cast(field.type)
        default = (field.type, _plain_default(table, field.name))
        if default not in defaults:
            defaults[default] = _same(*default, given.num_rows)
        return defaults[default]

    return pa.Table.from_arrays([column(field) for field in table.schema], schema=table.schema)


def positions(parents: np.ndarray[Any, Any], places: np.ndarray[Any, Any]) -> pa.Array:
    """Return where each row stands among those of its parent, from 0, in the order of their places."""
    if len(parents) == 0:
        return pa.array([], pa.int32())
    rising = np.all((parents[1:] > parents[:-1]) | ((parents[1:] == parents[:-1]) & (places[1:] > places[:-1])))
    order = np.arange(len(parents)) if rising else np.lexsort((places, parents))
    ordered = parents[order]
    begins = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])
    found = np.empty(len(order), np.int32)
    found[order] = np.arange(len(order)) - np.repeat(begins, np.diff(np.r_[begins, len(order)]))
    return pa.array(found)


def _same(kind: pa.DataType, value: object, rows: int) -> pa.Array:
    """A column that has one value in every row."""
    if value is None:
        return pa.nulls(rows, kind)
    if isinstance(value, tuple):
        return pa.ListArray.from_arrays(pa.array(np.zeros(rows + 1, np.int32)), pa.array([], kind.value_type))
    return pa.repeat(pa.scalar(value, kind), rows)


def json_extra(values: Mapping[str, str], onto: str = "NULL::VARCHAR") -> str:
    """Return the SQL of a JSON object of the values that are not NULL, added to the one in ``onto``; NULL if it is empty."""
    if not values:
        return onto
    entries = ", ".join(f"{literal(name)}, {values[name]}" for name in sorted(values))
    # Merging leaves out what is null (RFC 7396).
    merged = f"CAST(json_merge_patch(coalesce(CAST({onto} AS JSON), '{{}}'), json_object({entries})) AS VARCHAR)"
    return f"nullif({merged}, '{{}}')"


def _defaulted(table: Table, name: str, sql: str | None) -> str:
    default = _default(table, name)
    if sql is None:
        return default or "NULL"
    return f"coalesce({sql}, {default})" if default else sql


def _default(table: Table, name: str) -> str | None:
    value = _plain_default(table, name)
    if value is None:
        return None
    if isinstance(value, tuple):
        return "[]::VARCHAR[]"
    return str(value).lower() if isinstance(value, bool) else literal(str(value))


def _plain_default(table: Table, name: str) -> object:
    """A record's default as a plain value; None if it has none, or an empty one."""
    info = table.model.model_fields.get(name)
    if info is None or info.is_required():
        return None
    value = info.get_default(call_default_factory=True)
    if value is None or value == {}:
        return None
    return value.value if isinstance(value, StrEnum) else value
