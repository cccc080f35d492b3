"""Snapshots as the store knows them: which there are, and which one is current."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence

from sqlalchemy import select, update
from sqlmodel import col

from hub.store.database import Database
from hub.store.tables import Snapshot

__all__ = ["Snapshots"]


class Snapshots:
    """Record, find and retire snapshots."""

    def __init__(self, database: Database, now: Callable[[], dt.datetime]) -> None:
        self._database = database
        self._now = now

    def publish(self, snapshot: Snapshot) -> None:
        """Record a snapshot whose files are durable; from then on it is the current one, unless its state is ``aside``."""
        snapshot.published_at = self._now()
        with self._database.write() as session:
            session.add(snapshot)

    def current(self) -> Snapshot | None:
        """Return the newest published snapshot."""
        found = self.list(limit=1)
        return found[0] if found else None

    def list(self, limit: int = 100, *, state: str = "published") -> Sequence[Snapshot]:
        """Return snapshots, newest first: ``published`` ones, or those kept ``aside`` for looking back."""
        query = select(Snapshot).where(col(Snapshot.state) == state).order_by(col(Snapshot.seq).desc())
        with self._database.read() as session:
            return list(session.scalars(query.limit(limit)))

    def move(self, snapshot: Snapshot, location: str, counts: Mapping[str, int]) -> None:
        """Note that a snapshot's files were written anew elsewhere, with other numbers of rows."""
        with self._database.write() as session:
            session.execute(
                update(Snapshot).where(col(Snapshot.id) == snapshot.id).values(location=location, counts=dict(counts))
            )

    def mark_pruned(self, ids: Sequence[str]) -> None:
        """Note that snapshots' files are about to be removed."""
        with self._database.write() as session:
            session.execute(update(Snapshot).where(col(Snapshot.id).in_(ids)).values(state="pruned"))
