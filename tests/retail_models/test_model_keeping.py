"""Kept models: used from their day on, never for an earlier one; promoted, rolled back, read back from files."""

from __future__ import annotations

import datetime as dt
import json
import subprocess
import sys
from pathlib import Path

import pytest

from hub.errors import ConfigError, StoreError
from hub.models import Candidate, MemoryModels, ModelState
from hub.store.models import FolderModels
from plugins.retail.models.keeping import Fitted, Refused, fit_day, held_model

MAY, JUNE, JULY = (dt.date(2026, month, 1) for month in (5, 6, 7))


def candidate(day: dt.date, number: int = 0, recipe: str = "a") -> Candidate:
    return Candidate(day, recipe, {"number": number}, {"decision": f"number {number}"})


@pytest.fixture(params=["memory", "folder"])
def models(request: pytest.FixtureRequest, tmp_path: Path) -> MemoryModels | FolderModels:
    return MemoryModels() if request.param == "memory" else FolderModels(tmp_path / "models")


def test_a_model_holds_from_its_day_on(models: MemoryModels | FolderModels) -> None:
    models.offer("churn", candidate(MAY, 1), promote=True)
    models.offer("churn", candidate(JUNE, 2), promote=True)
    used = [models.current("churn", day, "a") for day in (MAY - dt.timedelta(days=1), MAY, JUNE, JULY)]
    assert [one and one.payload["number"] for one in used] == [None, 1, 2, 2]


def test_a_candidate_is_kept_and_not_used(models: MemoryModels | FolderModels) -> None:
    models.offer("churn", candidate(MAY, 1), promote=True)
    models.offer("churn", candidate(JUNE, 2), promote=False)
    held = models.current("churn", JULY, "a")
    assert held is not None
    assert held.payload["number"] == 1
    assert [one.state for one in models.versions("churn")] == [ModelState.PROMOTED, ModelState.CANDIDATE]
    assert models.known("churn", JUNE, "a")
    assert not models.known("churn", JULY, "a")


def test_models_of_another_recipe_are_not_given(models: MemoryModels | FolderModels) -> None:
    models.offer("churn", candidate(MAY, 1, "a"), promote=True)
    assert models.current("churn", JULY, "b") is None
    assert not models.known("churn", MAY, "b")


def test_the_same_fit_is_the_same_version(models: MemoryModels | FolderModels) -> None:
    first = models.offer("churn", candidate(MAY, 1), promote=False)
    again = models.offer("churn", candidate(MAY, 1), promote=True)
    assert first == again
    assert len(models.versions("churn")) == 1


def test_a_roll_back_brings_the_version_before(models: MemoryModels | FolderModels) -> None:
    for number, day in enumerate((MAY, JUNE), 1):
        models.offer("churn", candidate(day, number), promote=True)
    withdrawn, used = models.roll_back("churn")
    assert withdrawn.payload["number"] == 2
    assert used is not None
    assert used.payload["number"] == 1
    assert models.roll_back("churn")[1] is None
    with pytest.raises(ConfigError, match="No version of model churn is in use"):
        models.roll_back("churn")


def test_promoting_an_earlier_version_withdraws_the_later_ones(models: MemoryModels | FolderModels) -> None:
    made = [models.offer("churn", candidate(day, n), promote=True) for n, day in enumerate((MAY, JUNE, JULY))]
    models.promote("churn", made[0].version[:6])
    held = models.current("churn", JULY, "a")
    assert held is not None
    assert held.version == made[0].version
    assert [one.state for one in models.versions("churn")] == ["promoted", "withdrawn", "withdrawn"]


def test_an_unknown_model_or_version_is_told(models: MemoryModels | FolderModels) -> None:
    models.offer("churn", candidate(MAY), promote=True)
    with pytest.raises(ConfigError, match="There is no model 'chum'"):
        models.versions("chum")
    with pytest.raises(ConfigError, match="has no version 'zz'"):
        models.promote("churn", "zz")


def test_files_are_read_back_by_another_process(tmp_path: Path) -> None:
    FolderModels(tmp_path).offer("clv", candidate(MAY, 7), promote=True)
    held = FolderModels(tmp_path).current("clv", MAY, "a")
    assert held is not None
    assert (held.payload, held.card, held.state) == ({"number": 7}, {"decision": "number 7"}, ModelState.PROMOTED)
    assert json.loads((tmp_path / "clv" / f"{held.version}.json").read_text())["fitted_for"] == "2026-05-01"


def test_a_damaged_file_is_told_with_its_name(tmp_path: Path) -> None:
    models = FolderModels(tmp_path)
    kept = models.offer("clv", candidate(MAY), promote=True)
    (tmp_path / "clv" / f"{kept.version}.json").write_text("{")
    with pytest.raises(StoreError, match="cannot be read") as told:
        models.current("clv", MAY, "a")
    assert kept.version in str(told.value)


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "models").write_text("a file where the folder should be")
    with pytest.raises(StoreError, match="A model cannot be kept"):
        FolderModels(tmp_path / "models").offer("clv", candidate(MAY), promote=True)


def test_models_are_fitted_every_four_weeks_from_the_first_purchase() -> None:
    assert [fit_day(100, today) for today in (100, 127, 128, 155, 156)] == [100, 100, 128, 128, 156]


def test_a_model_is_fitted_once_for_a_day() -> None:
    models, asked = MemoryModels(), []

    def learn(day: int, used: object) -> Fitted:
        asked.append((day, used))
        return Fitted({"day": day}, {"decision": "in use"}, good=len(asked) != 2)

    first = held_model(models, "m", 20_000, "a", learn)
    assert held_model(models, "m", 20_000, "a", learn) == first
    assert held_model(models, "m", 20_028, "a", learn) == first, "the second fit was worse and is not used"
    assert held_model(models, "m", 20_028, "a", learn) == first, "nor fitted again"
    assert [day for day, _ in asked] == [20_000, 20_028]
    assert asked[1][1] == first


def test_a_rolled_back_model_is_not_fitted_again_for_its_day() -> None:
    models = MemoryModels()
    held_model(models, "m", 20_000, "a", lambda *_: Fitted({}, {"decision": ""}, good=True))
    models.roll_back("m")
    held = held_model(models, "m", 20_000, "a", lambda *_: pytest.fail("fitted again"))
    assert isinstance(held, Refused)
    assert "rolled back" in held.reason


def test_without_enough_data_nothing_is_kept_and_the_reason_is_told() -> None:
    models = MemoryModels()
    assert held_model(models, "m", 20_000, "a", lambda *_: Refused("too little")) == Refused("too little")
    assert models.names() == []


def test_the_first_fit_of_a_process_uses_one_thread_too() -> None:
    program = """
from plugins.retail.models.keeping import on_one_thread

@on_one_thread
def threads():
    import sklearn.cluster
    from threadpoolctl import threadpool_info
    return {pool["num_threads"] for pool in threadpool_info()}

print(threads())"""
    told = subprocess.run([sys.executable, "-c", program], check=True, stdout=subprocess.PIPE, text=True, timeout=60)
    assert told.stdout.strip() == "{1}"
