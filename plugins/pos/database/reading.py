"""Queries over a mapping's SQL, and their answers as columns.

The mapping's query is the inner one; around it stand the key range, the order and the limit, in the dialect's own words
(``LIMIT``, ``TOP``), so that a page is a short query whatever the database.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any, Final, TypeAlias

import pyarrow as pa
import pyarrow.compute as pc
import sqlalchemy as sa
from sqlalchemy.engine import Connection
from sqlalchemy.exc import DBAPIError

__all__ = [
    "After",
    "Scalar",
    "columns_of",
    "fetch",
    "in_keys",
    "in_range",
    "only_keys",
    "pack",
    "page",
    "together",
    "unpack",
]

Scalar: TypeAlias = Any
"""A value as the driver gives it: text, number, instant, bytes."""

After: TypeAlias = tuple[Scalar, Scalar]
"""Where a page ended: the cursor column's value and the tie's."""

KEYS_PER_QUERY: Final = 500
"""SQL Server takes 2100 parameters at most; a short list keeps to the index everywhere."""


def _inner(sql: str) -> sa.TextClause:
    # A colon in the mapping's SQL is a colon, not a parameter of ours.
    return sa.text(f"({sql.strip().rstrip(';').replace(':', chr(92) + ':')}) q")


def _all(sql: str) -> sa.Select[Any]:
    return sa.select(sa.text("*")).select_from(_inner(sql))


def page(
    sql: str,
    cursor: str,
    tie: str,
    limit: int,
    *,
    after: After | None = None,
    upto: After | None = None,
    window: tuple[str, Scalar] | None = None,
) -> sa.Select[Any]:
    """Return the query of one page of tickets, in the order of cursor and tie.

    Args:
        sql: the mapping's query.
        cursor, tie: its columns that order it.
        limit: rows at most.
        after: begin behind this place.
        upto: end with this place.
        window: a column and the least value it may have.
    """
    first: sa.ColumnClause[Any] = sa.column(cursor)
    second: sa.ColumnClause[Any] = sa.column(tie)
    query = _all(sql)
    if after is not None:
        beyond = first > after[0]
        query = query.where(beyond if cursor == tie else sa.or_(beyond, sa.and_(first == after[0], second > after[1])))
    if upto is not None:
        before = first <= upto[0]
        within = sa.or_(first < upto[0], sa.and_(first == upto[0], second <= upto[1]))
        query = query.where(before if cursor == tie else within)
    if window is not None:
        query = query.where(sa.column(window[0]) >= window[1])
    return query.order_by(*([first] if cursor == tie else [first, second])).limit(limit)


def in_keys(sql: str, column: str, keys: Sequence[Scalar]) -> Iterator[sa.Select[Any]]:
    """Yield the queries that fetch the rows of these keys, a few hundred keys each."""
    for start in range(0, len(keys), KEYS_PER_QUERY):
        yield _all(sql).where(sa.column(column).in_(list(keys[start : start + KEYS_PER_QUERY])))


def in_range(sql: str, column: str, after: Scalar | None, upto: Scalar) -> Iterator[sa.Select[Any]]:
    """Yield the query that fetches the rows of a range of keys."""
    query = _all(sql).where(sa.column(column) <= upto)
    yield query if after is None else query.where(sa.column(column) > after)


def columns_of(connection: Connection, sql: str) -> list[str]:
    """Return the names of a query's columns without reading a row."""
    result = connection.execute(_all(sql).where(sa.text("1 = 0")))
    names = list(map(str, result.keys()))
    result.close()
    return names


