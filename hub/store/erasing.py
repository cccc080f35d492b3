"""Take one person out of the store: logs, ledger, consents, decisions, and every text that names him."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy import JSON, Column, String, Table, Text, and_, delete, func, literal, or_, select, text, update
from sqlalchemy.orm import Session
from sqlalchemy.sql.elements import ColumnElement
from sqlmodel import AutoString, SQLModel, col

from hub.store.database import Database
from hub.store.forgotten import Person
from hub.store.push_tables import Consent, Holdout
from hub.store.tables import Delivery, IdentityDecision, LedgerEntry, RejectedRow

__all__ = ["erase_person", "find_person", "pushed_of"]

REMOVED = "[forgotten]"
"""Stands where an identifier of the person stood in a text."""

_CHUNK = 200
_NO_TEXTS = frozenset({"tokens", "leases", "erasures", "tombstones", "packages", "snapshots", "cursors", "mappings"})
"""Tables whose texts are the hub's own, or a plugin's memory, which would break if it were changed."""
_SHORTEST = 4
"""Characters that a value needs to be looked for within texts."""


def find_person(database: Database, person: Person) -> dict[str, int]:
    """Return how many rows of the store tell of a person, by table."""
    with database.read() as session:
        found = {
            table: sum(session.scalar(select(func.count()).select_from(model).where(where)) or 0 for where in wheres)
            for table, model, wheres in _rows_of(person)
        }
    return {table: count for table, count in found.items() if count}


def pushed_of(database: Database, person: Person) -> dict[str, int]:
    """Return how many rows destinations hold of a person, by ``connection/target``."""
    there = and_(_among(col(LedgerEntry.customer_id), person.customers), col(LedgerEntry.accepted_hash).is_not(None))
    query = select(col(LedgerEntry.connection), col(LedgerEntry.target), func.count()).where(there)
    with database.read() as session:
        rows = session.execute(query.group_by(col(LedgerEntry.connection), col(LedgerEntry.target))).tuples()
        return {f"{connection}/{target}": count for connection, target, count in rows}


def erase_person(database: Database, person: Person) -> None:
    """Delete what is a person's, and blank him in what is not; again it changes nothing."""
    with database.write() as session:
        if database.is_sqlite:
            session.execute(text("PRAGMA secure_delete = ON"))
        for _, model, wheres in _rows_of(person):
            for where in wheres:
                session.execute(_blanked(where) if model is RejectedRow else delete(model).where(where))
        for table, column in _texts():
            for value in (*person.values, *person.names):
                if len(value) >= _SHORTEST or value in person.names:
                    _replace(session, table, column, value)


def _rows_of(person: Person) -> Iterator[tuple[str, type[SQLModel], Sequence[ColumnElement[bool]]]]:
    """What is the person's own, table by table; conditions of one table do not overlap."""
    customers, profiles = person.customers, person.profiles
    yield "deliveries", Delivery, [_among(col(Delivery.customer_id), customers)]
    yield "ledger", LedgerEntry, [_among(col(LedgerEntry.customer_id), customers)]
    yield "consents", Consent, [_among(col(Consent.profile), profiles)]
    yield "holdouts", Holdout, [_among(col(Holdout.customer_id), customers)]
    decided = or_(_among(col(IdentityDecision.left), profiles), _among(col(IdentityDecision.right), profiles))
    yield "identity_decisions", IdentityDecision, [decided]
    yield "rejects", RejectedRow, [_rejected(person)]


def _among(column: Any, values: Sequence[str]) -> ColumnElement[bool]:
    """``IN`` in parts: below every database's limit of bound values."""
    parts = [values[start : start + _CHUNK] for start in range(0, len(values), _CHUNK)]
    return or_(*(column.in_(part) for part in parts)) if parts else literal(value=False)


def _rejected(person: Person) -> ColumnElement[bool]:
    """Rows of the person's profiles, and rows in which an identifier of the person stands; those already blanked left out."""
    by_place: dict[str, list[str]] = {}
    for connection, source_id in person.records:
        by_place.setdefault(connection, []).append(source_id)
    own = [
        and_(col(RejectedRow.connection) == connection, _among(col(RejectedRow.source_id), ids))
        for connection, ids in by_place.items()
    ]
    texts = (RejectedRow.raw, RejectedRow.reason, RejectedRow.location, RejectedRow.source_id)
    inside = [
        col(field).contains(value, autoescape=True)
        for value in person.values
        if len(value) >= _SHORTEST
        for field in texts
    ]
    return or_(literal(value=False), *own, *inside)


def _blanked(where: ColumnElement[bool]) -> Any:
    values = {"raw": None, "source_id": None, "location": REMOVED, "reason": "The row of a person who was forgotten."}
    return update(RejectedRow).where(where).values(**values)


def _texts() -> Iterator[tuple[Table, Column[Any]]]:
    for table in SQLModel.metadata.sorted_tables:
        for column in table.columns if table.name not in _NO_TEXTS else ():
            if isinstance(column.type, AutoString | String | JSON) and not column.primary_key:
                yield table, column


def _replace(session: Session, table: Table, column: Column[Any], value: str) -> None:
    """Put :data:`REMOVED` where a value stands. JSON escapes what is not ASCII."""
    is_json = isinstance(column.type, JSON)
    shown = sa.cast(column, Text) if is_json else column
    for written in {value, _in_json(value)} if is_json else {value}:
        changed: Any = func.replace(shown, written, REMOVED)
        if is_json and session.get_bind().dialect.name == "postgresql":
            changed = sa.cast(changed, JSON)
        session.execute(table.update().where(shown.contains(written, autoescape=True)).values({column.name: changed}))


def _in_json(value: str) -> str:
    return "".join(letter if ord(letter) < 128 else f"\\u{ord(letter):04x}" for letter in value)
