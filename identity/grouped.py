"""Rows grouped by columns of whole numbers, in array code: what SQL's GROUP BY and windows do, without a statement's cost.

Texts come as codes that sort as they do; -1, :data:`NOTHING`, stands for null.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["NOTHING", "Grouped", "Marks", "Wide", "matches"]

NOTHING = -1
"""The code of null."""

Wide = NDArray[np.int64]
Marks = NDArray[np.bool_]
_Column = NDArray[Any]

_ROOM = 1 << 62


class Grouped:
    """Rows in groups of equal keys; groups are numbered from 0 in the order of their keys.

    Attributes:
        order: the rows, group after group, within a group as they were given.
        starts: where in ``order`` each group begins.
        of: for each row its group.
    """

    def __init__(self, *keys: _Column) -> None:
        code = _folded(keys)
        self.order: Wide = np.argsort(code, kind="stable")
        ordered = code[self.order]
        begins = np.ones(len(code), np.bool_)
        np.not_equal(ordered[1:], ordered[:-1], out=begins[1:])
        self.starts: Wide = np.flatnonzero(begins)
        self.of: Wide = np.empty(len(code), np.int64)
        self.of[self.order] = np.cumsum(begins) - 1

    def __len__(self) -> int:
        return len(self.starts)

    @property
    def heads(self) -> Wide:
        """The first row of each group."""
        return self.order[self.starts]

    def sizes(self) -> Wide:
        """The number of rows of each group."""
        return np.diff(self.starts, append=len(self.order))

    def first_by(self, *columns: _Column) -> Wide:
        """The row of each group that comes first by some columns, the earlier ones deciding."""
        return np.lexsort((*columns[::-1], self.of))[self.starts]

    def smallest(self, values: _Column) -> _Column:
        """The smallest value of each group."""
        return self._reduced(np.minimum, values)

    def largest(self, values: _Column) -> _Column:
        """The largest value of each group; of codes ``NOTHING`` only where there is nothing else."""
        return self._reduced(np.maximum, values)

    def total(self, values: _Column) -> _Column:
        """The sum of each group."""
        return self._reduced(np.add, values)

    def any(self, marks: Marks) -> Marks:
        """Whether a row of each group is marked."""
        return self._reduced(np.logical_or, marks)

    def smallest_known(self, codes: _Column) -> _Column:
        """The smallest code of each group that is not ``NOTHING``; ``NOTHING`` where there is none."""
        unknown = np.iinfo(codes.dtype).max
        found = self.smallest(np.where(codes == NOTHING, unknown, codes))
        return np.where(found == unknown, NOTHING, found).astype(codes.dtype, copy=False)

    def only(self, codes: _Column) -> _Column:
        """The one code that a group knows; ``NOTHING`` where it knows none, or several."""
        found = self.smallest_known(codes)
        return np.where(found == self.largest(codes), found, NOTHING).astype(codes.dtype, copy=False)

    def differ(self, codes: _Column) -> Marks:
        """Whether a group knows several codes."""
        return np.asarray(self.smallest_known(codes) != self.largest(codes))

    def distinct(self, codes: _Column) -> Wide:
        """How many different codes each group has."""
        return np.asarray(np.bincount(self.of[Grouped(self.of, codes).heads], minlength=len(self)))

    def pairs(self) -> tuple[Wide, Wide]:
        """All pairs of rows of one group, each with itself and both ways round."""
        sizes = self.sizes()
        one = np.repeat(self.order, np.repeat(sizes, sizes))
        return one, self.order[_runs(np.repeat(self.starts, sizes), np.repeat(sizes, sizes))]

    def _reduced(self, how: np.ufunc, values: _Column) -> _Column:
        if not len(self.starts):
            return values[:0]
        return np.asarray(how.reduceat(values[self.order], self.starts))


def matches(left: _Column, right: _Column) -> tuple[Wide, Wide]:
    """The pairs of rows of two columns that have the same number, as rows of the left and of the right one."""
    order = np.argsort(right, kind="stable")
    ordered = right[order]
    begins = np.searchsorted(ordered, left, "left")
    counts = np.searchsorted(ordered, left, "right") - begins
    return np.repeat(np.arange(len(left)), counts), order[_runs(begins, counts)]


def _runs(begins: Wide, counts: Wide) -> Wide:
    """Numbers that rise by one, ``counts`` of them from each of ``begins``."""
    shift = np.repeat(begins - (np.cumsum(counts) - counts), counts)
    return np.asarray(np.arange(len(shift)) + shift)


def _folded(keys: tuple[_Column, ...]) -> Wide:
    """One number for each row, that sorts as its keys do."""
    code, room = _from_zero(keys[0])
    for key in keys[1:]:
        more, values = _from_zero(key)
        if room > _ROOM // values:
            code = np.unique(code, return_inverse=True)[1].astype(np.int64, copy=False)
            room = len(code)
        code = code * values + more
        room *= values
    return code


def _from_zero(key: _Column) -> tuple[Wide, int]:
    """A column, moved so that its smallest number is 0, and how many values it then may have."""
    if not len(key):
        return key.astype(np.int64), 1
    low = int(key.min())
    moved = key.astype(np.int64)
    moved -= low
    return moved, int(key.max()) - low + 1
