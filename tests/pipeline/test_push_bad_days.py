"""One poisoned customer, one revoked permission, one platform down for six hours: all others are served, nothing is lost."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

from crm import SYNC, Crm, Person, Wall, accepted, desk, publish_people, rejected

from hub.cli.session import Session
from hub.cli.status import status
from hub.context import Hub
from hub.destination import Operation, Outcome
from hub.errors import RetryError, StreamError
from hub.pipeline.push import push
from hub.show.screen import Screen

PEOPLE = [Person(name) for name in "abcdef"]
CONNECTIONS = dict.fromkeys(("good", "bad", "forbidden", "down"), 'plugin = "crm"')
TARGETS = {"good": "people", "bad": "ledgered", "forbidden": "named", "down": "points"}


def sync_to(connection: str) -> str:
    fields = '{ name = "level", level' if connection == "forbidden" else "{ level"
    return (
        SYNC.replace('"crm"', f'"{connection}"').replace("people", TARGETS[connection]).replace("{ level", fields)
        + "\nmax_failed_share = 0.2"
    )


class Looking:
    """A session that looks into an open hub."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    @contextmanager
    def hub(self) -> Iterator[Hub]:
        yield self._hub


def screen_of(hub: Hub) -> dict[str, dict[str, Any]]:
    """What `hub status` tells of syncs, by connection."""
    document = cast("Any", status(cast("Session", Looking(hub)))).document
    return {sync["target"].split("/")[0]: sync for sync in document["syncs"]}


def page_of(hub: Hub) -> str:
    """The screen of `hub status`."""
    page = io.StringIO()
    status(cast("Session", Looking(hub))).show(Screen(page))
    return page.getvalue()


def test_a_bad_day(tmp_path: Path, crm: Crm, clock: Wall) -> None:
    began = clock.now

    def write(target: Any, operation: Operation) -> Outcome:
        if target == "ledgered" and operation.key == "c":
            return rejected(operation, code="poisoned")
        if target == "named":
            raise StreamError("The permission was revoked.", code="no_permission")
        if target == "points" and (clock.now - began).total_seconds() < 6 * 3600:
            raise RetryError("no connection", sent=False)
        return accepted(operation)

    judge = crm._judge

    def judged(target: Any, operation: Operation) -> Outcome:
        crm.answer = lambda one: write(target.name, one)
        return judge(target, operation)

    crm._judge = judged  # type: ignore[method-assign]
    syncs = [sync_to(name) for name in CONNECTIONS]
    with desk(tmp_path, crm, *syncs, clock=clock, connections=CONNECTIONS) as hub:
        publish_people(hub, PEOPLE)
        for hour in range(8):
            reports = push(hub).syncs
            if hour == 3:
                outage = screen_of(hub)["down"]
                assert (outage["state"], outage["failing"]) == ("failed", {"deferred": 6})
            clock.advance(hours=1)
        told, page = screen_of(hub), page_of(hub)
        assert [report.state for report in reports] == ["succeeded", "partial", "failed", "succeeded"]
        assert set(crm.holds("people")) == set(crm.holds("points")) == set("abcdef")
        assert set(crm.holds("ledgered")) == set("abdef")
        assert told["good"]["failing"] == told["down"]["failing"] == {}
        assert told["bad"]["failing"] == {"rejected": 1}
        assert "revoked" in told["forbidden"]["error"]
        assert [alert["kind"] for alert in told["forbidden"]["alerts"]] == ["stopped"]
        assert told["forbidden"]["failing"] == {"deferred": 6}
        assert told["down"]["alerts"] == []
        assert len(page.splitlines()) < 30, "one screen"
        assert page.count("The permission was revoked.") == 1
        assert "Why rows of sync2 are not there: hub deliveries --sync sync2" in page
        runs = [run.state for run in hub.store.runs.list(stage="push", subject="sync4")]
        assert runs == ["succeeded"] * 2 + ["failed"] * 6
    assert crm.booked_twice() == []


def test_a_failed_row_is_not_silently_skipped_by_the_next_run(tmp_path: Path, crm: Crm, clock: Wall) -> None:
    """Others keep the new values' hash when the row is queued, and never look at it again."""
    crm.answer = lambda operation: rejected(operation) if operation.key == "b" else accepted(operation)
    with desk(tmp_path, crm, SYNC, clock=clock) as hub:
        publish_people(hub, [Person("a"), Person("b")])
        push(hub)
        assert push(hub).syncs[0].planned.waiting == 1, "it waits, and is told"
        assert screen_of(hub)["crm"]["failing"] == {"rejected": 1}
        crm.answer = accepted
        clock.advance(hours=1)
        assert push(hub).syncs[0].outcomes == {"accepted": 1}
        assert screen_of(hub)["crm"]["failing"] == {}
    assert set(crm.holds()) == {"a", "b"}
