"""Hand a sealed plan to its destination, batch by batch, with an outcome for every row.

Each batch is written down as ``sending`` before its call, and with its outcomes right after. A fault ends the sending: the
rows behind it are told as ``deferred`` and planned anew by the next run.
"""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from hub.chunks import chunks
from hub.crashpoints import crash_point
from hub.destination import Destination, Operation, OperationKind, Outcome, OutcomeStatus, Target
from hub.errors import HubError, PluginError
from hub.pipeline.handover import Handover
from hub.pipeline.push_hands import Hands
from hub.pipeline.push_plan_file import INVALID_BATCHES, PlannedRow, read_plan
from hub.pipeline.push_report import SyncReport
from hub.pipeline.push_select import HELD_REASONS
from hub.plugins import contained
from hub.progress import Progress
from hub.redaction import redact
from hub.store.deliveries import Decided, Deliveries
from hub.store.leases import HeldLease
from hub.store.tables import Plan

__all__ = ["Courier", "Round", "looked_up"]

_CHUNK = 5_000
"""Rows written down in one transaction."""

_INVALID_REASONS = {
    "no_key": "The customer has no {key} to be addressed by.",
    "key_shared": "Another customer has the same {key} and more profiles; see `hub explain`.",
    "value_missing": "The customer has no value for {field}, which must have one.",
}

_Pair = tuple[PlannedRow, Outcome]


@dataclass(frozen=True)
class Round:
    """Under what a courier works: who sends to whom, and where it is written down.

    Attributes:
        destination: who receives.
        target: what of it is written.
        key: kind of key the rows are addressed by.
        secrets: the connection's secrets, kept out of every message.
        sleep: waits that many seconds.
        deliveries: where intents and outcomes are written down.
        progress: told how far it has come.
        run_id: the run that sends.
        lease: the target's lease.
        report: gets the outcomes, and the fault that ended the sending.
        helpers: more destinations of the same connection, for a target that takes several batches at the same time.
    """

    destination: Destination
    target: Target
    key: str
    secrets: tuple[str, ...]
    sleep: Callable[[float], None]
    deliveries: Deliveries
    progress: Progress
    run_id: str
    lease: HeldLease
    report: SyncReport
    helpers: Sequence[Destination] = ()


