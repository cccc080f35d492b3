"""A small ASGI application that takes Youzan's pushed messages: checks, keeps, acknowledges; the work is done by the next run.

app = Receiver(config, spool, now)          # uvicorn's or any ASGI server's application
"""

from __future__ import annotations

import asyncio
import datetime as dt
import logging
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final

from hub.runtime import Runtime, utc_now
from plugins.youzan.config import YouzanConfig
from plugins.youzan.messages import ACKNOWLEDGEMENT, MessageError, is_authentic, read_message
from plugins.youzan.spool import Spool

__all__ = ["Receiver", "spool_of"]

_LONGEST: Final = 4 * 1024 * 1024
_REFUSAL: Final = b'{"code":0,"msg":"failed"}'
log = logging.getLogger("hub.connection.youzan.receiver")

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


class _Refused(Exception):  # noqa: N818 - a signal inside this module
    def __init__(self, status: int) -> None:
        super().__init__(str(status))
        self.status = status


def spool_of(config: YouzanConfig, runtime: Runtime) -> Spool | None:
    """Return the connection's message files, None where it has no ``inbox``."""
    return Spool(runtime.path(config.inbox.folder), config.inbox.keep_days) if config.inbox else None


class Receiver:
    """Takes messages at any path.

    Youzan wants an answer within five seconds and repeats what it does not get one for. So a message is only checked and
    written to the disk here. An unsigned, foreign or unreadable one is refused with 401 or 400.

    Args:
        config: the connection's settings: which application's messages, signed with which secret.
        spool: where they are kept.
        now: the present instant.
    """

    def __init__(self, config: YouzanConfig, spool: Spool, now: Callable[[], dt.datetime] = utc_now) -> None:
        self._client_id = config.client_id
        self._secret = config.client_secret.get_secret_value()
        self._spool = spool
        self._now = now

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI event."""
        if scope["type"] == "lifespan":
            await _live(receive, send)
            return
        if scope["type"] != "http":
            return
        try:
            if scope["method"] != "POST":
                raise _Refused(405)
            body = await _body(receive)
            # The disk may be slow; other messages must not wait for it.
            await asyncio.to_thread(self.take, body, _header(scope, b"event-sign"))
        except _Refused as refused:
            await _answer(send, refused.status, _REFUSAL)
        except MessageError as error:
            log.warning("A pushed message was refused: %s", error.code)
            await _answer(send, 400, _REFUSAL)
        else:
            await _answer(send, 200, ACKNOWLEDGEMENT)

    def take(self, body: bytes, signature: str) -> bool:
        """Check a message and keep it; say whether it was new.

        Args:
            body: the bytes as received.
            signature: header ``Event-Sign``.

        Raises:
            MessageError: it cannot be read or is for another application.
        """
        if not is_authentic(self._client_id, self._secret, body, signature):
            raise _Refused(401)
        message = read_message(body, self._client_id)
        return False if message.test else self._spool.add(message, self._now())


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


def _header(scope: Scope, name: bytes) -> str:
    return next((value.decode("latin-1") for key, value in scope["headers"] if key.lower() == name), "")


async def _answer(send: Send, status: int, body: bytes) -> None:
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
