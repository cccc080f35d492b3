"""From whatever a driver or a parser gave to typed columns; a value that cannot be read names its column in ``bad``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import duckdb
import orjson
import pyarrow as pa

from hub.source import Reject
from plugins.pos.tickets.fields import Kind

__all__ = ["identifier", "key_sql", "literal", "stage", "text_sql"]

_YES: Final = "'1', 'y', 'yes', 't', 'true', '是', 'on'"
_NO: Final = "'0', 'n', 'no', 'f', 'false', '否', 'off'"
_OFFSET: Final = r":\d\d(\.\d+)?\s?(Z|[+-]\d\d(:?\d\d)?)$"
_CODES: Final[Mapping[Kind, str]] = {
    Kind.NUMBER: "number_unreadable",
    Kind.FLOAT: "number_unreadable",
    Kind.TIME: "time_unreadable",
    Kind.DATE: "time_unreadable",
    Kind.CLOCK: "time_unreadable",
    Kind.FLAG: "flag_unreadable",
}
_TYPES: Final[Mapping[Kind, str]] = {
    Kind.TEXT: "VARCHAR",
    Kind.NUMBER: "DECIMAL(18,4)",
    Kind.TIME: "TIMESTAMPTZ",
    Kind.DATE: "DATE",
    Kind.CLOCK: "TIME",
    Kind.FLAG: "BOOLEAN",
    Kind.FLOAT: "DOUBLE",
    Kind.LIST: "VARCHAR[]",
}


def literal(text: str) -> str:
    """Return ``text`` as an SQL string."""
    return "'" + text.replace("'", "''") + "'"


def identifier(name: str) -> str:
    """Return ``name`` as a quoted SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def text_sql(column: str) -> str:
    """Return the SQL of a column as text; CHAR columns come padded, and an empty text means "not known"."""
    return f"nullif(trim(CAST({column} AS VARCHAR)), '')"


def key_sql(columns: Iterable[str], alias: str = "") -> str:
    """Return the SQL of a record's id: its key columns with a slash between, NULL if one is missing."""
    return " || '/' || ".join(text_sql(f"{alias}{identifier(column)}") for column in columns)


def stage(
    connection: duckdb.DuckDBPyConnection,
    name: str,
    rows: pa.Table,
    fields: Mapping[str, Kind],
    *,
    key: Sequence[str],
    zone: str,
    keep: Mapping[str, str] | None = None,
) -> None:
    """Make a table of typed columns: ``source_id``, ``rn`` (place among the rows), ``bad``, and every field there is.

    Args:
        connection: where the table is made; ``<name>_raw`` stays readable beside it.
        name: of the table.
        rows: as they came.
        fields: the fields to read, by name, with what each is.
        key: columns that together are the id.
        zone: time zone of times without an offset.
        keep: further columns, name to SQL over the raw rows.
    """
    connection.register(f"{name}_arrow", rows)
    connection.execute(
        f"CREATE OR REPLACE TEMP VIEW {name}_raw AS SELECT row_number() OVER () AS rn, * FROM {name}_arrow"
    )
    present = [field for field in rows.column_names if field in fields]
    typed = [f"{_value(rows, field, fields[field], zone)} AS {identifier(field)}" for field in present]
    absent = [f"NULL::{_TYPES[kind]} AS {identifier(field)}" for field, kind in fields.items() if field not in present]
    more = [f"{sql} AS {identifier(alias)}" for alias, sql in (keep or {}).items()]
    columns = ", ".join([f"{key_sql(key)} AS source_id", "rn AS rn", *typed, *more])
    readable = [field for field in present if fields[field] in _CODES]
    given = [f"{_given(rows, field)} AS {identifier('given ' + field)}" for field in readable]
    inner = f"SELECT {', '.join([columns, *given])} FROM {name}_raw"
    listed = ", ".join([*(identifier(each) for each in ["source_id", "rn", *present, *(keep or {})]), *absent])
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE {name} AS SELECT {listed}, {_bad(readable)} AS bad FROM ({inner})"
    )


def _given(rows: pa.Table, field: str) -> str:
    """The SQL of whether there is a value; of texts, whether there is more than blanks."""
    column, kind = identifier(field), rows.schema.field(field).type
    return (
        f"{column} IS NOT NULL" if _numeric(kind) or pa.types.is_timestamp(kind) else f"{text_sql(column)} IS NOT NULL"
    )


def _bad(fields: Sequence[str]) -> str:
    whens = [f"WHEN {identifier(f)} IS NULL AND {identifier('given ' + f)} THEN {literal(f)}" for f in fields]
    missing = "WHEN source_id IS NULL THEN 'key'"
    return f"CASE {' '.join([missing, *whens])} END"


def _value(rows: pa.Table, field: str, kind: Kind, zone: str) -> str:
    column, given = identifier(field), rows.schema.field(field).type
    text = text_sql(column)
    if kind is Kind.NUMBER:
        return f"try_cast({column if _numeric(given) else text} AS DECIMAL(18,4))"
    if kind is Kind.TIME:
        return _instant(column, given, zone)
    if kind is Kind.DATE:
        return f"try_cast(try_cast({text} AS TIMESTAMP) AS DATE)"
    if kind is Kind.CLOCK:
        return f"try_cast({text} AS TIME)"
    if kind is Kind.FLOAT:
        return f"try_cast({text} AS DOUBLE)"
    if kind is Kind.FLAG:
        flag = f"CASE WHEN lower({text}) IN ({_YES}) THEN true WHEN lower({text}) IN ({_NO}) THEN false "
        return f"{flag}ELSE try_cast({text} AS DOUBLE) <> 0 END"
    if kind is Kind.LIST:
        split = f"regexp_split_to_array({text}, '[,;|，；、]')"
        return f"list_filter(list_transform({split}, lambda x: trim(x)), lambda x: x <> '')"
    return text


def _numeric(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind))


def _instant(column: str, given: pa.DataType, zone: str) -> str:
    if pa.types.is_timestamp(given):
        return (
            f"CAST({column} AS TIMESTAMPTZ)" if given.tz else f"timezone({literal(zone)}, CAST({column} AS TIMESTAMP))"
        )
    text = text_sql(column)
    local = f"timezone({literal(zone)}, try_cast({text} AS TIMESTAMP))"
    return f"CASE WHEN regexp_matches({text}, '{_OFFSET}') THEN try_cast({text} AS TIMESTAMPTZ) ELSE {local} END"


def rejects(
    connection: duckdb.DuckDBPyConnection, name: str, fields: Mapping[str, Kind], location: str, limit: int = 1000
) -> list[Reject]:
    """Describe the rows of a staged table that could not be read; beyond ``limit`` they are counted in one more."""
    query = (
        f"SELECT source_id, bad, CAST(to_json(raw) AS VARCHAR) FROM {name} JOIN {name}_raw raw USING (rn) "
        f"WHERE bad IS NOT NULL ORDER BY rn"
    )
    found = []
    for source_id, bad, raw in connection.execute(query).fetchmany(limit):
        if bad == "key" or orjson.loads(raw).get(bad) is None:
            code, reason = "value_missing", f"{'A key column' if bad == 'key' else bad} is empty."
        else:
            code, reason = _CODES[fields[bad]], f"{bad} could not be read as a {fields[bad].value}."
        found.append(Reject(f"{location}#{source_id or '?'}", code, reason, bad, source_id, raw))
    return found
