"""Pushed messages, kept until the streams have read them: once each, in a SQLite file that any process may use.

A message is on the disk before it is acknowledged. Each stream remembers in its own cursor how far it has read, so that nothing
has to be taken away; old ones go after some days.
"""

from __future__ import annotations

import datetime as dt
import sqlite3
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import orjson

from plugins.weimob.messages import Message

__all__ = ["Inbox", "Waiting"]

_TABLE: Final = """
CREATE TABLE IF NOT EXISTS messages (
  number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT UNIQUE NOT NULL, received_at REAL NOT NULL, topic TEXT NOT NULL,
  event TEXT NOT NULL, bos_id TEXT NOT NULL, body BLOB NOT NULL);
"""
_PRUNED_EVERY: Final = 1_000


@dataclass(frozen=True, slots=True)
class Waiting:
    """A message as kept, its place in the order of arrival, and when it came."""

    number: int
    message: Message
    received: dt.datetime


class Inbox:
    """The file of received messages.

    Args:
        folder: the connection's folder.
        keep_days: messages older than this are removed now and then.
    """

    def __init__(self, folder: Path, keep_days: int = 30) -> None:
        self._keep = dt.timedelta(days=keep_days)
        self._lock = threading.Lock()
        self._db = sqlite3.connect(folder / "messages.db", isolation_level=None, check_same_thread=False, timeout=10)
        self._db.execute("PRAGMA journal_mode=WAL")
        # A message is acknowledged to the platform only after it is on the disk.
        self._db.execute("PRAGMA synchronous=FULL")
        self._db.executescript(_TABLE)
        (folder / "messages.db").chmod(0o600)

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def add(self, message: Message, now: dt.datetime) -> bool:
        """Keep a message; say whether it was new."""
        row = [
            message.id,
            now.timestamp(),
            message.topic,
            message.event,
            message.bos_id,
            orjson.dumps(dict(message.body)),
        ]
        with self._lock:
            done = self._db.execute(
                "INSERT OR IGNORE INTO messages (id, received_at, topic, event, bos_id, body) VALUES (?, ?, ?, ?, ?, ?)",
                row,
            )
            if done.rowcount and (done.lastrowid or 0) % _PRUNED_EVERY == 0:
                self._db.execute("DELETE FROM messages WHERE received_at < ?", [(now - self._keep).timestamp()])
        return done.rowcount > 0

    def after(self, number: int, until: dt.datetime, limit: int) -> list[Waiting]:
        """Return the messages behind a place that came at or before ``until``, oldest first."""
        sql = "SELECT * FROM messages WHERE number > ? AND received_at <= ? ORDER BY number LIMIT ?"
        with self._lock:
            rows = self._db.execute(sql, [number, until.timestamp(), limit]).fetchall()
        return [
            Waiting(row[0], Message(row[1], row[3], row[4], row[5], test=False, body=orjson.loads(row[6])),
                    dt.datetime.fromtimestamp(row[2], dt.UTC))
            for row in rows
        ]  # fmt: skip