class Courier:
    """Delivers one plan.

    Args:
        on: under what it works.
        plan: the sealed plan.
        file: the plan's file.
    """

    def __init__(self, on: Round, plan: Plan, file: Path) -> None:
        self.on = on
        self.plan = plan
        self.file = file
        where = f"{plan.connection}/{plan.target}"
        destinations = (on.destination, *on.helpers)
        handovers = [Handover(one, on.target, where, on.secrets, on.sleep) for one in destinations]
        self.handover = handovers[0]
        self.hands = Hands(handovers)
        self._counting = threading.Lock()

    def deliver(self) -> None:
        """Deliver every batch of a new plan; behind a fault, rows are put off."""
        with self.hands.at_work():
            for number, rows in self._with_progress():
                if number >= INVALID_BATCHES:
                    self._tell(number, rows, self._not_sendable)
                elif self.on.report.error is None:
                    self._send(number, rows)
                else:
                    self._tell(number, rows, self._put_off)

    def deliver_again(self, batches: Collection[int]) -> None:
        """Deliver these batches once more, with the same ids, until a fault."""
        with self.hands.at_work():
            for number, rows in self._with_progress():
                if number in batches and self.on.report.error is None:
                    self._send(number, rows)

    def look_up(self, batches: Collection[int]) -> None:
        """Ask the destination what became of the rows of these batches that have no outcome, and write it down."""
        for number, rows in self._batches():
            if number in batches:
                open_ids = self.on.deliveries.sending(self.plan, number)
                held = [row for row in rows if row.operation.id in open_ids]
                since = min(open_ids.values(), default=None)
                if since is not None:
                    outcomes = looked_up(self.on, [row.operation for row in held], since)
                    self._decide((row, outcomes[row.operation.id]) for row in held if row.operation.id in outcomes)

    def _with_progress(self) -> Iterator[tuple[int, Iterable[PlannedRow]]]:
        self.on.progress.start(self.plan.sync, self.plan.operations)
        try:
            yield from self._batches()
        finally:
            self.on.progress.finish(self.plan.sync)

    def _batches(self) -> Iterator[tuple[int, Iterable[PlannedRow]]]:
        return read_plan(str(self.file), self.plan.id, self.plan.connection, self.on.target)

    # Sending.

    def _send(self, number: int, rows: Iterable[PlannedRow]) -> None:
        if self.on.target.batch_size is None:
            self._send_whole(number)
            return
        held = list(rows)
        self.hands.give(lambda handover: self._send_batch(number, held, handover))

    def _send_batch(self, number: int, held: Sequence[PlannedRow], handover: Handover) -> None:
        if self.on.report.error is not None:  # while this batch waited for a free hand
            self._tell(number, held, self._put_off)
            return
        self._intend(number, held)
        crash_point("push.intended")
        outcomes = handover.send([row.operation for row in held])
        crash_point("push.sent")
        self._decide((row, outcomes[row.operation.id]) for row in held)
        if handover.error is not None:
            self._note(handover.error)
        crash_point("push.decided")

    def _send_whole(self, number: int) -> None:
        """Hand over the whole set in one call; its rows are read from the plan three times, never held."""
        for chunk in chunks((row for row in self._whole() if row.operation.kind is not OperationKind.KEEP), _CHUNK):
            self._intend(number, chunk)
        crash_point("push.intended")
        self._decide(self._paired(self.handover.outcomes_of(row.operation for row in self._whole())))
        if self.handover.error is not None:
            self._note(self.handover.error)
        crash_point("push.decided")

    def _whole(self) -> Iterator[PlannedRow]:
        for number, rows in self._batches():
            if number < INVALID_BATCHES:
                yield from rows

    def _paired(self, outcomes: Iterator[Outcome]) -> Iterator[_Pair]:
        """Put each row together with its outcome, which come in the same order."""
        for position, row in enumerate(self._whole()):
            outcome = next(outcomes, None)
            if position == 0:
                crash_point("push.sent")
            if outcome is not None and outcome.operation_id != row.operation.id:
                self.handover.error = _out_of_order(self.on.target)
                outcomes, outcome = iter(()), None
            yield row, outcome or self.handover.unanswered(row.operation)
        # The plugin may have work to do after its last outcome.
        if next(outcomes, None) is not None:
            self.handover.error = _out_of_order(self.on.target)

    def _note(self, error: HubError) -> None:
        self.on.report.error = self.on.report.error or error
        if error.code == "endpoint_gone":
            reason = redact(error.message, self.on.secrets)
            self.on.deliveries.switch_off(self.plan.connection, self.plan.target, error.code, reason)

    # Outcomes of rows the destination said nothing about.

    def _put_off(self, row: PlannedRow) -> Outcome:
        code = self.on.report.error.code if self.on.report.error else ""
        reason = "Not sent: the sync stopped before this row."
        return Outcome(row.operation.id, OutcomeStatus.DEFERRED, code, reason)

    def _not_sendable(self, row: PlannedRow) -> Outcome:
        if row.held_back:
            return Outcome(row.operation.id, OutcomeStatus.SUPPRESSED, row.code, HELD_REASONS[row.code])
        reason = _INVALID_REASONS[row.code].format(key=self.on.key, field=row.operation.values.get("field"))
        return Outcome(row.operation.id, OutcomeStatus.INVALID, row.code, reason)

    # Writing down.

    def _intend(self, number: int, rows: Sequence[PlannedRow]) -> None:
        operations = [(row.operation, row.hash) for row in rows]
        self.on.deliveries.intend(self.plan, number, operations, self.on.run_id, self.on.lease)

    def _decide(self, pairs: Iterable[_Pair]) -> None:
        changing = (pair for pair in pairs if pair[0].operation.kind is not OperationKind.KEEP)
        for decided in map(_decided, chunks(changing, _CHUNK)):
            self.on.deliveries.decide(self.plan, decided, self.on.lease)
            self._count(decided)

    def _tell(self, number: int, rows: Iterable[PlannedRow], reason: Callable[[PlannedRow], Outcome]) -> None:
        """Write down rows that are not sent."""
        for decided in map(_decided, chunks(((row, reason(row)) for row in rows), _CHUNK)):
            self.on.deliveries.tell(self.plan, number, decided, self.on.run_id, self.on.lease)
            self._count(decided)

    def _count(self, decided: Sequence[Decided]) -> None:
        with self._counting:
            self.on.report.count(item.outcome for item in decided)
            self.on.progress.advance(self.plan.sync, len(decided))


def looked_up(on: Round, operations: Sequence[Operation], since: dt.datetime) -> dict[str, Outcome]:
    """Ask a destination what became of operations; return what it could tell, by operation id.

    Raises:
        HubError: it cannot be asked now.
    """
    with contained(f"Looking up {on.target.name}", on.secrets):
        found = {one.operation_id: one for one in on.destination.look_up(on.target, operations, since)}
    told = {OutcomeStatus.ACCEPTED, OutcomeStatus.UNCHANGED, OutcomeStatus.DEFERRED}
    return {one.id: found[one.id] for one in operations if one.id in found and found[one.id].status in told}


def _out_of_order(target: Target) -> PluginError:
    return PluginError(
        f"Target {target.name} takes its rows in one call and did not give one outcome for each in their order.",
        code="contract_broken",
        hint="Report this to the plugin's author.",
    )


def _decided(pairs: Iterable[_Pair]) -> list[Decided]:
    return [Decided(row.operation, row.hash, outcome) for row, outcome in pairs]
