"""A platform made of functions, and time that tests move: for plugin authors' tests, without a server.

    clock = VirtualClock()
    with ScriptedPlatform(clock) as platform:
        platform.on("POST", "/token").answers(reply({"access_token": "t"}))
        platform.on("GET", "/orders").answers(too_many_requests(retry_after=3), reply({"orders": []}))
        client = ApiClient("https://api.example.com", transport=platform, clock=clock)
        ...

Leaving the block fails the test if an expected call was not made; an unexpected call fails it at once.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from email.utils import formatdate
from fnmatch import fnmatchcase
from heapq import heappop, heappush
from types import TracebackType
from typing import Any, Self

import httpx

from hub.http.decode import decode_json, encode_json
from hub.http.message import NOTHING

__all__ = [
    "Expectation",
    "Responder",
    "ScriptError",
    "ScriptedPlatform",
    "ScriptedReply",
    "ThreadedVirtualClock",
    "VirtualClock",
    "dropped_after_send",
    "dropped_before_send",
    "reply",
    "server_fault",
    "slow",
    "too_many_requests",
    "truncated",
]


class VirtualClock:
    """Time that passes only by sleeping or :meth:`advance`. Threads may share it; none of them ever really waits.

    Args:
        start: seconds since the Unix epoch; 2026-03-01 00:00 in China unless given.
    """

    def __init__(self, start: float = 1_772_294_400.0) -> None:
        self._start = start
        self._now = start
        self._guard = threading.Lock()
        self.sleeps: list[float] = []

    def time(self) -> float:
        """Return virtual seconds since the Unix epoch."""
        return self._now

    def monotonic(self) -> float:
        """Return virtual seconds since the clock was made."""
        return self._now - self._start

    def sleep(self, seconds: float) -> None:
        """Move time on by ``seconds`` from now and note it in ``sleeps``."""
        wake = self._now + max(0.0, seconds)
        with self._guard:
            self.sleeps.append(seconds)
            self._now = max(self._now, wake)

    def advance(self, seconds: float) -> None:
        """Move time on without noting it."""
        with self._guard:
            self._now += seconds


class ThreadedVirtualClock(VirtualClock):
    """Virtual time for several threads that must overlap truly: it moves on only when all of them sleep.

    Each thread runs its work inside ``with clock.thread():``; ``threads`` says how many there will be.
    """

    def __init__(self, threads: int, start: float = 1_772_294_400.0) -> None:
        super().__init__(start)
        self._running = threads
        self._changed = threading.Condition(self._guard)
        self._wakes: list[float] = []

    def sleep(self, seconds: float) -> None:
        """Return when virtual time has come to now + ``seconds``."""
        with self._changed:
            self.sleeps.append(seconds)
            wake = self._now + max(0.0, seconds)
            heappush(self._wakes, wake)
            self._running -= 1
            self._move_on()
            while self._now < wake:
                self._changed.wait()

    def thread(self) -> _Participant:
        """Take part: time stands still while this thread is awake."""
        return _Participant(self)

    def leave(self) -> None:
        """Take no part any more."""
        with self._changed:
            self._running -= 1
            self._move_on()

    def _move_on(self) -> None:
        if self._running == 0 and self._wakes:
            self._now = max(self._now, self._wakes[0])
            while self._wakes and self._wakes[0] <= self._now:
                heappop(self._wakes)
                self._running += 1
            self._changed.notify_all()


class _Participant:
    def __init__(self, clock: ThreadedVirtualClock) -> None:
        self._clock = clock

    def __enter__(self) -> None:
        return None

    def __exit__(self, *_: object) -> None:
        self._clock.leave()


class ScriptError(AssertionError):
    """The client did not do what the test's script says."""


#: Answers one request: returns a response, or raises what httpx raises when there is none.
Responder = Callable[[httpx.Request, VirtualClock], httpx.Response]


@dataclass(frozen=True)
class ScriptedReply:
    """One scripted answer; made by :func:`reply` and the fault functions below, or from your own function."""

    respond: Responder = field(repr=False)
    what: str = "reply"


