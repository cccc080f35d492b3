"""One exchange on the wire: send, read within limits, and name what went wrong without quoting anything."""

from __future__ import annotations

import logging
import ssl
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Final

import httpx

from hub.http.classify import NEVER_SENT, Fault
from hub.http.clock import Clock
from hub.http.message import Draft, Timeouts

__all__ = ["Answer", "NoAnswer", "Wire"]

# httpx and httpcore log whole URLs and headers. The hub writes its own, redacted line per exchange instead.
_CHATTY_LOGGERS: Final = (
    "httpx",
    "httpcore.connection",
    "httpcore.http11",
    "httpcore.http2",
    "httpcore.proxy",
    "httpcore.socks",
)
_inside = threading.local()


class _OwnLogOnly(logging.Filter):
    """Drops what the libraries below log about *our* exchanges; other users of them are left alone."""

    def filter(self, record: logging.LogRecord) -> bool:  # noqa: ARG002
        return not getattr(_inside, "exchange", False)


for _name in _CHATTY_LOGGERS:
    logging.getLogger(_name).addFilter(_OwnLogOnly())


@contextmanager
def _quiet() -> Iterator[None]:
    _inside.exchange = True
    try:
        yield
    finally:
        _inside.exchange = False


@dataclass(frozen=True)
class Answer:
    """A complete answer. Header names are in lower case."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)


@dataclass(frozen=True)
class NoAnswer:
    """No complete answer. ``detail`` names the kind of exception, never its text: that may quote a header."""

    fault: Fault
    detail: str

    @property
    def sent(self) -> bool:
        """Say whether the request may have reached the platform."""
        return self.fault not in NEVER_SENT


# The first entry whose class fits decides, so special cases stand before their bases.
_FAULTS: Final[tuple[tuple[type[Exception], Fault], ...]] = (
    (httpx.ConnectTimeout, Fault.CONNECT_TIMEOUT),
    (httpx.PoolTimeout, Fault.POOL_TIMEOUT),
    (httpx.WriteTimeout, Fault.WRITE),
    (httpx.ReadTimeout, Fault.READ_TIMEOUT),
    (httpx.ConnectError, Fault.CONNECT),
    (httpx.ProxyError, Fault.CONNECT),
    (httpx.WriteError, Fault.WRITE),
    (httpx.NetworkError, Fault.DROPPED),
    (httpx.RemoteProtocolError, Fault.DROPPED),
    (httpx.LocalProtocolError, Fault.LOCAL),
    (httpx.UnsupportedProtocol, Fault.LOCAL),
    (httpx.DecodingError, Fault.BODY),
    (httpx.TransportError, Fault.DROPPED),
)


class Wire:
    """An httpx client without redirects, cookies or chatter, that obeys size and time limits.

    Args:
        transport: where requests go; the network unless given.
        clock: measures the total time.
        connections: most connections kept open at once.
        headers: sent with every request.
    """

    def __init__(
        self, transport: httpx.BaseTransport | None, clock: Clock, *, connections: int, headers: Mapping[str, str]
    ) -> None:
        self._clock = clock
        self._client = httpx.Client(
            transport=transport,
            follow_redirects=False,
            # A cookie of one account must not travel with a call of another.
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
            limits=httpx.Limits(max_connections=connections, max_keepalive_connections=connections),
            headers={"Accept-Encoding": "gzip, deflate", **headers},
        )

    def close(self) -> None:
        """Close every connection."""
        self._client.close()

    def exchange(self, draft: Draft, timeouts: Timeouts, deadline: float, max_bytes: int) -> Answer | NoAnswer:
        """Send ``draft`` once and read the whole answer.

        Args:
            draft: the request, signed.
            timeouts: limits of the single steps, in seconds.
            deadline: monotonic time by which the body must be complete.
            max_bytes: most decompressed bytes to read.
        """
        left = deadline - self._clock.monotonic()
        if left <= 0:
            return NoAnswer(Fault.POOL_TIMEOUT, "no time left before sending")
        with _quiet():
            try:
                return self._send(draft, _clip(timeouts, left), deadline, max_bytes)
            except (httpx.TransportError, httpx.DecodingError) as error:
                return NoAnswer(_fault_of(error), type(error).__name__)
            except (httpx.InvalidURL, UnicodeEncodeError) as error:
                return NoAnswer(Fault.LOCAL, type(error).__name__)

    def _send(self, draft: Draft, timeouts: httpx.Timeout, deadline: float, max_bytes: int) -> Answer | NoAnswer:
        request = self._request(draft, timeouts)
        response = self._client.send(request, stream=True)
        try:
            body = bytearray()
            for chunk in response.iter_bytes():
                body += chunk
                if len(body) > max_bytes:
                    return NoAnswer(Fault.TOO_LARGE, f"more than {max_bytes} bytes")
                if self._clock.monotonic() > deadline:
                    return NoAnswer(Fault.TOTAL_TIMEOUT, "the body came too slowly")
            return Answer(response.status_code, dict(response.headers), bytes(body))
        finally:
            response.close()

    def _request(self, draft: Draft, timeouts: httpx.Timeout) -> httpx.Request:
        headers = dict(draft.headers)
        if draft.has_json and not any(name.lower() == "content-type" for name in headers):
            headers["Content-Type"] = "application/json; charset=utf-8"
        return self._client.build_request(
            draft.method,
            draft.url,
            params=list(draft.params) or None,
            headers=headers,
            content=draft.body,
            timeout=timeouts,
        )


def _clip(timeouts: Timeouts, left: float) -> httpx.Timeout:
    return httpx.Timeout(
        connect=min(timeouts.connect, left),
        read=min(timeouts.read, left),
        write=min(timeouts.write, left),
        pool=min(timeouts.pool, left),
    )


def _fault_of(error: Exception) -> Fault:
    if isinstance(error, httpx.ConnectError) and _is_certificate_error(error):
        return Fault.TLS
    return next(fault for kind, fault in _FAULTS if isinstance(error, kind))


def _is_certificate_error(error: BaseException) -> bool:
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return True
        cause = cause.__cause__ or cause.__context__
    return False
