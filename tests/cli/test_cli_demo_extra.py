"""Without the simulators' web server the demo says what to install."""

from __future__ import annotations

import importlib.util
from importlib.machinery import ModuleSpec
from pathlib import Path

import pytest

from hub.cli import main


@pytest.mark.parametrize("command", ["demo", "simulate"])
def test_a_missing_web_server_is_told_with_the_command_that_installs_it(
    command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    find = importlib.util.find_spec

    def without_server(name: str, package: str | None = None) -> ModuleSpec | None:
        return None if name == "starlette" else find(name, package)

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(importlib.util, "find_spec", without_server)
    assert main([command]) == 2
    assert 'pip install "customer-hub[simulation]"' in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
