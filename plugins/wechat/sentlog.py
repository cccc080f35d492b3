"""Which messages were sent, or may have been: written down before each is sent, because sending has no idempotency key."""

from __future__ import annotations

import datetime as dt
import sqlite3
import threading
from enum import StrEnum
from pathlib import Path
from typing import Final

__all__ = ["SentLog", "SentState"]

_KEPT: Final = dt.timedelta(days=180)
_TABLES: Final = """
CREATE TABLE IF NOT EXISTS sent (
  operation TEXT PRIMARY KEY, state TEXT NOT NULL, msgid TEXT, at TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS begun (at TEXT NOT NULL);
"""


class SentState(StrEnum):
    """What is known of a message."""

    NEVER = "never"
    """It was not sent."""
    BEGUN = "begun"
    """It may have been sent: no answer is known."""
    SENT = "sent"
    """The platform has taken it."""


class SentLog:
    """The file of sent messages.

    Args:
        folder: the connection's folder.
        now: the present instant; when a new log begins.
    """

    def __init__(self, folder: Path, now: dt.datetime) -> None:
        path = folder / "sent.db"
        self._lock = threading.Lock()
        self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=10)
        self._db.execute("PRAGMA journal_mode=WAL")
        # What is noted must outlive the machine: the message it stands for cannot be taken back.
        self._db.execute("PRAGMA synchronous=FULL")
        self._db.executescript(_TABLES)
        self._db.execute("INSERT INTO begun SELECT ? WHERE NOT EXISTS (SELECT * FROM begun)", [now.isoformat()])
        path.chmod(0o600)

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    @property
    def begun_at(self) -> dt.datetime:
        """When the log begins: it knows nothing of what was sent before."""
        return dt.datetime.fromisoformat(self._db.execute("SELECT min(at) FROM begun").fetchone()[0])

    def begin(self, operation: str, now: dt.datetime) -> SentState:
        """Note that a message is about to be sent; return what was known of it before: only after ``NEVER`` may it be sent."""
        with self._lock:
            added = self._db.execute(
                "INSERT OR IGNORE INTO sent VALUES (?, ?, NULL, ?)", [operation, SentState.BEGUN, now.isoformat()]
            )
            return SentState.NEVER if added.rowcount else self._state(operation)

    def done(self, operation: str, msgid: str | None) -> None:
        """Note that the platform has taken a message."""
        with self._lock:
            self._db.execute(
                "UPDATE sent SET state = ?, msgid = ? WHERE operation = ?", [SentState.SENT, msgid, operation]
            )

    def take_back(self, operation: str) -> None:
        """Note that a message was certainly not sent."""
        with self._lock:
            self._db.execute("DELETE FROM sent WHERE operation = ?", [operation])

    def state(self, operation: str) -> SentState:
        """Return what is known of a message."""
        with self._lock:
            return self._state(operation)

    def _state(self, operation: str) -> SentState:
        row = self._db.execute("SELECT state FROM sent WHERE operation = ?", [operation]).fetchone()
        return SentState(row[0]) if row else SentState.NEVER

    def prune(self, now: dt.datetime) -> None:
        """Forget messages of long ago."""
        with self._lock:
            self._db.execute("DELETE FROM sent WHERE at < ?", [(now - _KEPT).isoformat()])
