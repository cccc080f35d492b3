"""Fixtures of the Weimob tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from weimob_rig import Rig


@pytest.fixture
def new_rig(tmp_path: Path) -> Iterator[Callable[..., Rig]]:
    """Makes rigs and closes them."""
    made: list[Rig] = []

    def make(world: Any = None, **knobs: Any) -> Rig:
        made.append(Rig(tmp_path, world, **knobs))
        return made[-1]

    yield make
    for rig in made:
        rig.close()


@pytest.fixture
def rig(new_rig: Callable[..., Rig]) -> Rig:
    """A simulated merchant without surprises."""
    return new_rig()
