"""Write canonical tables: every column of the record's schema, in its order and type, defaults where the file says nothing."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

import duckdb
import pyarrow as pa

from hub.columns import AMOUNT, INSTANT, Table
from plugins.files.reading.expressions import identifier, literal

__all__ = ["json_object", "write_table"]

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


def write_table(
    connection: duckdb.DuckDBPyConnection, table: Table, columns: Mapping[str, str], source: str, path: Path
) -> int:
    """Write one canonical table as Parquet and return its number of rows.

    Args:
        connection: where ``source`` can be read.
        table: the canonical table.
        columns: SQL of the columns the source has; a NULL gives way to the record's default.
        source: the FROM clause and what follows it.
        path: the file to write.
    """
    unknown = set(columns) - set(table.schema.names)
    if unknown:
        raise AssertionError(f"{table.name} has no columns {sorted(unknown)}")
    selected = ", ".join(_column(table, field, columns.get(field.name)) for field in table.schema)
    query = f"COPY (SELECT {selected} FROM {source}) TO {literal(str(path))} (FORMAT parquet, COMPRESSION zstd, WRITE_BLOOM_FILTER false)"
    counted = connection.execute(query).fetchone()
    return int(counted[0]) if counted else 0


def json_object(values: Mapping[str, str]) -> str:
    """Return the SQL of a JSON object of the values that are not NULL, itself NULL if none is.

    Args:
        values: SQL of texts, numbers or JSON by key; the object's keys are sorted.
    """
    if not values:
        return "NULL::VARCHAR"
    entries = ", ".join(f"{literal(name)}, {values[name]}" for name in sorted(values))
    # Merging into an empty object leaves out what is null (RFC 7396).
    return f"nullif(CAST(json_merge_patch('{{}}', json_object({entries})) AS VARCHAR), '{{}}')"


def _column(table: Table, field: Any, sql: str | None) -> str:
    kind = _SQL_TYPES[field.type]
    default = _default(table, field.name)
    value = "NULL" if sql is None else f"({sql})"
    if default is not None:
        value = default if sql is None else f"coalesce({value}, {default})"
    return f"CAST({value} AS {kind}) AS {identifier(field.name)}"


def _default(table: Table, name: str) -> str | None:
    info = table.model.model_fields.get(name)
    if info is None or info.is_required():
        return None
    value = info.get_default(call_default_factory=True)
    if value is None or value == {}:
        return None
    if isinstance(value, tuple):
        return "[]"
    if isinstance(value, bool):
        return str(value).lower()
    return literal(value.value if isinstance(value, StrEnum) else str(value))
