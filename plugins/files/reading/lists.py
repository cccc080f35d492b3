"""Write the rows of a member, product or shop list as canonical tables: one row, one record."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import duckdb

from hub.columns import Table, tables_of
from plugins.files.mapping.fields import FIELDS, RECORDS, Kind
from plugins.files.reading.canonical import json_object, write_table
from plugins.files.reading.expressions import literal
from plugins.files.reading.identifiers import identifier_rows
from plugins.files.reading.instants import instant
from plugins.files.reading.settings import Settings
from plugins.files.reading.typed import TypedRows, word_case

__all__ = ["ListWriter"]

_GENDERS: Final = {
    "女": "female",
    "男": "male",
    "先生": "male",
    "小姐": "female",
    "F": "female",
    "f": "female",
    "M": "male",
    "m": "male",
}
_CALENDARS: Final = {"农": "lunar", "阴": "lunar", "lunar": "lunar"}


@dataclass
class ListWriter:
    """Writes the records of one list file.

    Attributes:
        connection: DuckDB session of the file.
        rows: the typed rows.
        settings: what they are read with.
    """

    connection: duckdb.DuckDBPyConnection
    rows: TypedRows
    settings: Settings

    def prepare(self) -> list[str]:
        """Define the view ``records`` and the table ``refused``, and return notes about rows with the same key.

        Rows that are equal count once. Of rows that differ the one changed last counts, if they say when they were changed;
        else the first, and the others are refused.
        """
        run = self.connection.execute
        run(f"CREATE VIEW good AS SELECT * FROM {self.rows.source} WHERE status IS NULL")
        run(f"CREATE TABLE beside AS {self._beside()}")
        run(
            "CREATE TABLE refused AS SELECT rid, 'key_repeated' AS code, "
            f"{literal(self._key_field())} AS field, first AS other FROM beside WHERE NOT same AND NOT older"
        )
        equal, older, beside = self._count("same"), self._count("older AND NOT same"), self._count("true")
        run(
            f"CREATE VIEW records AS SELECT * FROM good {'WHERE rid NOT IN (SELECT rid FROM beside)' if beside else ''}"
        )
        notes = [f"{equal} row(s) that are there twice were counted once"] if equal else []
        return [*notes, f"{older} older version(s) of rows were left out"] if older else notes

    def _key_field(self) -> str:
        return next((name for name in self.settings.profile.key_fields[-1] if self.rows.has(name)), "")

    def _beside(self) -> str:
        """Return the SQL of every row whose key another row holds, with that row."""
        whole = f"hash({', '.join(self.rows.column(name) for name in self.rows.fields)})"
        changed = self.rows.column("updated_at")
        return (
            f"SELECT * FROM (SELECT rid, first_value(rid) OVER w AS first, {whole} = first_value({whole}) OVER w AS same, "
            f"coalesce({changed} < first_value({changed}) OVER w, false) AS older FROM good "
            "WHERE key IN (SELECT key FROM good GROUP BY key HAVING count(*) > 1) "
            f"WINDOW w AS (PARTITION BY key ORDER BY {changed} DESC NULLS LAST, rid)) WHERE rid <> first"
        )

    def _count(self, test: str) -> int:
        row = self.connection.execute(f"SELECT count(*) FROM beside WHERE {test}").fetchone()
        return int(row[0]) if row else 0

    def write(self, folder: Path) -> dict[str, Path]:
        """Write every table of the record into ``folder`` and return their paths by table name."""
        written: dict[str, Path] = {}
        for table in tables_of(RECORDS[self.rows.stream]):
            path = folder / f"{table.name}.parquet"
            if self._write(table, path):
                written[table.name] = path
        return written

    def _write(self, table: Table, path: Path) -> int:
        if table.field is None:
            return write_table(self.connection, table, self._columns(table), "records", path)
        if table.field == "identifiers":
            found = identifier_rows(self.rows, self.settings, "records")
            columns = {name: name for name in table.schema.names}
            return write_table(self.connection, table, columns, f"({found})", path) if found else 0
        if table.field == "cards" and self.rows.has("card_no"):
            return write_table(
                self.connection, table, self._cards(), f"records WHERE {self.rows.column('card_no')} IS NOT NULL", path
            )
        return 0

    def _columns(self, table: Table) -> dict[str, str]:
        known = FIELDS[self.rows.stream]
        columns = {name: self._value(name) for name in table.schema.names if name in known and self.rows.has(name)}
        if self.rows.has("gender"):
            columns["gender"] = word_case(self.rows.column("gender"), _GENDERS)
        if self.rows.has("birthday_calendar"):
            columns["birthday_calendar"] = word_case(self.rows.column("birthday_calendar"), _CALENDARS)
        return columns | {"source_id": "key", "extra": self._extra()}

    def _value(self, name: str) -> str:
        column = self.rows.column(name)
        if FIELDS[self.rows.stream][name].kind is not Kind.TIME:
            return column
        return instant(self.connection, column, "records", self.settings.timezone)

    def _extra(self) -> str:
        unknown: Mapping[str, int] = self.rows.header.unknown if self.settings.profile.unknown == "extra" else {}
        return json_object({name: f"u{column}" for name, column in unknown.items()})

    def _cards(self) -> dict[str, str]:
        same = ("card_no", "level_id", "level", "points", "growth", "balance")
        return {name: self.rows.column(name) for name in same} | {
            "source_id": "key",
            "position": "0",
            "scheme": literal(self.settings.scope),
            "valid_from": self.rows.column("card_valid_from"),
            "valid_to": self.rows.column("card_valid_to"),
        }
