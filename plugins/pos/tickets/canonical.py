"""Every column of a record's schema, in its order and type, with the record's defaults where nothing is known."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

import duckdb
import pyarrow as pa

from hub.columns import AMOUNT, INSTANT, Table
from plugins.pos.tickets.typed import identifier, literal

__all__ = ["json_extra", "select_canonical"]

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


def select_canonical(
    connection: duckdb.DuckDBPyConnection, table: Table, columns: Mapping[str, str], source: str
) -> pa.Table:
    """Return one canonical table.

    Args:
        connection: where ``source`` can be read.
        table: the canonical table.
        columns: SQL by column; a NULL gives way to the record's default.
        source: the FROM clause and what follows it.
    """
    selected = ", ".join(
        f"CAST({_defaulted(table, field.name, columns.get(field.name))} AS {_SQL_TYPES[field.type]}) AS {identifier(field.name)}"
        for field in table.schema
    )
    return connection.execute(f"SELECT {selected} FROM {source}").to_arrow_table().cast(table.schema)


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
    info = table.model.model_fields.get(name)
    if info is None or info.is_required():
        return None
    value = info.get_default(call_default_factory=True)
    if value is None or value == {}:
        return None
    if isinstance(value, tuple):
        return "[]::VARCHAR[]"
    if isinstance(value, bool):
        return str(value).lower()
    return literal(value.value if isinstance(value, StrEnum) else str(value))
