"""Everything a hub keeps in its home, in clear: bytes of files, rows of Parquet files, of SQLite and of DuckDB databases."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path

import duckdb
import pyarrow.parquet as pq

__all__ = ["home_texts", "places_naming"]


def home_texts(home: Path) -> Iterator[tuple[str, str]]:
    """Each place with its text."""
    for file in sorted(path for path in home.rglob("*") if path.is_file()):
        place, body = str(file.relative_to(home)), file.read_bytes()
        yield place, body.decode("utf-8", "ignore")
        if body[:4] == b"PAR1":
            yield f"{place} rows", str(pq.read_table(file).to_pylist())
        elif body[:15] == b"SQLite format 3":
            with closing(sqlite3.connect(file)) as database:
                names = database.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
                for (table,) in names:
                    yield f"{place} {table}", _clear(database.execute(f'SELECT * FROM "{table}"'))
        elif body[8:12] == b"DUCK":
            with duckdb.connect(str(file), read_only=True) as connection:
                for (table,) in connection.execute("SELECT table_name FROM duckdb_tables()").fetchall():
                    yield f"{place} {table}", str(connection.execute(f'FROM "{table}"').to_arrow_table().to_pylist())


def _clear(rows: Iterable[tuple[object, ...]]) -> str:
    return str([[cell.decode("utf-8", "ignore") if isinstance(cell, bytes) else cell for cell in row] for row in rows])


def places_naming(home: Path, needles: Iterable[str]) -> dict[str, list[str]]:
    """Where any of some texts stands, as it is or as JSON escapes it."""
    forms = {needle: (needle, needle.encode("unicode_escape").decode()) for needle in needles}
    found = {
        place: [needle for needle, spelled in forms.items() if any(one in text for one in spelled)]
        for place, text in home_texts(home)
    }
    return {place: needles for place, needles in found.items() if needles}
