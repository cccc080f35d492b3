"""When a row that failed is tried again, in words and as an instant: the same rule that the planner follows."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from hub.store.tables import Delivery, LedgerEntry

__all__ = ["Again", "again"]

_LONGEST_HOURS = 24


@dataclass(frozen=True)
class Again:
    """When a row is tried again.

    Attributes:
        at: from when on the next push sends it; None where that is not a matter of time.
        words: the same for people.
    """

    at: dt.datetime | None
    words: str


def again(entry: LedgerEntry | None, delivery: Delivery, give_up_days: int) -> Again:
    """Tell when a row is tried again.

    Args:
        entry: what the ledger knows of the row.
        delivery: what was tried.
        give_up_days: the sync's.
    """
    outcome = delivery.outcome
    if outcome in {"accepted", "unchanged"}:
        return Again(None, "")
    if outcome == "sending":
        return Again(None, "settled first by the next push")
    if outcome == "deferred":
        return Again(None, "by the next push")
    decided = delivery.decided_at
    if entry is None or decided is None or entry.changed_at > decided:
        return Again(None, "something later was sent for this row")
    if entry.key.startswith("~"):
        return Again(None, "as soon as the reason has gone")
    if outcome == "unknown":
        return Again(None, "by the next push where that does no harm, or once the destination tells what became of it")
    first = entry.first_failed_at or entry.changed_at
    if entry.changed_at - first >= dt.timedelta(days=give_up_days):
        return Again(None, "given up until its values change")
    at = entry.changed_at + dt.timedelta(hours=min(_LONGEST_HOURS, 2 ** (min(entry.failures, 6) - 1)))
    if at - first >= dt.timedelta(days=give_up_days):
        return Again(None, "given up until its values change")
    return Again(at, f"{at:%Y-%m-%d %H:%M} UTC, or at once when its values change")
