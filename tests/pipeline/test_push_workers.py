"""Several workers on one sync: batches go side by side, no row twice, and a fault stops them all."""

from __future__ import annotations

import threading
from collections import Counter
from pathlib import Path

from crm import SYNC, Crm, Person, accepted, desk, publish_people

from hub.destination import Operation, Outcome
from hub.errors import DeferError
from hub.pipeline.push import push

MANY = SYNC.replace("people", "many") + "\nworkers = 3"
PEOPLE = [Person(name) for name in "abcdefghijkl"]


def test_batches_go_at_the_same_time_and_every_row_once(tmp_path: Path, crm: Crm) -> None:
    together = threading.Barrier(3, timeout=10)

    def answer(operation: Operation) -> Outcome:
        if operation.key in "ace":  # the first rows of the first three batches
            together.wait()
        return accepted(operation)

    crm.answer = answer
    with desk(tmp_path, crm, MANY) as hub:
        publish_people(hub, PEOPLE)
        (report,) = push(hub).syncs
        assert (report.state, report.outcomes) == ("succeeded", {"accepted": 12})
        assert push(hub).syncs[0].outcomes == {}
    assert set(Counter(key for _, key, _ in crm.told("many")).values()) == {1}
    assert crm.booked_twice() == []


def test_a_fault_of_one_worker_puts_the_rest_off_for_all(tmp_path: Path, crm: Crm) -> None:
    crm.answer = _spent
    with desk(tmp_path, crm, MANY) as hub:
        publish_people(hub, PEOPLE)
        (report,) = push(hub).syncs
        assert (report.state, report.outcomes) == ("skipped", {"deferred": 12})
        crm.answer = accepted
        assert push(hub).syncs[0].outcomes == {"accepted": 12}
    assert len(crm.holds("many")) == 12


class Killed(BaseException):
    """Stands for the end of a process."""


def test_what_a_killed_run_had_under_way_is_sent_again_under_the_same_ids(tmp_path: Path, crm: Crm) -> None:
    def die(operation: Operation) -> Outcome:
        if operation.key == "d":
            raise Killed
        return accepted(operation)

    crm.after = die
    with desk(tmp_path, crm, MANY) as hub:
        publish_people(hub, PEOPLE)
        try:
            push(hub)
        except Killed:
            crm.after = accepted
        (report,) = push(hub).syncs
        assert report.state == "succeeded"
        assert not hub.store.deliveries.find(outcome="sending")
    assert set(crm.holds("many")) == {person.id for person in PEOPLE}


def test_a_target_that_takes_one_batch_at_a_time_says_so(tmp_path: Path, crm: Crm) -> None:
    with desk(tmp_path, crm, SYNC + "\nworkers = 2") as hub:
        publish_people(hub, [Person("a")])
        error = push(hub).syncs[0].error
    assert "target people takes one batch at a time" in str(error)


def _spent(operation: Operation) -> Outcome:
    raise DeferError("The day's calls are used up.")
