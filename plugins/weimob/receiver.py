"""A small ASGI application that takes Weimob's pushed messages: checks, keeps, acknowledges; the work is done by the next run.

app = Receiver(config, inbox_of(config, runtime))          # uvicorn's or any ASGI server's application
"""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Callable
from typing import Final

from hub.http import Incoming, MessageApp, RefusedMessage
from hub.runtime import Runtime, utc_now
from plugins.weimob.config import WeimobConfig, data_folder
from plugins.weimob.inbox import Inbox
from plugins.weimob.messages import ACKNOWLEDGEMENT, REFUSAL, Message, MessageError, decode, is_authentic, read_message

__all__ = ["Receiver", "inbox_of"]

_LONGEST: Final = 4 * 1024 * 1024
log = logging.getLogger("hub.connection.weimob.receiver")


def inbox_of(config: WeimobConfig, runtime: Runtime) -> Inbox:
    """Open the connection's file of messages."""
    return Inbox(data_folder(config, runtime), config.keep_days)


class Receiver(MessageApp):
    """Takes messages at any path; the platform's own receivers listen at ``/weimob/cloud/wos/message/receive``.

    Whatever is not acknowledged is sent again, so a message is only checked and written to the disk here. One with another
    signature is refused with 401, an unreadable or foreign one with 400.

    Args:
        config: the connection's settings: whose messages, signed with which secret.
        inbox: where they are kept.
        now: the present instant.
    """

    def __init__(self, config: WeimobConfig, inbox: Inbox, now: Callable[[], dt.datetime] = utc_now) -> None:
        super().__init__(self.take, ACKNOWLEDGEMENT, refused=REFUSAL, content_type="application/json", longest=_LONGEST)
        self._client_id = config.client_id
        self._bos_id = config.bos_id
        self._secret = config.client_secret.get_secret_value()
        self._inbox = inbox
        self._now = now

    def take(self, incoming: Incoming) -> bool:
        """Check a message and keep it; say whether it was new.

        Raises:
            RefusedMessage: it is not signed, cannot be read or is for another merchant.
        """
        try:
            message = self._read(incoming.body)
        except MessageError as error:
            log.warning("A pushed message was refused: %s", error.code)
            raise RefusedMessage(400) from error
        return False if message.test else self._inbox.add(message, self._now())

    def _read(self, body: bytes) -> Message:
        data = decode(body)
        if not is_authentic(self._client_id, self._secret, data):
            raise RefusedMessage(401)
        return read_message(data, self._bos_id)
