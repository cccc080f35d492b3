"""Plans, deliveries and the ledger: what is about to be sent, what became of it, what the other side last accepted.

Order of writing, which the promise "nothing is sent twice that must not be" rests on: a plan is sealed; a batch's deliveries
are written as ``sending``; only then is it sent; its outcomes and the ledger are written in one transaction right after.

A delivery is one operation. When the same operation is tried again, by whatever plan, its row is brought up to date.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from sqlalchemy import func, insert, or_, select, update
from sqlalchemy.orm import Session
from sqlmodel import SQLModel, col

from hub.destination import Operation, OperationKind, Outcome, OutcomeStatus
from hub.redaction import redact
from hub.store.database import Database, storable
from hub.store.leases import HeldLease
from hub.store.tables import Delivery, LedgerEntry, Plan, TargetState

__all__ = ["Decided", "Deliveries", "next_touch"]

_CHUNK = 500
"""Keys per IN list: below SQLite's old limit of 999 bound values."""
_SETTLED = frozenset({OutcomeStatus.ACCEPTED, OutcomeStatus.UNCHANGED})
_FAILED = frozenset({OutcomeStatus.INVALID, OutcomeStatus.REJECTED, OutcomeStatus.UNKNOWN})
_SENDING = "sending"
_LONGEST_REQUEST = 4_000


@dataclass(frozen=True, slots=True)
class Decided:
    """An operation, the hash of its values, and what became of it."""

    operation: Operation
    payload_hash: str
    outcome: Outcome


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


@dataclass(frozen=True, slots=True)
class _Standing:
    """What a ledger entry says of earlier deliveries; of none, when there is no entry."""

    key: str
    outcome: str = ""
    accepted_hash: str | None = None
    attempted_hash: str | None = None
    doubtful: bool = False
    remote_id: str | None = None
    version: int = 0
    failures: int = 0
    first_failed_at: dt.datetime | None = None


