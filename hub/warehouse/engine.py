"""The engine protocol, and DuckDB behind it.

Everything in bulk is SQL in the DuckDB dialect run through :class:`Engine`; nothing above this module touches DuckDB's
Python objects.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import Any, Protocol

import duckdb
import pyarrow as pa

from hub.errors import LeaseHeldError, StoreError
from hub.redaction import redact

__all__ = ["DuckDBEngine", "Engine", "literal", "quoted"]


class Engine(Protocol):
    """What the stages need of a database."""

    def execute(self, sql: str, parameters: Sequence[Any] = ()) -> None:
        """Run a statement."""

    def attempt(self, sql: str) -> str | None:
        """Run a statement that holds a condition somebody wrote; return what is wrong with it, or None."""

    def rows(self, sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Run a query and return its rows; for small results."""

    def value(self, sql: str, parameters: Sequence[Any] = ()) -> Any:
        """Run a query and return the first column of its first row, or None."""

    def arrow(self, sql: str, parameters: Sequence[Any] = ()) -> pa.Table:
        """Run a query and return its result as a table."""

    def batches(self, sql: str, parameters: Sequence[Any] = (), rows: int = 50_000) -> Iterator[pa.RecordBatch]:
        """Run a query and stream its result."""

    def register(self, tables: Mapping[str, pa.Table]) -> AbstractContextManager[None]:
        """Make Arrow tables readable by name within a block."""

    def transaction(self) -> AbstractContextManager[None]:
        """All or nothing: committed at the end of the block, rolled back if it raises."""

    def sparing_memory(self) -> AbstractContextManager[None]:
        """Hold little in memory within a block whose statements read and write each row once."""

    def memory(self) -> int:
        """Return how many bytes of memory statements may use."""

    def columns(self, table: str) -> dict[str, str]:
        """Return a table's columns with their types; empty if there is no such table."""


