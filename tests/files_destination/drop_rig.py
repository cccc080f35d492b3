"""A folder, and the destination that writes into it."""

from __future__ import annotations

import csv
import datetime as dt
import gzip
import hashlib
import io
import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from hub.destination import Operation, OperationKind, Outcome
from hub.runtime import Runtime
from plugins.files.config import FilesConfig
from plugins.files.destination import FilesDestination

NOW = dt.datetime(2026, 3, 1, 17, 30, tzinfo=dt.UTC)  # the 2nd of March in China


class Rig:
    """Writes into ``out`` below a temporary folder."""

    def __init__(self, base: Path) -> None:
        self.base = base
        self.out = base / "out"
        self.scratch = base / "scratch"
        self.scratch.mkdir(exist_ok=True)

    def connect(
        self, *, url: str = "out", now: Callable[[], dt.datetime] = lambda: NOW, options: Any = None, **settings: Any
    ) -> FilesDestination:
        config = FilesConfig.model_validate({"url": url, "write": settings, "options": options or {}})
        return FilesDestination(config, Runtime(connection="drop", scratch=self.scratch, base=self.base, now=now))

    def push(self, target: str, operations: Iterable[Operation], **settings: Any) -> list[Outcome]:
        return push(self.connect(**settings), target, operations)

    def names(self) -> list[str]:
        return sorted(path.name for path in self.out.iterdir()) if self.out.exists() else []

    def rows(self, name: str = "audience.csv") -> list[dict[str, str]]:
        data = (self.out / name).read_bytes()
        text = gzip.decompress(data) if name.endswith(".gz") else data
        return list(csv.DictReader(io.StringIO(text.decode("utf-8-sig"), newline="")))

    def manifest(self, name: str = "audience.csv") -> dict[str, Any]:
        manifest: dict[str, Any] = json.loads((self.out / f"{name}.manifest.json").read_bytes())
        return manifest

    def digest(self, name: str = "audience.csv") -> str:
        return hashlib.sha256((self.out / name).read_bytes()).hexdigest()


def push(destination: FilesDestination, target: str, operations: Iterable[Operation]) -> list[Outcome]:
    found = next(entry for entry in destination.targets() if entry.name == target)
    return list(destination.write(found, operations))


def operation(
    number: int, kind: OperationKind = OperationKind.CREATE, *, batch: str = "batch-1", **values: Any
) -> Operation:
    """Operation ``op-<number>`` on the customer of that number."""
    given: dict[str, Any] = values or {"phone": f"1540000{number:04d}", "level": "gold"}
    if kind is OperationKind.DELETE:
        given = {}
    return Operation(f"op-{batch}-{number}", batch, kind, f"c{number}", given, f"c{number}")


def operations(count: int, kind: OperationKind = OperationKind.CREATE, *, batch: str = "batch-1") -> list[Operation]:
    return [operation(number, kind, batch=batch) for number in range(1, count + 1)]
