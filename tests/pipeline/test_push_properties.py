"""Whatever goes wrong on the way, in the end the destination holds what the last snapshot says."""

from __future__ import annotations

import tempfile
from collections import Counter
from contextlib import suppress
from pathlib import Path

import pytest
from crm import AUDIENCE, POINTS, SYNC, Crm, Person, Wall, accepted, desk, publish_people, rejected
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from hub.context import Hub
from hub.destination import Operation, OperationKind, Outcome
from hub.errors import DeferError, RetryError, RowError
from hub.pipeline.push import SyncReport, push

KEYS = "abcd"
populations = st.dictionaries(st.sampled_from(KEYS), st.sampled_from(["gold", "silver"]))
faults = st.lists(st.sampled_from(["fine", "refused", "not sent", "lost", "put off", "bug"]), max_size=8)
rounds = st.lists(st.tuples(populations, faults), min_size=1, max_size=3)

# An example is a whole story with databases of its own: few of them, and none again to make a failing one shorter.
FEW = settings(max_examples=4, deadline=None, phases=(Phase.explicit, Phase.generate))

ERRORS = {
    "not sent": RetryError("no connection", sent=False),
    "lost": RetryError("time-out"),
    "put off": DeferError("quota spent"),
    "bug": KeyError("name"),
}


class Weather:
    """What happens to each operation in turn; fine when the programme is over."""

    def __init__(self, programme: list[str]) -> None:
        self.programme = iter(programme)
        self.now = "fine"

    def answer(self, operation: Operation) -> Outcome:
        """Before the platform does anything."""
        self.now = next(self.programme, "fine")
        if self.now in {"not sent", "put off"}:
            raise ERRORS[self.now]
        # What was taken before is taken again.
        refused = self.now == "refused" and operation.kind is not OperationKind.KEEP
        return rejected(operation) if refused else accepted(operation)

    def after(self, operation: Operation) -> Outcome:
        """After the platform has done it."""
        if self.now in {"lost", "bug"}:
            raise ERRORS[self.now]
        return accepted(operation)


def tell(folder: Path, sync: str, story: list[tuple[dict[str, str], list[str]]]) -> tuple[Crm, dict[str, str]]:
    """Live through a story, an hour a round; return the platform and the last outcome of each key."""
    crm, clock = Crm(folder / "crm.db"), Wall()
    with desk(folder, crm, sync, clock=clock) as hub:
        for people, programme in story:
            weather = Weather(programme)
            crm.answer, crm.after = weather.answer, weather.after
            publish_people(hub, [Person(key, level) for key, level in people.items()])
            push(hub)
            clock.advance(hours=1)
        crm.answer, crm.after = accepted, accepted
        for _ in range(2):
            clock.advance(days=1)
            push(hub)
        sending = hub.store.deliveries.find(outcome="sending")
        assert not sending
        target = hub.settings.syncs["sync1"].target
        chunks = hub.store.ledger.entries("crm", target)
        return crm, {entry.key: entry.outcome for chunk in chunks for entry in chunk}


@pytest.mark.parametrize("sync", [SYNC, AUDIENCE])
@FEW
@given(story=rounds)
def test_an_idempotent_target_ends_as_the_last_snapshot_says(
    sync: str, story: list[tuple[dict[str, str], list[str]]]
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        crm, outcomes = tell(Path(folder), sync, story)
        wanted = {key: {"level": level} for key, level in story[-1][0].items()}
        assert crm.holds("people" if sync is SYNC else "audience") == wanted
        assert {outcomes[key] for key in wanted} <= {"accepted"}
        crm.close()


@FEW
@given(story=rounds)
def test_a_target_that_must_not_repeat_gets_every_operation_once_at_most(
    story: list[tuple[dict[str, str], list[str]]],
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        crm, outcomes = tell(Path(folder), POINTS, story)
        told = Counter(crm.ids("points"))
        assert set(told.values()) <= {1}
        wanted = {key: {"level": level} for key, level in story[-1][0].items()}
        certain = {key for key in {*wanted, *crm.holds("points")} if outcomes.get(key) != "unknown"}
        held = crm.holds("points")
        assert {key: held.get(key) for key in certain} == {key: wanted.get(key) for key in certain}
        crm.close()


class Killed(BaseException):
    """Stands for the end of a process."""


HARSH = (
    "fine",
    "fine",
    "refused",
    "refused together",
    "not sent",
    "lost",
    "put off",
    "bug",
    "killed before",
    "killed after",
)
harsh_rounds = st.lists(st.tuples(populations, st.lists(st.sampled_from(HARSH), max_size=8)), min_size=1, max_size=4)


class Storm(Weather):
    """Weather in which processes are killed and batches are refused as a whole, too."""

    def answer(self, operation: Operation) -> Outcome:
        """Before the platform does anything."""
        self.now = next(self.programme, "fine")
        faults = {"killed before": Killed(), "refused together": RowError("one of them is bad"), **ERRORS}
        if self.now in {"not sent", "put off", "refused together", "killed before"}:
            raise faults[self.now]
        return rejected(operation) if self.now == "refused" else accepted(operation)

    def after(self, operation: Operation) -> Outcome:
        """After the platform has done it."""
        if self.now == "killed after":
            raise Killed
        return super().after(operation)


def survive(folder: Path, sync: str, story: list[tuple[dict[str, str], list[str]]]) -> Crm:
    """Live through a story in which every push is a process of its own; check each run that came to its end."""
    crm, clock = Crm(folder / "crm.db"), Wall()
    for people, programme in [*story, (story[-1][0], []), (story[-1][0], [])]:
        storm = Storm(programme)
        crm.answer, crm.after = storm.answer, storm.after
        with desk(folder, crm, sync, clock=clock) as hub:
            publish_people(hub, [Person(key, level) for key, level in people.items()])
            with suppress(Killed):
                check_run(hub, push(hub).syncs[0])
        clock.advance(days=1)
    return crm


def check_run(hub: Hub, report: SyncReport) -> None:
    """Every row that was planned has just one final outcome in its run."""
    decided = sum(report.outcomes.values()) - report.recovered
    assert decided <= report.planned.to_do
    assert decided == report.planned.to_do or report.recovered
    rows = [row for row in hub.store.deliveries.find(run_id=report.run_id, limit=1000) if row.run_id == report.run_id]
    assert len({row.id for row in rows}) == len(rows)
    assert not [row for row in rows if row.outcome == "sending"]


@pytest.mark.parametrize("target", ["people", "ledgered"])
@settings(max_examples=5, deadline=None, phases=(Phase.explicit, Phase.generate))
@given(story=harsh_rounds)
def test_after_faults_kills_and_restarts_the_destination_holds_what_is_wanted_and_nothing_was_booked_twice(
    target: str, story: list[tuple[dict[str, str], list[str]]]
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        crm = survive(Path(folder), SYNC.replace("people", target), story)
        assert crm.holds(target) == {key: {"level": level} for key, level in story[-1][0].items()}
        if target == "ledgered":
            assert crm.booked_twice() == []
        crm.close()
