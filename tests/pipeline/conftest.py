"""Fixtures of the pipeline's tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from crm import Crm, Wall


@pytest.fixture(autouse=True)
def _small(one_thread: None) -> None:
    """Everything here is small; more threads are at work in the processes that are killed, and in the demo's tests."""


@pytest.fixture
def crm(tmp_path: Path) -> Iterator[Crm]:
    """A platform that receives."""
    platform = Crm(tmp_path / "crm.db")
    yield platform
    platform.close()


@pytest.fixture
def clock() -> Wall:
    """A clock that stands still until a test moves it on."""
    return Wall()
