"""Who has logged in to a mini-program, as its backend has seen it: what WeChat itself never lists.

The backend's process writes, ``hub ingest`` reads; both need the same folder.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

__all__ = ["Logins"]

_NEXT: Final = (
    "(SELECT coalesce(max(change), 0) + 1 FROM (SELECT change FROM logins UNION ALL SELECT change FROM gone))"
)
"""A number that no row ever had: readers have come past those of rows that are gone."""
_TABLES: Final = """
CREATE TABLE IF NOT EXISTS logins (
  openid TEXT PRIMARY KEY, unionid TEXT, phone TEXT, seen_at INTEGER NOT NULL, change INTEGER NOT NULL) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS logins_in_order ON logins (change);
CREATE TABLE IF NOT EXISTS gone (change INTEGER NOT NULL);
CREATE TRIGGER IF NOT EXISTS number_stays AFTER DELETE ON logins BEGIN INSERT INTO gone VALUES (OLD.change); END;
"""


class Logins:
    """The file of users: one row each, with the number of its last change.

    Args:
        folder: the connection's folder.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        path = folder / "logins.db"
        self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=10)
        self._db.row_factory = sqlite3.Row
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.executescript(_TABLES)
        path.chmod(0o600)

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def note(self, openid: str, seen_at: int, *, unionid: str | None = None, phone: str | None = None) -> None:
        """Note a log-in; what is not given stays as known. A log-in that says nothing new changes nothing.

        Args:
            openid: who.
            seen_at: when, Unix seconds.
            unionid: if the appid is bound to an open-platform account.
            phone: handed over by a tap; with the country's number for foreign ones.
        """
        self._db.execute(
            f"INSERT INTO logins VALUES (?, ?, ?, ?, {_NEXT})"
            " ON CONFLICT (openid) DO UPDATE SET unionid = coalesce(excluded.unionid, unionid),"
            " phone = coalesce(excluded.phone, phone), change = excluded.change"
            " WHERE coalesce(excluded.unionid, unionid) IS NOT unionid OR coalesce(excluded.phone, phone) IS NOT phone",
            [openid, unionid, phone, seen_at],
        )

    def after(self, change: int, limit: int) -> list[Mapping[str, Any]]:
        """Return the users that are new or changed since a change, oldest first."""
        sql = "SELECT * FROM logins WHERE change > ? ORDER BY change LIMIT ?"
        return [dict(row) for row in self._db.execute(sql, [change, limit])]
