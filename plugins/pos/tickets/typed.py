"""From whatever a driver or a parser gave to typed columns; a value that cannot be read names its column in ``bad``.

Nothing here looks at one row at a time: what has to be known of a column is asked of the whole column, and becomes SQL.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import duckdb
import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc

from hub.source import Reject
from plugins.pos.tickets.fields import Kind

__all__ = ["Columns", "count", "identifier", "literal", "rejected", "rejects", "typed_null"]

PLACE: Final = '"place in page"'
"""The column that numbers the rows as they came, beside those of the till: no column of a till is called so."""
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


def typed_null(kind: Kind) -> str:
    """Return the SQL of "not known" in the type of a kind."""
    return f"NULL::{_TYPES[kind]}"


def count(connection: duckdb.DuckDBPyConnection, counted: str) -> int:
    """Return how many rows a FROM clause gives."""
    row = connection.execute(f"SELECT count(*) FROM {counted}").fetchone()
    return int(row[0]) if row else 0


class Columns:
    """One part of a page as it came: which columns there are, and the SQL that reads each. Its rows are ``<name>_raw``.

    Args:
        connection: where ``<name>_raw`` is made; it has the column :data:`PLACE` besides those that came.
        name: of the part.
        rows: as they came.
        key: columns that together are the id.
        fields: the columns that mean something, with what each is.
        zone: time zone of times without an offset.
    """

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        name: str,
        rows: pa.Table,
        key: Sequence[str],
        fields: Mapping[str, Kind],
        zone: str,
    ) -> None:
        self.name, self.key_columns, self.fields, self.zone = name, tuple(key), fields, zone
        self.schema: pa.Schema = rows.schema
        self._plain = {each for each in rows.column_names if _is_plain(rows.column(each))}
        places = pa.array(np.arange(1, rows.num_rows + 1))
        connection.register(f"{name}_raw", rows.append_column(PLACE.strip('"'), places))

    @property
    def present(self) -> list[str]:
        """The columns that mean something and are there."""
        return [name for name in self.schema.names if name in self.fields]

    def has(self, *names: str) -> bool:
        """Tell whether one of these columns is there."""
        return any(name in self.schema.names for name in names)

    def text(self, column: str) -> str:
        """Return the SQL of a column as text; CHAR columns come padded, and an empty text means "not known"."""
        if column in self._plain:
            return identifier(column)
        cast = f"CAST({identifier(column)} AS VARCHAR)"
        return cast if self._is_numeric(column) else f"nullif(trim({cast}), '')"

    def key(self, columns: Iterable[str] | None = None) -> str:
        """Return the SQL of a record's id: its key columns with a slash between, NULL if one is missing."""
        return " || '/' || ".join(self.text(column) for column in (self.key_columns if columns is None else columns))

    @property
    def counts(self) -> bool:
        """Whether the key is one column of whole numbers, which need no text to be compared."""
        return len(self.key_columns) == 1 and bool(pa.types.is_integer(self.schema.field(self.key_columns[0]).type))

    def typed(self, link: str, keep: Mapping[str, str] | None = None) -> str:
        """Return the SQL of the typed rows: ``link``, ``rn``, every field (NULL where it is not there), ``bad``.

        Args:
            link: the SQL of what parts are compared by.
            keep: further columns, name to SQL over the raw rows.
        """
        present, readable = self.present, [name for name in self.present if self.fields[name] in _CODES]
        inner = [f"{link} AS link", f"{PLACE} AS rn"]
        inner += [f"{self._value(name)} AS {identifier(name)}" for name in present]
        inner += [f"{sql} AS {identifier(name)}" for name, sql in (keep or {}).items()]
        inner += [f"{self._given(name)} AS {identifier('given ' + name)}" for name in readable]
        whens = [f"WHEN {identifier(f)} IS NULL AND {identifier('given ' + f)} THEN {literal(f)}" for f in readable]
        outer = ["link", "rn", *(identifier(name) for name in [*present, *(keep or {})])]
        outer += [
            f"{typed_null(kind)} AS {identifier(name)}" for name, kind in self.fields.items() if name not in present
        ]
        bad = f"CASE WHEN link IS NULL THEN 'key' {' '.join(whens)} END AS bad"
        return f"SELECT {', '.join([*outer, bad])} FROM (SELECT {', '.join(inner)} FROM {self.name}_raw)"

    def exact(self, column: str) -> str:
        """Return the SQL of a number with all its digits: a price without tax is 21.6814159…, and rounding it loses fen."""
        if not self.has(column):
            return "NULL::DOUBLE"
        return f"try_cast({identifier(column) if self._is_numeric(column) else self.text(column)} AS DOUBLE)"

    def _is_numeric(self, column: str) -> bool:
        kind = self.schema.field(column).type
        return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind))

    def _given(self, field: str) -> str:
        """The SQL of whether there is a value; of texts, whether there is more than blanks."""
        plain = self._is_numeric(field) or pa.types.is_timestamp(self.schema.field(field).type)
        return f"{identifier(field) if plain else self.text(field)} IS NOT NULL"

    def _value(self, field: str) -> str:
        kind, column, text = self.fields[field], identifier(field), self.text(field)
        if kind is Kind.NUMBER:
            return f"try_cast({column if self._is_numeric(field) else text} AS DECIMAL(18,4))"
        if kind is Kind.TIME:
            return self._instant(field)
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

    def _instant(self, field: str) -> str:
        column, given = identifier(field), self.schema.field(field).type
        if pa.types.is_timestamp(given):
            return (
                f"CAST({column} AS TIMESTAMPTZ)"
                if given.tz
                else f"timezone({literal(self.zone)}, CAST({column} AS TIMESTAMP))"
            )
        text = self.text(field)
        local = f"timezone({literal(self.zone)}, try_cast({text} AS TIMESTAMP))"
        return f"CASE WHEN regexp_matches({text}, '{_OFFSET}') THEN try_cast({text} AS TIMESTAMPTZ) ELSE {local} END"


