"""A push that is killed at any commit point and started again loses nothing and repeats only what may be repeated."""

from __future__ import annotations

import csv
import datetime as dt
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import killed_push
import pytest
from crm import Crm
from processes import KILLED, run

from hub.crashpoints import CRASH_POINTS
from plugins.webhook.inbox import Inbox, LocalReceiver

POINTS = [point for point in CRASH_POINTS if point.startswith("push.")]


@dataclass
class Story:
    """One home, its steps in time, and the receiver of its webhooks.

    Attributes:
        home: the hub's folder.
        kind: which of the syncs is pushed.
        url: where the receiver listens.
        step: how far time has come; the receiver lives in the same time.
        kills: how many processes were killed.
    """

    home: Path
    kind: str
    url: str = "http://127.0.0.1:9/events"
    step: int = 0
    kills: int = 0
    clock: list[int] = field(default_factory=lambda: [0])

    def publish(self, generation: int) -> None:
        """Publish a generation's people."""
        killed_push.publish(self.home, self.kind, generation, self.step, self.url)

    def push(self, crash_at: str = "") -> None:
        """Push in a process of its own, to the end or to the crash point."""
        self.step += 1
        self.clock[0] = self.step
        environment = {"HUB_CRASH_AT": crash_at} if crash_at else {}
        ended = run(killed_push.work, self.home, self.kind, self.step, self.url, **environment)
        assert ended in ({KILLED, 0} if crash_at else {0})
        self.kills += ended == KILLED

    def killed_at(self, point: str) -> None:
        """Push two generations; processes are killed at the point, at their first pass and at later ones."""
        self.publish(0)
        self.push(f"{point}:1")
        if self.kind != "audience":  # which is one batch
            self.push(f"{point}:2")
        self.push()
        self.publish(1)
        self.push(point)
        self.push()
        assert self.kills >= 2

    def clean(self) -> None:
        """Push the two generations without any kill."""
        for generation in (0, 1):
            self.publish(generation)
            self.push()

    def now(self) -> dt.datetime:
        """The time of the step that is under way."""
        return killed_push.instant(self.clock[0])

    def deliveries(self) -> dict[str, tuple[str, str, str]]:
        """Outcome, operation and key of every delivery, by id."""
        with self._hub() as hub:
            return {row.id: (row.outcome, row.operation, row.key) for row in hub.store.deliveries.find(limit=1000)}

    def ledger(self) -> list[tuple[Any, ...]]:
        """What the ledger knows of the target's rows."""
        where = killed_push.TARGETS[self.kind]
        with self._hub() as hub:
            return [
                (entry.key, entry.accepted_hash, entry.outcome, entry.remote_id)
                for chunk in hub.store.ledger.entries(where["to"], where["target"])
                for entry in chunk
            ]

    def _hub(self) -> Any:
        return killed_push.open_desk(self.home, Crm(self.home / "crm.db"), self.kind, self.step + 1, self.url)


@pytest.fixture
def story(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Story]:
    """A story of one kind, and beside it the inbox its webhooks go to."""
    story = Story(tmp_path / "home", request.param)
    yield from _with_receiver(story)


def _with_receiver(story: Story) -> Iterator[Story]:
    story.home.mkdir()
    inbox = Inbox(story.home / "inbox.db")
    with LocalReceiver(inbox, [killed_push.SECRET], now=story.now) as receiver:
        story.url = receiver.url
        yield story
    inbox.close()


@pytest.fixture(scope="module")
def clean_webhook(tmp_path_factory: pytest.TempPathFactory) -> Received:
    """What the receiver has after a run without kills."""
    story = Story(tmp_path_factory.mktemp("clean") / "home", "webhook")
    for running in _with_receiver(story):
        running.clean()
        return Received.of(running)
    raise AssertionError


@dataclass(frozen=True)
class Received:
    """What a receiver got: every event with how many requests brought it, every request with how often it came."""

    events: dict[str, tuple[str, str, Any]]
    brought: Counter[str]
    requests: dict[str, int]
    ledger: list[tuple[Any, ...]]

    @classmethod
    def of(cls, story: Story) -> Received:
        inbox = Inbox(story.home / "inbox.db")
        events = {event.id: (event.type, event.subject, event.data) for event in inbox.events()}
        brought = Counter({event.id: event.times for event in inbox.events()})
        requests = inbox.requests()
        inbox.close()
        return cls(events, brought, requests, story.ledger())


@pytest.mark.xdist_group("push_kills")
@pytest.mark.parametrize("story", ["webhook"], indirect=True)
@pytest.mark.parametrize("point", POINTS)
def test_a_webhook_gets_every_row_once_and_repeats_under_the_same_id(
    point: str, story: Story, clean_webhook: Received
) -> None:
    story.killed_at(point)
    received = Received.of(story)
    assert received.events == clean_webhook.events
    assert set(received.brought.values()) == {1}, "a repeated request brought an event under another webhook-id"
    assert received.requests.keys() == clean_webhook.requests.keys()
    assert received.ledger == clean_webhook.ledger
    assert {outcome for outcome, _, _ in story.deliveries().values()} == {"accepted"}
    # Only what was sent and not yet written down is sent again.
    assert (max(received.requests.values()) > 1) == (point == "push.sent")


@pytest.mark.parametrize("story", ["points"], indirect=True)
@pytest.mark.parametrize("point", POINTS)
def test_what_must_not_be_repeated_is_sent_once_at_most(point: str, story: Story) -> None:
    story.killed_at(point)
    crm = Crm(story.home / "crm.db")
    sent = Counter(crm.ids("points"))
    held = crm.holds("points")
    crm.close()
    assert set(sent.values()) == {1}
    deliveries = story.deliveries()
    assert {outcome for outcome, _, _ in deliveries.values()} <= {"accepted", "unknown"}
    unknown = {key for outcome, _, key in deliveries.values() if outcome == "unknown"}
    assert bool(unknown) == (point in {"push.intended", "push.sent"})
    # Nothing is lost: whoever is not in doubt has what the last generation says.
    wanted = {person.id: {"level": person.level} for person in killed_push.GENERATIONS[1]}
    assert {key: held.get(key) for key in wanted.keys() - unknown} == {
        key: wanted[key] for key in wanted.keys() - unknown
    }
    before = (sent, deliveries)
    story.push()
    again = Crm(story.home / "crm.db")
    assert (Counter(again.ids("points")), story.deliveries()) == before, "what is unknown stays so"
    again.close()


@pytest.mark.parametrize("story", ["audience"], indirect=True)
@pytest.mark.parametrize("point", POINTS)
def test_a_file_is_whole_and_the_only_one(point: str, story: Story) -> None:
    story.killed_at(point)
    found = sorted(path for path in (story.home / "drop").rglob("*") if path.is_file())
    assert [path.name for path in found] == ["vip.csv", "vip.csv.manifest.json"]
    rows = {row["id"]: row["level"] for row in csv.DictReader(found[0].read_text("utf-8-sig").splitlines())}
    assert rows == {person.id: person.level for person in killed_push.GENERATIONS[1]}
    assert json.loads(found[1].read_text())["rows"] == len(rows)
    assert {outcome for outcome, _, _ in story.deliveries().values()} == {"accepted"}
