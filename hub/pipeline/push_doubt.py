"""Find out what became of rows whose outcome is unknown, where the destination can tell.

A target that is not idempotent gets no operation twice. What a killed run or a lost answer left open is looked up at the
destination: what was done is accepted, what was not is planned again.
"""

from __future__ import annotations

import datetime as dt

from hub.destination import OutcomeStatus
from hub.errors import HubError
from hub.pipeline.courier import Courier, Round, looked_up
from hub.pipeline.push_plan import Planner
from hub.store.deliveries import Decided
from hub.store.tables import Plan

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
        planner: knows the rows that wait because their outcome is unknown.
        plan: names sync, connection and target.
        now: the present instant.
    """
    for rows in planner.in_doubt(_AT_ONCE):
        intended = on.deliveries.intended_at([row.operation.id for row in rows])
        held = [row for row in rows if intended.get(row.operation.id, now - 2 * _LONGEST) > now - _LONGEST]
        if not held:
            continue
        since = min(intended[row.operation.id] for row in held)
        try:
            found = looked_up(on, [row.operation for row in held], since)
        except HubError as error:
            return f"Rows whose outcome is unknown could not be looked up: {error.message}"
        decided = [
            Decided(row.operation, row.hash, found[row.operation.id]) for row in held if row.operation.id in found
        ]
        on.deliveries.decide(plan, decided, on.lease)
        not_done = [one.operation for one in decided if one.outcome.status is OutcomeStatus.DEFERRED]
        on.deliveries.not_done(plan, not_done, on.lease)
        on.report.looked_up += len(decided)
    return ""
