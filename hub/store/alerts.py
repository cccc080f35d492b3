"""Alerts: raised once, told once, resolved once."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence

from sqlalchemy import delete, select
from sqlmodel import col

from hub.redaction import redact
from hub.store.database import Database, storable
from hub.store.push_tables import Alert

__all__ = ["Alerts"]


class Alerts:
    """What is wrong with syncs now, and whether somebody has been told."""

    def __init__(self, database: Database, now: Callable[[], dt.datetime]) -> None:
        self._database = database
        self._now = now

    def raise_(self, sync: str, kind: str, message: str) -> bool:
        """Raise an alert; say whether somebody must be told of it (it is new, or telling failed before)."""
        with self._database.write() as session:
            known = session.get(Alert, (sync, kind))
            if known is None:
                text = storable(redact(message))
                session.add(Alert(sync=sync, kind=kind, message=text, raised_at=self._now()))
        return known is None or known.told_at is None

    def told(self, sync: str, kind: str) -> None:
        """Record that somebody was told of an alert."""
        with self._database.write() as session:
            alert = session.get(Alert, (sync, kind))
            if alert is not None:
                alert.told_at = self._now()
                session.add(alert)

    def standing(self, sync: str | None = None) -> Sequence[Alert]:
        """Return the alerts that stand, of one sync or of all."""
        query = select(Alert).order_by(col(Alert.sync), col(Alert.kind))
        if sync is not None:
            query = query.where(col(Alert.sync) == sync)
        with self._database.read() as session:
            return list(session.scalars(query))

    def resolve(self, sync: str, kind: str) -> None:
        """Take an alert back: the sync has recovered."""
        with self._database.write() as session:
            session.execute(delete(Alert).where(col(Alert.sync) == sync, col(Alert.kind) == kind))
