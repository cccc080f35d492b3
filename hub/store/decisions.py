"""What people decided about who is one person: kept for good, so that it outlives every re-ingest and rebuild."""

from __future__ import annotations

import datetime as dt
import getpass
import uuid
from collections.abc import Callable, Iterable, Sequence

from sqlalchemy import select
from sqlmodel import col

from hub.store.database import Database
from hub.store.tables import IdentityDecision

__all__ = ["Decisions"]


class Decisions:
    """An append-only log; of two profiles the newest decision holds."""

    def __init__(self, database: Database, now: Callable[[], dt.datetime]) -> None:
        self._database = database
        self._now = now

    def add(
        self, rows: Iterable[tuple[str, str, str]], *, command: str, reason: str, actor: str = ""
    ) -> Sequence[IdentityDecision]:
        """Write down one command's decisions.

        Args:
            rows: (rule, one profile, the other).
            command: what was called, e.g. ``unmerge``.
            reason: why, in the decider's words.
            actor: who; the user of this machine unless given.
        """
        batch, who = uuid.uuid4().hex[:12], actor or getpass.getuser()
        made = [
            IdentityDecision(
                batch=batch,
                rule=rule,
                left=min(one, other),
                right=max(one, other),
                command=command,
                actor=who,
                reason=reason,
                at=self._now(),
            )
            for rule, one, other in rows
        ]
        with self._database.write() as session:
            session.add_all(made)
        return made

    def in_force(self) -> Sequence[IdentityDecision]:
        """Return the newest decision of every pair, unless it was withdrawn; in the order they were made."""
        newest: dict[tuple[str, str], IdentityDecision] = {}
        for row in self.all():
            newest.pop((row.left, row.right), None)
            newest[row.left, row.right] = row
        return [row for row in newest.values() if row.rule != "withdrawn"]

    def all(self) -> Sequence[IdentityDecision]:
        """Return every decision ever made, oldest first."""
        with self._database.read() as session:
            return list(session.scalars(select(IdentityDecision).order_by(col(IdentityDecision.id))))
