"""What a change of rules would do, before it is switched on."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from identity.likely.model import LinkModel
from identity.naming import sequential_ids
from identity.report import Report
from identity.resolve import resolve
from identity.rules import Rules
from identity.tables import State

__all__ = ["Preview", "preview"]


@dataclass(frozen=True, slots=True)
class Preview:
    """What other rules would change.

    Attributes:
        events: the events a run with these rules would tell; ids of customers that would be new begin with ``preview-``.
        profiles_moved: how many profiles would have another customer.
        report: counts of the run.
    """

    events: pa.Table
    profiles_moved: int
    report: Report

    @property
    def counts(self) -> Mapping[str, int]:
        """Events by name."""
        return self.report.events


def preview(
    profiles: pa.Table,
    identifiers: pa.Table,
    *,
    previous: State,
    rules: Rules,
    at: dt.datetime,
    model: LinkModel | None = None,
) -> Preview:
    """Resolve everything with other rules and keep nothing but the difference.

    Args:
        profiles: all profiles, as for :func:`identity.resolve`.
        identifiers: all identifiers.
        previous: the state in force.
        rules: the rules to try.
        at: time the events carry.
        model: the link model to try with them.
    """
    ids = sequential_ids("preview-")
    outcome = resolve(profiles, identifiers, at=at, previous=previous, rules=rules, new_ids=ids, model=model)
    moved = pc.sum(pc.list_value_length(outcome.events["profiles"])).as_py() or 0
    return Preview(outcome.events, int(moved), outcome.report)
