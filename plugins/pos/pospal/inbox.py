"""Pushed messages that wait for the next run."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from plugins.pos.inbox import Inbox
from plugins.pos.pospal.config import PospalConfig
from plugins.pos.pospal.messages import Message, Subject

__all__ = ["MessageBox", "inbox_of"]


class MessageBox:
    """The connection's message files.

    Args:
        inbox: the folder they are in.
    """

    def __init__(self, inbox: Inbox) -> None:
        self._inbox = inbox

    @property
    def folder(self) -> Path:
        """Where the files are."""
        return self._inbox.folder

    def add(self, message: Message, received: dt.datetime) -> bool:
        """Keep a message; say whether it was new."""
        return self._inbox.add(asdict(message), received)

    def read(self, position: Mapping[str, Any]) -> tuple[list[Message], dict[str, Any]]:
        """Return the messages behind a position, oldest first, and the position behind them."""
        found, reached = self._inbox.read(position)
        return [Message(**{**entry, "subject": Subject(entry["subject"])}) for entry in found], reached


def inbox_of(config: PospalConfig, base: Path) -> MessageBox | None:
    """Return the connection's message files, None where it has no ``inbox``.

    Args:
        config: the connection's settings.
        base: folder that relative paths start from.
    """
    if config.inbox is None:
        return None
    folder = Path(config.inbox.folder).expanduser()
    return MessageBox(Inbox(folder if folder.is_absolute() else base / folder, config.inbox.keep_days))
