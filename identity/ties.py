"""What is said of pairs of profiles, by number: by people, by platforms, by a link model."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from identity.graph import Numbers
from identity.grouped import NOTHING, Grouped, Marks
from identity.rules import Tier

__all__ = ["Probable", "Ties"]


@dataclass(frozen=True, slots=True)
class Ties:
    """What people and platforms say about pairs of profiles, ``left`` before ``right``.

    Attributes:
        left, right, tier: the pairs that are one person, and :class:`identity.rules.Tier` of who says so.
        apart_left, apart_right: the pairs that are not.
    """

    left: Numbers
    right: Numbers
    tier: Numbers
    apart_left: Numbers
    apart_right: Numbers

    @classmethod
    def of(cls, profiles: pa.Array, merged_into: Numbers, wishes: pa.Table) -> Ties:
        """From what is in force.

        Args:
            profiles: the keys, by number.
            merged_into: for each the number of the profile that a platform merged it into; ``NOTHING`` for none.
            wishes: rows of :data:`identity.CONSTRAINTS`.
        """
        must, cannot = (wishes.filter(pc.equal(wishes["rule"], rule)) for rule in ("must_link", "cannot_link"))
        people, _ = _numbered(profiles, must)
        merged = np.flatnonzero(merged_into != NOTHING).astype(np.int32)
        platforms, _ = _in_order(merged, merged_into[merged])
        left, right = np.concatenate([people, platforms], axis=1)
        tier = np.repeat([Tier.MANUAL, Tier.ASSERTED], [people.shape[1], platforms.shape[1]]).astype(np.int32)
        pairs = Grouped(left, right)
        (apart_left, apart_right), _ = _numbered(profiles, cannot)
        return cls(left[pairs.heads], right[pairs.heads], pairs.smallest(tier), apart_left, apart_right)


@dataclass(frozen=True, slots=True)
class Probable:
    """The pairs that a link model takes for one person, ``left`` before ``right``; ``weight`` is in bits."""

    left: Numbers
    right: Numbers
    weight: NDArray[np.float64]

    @classmethod
    def of(cls, profiles: pa.Array, pairs: pa.Table) -> Probable:
        """From rows of :data:`identity.tables.PAIRS`; ``profiles``: the keys, by number."""
        (left, right), known = _numbered(profiles, pairs)
        return cls(left, right, np.asarray(pairs["weight"], np.float64)[known])


def _numbered(profiles: pa.Array, pairs: pa.Table) -> tuple[NDArray[np.int32], Marks]:
    """Columns ``left`` and ``right`` as numbers, the smaller one first, of the pairs of two known profiles; and which these are."""
    return _in_order(
        *(
            np.asarray(pc.index_in(pairs[side], profiles).fill_null(NOTHING), np.int32)
            if pairs.num_rows
            else np.zeros(0, np.int32)
            for side in ("left", "right")
        )
    )


def _in_order(one: Numbers, other: Numbers) -> tuple[NDArray[np.int32], Marks]:
    known = (one != NOTHING) & (other != NOTHING) & (one != other)
    one, other = one[known], other[known]
    return np.stack([np.minimum(one, other), np.maximum(one, other)]), known
