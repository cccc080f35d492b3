"""Reading columns instead of rows: Arrow's own database drivers (ADBC), for SQLite and PostgreSQL.

A driver of rows makes an object of every cell; these fill Arrow buffers in C. They are an extra, and they know fewer types: what they
cannot bring faithfully raises :class:`UnfitError`, and the page is read by rows instead, in a session of its own.

SQLite releases a file's locks when any handle of the process on that file is closed: a bulk session and one by rows are never open at
the same time.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import CompileError, DBAPIError

from plugins.pos.database.config import DIALECTS, DatabaseConfig, dialect_of
from plugins.pos.database.session import session_statements

__all__ = ["BulkSession", "UnfitError", "bulk_session", "is_bulk"]

_DRIVERS: Final = {"sqlite": "adbc_driver_sqlite", "postgresql": "adbc_driver_postgresql"}
_DIALECTS: Final[dict[str, Any]] = {"sqlite": sqlite.dialect, "postgresql": postgresql.dialect}
_LOOK_AHEAD: Final = 1 << 20
"""Rows from which SQLite's driver infers a column's type, and which it brings at a time: as a rule a whole page."""
_WRITTEN_DOUBLE: Final = r"^-?\d\.\d{6}e[+-]\d+$"


class UnfitError(Exception):
    """The answer cannot be had as columns without loss."""


def is_bulk(config: DatabaseConfig) -> bool:
    """Tell whether a database is read by columns: it is of a kind that can be, no other driver is asked for, and ours is there."""
    given = config.url.get_secret_value()
    name, dialect = make_url(given).drivername, dialect_of(given)
    usual = "+" not in name or name == DIALECTS[dialect]
    return usual and dialect in _DRIVERS and find_spec(_DRIVERS[dialect]) is not None


class BulkSession:
    """One read-only transaction of one moment that answers with Arrow tables."""

    def __init__(self, connection: Any, dialect: str) -> None:
        self._connection = connection
        self._error: type[Exception] = connection.Error
        self._dialect = dialect

    def table(self, query: sa.Select[Any]) -> pa.Table:
        """Return a query's answer.

        Raises:
            UnfitError: it has columns that would lose something.
            DBAPIError: the database refuses.
        """
        cursor = self._connection.cursor()
        try:
            if self._dialect == "sqlite":
                cursor.adbc_statement.set_options(**{"adbc.sqlite.query.batch_rows": str(_LOOK_AHEAD)})
            cursor.execute(_written(query, self._dialect))
            answer: pa.Table = cursor.fetch_arrow_table()
        except self._error as error:
            raise DBAPIError(None, None, error) from error
        except (OSError, pa.ArrowException) as error:  # a later row does not have the type the first ones told
            raise UnfitError(str(error)) from None
        finally:
            self._close(cursor)
        return pa.table(
            [self._faithful(answer.column(place)) for place in range(answer.num_columns)], names=answer.column_names
        )

    def _close(self, cursor: Any) -> None:
        try:
            cursor.close()
        except self._error:
            # SQLite's driver tells a failure once more when the statement is closed, and then counts it as open for ever.
            cursor._closed = True

    def _faithful(self, column: pa.ChunkedArray) -> pa.ChunkedArray:
        if isinstance(column.type, pa.OpaqueType) and column.type.type_name == "numeric":
            column = column.cast(column.type.storage_type)  # digits as text: nothing is rounded
        kind = column.type
        if pa.types.is_float32(kind):  # 0.1 would become 0.100000001
            return column.cast(pa.string())
        if pa.types.is_string(kind):
            if self._dialect == "sqlite" and _has_cut_numbers(column):
                raise UnfitError("numbers among texts lose digits")
            return column
        plain = pa.types.is_integer(kind) or pa.types.is_float64(kind) or pa.types.is_boolean(kind)
        if plain or pa.types.is_timestamp(kind) or pa.types.is_date(kind) or pa.types.is_time(kind):
            return column
        raise UnfitError(f"type {kind}")


def _has_cut_numbers(column: pa.ChunkedArray) -> bool:
    """Whether SQLite's driver has written fractions as text: it does where a column holds both, with seven digits only."""
    hints = [pc.any(pc.match_substring(column, hint)).as_py() for hint in ("e+", "e-")]
    return any(hints) and bool(pc.any(pc.match_substring_regex(column, _WRITTEN_DOUBLE)).as_py())


@contextmanager
def bulk_session(config: DatabaseConfig, address: URL) -> Iterator[BulkSession]:
    """Open a session that only reads.

    Args:
        config: limits.
        address: where the database is, as :func:`plugins.pos.database.session.address` gives it.

    Raises:
        DBAPIError: the database does not answer.
    """
    dialect = address.get_backend_name()
    driver = import_module(f"{_DRIVERS[dialect]}.dbapi")
    try:
        connection = _connect(driver, config, address, dialect)
    except driver.Error as error:
        raise DBAPIError(None, None, error) from error
    try:
        yield BulkSession(connection, dialect)
    finally:
        connection.close()


def _connect(driver: Any, config: DatabaseConfig, address: URL, dialect: str) -> Any:
    if dialect == "sqlite":
        connection = driver.connect(f"{address.database}?mode=ro")
    else:
        told = {"connect_timeout": str(config.connect_seconds), "application_name": "customer-hub"}
        plain = address.set(drivername="postgresql", query={**told, **address.query})
        connection = driver.connect(plain.render_as_string(hide_password=False))
    try:
        with connection.cursor() as cursor:
            for statement in session_statements(dialect, config.statement_seconds):
                cursor.execute(statement)
        connection.commit()
    except BaseException:
        connection.close()
        raise
    return connection


def _written(query: sa.Select[Any], dialect: str) -> str:
    """The query with its values in it: PostgreSQL copies the answer of a plain statement only."""
    written: sa.Dialect = _DIALECTS[dialect](paramstyle="named")
    try:
        return str(query.compile(dialect=written, compile_kwargs={"literal_binds": True}))
    except (CompileError, NotImplementedError) as error:
        raise UnfitError(str(error)) from None
