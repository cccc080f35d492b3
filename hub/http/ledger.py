"""Where calls are counted: in memory, in a SQLite file or in PostgreSQL, always several budgets in one transaction.

The counting itself is pyrate-limiter's. What is added here: budgets of a connection and of an endpoint group are
spent together or not at all, threads and processes take turns, and allowances that a platform announced are kept.
"""

from __future__ import annotations

import hashlib
import os
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import RLock
from typing import TYPE_CHECKING, Any, Final, Protocol, cast

from pyrate_limiter import AbstractBucket, InMemoryBucket, PostgresBucket, SQLiteBucket, SQLiteQueries

from hub.http.windows import RollingOrFixed, Window, to_rates

if TYPE_CHECKING:
    from psycopg import Connection
    from psycopg_pool import ConnectionPool

__all__ = ["Allowance", "Ledger", "LedgerPage", "MemoryLedger", "PostgresLedger", "Scopes", "SqliteLedger"]

#: The budgets that one call touches, the connection's own first.
Scopes = Mapping[str, tuple[Window, ...]]

_BUSY_SECONDS: Final = 60.0


@dataclass(frozen=True)
class Allowance:
    """What a platform announced: ``remaining`` more calls until ``until`` (milliseconds since the Unix epoch)."""

    remaining: int
    until: int


class LedgerPage(Protocol):
    """The ledger, opened for one transaction."""

    def bucket(self, scope: str) -> AbstractBucket | None:
        """Return the counter of ``scope``; ``None`` if it has no windows."""

    def allowance(self, scope: str) -> Allowance | None:
        """Return what was last announced for ``scope``."""

    def allow(self, scope: str, allowance: Allowance) -> None:
        """Note what was announced for ``scope``."""


class Ledger(Protocol):
    """Keeps the counters of rate budgets."""

    def transaction(self, scopes: Scopes) -> AbstractContextManager[LedgerPage]:
        """Open the ledger, alone among threads and processes; an exception takes everything back."""

    def close(self) -> None:
        """Give back what is held open; the next use opens it again where that is possible."""


class MemoryLedger:
    """Counters of this process alone."""

    def __init__(self) -> None:
        self._turn = RLock()
        self._buckets: dict[str, InMemoryBucket] = {}
        self._allowances: dict[str, Allowance] = {}

    @contextmanager
    def transaction(self, scopes: Scopes) -> Iterator[LedgerPage]:
        """Open the ledger, alone among threads; an exception takes everything back."""
        with self._turn:
            for scope, windows in scopes.items():
                if windows and scope not in self._buckets:
                    self._buckets[scope] = InMemoryBucket(to_rates(windows), algorithm=RollingOrFixed())
            touched = [self._buckets[scope] for scope in scopes if scope in self._buckets]
            sizes = [bucket.count() for bucket in touched]
            allowances = dict(self._allowances)
            try:
                yield self
            except BaseException:
                self._allowances = allowances
                for bucket, size in zip(touched, sizes, strict=True):
                    del bucket.items[size:]
                raise

    def close(self) -> None:
        """Keep the counters: they live as long as this object."""

    def bucket(self, scope: str) -> AbstractBucket | None:
        """Return the counter of ``scope``."""
        return self._buckets.get(scope)

    def allowance(self, scope: str) -> Allowance | None:
        """Return what was last announced for ``scope``."""
        return self._allowances.get(scope)

    def allow(self, scope: str, allowance: Allowance) -> None:
        """Note what was announced for ``scope``."""
        self._allowances[scope] = allowance


def _table_of(scope: str) -> str:
    return f"calls_{hashlib.sha256(scope.encode()).hexdigest()[:16]}"


class _HeldConnection(sqlite3.Connection):
    """A connection whose ``commit`` waits: a bucket commits after each count, but ours must stand or fall together."""

    held = False

    def commit(self) -> None:
        if not self.held:
            super().commit()


class _SqlitePage:
    def __init__(self, connection: sqlite3.Connection, scopes: Scopes) -> None:
        self._connection = connection
        self._scopes = scopes

    def bucket(self, scope: str) -> AbstractBucket | None:
        windows = self._scopes[scope]
        if not windows:
            return None
        table = _table_of(scope)
        for statement in (
            SQLiteQueries.CREATE_BUCKET_TABLE.format(table=table),
            SQLiteQueries.CREATE_INDEX_ON_TIMESTAMP.format(index_name=f"{table}_at", table_name=table),
        ):
            self._connection.execute(statement)
        return SQLiteBucket(to_rates(windows), self._connection, table, algorithm=RollingOrFixed())

    def allowance(self, scope: str) -> Allowance | None:
        found = self._connection.execute("SELECT remaining, until FROM allowances WHERE scope = ?", (scope,)).fetchone()
        return Allowance(*found) if found else None

    def allow(self, scope: str, allowance: Allowance) -> None:
        self._connection.execute(
            "INSERT OR REPLACE INTO allowances (scope, remaining, until) VALUES (?, ?, ?)",
            (scope, allowance.remaining, allowance.until),
        )


