"""Pushed messages that have arrived, kept until the stream has read them: once each, in a SQLite file that any process may use.

Messages of people carry a ``MsgId``; events have none and are told apart by *all* their fields: a repeat is dropped, two people
who follow in the same second stay two.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import sqlite3
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

__all__ = ["Inbox", "ReceivedMessage", "message_key"]

_KEPT: Final = dt.timedelta(days=30)
_TABLE: Final = (
    "CREATE TABLE IF NOT EXISTS messages (number INTEGER PRIMARY KEY AUTOINCREMENT, key TEXT UNIQUE NOT NULL,"
    " received_at TEXT NOT NULL, fields TEXT NOT NULL)"
)

Fields = Mapping[str, Any]
"""Elements of a message by name; ``List`` holds a list of such."""


@dataclass(frozen=True, slots=True)
class ReceivedMessage:
    """One pushed message.

    Attributes:
        number: its place in the order of arrival.
        key: see :func:`message_key`.
        fields: its elements.
    """

    number: int
    key: str
    fields: Fields


def message_key(fields: Fields) -> str:
    """Return what tells a message from others: its ``MsgId``, or a digest of all its fields."""
    if fields.get("MsgId"):
        return f"msg-{fields['MsgId']}"
    text = json.dumps(fields, sort_keys=True, ensure_ascii=False)
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


class Inbox:
    """The file of received messages.

    Args:
        folder: the connection's folder.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        path = folder / "pushed.db"
        self._lock = threading.Lock()
        self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=10)
        self._db.execute("PRAGMA journal_mode=WAL")
        # A message is acknowledged to the platform only after it is on the disk.
        self._db.execute("PRAGMA synchronous=FULL")
        self._db.execute(_TABLE)
        path.chmod(0o600)

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def add(self, fields: Fields, now: dt.datetime) -> bool:
        """Keep a message; return whether it is new."""
        with self._lock:
            added = self._db.execute(
                "INSERT OR IGNORE INTO messages (key, received_at, fields) VALUES (?, ?, ?)",
                [message_key(fields), now.isoformat(), json.dumps(dict(fields), ensure_ascii=False)],
            )
            return added.rowcount > 0

    def after(self, number: int, limit: int) -> list[ReceivedMessage]:
        """Return the messages behind a place, oldest first."""
        sql = "SELECT number, key, fields FROM messages WHERE number > ? ORDER BY number LIMIT ?"
        return [ReceivedMessage(row[0], row[1], json.loads(row[2])) for row in self._db.execute(sql, [number, limit])]

    def prune(self, read: int, now: dt.datetime) -> None:
        """Forget messages up to a place that are older than any repeat could be."""
        self._db.execute(
            "DELETE FROM messages WHERE number <= ? AND received_at < ?", [read, (now - _KEPT).isoformat()]
        )
