"""Columns of numbers: the world computes on whole arrays, never on one person at a time.

Internally every instant is a whole number of seconds since the world's first midnight (local time), every amount is a
whole number of fen (1 yuan = 100 fen), and a missing row number is :data:`NOBODY`. Arrow tables with real timestamps
and text are made at the very edge, in :mod:`hub.simulation.world.views`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, Final, Self

import numpy as np
import numpy.typing as npt

__all__ = [
    "DAY",
    "HOUR",
    "NEVER",
    "NOBODY",
    "Bools",
    "Columns",
    "Floats",
    "Ints",
    "first_of_group",
    "rank_within",
    "spread",
]

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

HOUR: Final = 3600
DAY: Final = 86_400
#: A moment that does not come. Larger than every real one, small enough to add to.
NEVER: Final = 2**61
#: "No row": an order without a member, a member without a phone.
NOBODY: Final = -1


@dataclass(frozen=True)
class Columns:
    """A table as a dataclass of equally long arrays; subclasses only list their columns."""

    def __len__(self) -> int:
        return len(getattr(self, fields(self)[0].name))

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """Every column by its name, in the order of declaration."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    def take(self, rows: Ints | Bools) -> Self:
        """The given rows, by number or by mask; all of them are the same object."""
        if rows.dtype == np.bool_ and rows.all():
            return self
        places = np.flatnonzero(rows) if rows.dtype == np.bool_ else rows
        return type(self)(**{name: array.take(places) for name, array in self.arrays().items()})

    @classmethod
    def concat(cls, parts: Sequence[Self]) -> Self:
        """All rows of ``parts``, one after another; at least one part is needed to know the types."""
        if len(parts) == 1:
            return parts[0]
        columns = [part.arrays() for part in parts]
        return cls(**{name: np.concatenate([part[name] for part in columns]) for name in columns[0]})


def rank_within(groups: Ints) -> Ints:
    """For each row its number within its group (0, 1, 2 …), in row order. ``groups`` need not be sorted."""
    order = np.argsort(groups, kind="stable")
    ordered = groups[order]
    starts = np.flatnonzero(first_of_group(ordered))
    sizes = np.diff(np.r_[starts, len(ordered)])
    ranks = np.empty(len(groups), np.int64)
    ranks[order] = np.arange(len(groups)) - np.repeat(starts, sizes)
    return ranks


def spread(total: Ints, weights: Ints, group: Ints) -> Ints:
    """Share each group's whole-numbered ``total`` among its rows by ``weights``, to the last fen.

    Rows of one group must stand together and groups must be numbered 0, 1, 2 … The cumulative shares are rounded, so
    that the parts always add up and no part is off by more than one fen.
    """
    sums = np.bincount(group, weights=weights, minlength=len(total))
    sizes = np.bincount(group, minlength=len(total))
    before = np.cumsum(weights) - weights
    start = before - np.repeat(before[np.flatnonzero(first_of_group(group))], sizes[sizes > 0])
    whole = np.maximum(sums[group], 1)
    upper = np.rint(total[group] * ((start + weights) / whole)).astype(np.int64)
    lower = np.rint(total[group] * (start / whole)).astype(np.int64)
    return upper - lower


def first_of_group(group: npt.NDArray[Any]) -> Bools:
    """Which rows begin a new group, where rows of one group stand together."""
    return np.asarray(np.r_[True, group[1:] != group[:-1]][: len(group)])
