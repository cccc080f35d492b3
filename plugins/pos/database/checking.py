"""Is the database what the mapping expects: its tables, and the columns of each query."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping

import sqlalchemy as sa
from sqlalchemy.engine import Connection
from sqlalchemy.exc import DBAPIError, NoSuchTableError

from hub.redaction import redact
from hub.source import Check
from plugins.pos.database import reading
from plugins.pos.database.mapping import Database
from plugins.pos.tickets.fields import LINE, LIST_FIELDS, TENDER, TICKET

__all__ = ["check_columns", "check_required"]


def check_required(connection: Connection, mapping: Database) -> list[Check]:
    """Compare the database's tables with what the mapping requires; every missing column is named."""
    inspector = sa.inspect(connection)
    checks = []
    for table, columns in mapping.requires.items():
        try:
            there = {str(column["name"]).lower() for column in inspector.get_columns(table)}
        except NoSuchTableError:
            there = set()
        missing = [name for name in columns if name.lower() not in there]
        told = f"table {table} lacks {', '.join(missing)}" if there else f"there is no table {table}"
        checks.append(Check(f"table {table}", ok=not missing, message=told if missing else f"{len(there)} columns"))
    return checks


def check_columns(connection: Connection, mapping: Database) -> list[Check]:
    """Ask every query for its columns, without rows, and compare them with the names the hub knows."""
    checks = []
    for place, sql in mapping.queries():
        try:
            names = reading.columns_of(connection, sql)
        except DBAPIError as error:
            connection.rollback()
            text = str(error.orig).strip().splitlines() or [type(error).__name__]
            checks.append(Check(f"query {place}", ok=False, message=redact(text[0])))
            continue
        checks.append(_check_names(mapping, place, names))
    return checks


def _check_names(mapping: Database, place: str, names: Iterable[str]) -> Check:
    stream, _, part = place.partition(".")
    known, needed = _known(mapping, stream, part)
    given = list(names)
    missing = [name for name in needed if name not in given]
    if missing:
        return Check(f"query {place}", ok=False, message=f"it lacks {', '.join(missing)}{_meant(missing, given)}")
    kept = [name for name in given if name not in known and name not in needed]
    where = "kept as they are" if part in {"tickets", "query"} else "not used"
    return Check(f"query {place}", ok=True, message=f"{where}: {', '.join(kept)}" if kept else f"{len(given)} columns")


def _meant(missing: Iterable[str], given: list[str]) -> str:
    close = [f"{near[0]} AS {name}" for name in missing if (near := difflib.get_close_matches(name, given, n=1))]
    return f"; perhaps {', '.join(close)}" if close else ""


def _known(mapping: Database, stream: str, part: str) -> tuple[Mapping[str, object], list[str]]:
    if stream != "orders":
        return LIST_FIELDS[stream], list(mapping.lists[stream].key)
    queries = mapping.orders
    if queries is None:
        raise LookupError(stream)
    if part == "lines":
        return LINE, list(queries.key)
    if part == "tenders":
        return TENDER, [*queries.key, "amount"]
    wanted = [*queries.key, queries.cursor, *([queries.window] if queries.window else []), "ordered_at"]
    return TICKET, list(dict.fromkeys(wanted))
