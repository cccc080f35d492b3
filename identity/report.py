"""Counts a person should see after a run, and what should alarm them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from identity.workspace import Workspace

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


def make_report(work: Workspace, events: pa.Table, refusals: pa.Table, ignored: Mapping[str, int]) -> Report:
    """Count what is in the workspace after a run."""
    work.put(event_arrow=events, refusal_arrow=refusals)
    sizes = _counts(
        work, "SELECT size, count(*) FROM (SELECT count(*) AS size FROM new_member GROUP BY customer) GROUP BY size"
    )
    return Report(
        profiles=sum(size * customers for size, customers in sizes.items()),
        customers=sum(sizes.values()),
        sizes=sizes,
        ignored=dict(ignored),
        blocked=_counts(work, "SELECT reason, count(*) FROM value_state WHERE state = 'blocked' GROUP BY reason"),
        refused=_counts(work, "SELECT rule, count(*) FROM refusal_arrow GROUP BY rule"),
        review=work.count("(FROM refusal_arrow WHERE review)"),
        events=_counts(work, "SELECT event, count(*) FROM event_arrow GROUP BY event"),
    )


def _counts(work: Workspace, query: str) -> dict[Any, int]:
    return dict(work.connection.execute(f"{query} ORDER BY 1").fetchall())
