"""The ledger: what every destination last accepted of each row, as those read it who compare with it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session
from sqlmodel import col

from hub.chunks import chunks
from hub.store.database import Database
from hub.store.tables import Delivery, LedgerEntry

__all__ = ["PushLedger", "next_touch"]

_CHUNK = 500
"""Keys per IN list: below SQLite's old limit of 999 bound values."""


class PushLedger:
    """Read what destinations last accepted; :class:`hub.store.deliveries.Deliveries` writes it."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def entries(self, connection: str, target: str, *, chunk: int = 10_000) -> Iterator[Sequence[LedgerEntry]]:
        """Yield what a target last accepted, ordered by key, in chunks (memory does not grow with the ledger)."""
        after = ""
        while True:
            query = select(LedgerEntry).where(
                col(LedgerEntry.connection) == connection,
                col(LedgerEntry.target) == target,
                col(LedgerEntry.key) > after,
            )
            with self._database.read() as session:
                entries = list(session.scalars(query.order_by(col(LedgerEntry.key)).limit(chunk)))
            if not entries:
                return
            yield entries
            after = entries[-1].key

    def rows(self, connection: str, target: str) -> int:
        """Return how many rows of a target the ledger knows."""
        query = select(func.count()).select_from(LedgerEntry)
        query = query.where(col(LedgerEntry.connection) == connection, col(LedgerEntry.target) == target)
        with self._database.read() as session:
            return int(session.scalar(query) or 0)

    def columns(
        self, connection: str, target: str, names: Sequence[str], *, after: int = -1, chunk: int = 50_000
    ) -> Iterator[Sequence[Sequence[Any]]]:
        """Yield columns of what a target last accepted, in chunks, for those who compare all of it.

        Args:
            connection, target: whose.
            names: the columns.
            after: only rows that were touched later than this.
            chunk: rows at once.
        """
        query = select(*(getattr(LedgerEntry, name) for name in names)).where(
            col(LedgerEntry.connection) == connection,
            col(LedgerEntry.target) == target,
            col(LedgerEntry.touched) > after,
        )
        with self._database.read() as session:
            for part in session.execute(query.execution_options(yield_per=chunk)).tuples().partitions():
                yield list(zip(*part, strict=True))

    def of(self, deliveries: Sequence[Delivery]) -> Mapping[tuple[str, str, str], LedgerEntry]:
        """Return what the ledger knows of the rows of these deliveries, by connection, target and key."""
        found: dict[tuple[str, str, str], LedgerEntry] = {}
        with self._database.read() as session:
            for chunk in chunks(deliveries, _CHUNK):
                query = select(LedgerEntry).where(col(LedgerEntry.key).in_({one.key for one in chunk}))
                query = query.where(col(LedgerEntry.connection).in_({one.connection for one in chunk}))
                for entry in session.scalars(query):
                    found[entry.connection, entry.target, entry.key] = entry
        return found

    def failing(self) -> Mapping[str, Mapping[str, int]]:
        """Return how many rows of each sync are not as they should be, by the outcome of what was tried last."""
        query = (
            select(col(LedgerEntry.sync), col(LedgerEntry.outcome), func.count())
            .where(col(LedgerEntry.first_failed_at).is_not(None))
            .group_by(col(LedgerEntry.sync), col(LedgerEntry.outcome))
        )
        found: dict[str, dict[str, int]] = {}
        with self._database.read() as session:
            for sync, outcome, count in session.execute(query).tuples():
                found.setdefault(sync, {})[outcome] = count
        return found


def next_touch(session: Session, connection: str, target: str) -> int:
    """Return the number under which a transaction changes a target's ledger; the target's lease makes it unique."""
    query = select(func.max(col(LedgerEntry.touched)))
    query = query.where(col(LedgerEntry.connection) == connection, col(LedgerEntry.target) == target)
    return int(session.scalar(query) or 0) + 1
