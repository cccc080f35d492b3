"""Lifecycle stages: exclusive, and the day a stage began and the stage before agree with a replay day by day."""

from __future__ import annotations

import datetime as dt
from itertools import pairwise
from typing import Any

import pytest
from effort import examples
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from till import TODAY, Till, days_ago, order

from plugins.retail.rules import STAGES, RuleSet, Stages

LIMITS = Stages(new=5, active=7, slipping=14, sleeping=25, revived=6)
RULES = {"stages": LIMITS.model_dump()}
TODAY_DAY = TODAY.date()
HISTORY = 90


def stage(days: list[int], at: int, limits: Stages = LIMITS) -> str:
    """The definition: the stage on day ``at``, given the purchase days; only days before ``at`` are known."""
    known = [day for day in days if day < at]
    if not known:
        return "prospect"
    silence = at - known[-1]
    if at - known[0] <= limits.new:
        return "new"
    if silence > limits.sleeping:
        return "lost"
    if silence > limits.slipping:
        return "sleeping"
    if silence > limits.active:
        return "slipping"
    returns = [day for before, day in pairwise(known) if day - before > limits.slipping]
    if returns and at - returns[-1] <= limits.revived:
        return "revived"
    return "repurchase" if len(known) in (2, 3) else "active"


def replay(days: list[int]) -> tuple[str, int | None, str | None]:
    """Stage at day 0 (today), the first day of it, and the stage before."""
    now = stage(days, 0)
    if now == "prospect":
        return now, None, None
    at = 0
    while stage(days, at - 1) == now:
        at -= 1
    return now, at, stage(days, at - 1)


histories = st.lists(st.lists(st.integers(-HISTORY, -1), max_size=8, unique=True).map(sorted), min_size=12, max_size=12)


@settings(max_examples=examples(8), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(people=histories)
def test_stage_since_and_the_stage_before_agree_with_a_replay_of_every_day(till: Till, people: list[list[int]]) -> None:
    till.empty()
    till.take(*(order(f"{who}-{day}", f"c{who}", "10", -day) for who, days in enumerate(people) for day in days))
    found = till.traits(**RULES)
    for who, days in enumerate(people):
        if days:
            row = found[f"c{who}"]
            name, since, before = replay(days)
            began = TODAY_DAY + dt.timedelta(days=since or 0)
            assert (row["lifecycle_stage"], row["stage_since"], row["stage_prev"]) == (name, began, before), days


@pytest.mark.parametrize(
    ("bought", "expected"),
    [
        ([3], "new"),
        ([30, 20], "new"),
        ([90, 50], "repurchase"),
        ([90, 60, 30, 10], "active"),
        ([90], "slipping"),
        ([200], "sleeping"),
        ([300], "lost"),
        ([300, 10], "revived"),
        ([300, 40], "repurchase"),
        ([50], "active"),
    ],
)
def test_stages_everybody_knows(till: Till, bought: list[int], expected: str) -> None:
    till.take(*(order(str(day), "anna", "10", day) for day in bought))
    assert till.traits()["anna"]["lifecycle_stage"] == expected


def test_one_purchase_after_the_first_month_is_named(till: Till) -> None:
    till.take(order("1", "anna", "10", 50), order("2", "bo", "10", 5))
    found = till.traits()
    assert (found["anna"]["one_time_buyer"], found["bo"]["one_time_buyer"]) == (True, False)


def test_the_last_days_of_the_second_purchase_window(till: Till) -> None:
    till.take(*(order(str(day), f"c{day}", "10", day) for day in (20, 21, 30, 31)), order("x", "two", "10", 25))
    till.take(order("y", "two", "10", 24))
    found = till.traits()
    assert {who for who, row in found.items() if row["second_window_closing"]} == {"c21", "c30"}
    assert found["two"]["second_purchase_days"] == 1


@pytest.mark.parametrize("trade", ["tea", "restaurant", "convenience", "apparel", "mother_baby", "beauty", "flowers", "gym"])  # fmt: skip
def test_every_trade_parts_silence_at_its_own_limits(trade: str) -> None:
    stages = RuleSet(trade=trade).stages  # type: ignore[arg-type]
    assert stages.active < stages.slipping < stages.sleeping
    assert {stage([-silence], 0, stages) for silence in range(1, 800)} < set(STAGES)


class TestNaturalEnds:
    """A child outgrows the range; a card runs out."""

    def test_a_child_that_outgrew_the_range_is_a_natural_exit_and_not_churn(self, till: Till) -> None:
        till.take(order("1", "anna", "10", 100), order("2", "bo", "10", 100), child("anna", "2019-01-10"))
        found = till.traits(trade="mother_baby")
        assert (found["anna"]["lifecycle_stage"], found["bo"]["lifecycle_stage"]) == ("exited", "sleeping")
        assert found["anna"]["value_layer"] == "exited"

    def test_whoever_still_buys_has_not_gone(self, till: Till) -> None:
        till.take(order("1", "anna", "10", 100), order("2", "anna", "10", 3), child("anna", "2019-01-10"))
        assert till.traits(trade="mother_baby")["anna"]["lifecycle_stage"] == "revived"


def child(who: str, born: str) -> Any:
    from hub.records import Event

    return Event(
        source_id=f"child-{who}",
        type="child.declared",
        occurred_at=days_ago(50),
        customer_id=who,
        properties={"birth_date": born},
    )