def reply(
    data: Any = NOTHING,
    *,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
    content: bytes | None = None,
) -> ScriptedReply:
    """Answer with JSON ``data``, or with the bytes ``content``."""
    body = content if content is not None else b"" if data is NOTHING else encode_json(data)
    full = {"Content-Type": "application/json; charset=utf-8", **(headers or {})}
    return ScriptedReply(lambda request, clock: httpx.Response(status, headers=full, content=body), f"reply {status}")  # noqa: ARG005


def too_many_requests(*, retry_after: float | None = None, as_date: bool = False) -> ScriptedReply:
    """Answer 429, without ``Retry-After`` or with it, in seconds or as a date."""

    def respond(request: httpx.Request, clock: VirtualClock) -> httpx.Response:  # noqa: ARG001
        headers = {}
        if retry_after is not None:
            seconds = f"{retry_after:g}"
            headers["Retry-After"] = formatdate(clock.time() + retry_after, usegmt=True) if as_date else seconds
        return httpx.Response(429, headers=headers)

    return ScriptedReply(respond, "429")


def server_fault(status: int = 503, *, content: bytes = b"<html>upstream error</html>") -> ScriptedReply:
    """Answer with a 5xx status and a page that is not JSON, as gateways do."""
    return reply(status=status, headers={"Content-Type": "text/html"}, content=content)


def truncated(data: Any, *, keep: float = 0.5, announced: bool = True) -> ScriptedReply:
    """Answer with only the first part of the JSON body.

    Args:
        data: the whole body.
        keep: share of the bytes that arrive.
        announced: the answer had a ``Content-Length``, so the break shows as a broken connection; without it only
            the JSON is incomplete.
    """
    body = encode_json(data)
    part = body[: int(len(body) * keep)]

    def respond(request: httpx.Request, clock: VirtualClock) -> httpx.Response:  # noqa: ARG001
        if not announced:
            return httpx.Response(200, headers={"Content-Type": "application/json"}, content=part)
        headers = {"Content-Type": "application/json", "Content-Length": str(len(body))}
        return httpx.Response(200, headers=headers, stream=_BrokenStream(part))

    return ScriptedReply(respond, "truncated body")


def dropped_before_send() -> ScriptedReply:
    """Refuse the connection: nothing of the request arrives."""
    return ScriptedReply(_raise(httpx.ConnectError, "connection refused"), "connection refused")


def dropped_after_send() -> ScriptedReply:
    """Close the connection after the request has arrived, without an answer."""
    return ScriptedReply(_raise(httpx.RemoteProtocolError, "server disconnected"), "dropped after send")


def slow(seconds: float, then: ScriptedReply, *, chunks: int = 0) -> ScriptedReply:
    """Answer late: virtual time moves on, and the client's own time limits apply.

    Args:
        seconds: time until the answer begins; or, with ``chunks``, until it is complete.
        then: the answer.
        chunks: number of pieces in which the body drips in; 0 sends it at once.
    """

    def respond(request: httpx.Request, clock: VirtualClock) -> httpx.Response:
        if chunks:
            whole = then.respond(request, clock)
            return httpx.Response(
                whole.status_code, headers=whole.headers, stream=_Drip(whole.read(), chunks, seconds, clock)
            )
        limit = request.extensions.get("timeout", {}).get("read")
        if limit is not None and seconds > limit:
            clock.advance(limit)
            raise httpx.ReadTimeout("no answer in time")
        clock.advance(seconds)
        return then.respond(request, clock)

    return ScriptedReply(respond, f"slow {then.what}")


def _raise(kind: type[httpx.TransportError], text: str) -> Responder:
    def respond(request: httpx.Request, clock: VirtualClock) -> httpx.Response:  # noqa: ARG001
        raise kind(text)

    return respond


class _BrokenStream(httpx.SyncByteStream):
    def __init__(self, part: bytes) -> None:
        self._part = part

    def __iter__(self) -> Iterator[bytes]:
        yield self._part
        raise httpx.RemoteProtocolError("peer closed connection without sending complete message body")


