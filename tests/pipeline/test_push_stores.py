"""Deliveries and the ledger are the same on SQLite and PostgreSQL."""

from __future__ import annotations

from pathlib import Path

import pytest
from crm import POINTS, SYNC, Crm, Person, Wall, accepted, desk, publish_people, rejected

from hub.destination import Operation, Outcome
from hub.errors import RetryError
from hub.pipeline.push import push


class Killed(BaseException):
    """Stands for the end of a process."""


def test_rows_and_ledger_through_a_refusal_a_kill_and_a_pruning(
    tmp_path: Path, crm: Crm, clock: Wall, store_url: str
) -> None:
    def answer(operation: Operation) -> Outcome:
        if operation.key == "b":
            return rejected(operation, "half\x00 a \ud800 character")
        if operation.key == "e":
            raise Killed
        return accepted(operation)

    crm.answer = answer
    extra = f'[hub]\nstore = "{store_url}"\nkeep_days = 10'
    with desk(tmp_path, crm, SYNC, POINTS, clock=clock, extra=extra) as hub:
        publish_people(hub, [Person(name) for name in "abcde"])
        for sync in ("sync1", "sync2"):
            with pytest.raises(Killed):
                push(hub, [sync])
        crm.answer = lambda operation: rejected(operation) if operation.key == "b" else accepted(operation)
        clock.advance(hours=1)
        people, points = push(hub).syncs
        assert (people.recovered, people.outcomes) == (1, {"accepted": 1, "rejected": 1})
        assert (points.recovered, points.outcomes) == (1, {"unknown": 1, "rejected": 1})
        rows = {(row.target, row.key): row for row in hub.store.deliveries.find(limit=100)}
        assert rows["people", "e"].attempts == 2
        assert rows["points", "e"].code == "interrupted"
        ledger = {entry.key: entry for chunk in hub.store.ledger.entries("crm", "people") for entry in chunk}
        assert {key: (e.outcome, e.version, e.failures) for key, e in ledger.items()} == {
            **dict.fromkeys("acde", ("accepted", 1, 0)),
            "b": ("rejected", 2, 2),
        }
        assert ledger["b"].first_failed_at == clock.now.replace(hour=9)
        clock.advance(days=20)
        publish_people(hub, [Person("a")])
        assert hub.store.deliveries.find() == []
        assert push(hub, ["sync1"]).syncs[0].outcomes == {"accepted": 3}


def test_one_lost_answer_after_the_other_counts_up(tmp_path: Path, crm: Crm, clock: Wall, store_url: str) -> None:
    def lost(operation: Operation) -> Outcome:
        raise RetryError("time-out")

    crm.after = lost
    with desk(tmp_path, crm, SYNC, clock=clock, extra=f'[hub]\nstore = "{store_url}"') as hub:
        publish_people(hub, [Person("a")])
        for _ in range(3):
            push(hub)
        (row,) = hub.store.deliveries.find()
        assert (row.outcome, row.attempts) == ("unknown", 3)
        assert hub.store.deliveries.outcomes(row.run_id) == {"unknown": 1}
    assert crm.holds() == {"a": {"level": "gold"}}