def quoted(name: str) -> str:
    """Return an identifier in SQL quotes."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """Return a text as a SQL literal."""
    return "'" + text.replace("'", "''") + "'"


_UNUSABLE = (duckdb.OutOfMemoryException, duckdb.IOException, duckdb.InvalidInputException, duckdb.FatalException)
"""What DuckDB raises when a disk, the memory or a file is at fault, not the statement."""
_FULL = re.compile(r"No space left|File too large|quota exceeded|disk space", re.IGNORECASE)


@contextmanager
def _telling() -> Iterator[None]:
    try:
        yield
    except _UNUSABLE as error:
        raise _told(error) from error


def _told(error: duckdb.Error) -> StoreError:
    if isinstance(error, duckdb.OutOfMemoryException):
        return StoreError(
            "The warehouse needs more memory than it may use.",
            code="memory_limit",
            hint="Raise hub.memory_limit in hub.toml, or free disk space for what does not fit; nothing is lost.",
        )
    if _FULL.search(str(error)):
        return StoreError(
            "The warehouse ran out of disk space.",
            code="disk_full",
            hint="Free some space and run again: what was sealed before is kept and loaded then.",
        )
    return StoreError(
        f"The warehouse cannot read or write a file: {_first_line(error)}",
        code="file_unusable",
        hint="Put the file back from a backup, or mend its rights; then run again.",
    )


def _first_line(error: duckdb.Error) -> str:
    return redact(str(error).splitlines()[0])


_UNITS = {"MB": 10**6, "GB": 10**9, "MiB": 2**20, "GiB": 2**30}
_PER_THREAD = 64 * 10**6
"""Bytes that a thread needs to write a block of rows of a wide table."""
_SHARE = 3 / 8
"""Part of the memory limit that streaming statements always have, so that a higher limit helps them too."""


def _bytes(limit: str) -> float:
    number, unit = re.fullmatch(r"([\d.]+) ?(\w+)", limit).groups()  # type: ignore[union-attr] # the settings' own form
    return float(number) * _UNITS[unit]


def _sparing(limit: str, threads: int) -> int:
    """Return the bytes of memory that are enough for statements that stream, under a limit such as ``512MB``."""
    whole = _bytes(limit)
    return int(max(whole * _SHARE, min(whole, _PER_THREAD * (threads + 1))))


class DuckDBEngine:
    """DuckDB, in a file or in memory.

    Args:
        path: the file; None for memory.
        scratch: folder for what does not fit into memory.
        memory_limit: e.g. ``1GB``.

    Raises:
        LeaseHeldError: another process has the file open for writing.
        StoreError: the file is not a DuckDB database of this version.
    """

    def __init__(self, path: Path | None, scratch: Path, memory_limit: str = "1GB") -> None:
        self._memory_limit = memory_limit
        scratch.mkdir(parents=True, exist_ok=True)
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
        config: dict[str, Any] = {
            "memory_limit": memory_limit,
            "temp_directory": str(scratch / "duckdb"),
            "preserve_insertion_order": False,
        }
        try:
            self.connection = duckdb.connect(str(path) if path else ":memory:", config=config)
            self.connection.execute("SET TimeZone = 'UTC'")
            # DuckDB would draw its bar on standard output once a query takes two seconds, amid a command's answer.
            self.connection.execute("SET enable_progress_bar = false")
        except duckdb.Error as error:
            if "Could not set lock" in str(error):
                raise LeaseHeldError(
                    "The warehouse is open in another process.",
                    context={"file": path.name if path else ""},
                    hint="Only one process writes at a time; wait for it to finish (`hub status` shows what runs).",
                ) from None
            raise StoreError(
                f"The warehouse cannot be opened: {_first_line(error)}",
                context={"file": path.name if path else ""},
                hint="If the file is damaged, move it away: `hub ingest` builds it anew from the packages.",
            ) from error

    def execute(self, sql: str, parameters: Sequence[Any] = ()) -> None:
        """Run a statement."""
        self._run(sql, parameters)

    def attempt(self, sql: str) -> str | None:
        """Run a statement that holds a condition somebody wrote; return what is wrong with it, or None.

        Raises:
            StoreError: a disk, the memory or a file is at fault, not the statement.
        """
        try:
            self.connection.execute(sql)
        except (duckdb.OutOfMemoryException, duckdb.IOException, duckdb.FatalException) as error:
            raise _told(error) from error
        except duckdb.ConversionException as error:
            # The value that does not fit is somebody's.
            return re.sub(r"'[^']*'", "'…'", _first_line(error))
        except duckdb.Error as error:
            return _first_line(error)
        return None

    def rows(self, sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Run a query and return its rows; for small results."""
        # By way of Arrow: DuckDB's own way to Python needs pytz for instants.
        columns = [column.to_pylist() for column in self.arrow(sql, parameters).columns]
        return list(zip(*columns, strict=True))

    def value(self, sql: str, parameters: Sequence[Any] = ()) -> Any:
        """Run a query and return the first column of its first row, or None."""
        rows = self.rows(sql, parameters)
        return rows[0][0] if rows else None

    def arrow(self, sql: str, parameters: Sequence[Any] = ()) -> pa.Table:
        """Run a query and return its result as a table."""
        with _telling():
            return self._run(sql, parameters).to_arrow_table()

    def batches(self, sql: str, parameters: Sequence[Any] = (), rows: int = 50_000) -> Iterator[pa.RecordBatch]:
        """Run a query and stream its result; do not run anything else on this engine meanwhile."""
        with _telling():
            yield from self._run(sql, parameters).to_arrow_reader(rows)

    def _run(self, sql: str, parameters: Sequence[Any]) -> duckdb.DuckDBPyConnection:
        with _telling():
            return self.connection.execute(sql, list(parameters))

    @contextmanager
    def register(self, tables: Mapping[str, pa.Table]) -> Iterator[None]:
        """Make Arrow tables readable by name within a block."""
        for name, table in tables.items():
            self.connection.register(name, table)
        try:
            yield
        finally:
            for name in tables:
                self.connection.unregister(name)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing."""
        self.connection.begin()
        try:
            yield
            self._commit()
        except BaseException:
            # After a failed commit or a fatal fault there is no transaction left to roll back.
            with suppress(duckdb.Error):
                self.connection.rollback()
            raise

    @contextmanager
    def sparing_memory(self) -> Iterator[None]:
        """Hold little in memory within a block whose statements read and write each row once.

        DuckDB keeps every block it has written until the limit is reached, read again or not: without this a merge would
        take the whole limit, however little it needs.
        """
        threads = int(self.value("SELECT current_setting('threads')"))
        self.execute(f"SET memory_limit = '{_sparing(self._memory_limit, threads)}B'")
        try:
            yield
        finally:
            # After a fatal fault there is nothing left to set.
            with suppress(duckdb.Error):
                self.connection.execute(f"SET memory_limit = '{self._memory_limit}'")

    def memory(self) -> int:
        """Return how many bytes of memory statements may use."""
        return int(_bytes(self._memory_limit))

    def _commit(self) -> None:
        try:
            self.connection.commit()
        except (duckdb.TransactionException, *_UNUSABLE) as error:
            raise _told(error) from error

    def columns(self, table: str) -> dict[str, str]:
        """Return a table's columns with their types; empty if there is no such table."""
        query = "SELECT column_name, data_type FROM duckdb_columns() WHERE table_name = ? ORDER BY column_index"
        return dict(self.rows(query, [table]))

    def close(self) -> None:
        """Close the file."""
        self.connection.close()
