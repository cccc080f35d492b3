"""Who is known at the platform: Weimob gives no list of all customers, so the source keeps one.

A SQLite file in the connection's folder. It says how many customers were seen and by which way each was first found, keeps the
guide in whose list each stands, and spares a run from reading anybody twice. It is never the truth about a customer: whoever is met
again in a later run is read again. Where the file is lost, everybody is looked for anew.
"""

from __future__ import annotations

import sqlite3
import threading
import uuid
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final

__all__ = ["Roster"]

_TABLES: Final = """
CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS customers (
  wid TEXT PRIMARY KEY, way TEXT NOT NULL, run TEXT NOT NULL DEFAULT '', seen INTEGER NOT NULL DEFAULT 0, guide TEXT) WITHOUT ROWID;
"""


class Roster:
    """The file of known customers.

    Args:
        folder: the connection's folder.
    """

    def __init__(self, folder: Path) -> None:
        self._lock = threading.Lock()
        self._run = uuid.uuid4().hex
        self._db = sqlite3.connect(folder / "roster.db", isolation_level=None, check_same_thread=False, timeout=30)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=NORMAL")
        self._db.executescript(_TABLES)
        (folder / "roster.db").chmod(0o600)
        self._db.execute("INSERT OR IGNORE INTO facts VALUES ('id', ?)", [uuid.uuid4().hex])

    @property
    def id(self) -> str:
        """What tells this file from one that was begun anew."""
        return str(self._db.execute("SELECT value FROM facts WHERE name = 'id'").fetchone()[0])

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def fresh(self, wids: Iterable[str], way: str) -> list[str]:
        """Return those that this run has not met yet, and note that it has; ``way`` is how they were found.

        A run is one process: pages it has given are either durable or given again by the next process, which meets everybody
        afresh.
        """
        sql = (
            "INSERT INTO customers (wid, way, run) VALUES (?, ?, ?) ON CONFLICT (wid) DO UPDATE SET run = excluded.run,"
            # Who was only noted so far counts for the way that leads to reading.
            " way = CASE WHEN seen OR excluded.way = 'known' THEN way ELSE excluded.way END WHERE run <> excluded.run RETURNING wid"
        )
        with self._lock:
            self._db.execute("BEGIN")
            found = [wid for wid in dict.fromkeys(wids) if self._db.execute(sql, [wid, way, self._run]).fetchone()]
            self._db.execute("COMMIT")
        return found

    def rest(self, way: str, size: int) -> Iterator[list[str]]:
        """Give those who are known but were not met by this run, in lists; they count as met then."""
        while True:
            rows = self._all("SELECT wid FROM customers WHERE run <> ? LIMIT ?", [self._run, size])
            if not rows:
                return
            yield self.fresh((row[0] for row in rows), way)

    def note_seen(self, wids: Iterable[str]) -> None:
        """Note customers of whom the platform told something."""
        self._many("UPDATE customers SET seen = 1 WHERE wid = ?", ((wid,) for wid in wids))

    def note_gone(self, wids: Iterable[str]) -> None:
        """Note customers whom the platform no longer knows."""
        self._many("DELETE FROM customers WHERE wid = ?", ((wid,) for wid in wids))

    def note_guides(self, pairs: Iterable[tuple[str, str]], way: str) -> None:
        """Note in which guide's list customers stand: pairs of wid and guide."""
        self._many(
            "INSERT INTO customers (wid, way, guide) VALUES (?, ?, ?) ON CONFLICT (wid) DO UPDATE SET guide = excluded.guide",
            ((wid, way, guide) for wid, guide in pairs),
        )

    def forget_guides(self) -> None:
        """Forget all guides, before their lists are read again."""
        self._many("UPDATE customers SET guide = NULL WHERE guide IS NOT ?", [(None,)])

    def guides(self, wids: Iterable[str]) -> Mapping[str, str]:
        """Return the guides of those who have one."""
        found = {wid: self._one("SELECT guide FROM customers WHERE wid = ?", [wid]) for wid in wids}
        return {wid: str(row[0]) for wid, row in found.items() if row and row[0]}

    def seen(self) -> dict[str, int]:
        """Return how many customers were seen, by the way they were first found."""
        rows = self._all("SELECT way, count(*) FROM customers WHERE seen GROUP BY way ORDER BY 2 DESC, 1", [])
        return {row[0]: row[1] for row in rows}

    def _one(self, sql: str, values: list[str]) -> tuple[object, ...] | None:
        with self._lock:
            found: tuple[object, ...] | None = self._db.execute(sql, values).fetchone()
        return found

    def _all(self, sql: str, values: list[object]) -> list[tuple[str, int]]:
        with self._lock:
            return self._db.execute(sql, values).fetchall()

    def _many(self, sql: str, rows: Iterable[tuple[object, ...]]) -> None:
        with self._lock:
            self._db.execute("BEGIN")
            self._db.executemany(sql, rows)
            self._db.execute("COMMIT")
