"""Forget row logs that are older than they need be: runs, rejected rows, deliveries and their plans. Never cursors, ledger or packages."""

from __future__ import annotations

import datetime as dt

from sqlalchemy import CursorResult, Delete, delete, select
from sqlmodel import col

from hub.store.database import Database
from hub.store.tables import Delivery, Plan, RejectedRow, Run

__all__ = ["prune"]

_CHUNK = 5_000


def prune(database: Database, before: dt.datetime) -> int:
    """Delete rows from before an instant, a few thousand per transaction so that nobody waits long; return how many.

    What is still being sent stays, however old.
    """
    open_plans = select(col(Plan.id)).where(col(Plan.state) == "open")
    old_deliveries = (
        select(col(Delivery.id))
        .where(col(Delivery.intended_at) < before, col(Delivery.outcome) != "sending")
        .where(col(Delivery.plan_id).not_in(open_plans))
    )
    old_rejects = select(col(RejectedRow.id)).where(col(RejectedRow.at) < before)
    old_runs = select(col(Run.id)).where(col(Run.started_at) < before, col(Run.state) != "running")
    old_plans = select(col(Plan.id)).where(col(Plan.closed_at) < before, col(Plan.state) == "closed")
    deletions = (
        delete(Delivery).where(col(Delivery.id).in_(old_deliveries.limit(_CHUNK))),
        delete(RejectedRow).where(col(RejectedRow.id).in_(old_rejects.limit(_CHUNK))),
        delete(Run).where(col(Run.id).in_(old_runs.limit(_CHUNK))),
        delete(Plan).where(col(Plan.id).in_(old_plans.limit(_CHUNK))),
    )
    return sum(_delete(database, deletion) for deletion in deletions)


def _delete(database: Database, deletion: Delete) -> int:
    total = 0
    while True:
        with database.write() as session:
            result = session.execute(deletion)
            count = result.rowcount if isinstance(result, CursorResult) else 0
        total += count
        if count < _CHUNK:
            return total
