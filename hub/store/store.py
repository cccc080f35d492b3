"""The store as the pipeline uses it: one door to cursors, packages, runs, leases, tokens, deliveries and snapshots."""

from __future__ import annotations

import datetime as dt
import getpass
import time
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from types import TracebackType

from cryptography.fernet import MultiFernet
from sqlalchemy import select
from sqlmodel import col

from hub.runtime import utc_now
from hub.store.alerts import Alerts
from hub.store.audience import Audience
from hub.store.corrections import Corrections
from hub.store.database import Database
from hub.store.decisions import Decisions
from hub.store.deliveries import Deliveries
from hub.store.forgotten import Forgotten
from hub.store.leases import Leases
from hub.store.packages import Packages
from hub.store.push_ledger import PushLedger
from hub.store.runs import Runs
from hub.store.snapshots import Snapshots
from hub.store.tables import AuditEntry
from hub.store.tokens import Tokens, secret_key

__all__ = ["Store"]


class Store:
    """Open with :meth:`open`, use as a context manager.

    Attributes:
        database: read and write transactions.
        runs, leases, packages, deliveries, ledger, corrections, audience, alerts, decisions, snapshots, forgotten, tokens: what the tables hold, by topic.
    """

    def __init__(
        self,
        database: Database,
        home: Path,
        *,
        now: Callable[[], dt.datetime] = utc_now,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.database = database
        self._home = home
        self._now = now
        self.runs = Runs(database, now)
        self.leases = Leases(database, now)
        self.packages = Packages(database, now)
        self.deliveries = Deliveries(database, now)
        self.ledger = PushLedger(database)
        self.alerts = Alerts(database, now)
        self.audience = Audience(database, now)
        self.corrections = Corrections(database, now)
        self.decisions = Decisions(database, now)
        self.snapshots = Snapshots(database, now)
        self.forgotten = Forgotten(database, lambda: self._cipher, now)
        self.tokens = Tokens(database, lambda: self._cipher, now, sleep)

    @classmethod
    def open(
        cls,
        url: str,
        home: Path,
        *,
        now: Callable[[], dt.datetime] = utc_now,
        sleep: Callable[[float], None] = time.sleep,
    ) -> Store:
        """Open a store, making or migrating its tables if need be.

        Args:
            url: SQLAlchemy URL.
            home: the hub's home folder; the key file lives there when ``HUB_SECRET_KEY`` is not set.
            now: source of the time.
            sleep: waits that many seconds.

        Raises:
            StoreError, ConfigError: it cannot be used; the message says why.
        """
        database = Database(url)
        try:
            database.migrate()
        except BaseException:
            database.close()
            raise
        return cls(database, home, now=now, sleep=sleep)

    @cached_property
    def _cipher(self) -> MultiFernet:
        return secret_key(self._home)

    def audit(self, action: str, subject: str, detail: Mapping[str, object] | None = None, actor: str = "") -> None:
        """Write down who did what."""
        entry = AuditEntry(
            at=self._now(), actor=actor or getpass.getuser(), action=action, subject=subject, detail=dict(detail or {})
        )
        with self.database.write() as session:
            session.add(entry)

    def audit_log(self, limit: int = 100) -> Sequence[AuditEntry]:
        """Return audit entries, newest first."""
        with self.database.read() as session:
            return list(session.scalars(select(AuditEntry).order_by(col(AuditEntry.id).desc()).limit(limit)))

    def close(self) -> None:
        """Close the pool."""
        self.database.close()

    def __enter__(self) -> Store:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
