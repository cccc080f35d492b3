"""Connections that only read: the engine of each dialect, and what its sessions are told before the first query.

PostgreSQL and MySQL/MariaDB sessions are read-only transactions of one snapshot; SQLite files are opened read-only; SQL Server
knows no read-only session, so there the login must have no more than ``db_datareader``, and readers take no locks
(``READ UNCOMMITTED``, which SQL Server 2000 to 2008 R2 have too).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from sqlalchemy import Engine, create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.pool import NullPool

from hub.errors import StopError
from plugins.pos.database.config import DIALECTS, DatabaseConfig

__all__ = ["address", "connect_arguments", "open_engine", "session_statements"]


def address(config: DatabaseConfig, base: Path) -> URL:
    """Return the address with its driver; an SQLite file is opened read-only and must exist.

    Raises:
        StopError: the SQLite file is not there (``database_missing``).
    """
    url = make_url(config.url.get_secret_value())
    backend = url.get_backend_name()
    if "+" not in url.drivername:
        url = url.set(drivername=DIALECTS[backend])
    if backend != "sqlite":
        return url
    path = (base / Path(url.database or "").expanduser()).absolute()
    if not path.is_file():
        raise StopError(
            f"There is no database file {url.database!r}.",
            code="database_missing",
            hint="Check url; it starts where hub.toml is.",
        )
    return url.set(database=f"file:{quote(str(path))}", query={"mode": "ro", "uri": "true"})


def session_statements(dialect: str, seconds: int) -> list[str]:
    """Return what a new session is told: read only, one snapshot per transaction, no endless queries.

    Args:
        dialect: SQLAlchemy's name of it.
        seconds: how long a query may take.
    """
    return {
        "sqlite": ["PRAGMA query_only = ON", "PRAGMA busy_timeout = 5000"],
        "postgresql": [
            "SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY",
            "SET default_transaction_read_only = on",
            f"SET statement_timeout = {seconds * 1000}",
            f"SET idle_in_transaction_session_timeout = {seconds * 2000}",
        ],
        "mysql": ["SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"],
        "mssql": [
            "SET TRANSACTION ISOLATION LEVEL READ UNCOMMITTED",
            "SET DEADLOCK_PRIORITY LOW",
            f"SET LOCK_TIMEOUT {seconds * 1000}",
        ],
    }[dialect]


_TIMEOUTS: Final = {"mysql": ("SET SESSION max_execution_time = {ms}", "SET SESSION max_statement_time = {s}")}
"""MySQL counts milliseconds under one name, MariaDB seconds under another; the one a server does not know it refuses."""


def connect_arguments(dialect: str, config: DatabaseConfig) -> dict[str, Any]:
    """Return what the driver is given: how long to wait, and that nothing is converted."""
    seconds = config.connect_seconds
    arguments: Mapping[str, dict[str, Any]] = {
        "sqlite": {"timeout": seconds},
        "postgresql": {"connect_timeout": seconds, "application_name": "customer-hub"},
        "mysql": {"connect_timeout": seconds, "read_timeout": config.statement_seconds + 10, "charset": "utf8mb4"},
        "mssql": {"login_timeout": seconds, "timeout": config.statement_seconds, "appname": "customer-hub"},
    }
    return arguments[dialect]


def open_engine(config: DatabaseConfig, base: Path) -> Engine:
    """Return an engine all of whose sessions only read.

    Raises:
        StopError: the driver is not installed (``extra_missing``), or the file is not there.
    """
    url = address(config, base)
    dialect = "mysql" if url.get_backend_name() == "mariadb" else url.get_backend_name()
    try:
        engine = create_engine(url, poolclass=NullPool, connect_args=connect_arguments(dialect, config))
    except ModuleNotFoundError as error:
        raise StopError(
            f"The driver {error.name} for {dialect} is not installed.",
            code="extra_missing",
            hint="pip install 'customer-hub[databases]'",
        ) from None

    @event.listens_for(engine, "connect")
    def _only_read(connection: Any, _record: object) -> None:
        _prepare(connection, dialect, config.statement_seconds)

    return engine


def _prepare(connection: Any, dialect: str, seconds: int) -> None:
    cursor = connection.cursor()
    for statement in session_statements(dialect, seconds):
        cursor.execute(statement)
    refused = []
    for statement in _TIMEOUTS.get(dialect, ()):
        try:
            cursor.execute(statement.format(ms=seconds * 1000, s=seconds))
            break
        except connection.OperationalError as error:
            refused.append(error)
    if refused and len(refused) == len(_TIMEOUTS[dialect]):
        raise refused[-1]
    cursor.close()
    if dialect != "sqlite":
        connection.commit()
