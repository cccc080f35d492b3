"""The page for somebody whose till is not in the list, followed to the letter."""

from __future__ import annotations

import contextlib
import io
import os
import re
import sqlite3
from pathlib import Path

import pytest

from hub.cli import main

PAGE = Path(__file__).parents[2] / "docs/my-pos-is-not-listed.md"
BLOCK = re.compile(r"^```(\w+)([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.fixture
def empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the newcomer begins. The page's files are of a while ago, as a real export is."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    return tmp_path


def make(kind: str, where: str, body: str) -> None:
    """Write a block into the file it names; SQL is run in it."""
    path = Path(where.split()[0])
    path.parent.mkdir(parents=True, exist_ok=True)
    if kind == "sql":
        with contextlib.closing(sqlite3.connect(path)) as database:
            database.executescript(body)
        return
    with path.open("a" if "append" in where else "w", encoding="utf-8") as file:
        file.write(f"\n{body}")
    os.utime(path, (path.stat().st_mtime - 3600,) * 2)


def test_the_page_ends_in_two_working_connections(empty_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ran, printed = [], ""
    for kind, place, body in BLOCK.findall(PAGE.read_text(encoding="utf-8")):
        if place.strip():
            make(kind, place.strip().removeprefix("file="), body)
        elif kind == "console":
            for command in re.findall(r"^\$ hub (.+)$", body, re.MULTILINE):
                code = main(command.split())
                said = capsys.readouterr()
                assert code == 0, f"hub {command}:\n{said.out}{said.err}"
                ran.append(command.split()[0])
        elif kind == "py":
            out = io.StringIO()
            with contextlib.redirect_stdout(out):
                exec(compile(body, "page", "exec"), {})
            printed = out.getvalue()
        elif kind == "text":
            assert printed == body
            ran.append("compared")
        else:
            raise AssertionError(f"a block of {kind} that nobody runs: {body}")
    assert ran == ["check", "preview", "ingest", "check", "preview", "ingest", "compared"]
