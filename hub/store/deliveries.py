"""Plans, deliveries and the ledger: what is about to be sent, what became of it, what the other side last accepted.

Order of writing, which the promise "nothing is sent twice that must not be" rests on: a plan is sealed; a batch's deliveries
are written as ``sending``; only then is it sent; its outcomes and the ledger are written in one transaction right after.

A delivery is one operation. When the same operation is tried again, by whatever plan, its row is brought up to date.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, insert, or_, select, update
from sqlalchemy.orm import Session
from sqlmodel import SQLModel, col

from hub.destination import Operation, Outcome, OutcomeStatus
from hub.store.database import Database
from hub.store.delivery_rows import STANDING, Decided, Standing, booked, given_up, of_operation, outcome_values
from hub.store.leases import HeldLease
from hub.store.push_ledger import next_touch
from hub.store.tables import Delivery, LedgerEntry, Plan, TargetState

__all__ = ["Decided", "Deliveries"]

_CHUNK = 500
"""Keys per IN list: below SQLite's old limit of 999 bound values."""
_SENDING = "sending"


@dataclass(frozen=True, slots=True)
class _Attempt:
    """Who tries what when."""

    plan: Plan
    batch: int
    run_id: str
    at: dt.datetime

    def values(self, identifier: str, attempts: int) -> dict[str, object]:
        """The values of a delivery that change with each attempt."""
        return {
            "id": identifier,
            "plan_id": self.plan.id,
            "batch": self.batch,
            "run_id": self.run_id,
            "sync": self.plan.sync,
            "outcome": _SENDING,
            "attempts": attempts,
            "intended_at": self.at,
            "decided_at": None,
        }


