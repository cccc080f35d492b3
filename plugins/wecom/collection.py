"""Relations gathered page by page until a full read is complete; on disk, so that it may be large and survives a kill.

``batch/get_by_user`` gives one row per relation and in no order, while the hub wants one profile per customer: the two meet
here. A read that was interrupted goes on where it stopped, if that is not long ago (the lifetime of the platform's cursors is
not documented); what is gathered is removed when the read is complete.
"""

from __future__ import annotations

import datetime as dt
import json
import sqlite3
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any, Final

from hub.errors import RowError, StreamError
from plugins.wecom.client import STAFF_PER_CALL, WecomClient
from plugins.wecom.errors import NO_RELATION, SPLITTABLE, code_of

__all__ = ["Collection", "Gathered", "UnreadStaff", "collect"]

_LONGEST_BREAK: Final = dt.timedelta(minutes=30)
_RESTARTS: Final = 3
_TABLES: Final = """
CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS chunks (number INTEGER PRIMARY KEY, staff TEXT NOT NULL, cursor TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS unread (userid TEXT PRIMARY KEY, code TEXT NOT NULL, reason TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS contacts (id TEXT PRIMARY KEY, body TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS relations (id TEXT, userid TEXT, body TEXT NOT NULL, PRIMARY KEY (id, userid)) WITHOUT ROWID;
"""


