"""Find out what became of rows whose outcome is unknown, where the destination can tell.

A target that is not idempotent gets no operation twice. What a killed run or a lost answer left open is looked up at the
destination: what was done is accepted, what was not is planned again.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

from hub.destination import Operation, OperationKind, OutcomeStatus
from hub.errors import HubError
from hub.pipeline.courier import Courier, Round, looked_up
from hub.pipeline.push_plan import Planner
from hub.store.deliveries import Decided
from hub.store.tables import Delivery, Plan

__all__ = ["look_up_killed", "look_up_unknown"]

_LONGEST = dt.timedelta(days=31)
"""Platforms show so much of their ledgers; what is older stays unknown until a person decides."""
_AT_ONCE = 500


def look_up_killed(courier: Courier, batches: list[int]) -> str:
    """Look up the rows of a killed run's batches; return why it could not be done, or nothing."""
    try:
        courier.look_up(batches)
    except HubError as error:
        return f"What a killed run had sent could not be looked up: {error.message}"
    return ""


def look_up_unknown(on: Round, planner: Planner, plan: Plan, now: dt.datetime) -> str:
    """Look up the rows whose outcome is unknown from earlier runs; return why it could not be done, or nothing.

    Args:
        on: under what the sync works.
        planner: knows the values that are wanted now.
        plan: names sync, connection and target.
        now: the present instant.
    """
    since = now - _LONGEST
    for rows in on.deliveries.unknown(plan.connection, plan.target, since, _AT_ONCE):
        values = planner.values_of([row.key for row in rows])
        held = {row.id: (row, _operation(row, values.get(row.key))) for row in rows}
        try:
            found = looked_up(on, [operation for _, operation in held.values()], min(row.intended_at for row in rows))
        except HubError as error:
            return f"Rows whose outcome is unknown could not be looked up: {error.message}"
        decided = [
            Decided(operation, row.payload_hash, found[row.id]) for row, operation in held.values() if row.id in found
        ]
        on.deliveries.decide(plan, decided, on.lease)
        not_done = [one.operation for one in decided if one.outcome.status is OutcomeStatus.DEFERRED]
        on.deliveries.not_done(plan, not_done, on.lease)
        on.report.looked_up += len(decided)
    return ""


def _operation(row: Delivery, wanted: tuple[str, Mapping[str, Any]] | None) -> Operation:
    """Return an operation as it was sent; its values are known if they are what the sync wants still."""
    values = wanted[1] if wanted is not None and wanted[0] == row.payload_hash else {}
    return Operation(row.id, "", OperationKind(row.operation), row.key, values, row.customer_id, row.remote_id)
