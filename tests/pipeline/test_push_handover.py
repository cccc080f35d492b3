"""One bad row costs no other, a passing fault is waited out, and what a killed run left is looked up."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest
from crm import SYNC, Crm, Person, Wall, accepted, desk, publish_people

from hub.context import Hub
from hub.destination import Operation, Outcome, OutcomeStatus
from hub.errors import RetryError, RowError
from hub.pipeline.push import SyncReport, push

LEDGERED = SYNC.replace("people", "ledgered") + "\nmax_failed_share = 1.0"
WIDE = SYNC.replace("people", "named").replace("{ level", '{ name = "level", level') + "\nmax_failed_share = 1.0"


def pushed(hub: Hub) -> SyncReport:
    return push(hub).syncs[0]


def together(crm: Crm, *bad: str, done: Callable[[Operation], None] = lambda operation: None) -> None:
    """The platform refuses every call that holds one of these keys, as a whole."""
    crm.calls = []  # type: ignore[attr-defined]

    def given(outcomes: Iterable[Outcome]) -> Iterator[Outcome]:
        raise AssertionError

    def write(target: object, operations: Iterable[Operation]) -> Iterator[Outcome]:
        rows = list(operations)
        crm.calls.append((rows[0].batch_id, [row.key for row in rows]))  # type: ignore[attr-defined]
        if {row.key for row in rows} & set(bad):
            context = {"call": "POST /people", "status": 422, "said": "15400000001 has no shop", "trace": "t-1"}
            raise RowError("one of the rows is bad", code="batch_refused", context=context)
        for row in rows:
            done(row)
            yield accepted(row)

    crm.write = write  # type: ignore[method-assign,assignment]


def test_a_batch_with_one_bad_row_is_halved_down_to_it(tmp_path: Path, crm: Crm) -> None:
    """Others mark the whole batch good if one row was, or bad if one was."""
    together(crm, "d")
    with desk(tmp_path, crm, WIDE) as hub:
        publish_people(hub, [Person(name) for name in "abcdefgh"])
        report = pushed(hub)
        assert report.outcomes == {"accepted": 7, "rejected": 1}
        (bad,) = hub.store.deliveries.find(outcome="rejected")
        assert (bad.key, bad.code, bad.http_status) == ("d", "batch_refused", 422)
        assert json.loads(bad.request) == {"level": "gold", "name": "gold"}
        assert json.loads(bad.response) == {
            "call": "POST /people",
            "status": 422,
            "said": "154****0001 has no shop",
            "trace": "t-1",
        }
    sizes = [len(keys) for _, keys in crm.calls]  # type: ignore[attr-defined]
    assert sizes == [8, 4, 2, 2, 1, 1, 4]
    names = [name for name, _ in crm.calls]  # type: ignore[attr-defined]
    assert len(set(names)) == len(names), "each part is a batch of its own"


def test_all_rows_bad_are_all_named(tmp_path: Path, crm: Crm) -> None:
    together(crm, *"abcd")
    with desk(tmp_path, crm, WIDE) as hub:
        publish_people(hub, [Person(name) for name in "abcd"])
        report = pushed(hub)
    assert (report.outcomes, report.error) == ({"rejected": 4}, None)


class Flaky:
    """Raises so many times, then all is well."""

    def __init__(self, error: Exception, times: int) -> None:
        self.error, self.times = error, times

    def __call__(self, operation: Operation) -> Outcome:
        if self.times:
            self.times -= 1
            raise self.error
        return accepted(operation)


def test_a_passing_fault_is_waited_out_within_the_run(tmp_path: Path, crm: Crm) -> None:
    crm.answer = Flaky(RetryError("busy", sent=False, retry_after=7), 2)
    with desk(tmp_path, crm, SYNC) as hub:
        publish_people(hub, [Person(name) for name in "abc"])
        assert pushed(hub).outcomes == {"accepted": 3}
    assert crm.slept == [7, 7]


def test_who_asks_for_a_long_pause_is_left_to_the_next_run(tmp_path: Path, crm: Crm) -> None:
    crm.answer = Flaky(RetryError("quota", sent=False, retry_after=3600), 1)
    with desk(tmp_path, crm, SYNC) as hub:
        publish_people(hub, [Person(name) for name in "abc"])
        assert pushed(hub).outcomes == {"deferred": 3}
        assert pushed(hub).outcomes == {"accepted": 3}
    assert crm.slept == []


def test_a_row_put_off_for_seconds_goes_again_in_the_same_run(tmp_path: Path, crm: Crm) -> None:
    busy = iter([True])
    crm.answer = lambda one: (
        Outcome(one.id, OutcomeStatus.DEFERRED, "busy", retry_after=3)
        if one.key == "b" and next(busy, False)
        else accepted(one)
    )
    with desk(tmp_path, crm, SYNC) as hub:
        publish_people(hub, [Person("a"), Person("b")])
        assert pushed(hub).outcomes == {"accepted": 2}
    assert crm.slept == [3]


def test_an_answer_lost_is_repeated_at_once_only_where_it_does_no_harm(tmp_path: Path, crm: Crm) -> None:
    crm.after = Flaky(RetryError("time-out"), 1)
    with desk(tmp_path, crm, SYNC, LEDGERED) as hub:
        publish_people(hub, [Person("a")])
        harmless, once = (push(hub, [name]).syncs[0] for name in ("sync1", "sync2"))
        assert (harmless.outcomes, len(crm.slept)) == ({"accepted": 1}, 1)
        crm.after = Flaky(RetryError("time-out"), 1)
        publish_people(hub, [Person("a", "silver")])
        assert push(hub, ["sync2"]).syncs[0].outcomes == {"unknown": 1}
    assert once.outcomes == {"accepted": 1}
    assert max(Counter(crm.ids("ledgered")).values()) == 1


class Killed(BaseException):
    """Stands for the end of a process."""


@pytest.mark.parametrize("was_done", [True, False])
def test_a_killed_push_is_looked_up_before_anything_is_sent_again(
    tmp_path: Path, crm: Crm, clock: Wall, *, was_done: bool
) -> None:
    """Duplicate after crash: others send it again, or never."""
    dying = Flaky(Killed(), 1)  # type: ignore[arg-type]
    if was_done:
        crm.after = dying
    else:
        crm.answer = dying
    with desk(tmp_path, crm, LEDGERED, clock=clock) as hub:
        publish_people(hub, [Person("a"), Person("b"), Person("c")])
        with pytest.raises(Killed):
            pushed(hub)
    before = clock.now
    crm.answer = crm.after = accepted
    clock.advance(hours=1)
    with desk(tmp_path, crm, LEDGERED, clock=clock) as hub:
        report = pushed(hub)
        assert {row.key: row.outcome for row in hub.store.deliveries.find()} == dict.fromkeys("abc", "accepted")
        assert pushed(hub).outcomes == {}
    assert crm.looked_up == [("a", before), ("b", before)]
    assert report.outcomes["accepted"] == 3
    assert max(Counter(crm.ids("ledgered")).values()) == 1
    assert set(crm.holds("ledgered")) == set("abc")


@pytest.mark.parametrize("was_done", [True, False])
def test_a_lost_answer_is_looked_up_by_the_next_run(tmp_path: Path, crm: Crm, clock: Wall, *, was_done: bool) -> None:
    lost = Flaky(RetryError("time-out"), 1)
    if was_done:
        crm.after = lost
    else:
        crm.answer = lost
    with desk(tmp_path, crm, LEDGERED, clock=clock) as hub:
        publish_people(hub, [Person("a")])
        assert pushed(hub).outcomes == {"unknown": 1}
        report = pushed(hub)
        assert report.looked_up == 1
        assert report.outcomes == ({} if was_done else {"accepted": 1})
        assert pushed(hub).planned.unchanged == 1
    assert crm.holds("ledgered") == {"a": {"level": "gold"}}
    assert len(crm.told("ledgered")) == 1


def test_what_cannot_be_looked_up_waits_and_is_told(tmp_path: Path, crm: Crm) -> None:
    crm.after = Flaky(RetryError("time-out"), 1)
    crm.done = lambda operation: 1 / 0  # type: ignore[assignment,method-assign,return-value]
    with desk(tmp_path, crm, LEDGERED) as hub:
        publish_people(hub, [Person("a")])
        pushed(hub)
        assert pushed(hub).planned.waiting == 1
        assert "could not be looked up" in hub.store.runs.list(stage="push")[0].notes[0]
