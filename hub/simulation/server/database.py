"""A simulator's state: one SQLite file that survives a kill at any instant.

Everything a call changes is committed in one transaction, in write-ahead mode. One connection serves all threads, one
at a time, which is what makes a call atomic without any care by a simulator's author.
"""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeAlias

from hub.errors import StoreError

__all__ = ["Collection", "Database", "Value", "to_json"]

Value: TypeAlias = Any
"""What a column holds: text, number, bytes or None; a list or mapping is stored as JSON text."""

_OWN_TABLES = """
CREATE TABLE IF NOT EXISTS sim_facts (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS sim_done (scope TEXT, key TEXT, result TEXT NOT NULL, PRIMARY KEY (scope, key)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS sim_documents (
  number INTEGER PRIMARY KEY AUTOINCREMENT, collection TEXT NOT NULL, key TEXT NOT NULL, body TEXT NOT NULL, UNIQUE (collection, key));
"""


def to_json(value: object) -> str:
    """Return compact JSON with Chinese text as it is."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


class Database:
    """SQLite for simulators.

    Args:
        path: the file, made when missing; None keeps everything in memory.
    """

    def __init__(self, path: Path | None = None) -> None:
        self.path = path
        self._lock = threading.RLock()
        self._depth = 0
        try:
            if path is not None:
                path.parent.mkdir(parents=True, exist_ok=True)
            self._connection = sqlite3.connect(path or ":memory:", isolation_level=None, check_same_thread=False)
            self._prepare()
        except (OSError, sqlite3.Error) as error:
            raise StoreError(
                f"The simulator's state cannot be opened: {error}",
                code="simulator_state_unusable",
                hint="Give another file, or delete this one to begin anew.",
                context={"file": path or ":memory:"},
            ) from error

    def _prepare(self) -> None:
        self._connection.row_factory = sqlite3.Row
        try:
            # NORMAL in write-ahead mode loses nothing when the process dies, only when the machine does.
            for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "busy_timeout=10000", "foreign_keys=ON"):
                self._connection.execute(f"PRAGMA {pragma}")
            self.create(_OWN_TABLES)
        except sqlite3.Error:
            self._connection.close()
            raise

    def close(self) -> None:
        """Close the file. The state stays."""
        with self._lock:
            self._connection.close()

    def create(self, script: str) -> None:
        """Run ``CREATE TABLE IF NOT EXISTS …`` statements; call it before the first transaction."""
        with self._lock:
            self._connection.executescript(script)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing; other threads wait. An inner transaction can fail alone while the outer one goes on."""
        with self._lock:
            begin, commit, undo = _statements(self._depth)
            self._connection.execute(begin)
            self._depth += 1
            try:
                yield
            except BaseException:
                for statement in undo:
                    self._connection.execute(statement)
                raise
            else:
                self._connection.execute(commit)
            finally:
                self._depth -= 1

    def execute(self, sql: str, *values: Value) -> int:
        """Run one statement with ``?`` or, given one mapping, ``:name`` values. Return how many rows it changed."""
        with self._lock:
            return self._connection.execute(sql, _bound(values)).rowcount

    def insert(self, sql: str, *values: Value) -> int:
        """Run one ``INSERT`` and return the new row's number."""
        with self._lock:
            return self._connection.execute(sql, _bound(values)).lastrowid or 0

    def load(self, sql: str, rows: Iterator[Sequence[Value]] | Sequence[Sequence[Value]]) -> None:
        """Run one ``INSERT`` for each of many rows."""
        with self.transaction():
            self._connection.executemany(sql, ([_stored(value) for value in row] for row in rows))

    def rows(self, sql: str, *values: Value) -> list[sqlite3.Row]:
        """Return every row of a query; columns by name or position."""
        with self._lock:
            return self._connection.execute(sql, _bound(values)).fetchall()

    def row(self, sql: str, *values: Value) -> sqlite3.Row | None:
        """Return the first row of a query, or None."""
        with self._lock:
            found: sqlite3.Row | None = self._connection.execute(sql, _bound(values)).fetchone()
        return found

    def value(self, sql: str, *values: Value) -> Value:
        """Return the first column of the first row, or None."""
        found = self.row(sql, *values)
        return None if found is None else found[0]

    def fact(self, name: str) -> str | None:
        """Return what :meth:`remember` kept under ``name``, or None."""
        found = self.value("SELECT value FROM sim_facts WHERE name = ?", name)
        return None if found is None else str(found)

    def remember(self, name: str, value: object) -> None:
        """Keep one small text under ``name``."""
        self.execute("INSERT OR REPLACE INTO sim_facts VALUES (?, ?)", name, str(value))

    def done(self, scope: str, key: str) -> Any | None:
        """Return the result kept by :meth:`mark_done` for this idempotency key, or None when it is new."""
        found = self.value("SELECT result FROM sim_done WHERE scope = ? AND key = ?", scope, key)
        return None if found is None else json.loads(found)

    def mark_done(self, scope: str, key: str, result: object) -> None:
        """Keep the JSON-able ``result`` of an idempotent write, to answer a repeat with it."""
        self.execute("INSERT INTO sim_done VALUES (?, ?, ?)", scope, key, to_json(result))

    def collection(self, name: str) -> Collection:
        """Return the keyed JSON documents of this name, for state that needs no table of its own."""
        return Collection(self, name)


