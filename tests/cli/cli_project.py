"""A small project with a shop plugin that is really installed (its entry point is found by name), and the command run on it."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from hub.cli import main

INSTALLED = Path(__file__).parent / "installed"

HUB_TOML = """\
[connections.pos]
plugin = "shop"
file = "shop.json"
token = "${SHOP_TOKEN}"

[segments.regulars]
where = "visits >= 2"
title = { zh = "熟客", en = "Regulars" }

[syncs.best]
to = "pos"
target = "tags"
key = "phone"
segments = ["big_spenders"]
fields = { spent = "spent" }
"""

SHOP = {
    "customers": [
        {"id": "M0000001", "name": "王小明", "phone": "15400000001", "note": "喜欢红茶"},
        {"id": "M0000002", "name": "李芳", "phone": "15400000002"},
        {"id": "M0000003", "name": "张伟", "phone": "15400000003"},
    ],
    "orders": [
        {"id": "T1", "at": "2026-03-01T10:00:00+08:00", "customer": "M0000001", "total": "120.50"},
        {"id": "T2", "at": "2026-03-02T10:00:00+08:00", "customer": "M0000001", "total": "30"},
        {"id": "T3", "at": "2026-03-02T11:00:00+08:00", "customer": "M0000002", "total": "15"},
    ],
}
SECRET = "tok-55-very-secret"
BAD_ORDER = {"id": "T9", "at": "2026-03-03T10:00:00+08:00", "customer": "M0000003"}


@dataclass(frozen=True)
class Result:
    """What a command printed and how it ended."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """The one JSON document on standard output."""
        return json.loads(self.out)


class Project:
    """A folder with a ``hub.toml`` and a shop."""

    def __init__(self, folder: Path, capture: pytest.CaptureFixture[str]) -> None:
        self.folder = folder
        self._capture = capture
        self.shop = json.loads(json.dumps(SHOP))
        write_project(folder)

    def write(self, name: str, text: str) -> None:
        (self.folder / name).write_text(text, encoding="utf-8")

    def save(self) -> None:
        """Write the shop's file."""
        self.write("shop.json", json.dumps(self.shop))

    def append(self, text: str) -> None:
        """Add to ``hub.toml``."""
        with (self.folder / "hub.toml").open("a", encoding="utf-8") as file:
            file.write(text)

    def run(self, *arguments: str) -> Result:
        """Run the command in this process."""
        self._capture.readouterr()
        code = main(arguments)
        captured = self._capture.readouterr()
        return Result(code, captured.out, captured.err)

    def json(self, *arguments: str) -> Any:
        """Run it with ``--json``, expect it to work, and return the document."""
        result = self.run(*arguments, "--json")
        assert result.code == 0, result.err
        return result.document

    def tags(self) -> list[dict[str, Any]]:
        """What the shop was told."""
        path = self.folder / "tags.jsonl"
        return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.exists() else []


def write_project(folder: Path) -> None:
    """Write the configuration and the shop's data."""
    (folder / "hub.toml").write_text(HUB_TOML, encoding="utf-8")
    (folder / "shop.json").write_text(json.dumps(SHOP), encoding="utf-8")


def process_environment(**changes: str) -> dict[str, str]:
    """The environment of a process that has the shop's plugin installed."""
    paths = [str(INSTALLED), *([os.environ["PYTHONPATH"]] if "PYTHONPATH" in os.environ else [])]
    own = {"HUB_PLUGINS": "shop", "SHOP_TOKEN": SECRET, "COLUMNS": "80", "PYTHONPATH": os.pathsep.join(paths)}
    return {**os.environ, **own, **changes}


PROGRAM = (sys.executable, "-c", "import sys; from hub.cli import main; sys.exit(main())")
"""The command as a process of its own."""


def run_process(*arguments: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the command as a process of its own and wait for it."""
    return subprocess.run(
        [*PROGRAM, *arguments],
        cwd=cwd,
        env=process_environment(**environment),
        capture_output=True,
        text=True,
        timeout=120,
    )


@dataclass(frozen=True)
class RunOnce:
    """The folder in which every stage was run by one process, and what that process wrote into pipes."""

    folder: Path
    out: str
    err: str


def the_run(folder: Path) -> RunOnce:
    """Run every stage in a new folder, unless another worker has done it or is doing it."""
    folder.mkdir(exist_ok=True)
    told = folder / "told.json"
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not told.exists():
            write_project(folder)
            done = run_process("run", "--as-of", "2026-04-01", cwd=folder)
            assert done.returncode == 0, done.stderr
            told.write_text(json.dumps({"out": done.stdout, "err": done.stderr}))
    return RunOnce(folder, **json.loads(told.read_text()))
