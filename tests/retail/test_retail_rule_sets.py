"""Rule sets: packs by trade, a version that tells any change, every fault at once; what the data says of them."""

from __future__ import annotations

import datetime as dt
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError
from till import TODAY, ZONE, Till, order

from hub.context import Hub, open_hub
from hub.errors import ConfigError
from hub.pipeline.rules import rules_diff, rules_suggest
from hub.pipeline.score import score
from hub.scorer import Inputs
from hub.warehouse.inputs import scoring_inputs
from plugins.retail.gaps import repeat_share
from plugins.retail.packs import PACKS
from plugins.retail.rules import RuleSet
from plugins.retail.scorer import Retail


@pytest.mark.parametrize("trade", PACKS)
def test_every_trade_has_a_pack_that_is_accepted(trade: str) -> None:
    rules = RuleSet(trade=trade)  # type: ignore[arg-type]
    assert rules.version.startswith(f"{trade}@")


def test_the_tea_pack_has_the_limits_of_the_trade() -> None:
    rules = RuleSet(trade="tea")
    assert (rules.stages.active, rules.stages.slipping, rules.stages.sleeping) == (30, 59, 180)
    assert rules.rfm.window_days == 90


def test_what_the_chain_writes_wins_over_the_pack() -> None:
    rules = RuleSet.model_validate({"trade": "tea", "stages": {"active": 20}})
    assert (rules.stages.active, rules.stages.slipping) == (20, 59)


def test_the_version_changes_with_any_parameter_and_with_nothing_else() -> None:
    tea = RuleSet(trade="tea")
    assert RuleSet(trade="tea").version == tea.version
    assert RuleSet.model_validate({"trade": "tea", "stages": {"active": 30}}).version == tea.version
    assert RuleSet.model_validate({"trade": "tea", "stages": {"active": 29}}).version != tea.version
    assert RuleSet(trade="tea", name="Spring").version == f"Spring@{tea.version.split('@')[1]}"


def test_every_fault_of_a_rule_set_is_told_at_once() -> None:
    wrong = {
        "trade": "tea",
        "stages": {"active": 70},
        "rfm": {"frequency": [5, 4], "bins": 2},
        "weights": {"active": {"r": 0.5, "f": 0.5, "m": 0.5}},
        "tea": {"heavy_min_days": 40, "sleeping_days": 10},
        "slots": {"day": [6, 20]},
        "unknown": 1,
    }
    with pytest.raises(ValidationError) as caught:
        RuleSet.model_validate(wrong)
    told = {".".join(map(str, fault["loc"])): fault["msg"] for fault in caught.value.errors()}
    assert told.keys() == {"stages", "rfm.frequency", "rfm.bins", "weights.active", "tea", "slots", "unknown"}
    assert "must rise" in told["stages"]
    assert "add up to 1.5" in told["weights.active"]
    assert "heavy_min_days" in told["tea"]
    assert "sleeping_days" in told["tea"]


def test_hub_toml_with_a_wrong_rule_set_is_refused_with_file_and_key(tmp_path: Path) -> None:
    (tmp_path / "hub.toml").write_text(
        '[scores.retail]\ntrade = "tee"\nvisit_minutes = -1\n[scores.retail.rfm]\nbins = 1\n', encoding="utf-8"
    )
    with pytest.raises(ConfigError) as caught:
        open_hub(tmp_path / "hub.toml")
    assert {problem.key for problem in caught.value.problems} == {
        "scores.retail.trade",
        "scores.retail.visit_minutes",
        "scores.retail.rfm.bins",
    }


class TestRepeatShare:
    """Kaplan-Meier over gaps, those still open being censored."""

    def test_without_open_gaps_it_is_the_plain_share(self) -> None:
        share = repeat_share(np.array([2, 1, 1]), np.array([0, 0, 0]))
        assert share.tolist() == pytest.approx([0.5, 0.75, 1.0])

    def test_an_open_gap_counts_as_long_as_it_lasts(self) -> None:
        # Four at risk at first: one closes (3/4 go on), one is cut off, then one of two closes.
        share = repeat_share(np.array([1, 0, 1]), np.array([0, 1, 1]))
        assert share.tolist() == pytest.approx([0.25, 0.25, 0.25 + 0.75 / 2])


