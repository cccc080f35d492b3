"""Where pushed messages wait for the next run: files of JSON lines, one per day, written once and read by position.

A line is on the disk before the message is acknowledged, and no message is written twice, whichever process receives the
repeat. Each stream remembers in its own cursor how far it has read, so that nothing has to be taken away.
"""

from __future__ import annotations

import datetime as dt
import fcntl
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

import orjson

from plugins.youzan.messages import Message

__all__ = ["Position", "Spool", "Waiting"]

_SUFFIX: Final = ".jsonl"
_REMEMBERED_DAYS: Final = 3
"""Days for which a repeat is recognised: Youzan stops repeating after half a day."""

Position = Mapping[str, Any]
"""How far a reader has come: file and offset. Empty at the beginning."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """A message as kept, when it came, and the position behind it."""

    message: Message
    received: dt.datetime
    position: Position


@dataclass
class _Known:
    """Keys of the messages in one file, as far as it was looked at."""

    offset: int = 0
    keys: set[str] = field(default_factory=set)


class Spool:
    """A folder of message files.

    Args:
        folder: made if missing.
        keep_days: older files are removed when a new one is begun.
    """

    def __init__(self, folder: Path, keep_days: int = 30) -> None:
        self.folder = folder
        self._keep_days = keep_days
        self._known: dict[str, _Known] = {}

    def add(self, message: Message, received: dt.datetime) -> bool:
        """Keep a message durably; say whether it was new.

        Args:
            message: what came.
            received: when, time-zone aware.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        day = received.astimezone(dt.UTC).date()
        with self._alone():
            if self._has(message.key, day):
                return False
            line = orjson.dumps({"received": received.isoformat(), **asdict(message)})
            self._append(self.folder / f"{day.isoformat()}{_SUFFIX}", line)
        return True

    @contextmanager
    def _alone(self) -> Iterator[None]:
        with (self.folder / ".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _has(self, key: str, day: dt.date) -> bool:
        """Look into the newest files, reading only what was added since the last look."""
        names = {f"{(day - dt.timedelta(days=back)).isoformat()}{_SUFFIX}" for back in range(_REMEMBERED_DAYS)}
        self._known = {name: self._known.get(name, _Known()) for name in names}
        for name, known in self._known.items():
            for line, end in _lines(self.folder / name, known.offset):
                known.offset = end
                if (entry := _entry(line)) is not None:
                    known.keys.add(entry["key"])
        return any(key in known.keys for known in self._known.values())

    def _append(self, path: Path, line: bytes) -> None:
        is_new = not path.exists()
        with path.open("ab") as file:
            # A line torn by a kill is closed, so that it spoils nothing but itself; it was never acknowledged.
            torn = file.tell() > 0 and not _ends_with_newline(path)
            file.write((b"\n" if torn else b"") + line + b"\n")
            file.flush()
            os.fsync(file.fileno())
        if is_new:
            self._sync_folder()
            self._remove_old(path.stem)

    def _sync_folder(self) -> None:
        handle = os.open(self.folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)

    def _remove_old(self, today: str) -> None:
        oldest = (dt.date.fromisoformat(today) - dt.timedelta(days=self._keep_days)).isoformat()
        for path in self._files():
            if path.stem < oldest:
                path.unlink(missing_ok=True)

    def _files(self) -> list[Path]:
        return sorted(self.folder.glob(f"*{_SUFFIX}")) if self.folder.is_dir() else []

    def read(self, position: Position, until: dt.datetime) -> Iterator[Waiting]:
        """Give the messages behind a position that came at or before ``until``, oldest first.

        Lines that cannot be read are passed over: they were torn while being written and never acknowledged.
        """
        begin, offset = str(position.get("file") or ""), int(position.get("offset") or 0)
        for path in self._files():
            if path.name < begin:
                continue
            for line, end in _lines(path, offset if path.name == begin else 0):
                entry = _entry(line)
                if entry is None:
                    continue
                received = dt.datetime.fromisoformat(entry.pop("received"))
                if received > until:
                    return
                yield Waiting(Message(**entry), received, {"file": path.name, "offset": end})


def _ends_with_newline(path: Path) -> bool:
    with path.open("rb") as file:
        file.seek(-1, os.SEEK_END)
        return file.read(1) == b"\n"


def _lines(path: Path, offset: int) -> Iterator[tuple[bytes, int]]:
    """Give the complete lines behind an offset, each with the offset of its end."""
    if not path.exists():
        return
    with path.open("rb") as file:
        file.seek(offset)
        for line in file:
            if not line.endswith(b"\n"):
                return
            offset += len(line)
            yield line, offset


def _entry(line: bytes) -> dict[str, Any] | None:
    try:
        found = orjson.loads(line)
    except orjson.JSONDecodeError:
        return None
    return found if isinstance(found, dict) and "key" in found and "received" in found else None
