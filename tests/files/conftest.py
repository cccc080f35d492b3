"""Fixtures of the files source's tests."""

from __future__ import annotations

from pathlib import Path

import pytest
from files_rig import Drops


@pytest.fixture
def drops(tmp_path: Path) -> Drops:
    """An empty folder of drops."""
    folder = tmp_path / "drops"
    folder.mkdir()
    return Drops(folder, tmp_path / "scratch")
