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

_BUCKETS, _SHIFT = 1 << 20, np.uint64(44)
"""How many there are, and how a hash is shifted to tell its own: by its twenty upper bits. The lower half tells apart what shares one."""

_Numbers = NDArray[np.integer]
_Hashes = NDArray[np.uint64]


@dataclass(frozen=True, slots=True)
class _Index:
    """The rows of a column by bucket: those of bucket ``b`` are ``rows[starts[b]:starts[b + 1]]``, and the lower half of their hashes."""

    starts: _Numbers
    rows: _Numbers
    hashes: NDArray[np.uint32]

    @classmethod
    def of(cls, hashes: _Hashes) -> _Index:
        """Sort rows into their buckets: one pass, as a sparse matrix is turned from rows to columns."""
        count = len(hashes)
        marks = csr_array(
            (np.ones(count, np.int8), _buckets(hashes), np.arange(count + 1, dtype=np.int32)), shape=(count, _BUCKETS)
        ).tocsc()
        rows = marks.indices.astype(np.int32, copy=False)
        return cls(marks.indptr.astype(np.int32, copy=False), rows, hashes[rows].astype(np.uint32))

    def find(self, hashes: _Hashes) -> _Numbers:
        """The rows that have one of some hashes, rising."""
        buckets = _buckets(hashes)
        begins = self.starts[buckets]
        counts = self.starts[buckets + 1] - begins
        place = np.arange(counts.sum()) + np.repeat(begins - (np.cumsum(counts) - counts), counts)
        wanted = np.zeros(len(self.rows), np.bool_)
        wanted[self.rows[place[self.hashes[place] == np.repeat(hashes.astype(np.uint32), counts)]]] = True
        return np.flatnonzero(wanted)


class Lookup:
    """Finds rows of tables that stay as they are; a column is sorted into buckets when it is first asked for.

    For many rows: eight bytes are kept for each and four MiB per column, a first question takes longer than reading the texts
    would, and every later one reads no other texts than those it finds. Questions may be asked by several threads.
    """

    def __init__(self) -> None:
        self._known: dict[str, _Index] = {}
        self._hasher = duckdb.connect(":memory:", config={"threads": 1})

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
            self._known[key] = _Index.of(self._hashes(table[column]))
        maybe = _taken(table, self._known[key].find(self._hashes(values)))
        same = pc.is_in(maybe[column], values)
        return maybe if pc.all(same).as_py() else maybe.filter(same)

    def _hashes(self, texts: pa.Array | pa.ChunkedArray) -> _Hashes:
        """For each text a number; nulls have one too."""
        hasher = self._hasher.cursor()
        hasher.register("given", pa.table({"text": texts}))
        found = hasher.execute("SELECT hash(text) AS hash FROM given").to_arrow_table()
        return np.asarray(found["hash"], np.uint64)


def _buckets(hashes: _Hashes) -> _Numbers:
    return (hashes >> _SHIFT).astype(np.int32)


def _taken(table: pa.Table, rows: _Numbers) -> pa.Table:
    """Some rows of a table, rising: taken chunk by chunk, as Arrow would first make all chunks one."""
    parts, begin = [], 0
    for batch in table.to_batches():
        low, high = np.searchsorted(rows, [begin, begin + batch.num_rows])
        if low < high:
            parts.append(batch.take(pa.array(rows[low:high] - begin)))
        begin += batch.num_rows
    return pa.Table.from_batches(parts, table.schema)
