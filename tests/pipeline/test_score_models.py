"""Scorers that learn: what they keep is in the hub's home, and holds for the days it may hold for."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pyarrow as pa
from analysts import customers_are, office, scorer, table

from hub.models import Candidate
from hub.pipeline.score import score
from hub.scorer import Inputs, TraitType
from hub.store.models import FolderModels


def learnt(inputs: Inputs) -> pa.Table:
    """Remembers the day it first learnt on, and gives it to everybody."""
    day = inputs.business_date
    if inputs.models.current("first", day, "a") is None:
        inputs.models.offer(
            "first", Candidate(day, "a", {"day": day.isoformat()}, {"decision": "in use"}), promote=True
        )
    held = inputs.models.current("first", day, "a")
    assert held is not None
    return inputs.arrow(f"SELECT customer_id, '{held.payload['day']}' AS learnt_on FROM customers")


LEARNER = scorer("learner", {"learnt_on": TraitType.TEXT}, learnt)


def told(folder: Path, as_of: dt.datetime) -> set[str]:
    """Score in a process of its own, so to say: a hub that was opened anew."""
    with office(folder, LEARNER) as hub:
        customers_are(hub, "anna", "bo")
        score(hub, as_of)
        return {row[0] for row in table(hub, "SELECT DISTINCT learnt_on FROM traits")}


def test_a_model_is_kept_in_the_hub_s_home_and_never_used_for_an_earlier_day(tmp_path: Path) -> None:
    days = [dt.datetime(2026, 4, day, 12, tzinfo=dt.UTC) for day in (10, 20, 5, 25)]
    assert [told(tmp_path, day) for day in days] == [{"2026-04-10"}, {"2026-04-10"}, {"2026-04-05"}, {"2026-04-10"}]
    home = next(tmp_path.rglob("models"))
    assert [one.fitted_for.day for one in FolderModels(home).versions("first")] == [5, 10]