def suggested(till: Till) -> dict[str, Any]:
    with scoring_inputs(till.engine, TODAY, ZONE, dt.time.min) as day:
        inputs = Inputs(TODAY, day, RuleSet(), till.engine.arrow)
        for name, sql in Retail().tables(inputs).items():
            till.engine.execute(f"CREATE TABLE scoring.inputs.{name} AS {sql}")
        return {one.key: one for one in Retail().suggest(inputs)}


def test_limits_are_read_off_the_chains_own_rhythm(till: Till) -> None:
    chance = random.Random(3)
    tickets = []
    for who in range(120):
        day, left = 400, chance.randint(3, 12)
        while day > 0 and left:
            tickets.append(order(f"{who}-{day}", f"c{who}", "10", day))
            day -= chance.randint(5, 24)  # nobody who returns stays away longer
            left -= 1
    till.take(*tickets)
    found = suggested(till)
    assert 17 <= found["stages.active"].found <= 22
    assert 22 <= found["stages.slipping"].found <= 24
    assert found["stages.sleeping"].found <= 25
    assert found["stages.active"].now == 60


def test_a_short_history_suggests_nothing_and_says_why(till: Till) -> None:
    till.take(order("1", "anna", "10", 30), order("2", "anna", "10", 10))
    found = suggested(till)["stages.active"]
    assert found.found is None
    assert found.reason == "1 repeat purchases are too few; 200 are needed."


@pytest.fixture
def shop(tmp_path: Path) -> Any:
    """A hub with three customers of known purchases."""
    (tmp_path / "hub.toml").write_text('[scores.retail]\ntrade = "tea"\n', encoding="utf-8")
    with open_hub(tmp_path / "hub.toml", now=lambda: TODAY) as hub:
        fill(hub, {"anna": [40, 10], "bo": [80, 40], "cy": [200]})
        yield hub


def fill(hub: Hub, people: dict[str, list[int]]) -> None:
    from hub.warehouse.people import create_views

    with hub.warehouse() as engine:
        create_views(engine, {})
        Till(engine).take(*(order(f"{who}-{day}", who, "20", day) for who, days in people.items() for day in days))


def test_a_diff_shows_who_would_move_and_changes_nothing(shop: Hub) -> None:
    score(shop)
    with shop.warehouse() as engine:
        before = engine.rows("FROM traits ORDER BY customer_id")
    report = rules_diff(shop, ["retail.stages.active=45"])
    assert report.customers == 3
    moves = {moves.family: moves for moves in report.moves}
    assert moves["lifecycle"].matrix == (
        ("lifecycle_lost", "lifecycle_lost", 1),
        ("lifecycle_repurchase", "lifecycle_repurchase", 1),
        ("lifecycle_slipping", "lifecycle_repurchase", 1),
    )
    assert "tea" not in moves
    assert report.traits["lifecycle_stage"] == 1
    assert report.traits["rule_version"] == 3
    assert report.versions["retail"][0] != report.versions["retail"][1]
    with shop.warehouse() as engine:
        assert engine.rows("FROM traits ORDER BY customer_id") == before


def test_a_diff_of_nothing_moves_nobody(shop: Hub) -> None:
    score(shop)
    report = rules_diff(shop, ["retail.stages.active=30"])
    assert (report.moves, report.traits) == ([], {})


def test_every_change_that_is_not_understood_is_told(shop: Hub) -> None:
    score(shop)
    with pytest.raises(ConfigError) as caught:
        rules_diff(shop, ["retail.trade=tea", "retial.stages.active=1", "retail.stages.active=99", "retail.rfm.bins=1"])
    assert [problem.key for problem in caught.value.problems] == [
        "retail.trade=tea",
        "retial.stages.active=1",
        "scores.retail.stages",
        "scores.retail.rfm.bins",
    ]


def test_suggestions_come_from_the_warehouse(shop: Hub) -> None:
    assert {one.key for name, one in rules_suggest(shop) if name == "retail"} == {
        "stages.active",
        "stages.slipping",
        "stages.sleeping",
    }
