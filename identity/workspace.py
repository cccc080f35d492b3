"""A DuckDB connection of one's own, in memory, for the length of one call.

The SQL of this library is plain DuckDB dialect without extensions, so that sqlglot can turn it into a cluster's.
"""

from __future__ import annotations

from types import TracebackType

import duckdb
import pyarrow as pa

__all__ = ["Workspace"]


_ALONE_BELOW = 200_000
"""Rows of the largest table below which one thread is quicker than several that wait for each other."""


class Workspace:
    """Arrow tables in under a name, SQL over them, Arrow tables out. Use as a context manager."""

    def __init__(self) -> None:
        self.connection = duckdb.connect(":memory:")
        # Results must not depend on the order rows are read in, so nothing is paid for keeping it.
        self.connection.execute("SET preserve_insertion_order = false; SET TimeZone = 'UTC'; SET threads = 1")
        self._alone = True
        self._given: dict[str, pa.Table] = {}

    def __enter__(self) -> Workspace:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.connection.close()

    def put(self, **tables: pa.Table) -> None:
        """Make Arrow tables visible to SQL under their argument names, without copying them."""
        for name, table in tables.items():
            self.connection.register(name, table)
            self._given[name] = table
            self._count_in(table.num_rows)

    def forget(self, *names: str) -> None:
        """Let go of tables that were put."""
        for name in names:
            self.connection.unregister(name)
            del self._given[name]

    def given(self, name: str) -> pa.Table:
        """The Arrow table that was put under a name."""
        return self._given[name]

    def _count_in(self, rows: int) -> None:
        if self._alone and rows >= _ALONE_BELOW:
            self._alone = False
            self.connection.execute("RESET threads")

    def run(self, sql: str) -> None:
        """Run statements for their effect."""
        self.connection.execute(sql)

    def make(self, name: str, query: str) -> None:
        """Keep a query's rows as a table; one of that name is replaced."""
        self.connection.execute(f"CREATE OR REPLACE TEMP TABLE {name} AS {query}")

    def view(self, name: str, query: str) -> None:
        """Give a query a name."""
        self.connection.execute(f"CREATE OR REPLACE TEMP VIEW {name} AS {query}")

    def table(self, query: str, schema: pa.Schema | None = None) -> pa.Table:
        """A query's rows as Arrow, cast to a schema if one is given."""
        found = self.connection.execute(query).to_arrow_table()
        return found if schema is None else found.select(schema.names).cast(schema)

    def count(self, relation: str) -> int:
        """How many rows a table, view or parenthesised query has."""
        row = self.connection.execute(f"SELECT count(*) FROM {relation}").fetchone()
        return int(row[0]) if row else 0