def fetch(connection: Connection, query: sa.Select[Any], rows: int) -> pa.Table:
    """Return a query's answer as columns.

    Args:
        connection: a read-only session.
        query: what to ask.
        rows: how many to fetch at a time.
    """
    compiled = query.compile(dialect=connection.dialect, compile_kwargs={"render_postcompile": True})
    given = compiled.construct_params()
    values = tuple(given[name] for name in compiled.positiontup or ()) if compiled.positional else given
    driver: Any = connection.dialect.dbapi
    # The driver's own cursor: the library's result would make an object of every row.
    cursor = _cursor(connection)
    chunks = []
    try:
        cursor.execute(str(compiled), values)
        while block := cursor.fetchmany(rows):
            names = [str(each[0]) for each in cursor.description]
            chunks.append(pa.table([_column(column) for column in zip(*block, strict=True)], names=names))
        names = [str(each[0]) for each in cursor.description]
        cursor.close()
    except driver.Error as error:
        raise DBAPIError(None, None, error) from error
    if not chunks:
        return pa.table({name: pa.array([], pa.string()) for name in names})
    return together(chunks)


def _cursor(connection: Connection) -> Any:
    """A cursor that leaves the rows on the server until they are fetched, where the driver would else fetch them all."""
    raw: Any = connection.connection.dbapi_connection
    if connection.dialect.name == "postgresql":
        return raw.cursor(name="hub_page")
    if connection.dialect.name == "mysql":
        from pymysql.cursors import SSCursor  # the driver is there: the connection is its

        return raw.cursor(SSCursor)
    return raw.cursor()


def only_keys(rows: pa.Table, wanted: pa.Table, key: Sequence[str]) -> pa.Table:
    """The rows whose whole key is one of the wanted ones: a ticket number alone may stand in several shops."""

    def joined(table: pa.Table) -> pa.ChunkedArray:
        parts = [table.column(name).cast(pa.string()) for name in key]
        return pc.binary_join_element_wise(*parts, "\x1f")

    return rows.filter(pc.is_in(joined(rows), value_set=joined(wanted).combine_chunks()))


def together(chunks: Sequence[pa.Table]) -> pa.Table:
    """One table of several; a column whose blocks came out with different types becomes text."""
    if all(chunk.schema.equals(chunks[0].schema) for chunk in chunks):
        return pa.concat_tables(chunks)
    arrays = []
    for place in range(chunks[0].num_columns):
        blocks = [chunk.column(place) for chunk in chunks]
        kinds = {block.type for block in blocks} - {pa.null()}
        kind = kinds.pop() if len(kinds) == 1 else pa.string()
        arrays.append(pa.chunked_array([part for block in blocks for part in block.cast(kind).chunks], type=kind))
    return pa.table(arrays, names=chunks[0].column_names)


def _column(values: Sequence[Scalar]) -> pa.Array:
    """A driver's values as one array; what has no common type, bytes and decimals as text."""
    if isinstance(next((value for value in values if value is not None), None), Decimal):
        # Digits differ from block to block: as text the blocks are alike, nothing is rounded, and it takes a fifth of the time.
        return pa.array([_text(value) for value in values], pa.string())
    try:
        array = pa.array(values)
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError):
        return pa.array([_text(value) for value in values], pa.string())
    kind = array.type
    if pa.types.is_binary(kind) or pa.types.is_duration(kind) or pa.types.is_decimal(kind):
        return pa.array([_text(value) for value in values], pa.string())
    return array


def _text(value: Scalar) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bytes | bytearray | memoryview):
        raw = bytes(value)
        try:
            return raw.decode("utf-8")
        except UnicodeDecodeError:
            return raw.decode("gb18030", errors="replace")
    return str(value)


def pack(value: Scalar) -> Scalar:
    """A cursor value as JSON."""
    if isinstance(value, dt.datetime):
        return {"datetime": value.isoformat()}
    if isinstance(value, dt.date):
        return {"date": value.isoformat()}
    if isinstance(value, Decimal):
        return {"decimal": str(value)}
    if isinstance(value, bytes):
        return {"bytes": value.hex()}
    return value


def unpack(value: Scalar) -> Scalar:
    """The cursor value that was packed."""
    if not isinstance(value, Mapping):
        return value
    ((kind, text),) = value.items()
    readers: dict[str, Callable[[str], Scalar]] = {
        "datetime": dt.datetime.fromisoformat,
        "date": dt.date.fromisoformat,
        "decimal": Decimal,
        "bytes": bytes.fromhex,
    }
    return readers[kind](text)
