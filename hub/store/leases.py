"""Leases: the right to do a piece of work alone, kept alive by a heartbeat, free again when the holder dies.

On the holder's own machine its death is noticed at once; elsewhere the lease expires.
"""

from __future__ import annotations

import datetime as dt
import os
import secrets
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from sqlalchemy import delete, select
from sqlalchemy.orm import Session
from sqlmodel import col

from hub.errors import HubError, LeaseHeldError, StoreError
from hub.store.database import Database
from hub.store.processes import has_ended, this_process
from hub.store.tables import Lease

__all__ = ["HeldLease", "Leases"]

LIFETIME = dt.timedelta(seconds=60)


class HeldLease:
    """A lease this process holds. Whoever writes under it calls :meth:`confirm` in the same transaction.

    Args:
        name: the lease's name.
        token: proof of holding it.
        prolonged: the instant it would run out if it were prolonged now.
    """

    def __init__(self, name: str, token: str, prolonged: Callable[[], dt.datetime]) -> None:
        self.name = name
        self.token = token
        self._prolonged = prolonged

    def confirm(self, session: Session) -> None:
        """Make sure the lease is still held, and stays so until this transaction has ended.

        A lease that ran out while its holder was suspended is still the holder's as long as nobody has taken it: whoever
        takes it over replaces the token.

        Raises:
            StoreError: somebody else took it over; nothing of this transaction is kept.
        """
        # FOR UPDATE keeps a PostgreSQL rival waiting until this transaction ends; SQLite has one writer anyway.
        lease = session.scalars(select(Lease).where(col(Lease.name) == self.name).with_for_update()).first()
        if lease is None or lease.token != self.token:
            raise StoreError(
                f"The lease on {self.name} was lost while working (the process was suspended for too long).",
                code="lease_lost",
                hint="Nothing is lost: run the command again.",
            )
        lease.expires_at = max(lease.expires_at, self._prolonged())


class Leases:
    """Acquire and release leases."""

    def __init__(self, database: Database, now: Callable[[], dt.datetime], lifetime: dt.timedelta = LIFETIME) -> None:
        self._database = database
        self._now = now
        self._lifetime = lifetime

    @contextmanager
    def hold(self, name: str) -> Iterator[HeldLease]:
        """Hold a lease for the length of a block; a heartbeat thread prolongs it.

        Raises:
            LeaseHeldError: another living process holds it; the message says which, since when.
        """
        lease = self._acquire(name)
        stop = threading.Event()
        heart = threading.Thread(target=self._beat, args=(lease, stop), name=f"lease {name}", daemon=True)
        heart.start()
        try:
            yield lease
        finally:
            stop.set()
            heart.join()
            self._release(lease)

    def holders(self) -> list[Lease]:
        """Return the leases that are held now."""
        with self._database.read() as session:
            return list(
                session.scalars(select(Lease).where(col(Lease.expires_at) > self._now()).order_by(col(Lease.name)))
            )

    def _acquire(self, name: str) -> HeldLease:
        now = self._now()
        with self._database.write() as session:
            self._database.alone(session, f"lease {name}")
            lease = session.scalars(select(Lease).where(col(Lease.name) == name).with_for_update()).first()
            if lease is not None and lease.expires_at > now and not has_ended(lease.process):
                raise LeaseHeldError(
                    f"{name} is being worked on by {lease.holder} since {lease.acquired_at:%Y-%m-%d %H:%M:%S} UTC.",
                    until=(lease.expires_at - now).total_seconds(),
                    context={"lease": name, "holder": lease.holder},
                )
            token = secrets.token_hex(16)
            fresh = Lease(
                name=name,
                token=token,
                holder=_holder(),
                process=this_process(),
                acquired_at=now,
                expires_at=now + self._lifetime,
            )
            session.merge(fresh)
        return HeldLease(name, token, lambda: self._now() + self._lifetime)

    def _beat(self, lease: HeldLease, stop: threading.Event) -> None:
        while not stop.wait(self._lifetime.total_seconds() / 4):
            try:
                with self._database.write() as session:
                    row = session.get(Lease, lease.name)
                    if row is None or row.token != lease.token:
                        return
                    row.expires_at = self._now() + self._lifetime
                    session.add(row)
            except HubError:
                # A missed beat is harmless: `confirm` refuses to commit under a lease that somebody else has taken over.
                continue

    def _release(self, lease: HeldLease) -> None:
        with self._database.write() as session:
            session.execute(delete(Lease).where(col(Lease.name) == lease.name, col(Lease.token) == lease.token))


def _holder() -> str:
    return f"process {os.getpid()} on {socket.gethostname()}"
