"""Put the hub's ledger and a destination in agreement: read the remote back, or say that it is as it is.

Three ways to do a full resync of a sync:

* :func:`reconcile` reads the destination back, shows where it differs from what the hub thinks it holds, and repairs both: the
  ledger at once, the destination by the ordinary push that follows, which also removes leavers the hub had put there;
* :func:`resend` forgets what was accepted, so that the next push sends every row again (leavers are removed all the same);
* :func:`adopt` takes what the sync wants for what the destination has, so that nothing of it is sent.

Rows that belong to another sync on the same target are left alone by all three.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import pyarrow as pa

from hub.chunks import chunks
from hub.context import Hub
from hub.destination import Destination, Mode, Operation, OperationKind, RemoteRow, Target
from hub.errors import ConfigError
from hub.pipeline.push import SyncPusher, current_snapshot, push, require_syncs
from hub.pipeline.push_report import SyncReport
from hub.plugins import contained
from hub.store.corrections import DRIFTED, Correction
from hub.store.leases import HeldLease
from hub.warehouse.engine import DuckDBEngine, literal

__all__ = ["Drift", "DriftReport", "LedgerReport", "adopt", "reconcile", "resend"]

_CHUNK = 5_000
_REMOTE = pa.schema([("key", pa.string()), ("row", pa.string())])


@dataclass
class Drift:
    """How many rows are how; only ``same`` and ``pending`` rows are as they should be.

    Attributes:
        same: the destination has what the sync wants.
        pending: an ordinary push is due anyway: new, changed, or refused before.
        missing: the hub had put it there, and it is gone.
        different: it is there with other values than were accepted.
        already_there: it is there as wanted, and the hub did not know.
        leavers: should be gone (the hub put it there once), and is still there.
        gone: had left the selection and is gone from the destination too; the hub thought it was there.
        left_alone: left the selection of a sync that does not remove, and is still there.
        unknown: at the destination, and never put there by the hub.
    """

    same: int = 0
    pending: int = 0
    missing: int = 0
    different: int = 0
    already_there: int = 0
    leavers: int = 0
    gone: int = 0
    left_alone: int = 0
    unknown: int = 0

    @property
    def drifted(self) -> int:
        """Rows about which hub and destination disagree."""
        return self.missing + self.different + self.already_there + self.leavers + self.gone


@dataclass
class DriftReport:
    """What reconciling found, and what it did.

    Attributes:
        sync: its name.
        remote_rows: rows that were read back.
        drift: the findings by kind.
        sample: a few keys of each kind of drift.
        corrected: ledger entries that were put right.
        pushed: the push that repaired the destination, if one was asked for.
    """

    sync: str
    remote_rows: int = 0
    drift: Drift = field(default_factory=Drift)
    sample: dict[str, list[dict[str, object]]] = field(default_factory=dict)
    corrected: int = 0
    pushed: SyncReport | None = None


@dataclass
class LedgerReport:
    """How many of a sync's ledger entries :func:`resend` or :func:`adopt` changed."""

    sync: str
    rows: int = 0


def reconcile(hub: Hub, sync: str, *, repair: bool = False, remove_unknown: bool = False) -> DriftReport:
    """Read a sync's target back and show where it differs; with ``repair`` put both sides right.

    Args:
        hub: the opened hub.
        sync: its name.
        repair: correct the ledger and push, so that what drifted is sent again and leavers are removed.
        remove_unknown: with ``repair``, remove what the hub never put there too (only of a sync that mirrors).

    Raises:
        ConfigError: no such sync, no snapshot, or the target cannot be read back.
        HubError: the destination could not be read to its end; nothing was changed.
    """
    with _alone(hub, sync) as (pusher, lease):
        _require_readable(pusher)
        report = DriftReport(sync)
        with hub.workbench() as engine:
            reader = _Reader(pusher, engine, report, remove_unknown=remove_unknown)
            for chunk in chunks(reader.corrections(), _CHUNK):
                if repair:
                    hub.store.corrections.correct(pusher.sync.to, pusher.sync.target, sync, chunk, lease)
                    report.corrected += len(chunk)
        if repair:
            hub.store.audit("sync_reconciled", sync, {"corrected": report.corrected, "remote_rows": report.remote_rows})
    if repair:
        report.pushed = push(hub, [sync]).syncs[0]
    return report


