"""Rows by the text in a column, without reading the texts of all: a column's rows are kept in buckets of their hashes."""

from __future__ import annotations

from dataclasses import dataclass

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from scipy.sparse import csr_array

__all__ = ["Lookup"]

_BUCKETS = 1 << 20
"""How many there are: of a few million rows, few share one."""

_Numbers = NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class _Index:
    """The rows of a column by bucket: those of bucket ``b`` are ``rows[starts[b]:starts[b + 1]]``."""

    starts: _Numbers
    rows: _Numbers

    @classmethod
    def of(cls, buckets: _Numbers) -> _Index:
        """Sort rows into their buckets: one pass, as a sparse matrix is turned from rows to columns."""
        count = len(buckets)
        marks = csr_array(
            (np.ones(count, np.int8), buckets, np.arange(count + 1, dtype=np.int32)), shape=(count, _BUCKETS)
        ).tocsc()
        return cls(marks.indptr.astype(np.int32, copy=False), marks.indices.astype(np.int32, copy=False))

    def in_buckets(self, buckets: _Numbers) -> _Numbers:
        """The rows of some buckets, rising."""
        wanted = np.unique(buckets)
        begins, ends = self.starts[wanted], self.starts[wanted + 1]
        counts = ends - begins
        first = np.cumsum(counts) - counts
        return np.sort(self.rows[np.arange(counts.sum()) + np.repeat(begins - first, counts)])


class Lookup:
    """Finds rows of tables that stay as they are; a column is sorted into buckets when it is first asked for.

    For many rows: four bytes are kept for each and four MiB per column, a first question takes longer than reading the texts
    would, and every later one reads no more than what shares a bucket with what it finds. Questions may be asked by several threads.
    """

    def __init__(self) -> None:
        self._known: dict[str, _Index] = {}
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
            self._known[key] = _Index.of(self._buckets(table[column]))
        maybe = _taken(table, self._known[key].in_buckets(self._buckets(values)))
        return maybe.filter(pc.is_in(maybe[column], values))

    def _buckets(self, texts: pa.Array | pa.ChunkedArray) -> _Numbers:
        """For each text its bucket; nulls have one too."""
        hasher = self._hasher.cursor()
        hasher.register("given", pa.table({"text": texts}))
        found = hasher.execute(f"SELECT (hash(text) % {_BUCKETS})::INTEGER AS bucket FROM given").to_arrow_table()
        return np.asarray(found["bucket"], np.int32)


def _taken(table: pa.Table, rows: _Numbers) -> pa.Table:
    """Some rows of a table, rising: taken chunk by chunk, as Arrow would first make all chunks one."""
    parts, begin = [], 0
    for batch in table.to_batches():
        low, high = np.searchsorted(rows, [begin, begin + batch.num_rows])
        if low < high:
            parts.append(batch.take(pa.array(rows[low:high] - begin)))
        begin += batch.num_rows
    return pa.Table.from_batches(parts, table.schema)
