"""Counts a person should see after a run, and what should alarm them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from identity.naming import Names

__all__ = ["Report", "make_report"]


@dataclass(frozen=True, slots=True)
class Report:
    """Counts of one run, over the part of the data it looked at.

    Attributes:
        profiles: profiles looked at.
        customers: customers they form.
        sizes: number of customers by number of profiles.
        ignored: identifier rows left out, by reason: empty, invalid, unscoped, unknown_kind, unknown_profile.
        blocked: values that never link, by reason.
        refused: joins refused, by rule.
        review: joins a person should look at.
        events: events by name.
    """

    profiles: int
    customers: int
    sizes: Mapping[int, int]
    ignored: Mapping[str, int]
    blocked: Mapping[str, int]
    refused: Mapping[str, int]
    review: int
    events: Mapping[str, int]

    @property
    def largest(self) -> int:
        """Number of profiles of the largest customer."""
        return max(self.sizes, default=0)


def make_report(
    names: Names, states: pa.Table, events: pa.Table, refusals: pa.Table, ignored: Mapping[str, int]
) -> Report:
    """Count what a run decided.

    Args:
        names: who the profiles are.
        states: of the values that were looked at.
        events: what changed.
        refusals: what was refused.
        ignored: identifier rows left out, by reason.
    """
    sizes = np.bincount(names.there)
    counts = np.bincount(sizes[sizes > 0])
    blocked = states.filter(pc.equal(states["state"], "blocked"))
    return Report(
        profiles=len(names.there),
        customers=int(counts.sum()),
        sizes={size: int(counts[size]) for size in np.flatnonzero(counts).tolist()},
        ignored=dict(ignored),
        blocked=_counts(blocked["reason"]),
        refused=_counts(refusals["rule"]),
        review=pc.sum(refusals["review"], min_count=0).as_py(),
        events=_counts(events["event"]),
    )


def _counts(column: pa.ChunkedArray) -> dict[str, int]:
    """How often each text stands in a column, in the order of the texts."""
    return dict(sorted((one["values"], one["counts"]) for one in pc.value_counts(column).to_pylist()))
