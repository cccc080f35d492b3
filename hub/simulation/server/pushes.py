"""Messages a platform pushes to a connector: an outbox in the state, signing by the simulator, a retry schedule in the
simulator's time, duplicates and reordering under a fault programme, and a log of every attempt.

A message is queued in the same transaction as the change it tells of. It is sent by :meth:`PushSender.deliver_due`,
which a test calls, :meth:`PushSender.drain` calls for all virtual time to come, and a started simulator on real time
calls by itself.
"""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol

import httpx

from hub.redaction import redact
from hub.simulation.faults import HoldBack, Lose, Programme, PushFacts, Repeat
from hub.simulation.server.clock import Clock, VirtualClock
from hub.simulation.server.credentials import derive
from hub.simulation.server.database import Database

__all__ = ["Attempt", "Push", "PushHooks", "PushRequest", "PushSender", "PushState", "Subscription"]

_TABLES = """
CREATE TABLE IF NOT EXISTS sim_subscriptions (
  number INTEGER PRIMARY KEY, account TEXT NOT NULL, url TEXT NOT NULL, topics TEXT NOT NULL, settings TEXT NOT NULL,
  UNIQUE (account, url));
CREATE TABLE IF NOT EXISTS sim_pushes (
  number INTEGER PRIMARY KEY AUTOINCREMENT, subscription INTEGER NOT NULL REFERENCES sim_subscriptions ON DELETE CASCADE,
  message_id TEXT NOT NULL, topic TEXT NOT NULL, data TEXT NOT NULL, created REAL NOT NULL, due REAL NOT NULL,
  attempts INTEGER NOT NULL DEFAULT 0, copy INTEGER NOT NULL DEFAULT 0, state TEXT NOT NULL DEFAULT 'queued');
CREATE INDEX IF NOT EXISTS sim_pushes_due ON sim_pushes (state, due);
CREATE INDEX IF NOT EXISTS sim_pushes_receiver ON sim_pushes (subscription);
CREATE TABLE IF NOT EXISTS sim_push_attempts (
  number INTEGER PRIMARY KEY, push INTEGER NOT NULL, at REAL NOT NULL, status INTEGER, accepted INTEGER NOT NULL,
  detail TEXT NOT NULL);
"""


class PushState(StrEnum):
    """Where a message stands."""

    QUEUED = "queued"
    DELIVERED = "delivered"
    DEAD = "dead"
    """Every attempt of the schedule failed."""
    LOST = "lost"
    """A fault programme made it vanish."""


@dataclass(frozen=True, slots=True)
class Subscription:
    """Who gets messages: an account's URL, the topics (none: all), and whatever signing needs."""

    number: int
    account: str
    url: str
    topics: tuple[str, ...]
    settings: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Push:
    """One message to one receiver.

    Attributes:
        number: its place in the outbox.
        message_id: the same for every attempt and copy: what a receiver dedupes on.
        topic: the kind of event.
        data: the event.
        account: whose event it is.
        created: when it happened, Unix seconds.
        attempts: how often it was sent before.
        copy: 0, or 1 for the second copy a fault programme made.
        state: where it stands.
    """

    number: int
    message_id: str
    topic: str
    data: dict[str, Any]
    account: str
    created: float
    attempts: int
    copy: int
    state: PushState