@dataclass(frozen=True, slots=True)
class Gathered:
    """One customer with all relations that were found."""

    id: str
    contact: Mapping[str, Any]
    follows: Sequence[Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class UnreadStaff:
    """A member of staff whose customers could not be read."""

    userid: str
    code: str
    reason: str


@dataclass(frozen=True, slots=True)
class _Chunk:
    number: int
    staff: tuple[str, ...]
    cursor: str


class Collection:
    """What one full read has gathered so far. One process uses it at a time: the stream's lease sees to that.

    Args:
        path: the SQLite file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._open()

    def _open(self) -> None:
        self._db = sqlite3.connect(self.path, isolation_level=None)
        path_is_new = self._db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] == 0
        self._db.execute("PRAGMA journal_mode=WAL")
        # A machine that loses power loses at most the last pages, and with them the mark that they were read.
        self._db.execute("PRAGMA synchronous=NORMAL")
        self._db.executescript(_TABLES)
        if path_is_new:
            self.path.chmod(0o600)

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def remove(self) -> None:
        """Delete the file, and with it the personal data in it."""
        self.close()
        for suffix in ("", "-wal", "-shm"):
            self.path.with_name(self.path.name + suffix).unlink(missing_ok=True)

    @property
    def id(self) -> str:
        """Id of the full read; empty before it begins."""
        return self._fact("id")

    def _fact(self, name: str) -> str:
        found = self._db.execute("SELECT value FROM facts WHERE name = ?", [name]).fetchone()
        return str(found[0]) if found else ""

    def _note(self, name: str, value: str) -> None:
        self._db.execute("INSERT OR REPLACE INTO facts VALUES (?, ?)", [name, value])

    def can_go_on(self, sweep: object, now: dt.datetime) -> bool:
        """Whether what is here can be used: not left alone for too long, or complete and given in part already.

        Args:
            sweep: id of the full read whose customers were given in part, if there is one.
            now: the present instant.
        """
        if not self.id:
            return False
        is_complete = self.next_chunk() is None
        return (is_complete and self.id == sweep) or now - _moment(self._fact("touched")) <= _LONGEST_BREAK

    @property
    def begun_at(self) -> dt.datetime:
        """When this full read began."""
        return _moment(self._fact("begun_at"))

    @property
    def callback(self) -> int:
        """The last callback that had come when it began."""
        return int(self._fact("callback"))

    def begin(self, staff: Sequence[str], now: dt.datetime, callback: int) -> None:
        """Forget everything and begin a full read of these members of staff."""
        self.remove()
        self._open()
        chunks = [staff[start : start + STAFF_PER_CALL] for start in range(0, len(staff), STAFF_PER_CALL)]
        facts = {"id": uuid.uuid4().hex, "touched": now.isoformat(), "begun_at": now.isoformat(), "callback": callback}
        with self._db:
            self._db.execute("BEGIN")
            for name, value in facts.items():
                self._note(name, str(value))
            self._add_chunks(chunks)

    def _add_chunks(self, chunks: Sequence[Sequence[str]]) -> None:
        rows = [(json.dumps(list(chunk)),) for chunk in chunks if chunk]
        self._db.executemany("INSERT INTO chunks (staff, cursor) VALUES (?, '')", rows)

    def next_chunk(self) -> _Chunk | None:
        """Return what is to be read next."""
        row = self._db.execute("SELECT number, staff, cursor FROM chunks ORDER BY number LIMIT 1").fetchone()
        return _Chunk(row[0], tuple(json.loads(row[1])), row[2]) if row else None

    def put(self, chunk: _Chunk, rows: Sequence[Mapping[str, Any]], cursor: str, now: dt.datetime) -> None:
        """Keep a page and note where the next one begins, both or neither."""
        with self._db:
            self._db.execute("BEGIN")
            self._db.executemany(
                "INSERT OR REPLACE INTO contacts VALUES (?, ?)",
                [(row["external_contact"]["external_userid"], _text(row["external_contact"])) for row in rows],
            )
            self._db.executemany(
                "INSERT OR REPLACE INTO relations VALUES (?, ?, ?)",
                [
                    (
                        row["external_contact"]["external_userid"],
                        row["follow_info"]["userid"],
                        _text(row["follow_info"]),
                    )
                    for row in rows
                ],
            )
            if cursor:
                self._db.execute("UPDATE chunks SET cursor = ? WHERE number = ?", [cursor, chunk.number])
            else:
                self._db.execute("DELETE FROM chunks WHERE number = ?", [chunk.number])
            self._note("touched", now.isoformat())

    def restart(self, chunk: _Chunk) -> None:
        """Read a chunk from its beginning again."""
        self._db.execute("UPDATE chunks SET cursor = '' WHERE number = ?", [chunk.number])

    def split(self, chunk: _Chunk) -> None:
        """Read a chunk in two halves."""
        middle = len(chunk.staff) // 2
        with self._db:
            self._db.execute("BEGIN")
            self._db.execute("DELETE FROM chunks WHERE number = ?", [chunk.number])
            self._add_chunks([chunk.staff[:middle], chunk.staff[middle:]])

    def give_up(self, chunk: _Chunk, unread: UnreadStaff | None) -> None:
        """Leave a chunk of one member of staff unread, or read as empty."""
        with self._db:
            self._db.execute("BEGIN")
            self._db.execute("DELETE FROM chunks WHERE number = ?", [chunk.number])
            if unread:
                row = [unread.userid, unread.code, unread.reason]
                self._db.execute("INSERT OR REPLACE INTO unread VALUES (?, ?, ?)", row)

    def unread(self) -> list[UnreadStaff]:
        """Return whose customers could not be read."""
        return [UnreadStaff(*row) for row in self._db.execute("SELECT * FROM unread ORDER BY userid")]

    def relations(self) -> int:
        """Return how many relations were gathered."""
        return int(self._db.execute("SELECT count(*) FROM relations").fetchone()[0])

    def customer(self, identifier: str) -> Gathered | None:
        """Return one customer, if any relation was found."""
        contact = self._db.execute("SELECT body FROM contacts WHERE id = ?", [identifier]).fetchone()
        rows = self._db.execute("SELECT body FROM relations WHERE id = ? ORDER BY userid", [identifier]).fetchall()
        follows = [json.loads(row[0]) for row in rows]
        return Gathered(identifier, json.loads(contact[0]), follows) if contact and follows else None

    def customers(self) -> Iterator[Gathered]:
        """Give every customer in order of the id."""
        sql = "SELECT c.id, c.body, r.body FROM contacts AS c JOIN relations AS r USING (id) ORDER BY c.id, r.userid"
        with closing(self._db.execute(sql)) as rows:
            for identifier, group in groupby(rows, key=itemgetter(0)):
                found = list(group)
                yield Gathered(identifier, json.loads(found[0][1]), [json.loads(row[2]) for row in found])


def _moment(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text)


def _text(value: Mapping[str, Any]) -> str:
    return json.dumps(value, ensure_ascii=False)


def collect(client: WecomClient, collection: Collection, now: Callable[[], dt.datetime]) -> None:
    """Read the relations of every chunk that is still open.

    A member of staff who cannot be read is found by halving the chunk, noted, and does not stop the others.

    Raises:
        HubError: what concerns all staff (permission, address, budget); the next call goes on where this one stopped.
    """
    restarts = 0
    while (chunk := collection.next_chunk()) is not None:
        try:
            rows, cursor = client.contact_page(chunk.staff, chunk.cursor)
        except RowError as error:
            _narrow(collection, chunk, error)
        except StreamError as error:
            restarts += 1
            if error.code != "wecom_cursor_invalid" or restarts > _RESTARTS:
                raise
            collection.restart(chunk)
        else:
            collection.put(chunk, rows, cursor, now())


def _narrow(collection: Collection, chunk: _Chunk, error: RowError) -> None:
    code = code_of(error)
    if len(chunk.staff) > 1 and code in SPLITTABLE:
        collection.split(chunk)
    elif len(chunk.staff) == 1:
        # Somebody without customers: some report an empty list, some this code.
        unread = None if code in NO_RELATION else UnreadStaff(chunk.staff[0], code, f"{error.message} {error.hint}")
        collection.give_up(chunk, unread)
    else:
        raise StreamError(
            "The platform refused to list customers.", code=error.code, hint=error.hint, context=error.context
        ) from error
