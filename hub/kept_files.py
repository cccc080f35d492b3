"""Take a person out of files that a connection keeps: messages that wait to be read, log-ins, digests of what was given before.

The files are of three kinds, told by their name: SQLite (``.db``), lines of JSON (``.jsonl``) and Parquet (``.parquet``). A row or line
that names the person goes as a whole. A line is blanked in its place, so that positions of readers stay true; rows of a table are
numbered by the file, not by us. Other processes may add to the files at the same time.
"""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from hub.storage import make_durable

__all__ = ["Names", "cut_folder"]

_BATCH = 50_000
_WAIT = 30.0
"""Seconds to wait for another process that writes into a SQLite file."""


@dataclass(frozen=True)
class Names:
    """What names a person in other people's files.

    Attributes:
        values: looked for within texts: long enough that nothing else has them by chance.
        exact: names and short ids, which must be a whole text, or a whole value of a text in JSON.
    """

    values: Sequence[str] = ()
    exact: frozenset[str] = field(default_factory=frozenset)

    @cached_property
    def pattern(self) -> str:
        """Regular expression of the values; matches nothing where there are none."""
        written = {form for value in self.values for form in (value, json.dumps(value)[1:-1])}
        return "|".join(re.escape(value) for value in sorted(written)) or r"[^\s\S]"

    @cached_property
    def _search(self) -> re.Pattern[str]:
        return re.compile(self.pattern)

    def are_in(self, value: Any) -> bool:
        """Whether a cell of a table, or a line, names the person."""
        if isinstance(value, bytes):
            return self.are_in(value.decode("utf-8", "ignore"))
        if not isinstance(value, str):
            return False
        return value in self.exact or bool(self._search.search(value)) or self._in_json(value)

    def _in_json(self, text: str) -> bool:
        if not self.exact or text[:1] not in {"{", "["}:
            return False
        try:
            return any(leaf in self.exact for leaf in _leaves(json.loads(text)))
        except ValueError:
            return False


def _leaves(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for inner in value.values():
            yield from _leaves(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _leaves(inner)
    elif isinstance(value, str | int):
        yield str(value)


def cut_folder(folder: Path, names: Names, *, trial: bool = False) -> int:
    """Remove the rows of a folder's files that name a person; a second time it changes nothing.

    Args:
        folder: looked into with all folders below it; need not be there.
        names: what names the person.
        trial: only count.

    Returns:
        The number of rows.

    Raises:
        sqlite3.Error, OSError, pyarrow.ArrowException: a file cannot be read or written.
    """
    cuts = {".db": _cut_database, ".jsonl": _cut_lines, ".parquet": _cut_parquet}
    files = sorted(path for path in folder.rglob("*") if path.suffix in cuts and path.is_file())
    return sum(cuts[path.suffix](path, names, trial=trial) for path in files)


def _cut_database(path: Path, names: Names, *, trial: bool) -> int:
    with closing(sqlite3.connect(path, isolation_level=None, timeout=_WAIT)) as database:
        tables = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
        found = {table: _rows_naming(database, table, names) for (table,) in database.execute(tables).fetchall()}
        count = sum(len(rows) for rows in found.values())
        if trial or not (count or _is_in_bytes(path, names)):
            return count
        database.execute("PRAGMA secure_delete = ON")
        database.execute("BEGIN IMMEDIATE")
        for table, rows in found.items():
            _delete(database, table, rows)
        database.execute("COMMIT")
        # Rows that were removed earlier, without overwriting them, lie in free pages and in the log until then.
        database.execute("VACUUM")
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return count


def _rows_naming(database: sqlite3.Connection, table: str, names: Names) -> list[tuple[Any, ...]]:
    rows: Iterable[tuple[Any, ...]] = database.execute(f'SELECT * FROM "{table}"')
    return [row for row in rows if any(names.are_in(value) for value in row)]


def _delete(database: sqlite3.Connection, table: str, rows: Sequence[tuple[Any, ...]]) -> None:
    columns = [row[1] for row in database.execute(f'PRAGMA table_info("{table}")').fetchall()]
    same = " AND ".join(f'"{column}" IS ?' for column in columns)
    database.executemany(f'DELETE FROM "{table}" WHERE {same}', rows)


def _is_in_bytes(path: Path, names: Names) -> bool:
    files = [path, path.with_name(f"{path.name}-wal")]
    texts = (file.read_bytes().decode("utf-8", "ignore") for file in files if file.exists())
    return any(names.values and re.search(names.pattern, text) for text in texts)


def _cut_lines(path: Path, names: Names, *, trial: bool) -> int:
    count, offset = 0, 0
    with path.open("rb" if trial else "r+b") as file:
        for line in file:
            if names.are_in(line.strip()):
                count += 1
                if not trial:
                    _blank(path, offset, len(line.rstrip(b"\n")))
            offset += len(line)
    if count and not trial:
        make_durable(path)
    return count


def _blank(path: Path, offset: int, length: int) -> None:
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(b" " * length)


def _cut_parquet(path: Path, names: Names, *, trial: bool) -> int:
    with pq.ParquetFile(path) as source:
        count = sum(int(_naming(batch, names).true_count) for batch in source.iter_batches(_BATCH))
        if trial or not count:
            return count
        aside = path.with_suffix(".rewritten")
        with pq.ParquetWriter(aside, source.schema_arrow, compression="zstd") as writer:
            for batch in source.iter_batches(_BATCH):
                writer.write_batch(batch.filter(pc.invert(_naming(batch, names))))
    make_durable(aside)
    aside.replace(path)
    return count


def _naming(batch: pa.RecordBatch, names: Names) -> pa.BooleanArray:
    """Which rows of a batch name the person, by its columns of texts."""
    found = pa.repeat(pa.scalar(value=False), batch.num_rows)
    exact = pa.array(sorted(names.exact), pa.string())
    for column in (column for column in batch.columns if pa.types.is_string(column.type)):
        within = pc.fill_null(pc.match_substring_regex(column, names.pattern), fill_value=False)
        found = pc.or_(found, pc.or_(within, pc.is_in(column, exact)))
    return found
