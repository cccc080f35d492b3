"""What goes out and what comes back: a request before it is signed, a response, the options and record of a call."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, Final, Self
from urllib.parse import unquote, urlencode, urlsplit

from hub.http.decode import encode_json
from hub.redaction import redact

__all__ = ["ApiResponse", "CallObserver", "CallOptions", "CallRecord", "Draft", "Expect", "Timeouts", "Unit"]

#: Methods that RFC 9110 §9.2.2 calls idempotent: repeating one changes nothing more.
IDEMPOTENT_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE", "TRACE"})
NOTHING: Final = object()


@dataclass(frozen=True)
class Timeouts:
    """Five limits, in seconds.

    ``connect``, ``read``, ``write`` and ``pool`` bound one step of one attempt. ``total`` bounds the whole call, repeats
    and pauses included; only waiting to be let through (rate budget, concurrency cap) is not counted.
    """

    connect: float = 10.0
    read: float = 30.0
    write: float = 30.0
    pool: float = 30.0
    total: float = 120.0


@dataclass(frozen=True)
class Draft:
    """A request before authentication: an :class:`~hub.http.Auth` strategy returns a changed copy.

    The body is either ``json`` (encoded once, in key order, without ``\\u`` escapes) or ``content``. ``body`` gives
    the exact bytes that will be sent, so a signature can be made over them.
    """

    method: str
    url: str
    params: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    json: Any = field(default=NOTHING, repr=False)
    content: bytes = field(default=b"", repr=False)

    @property
    def has_json(self) -> bool:
        """Say whether the body is JSON."""
        return self.json is not NOTHING

    @property
    def body(self) -> bytes:
        """Return the bytes of the body."""
        return encode_json(self.json) if self.has_json else self.content

    @property
    def path(self) -> str:
        """Return the decoded path of the URL."""
        return unquote(urlsplit(self.url).path)

    def with_param(self, name: str, value: str) -> Self:
        """Return a copy in which query parameter ``name`` has this one value."""
        kept = tuple(pair for pair in self.params if pair[0] != name)
        return replace(self, params=(*kept, (name, value)))

    def with_header(self, name: str, value: str) -> Self:
        """Return a copy in which header ``name`` has this value."""
        kept = {key: text for key, text in self.headers.items() if key.lower() != name.lower()}
        return replace(self, headers={**kept, name: value})

    def with_json(self, value: object) -> Self:
        """Return a copy with this JSON body."""
        return replace(self, json=value, content=b"")

    def with_form(self, values: Mapping[str, str]) -> Self:
        """Return a copy with a form-encoded body."""
        content = urlencode(values).encode()
        return replace(self, json=NOTHING, content=content).with_header(
            "Content-Type", "application/x-www-form-urlencoded"
        )


class Unit(StrEnum):
    """What a refused call costs: one row (a detail, a write) or the whole stream (a list)."""

    ROW = "row"
    STREAM = "stream"


class Expect(StrEnum):
    """What a good answer holds. ``BYTES`` still notices a JSON error sent in place of a file."""

    JSON = "json"
    BYTES = "bytes"


@dataclass(frozen=True)
class CallOptions:
    """What is special about one call; everything has a safe default.

    Args:
        idempotent: repeating the call does no harm. ``None``: as RFC 9110 says for the method, so a POST that only
            reads must say ``True``. A call that is not idempotent is never repeated once it may have arrived.
        group: endpoint group whose rate budget the call uses, beside the connection's own.
        units: how much of the budget the call uses.
        unit: what an answer "refused" costs, see :class:`Unit`.
        expect: what a good answer holds.
        decimals: decode JSON numbers with a point as ``Decimal``.
        tries: overrides the policy's number of tries.
        timeouts: overrides the client's time limits.
        max_bytes: overrides the client's limit on the decompressed body.
        authenticate: ``False`` for the call that fetches the token itself.
    """

    idempotent: bool | None = None
    group: str | None = None
    units: int = 1
    unit: Unit = Unit.STREAM
    expect: Expect = Expect.JSON
    decimals: bool = False
    tries: int | None = None
    timeouts: Timeouts | None = None
    max_bytes: int | None = None
    authenticate: bool = True

    def may_repeat(self, method: str) -> bool:
        """Say whether a call with this method may be repeated although it may have been carried out."""
        return method in IDEMPOTENT_METHODS if self.idempotent is None else self.idempotent


@dataclass(frozen=True)
class ApiResponse:
    """An accepted answer.

    Attributes:
        status: HTTP status.
        data: the decoded JSON; ``None`` for an empty body and for bytes.
        body: the decompressed body.
        headers: header names in lower case.
        code: the business code, where a rule accepted one that is not plain success; else empty.
        request_id: the hub's own id of the call.
        attempt: number of the try that succeeded, counted from 1.
        seconds: duration of that try.
    """

    status: int
    data: Any = field(repr=False)
    body: bytes = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)
    code: str = ""
    request_id: str = ""
    attempt: int = 1
    seconds: float = 0.0


@dataclass(frozen=True)
class CallRecord:
    """One exchange with the platform, fit for counters and logs: nothing in it is secret or personal.

    Attributes:
        connection: the client's name.
        method: HTTP method.
        path: path without query, personal data masked.
        group: endpoint group, if any.
        status: HTTP status; ``None`` if no answer came.
        code: business code, or the name of the fault if no answer came; empty on plain success.
        outcome: ``ok`` or the action that the error table chose.
        seconds: from sending to the end of the body.
        attempt: number of the try, counted from 1.
        request_id: the same for all tries of a call.
    """

    connection: str
    method: str
    path: str
    group: str | None
    status: int | None
    code: str
    outcome: str
    seconds: float
    attempt: int
    request_id: str


CallObserver = Callable[[CallRecord], None]


def redacted_path(url: str, secrets: tuple[str, ...]) -> str:
    """Return the path of ``url`` alone, percent-decoded so that nothing hides behind ``%2B``, and redacted."""
    return redact(unquote(urlsplit(url).path), secrets)