def _is_plain(column: pa.ChunkedArray) -> bool:
    """Whether a column is text that needs no trimming; looking at the whole column costs a tenth of trimming it."""
    if not pa.types.is_string(column.type):
        return False
    return all(
        pc.all(pc.string_is_ascii(chunk)).as_py() is not False
        and not any(pc.any(test).as_py() for test in _blank_ends(chunk))
        for chunk in column.chunks
    )


def _blank_ends(chunk: pa.Array) -> Iterable[pa.Array]:
    yield pc.equal(chunk, "")
    yield pc.starts_with(chunk, " ")
    yield pc.ends_with(chunk, " ")


def rejects(connection: duckdb.DuckDBPyConnection, columns: Columns, table: str, location: str) -> list[Reject]:
    """Describe the rows that could not be read, in the order they came.

    Args:
        connection: where they are.
        columns: of the part.
        table: has ``rn`` and ``bad``.
        location: for the rejects.
    """
    found = []
    for source_id, bad, raw in rejected(connection, columns, table):
        if bad == "key" or orjson.loads(raw).get(bad) is None:
            code, reason = "value_missing", f"{'A key column' if bad == 'key' else bad} is empty."
        else:
            code, reason = _CODES[columns.fields[bad]], f"{bad} could not be read as a {columns.fields[bad].value}."
        found.append(Reject(f"{location}#{source_id or '?'}", code, reason, bad, source_id, raw))
    return found


def rejected(connection: duckdb.DuckDBPyConnection, columns: Columns, table: str) -> list[tuple[str | None, str, str]]:
    """Return id, column at fault and JSON of the rows of a table that are ``bad``."""
    shown = ", ".join(f"{identifier(name)} := {identifier(name)}" for name in columns.schema.names)
    query = (
        f"SELECT {columns.key()}, wrong.bad, CAST(to_json(struct_pack({shown})) AS VARCHAR) FROM {columns.name}_raw "
        f"JOIN (SELECT rn AS place, bad FROM {table} WHERE bad IS NOT NULL) wrong ON wrong.place = {PLACE} ORDER BY {PLACE}"
    )
    return connection.execute(query).fetchall()
