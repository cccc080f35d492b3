"""Runs: what was executed, when, with which counts and which end."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, cast

from sqlalchemy import CursorResult, func, select, update
from sqlmodel import col

from hub.errors import DeferError, HubError
from hub.redaction import redact
from hub.store.database import Database
from hub.store.tables import Run

__all__ = ["OpenRun", "Runs"]


@dataclass
class OpenRun:
    """A run under way: counts and notes are added as it goes and stored at its end.

    Attributes:
        id: the run's id.
        counts: numbers to show, e.g. ``{"records": 100, "rejects": 2}``.
        notes: what a person should know.
        state: how it ended; ``succeeded`` unless said otherwise.
    """

    id: str
    stage: str
    subject: str
    counts: dict[str, int] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    state: str = "succeeded"
    error: HubError | None = None

    def add(self, **numbers: int) -> None:
        """Add to the counts."""
        for name, number in numbers.items():
            self.counts[name] = self.counts.get(name, 0) + number

    def fail(self, error: HubError) -> None:
        """End the run as failed (or skipped, for work that is only put off), with its reason."""
        self.error = error
        self.state = "skipped" if isinstance(error, DeferError) else "failed"


class Runs:
    """Start, end and list runs.

    Attributes:
        parent: what the runs of this process belong to, e.g. a scheduler's task; empty for none.
    """

    def __init__(self, database: Database, now: Callable[[], dt.datetime]) -> None:
        self._database = database
        self._now = now
        self.parent = ""

    @contextmanager
    def open(self, stage: str, subject: str = "", *, as_of: dt.datetime | None = None) -> Iterator[OpenRun]:
        """Record a run around a block. An exception ends it as failed and is raised on."""
        run = OpenRun(uuid.uuid4().hex, stage, subject)
        started = self._now()
        with self._database.write() as session:
            session.add(
                Run(
                    id=run.id,
                    parent_id=self.parent or None,
                    stage=stage,
                    subject=subject,
                    started_at=started,
                    as_of=as_of,
                )
            )
        try:
            yield run
        except HubError as error:
            run.fail(error)
            raise
        except BaseException:
            run.state = "interrupted"
            raise
        finally:
            self._close(run)

    def _close(self, run: OpenRun) -> None:
        values: dict[str, object] = {
            "state": run.state,
            "ended_at": self._now(),
            "counts": run.counts,
            "notes": run.notes,
        }
        if run.error is not None:
            values |= {"error_code": run.error.code, "error_message": redact(str(run.error))}
        with self._database.write() as session:
            session.execute(update(Run).where(col(Run.id) == run.id).values(**values))

    def interrupt_leftovers(self, stage: str, subject: str) -> int:
        """Mark runs that never ended as interrupted; called by whoever holds the work's lease now."""
        with self._database.write() as session:
            result = session.execute(
                update(Run)
                .where(col(Run.stage) == stage, col(Run.subject) == subject, col(Run.state) == "running")
                .values(state="interrupted", ended_at=self._now())
            )
        return int(cast("CursorResult[Any]", result).rowcount)

    def list(
        self, *, stage: str | None = None, subject: str | None = None, parent: str | None = None, limit: int = 50
    ) -> Sequence[Run]:
        """Return the newest runs first."""
        query = select(Run).order_by(col(Run.started_at).desc()).limit(limit)
        if stage:
            query = query.where(col(Run.stage) == stage)
        if subject:
            query = query.where(col(Run.subject) == subject)
        if parent:
            query = query.where(col(Run.parent_id) == parent)
        with self._database.read() as session:
            return list(session.scalars(query))

    def ended_well(self, stage: str, subject: str) -> dt.datetime | None:
        """Return when a run of this stage last did its work, all of it or part; when the first began, if none ever did."""
        mine = (col(Run.stage) == stage, col(Run.subject) == subject)
        with self._database.read() as session:
            done = session.scalar(
                select(func.max(col(Run.started_at))).where(*mine, col(Run.state).in_(["succeeded", "partial"]))
            )
            return done or session.scalar(select(func.min(col(Run.started_at))).where(*mine))

    def latest(self) -> Mapping[tuple[str, str], Run]:
        """Return the newest run of every stage and subject."""
        found: dict[tuple[str, str], Run] = {}
        for run in self.list(limit=2_000):
            found.setdefault((run.stage, run.subject), run)
        return found