class _Drip(httpx.SyncByteStream):
    def __init__(self, body: bytes, chunks: int, seconds: float, clock: VirtualClock) -> None:
        self._body = body
        self._chunks = chunks
        self._seconds = seconds
        self._clock = clock

    def __iter__(self) -> Iterator[bytes]:
        size = max(1, -(-len(self._body) // self._chunks))
        for start in range(0, len(self._body), size):
            self._clock.advance(self._seconds / self._chunks)
            yield self._body[start : start + size]


class Expectation:
    """One kind of call that the test expects, and how it is answered."""

    def __init__(self, method: str, path: str, params: Mapping[str, str], json: object) -> None:
        self._method = method.upper()
        self._path = path
        self._params = dict(params)
        self._json = json
        self._replies: list[ScriptedReply] = []
        self._forever: ScriptedReply | None = None
        self.requests: list[httpx.Request] = []

    def __str__(self) -> str:
        return f"{self._method} {self._path}"

    def answers(self, *replies: ScriptedReply) -> Self:
        """Answer the first call with the first reply and so on; exactly so many calls are expected."""
        self._replies.extend(replies)
        return self

    def always(self, answer: ScriptedReply) -> Self:
        """Answer every further call so; any number of calls is fine, none included."""
        self._forever = answer
        return self

    def times(self, count: int, answer: ScriptedReply) -> Self:
        """Answer ``count`` calls so; exactly so many are expected."""
        return self.answers(*[answer] * count)

    @property
    def missing(self) -> int:
        """Return how many expected calls have not been made."""
        return max(0, len(self._replies) - len(self.requests))

    @property
    def bodies(self) -> list[Any]:
        """Return the JSON bodies of the calls made, in order."""
        return [decode_json(request.content) for request in self.requests]

    def fits(self, request: httpx.Request) -> bool:
        """Say whether this expectation speaks of ``request`` and still has an answer."""
        if len(self.requests) >= len(self._replies) and self._forever is None:
            return False
        return (
            request.method == self._method
            and fnmatchcase(request.url.path, self._path)
            and all(request.url.params.get(name) == value for name, value in self._params.items())
            and (self._json is NOTHING or decode_json(request.content) == self._json)
        )

    def take(self, request: httpx.Request) -> ScriptedReply:
        """Note the call and return its answer."""
        self.requests.append(request)
        count = len(self.requests)
        if count <= len(self._replies):
            return self._replies[count - 1]
        if self._forever is None:
            raise ScriptError(f"unexpected call {request.method} {request.url.path}")
        return self._forever


class ScriptedPlatform(httpx.BaseTransport):
    """A transport that answers by script and is strict about it. Expectations are tried in the order they were made.

    Args:
        clock: moved on by slow answers; the same one that the client uses.
    """

    def __init__(self, clock: VirtualClock | None = None) -> None:
        self.clock = clock or VirtualClock()
        self.requests: list[httpx.Request] = []
        self.arrivals: list[float] = []
        self._expectations: list[Expectation] = []
        self._unexpected: list[str] = []
        self._guard = threading.Lock()

    def on(
        self, method: str, path: str, *, params: Mapping[str, str] | None = None, json: Any = NOTHING
    ) -> Expectation:
        """Expect calls with this method and path (``*`` and ``?`` are wildcards), these parameters, this JSON body."""
        expectation = Expectation(method, path, params or {}, json)
        self._expectations.append(expectation)
        return expectation

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Answer by the first expectation that fits."""
        request.read()
        with self._guard:
            self.requests.append(request)
            self.arrivals.append(self.clock.time())
            expectation = next((one for one in self._expectations if one.fits(request)), None)
            if expectation is None:
                self._unexpected.append(f"{request.method} {request.url.path}")
                raise ScriptError(f"unexpected call {self._unexpected[-1]}; expected: {self._describe()}")
            answer = expectation.take(request)
        return answer.respond(request, self.clock)

    def _describe(self) -> str:
        return "; ".join(f"{one} ({one.missing} missing)" for one in self._expectations) or "nothing"

    def verify(self) -> None:
        """Fail if a call was unexpected (even where the code under test hid that) or an expected one is missing."""
        problems = [f"unexpected call {call}" for call in self._unexpected]
        problems += [f"{one}: {one.missing} expected call(s) not made" for one in self._expectations if one.missing]
        if problems:
            raise ScriptError("; ".join(problems))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None = None,
        error: BaseException | None = None,
        trace: TracebackType | None = None,
    ) -> None:
        # The test's own failure says more than what it then left undone.
        if kind is None:
            self.verify()
