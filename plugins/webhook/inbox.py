"""A local receiver: verifies, de-duplicates and records every event in a SQLite file. For demos, tests and development.

A request is answered only after its events are committed, so an event that was acknowledged is never lost; a request or
event that comes again is counted and not recorded a second time.
"""

from __future__ import annotations

import datetime as dt
import sqlite3
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final

import orjson

from hub.runtime import utc_now
from plugins.webhook.events import CloudEvent, EventError
from plugins.webhook.receiver import Received, SignatureError, receive

__all__ = ["Inbox", "LocalReceiver", "Refuse", "StoredEvent"]

Refuse = Callable[[CloudEvent], str | None]
"""Gives the reason why an event is refused, or None to take it."""

_SCHEMA: Final = """
create table if not exists requests (
    webhook_id text primary key, answer blob not null, first_at text not null, last_at text not null, times integer not null
);
create table if not exists events (
    source text not null, id text not null, type text not null, subject text not null, data text not null,
    webhook_id text not null, received_at text not null, times integer not null, position integer primary key autoincrement,
    unique (source, id)
);
"""
_POLL_SECONDS: Final = 0.05
_LARGEST_BODY: Final = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """An event as it was recorded.

    Attributes:
        id: the CloudEvent's id.
        type: its type.
        subject: the customer id.
        data: its payload.
        webhook_id: the request that brought it first.
        times: how many different requests brought it; more than one means that the sender repeated it.
    """

    id: str
    type: str
    subject: str
    data: Any
    webhook_id: str
    times: int


class Inbox:
    """What was received, in a SQLite file. Safe for use by several threads.

    Args:
        path: the file; made if it is not there.
    """

    def __init__(self, path: Path) -> None:
        self._lock = threading.Lock()
        self._connection = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._connection.execute("pragma journal_mode = wal")
        self._connection.executescript(_SCHEMA)

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def record(self, received: Received, refuse: Refuse, now: dt.datetime) -> bytes:
        """Record a request once and return its answer; a repeat of the request gets the same answer again."""
        with self._transaction() as connection:
            known = connection.execute("select answer from requests where webhook_id = ?", [received.id]).fetchone()
            if known is not None:
                again = "update requests set times = times + 1, last_at = ? where webhook_id = ?"
                connection.execute(again, [now.isoformat(), received.id])
                return bytes(known[0])
            results = [_record_event(connection, received.id, event, refuse, now) for event in received.events]
            answer = orjson.dumps({"results": results})
            row = [received.id, answer, now.isoformat(), now.isoformat()]
            connection.execute("insert into requests values (?, ?, ?, ?, 1)", row)
            return answer

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            self._connection.execute("begin immediate")
            try:
                yield self._connection
            except BaseException:
                self._connection.execute("rollback")
                raise
            self._connection.execute("commit")

    def events(self) -> list[StoredEvent]:
        """Return the events in the order of their first arrival."""
        sql = "select id, type, subject, data, webhook_id, times from events order by position"
        with self._lock:
            rows = self._connection.execute(sql).fetchall()
        return [StoredEvent(row[0], row[1], row[2], orjson.loads(row[3]), row[4], row[5]) for row in rows]

    def requests(self) -> dict[str, int]:
        """Return how many times each ``webhook-id`` arrived."""
        with self._lock:
            return dict(self._connection.execute("select webhook_id, times from requests order by first_at").fetchall())


def _record_event(
    connection: sqlite3.Connection, webhook_id: str, event: CloudEvent, refuse: Refuse, now: dt.datetime
) -> dict[str, str]:
    reason = refuse(event)
    if reason is not None:
        return {"id": event.id, "status": "rejected", "code": "refused", "message": reason}
    data = orjson.dumps(event.data).decode()
    connection.execute(
        "insert into events (source, id, type, subject, data, webhook_id, received_at, times) values (?, ?, ?, ?, ?, ?, ?, 1)"
        " on conflict (source, id) do update set times = times + 1",
        [event.source, event.id, event.type, event.subject, data, webhook_id, now.isoformat()],
    )
    return {"id": event.id, "status": "accepted"}


def _take_all(event: CloudEvent) -> str | None:  # noqa: ARG001 - the signature of Refuse
    return None


class LocalReceiver:
    """An HTTP server on this machine that puts what it receives into an inbox. Use it in a ``with`` statement.

    Args:
        inbox: where events are recorded.
        secrets: keys that requests may be signed with.
        refuse: decides about single events; takes all unless given.
        now: the present instant.
        port: port to listen on; a free one unless given.
    """

    def __init__(
        self,
        inbox: Inbox,
        secrets: Sequence[str],
        *,
        refuse: Refuse = _take_all,
        now: Callable[[], dt.datetime] = utc_now,
        port: int = 0,
    ) -> None:
        self.inbox = inbox
        self._secrets = tuple(secrets)
        self._refuse = refuse
        self._now = now
        self._server = ThreadingHTTPServer(("127.0.0.1", port), _handler(self))
        self._thread = threading.Thread(target=self._serve, name="webhook-receiver", daemon=True)

    @property
    def url(self) -> str:
        """Return the address to put into a connection (with ``allow_http`` and ``allow = ["127.0.0.1"]``)."""
        return f"http://127.0.0.1:{self._server.server_port}/events"

    def _serve(self) -> None:
        self._server.serve_forever(poll_interval=_POLL_SECONDS)

    def __enter__(self) -> LocalReceiver:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self.close()

    def close(self) -> None:
        """Give the port back; only needed for a receiver that was not used in a ``with`` statement."""
        self._server.server_close()

    def answer(self, headers: Mapping[str, str], body: bytes) -> tuple[int, bytes]:
        """Take one request and return the HTTP status and body of the answer."""
        now = self._now()
        try:
            received = receive(headers, body, self._secrets, now)
        except SignatureError as error:
            return 401, orjson.dumps({"error": error.code})
        except EventError as error:
            return 400, orjson.dumps({"error": str(error)})
        return 200, self.inbox.record(received, self._refuse, now)


def _handler(receiver: LocalReceiver) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = 60

        def do_POST(self) -> None:
            length = self.headers.get("Content-Length", "")
            if not length.isdecimal() or int(length) > _LARGEST_BODY:
                self.close_connection = True
                self._reply(413 if length.isdecimal() else 411, b"")
                return
            body = self.rfile.read(int(length))
            self._reply(*receiver.answer(dict(self.headers.items()), body))

        def do_OPTIONS(self) -> None:
            origin = self.headers.get("WebHook-Request-Origin")
            self._reply(200, b"", {"WebHook-Allowed-Origin": origin} if origin else {})

        def _reply(self, status: int, body: bytes, headers: Mapping[str, str] | None = None) -> None:
            self.send_response(status)
            for name, value in {"Content-Type": "application/json", **(headers or {})}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
            """Say nothing: request lines do not belong on a demo's terminal."""

    return Handler
