"""A small ASGI application that takes messages which a platform pushes: the plugin checks and keeps them, this answers.

    app = MessageApp(receiver.take, b"success", verify=receiver.verify_url)      # any ASGI server's application

Platforms wait a few seconds and send again what was not acknowledged, so a message is only checked and written to the disk while
they wait; the work is done by the next run. Put it behind TLS.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import parse_qs

__all__ = ["Incoming", "MessageApp", "RefusedMessage"]

_LONGEST: Final = 1024 * 1024

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Incoming:
    """One request.

    Attributes:
        body: the bytes as received.
        headers: by lower-case name.
        query: decoded query parameters; of a repeated one the last.
    """

    body: bytes
    headers: Mapping[str, str]
    query: Mapping[str, str]


class RefusedMessage(Exception):  # noqa: N818 - a signal to the application
    """A message is not taken.

    Args:
        status: the HTTP status that says so.
        text: what is answered; the application's usual refusal unless given.
    """

    def __init__(self, status: int, text: bytes | None = None) -> None:
        super().__init__(str(status))
        self.status = status
        self.text = text


class MessageApp:
    """Takes messages at any path.

    Args:
        take: checks a message and keeps it durably, in a thread of its own; raises :class:`RefusedMessage`.
        accepted: the text that acknowledges.
        refused: the text that does not.
        verify: answers a platform that asks by GET whether this address is ours; None where it never asks.
        content_type: of the answers.
        longest: bytes that a message may have; a longer one is refused with 413 and not read on.
    """

    def __init__(
        self,
        take: Callable[[Incoming], object],
        accepted: bytes,
        *,
        refused: bytes = b"FAIL",
        verify: Callable[[Incoming], bytes] | None = None,
        content_type: str = "text/plain; charset=utf-8",
        longest: int = _LONGEST,
    ) -> None:
        self._take = take
        self._accepted = accepted
        self._refused = refused
        self._verify = verify
        self._content_type = content_type.encode()
        self._longest = longest

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI event: HTTP and the server's start and stop; other kinds are not ours."""
        if scope["type"] == "lifespan":
            await _live(receive, send)
        elif scope["type"] == "http":
            try:
                status, text = 200, await self._answer(scope, receive)
            except RefusedMessage as refusal:
                status, text = refusal.status, self._refused if refusal.text is None else refusal.text
            await self._send(send, status, text)

    async def _answer(self, scope: Scope, receive: Receive) -> bytes:
        method = scope["method"]
        if method != "POST" and not (method == "GET" and self._verify):
            raise RefusedMessage(405, b"method not allowed")
        incoming = Incoming(await self._body(receive), _headers(scope), _query(scope))
        if method == "GET" and self._verify:
            return self._verify(incoming)
        # The disk may be slow; other messages must not wait for it.
        await asyncio.to_thread(self._take, incoming)
        return self._accepted

    async def _body(self, receive: Receive) -> bytes:
        body = bytearray()
        while True:
            event = await receive()
            if event["type"] == "http.disconnect":
                raise RefusedMessage(400)
            body += event.get("body", b"")
            if len(body) > self._longest:
                raise RefusedMessage(413, b"too large")
            if not event.get("more_body"):
                return bytes(body)

    async def _send(self, send: Send, status: int, body: bytes) -> None:
        headers = [(b"content-type", self._content_type), (b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})


async def _live(receive: Receive, send: Send) -> None:
    while True:
        event = await receive()
        stage = event["type"].removeprefix("lifespan.")
        await send({"type": f"lifespan.{stage}.complete"})
        if stage == "shutdown":
            return


def _headers(scope: Scope) -> dict[str, str]:
    return {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope.get("headers", ())}


def _query(scope: Scope) -> dict[str, str]:
    decoded = parse_qs(scope.get("query_string", b"").decode("latin-1"))
    return {name: values[-1] for name, values in decoded.items()}
