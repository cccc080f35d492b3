"""Tables of one call under names, and a DuckDB connection of its own for what is said best in SQL."""

from __future__ import annotations

from functools import cached_property
from types import TracebackType

import duckdb
import pyarrow as pa

__all__ = ["Workspace"]


_ALONE_BELOW = 200_000
"""Rows of the largest table below which one thread is quicker than several that wait for each other."""


class Workspace:
    """Arrow tables in under a name, out again as they are or by SQL over them. Use as a context manager."""

    def __init__(self) -> None:
        self._given: dict[str, pa.Table] = {}
        self._unseen: set[str] = set()

    def __enter__(self) -> Workspace:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if "_database" in self.__dict__:
            self._database.close()

    @cached_property
    def _database(self) -> duckdb.DuckDBPyConnection:
        """Opened by the first statement: with all its threads it takes as long as twenty small statements."""
        database = duckdb.connect(":memory:")
        # Results must not depend on the order rows are read in, so nothing is paid for keeping it.
        database.execute("SET preserve_insertion_order = false; SET TimeZone = 'UTC'")
        return database

    def _execute(self, sql: str) -> duckdb.DuckDBPyConnection:
        """Run statements that may name any table that was put; these are shown to the database when the first is run."""
        for name in self._unseen:
            self._database.register(name, self._given[name])
        if self._unseen:
            most = max(table.num_rows for table in self._given.values())
            self._database.execute("SET threads = 1" if most < _ALONE_BELOW else "RESET threads")
        self._unseen.clear()
        return self._database.execute(sql)

    def put(self, **tables: pa.Table) -> None:
        """Keep Arrow tables under their argument names; SQL sees them without copying them. One of that name is replaced."""
        self._given.update(tables)
        self._unseen.update(tables)

    def given(self, name: str) -> pa.Table:
        """The Arrow table that was put under a name."""
        return self._given[name]

    def run(self, sql: str) -> None:
        """Run statements for their effect."""
        self._execute(sql)

    def make(self, name: str, query: str) -> None:
        """Keep a query's rows as a table; one of that name is replaced."""
        self._execute(f"CREATE OR REPLACE TEMP TABLE {name} AS {query}")

    def table(self, query: str, schema: pa.Schema | None = None) -> pa.Table:
        """A query's rows as Arrow, cast to a schema if one is given."""
        found = self._execute(query).to_arrow_table()
        return found if schema is None else found.select(schema.names).cast(schema)

    def count(self, relation: str) -> int:
        """How many rows a table, view or parenthesised query has."""
        row = self._execute(f"SELECT count(*) FROM {relation}").fetchone()
        return int(row[0]) if row else 0
