"""A small ASGI application that takes Weimob's pushed messages: checks, keeps, acknowledges; the work is done by the next run.

app = Receiver(config, inbox_of(config, runtime))          # uvicorn's or any ASGI server's application
"""

from __future__ import annotations

import asyncio
import datetime as dt
import logging
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final

from hub.runtime import Runtime, utc_now
from plugins.weimob.config import WeimobConfig, data_folder
from plugins.weimob.inbox import Inbox
from plugins.weimob.messages import ACKNOWLEDGEMENT, REFUSAL, MessageError, decode, is_authentic, read_message

__all__ = ["Receiver", "inbox_of"]

_LONGEST: Final = 4 * 1024 * 1024
log = logging.getLogger("hub.connection.weimob.receiver")

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


class _Refused(Exception):  # noqa: N818 - a signal inside this module
    def __init__(self, status: int) -> None:
        super().__init__(str(status))
        self.status = status


def inbox_of(config: WeimobConfig, runtime: Runtime) -> Inbox:
    """Open the connection's file of messages."""
    return Inbox(data_folder(config, runtime), config.keep_days)


class Receiver:
    """Takes messages at any path; the platform's own receivers listen at ``/weimob/cloud/wos/message/receive``.

    Whatever is not acknowledged is sent again, so a message is only checked and written to the disk here. One with another
    signature is refused with 401, an unreadable or foreign one with 400.

    Args:
        config: the connection's settings: whose messages, signed with which secret.
        inbox: where they are kept.
        now: the present instant.
    """

    def __init__(self, config: WeimobConfig, inbox: Inbox, now: Callable[[], dt.datetime] = utc_now) -> None:
        self._client_id = config.client_id
        self._bos_id = config.bos_id
        self._secret = config.client_secret.get_secret_value()
        self._inbox = inbox
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
            content = await _content(receive)
            # The disk may be slow; other messages must not wait for it.
            await asyncio.to_thread(self.take, content)
        except _Refused as refused:
            await _answer(send, refused.status, REFUSAL)
        except MessageError as error:
            log.warning("A pushed message was refused: %s", error.code)
            await _answer(send, 400, REFUSAL)
        else:
            await _answer(send, 200, ACKNOWLEDGEMENT)

    def take(self, content: bytes) -> bool:
        """Check a message and keep it; say whether it was new.

        Args:
            content: the bytes as received.

        Raises:
            MessageError: it cannot be read or is for another merchant.
        """
        data = decode(content)
        if not is_authentic(self._client_id, self._secret, data):
            raise _Refused(401)
        message = read_message(data, self._bos_id)
        return False if message.test else self._inbox.add(message, self._now())


async def _live(receive: Receive, send: Send) -> None:
    while True:
        event = await receive()
        stage = event["type"].removeprefix("lifespan.")
        await send({"type": f"lifespan.{stage}.complete"})
        if stage == "shutdown":
            return


async def _content(receive: Receive) -> bytes:
    content = bytearray()
    while True:
        event = await receive()
        if event["type"] == "http.disconnect":
            raise _Refused(400)
        content += event.get("body", b"")
        if len(content) > _LONGEST:
            raise _Refused(413)
        if not event.get("more_body"):
            return bytes(content)


async def _answer(send: Send, status: int, content: bytes) -> None:
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(content)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": content})