class Deliveries:
    """Write intents and outcomes; answer what happened to a row."""

    def __init__(self, database: Database, now: Callable[[], dt.datetime]) -> None:
        self._database = database
        self._now = now

    def seal(self, plan: Plan, lease: HeldLease) -> None:
        """Record a plan whose file is durable."""
        with self._database.write() as session:
            lease.confirm(session)
            session.add(plan)

    def open_plans(self, sync: str, connection: str, target: str) -> Sequence[Plan]:
        """Return the plans that were not worked off to their end, of this sync or of any sync on this target."""
        on_target = (col(Plan.connection) == connection) & (col(Plan.target) == target)
        query = select(Plan).where(col(Plan.state) == "open", or_(col(Plan.sync) == sync, on_target))
        with self._database.read() as session:
            return list(session.scalars(query.order_by(col(Plan.sealed_at))))

    def close(self, plan: Plan, lease: HeldLease) -> None:
        """Record that every batch of a plan has been worked off."""
        with self._database.write() as session:
            lease.confirm(session)
            session.execute(update(Plan).where(col(Plan.id) == plan.id).values(state="closed", closed_at=self._now()))

    def intend(
        self, plan: Plan, batch: int, operations: Sequence[tuple[Operation, str]], run_id: str, lease: HeldLease
    ) -> None:
        """Record that a batch is about to be sent.

        Args:
            plan: the plan the batch belongs to.
            batch: the batch's number within the plan.
            operations: the operations with the hashes of their values.
            run_id: the run that sends them.
            lease: the target's lease.
        """
        now = self._now()
        with self._database.write() as session:
            lease.confirm(session)
            for chunk in _chunks(operations):
                self._write_down(session, chunk, _Attempt(plan, batch, run_id, now), tries=1)

    def _write_down(
        self, session: Session, operations: Sequence[tuple[Operation, str]], attempt: _Attempt, *, tries: int
    ) -> None:
        """Insert the operations that are new, and let the others belong to this attempt."""
        ids = [operation.id for operation, _ in operations]
        query = select(col(Delivery.id), col(Delivery.attempts)).where(col(Delivery.id).in_(ids))
        known = dict(session.execute(query).tuples().all())
        rows = [
            (operation, digest, attempt.values(operation.id, known.get(operation.id, 0) + tries))
            for operation, digest in operations
        ]
        _insert(
            session,
            Delivery,
            [of_operation(attempt.plan, *row[:2]) | row[2] for row in rows if row[0].id not in known],
        )
        _update(session, Delivery, [row[2] for row in rows if row[0].id in known])

    def decide(self, plan: Plan, decided: Sequence[Decided], lease: HeldLease) -> None:
        """Record outcomes, and what the destination holds now, all or nothing."""
        now = self._now()
        with self._database.write() as session:
            lease.confirm(session)
            self._decide(session, plan, decided, now)

    def tell(self, plan: Plan, batch: int, decided: Sequence[Decided], run_id: str, lease: HeldLease) -> None:
        """Record rows that are not sent at all, with the reason as their outcome, all or nothing."""
        now = self._now()
        with self._database.write() as session:
            lease.confirm(session)
            for chunk in _chunks(decided):
                operations = [(item.operation, item.payload_hash) for item in chunk]
                self._write_down(session, operations, _Attempt(plan, batch, run_id, now), tries=0)
            self._decide(session, plan, decided, now)

    def give_up(self, plan: Plan, reason: Outcome, lease: HeldLease) -> int:
        """Give everything of a plan that is still ``sending`` the outcome ``unknown``; return how many rows that were.

        Args:
            plan: a plan whose process is gone.
            reason: code and message of the outcome.
            lease: the target's lease.
        """
        query = select(Delivery).where(col(Delivery.plan_id) == plan.id, col(Delivery.outcome) == _SENDING)
        count = 0
        while True:
            with self._database.write() as session:
                lease.confirm(session)
                rows = list(session.scalars(query.limit(_CHUNK)))
                self._decide(session, plan, [given_up(row, reason) for row in rows], self._now())
            count += len(rows)
            if len(rows) < _CHUNK:
                return count

    def _decide(self, session: Session, plan: Plan, decided: Sequence[Decided], now: dt.datetime) -> None:
        _update(session, Delivery, [outcome_values(item, now) for item in decided])
        # What was put off changed nothing at the destination: the ledger stays as it is.
        booked = [item for item in decided if item.outcome.status is not OutcomeStatus.DEFERRED]
        touched = next_touch(session, plan.connection, plan.target) if booked else 0
        for chunk in _chunks(booked):
            self._book(session, plan, chunk, now, touched)

    def _book(self, session: Session, plan: Plan, chunk: Sequence[Decided], now: dt.datetime, touched: int) -> None:
        keys = [item.operation.key for item in chunk]
        where = (
            col(LedgerEntry.connection) == plan.connection,
            col(LedgerEntry.target) == plan.target,
            col(LedgerEntry.key).in_(keys),
        )
        known = {row.key: Standing(*row) for row in session.execute(select(*STANDING).where(*where))}
        rows = [
            booked(known.get(item.operation.key, Standing(item.operation.key)), plan, item, now) | {"touched": touched}
            for item in chunk
        ]
        _insert(session, LedgerEntry, [row for row in rows if row["key"] not in known])
        _update(session, LedgerEntry, [row for row in rows if row["key"] in known])

    def undecided(self, plan: Plan) -> Mapping[int, int]:
        """Return how many rows of each batch were about to be sent and have no outcome."""
        query = select(col(Delivery.batch), func.count()).group_by(col(Delivery.batch))
        query = query.where(col(Delivery.plan_id) == plan.id, col(Delivery.outcome) == _SENDING)
        with self._database.read() as session:
            return dict(session.execute(query).tuples().all())

    def sending(self, plan: Plan, batch: int) -> Mapping[str, dt.datetime]:
        """Return the ids of a batch's rows that were about to be sent and have no outcome, with the time of the intent."""
        query = select(col(Delivery.id), col(Delivery.intended_at))
        query = query.where(
            col(Delivery.plan_id) == plan.id, col(Delivery.batch) == batch, col(Delivery.outcome) == _SENDING
        )
        with self._database.read() as session:
            return dict(session.execute(query).tuples().all())

    def in_doubt(self, connection: str, target: str) -> bool:
        """Tell whether the outcome of any row of a target is unknown."""
        query = select(col(LedgerEntry.key)).where(
            col(LedgerEntry.connection) == connection,
            col(LedgerEntry.target) == target,
            col(LedgerEntry.outcome) == OutcomeStatus.UNKNOWN.value,
        )
        with self._database.read() as session:
            return session.scalars(query.limit(1)).first() is not None

    def unknown(self, connection: str, target: str, since: dt.datetime, size: int) -> Iterator[Sequence[Delivery]]:
        """Yield, in chunks, the deliveries that left a row's outcome unknown and after which nothing was tried for it.

        Args:
            connection, target: where they were sent.
            since: those sent since then.
            size: rows at once.
        """
        ledger = (
            (col(LedgerEntry.connection) == col(Delivery.connection))
            & (col(LedgerEntry.target) == col(Delivery.target))
            & (col(LedgerEntry.key) == col(Delivery.key))
        )
        after = ""
        while True:
            query = select(Delivery).join(LedgerEntry, ledger).where(
                col(Delivery.connection) == connection, col(Delivery.target) == target,
                col(Delivery.outcome) == OutcomeStatus.UNKNOWN.value, col(Delivery.intended_at) > since,
                col(LedgerEntry.outcome) == OutcomeStatus.UNKNOWN.value,
                col(LedgerEntry.changed_at) == col(Delivery.decided_at), col(Delivery.id) > after,
            )  # fmt: skip
            with self._database.read() as session:
                found = list(session.scalars(query.order_by(col(Delivery.id)).limit(size)))
            if not found:
                return
            yield found
            after = found[-1].id

    def not_done(self, plan: Plan, operations: Sequence[Operation], lease: HeldLease) -> None:
        """Record of operations whose outcome was unknown that they were not carried out: they are planned again."""
        with self._database.write() as session:
            lease.confirm(session)
            touched = next_touch(session, plan.connection, plan.target)
            for chunk in _chunks(operations):
                session.execute(
                    update(LedgerEntry)
                    .where(
                        col(LedgerEntry.connection) == plan.connection,
                        col(LedgerEntry.target) == plan.target,
                        col(LedgerEntry.key).in_([one.key for one in chunk]),
                    )
                    .values(outcome=OutcomeStatus.DEFERRED.value, doubtful=False, touched=touched)
                )

    def find(
        self,
        *,
        sync: str | None = None,
        outcome: str | None = None,
        customer_id: str | None = None,
        run_id: str | None = None,
        limit: int = 100,
    ) -> Sequence[Delivery]:
        """Return deliveries, newest first."""
        query = select(Delivery).order_by(col(Delivery.intended_at).desc(), col(Delivery.id)).limit(limit)
        given = {"sync": sync, "outcome": outcome, "customer_id": customer_id, "run_id": run_id}
        for name, value in given.items():
            if value is not None:
                query = query.where(getattr(Delivery, name) == value)
        with self._database.read() as session:
            return list(session.scalars(query))

    def outcomes(self, run_id: str) -> dict[str, int]:
        """Return how many deliveries of a run ended how."""
        query = (
            select(col(Delivery.outcome), func.count())
            .where(col(Delivery.run_id) == run_id)
            .group_by(col(Delivery.outcome))
        )
        with self._database.read() as session:
            return dict(session.execute(query).tuples().all())

    def target_state(self, connection: str, target: str) -> TargetState | None:
        """Return why a target is switched off, or None when it is not."""
        with self._database.read() as session:
            return session.get(TargetState, (connection, target))

    def switch_off(self, connection: str, target: str, code: str, reason: str) -> None:
        """Keep a target from being written until a person switches it on again."""
        with self._database.write() as session:
            session.merge(
                TargetState(
                    connection=connection, target=target, state="off", code=code, reason=reason, since=self._now()
                )
            )

    def switch_on(self, connection: str, target: str) -> bool:
        """Let a target be written again; say whether it was off."""
        with self._database.write() as session:
            state = session.get(TargetState, (connection, target))
            if state is None:
                return False
            session.delete(state)
            return True

    def switched_off(self) -> Sequence[TargetState]:
        """Return every target that is off."""
        with self._database.read() as session:
            return list(session.scalars(select(TargetState)))


def _chunks(items: Sequence[Any]) -> Iterator[Sequence[Any]]:
    for start in range(0, len(items), _CHUNK):
        yield items[start : start + _CHUNK]


# Rows go in and out in bulk, as plain values: a model instance for each costs ten times as much.


def _insert(session: Session, table: type[SQLModel], rows: Sequence[Mapping[str, object]]) -> None:
    if rows:
        session.execute(insert(table), rows)


def _update(session: Session, table: type[SQLModel], rows: Sequence[Mapping[str, object]]) -> None:
    """Update rows by the primary key that each holds."""
    if rows:
        session.execute(update(table), rows)
