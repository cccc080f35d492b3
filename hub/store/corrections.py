"""Put the ledger right where the destination was found to differ, and forget what it accepted."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, cast

from sqlalchemy import CursorResult, func, insert, select, update
from sqlmodel import col

from hub.destination import OutcomeStatus
from hub.store.database import Database, storable
from hub.store.leases import HeldLease
from hub.store.push_ledger import next_touch
from hub.store.push_tables import SyncMapping
from hub.store.tables import LedgerEntry

__all__ = ["DRIFTED", "Correction", "Corrections"]

DRIFTED = "drifted"
"""Stands for the hash of values that the hub did not put there: it is no value's hash, so the next push says them again."""

_CHUNK = 500
"""Keys per IN list: below SQLite's old limit of 999 bound values."""


@dataclass(frozen=True, slots=True)
class Correction:
    """What a ledger entry must say.

    Attributes:
        key: the row's key.
        customer_id: the hub's id of the customer; empty when nobody is known under the key.
        accepted_hash: hash of what is there; :data:`DRIFTED` for values the hub did not put there, None for no row.
        remote_id: the destination's id of the row.
    """

    key: str
    customer_id: str
    accepted_hash: str | None
    remote_id: str | None = None


class Corrections:
    """Change ledger entries without a delivery."""

    def __init__(self, database: Database, now: Callable[[], dt.datetime]) -> None:
        self._database = database
        self._now = now

    def correct(
        self, connection: str, target: str, sync: str, corrections: Sequence[Correction], lease: HeldLease
    ) -> None:
        """Bring ledger entries to what was found; entries that are not there yet are made, for the sync.

        Args:
            connection, target, sync: whose entries.
            corrections: what they must say.
            lease: the target's lease.
        """
        where: dict[str, object] = {"connection": connection, "target": target}
        with self._database.write() as session:
            lease.confirm(session)
            where["touched"] = next_touch(session, connection, target)
            for start in range(0, len(corrections), _CHUNK):
                chunk = corrections[start : start + _CHUNK]
                known = set(
                    session.scalars(
                        select(col(LedgerEntry.key)).where(
                            col(LedgerEntry.connection) == connection,
                            col(LedgerEntry.target) == target,
                            col(LedgerEntry.key).in_([one.key for one in chunk]),
                        )
                    )
                )
                rows = [(one.key in known, where | _values(one, sync, self._now())) for one in chunk]
                if new := [row | {"version": 0} for is_known, row in rows if not is_known]:
                    session.execute(insert(LedgerEntry), new)
                if old := [row for is_known, row in rows if is_known]:
                    session.execute(update(LedgerEntry), old)

    def forget(self, connection: str, target: str, sync: str, lease: HeldLease) -> int:
        """Forget what was accepted of a sync's rows, and that others were refused; return how many rows are sent again."""
        mine = (
            col(LedgerEntry.connection) == connection,
            col(LedgerEntry.target) == target,
            col(LedgerEntry.sync) == sync,
        )
        there = col(LedgerEntry.accepted_hash).is_not(None)
        settled: dict[str, object] = {
            "outcome": OutcomeStatus.ACCEPTED.value,
            "failures": 0,
            "first_failed_at": None,
            "attempted_hash": DRIFTED,
        }
        with self._database.write() as session:
            lease.confirm(session)
            settled["touched"] = next_touch(session, connection, target)
            count = session.scalar(select(func.count()).select_from(LedgerEntry).where(*mine, there)) or 0
            session.execute(update(LedgerEntry).where(*mine, there).values(accepted_hash=DRIFTED, **settled))
            refused = col(LedgerEntry.outcome).in_(["rejected", "invalid", "suppressed"])
            result = session.execute(update(LedgerEntry).where(*mine, refused).values(**settled))
        return int(count) + int(cast("CursorResult[Any]", result).rowcount)

    def mapping(self, sync: str, connection: str, target: str) -> dict[str, Any] | None:
        """Return the mapping of a sync's last push to a target."""
        with self._database.read() as session:
            known = session.get(SyncMapping, (sync, connection, target))
            return None if known is None else known.mapped

    def keep_mapping(self, sync: str, connection: str, target: str, mapped: dict[str, Any]) -> None:
        """Keep the mapping of a sync's push."""
        with self._database.write() as session:
            session.merge(SyncMapping(sync=sync, connection=connection, target=target, mapped=mapped, at=self._now()))


def _values(one: Correction, sync: str, now: dt.datetime) -> dict[str, object]:
    return {
        "key": one.key,
        "sync": sync,
        "customer_id": one.customer_id,
        "accepted_hash": one.accepted_hash,
        "attempted_hash": one.accepted_hash,
        "doubtful": False,
        "outcome": OutcomeStatus.ACCEPTED.value,
        "code": "",
        "remote_id": storable(one.remote_id),
        "failures": 0,
        "first_failed_at": None,
        "changed_at": now,
    }
