"""Fixtures of the Square tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from square_rig import SquareRig, square_chain


@pytest.fixture
def new_seller(tmp_path: Path) -> Iterator[Callable[..., SquareRig]]:
    """Makes sellers' accounts and closes them: with the simulated chain, or empty."""
    made: list[SquareRig] = []

    def make(world: Any = None, **knobs: Any) -> SquareRig:
        made.append(SquareRig(tmp_path, world, **knobs))
        return made[-1]

    yield make
    for rig in made:
        rig.close()


@pytest.fixture
def seller(new_seller: Callable[..., SquareRig]) -> SquareRig:
    """An account with two locations and nothing else."""
    return new_seller()


@pytest.fixture(scope="module")
def chain_seller(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SquareRig]:
    """The simulated chain's account; only read."""
    made = SquareRig(tmp_path_factory.mktemp("seller"), square_chain())
    yield made
    made.close()
