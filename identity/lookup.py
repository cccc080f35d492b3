"""Rows by the text in a column, without reading the texts of all: hashes first, texts only where they meet."""

from __future__ import annotations

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

__all__ = ["Lookup"]

_BUCKETS = 1 << 20
"""How many there are: with ten thousand texts wanted, one row in a hundred shares a bucket with another text."""

_Buckets = NDArray[np.uint32]


class Lookup:
    """Finds rows of tables that stay as they are; a column is hashed when it is first asked for.

    For many rows: four bytes are kept for each, and a first question takes as long as reading the texts would. Questions
    may be asked by several threads.
    """

    def __init__(self) -> None:
        self._known: dict[str, _Buckets] = {}
        self._hasher = duckdb.connect(":memory:")

    def rows(self, table: pa.Table, key: str, column: str, values: pa.Array) -> pa.Table:
        """The rows whose ``column`` is among ``values``.

        Args:
            table: the rows.
            key: what the column is remembered by.
            column: a column of texts.
            values: texts, without null.
        """
        if not (table.num_rows and len(values)):
            return table.slice(0, 0)
        if key not in self._known:
            self._known[key] = self._buckets(table[column])
        marked = np.zeros(_BUCKETS, np.bool_)
        marked[self._buckets(values)] = True
        maybe = table.filter(pa.array(marked[self._known[key]]))
        return maybe.filter(pc.is_in(maybe[column], values))

    def _buckets(self, texts: pa.Array | pa.ChunkedArray) -> _Buckets:
        """For each text its bucket; nulls have one too."""
        hasher = self._hasher.cursor()
        hasher.register("given", pa.table({"text": texts}))
        found = hasher.execute(f"SELECT (hash(text) % {_BUCKETS})::UINTEGER AS bucket FROM given").to_arrow_table()
        return np.asarray(found["bucket"], np.uint32)