class Collection:
    """JSON objects by key, in the order they were first put."""

    def __init__(self, database: Database, name: str) -> None:
        self._database = database
        self.name = name

    def get(self, key: str) -> dict[str, Any] | None:
        """Return the document, or None."""
        body = self._database.value("SELECT body FROM sim_documents WHERE collection = ? AND key = ?", self.name, key)
        return None if body is None else json.loads(body)

    def put(self, key: str, document: Mapping[str, Any]) -> None:
        """Add or replace the document; a replaced one keeps its place."""
        self._database.execute(
            "INSERT INTO sim_documents (collection, key, body) VALUES (?, ?, ?)"
            " ON CONFLICT (collection, key) DO UPDATE SET body = excluded.body",
            self.name,
            key,
            dict(document),
        )

    def delete(self, key: str) -> bool:
        """Remove the document; say whether it was there."""
        return self._database.execute("DELETE FROM sim_documents WHERE collection = ? AND key = ?", self.name, key) > 0

    def __len__(self) -> int:
        return int(self._database.value("SELECT count(*) FROM sim_documents WHERE collection = ?", self.name))

    def __contains__(self, key: object) -> bool:
        return isinstance(key, str) and self.get(key) is not None

    def items(self, *, after: int = 0, limit: int = -1) -> list[tuple[int, str, dict[str, Any]]]:
        """Return (place, key, document) in order, from behind place ``after``, at most ``limit`` (-1: all)."""
        found = self._database.rows(
            "SELECT number, key, body FROM sim_documents WHERE collection = ? AND number > ? ORDER BY number LIMIT ?",
            self.name,
            after,
            limit,
        )
        return [(row["number"], row["key"], json.loads(row["body"])) for row in found]

    def values(self) -> list[dict[str, Any]]:
        """Return every document in order."""
        return [document for _place, _key, document in self.items()]

    def where(self, field: str, value: Value) -> list[dict[str, Any]]:
        """Return the documents whose top-level ``field`` equals ``value``."""
        found = self._database.rows(
            "SELECT body FROM sim_documents WHERE collection = ? AND json_extract(body, ?) = ? ORDER BY number",
            self.name,
            f'$."{field}"',
            value,
        )
        return [json.loads(row["body"]) for row in found]


def _statements(depth: int) -> tuple[str, str, tuple[str, ...]]:
    if depth == 0:
        return "BEGIN IMMEDIATE", "COMMIT", ("ROLLBACK",)
    return f"SAVEPOINT s{depth}", f"RELEASE s{depth}", (f"ROLLBACK TO s{depth}", f"RELEASE s{depth}")


def _bound(values: tuple[Value, ...]) -> Any:
    if len(values) == 1 and isinstance(values[0], Mapping):
        return {name: _stored(value) for name, value in values[0].items()}
    return [_stored(value) for value in values]


def _stored(value: Value) -> Value:
    return to_json(value) if isinstance(value, dict | list | tuple) else value