_STANDING = tuple(getattr(LedgerEntry, entry.name) for entry in fields(_Standing))


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
            [_of_operation(attempt.plan, *row[:2]) | row[2] for row in rows if row[0].id not in known],
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
                self._decide(session, plan, [_given_up(row, reason) for row in rows], self._now())
            count += len(rows)
            if len(rows) < _CHUNK:
                return count

    def _decide(self, session: Session, plan: Plan, decided: Sequence[Decided], now: dt.datetime) -> None:
        _update(session, Delivery, [_outcome_values(item, now) for item in decided])
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
        known = {row.key: _Standing(*row) for row in session.execute(select(*_STANDING).where(*where))}
        rows = [
            _booked(known.get(item.operation.key, _Standing(item.operation.key)), plan, item, now)
            | {"touched": touched}
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

    def ledger(self, connection: str, target: str, *, chunk: int = 10_000) -> Iterator[Sequence[LedgerEntry]]:
        """Yield what a target last accepted, ordered by key, in chunks (memory does not grow with the ledger)."""
        after = ""
        while True:
            query = select(LedgerEntry).where(
                col(LedgerEntry.connection) == connection,
                col(LedgerEntry.target) == target,
                col(LedgerEntry.key) > after,
            )
            with self._database.read() as session:
                entries = list(session.scalars(query.order_by(col(LedgerEntry.key)).limit(chunk)))
            if not entries:
                return
            yield entries
            after = entries[-1].key

    def ledger_rows(self, connection: str, target: str) -> int:
        """Return how many rows of a target the ledger knows."""
        query = select(func.count()).select_from(LedgerEntry)
        query = query.where(col(LedgerEntry.connection) == connection, col(LedgerEntry.target) == target)
        with self._database.read() as session:
            return int(session.scalar(query) or 0)

    def ledger_columns(
        self, connection: str, target: str, names: Sequence[str], *, after: int = -1, chunk: int = 50_000
    ) -> Iterator[Sequence[Sequence[Any]]]:
        """Yield columns of what a target last accepted, in chunks, for those who compare all of it.

        Args:
            connection, target: whose.
            names: the columns.
            after: only rows that were touched later than this.
            chunk: rows at once.
        """
        query = select(*(getattr(LedgerEntry, name) for name in names)).where(
            col(LedgerEntry.connection) == connection,
            col(LedgerEntry.target) == target,
            col(LedgerEntry.touched) > after,
        )
        with self._database.read() as session:
            for part in session.execute(query.execution_options(yield_per=chunk)).tuples().partitions():
                yield list(zip(*part, strict=True))

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

    def entries(self, deliveries: Sequence[Delivery]) -> Mapping[tuple[str, str, str], LedgerEntry]:
        """Return what the ledger knows of the rows of these deliveries, by connection, target and key."""
        found: dict[tuple[str, str, str], LedgerEntry] = {}
        with self._database.read() as session:
            for chunk in _chunks(deliveries):
                query = select(LedgerEntry).where(col(LedgerEntry.key).in_({one.key for one in chunk}))
                query = query.where(col(LedgerEntry.connection).in_({one.connection for one in chunk}))
                for entry in session.scalars(query):
                    found[entry.connection, entry.target, entry.key] = entry
        return found

    def failing(self) -> Mapping[str, Mapping[str, int]]:
        """Return how many rows of each sync are not as they should be, by the outcome of what was tried last."""
        query = (
            select(col(LedgerEntry.sync), col(LedgerEntry.outcome), func.count())
            .where(col(LedgerEntry.first_failed_at).is_not(None))
            .group_by(col(LedgerEntry.sync), col(LedgerEntry.outcome))
        )
        found: dict[str, dict[str, int]] = {}
        with self._database.read() as session:
            for sync, outcome, count in session.execute(query).tuples():
                found.setdefault(sync, {})[outcome] = count
        return found

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


def next_touch(session: Session, connection: str, target: str) -> int:
    """Return the number under which a transaction changes a target's ledger; the target's lease makes it unique."""
    query = select(func.max(col(LedgerEntry.touched)))
    query = query.where(col(LedgerEntry.connection) == connection, col(LedgerEntry.target) == target)
    return int(session.scalar(query) or 0) + 1


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


def _of_operation(plan: Plan, operation: Operation, digest: str) -> dict[str, object]:
    return {
        "connection": plan.connection,
        "target": plan.target,
        "key": operation.key,
        "customer_id": operation.customer_id,
        "operation": operation.kind.value,
        "payload_hash": digest,
        "code": "",
        "message": "",
        "request": "",
        "response": "",
    }


def _given_up(row: Delivery, reason: Outcome) -> Decided:
    kind = OperationKind(row.operation)
    operation = Operation(row.id, "", kind, row.key, {}, row.customer_id, row.remote_id)
    outcome = Outcome(row.id, OutcomeStatus.UNKNOWN, reason.code, reason.message)
    return Decided(operation, row.payload_hash, outcome)


def _outcome_values(item: Decided, now: dt.datetime) -> dict[str, object]:
    outcome = item.outcome
    failed = outcome.status in _FAILED
    return {
        "id": item.operation.id,
        "request": _request_of(item.operation) if failed else "",
        "response": storable(outcome.response) if failed else "",
        "outcome": outcome.status.value,
        "code": storable(outcome.code),
        "message": storable(outcome.message),
        "http_status": outcome.http_status,
        "remote_id": storable(outcome.remote_id),
        "decided_at": now,
    }


def _request_of(operation: Operation) -> str:
    """What was sent of a row that failed, as it may be shown: values that look personal are masked."""
    values = json.dumps(dict(operation.values), default=str, ensure_ascii=False)
    return storable(redact(values))[:_LONGEST_REQUEST]


def _booked(before: _Standing, plan: Plan, item: Decided, now: dt.datetime) -> dict[str, object]:
    """What is now known of the destination's row: the ledger entry's values."""
    operation, outcome = item.operation, item.outcome
    attempted = None if operation.kind is OperationKind.DELETE else item.payload_hash
    settled = outcome.status in _SETTLED
    again = before.attempted_hash == attempted
    # Without an answer the next try is the same operation; whoever answered may remember the id, so it is a new one.
    repeated = again and before.outcome == OutcomeStatus.UNKNOWN
    return {
        "connection": plan.connection,
        "target": plan.target,
        "key": operation.key,
        "sync": plan.sync,
        "customer_id": operation.customer_id,
        "accepted_hash": attempted if settled else before.accepted_hash,
        "attempted_hash": attempted,
        "doubtful": not settled and (before.doubtful or outcome.status is OutcomeStatus.UNKNOWN),
        "outcome": outcome.status.value,
        "code": storable(outcome.code),
        "remote_id": storable(outcome.remote_id) or before.remote_id,
        "version": before.version + (not repeated),
        "failures": 0 if settled else before.failures + 1 if again else 1,
        "first_failed_at": None if settled else (before.first_failed_at if again else None) or now,
        "changed_at": now,
    }
