"""The rows that a delivery and its outcome come to: what was sent, what became of it, what the other side now holds. Pure."""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import dataclass, fields

from hub.destination import Operation, OperationKind, Outcome, OutcomeStatus
from hub.redaction import redact
from hub.store.database import storable
from hub.store.tables import Delivery, LedgerEntry, Plan

__all__ = ["STANDING", "Decided", "Standing", "booked", "given_up", "of_operation", "outcome_values"]

_SETTLED = frozenset({OutcomeStatus.ACCEPTED, OutcomeStatus.UNCHANGED})
_FAILED = frozenset({OutcomeStatus.INVALID, OutcomeStatus.REJECTED, OutcomeStatus.UNKNOWN})
_LONGEST_REQUEST = 4_000


@dataclass(frozen=True, slots=True)
class Decided:
    """An operation, the hash of its values, and what became of it."""

    operation: Operation
    payload_hash: str
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class Standing:
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


STANDING = tuple(getattr(LedgerEntry, entry.name) for entry in fields(Standing))
"""Columns of the ledger that a :class:`Standing` is made of, in order."""


def of_operation(plan: Plan, operation: Operation, digest: str) -> dict[str, object]:
    """What a delivery is about: the values that stay the same from one attempt to the next."""
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


def given_up(row: Delivery, reason: Outcome) -> Decided:
    """A delivery nobody will hear of any more, as ``unknown``."""
    kind = OperationKind(row.operation)
    operation = Operation(row.id, "", kind, row.key, {}, row.customer_id, row.remote_id)
    outcome = Outcome(row.id, OutcomeStatus.UNKNOWN, reason.code, reason.message)
    return Decided(operation, row.payload_hash, outcome)


def outcome_values(item: Decided, now: dt.datetime) -> dict[str, object]:
    """The values of a delivery that its outcome gives it."""
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


def booked(before: Standing, plan: Plan, item: Decided, now: dt.datetime) -> dict[str, object]:
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
