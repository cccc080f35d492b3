"""Packages and cursors: a package is recorded, and the cursor moved, in one transaction."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session
from sqlmodel import col

from hub.source import Reject
from hub.store.database import Database, storable
from hub.store.leases import HeldLease
from hub.store.tables import Cursor, Package, RejectedRow

__all__ = ["Packages"]

_CHUNK = 500


class Packages:
    """Record sealed packages, move cursors, list what is to be loaded."""

    def __init__(self, database: Database, now: Callable[[], dt.datetime]) -> None:
        self._database = database
        self._now = now

    def seal(
        self,
        package: Package | None,
        cursor: Cursor,
        rejects: Sequence[Reject],
        *,
        run_id: str,
        lease: HeldLease,
    ) -> None:
        """Record a package whose files are durable, its rejected rows, and the cursor after it, all or nothing.

        Args:
            package: None when the pages held no records (the cursor moves all the same).
            cursor: the state after the package.
            rejects: rows that could not be used.
            run_id: the run that read them.
            lease: the stream's lease; a lost one keeps the transaction from committing.
        """
        with self._database.write() as session:
            lease.confirm(session)
            if package is not None:
                # One at a time: a package that becomes visible later has the higher number.
                self._database.alone(session, "packages")
                session.add(package)
            cursor.moved_at = self._now()
            session.merge(cursor)
            session.add_all(self._row(reject, cursor, package, run_id) for reject in rejects)

    def _row(self, reject: Reject, cursor: Cursor, package: Package | None, run_id: str) -> RejectedRow:
        return RejectedRow(
            run_id=run_id,
            package_id=package.id if package else None,
            connection=cursor.connection,
            stream=cursor.stream,
            location=storable(reject.location),
            column=storable(reject.column),
            code=reject.code,
            reason=storable(reject.reason),
            source_id=storable(reject.source_id),
            raw=storable(reject.raw),
            at=self._now(),
        )

    def cursor(self, connection: str, stream: str, partition: str = "") -> Cursor | None:
        """Return how far a stream has been read, or None if it never was."""
        with self._database.read() as session:
            return session.get(Cursor, (connection, stream, partition))

    def cursors(self) -> Sequence[Cursor]:
        """Return every cursor."""
        with self._database.read() as session:
            return list(
                session.scalars(
                    select(Cursor).order_by(col(Cursor.connection), col(Cursor.stream), col(Cursor.partition))
                )
            )

    def set_cursor(self, connection: str, stream: str, partition: str, state: dict[str, Any]) -> None:
        """Put a cursor where a person wants it; the next read goes on from there."""
        with self._database.write() as session:
            session.merge(
                Cursor(connection=connection, stream=stream, partition=partition, state=state, moved_at=self._now())
            )

    def waiting(self) -> Sequence[Package]:
        """Return sealed packages that are not loaded yet, in the order of their sealing."""
        with self._database.read() as session:
            return list(
                session.scalars(select(Package).where(col(Package.state) == "sealed").order_by(col(Package.seq)))
            )

    def of_sweep(self, sweep: str) -> Sequence[Package]:
        """Return the packages of one full read, in order."""
        with self._database.read() as session:
            return list(session.scalars(select(Package).where(col(Package.sweep) == sweep).order_by(col(Package.seq))))

    def mark_loaded(self, ids: Sequence[str]) -> None:
        """Note that packages are in the warehouse."""
        with self._database.write() as session:
            for chunk in _chunks(ids):
                session.execute(
                    update(Package).where(col(Package.id).in_(chunk)).values(state="loaded", loaded_at=self._now())
                )

    def loaded(self) -> set[str]:
        """Return the ids of the packages that are noted as being in the warehouse."""
        with self._database.read() as session:
            return set(session.scalars(select(col(Package.id)).where(col(Package.state) == "loaded")))

    def count_loaded(self) -> int:
        """Return how many packages are noted as being in the warehouse."""
        with self._database.read() as session:
            return session.scalar(select(func.count()).where(col(Package.state) == "loaded")) or 0

    def load_again(self, ids: Sequence[str]) -> None:
        """Note that packages are not in the warehouse after all: its file was moved away or an older one put back."""
        with self._database.write() as session:
            for chunk in _chunks(ids):
                session.execute(
                    update(Package).where(col(Package.id).in_(chunk)).values(state="sealed", loaded_at=None)
                )

    def all(self) -> Sequence[Package]:
        """Return every package that is recorded, in the order of sealing."""
        with self._database.read() as session:
            return list(session.scalars(select(Package).order_by(col(Package.seq))))

    def move(self, package: Package, location: str, size: int) -> None:
        """Note that a package's files were written anew elsewhere; the old folder is to be removed."""
        package.replaced, package.location, package.bytes = package.location, location, size
        self._change(package.id, location=location, bytes=size, replaced=package.replaced)

    def old_removed(self, package: Package) -> None:
        """Note that the folder a package had before is gone."""
        self._change(package.id, replaced=None)

    def _change(self, package_id: str, **values: Any) -> None:
        with self._database.write() as session:
            session.execute(update(Package).where(col(Package.id) == package_id).values(**values))

    def known(self, connection: str, stream: str) -> set[str]:
        """Return the locations of a stream's recorded packages; other folders beside them are leftovers of a crash."""
        with self._database.read() as session:
            query = select(col(Package.location)).where(
                col(Package.connection) == connection, col(Package.stream) == stream
            )
            return set(session.scalars(query))

    def counts(self) -> dict[tuple[str, str], dict[str, int]]:
        """Return per connection and stream: packages, rows, and how many wait to be loaded."""
        with self._database.read() as session:
            return _counts(session)

    def rejects(
        self, *, connection: str | None = None, run_id: str | None = None, code: str | None = None, limit: int = 100
    ) -> Sequence[RejectedRow]:
        """Return rejected rows, newest first."""
        query = select(RejectedRow).order_by(col(RejectedRow.id).desc()).limit(limit)
        if connection:
            query = query.where(col(RejectedRow.connection) == connection)
        if run_id:
            query = query.where(col(RejectedRow.run_id) == run_id)
        if code:
            query = query.where(col(RejectedRow.code) == code)
        with self._database.read() as session:
            return list(session.scalars(query))


def _chunks(ids: Sequence[str]) -> Iterator[Sequence[str]]:
    """Split ids so that an ``IN`` list stays below every database's limit of bound values."""
    for start in range(0, len(ids), _CHUNK):
        yield ids[start : start + _CHUNK]


def _counts(session: Session) -> dict[tuple[str, str], dict[str, int]]:
    found: dict[tuple[str, str], dict[str, int]] = {}
    group = (col(Package.connection), col(Package.stream), col(Package.state))
    totals = select(*group, func.count(), func.sum(col(Package.rows))).group_by(*group)
    for connection, stream, state, packages, rows in session.execute(totals).tuples():
        entry = found.setdefault((connection, stream), {"packages": 0, "rows": 0, "waiting": 0, "rejects": 0})
        entry["packages"] += packages
        entry["rows"] += int(rows or 0)
        entry["waiting"] += packages if state == "sealed" else 0
    where = (col(RejectedRow.connection), col(RejectedRow.stream))
    refused = select(*where, func.count()).group_by(*where)
    for connection, stream, rejects in session.execute(refused).tuples():
        entry = found.setdefault((connection, stream), {"packages": 0, "rows": 0, "waiting": 0, "rejects": 0})
        entry["rejects"] = rejects
    return found
