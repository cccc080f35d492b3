"""A small ASGI application that takes Pospal's pushed messages: checks, keeps, acknowledges; the next run does the work.

app = Receiver(config, inbox, now)          # uvicorn's or any ASGI server's application
"""

from __future__ import annotations

import asyncio
import datetime as dt
import logging
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final

from hub.runtime import utc_now
from plugins.pos.pospal.config import PospalConfig
from plugins.pos.pospal.inbox import Inbox
from plugins.pos.pospal.messages import MessageError, read_message
from plugins.pos.pospal.signing import is_authentic

__all__ = ["Receiver"]

_LONGEST: Final = 1024 * 1024
log = logging.getLogger("hub.connection.pospal.receiver")

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


class _Refused(Exception):  # noqa: N818 - a signal inside this module
    def __init__(self, status: int) -> None:
        super().__init__(str(status))
        self.status = status


class Receiver:
    """Takes messages at any path. An unsigned, foreign or unreadable one is refused with 401 or 400.

    Args:
        config: the connection's settings: whose messages, signed with which keys.
        inbox: where they are kept.
        now: the present instant.
    """

    def __init__(self, config: PospalConfig, inbox: Inbox, now: Callable[[], dt.datetime] = utc_now) -> None:
        self._keys = {shop.app_id: shop.app_key.get_secret_value() for shop in config.shops}
        self._inbox = inbox
        self._now = now

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
                raise _Refused(405)
            body = await _body(receive)
            headers = {key.decode("latin-1").lower(): value.decode("latin-1") for key, value in scope["headers"]}
            # The disk may be slow; other messages must not wait for it.
            await asyncio.to_thread(self.take, body, headers)
        except _Refused as refused:
            status = refused.status
        except MessageError as error:
            log.warning("A pushed message was refused: %s", error.code)
            status = 400
        await _answer(send, status, b"SUCCESS" if status == 200 else b"FAIL")

    def take(self, body: bytes, headers: MutableMapping[str, str]) -> bool:
        """Check a message and keep it; say whether it was new.

        Args:
            body: the bytes as received.
            headers: names in lower case.

        Raises:
            MessageError: it cannot be read.
        """
        message = read_message(body, headers.get("content-type", ""))
        key = self._keys.get(message.app_id)
        if key is None or not is_authentic(key, body, headers.get("data-signature", "")):
            raise _Refused(401)
        return self._inbox.add(message, self._now())


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
            raise _Refused(400)
        body += event.get("body", b"")
        if len(body) > _LONGEST:
            raise _Refused(413)
        if not event.get("more_body"):
            return bytes(body)


async def _answer(send: Send, status: int, body: bytes) -> None:
    headers = [(b"content-type", b"text/plain"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
