"""A small ASGI application that takes pushed messages: a check of the plugin's own decides, the answer is a short text."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any, Final

__all__ = ["MessageApp", "RefusedMessage"]

_LONGEST: Final = 1024 * 1024

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


class RefusedMessage(Exception):  # noqa: N818 - a signal to the application
    """A message is not taken; ``status`` is the HTTP status that says so."""

    def __init__(self, status: int) -> None:
        super().__init__(str(status))
        self.status = status


class MessageApp:
    """Takes messages at any path.

    Args:
        take: checks a message and keeps it durably; gets the body and the headers by lower-case name, raises
            :class:`RefusedMessage`.
        accepted: the text that acknowledges.
    """

    def __init__(self, take: Callable[[bytes, Mapping[str, str]], object], accepted: bytes) -> None:
        self._take = take
        self._accepted = accepted

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI event."""
        if scope["type"] == "lifespan":
            await _live(receive, send)
            return
        if scope["type"] != "http":
            return
        status = 200
        try:
            if scope["method"] != "POST":
                raise RefusedMessage(405)
            body = await _body(receive)
            headers = {key.decode("latin-1").lower(): value.decode("latin-1") for key, value in scope["headers"]}
            # The disk may be slow; other messages must not wait for it.
            await asyncio.to_thread(self._take, body, headers)
        except RefusedMessage as refused:
            status = refused.status
        await _answer(send, status, self._accepted if status == 200 else b"FAIL")


async def _live(receive: Receive, send: Send) -> None:
    while True:
        event = await receive()
        stage = event["type"].removeprefix("lifespan.")
        await send({"type": f"lifespan.{stage}.complete"})
        if stage == "shutdown":
            return


async def _body(receive: Receive) -> bytes:
    body = bytearray()
    while True:
        event = await receive()
        if event["type"] == "http.disconnect":
            raise RefusedMessage(400)
        body += event.get("body", b"")
        if len(body) > _LONGEST:
            raise RefusedMessage(413)
        if not event.get("more_body"):
            return bytes(body)


async def _answer(send: Send, status: int, body: bytes) -> None:
    headers = [(b"content-type", b"text/plain"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
