"""A small ASGI application that takes Pospal's pushed messages: checks, keeps, acknowledges; the next run does the work.

app = Receiver(config, inbox, now)          # uvicorn's or any ASGI server's application
"""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Callable

from hub.http import Incoming, MessageApp, RefusedMessage
from hub.runtime import utc_now
from plugins.pos.pospal.config import PospalConfig
from plugins.pos.pospal.inbox import MessageBox
from plugins.pos.pospal.messages import MessageError, read_message
from plugins.pos.pospal.signing import is_authentic

__all__ = ["Receiver"]

log = logging.getLogger("hub.connection.pospal.receiver")


class Receiver(MessageApp):
    """Takes messages at any path. An unsigned, foreign or unreadable one is refused with 401 or 400.

    Args:
        config: the connection's settings: whose messages, signed with which keys.
        inbox: where they are kept.
        now: the present instant.
    """

    def __init__(self, config: PospalConfig, inbox: MessageBox, now: Callable[[], dt.datetime] = utc_now) -> None:
        super().__init__(self.take, b"SUCCESS")
        self._keys = {shop.app_id: shop.app_key.get_secret_value() for shop in config.shops}
        self._inbox = inbox
        self._now = now

    def take(self, incoming: Incoming) -> bool:
        """Check a message and keep it; say whether it was new.

        Raises:
            RefusedMessage: it is signed by nobody we know, or cannot be read.
        """
        try:
            message = read_message(incoming.body, incoming.headers.get("content-type", ""))
        except MessageError as error:
            log.warning("A pushed message was refused: %s", error.code)
            raise RefusedMessage(400) from error
        key = self._keys.get(message.app_id)
        if key is None or not is_authentic(key, incoming.body, incoming.headers.get("data-signature", "")):
            raise RefusedMessage(401)
        return self._inbox.add(message, self._now())
