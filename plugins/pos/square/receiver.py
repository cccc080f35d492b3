"""A small ASGI application that takes webhook events: checks, keeps, acknowledges; the next run does the work.

app = Receiver(config, inbox, now)          # uvicorn's or any ASGI server's application
"""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Callable
from pathlib import Path

from hub.http import Incoming, MessageApp, RefusedMessage
from hub.runtime import utc_now
from plugins.pos.inbox import Inbox
from plugins.pos.square.config import InboxSettings, SquareConfig
from plugins.pos.square.events import EventError, is_authentic, read_event

__all__ = ["Receiver", "inbox_of"]

log = logging.getLogger("hub.connection.square.receiver")


def inbox_of(config: SquareConfig, base: Path) -> Inbox | None:
    """Return the connection's event files, None where it has no ``inbox``.

    Args:
        config: the connection's settings.
        base: folder that relative paths start from.
    """
    if config.inbox is None:
        return None
    folder = Path(config.inbox.folder).expanduser()
    return Inbox(folder if folder.is_absolute() else base / folder, config.inbox.keep_days)


class Receiver(MessageApp):
    """Takes events at any path. An unsigned one is refused with 403, an unreadable one with 400.

    Args:
        settings: the connection's ``inbox``.
        inbox: where they are kept.
        now: the present instant.
    """

    def __init__(self, settings: InboxSettings, inbox: Inbox, now: Callable[[], dt.datetime] = utc_now) -> None:
        super().__init__(self.take, b"OK")
        self._settings = settings
        self._inbox = inbox
        self._now = now

    def take(self, incoming: Incoming) -> bool:
        """Check an event and keep it; say whether it was new.

        Raises:
            RefusedMessage: it is not signed with the subscription's key, or cannot be read.
        """
        key = self._settings.signature_key.get_secret_value()
        if not is_authentic(
            key, self._settings.url, incoming.body, incoming.headers.get("x-square-hmacsha256-signature", "")
        ):
            raise RefusedMessage(403)
        try:
            event = read_event(incoming.body)
        except EventError as error:
            log.warning("A webhook event was refused: %s", error.code)
            raise RefusedMessage(400) from error
        return self._inbox.add(event, self._now())
