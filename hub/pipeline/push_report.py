"""What a push tells of itself."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from hub.destination import Outcome, OutcomeStatus
from hub.errors import HubError

__all__ = ["PlanCounts", "PushReport", "SyncReport"]

_FAILED = (OutcomeStatus.REJECTED, OutcomeStatus.DEFERRED, OutcomeStatus.UNKNOWN)


@dataclass
class PlanCounts:
    """What a plan holds, by kind of operation, and what it leaves alone."""

    create: int = 0
    update: int = 0
    delete: int = 0
    invalid: int = 0
    suppressed: int = 0
    unchanged: int = 0
    waiting: int = 0
    """Refused, unknown or capped rows that are not sent yet, and findings that were told before."""
    given_up: int = 0
    """Rows refused for so long that they wait until their values change."""
    absent: int = 0
    """Rows an ``update`` leaves out: the destination does not have them."""
    sample: list[Mapping[str, object]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    """What a person should know before it is sent: a changed mapping, and how many rows it touches."""

    @property
    def to_do(self) -> int:
        """Operations and findings to be worked off."""
        return self.create + self.update + self.delete + self.invalid + self.suppressed


@dataclass
class SyncReport:
    """What pushing one sync did.

    Attributes:
        sync: its name.
        run_id: the run it is on record as; None when it was only planned, or did not begin.
        planned: what the plan held.
        outcomes: rows by outcome.
        state: ``succeeded``, ``partial``, ``failed`` or ``skipped``.
        error: why it stopped early, if it did.
        recovered: rows whose outcome a killed run had left open.
        looked_up: rows of earlier runs whose outcome was unknown until the destination could tell.
    """

    sync: str
    run_id: str | None = None
    planned: PlanCounts = field(default_factory=PlanCounts)
    outcomes: dict[str, int] = field(default_factory=dict)
    state: str = "succeeded"
    error: HubError | None = None
    recovered: int = 0
    looked_up: int = 0

    def count(self, outcomes: Iterable[Outcome]) -> None:
        """Add to the outcomes."""
        for outcome in outcomes:
            self.add(outcome.status, 1)

    def add(self, status: OutcomeStatus, rows: int) -> None:
        """Add so many rows of one outcome."""
        if rows:
            self.outcomes[status.value] = self.outcomes.get(status.value, 0) + rows

    @property
    def rows(self) -> int:
        """Rows the sync is about: those that got an outcome, and those that needed none."""
        return sum(self.outcomes.values()) + self.planned.unchanged + self.planned.waiting + self.planned.given_up

    @property
    def failed_rows(self) -> int:
        """Rows that were to be sent and are not there."""
        return sum(self.outcomes.get(status.value, 0) for status in _FAILED)


@dataclass
class PushReport:
    """What a push did, sync by sync."""

    syncs: list[SyncReport] = field(default_factory=list)
    dry_run: bool = False
