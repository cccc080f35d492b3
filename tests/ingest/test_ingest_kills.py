"""A process killed at any instant and started again ends in the tables of a clean run."""

from __future__ import annotations

import random
from pathlib import Path

import killed_shop
import pytest
import toy
from processes import KILLED, calls_of, run

from hub.crashpoints import CRASH_POINTS

# One process makes the run without kills that the others are compared with.
pytestmark = pytest.mark.xdist_group("ingest_kills")

POINTS = [point for point in CRASH_POINTS if point.startswith(("ingest.", "load."))]


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    """What a run without kills ends in."""
    home = tmp_path_factory.mktemp("clean")
    killed_shop.work(home, 1, 0)
    killed_shop.work(home, 2, 1)
    return killed_shop.outcome(home)


def test_a_clean_run_ends_in_the_tables_one_expects(clean: dict[str, object]) -> None:
    facts = clean["facts"]
    names = {(row[2], row[6], row[4]) for row in facts["profiles"]}
    assert names == {
        ("1", "Ada L", False),
        ("2", "Bo is back", False),
        ("3", "Cy", True),
        ("4", "Di", False),
        ("5", "Eddie", False),
    }
    assert len(facts["orders_lines"]) == 2 + 2 + 3 + 1
    goods = {row[2]: row[4] for row in facts["products"]}
    assert goods == {"P1": True, "P2": True, **{f"P{n}": False for n in range(3, 9)}}
    assert len(clean["rejects"]) == 1
    assert clean["folders without package"] == set()


@pytest.mark.parametrize("point", POINTS)
def test_a_kill_at_any_commit_point_changes_nothing_in_the_end(
    point: str, tmp_path: Path, clean: dict[str, object]
) -> None:
    for step, passes in enumerate((1, 2, 3)):
        assert run(killed_shop.work, tmp_path, 1, step, HUB_CRASH_AT=f"{point}:{passes}") == KILLED
    assert run(killed_shop.work, tmp_path, 1, 3) == 0
    assert run(killed_shop.work, tmp_path, 2, 4, HUB_CRASH_AT=point) == KILLED
    assert run(killed_shop.work, tmp_path, 2, 5) == 0
    assert killed_shop.outcome(tmp_path) == clean
    assert toy.litter(tmp_path) == []


def test_kills_in_the_middle_of_a_full_read_lose_no_deletion(tmp_path: Path, clean: dict[str, object]) -> None:
    assert run(killed_shop.work, tmp_path, 1, 0) == 0
    # Members and tickets seal three packages in the second generation, the full read of the goods four.
    for step, passes in enumerate((4, 1, 2), start=1):
        assert run(killed_shop.work, tmp_path, 2, step, HUB_CRASH_AT=f"ingest.sealed:{passes}") == KILLED
    assert run(killed_shop.work, tmp_path, 2, 4) == 0
    assert killed_shop.outcome(tmp_path) == clean


@pytest.fixture(scope="module")
def calls(tmp_path_factory: pytest.TempPathFactory) -> int:
    """How many calls a whole run makes."""
    return calls_of(killed_shop.work, tmp_path_factory.mktemp("counted"), 1, 0)


@pytest.mark.parametrize("seed", range(4))
def test_a_kill_at_a_random_instant_changes_nothing_in_the_end(
    seed: int, tmp_path: Path, clean: dict[str, object], calls: int
) -> None:
    chance = random.Random(seed)
    home = tmp_path / "killed"
    for step in range(3):
        ended = run(killed_shop.work, home, 1, step, KILL_AFTER_CALLS=str(chance.randrange(calls // 4, calls)))
        assert ended in {KILLED, 0}
    assert run(killed_shop.work, home, 1, 3) == 0
    assert run(killed_shop.work, home, 2, 4) == 0
    assert killed_shop.outcome(home) == clean
    assert toy.litter(home) == []
