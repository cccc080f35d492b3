"""Where pushed messages wait for the next run: one file of JSON lines per day, each message once, read by position."""

from __future__ import annotations

import datetime as dt
import fcntl
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import orjson

__all__ = ["Inbox", "Position"]

_SUFFIX: Final = ".jsonl"
_REPEATS_WITHIN: Final = 2
"""Days for which a repeat is recognised."""

Position = Mapping[str, Any]
"""How far a reader has come: file and offset. Empty at the beginning."""


class Inbox:
    """A folder of message files.

    Args:
        folder: made if missing.
        keep_days: older files are removed when a new one is begun.
    """

    def __init__(self, folder: Path, keep_days: int) -> None:
        self.folder = folder
        self._keep_days = keep_days

    def add(self, message: Mapping[str, Any], received: dt.datetime) -> bool:
        """Keep a message, on the disk before this returns; say whether it was new.

        Args:
            message: JSON values; ``key`` is the same for repeats of the same message.
            received: when it came.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        day = received.astimezone(dt.UTC).date()
        with self._alone():
            recent = [self._file(day - dt.timedelta(days=back)) for back in range(_REPEATS_WITHIN)]
            if any(entry["key"] == message["key"] for path in recent for entry, _ in _entries(path, 0)):
                return False
            self._append(self._file(day), orjson.dumps(dict(message)))
            self._remove_old(day)
        return True

    def _file(self, day: dt.date) -> Path:
        return self.folder / f"{day.isoformat()}{_SUFFIX}"

    @contextmanager
    def _alone(self) -> Iterator[None]:
        with (self.folder / ".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    @staticmethod
    def _append(path: Path, line: bytes) -> None:
        with path.open("ab") as file:
            # A line torn by a kill was never acknowledged; the line break in front keeps it from spoiling this one.
            file.write(b"\n" + line + b"\n")
            file.flush()
            os.fsync(file.fileno())

    def _remove_old(self, today: dt.date) -> None:
        oldest = (today - dt.timedelta(days=self._keep_days)).isoformat()
        for path in self.folder.glob(f"*{_SUFFIX}"):
            if path.stem < oldest:
                path.unlink(missing_ok=True)

    def read(self, position: Position) -> tuple[list[dict[str, Any]], dict[str, Any]]:
        """Return the messages behind a position, oldest first, and the position behind them."""
        name, offset = str(position.get("file") or ""), int(position.get("offset") or 0)
        found: list[dict[str, Any]] = []
        reached = dict(position)
        for path in sorted(self.folder.glob(f"*{_SUFFIX}")) if self.folder.is_dir() else ():
            if path.name < name:
                continue
            for entry, end in _entries(path, offset if path.name == name else 0):
                found.append(entry)
                reached = {"file": path.name, "offset": end}
        return found, reached


def _entries(path: Path, offset: int) -> Iterator[tuple[dict[str, Any], int]]:
    """Give the whole lines behind an offset that can be read, each with the offset of its end."""
    if not path.exists():
        return
    with path.open("rb") as file:
        file.seek(offset)
        for line in file:
            if not line.endswith(b"\n"):
                return
            offset += len(line)
            try:
                entry = orjson.loads(line)
            except orjson.JSONDecodeError:
                continue
            yield entry, offset
