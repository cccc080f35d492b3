"""Open the store: SQLite in WAL mode or PostgreSQL, migrated, with short read and write transactions.

On SQLite a write transaction takes the write lock when it begins, not at its first write: two processes then wait for each
other (``busy_timeout``) instead of one of them failing half-way with "database is locked".
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError
from sqlalchemy.orm import Session

from hub.errors import ConfigError, StoreError
from hub.redaction import redact, redact_url

__all__ = ["Database", "storable"]

_Text = TypeVar("_Text", str, str | None)

BUSY_SECONDS = 60
_MIGRATIONS = Path(__file__).parent / "migrations"
_MIGRATION_LOCK = 5_174_301_244_021


class Database:
    """A connection pool to the store.

    Args:
        url: SQLAlchemy URL, ``sqlite:///path`` or ``postgresql+psycopg://…``.

    Raises:
        ConfigError: the URL is not usable, or its driver is not installed.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        try:
            self.shown = redact_url(url)
            parsed = make_url(url)
            if parsed.get_backend_name() not in {"sqlite", "postgresql"}:
                raise ArgumentError("neither SQLite nor PostgreSQL")
            self.is_sqlite = parsed.get_backend_name() == "sqlite"
            if self.is_sqlite and parsed.database:
                Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
            self.engine = self._engine(url)
        except (ArgumentError, NoSuchModuleError, ValueError) as error:
            raise ConfigError(
                "hub.store is not a database URL the hub can use.",
                hint="Use sqlite:///path/to/store.db or postgresql+psycopg://user@host/name.",
            ) from error
        except ModuleNotFoundError as error:
            raise ConfigError(
                f"The store's driver {error.name} is not installed.", hint='Run: pip install "customer-hub[postgres]"'
            ) from error
        except OSError as error:
            raise StoreError(f"The store's folder cannot be made: {error.strerror}.", hint="Check hub.home.") from error
        self._writer = self.engine.execution_options(hub_writes=True)
        # Within one process threads queue here, fairly; SQLite's own lock polls and lets late comers overtake.
        self._turn = threading.Lock() if self.is_sqlite else None

    def _engine(self, url: str) -> Engine:
        if not self.is_sqlite:
            return create_engine(url, pool_pre_ping=True, pool_size=5, max_overflow=10)
        engine = create_engine(url, connect_args={"timeout": BUSY_SECONDS, "check_same_thread": False})
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
        return engine

    @contextmanager
    def read(self) -> Iterator[Session]:
        """A read transaction: a consistent view, never blocked by writers."""
        with self._told(), Session(self.engine, expire_on_commit=False) as session:
            yield session

    @contextmanager
    def write(self) -> Iterator[Session]:
        """A write transaction: committed at the end of the block, rolled back if it raises."""
        with self._told(), self._in_turn(), Session(self._writer, expire_on_commit=False) as session, session.begin():
            yield session

    def alone(self, session: Session, what: str) -> None:
        """Keep every other transaction that asks for the same thing waiting until this one has ended.

        For rows that may not exist yet, which ``FOR UPDATE`` cannot lock. SQLite has one writer at a time anyway.
        """
        if not self.is_sqlite:
            session.execute(text("SELECT pg_advisory_xact_lock(hashtextextended(:what, 0))"), {"what": what})

    @contextmanager
    def _in_turn(self) -> Iterator[None]:
        if self._turn is None:
            yield
        else:
            with self._turn:
                yield

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Turn the driver's faults into the hub's, without statement and values (they may be personal)."""
        try:
            yield
        except DBAPIError as error:
            raise StoreError(
                f"The store refused: {type(error.orig).__name__}: {redact(_first_line(error.orig))}.",
                hint=_advice(error),
                context={"store": self.shown},
            ) from None

    def compact(self) -> None:
        """Drop what deleted rows left behind: SQLite's file is written anew and its log emptied, PostgreSQL is vacuumed.

        Raises:
            StoreError: another process held it for too long.
        """
        with self._told(), self.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            if not self.is_sqlite:
                connection.exec_driver_sql("VACUUM")
                return
            driver: Any = connection.connection.driver_connection
            try:
                driver.execute("VACUUM")
                driver.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            except sqlite3.OperationalError as error:
                raise StoreError(
                    f"The store could not be written anew: {error}.",
                    hint=f"Another process held it for more than {BUSY_SECONDS} s, or the disk is full: run again.",
                    context={"store": self.shown},
                ) from error

    def migrate(self) -> None:
        """Bring the store's tables to this version of the hub; does nothing if they are.

        Raises:
            StoreError: the store was written by a newer hub, or is not a store.
        """
        config = Config()
        config.set_main_option("script_location", str(_MIGRATIONS))
        script = ScriptDirectory.from_config(config)
        with self._told(), self._writer.connect() as connection, connection.begin():
            if self._revision(connection, script) == script.get_current_head():
                return
            if not self.is_sqlite:
                connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_MIGRATION_LOCK})")
            config.attributes["connection"] = connection
            command.upgrade(config, "head")

    def _revision(self, connection: Connection, script: ScriptDirectory) -> str | None:
        current = MigrationContext.configure(connection).get_current_revision()
        if current is not None and current not in {revision.revision for revision in script.walk_revisions()}:
            raise StoreError(
                "The store was written by a newer version of the hub.",
                code="store_newer",
                hint="Update this installation (pip install -U customer-hub), or point hub.store at another store.",
                context={"store": self.shown, "revision": current},
            )
        return current

    def close(self) -> None:
        """Close every pooled connection."""
        self.engine.dispose()


def _prepare_sqlite(connection: sqlite3.Connection, _record: object) -> None:
    # sqlite3's own transaction handling is off: _begin_sqlite says which kind of transaction begins.
    connection.isolation_level = None
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("PRAGMA foreign_keys=ON")


def _begin_sqlite(connection: Connection) -> None:
    writes = connection.get_execution_options().get("hub_writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _first_line(error: BaseException | None) -> str:
    # PostgreSQL repeats the offending values in its DETAIL lines; the first line never holds them.
    lines = str(error).splitlines()
    return lines[0].rstrip(".") if lines else "no reason given"


def _advice(error: DBAPIError) -> str:
    reason = str(error.orig).lower()
    if "locked" in reason:
        return f"Another process held it for more than {BUSY_SECONDS} s; see `hub status` for what runs."
    if "full" in reason or "no space" in reason:
        return "The disk is full: free some space and run again; nothing that was sealed is lost."
    if "disk i/o" in reason:
        return "The disk is full or failing: free some space, or look at the system's log; nothing that was sealed is lost."
    if "readonly" in reason or "unable to open" in reason:
        return "Check that the file and its folder can be written by this user."
    if "not a database" in reason or "malformed" in reason:
        return "The file is damaged or no store: restore a backup or point hub.store elsewhere."
    return "Check that the database server can be reached and the store's URL in hub.toml is right."


def storable(text: _Text) -> _Text:
    """Return a stranger's text as both databases take it: PostgreSQL no NUL, neither of them half a surrogate pair."""
    if text is None:
        return text
    return text.replace("\x00", "\ufffd").encode("utf-8", "replace").decode()
