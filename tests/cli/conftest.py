"""The projects that the tests of the command line work on."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from cli_project import INSTALLED, SECRET, Project, RunOnce, the_run

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
def run_once(tmp_path_factory: pytest.TempPathFactory) -> RunOnce:
    """``hub run`` for 1 April 2026 as a process of its own, one for all workers of a test run."""
    own = tmp_path_factory.getbasetemp()
    shared = own.parent if "PYTEST_XDIST_WORKER" in os.environ else own
    return the_run(shared / "ran-for-cli")


@pytest.fixture
def ran(project: Project, run_once: RunOnce) -> Project:
    """A project in which every stage has been run, for 1 April 2026."""
    for name in (".hub", "tags.jsonl"):
        copy = shutil.copytree if (run_once.folder / name).is_dir() else shutil.copy
        copy(run_once.folder / name, project.folder / name)
    return project
