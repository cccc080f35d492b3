"""Somebody is told how syncs go: signed notices, an alert once, its end once, and it stands where people look."""

from __future__ import annotations

import base64
import datetime as dt
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from crm import SYNC, Crm, Person, Wall, accepted, desk, publish_people, rejected
from standardwebhooks import Webhook

from hub.context import Hub
from hub.errors import DeferError, RetryError
from hub.pipeline.push import push

SECRET = "whsec_" + base64.b64encode(bytes(range(32))).decode()
PUSH = f'[push]\nwebhook = "https://ops.example.com/hub"\nwebhook_secret = "{SECRET}"\n'


class Ops:
    """Somebody's endpoint; it verifies every signature with the reference library."""

    def __init__(self) -> None:
        self.got: list[tuple[str, dict[str, Any]]] = []
        self.status = 200

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if self.status == 200:
            headers = dict(request.headers)
            headers["webhook-timestamp"] = str(int(dt.datetime.now(dt.UTC).timestamp()))
            at = dt.datetime.fromtimestamp(int(request.headers["webhook-timestamp"]), dt.UTC)
            signed = Webhook(SECRET).sign(headers["webhook-id"], at, request.content.decode())
            assert signed == request.headers["webhook-signature"]
            body = json.loads(request.content)
            self.got.append((body["type"], body["data"]))
        return httpx.Response(self.status)

    def kinds(self) -> list[str]:
        """Types of the notices since the last call."""
        found = [kind for kind, _ in self.got]
        self.got.clear()
        return found


@pytest.fixture
def ops() -> Ops:
    return Ops()


@pytest.fixture
def hub(tmp_path: Path, crm: Crm, clock: Wall, ops: Ops) -> Iterator[Hub]:
    with desk(tmp_path, crm, SYNC, clock=clock, extra=PUSH) as hub:
        hub.transport = httpx.MockTransport(ops)
        yield hub


def test_beginning_and_end_are_told_with_counts(hub: Hub, ops: Ops) -> None:
    publish_people(hub, [Person("a"), Person("b")])
    report = push(hub).syncs[0]
    (_, began), (_, ended) = ops.got
    assert (began["sync"], began["run"]) == ("sync1", report.run_id)
    assert (ended["state"], ended["outcomes"]) == ("succeeded", {"accepted": 2})
    assert ops.kinds() == ["sync.started", "sync.finished"]
    push(hub, dry_run=True)
    assert ops.kinds() == []


def test_an_alert_is_told_once_and_its_end_too(hub: Hub, ops: Ops, crm: Crm, clock: Wall) -> None:
    """Alert that never fires, or that fires every night."""

    def down(operation: object) -> Any:
        raise RetryError("no connection", sent=False)

    crm.answer = down
    publish_people(hub, [Person("a")])
    for number in range(3):
        push(hub)
        told = ops.kinds()
        assert told == ["sync.started", "sync.failed", *(["sync.alert"] if number == 0 else [])]
        clock.advance(hours=2)
    assert [(alert.sync, alert.kind) for alert in hub.store.alerts.standing()] == [("sync1", "stopped")]
    crm.answer = accepted
    push(hub)
    assert ops.kinds() == ["sync.started", "sync.finished", "sync.recovered"]
    assert not hub.store.alerts.standing()
    push(hub)
    assert ops.kinds() == ["sync.started", "sync.finished"]


def test_too_many_failed_rows_raise_an_alert(hub: Hub, ops: Ops, crm: Crm) -> None:
    crm.answer = rejected
    publish_people(hub, [Person("a")])
    push(hub)
    kind, data = ops.got[-1]
    assert (kind, data["alert"], data["message"]) == ("sync.alert", "rows_failed", "1 of 1 rows failed.")


def test_a_mirror_that_would_lose_most_of_its_rows_sends_nothing_until_somebody_has_looked(
    hub: Hub, ops: Ops, crm: Crm
) -> None:
    """A source came up empty: the platform must not be emptied for it."""
    publish_people(hub, [Person(f"p{number}") for number in range(103)])
    push(hub)
    publish_people(hub, [Person("p0")])
    (planned,) = push(hub, dry_run=True).syncs
    assert planned.planned.notes == ["102 of 103 rows would be removed, more than max_removed_share (0.5) allows."]
    ops.kinds()
    assert push(hub).syncs[0].state == "failed"
    assert [data["alert"] for kind, data in ops.got if kind == "sync.alert"] == ["shrink_guard"]
    assert len(crm.holds()) == 103
    publish_people(hub, [Person(f"p{number}") for number in range(60)])
    ops.kinds()
    assert push(hub).syncs[0].outcomes == {"accepted": 43}
    assert ops.kinds() == ["sync.started", "sync.finished", "sync.recovered"]


def test_a_spent_budget_and_days_without_any_work_are_told_once_each(hub: Hub, ops: Ops, crm: Crm, clock: Wall) -> None:
    publish_people(hub, [Person("a")])
    push(hub)
    publish_people(hub, [Person("a", "silver")])

    def spent(operation: object) -> Any:
        raise DeferError("The day's calls are used up.")

    crm.answer = spent
    ops.got.clear()
    for _ in range(5):
        clock.advance(days=1)
        assert push(hub).syncs[0].outcomes == {"deferred": 1}
    told = [(data["alert"], data["message"]) for kind, data in ops.got if kind == "sync.alert"]
    assert [kind for kind, _ in told] == ["budget_spent", "stale"]
    assert "1 rows were not sent" in told[0][1]
    ops.kinds()
    crm.answer = accepted
    push(hub)
    assert ops.kinds().count("sync.recovered") == 2
    assert not hub.store.alerts.standing()


def test_an_alert_nobody_could_be_told_of_is_told_by_the_next_run(hub: Hub, ops: Ops, crm: Crm) -> None:
    crm.answer = rejected
    ops.status = 503
    publish_people(hub, [Person("a")])
    assert push(hub).syncs[0].outcomes == {"rejected": 1}, "a dead endpoint stops no sync"
    assert hub.store.alerts.standing()[0].told_at is None
    ops.status = 200
    publish_people(hub, [Person("a", "silver")])
    push(hub)
    assert "sync.alert" in ops.kinds()
    assert hub.store.alerts.standing()[0].told_at is not None


def test_a_sync_that_cannot_even_begin_is_on_record(tmp_path: Path, crm: Crm) -> None:
    with desk(tmp_path, crm, SYNC.replace("people", "nothing")) as hub:
        publish_people(hub, [Person("a")])
        push(hub)
        run = hub.store.runs.list(stage="push")[0]
        assert (run.subject, run.state) == ("sync1", "failed")
        assert hub.store.alerts.standing()[0].kind == "stopped"


def test_connections_are_pushed_to_at_the_same_time_and_one_that_is_down_holds_up_no_other(
    tmp_path: Path, crm: Crm
) -> None:
    connections = dict.fromkeys(("crm", "other", "third"), 'plugin = "crm"')
    syncs = [
        SYNC,
        SYNC.replace('"crm"', '"other"').replace("people", "points"),
        SYNC.replace('"crm"', '"third"').replace("people", "nothing"),
    ]
    with desk(tmp_path, crm, *syncs, connections=connections, extra="[push]\nworkers = 3\n") as hub:
        publish_people(hub, [Person(name) for name in "abcdef"])
        reports = push(hub).syncs
    assert [report.sync for report in reports] == ["sync1", "sync2", "sync3"]
    assert [report.outcomes for report in reports] == [{"accepted": 6}, {"accepted": 6}, {}]
    assert reports[2].state == "failed"
    assert len(crm.holds()) == len(crm.holds("points")) == 6
