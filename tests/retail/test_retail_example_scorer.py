"""The example of a scorer in one file, outside the tree, works as a plugin."""

from __future__ import annotations

import datetime as dt
import runpy
from decimal import Decimal
from pathlib import Path
from types import ModuleType
from typing import Any

from till import ZONE, Till, order

from hub.plugins import load_plugins
from hub.scorer import Inputs
from hub.warehouse.inputs import scoring_inputs

FILE = Path(__file__).parents[2] / "examples/evening/evening.py"
TODAY = dt.datetime(2026, 4, 1, 10, tzinfo=ZONE)


def at(number: str, hour: int, who: str = "anna") -> Any:
    when = dt.datetime(2026, 3, 20, hour, tzinfo=ZONE)
    return order(number, who, "10", ordered_at=when, total_amount=Decimal(10))


def test_the_example_is_offered_and_scores(till: Till) -> None:
    plugins = load_plugins([])
    module = ModuleType("evening")
    vars(module).update(runpy.run_path(str(FILE)))
    plugins.manager.register(module, name="evening")
    kind = plugins.scorers()["evening"]
    assert plugins.segments()["evening_guests"].problems(plugins.traits()) == []
    till.take(at("1", 19), at("2", 9), at("3", 18), at("4", 12, "bo"))
    with scoring_inputs(till.engine, TODAY, ZONE, dt.time.min) as day:
        inputs = Inputs(TODAY, day, kind.Config(), till.engine.arrow)
        rows = till.engine.rows(f"FROM ({kind().score(inputs)}) ORDER BY customer_id")
    assert rows == [("anna", 2 / 3), ("bo", 0.0)]
