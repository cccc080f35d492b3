"""Fixtures of the Pospal tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pospal_rig import Rig, chain


@pytest.fixture
def new_rig(tmp_path: Path) -> Iterator[Callable[..., Rig]]:
    """Makes rigs and closes them: with the simulated chain, or with named shops that are empty."""
    made: list[Rig] = []

    def make(world: Any = None, **knobs: Any) -> Rig:
        made.append(Rig(tmp_path, world, **knobs))
        return made[-1]

    yield make
    for rig in made:
        rig.close()


@pytest.fixture
def rig(new_rig: Callable[..., Rig]) -> Rig:
    """Three shops with nothing in them yet; the first two share their members."""
    return new_rig(shops=("S01", "S02", "S03"))


@pytest.fixture(scope="module")
def tills(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    """The simulated chain's tills; only read."""
    made = Rig(tmp_path_factory.mktemp("tills"), chain())
    yield made
    made.close()
