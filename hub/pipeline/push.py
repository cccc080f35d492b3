"""Send what changed to every destination, with an outcome for every row.

A sync's plan is sealed before anything is sent; each batch is written down as ``sending`` before its call and with its
outcomes right after. A process that dies in between leaves rows that are ``sending``: the next run sends them again with
the same ids if the target is idempotent, and reports them as ``unknown`` if it is not.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path

from hub.context import Hub
from hub.crashpoints import crash_point
from hub.destination import Destination, Outcome, OutcomeStatus, Target
from hub.errors import ConfigError, DeferError, HubError, StreamError
from hub.pipeline.courier import Courier, Round
from hub.pipeline.publish import snapshot_views
from hub.pipeline.push_check import check_sync, shrinks
from hub.pipeline.push_doubt import look_up_killed, look_up_unknown
from hub.pipeline.push_mapping import dumped
from hub.pipeline.push_notices import Notices
from hub.pipeline.push_plan import Planner
from hub.pipeline.push_report import PushReport, SyncReport
from hub.pipeline.push_select import Policy
from hub.pipeline.segment import segments_of
from hub.plugins import contained
from hub.storage import make_durable
from hub.store.leases import HeldLease
from hub.store.runs import OpenRun
from hub.store.tables import Plan, Snapshot
from hub.sync_settings import SyncSettings, quiet_until
from hub.warehouse.engine import DuckDBEngine

__all__ = ["PushReport", "SyncPusher", "SyncReport", "current_snapshot", "push", "require_syncs"]

_CHUNK = 5_000
_INTERRUPTED = Outcome("", OutcomeStatus.UNKNOWN, "interrupted", "The hub stopped while this was being sent.")


def push(hub: Hub, syncs: Sequence[str] = (), *, dry_run: bool = False) -> PushReport:
    """Bring every destination up to the current snapshot.

    Args:
        hub: the opened hub.
        syncs: names; every enabled sync when empty.
        dry_run: only plan; nothing is written or sent.

    Returns:
        What happened, sync by sync. A sync that fails does not stop the others.

    Raises:
        ConfigError: a name is not known, or there is no snapshot yet.
    """
    require_syncs(hub, syncs)
    snapshot = current_snapshot(hub)
    names = list(syncs) or [name for name, sync in hub.settings.syncs.items() if sync.enabled]
    found = dict(_in_parallel(hub, names, lambda name: _push_one(hub, name, snapshot, dry_run=dry_run)))
    return PushReport([found[name] for name in names], dry_run)


def _in_parallel(hub: Hub, names: Sequence[str], work: Callable[[str], SyncReport]) -> Iterator[tuple[str, SyncReport]]:
    """Push the syncs of each connection one after the other, and so many connections at the same time."""
    by_connection: dict[str, list[str]] = {}
    for name in names:
        by_connection.setdefault(hub.settings.syncs[name].to, []).append(name)
    workers = min(hub.settings.push.workers, len(by_connection))
    if workers <= 1:
        yield from ((name, work(name)) for name in names)
        return
    with ThreadPoolExecutor(workers, thread_name_prefix="push") as pool:
        parts = pool.map(lambda of: [(name, work(name)) for name in of], by_connection.values())
        for part in parts:
            yield from part


def require_syncs(hub: Hub, syncs: Sequence[str]) -> None:
    """Make sure that ``hub.toml`` has these syncs.

    Raises:
        ConfigError: it has not.
    """
    unknown = [name for name in syncs if name not in hub.settings.syncs]
    if unknown:
        known = ", ".join(hub.settings.syncs) or "none"
        raise ConfigError(f"There is no sync {unknown[0]!r}.", code="sync_unknown", hint=f"hub.toml has: {known}.")


def current_snapshot(hub: Hub) -> Snapshot:
    """Return the snapshot that is pushed.

    Raises:
        ConfigError: nothing was published yet.
    """
    snapshot = hub.store.snapshots.current()
    if snapshot is None:
        raise ConfigError("There is no snapshot to push.", code="snapshot_missing", hint="Run `hub publish` first.")
    return snapshot


def _push_one(hub: Hub, name: str, snapshot: Snapshot, *, dry_run: bool) -> SyncReport:
    report = SyncReport(name)
    try:
        with hub.destination(hub.settings.syncs[name].to) as destination:
            SyncPusher(hub, name, snapshot, destination, report).push(dry_run=dry_run)
    except HubError as error:
        report.error = error
        report.state = "skipped" if isinstance(error, DeferError) else "failed"
        if report.run_id is None and report.state == "failed" and not dry_run:
            _put_on_record(hub, report)
    if not dry_run:
        Notices(hub).ended(report)
    return report


def _put_on_record(hub: Hub, report: SyncReport) -> None:
    """Record a sync that failed before its run began: its plugin did not open, its target is not there."""
    with hub.store.runs.open("push", report.sync) as run:
        report.run_id = run.id
        if report.error is not None:
            run.fail(report.error)


class SyncPusher:
    """Pushes one sync.

    Args:
        hub: the opened hub.
        name: the sync's name.
        snapshot: what is pushed.
        destination: who receives.
        report: gets what happened.

    Raises:
        ConfigError: the connection has no such target.
    """

    def __init__(self, hub: Hub, name: str, snapshot: Snapshot, destination: Destination, report: SyncReport) -> None:
        self.hub = hub
        self.name = name
        self.sync: SyncSettings = hub.settings.syncs[name]
        self.secrets = hub.connection(self.sync.to).secrets
        self.snapshot = snapshot
        self.destination = destination
        self.report = report
        self.target = self._target()

    def _target(self) -> Target:
        with contained(f"Listing the targets of {self.sync.to}", self.secrets):
            targets = {target.name: target for target in self.destination.targets()}
        if self.sync.target not in targets:
            raise ConfigError(
                f"Connection {self.sync.to!r} has no target {self.sync.target!r}.",
                hint=f"It has: {', '.join(targets) or 'none'}.",
                context={"file": "hub.toml", "key": f"syncs.{self.name}.target"},
            )
        return targets[self.sync.target]

    def alone(self) -> AbstractContextManager[HeldLease]:
        """Hold the target for a block: two syncs on one target share its ledger, so they take turns."""
        return self.hub.store.leases.hold(f"push {self.sync.to}/{self.sync.target}")

    def push(self, *, dry_run: bool) -> None:
        """Plan, and unless it is a dry run settle what is open and deliver."""
        if dry_run:
            with self.hub.workbench() as engine:
                self.report.planned = self.planner(engine).counts()
            return
        with self.alone() as lease:
            self.hub.store.runs.interrupt_leftovers("push", self.name)
            with self.hub.store.runs.open("push", self.name, as_of=self.snapshot.as_of) as run:
                self.report.run_id = run.id
                Notices(self.hub).started(self.name, run.id)
                self._require_on()
                self._require_loud_hours()
                self._recover(run, lease)
                if self.report.error is None:
                    self._look_up(run, lease)
                    self._plan_and_deliver(run, lease)
                self._finish(run)

    def _require_on(self) -> None:
        state = self.hub.store.deliveries.target_state(self.sync.to, self.sync.target)
        if state is not None:
            raise StreamError(
                f"Target {self.sync.to}/{self.sync.target} is switched off since {state.since:%Y-%m-%d %H:%M} UTC: "
                f"{state.reason}",
                code="target_off",
                hint=f"When it is mended: hub sync on {self.name}",
            )

    def planner(self, engine: DuckDBEngine) -> Planner:
        """Compare what the sync wants now with what its target has, in a workbench."""
        snapshot_views(self.hub, engine, self.snapshot)
        columns = {**engine.columns("customers"), **engine.columns("traits")}
        check_sync(self.name, self.sync, self.target, columns, set(segments_of(self.hub)))
        planner = Planner(engine, self.hub.store, self.name, self.sync, self.target, self._policy())
        if planner.minds_remote:
            with contained(f"Reading {self.sync.to}/{self.sync.target} back", self.secrets):
                planner.mind_remote(self.destination.read_back(self.target))
        return planner

    def _policy(self) -> Policy:
        channels = {name: sync.channel for name, sync in self.hub.settings.syncs.items() if sync.channel}
        return Policy(
            self.hub.settings.push,
            channels,
            self.hub.now(),
            frozenset(segments_of(self.hub)),
            self.hub.settings.home / "ledgers",
        )

    def _require_loud_hours(self) -> None:
        """Put the sync off while people sleep."""
        sync, local = self.sync, self.hub.now().astimezone(self.hub.settings.zone)
        period = sync.quiet_hours or (self.hub.settings.push.quiet_hours if sync.channel else "")
        until = quiet_until(period, local)
        if until is not None:
            raise DeferError(
                f"Sync {self.name} keeps quiet until {until:%H:%M}.",
                until=(until - local).total_seconds(),
                code="quiet_hours",
            )

    # What a killed run left.

    def _recover(self, run: OpenRun, lease: HeldLease) -> None:
        """Settle what killed runs left open; the rest of their plans is planned anew, with today's values."""
        plans = self.hub.store.deliveries.open_plans(self.name, self.sync.to, self.sync.target)
        known = {self._file(plan) for plan in plans}
        for file in self._folder(self.name).glob("*.parquet"):
            if file not in known:
                file.unlink()  # written by a run that was killed before it was sealed
        for plan in plans:
            self._settle(plan, run, lease)
            if self.report.error is not None:
                return
            self._close(plan, lease)

    def _settle(self, plan: Plan, run: OpenRun, lease: HeldLease) -> None:
        undecided = self.hub.store.deliveries.undecided(plan)
        if not undecided:
            return
        self.report.recovered += sum(undecided.values())
        same = (plan.connection, plan.target) == (self.sync.to, self.sync.target)
        # The plan's file may be on the disk of another machine. What is unknown there is planned again by the diff.
        if same and self._file(plan).exists():
            courier = self._courier(plan, run, lease)
            if self.target.idempotent:
                courier.deliver_again(undecided)
                return
            if self.target.can_look_up and (why_not := look_up_killed(courier, list(undecided))):
                run.notes.append(why_not)
        self.report.add(OutcomeStatus.UNKNOWN, self.hub.store.deliveries.give_up(plan, _INTERRUPTED, lease))

    def _look_up(self, run: OpenRun, lease: HeldLease) -> None:
        """Ask the destination about rows whose outcome is unknown, so that they need not wait for a person."""
        if not self.target.can_look_up or not self.hub.store.deliveries.in_doubt(self.sync.to, self.sync.target):
            return
        with self.hub.workbench() as engine:
            plan = self._plan("", run, "", 0, 0)
            why_not = look_up_unknown(self._round(run, lease), self.planner(engine), plan, self.hub.now())
        if why_not:
            run.notes.append(why_not)

    # What is new.

    def _plan_and_deliver(self, run: OpenRun, lease: HeldLease) -> None:
        plan = self._seal(run, lease)
        if plan is not None:
            with ExitStack() as opened:
                many = min(self.sync.workers, plan.batches)
                helpers = [opened.enter_context(self.hub.destination(self.sync.to)) for _ in range(many - 1)]
                Courier(self._round(run, lease, helpers), plan, self._file(plan)).deliver()
            self._close(plan, lease)

    def _seal(self, run: OpenRun, lease: HeldLease) -> Plan | None:
        """Write down what is to be sent; None when there is nothing."""
        identifier = uuid.uuid4().hex
        with self.hub.workbench() as engine:
            planner = self.planner(engine)
            self.report.planned = planner.counts()
            self._require_enough_left()
            planner.selector.record_groups()
            for chunk in planner.settled(_CHUNK):
                self.hub.store.corrections.correct(self.sync.to, self.sync.target, self.name, chunk, lease)
            self.hub.store.corrections.keep_mapping(self.name, self.sync.to, self.sync.target, dumped(self.sync))
            run.notes += self.report.planned.notes
            if not self.report.planned.to_do:
                return None
            self._folder(self.name).mkdir(parents=True, exist_ok=True)
            path = self._folder(self.name) / f"{identifier}.parquet"
            operations, batches = planner.write(path)
        make_durable(path)
        make_durable(path.parent)
        crash_point("push.planned")
        plan = self._plan(identifier, run, path.name, operations, batches)
        self.hub.store.deliveries.seal(plan, lease)
        crash_point("push.sealed")
        return plan

    def _require_enough_left(self) -> None:
        if too_many := shrinks(self.sync, self.report.planned):
            raise StreamError(
                too_many,
                code="shrink_guard",
                hint=f"Nothing was sent. If it is meant, raise syncs.{self.name}.max_removed_share for one push.",
            )

    def _plan(self, identifier: str, run: OpenRun, location: str, operations: int, batches: int) -> Plan:
        return Plan(
            id=identifier,
            sync=self.name,
            connection=self.sync.to,
            target=self.sync.target,
            run_id=run.id,
            location=location,
            snapshot_id=self.snapshot.id,
            operations=operations,
            batches=batches,
            sealed_at=self.hub.now(),
        )

    def _courier(self, plan: Plan, run: OpenRun, lease: HeldLease) -> Courier:
        return Courier(self._round(run, lease), plan, self._file(plan))

    def _round(self, run: OpenRun, lease: HeldLease, helpers: Sequence[Destination] = ()) -> Round:
        return Round(
            destination=self.destination,
            target=self.target,
            key=self.sync.key,
            secrets=self.secrets,
            sleep=self.hub.sleep,
            deliveries=self.hub.store.deliveries,
            progress=self.hub.progress,
            run_id=run.id,
            lease=lease,
            report=self.report,
            helpers=helpers,
        )

    def _close(self, plan: Plan, lease: HeldLease) -> None:
        self.hub.store.deliveries.close(plan, lease)
        self._file(plan).unlink(missing_ok=True)

    def _folder(self, sync: str) -> Path:
        return self.hub.settings.home / "plans" / sync

    def _file(self, plan: Plan) -> Path:
        return self._folder(plan.sync) / plan.location

    def _finish(self, run: OpenRun) -> None:
        report = self.report
        # One bad row among many good ones is no failure on the day either on which it is the only one to be tried.
        whole = report.rows
        run.add(unchanged=report.planned.unchanged, waiting=report.planned.waiting)
        if report.planned.given_up:
            run.add(given_up=report.planned.given_up)
        run.add(**report.outcomes)
        if report.error is not None:
            run.fail(report.error)
        elif report.failed_rows > min(whole * self.sync.max_failed_share, self.sync.max_failed_rows):
            run.state = "failed"
            run.notes.append(f"{report.failed_rows} of {whole} rows failed; see `hub deliveries --sync {self.name}`.")
        elif report.failed_rows:
            run.state = "partial"
        report.state = run.state