@dataclass(frozen=True, slots=True)
class PushRequest:
    """What goes over the wire: the signed bytes, headers, query parameters and method."""

    content: bytes
    headers: Mapping[str, str]
    query: Mapping[str, str] | None = None
    method: str = "POST"


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try to deliver: when, the HTTP status (None without an answer), whether it counted, and why not."""

    push: int
    at: float
    status: int | None
    accepted: bool
    detail: str


class PushHooks(Protocol):
    """What the sender needs from its simulator."""

    push_retries: Sequence[float]
    push_timeout: float

    def push_request(self, push: Push, subscription: Subscription) -> PushRequest:
        """Return the signed request for one attempt."""

    def push_accepted(self, response: httpx.Response) -> bool:
        """Say whether the receiver acknowledged."""


class PushSender:
    """The outbox and its postman."""

    def __init__(
        self,
        hooks: PushHooks,
        database: Database,
        clock: Clock,
        programme: Callable[[], Programme],
        *,
        seed: object,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._hooks = hooks
        self._database = database
        self._clock = clock
        self._programme = programme
        self._seed = seed
        self._transport = transport
        self._client: httpx.Client | None = None
        self._sending = threading.Lock()
        self.news = threading.Event()
        database.create(_TABLES)

    @property
    def client(self) -> httpx.Client:
        """The HTTP client that messages are sent with; a simulator may use it to verify a URL."""
        if self._client is None:
            self._client = httpx.Client(
                transport=self._transport, timeout=self._hooks.push_timeout, trust_env=False, follow_redirects=False
            )
        return self._client

    def close(self) -> None:
        """Close the HTTP client. What is queued stays queued."""
        with self._sending:
            if self._client is not None:
                self._client.close()
                self._client = None

    def subscribe(self, account: str, url: str, *, topics: Sequence[str] = (), **settings: Any) -> Subscription:
        """Send the account's future messages to ``url``; the same URL again replaces topics and settings."""
        self._database.execute(
            "INSERT INTO sim_subscriptions (account, url, topics, settings) VALUES (?, ?, ?, ?) ON CONFLICT (account, url)"
            " DO UPDATE SET topics = excluded.topics, settings = excluded.settings",
            account,
            url,
            list(topics),
            settings,
        )
        return next(each for each in self.subscriptions(account) if each.url == url)

    def unsubscribe(self, account: str, url: str) -> None:
        """Stop sending to ``url``; what is queued for it is dropped."""
        self._database.execute("DELETE FROM sim_subscriptions WHERE account = ? AND url = ?", account, url)

    def subscriptions(self, account: str | None = None) -> list[Subscription]:
        """Return who gets messages, of one account or of all."""
        rows = self._database.rows(
            "SELECT * FROM sim_subscriptions WHERE ? IS NULL OR account = ? ORDER BY number", account, account
        )
        return [_subscription(row) for row in rows]

    def publish(self, topic: str, data: Mapping[str, Any], *, account: str = "", message_id: str | None = None) -> int:
        """Queue a message for every subscriber of the account's topic; return how many those are."""
        receivers = [each for each in self.subscriptions(account) if not each.topics or topic in each.topics]
        with self._database.transaction():
            for receiver in receivers:
                self._queue(receiver, topic, dict(data), message_id)
        self.news.set()
        return len(receivers)

    def _queue(self, receiver: Subscription, topic: str, data: dict[str, Any], message_id: str | None) -> None:
        first = self._database.row("SELECT 1 FROM sim_pushes WHERE subscription = ? LIMIT 1", receiver.number) is None
        total = self._database.value("SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'sim_pushes'")
        identity = message_id or derive(self._seed, "push", receiver.number, total)
        effects = self._programme().decide_push(PushFacts(f"{receiver.account} {receiver.url}", identity, first))
        due = self._clock.time() + sum(effect.seconds for effect in effects if isinstance(effect, HoldBack))
        state = PushState.LOST if any(isinstance(effect, Lose) for effect in effects) else PushState.QUEUED
        times = [due, *(due + effect.after for effect in effects if isinstance(effect, Repeat))]
        self._database.load(
            "INSERT INTO sim_pushes (subscription, message_id, topic, data, created, due, copy, state)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            [
                (receiver.number, identity, topic, data, self._clock.time(), when, copy, str(state))
                for copy, when in enumerate(times)
            ],
        )

    def deliver_due(self) -> list[Attempt]:
        """Send everything that is due now, in order of its due time; return the attempts made.

        Never call it from a handler: the receiver may call back, and a handler keeps every other call waiting.
        """
        with self._sending:
            rows = self._database.rows(
                f"{_PUSHES} WHERE p.state = 'queued' AND p.due <= ? ORDER BY p.due, p.number", self._clock.time()
            )
            return [self._send(_push(row), row["subscription"]) for row in rows]

    def drain(self, longest: float = 7 * 86400.0) -> list[Attempt]:
        """Move virtual time to each due message and send it until the outbox is empty; return every attempt.

        Args:
            longest: virtual seconds after which it stops, in case a receiver publishes ever more.

        Raises:
            TypeError: the simulator does not run on virtual time.
        """
        if not isinstance(self._clock, VirtualClock):
            raise TypeError("Only virtual time can be drained; on real time call deliver_due.")
        end = self._clock.time() + longest
        attempts: list[Attempt] = []
        while (due := self.next_due()) is not None and due <= end:
            self._clock.advance_to(due)
            attempts += self.deliver_due()
        return attempts

    def next_due(self) -> float | None:
        """Return when the next message is due, Unix seconds, or None when nothing is queued."""
        due = self._database.value("SELECT min(due) FROM sim_pushes WHERE state = 'queued'")
        return None if due is None else float(due)

    def pushes(self, state: PushState | None = None) -> list[Push]:
        """Return the messages in one state, or all, oldest first."""
        rows = self._database.rows(
            f"{_PUSHES} WHERE ? IS NULL OR p.state = ? ORDER BY p.number", state and str(state), state and str(state)
        )
        return [_push(row) for row in rows]

    def attempts(self, push: int | None = None) -> list[Attempt]:
        """Return the delivery log, of one message or of all, oldest first."""
        rows = self._database.rows(
            "SELECT push, at, status, accepted, detail FROM sim_push_attempts WHERE ? IS NULL OR push = ? ORDER BY number",
            push,
            push,
        )
        return [Attempt(row["push"], row["at"], row["status"], bool(row["accepted"]), row["detail"]) for row in rows]

    def redeliver(self, number: int) -> bool:
        """Queue a message anew, as a platform's console does for failed ones; say whether it exists."""
        changed = self._database.execute(
            "UPDATE sim_pushes SET state = 'queued', attempts = 0, due = ? WHERE number = ?",
            self._clock.time(),
            number,
        )
        self.news.set()
        return changed > 0

    def _send(self, push: Push, subscription: int) -> Attempt:
        row = self._database.row("SELECT * FROM sim_subscriptions WHERE number = ?", subscription)
        if row is None:  # unsubscribed while its message was on the way out
            return Attempt(push.number, self._clock.time(), None, accepted=False, detail="unsubscribed")
        receiver = _subscription(row)
        wanted = self._hooks.push_request(push, receiver)
        status, accepted, detail = self._post(receiver.url, wanted)
        attempt = Attempt(push.number, self._clock.time(), status, accepted, detail)
        self._record(push, attempt)
        return attempt

    def _post(self, url: str, wanted: PushRequest) -> tuple[int | None, bool, str]:
        try:
            address = httpx.URL(url).copy_merge_params(dict(wanted.query or {}))
            response = self.client.request(wanted.method, address, content=wanted.content, headers=dict(wanted.headers))
        except httpx.TransportError as error:
            return None, False, redact(f"{type(error).__name__}: {error}")
        accepted = self._hooks.push_accepted(response)
        return response.status_code, accepted, "" if accepted else redact(response.text[:200])

    def _record(self, push: Push, attempt: Attempt) -> None:
        schedule = self._hooks.push_retries
        state = PushState.DELIVERED if attempt.accepted else PushState.QUEUED
        due = attempt.at
        if not attempt.accepted and push.attempts < len(schedule):
            due += schedule[push.attempts]
        elif not attempt.accepted:
            state = PushState.DEAD
        with self._database.transaction():
            self._database.execute(
                "INSERT INTO sim_push_attempts (push, at, status, accepted, detail) VALUES (?, ?, ?, ?, ?)",
                attempt.push,
                attempt.at,
                attempt.status,
                attempt.accepted,
                attempt.detail,
            )
            self._database.execute(
                "UPDATE sim_pushes SET state = ?, due = ?, attempts = attempts + 1 WHERE number = ?",
                str(state),
                due,
                push.number,
            )


_PUSHES = "SELECT p.*, s.account FROM sim_pushes p JOIN sim_subscriptions s ON s.number = p.subscription"


def _subscription(row: sqlite3.Row) -> Subscription:
    return Subscription(
        row["number"], row["account"], row["url"], tuple(json.loads(row["topics"])), json.loads(row["settings"])
    )


def _push(row: sqlite3.Row) -> Push:
    return Push(
        row["number"],
        row["message_id"],
        row["topic"],
        json.loads(row["data"]),
        row["account"],
        row["created"],
        row["attempts"],
        row["copy"],
        PushState(row["state"]),
    )