def resend(hub: Hub, sync: str) -> LedgerReport:
    """Forget what a sync's target accepted: the next push sends every row again, and removes leavers.

    Raises:
        ConfigError: no such sync; or the target's operations must not be repeated.
    """
    with _alone(hub, sync) as (pusher, lease):
        if not pusher.target.idempotent:
            raise ConfigError(
                f"Target {pusher.sync.target} books every operation it gets; sending all rows again would book them twice.",
                code="target_not_repeatable",
                hint="Correct single rows on the platform, or write to another target.",
            )
        rows = hub.store.corrections.forget(pusher.sync.to, pusher.sync.target, sync, lease)
        hub.store.audit("sync_resend", sync, {"rows": rows})
    return LedgerReport(sync, rows)


def adopt(hub: Hub, sync: str) -> LedgerReport:
    """Take what a sync wants now for what its destination has: nothing of it is sent until it changes.

    For a destination that somebody else has filled, or a mapping whose change does not matter there.
    """
    with _alone(hub, sync) as (pusher, lease), hub.workbench() as engine:
        pusher.planner(engine)
        report = LedgerReport(sync)
        rows = engine.batches(
            "SELECT key, customer_id, hash, remote_id FROM work WHERE kind IN ('create', 'update', 'wait') AND hash <> ''"
        )
        for batch in rows:
            chunk = [
                Correction(row["key"], row["customer_id"], row["hash"], row["remote_id"]) for row in batch.to_pylist()
            ]
            hub.store.corrections.correct(pusher.sync.to, pusher.sync.target, sync, chunk, lease)
            report.rows += len(chunk)
        hub.store.audit("sync_adopted", sync, {"rows": report.rows})
    return report


@contextmanager
def _alone(hub: Hub, sync: str) -> Iterator[tuple[SyncPusher, HeldLease]]:
    """Hold a sync's target, so that no push is under way meanwhile."""
    require_syncs(hub, [sync])
    snapshot = current_snapshot(hub)
    with hub.destination(hub.settings.syncs[sync].to) as destination:
        pusher = SyncPusher(hub, sync, snapshot, destination, SyncReport(sync))
        with pusher.alone() as lease:
            yield pusher, lease


def _require_readable(pusher: SyncPusher) -> None:
    if pusher.sync.sync_mode.removes_selected:
        raise ConfigError(
            f"Sync {pusher.name} removes what it selects; there is nothing to compare.",
            code="target_unreadable",
            hint=f"To remove every selected row again: hub sync resend {pusher.name}",
        )
    if not pusher.target.readable:
        raise ConfigError(
            f"Target {pusher.sync.to}/{pusher.sync.target} cannot be read back.",
            code="target_unreadable",
            hint=f"To send every row again: hub sync resend {pusher.name}",
        )


