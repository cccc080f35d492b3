"""A small ASGI application that takes Youzan's pushed messages: checks, keeps, acknowledges; the work is done by the next run.

app = Receiver(config, spool, now)          # uvicorn's or any ASGI server's application
"""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Callable
from typing import Final

from hub.http import Incoming, MessageApp, RefusedMessage
from hub.runtime import Runtime, utc_now
from plugins.youzan.config import YouzanConfig
from plugins.youzan.messages import ACKNOWLEDGEMENT, MessageError, is_authentic, read_message
from plugins.youzan.spool import Spool

__all__ = ["Receiver", "spool_of"]

_LONGEST: Final = 1024 * 1024
_REFUSAL: Final = b'{"code":0,"msg":"failed"}'
log = logging.getLogger("hub.connection.youzan.receiver")


def spool_of(config: YouzanConfig, runtime: Runtime) -> Spool | None:
    """Return the connection's message files, None where it has no ``inbox``."""
    return Spool(runtime.path(config.inbox.folder), config.inbox.keep_days) if config.inbox else None


class Receiver(MessageApp):
    """Takes messages at any path.

    Youzan wants an answer within five seconds and repeats what it does not get one for. So a message is only checked and
    written to the disk here. An unsigned, foreign or unreadable one is refused with 401 or 400.

    Args:
        config: the connection's settings: which application's messages, signed with which secret.
        spool: where they are kept.
        now: the present instant.
    """

    def __init__(self, config: YouzanConfig, spool: Spool, now: Callable[[], dt.datetime] = utc_now) -> None:
        super().__init__(
            self.take, ACKNOWLEDGEMENT, refused=_REFUSAL, content_type="application/json", longest=_LONGEST
        )
        self._client_id = config.client_id
        self._secret = config.client_secret.get_secret_value()
        self._spool = spool
        self._now = now

    def take(self, incoming: Incoming) -> bool:
        """Check a message and keep it; say whether it was new.

        Raises:
            RefusedMessage: it is not signed, cannot be read or is for another application.
        """
        if not is_authentic(self._client_id, self._secret, incoming.body, incoming.headers.get("event-sign", "")):
            raise RefusedMessage(401)
        try:
            message = read_message(incoming.body, self._client_id)
        except MessageError as error:
            log.warning("A pushed message was refused: %s", error.code)
            raise RefusedMessage(400) from error
        return False if message.test else self._spool.add(message, self._now())