class SqliteLedger:
    """Counters in a SQLite file, shared by every thread and process of one machine.

    The file holds nothing worth keeping: deleting it forgets which calls were made.

    Args:
        path: the file; its folder must exist and be local (SQLite's locks do not work on network drives).
    """

    def __init__(self, path: str | Path) -> None:
        self._path = Path(path)
        self._owner = 0
        self._turn = RLock()
        self._connection: _HeldConnection | None = None

    def close(self) -> None:
        """Close the file; the next use opens it again."""
        with self._turn:
            if self._connection is not None and self._owner == os.getpid():
                self._connection.close()
            self._connection = None

    @contextmanager
    def transaction(self, scopes: Scopes) -> Iterator[LedgerPage]:
        """Open the ledger, alone among threads and processes; an exception takes everything back."""
        if self._owner != os.getpid():
            # Forked: neither a lock nor a SQLite connection may cross into the child.
            self._owner, self._turn, self._connection = os.getpid(), RLock(), None
        with self._turn:
            connection = self._open()
            connection.execute("BEGIN IMMEDIATE")
            connection.held = True
            try:
                yield _SqlitePage(connection, scopes)
            except BaseException:
                connection.held = False
                connection.rollback()
                raise
            connection.held = False
            connection.commit()

    def _open(self) -> _HeldConnection:
        if self._connection is None:
            connection = sqlite3.connect(
                self._path,
                timeout=_BUSY_SECONDS,
                isolation_level=None,
                check_same_thread=False,
                factory=_HeldConnection,
            )
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=NORMAL")
            connection.execute(
                "CREATE TABLE IF NOT EXISTS allowances (scope TEXT PRIMARY KEY, remaining INTEGER, until INTEGER)"
            )
            self._connection = connection
        return self._connection


class _OneConnection:
    """Stands in for a pool, so that every bucket works inside the transaction that is open."""

    closed = False

    def __init__(self) -> None:
        self.current: Connection[Any] | None = None

    @contextmanager
    def connection(self) -> Iterator[Connection[Any]]:
        if self.current is None:
            raise RuntimeError("a rate budget was used outside its transaction")
        yield self.current


class _PostgresPage:
    def __init__(self, connection: Connection[Any], buckets: Mapping[str, AbstractBucket]) -> None:
        self._connection = connection
        self._buckets = buckets

    def bucket(self, scope: str) -> AbstractBucket | None:
        return self._buckets.get(scope)

    def allowance(self, scope: str) -> Allowance | None:
        statement = "SELECT remaining, until FROM rate_allowances WHERE scope = %s"
        found = self._connection.execute(statement, (scope,)).fetchone()
        return Allowance(found[0], found[1]) if found else None

    def allow(self, scope: str, allowance: Allowance) -> None:
        self._connection.execute(
            "INSERT INTO rate_allowances (scope, remaining, until) VALUES (%s, %s, %s) "
            "ON CONFLICT (scope) DO UPDATE SET remaining = excluded.remaining, until = excluded.until",
            (scope, allowance.remaining, allowance.until),
        )


class PostgresLedger:
    """Counters in PostgreSQL, shared by every process of a cluster. The machines' clocks must agree (NTP).

    Creates the tables ``rate_allowances`` and ``ratelimit___calls_…`` (one per budget) in the pool's default schema.

    Args:
        pool: an open ``psycopg_pool.ConnectionPool`` whose connections return rows as tuples.
    """

    def __init__(self, pool: ConnectionPool[Any]) -> None:
        self._pool = pool
        self._turn = RLock()
        self._one = _OneConnection()
        self._buckets: dict[str, AbstractBucket] = {}

    def close(self) -> None:
        """Close the pool."""
        self._pool.close()

    @contextmanager
    def transaction(self, scopes: Scopes) -> Iterator[LedgerPage]:
        """Open the ledger, alone among threads and processes; an exception takes everything back."""
        root = next(iter(scopes))
        missing = {scope: windows for scope, windows in scopes.items() if windows and scope not in self._buckets}
        with self._turn:
            if missing or not self._buckets:
                # In a transaction of its own: a refused call must not take the tables back.
                with self._opened("hub rate tables") as connection:
                    self._create(connection, missing)
            with self._opened(root) as connection:
                yield _PostgresPage(connection, self._buckets)

    @contextmanager
    def _opened(self, turn: str) -> Iterator[Connection[Any]]:
        key = int.from_bytes(hashlib.sha256(turn.encode()).digest()[:8], signed=True)
        with self._pool.connection() as connection, connection.transaction():
            # The buckets keep times without a zone and read them back as UTC, whatever the session's zone is.
            connection.execute("SET LOCAL TIME ZONE 'UTC'")
            connection.execute("SELECT pg_advisory_xact_lock(%s)", (key,))
            self._one.current = connection
            try:
                yield connection
            finally:
                self._one.current = None

    def _create(self, connection: Connection[Any], missing: Scopes) -> None:
        connection.execute(
            "CREATE TABLE IF NOT EXISTS rate_allowances "
            "(scope TEXT PRIMARY KEY, remaining INTEGER NOT NULL, until BIGINT NOT NULL)"
        )
        pool = cast("Any", self._one)
        for scope, windows in missing.items():
            self._buckets[scope] = PostgresBucket(pool, _table_of(scope), to_rates(windows), algorithm=RollingOrFixed())