class _Reader:
    """Compares what the sync wants, what the ledger knows and what the destination has, key by key in order."""

    def __init__(self, pusher: SyncPusher, engine: DuckDBEngine, report: DriftReport, *, remove_unknown: bool) -> None:
        self.pusher = pusher
        self.engine = engine
        self.report = report
        self.remove_unknown = remove_unknown
        self.removes = pusher.sync.sync_mode is Mode.MIRROR
        self.only_creates = pusher.sync.sync_mode in {Mode.INSERT, Mode.ADD}
        self.destination: Destination = pusher.destination
        self.target: Target = pusher.target

    def corrections(self) -> Iterator[Correction]:
        """Yield what the ledger must be corrected to; the report is complete when they have been used up."""
        self.pusher.planner(self.engine)
        self._load_remote()
        with contained(f"Comparing {self.pusher.sync.to}/{self.target.name}", self.pusher.secrets):
            for batch in self.engine.batches(_compared_sql(self.pusher.name), rows=_CHUNK):
                for row in batch.to_pylist():
                    yield from self._judge(row)

    def _load_remote(self) -> None:
        self.engine.execute("CREATE OR REPLACE TEMP TABLE remote (key VARCHAR, row VARCHAR)")
        with contained(f"Reading {self.pusher.sync.to}/{self.target.name} back", self.pusher.secrets):
            for chunk in chunks(self.destination.read_back(self.target), _CHUNK):
                rows = {"key": [row.key for row in chunk], "row": [_packed(row) for row in chunk]}
                with self.engine.register({"remote_chunk": pa.table(rows, schema=_REMOTE)}):
                    self.engine.execute("INSERT INTO remote BY NAME FROM remote_chunk")
                self.report.remote_rows += len(chunk)

    def _judge(self, row: Mapping[str, Any]) -> Iterator[Correction]:
        remote = [_unpacked(row["key"], text) for text in row["remote"] or ()]
        found, correction = self._wanted(row, remote) if row["hash"] else self._unwanted(row, remote)
        if found:
            setattr(self.report.drift, found, getattr(self.report.drift, found) + 1)
            self._keep_sample(found, row)
        if correction is not None:
            yield correction

    def _wanted(self, row: Mapping[str, Any], remote: list[RemoteRow]) -> tuple[str, Correction | None]:
        """Judge a key that the sync wants: a name of :class:`Drift`, and what the ledger should say."""
        known, wanted = row["accepted_hash"], row["hash"]
        if self.destination.holds(self.target, _operation(row), remote):
            if known == wanted and not row["doubtful"]:
                return "same", None
            return "already_there", _correction(row, wanted, remote)
        if self.destination.holds(self.target, None, remote):
            if known is None and not row["doubtful"]:
                return "pending", None
            return "missing", _correction(row, None, remote)
        if self.only_creates:
            return ("same", None) if known else ("already_there", _correction(row, wanted, remote))
        if known == wanted:
            return "different", _correction(row, DRIFTED, remote)
        # Other values are due anyway; that the row is there makes an update of it.
        return "pending", None if known else _correction(row, DRIFTED, remote)

    def _unwanted(self, row: Mapping[str, Any], remote: list[RemoteRow]) -> tuple[str, Correction | None]:
        """Judge a key that the sync does not want."""
        known, absent = row["accepted_hash"], self.destination.holds(self.target, None, remote)
        if row["customer_id"] is None or row["never_sent"]:
            if absent:
                return "", None
            take = self.remove_unknown and self.removes
            return "unknown", _correction(row, DRIFTED, remote) if take else None
        if absent:
            return ("gone", _correction(row, None, remote)) if known or row["doubtful"] else ("", None)
        if not self.removes:
            return "left_alone", None
        # What the hub knows to be there is removed by the ordinary push.
        return ("pending", None) if known else ("leavers", _correction(row, DRIFTED, remote))

    def _keep_sample(self, found: str, row: Mapping[str, Any], most: int = 5) -> None:
        kept = self.report.sample.setdefault(found, [])
        if found != "same" and len(kept) < most:
            kept.append({"key": row["key"], "customer_id": row["customer_id"]})


def _compared_sql(sync: str) -> str:
    """Every key with what is wanted, known and there, in order; rows of other syncs on the target are left out."""
    return f"""
        SELECT key, coalesce(d.customer_id, l.customer_id) AS customer_id, d.values, d.hash, l.accepted_hash,
               coalesce(l.doubtful, false) AS doubtful, l.remote_id, r.rows AS remote,
               l.key IS NOT NULL AND l.accepted_hash IS NULL AND l.attempted_hash IS NOT NULL AND NOT l.doubtful AS never_sent
        FROM desired AS d
        FULL JOIN (FROM ledger WHERE key NOT LIKE '~%') AS l USING (key)
        FULL JOIN (SELECT key, list(row) AS rows FROM remote GROUP BY key) AS r USING (key)
        WHERE d.key IS NOT NULL OR coalesce(l.sync, {literal(sync)}) = {literal(sync)}
        ORDER BY key"""


def _operation(row: Mapping[str, Any]) -> Operation:
    values = json.loads(row["values"], parse_float=Decimal)
    return Operation("", "", OperationKind.UPDATE, row["key"], values, row["customer_id"], row["remote_id"])


def _correction(row: Mapping[str, Any], accepted: str | None, remote: Iterable[RemoteRow]) -> Correction:
    remote_id = next((found.remote_id for found in remote if found.remote_id), None)
    return Correction(row["key"], row["customer_id"] or "", accepted, remote_id or row["remote_id"])


def _packed(row: RemoteRow) -> str:
    return json.dumps([dict(row.values), row.remote_id], default=str, ensure_ascii=False)


def _unpacked(key: str, text: str) -> RemoteRow:
    values, remote_id = json.loads(text, parse_float=Decimal)
    return RemoteRow(key, values, remote_id)
