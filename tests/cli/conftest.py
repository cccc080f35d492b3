"""The projects that the tests of the command line work on."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from cli_project import INSTALLED, SECRET, Project, run_process, write_project

from hub.plugins import installed_plugins


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Project]:
    """A project in which nothing has been run."""
    monkeypatch.syspath_prepend(str(INSTALLED))
    monkeypatch.setenv("HUB_PLUGINS", "shop")
    monkeypatch.setenv("SHOP_TOKEN", SECRET)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.delenv("HUB_CONFIG", raising=False)
    monkeypatch.chdir(tmp_path)
    installed_plugins.cache_clear()
    yield Project(tmp_path, capsys)
    installed_plugins.cache_clear()


@pytest.fixture(scope="session")
def _run_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("ran")
    write_project(folder)
    done = run_process("run", "--as-of", "2026-04-01", cwd=folder)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture
def ran(project: Project, _run_once: Path) -> Project:
    """A project in which every stage has been run, for 1 April 2026."""
    for name in (".hub", "tags.jsonl"):
        copy = shutil.copytree if (_run_once / name).is_dir() else shutil.copy
        copy(_run_once / name, project.folder / name)
    return project
