"""Callbacks that have arrived, kept until the streams have read them: once each, in a SQLite file that any process may use.

Callbacks carry no id. What is kept is keyed by *all* fields of the message: a repeat is dropped, while two customers added in
the same second by the same guide stay two events.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import sqlite3
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

__all__ = ["Inbox", "ReceivedEvent", "event_key"]

_KEPT: Final = dt.timedelta(days=30)
_TABLES: Final = """
CREATE TABLE IF NOT EXISTS events (
  number INTEGER PRIMARY KEY AUTOINCREMENT, key TEXT UNIQUE NOT NULL, received_at TEXT NOT NULL, fields TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS given (id TEXT, digests TEXT, PRIMARY KEY (id, digests)) WITHOUT ROWID;
"""

Fields = Mapping[str, str]
"""Elements of a message by name; of a repeated element (``MemChangeList``) the values, joined by blanks."""


@dataclass(frozen=True, slots=True)
class ReceivedEvent:
    """One callback.

    Attributes:
        number: its place in the order of arrival.
        key: see :func:`event_key`.
        received_at: when it came.
        fields: its elements.
    """

    number: int
    key: str
    received_at: dt.datetime
    fields: Fields


def event_key(fields: Fields) -> str:
    """Return what tells an event from others: a digest of all its fields."""
    text = json.dumps(sorted(fields.items()), ensure_ascii=False)
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


class Inbox:
    """The file of received callbacks.

    Args:
        folder: the connection's folder.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._lock = threading.Lock()
        self._db = sqlite3.connect(folder / "callbacks.db", isolation_level=None, check_same_thread=False, timeout=10)
        self._db.execute("PRAGMA journal_mode=WAL")
        # An event is acknowledged to the platform only after it is on the disk.
        self._db.execute("PRAGMA synchronous=FULL")
        self._db.executescript(_TABLES)
        (folder / "callbacks.db").chmod(0o600)

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def add(self, fields: Fields, now: dt.datetime) -> bool:
        """Keep an event; return whether it is new."""
        with self._lock:
            added = self._db.execute(
                "INSERT OR IGNORE INTO events (key, received_at, fields) VALUES (?, ?, ?)",
                [event_key(fields), now.isoformat(), json.dumps(dict(fields), ensure_ascii=False)],
            )
            return added.rowcount > 0

    def after(self, number: int, limit: int) -> list[ReceivedEvent]:
        """Return the events behind a place, oldest first."""
        sql = "SELECT number, key, received_at, fields FROM events WHERE number > ? ORDER BY number LIMIT ?"
        rows = self._db.execute(sql, [number, limit]).fetchall()
        return [ReceivedEvent(row[0], row[1], dt.datetime.fromisoformat(row[2]), json.loads(row[3])) for row in rows]

    def last(self) -> int:
        """Return the place of the newest event; 0 without any."""
        return int(self._db.execute("SELECT coalesce(max(number), 0) FROM events").fetchone()[0])

    def prune(self, read: int, now: dt.datetime) -> None:
        """Forget events up to a place that are older than any repeat could be."""
        self._db.execute("DELETE FROM events WHERE number <= ? AND received_at < ?", [read, (now - _KEPT).isoformat()])

    # Customers that were read because of a callback, and that no digest file knows yet.

    def note_given(self, digests: str, ids: Iterable[str]) -> None:
        """Note customers that are about to be given, after the full read with these digests."""
        self._db.executemany("INSERT OR IGNORE INTO given VALUES (?, ?)", [(each, digests) for each in ids])

    def given(self, digests: str) -> set[str]:
        """Return the customers given since the full read with these digests."""
        return {row[0] for row in self._db.execute("SELECT id FROM given WHERE digests = ?", [digests])}

    def forget_given_before(self, digests: str) -> None:
        """Forget what was given before the full read with these digests."""
        self._db.execute("DELETE FROM given WHERE digests <> ?", [digests])
