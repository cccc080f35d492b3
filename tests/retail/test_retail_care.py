"""What somebody is likely to need now: need groups that run out, and topics of care."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import pytest
from till import TODAY, Till, days_ago, order

from hub.records import Event, OrderLine
from plugins.retail.care import Care, season_of_day
from plugins.retail.taste import Taste

NEEDS = [
    {"name": "shampoo", "words": ["洗发"], "days_per_unit": 60},
    {"name": "cat_food", "words": ["猫粮", "Cat Food"], "days_per_unit": 30},
]
DAY = TODAY.date()


def bought(number: str, days: float, product: str, units: int = 1) -> Any:
    line = OrderLine(name=product, quantity=Decimal(units), net_amount=Decimal(30 * units))
    return order(number, "anna", str(30 * units), days, lines=(line,))


def care(till: Till, trade: str = "retail", **rules: Any) -> dict[str, Any]:
    return till.traits(also=(Taste, Care), trade=trade, **rules)["anna"]


def ago(days: int) -> dt.date:
    return DAY - dt.timedelta(days=days)


def test_a_need_runs_out_by_the_units_bought_and_the_group_s_days(till: Till) -> None:
    till.take(bought("1", 100, "清爽洗发水 400ml", units=2))
    found = care(till, care={"needs": NEEDS})
    assert found["replenish_need"] == "shampoo"
    assert found["replenish_need_date"] == ago(100) + dt.timedelta(days=108)
    assert found["replenish_need_due"] is False


def test_one_s_own_pace_moves_the_date_of_the_group(till: Till) -> None:
    till.take(*(bought(str(n), 90 - 30 * n, "洗发露") for n in range(3)))
    # Two own intervals of 30 days, two of the group's 60: 45 days per unit, nine tenths of them.
    assert care(till, care={"needs": NEEDS})["replenish_need_date"] == ago(30) + dt.timedelta(days=41)


def test_another_product_or_pack_of_the_group_counts_as_bought(till: Till) -> None:
    till.take(bought("1", 60, "皇家猫粮 2kg"))
    assert care(till, care={"needs": NEEDS})["replenish_need_due"] is False, "was due 33 days ago: the window is over"
    till.take(bought("2", 30, "premium cat food"))
    found = care(till, care={"needs": NEEDS})
    assert (found["replenish_need"], found["replenish_need_due"]) == ("cat_food", True)
    till.take(bought("3", 2, "小包猫粮"))
    assert care(till, care={"needs": NEEDS})["replenish_need_due"] is False


def test_the_need_that_runs_out_first_is_told(till: Till) -> None:
    till.take(bought("1", 20, "洗发水"), bought("2", 20, "猫粮"))
    assert care(till, care={"needs": NEEDS})["replenish_need"] == "cat_food"


@pytest.mark.parametrize(("trade", "product"), [("beauty", "氨基酸洗面奶"), ("convenience", "猫砂 10L"), ("tea", "云南咖啡豆"), ("mother_baby", "三段奶粉")])  # fmt: skip
def test_trades_bring_need_groups_of_their_own(till: Till, trade: str, product: str) -> None:
    till.take(bought("1", 5, product))
    assert care(till, trade)["replenish_need"] is not None


def test_without_need_groups_nothing_runs_out(till: Till) -> None:
    till.take(bought("1", 100, "洗发水"))
    found = care(till)
    assert (found["replenish_need"], found["replenish_need_date"], found["replenish_need_due"]) == (None, None, False)


def test_the_youngest_child_s_month_goes_before_every_other_topic(till: Till) -> None:
    child = {"birth_date": "2025-08-20"}
    till.take(
        bought("1", 10, "茶"),
        Event(source_id="c", type="child.declared", customer_id="anna", occurred_at=days_ago(9), properties=child),
    )
    found = care(till, care={"training_weeks": 12})
    assert (found["care_topic"], found["care_date"]) == ("baby_7m", dt.date(2026, 3, 20))


@pytest.mark.parametrize(("days", "topic"), [(1, "training_w1"), (7, "training_w2"), (83, "training_w12"), (84, None)])
def test_weeks_of_training_are_counted_from_the_first_purchase(till: Till, days: int, topic: str | None) -> None:
    till.take(bought("1", days, "月卡"))
    found = care(till, "gym")
    assert (found["care_topic"], found["care_date"]) == (topic, ago(days % 7) if topic else None)


@pytest.mark.parametrize(("day", "topic"), [("2026-05-04", None), ("2026-05-05", "season_summer"), ("2026-05-18", "season_summer"), ("2026-05-19", None)])  # fmt: skip
def test_a_season_is_a_topic_in_its_first_days(till: Till, day: str, topic: str | None) -> None:
    till.take(bought("1", 10, "衬衫"))
    moment = dt.datetime.fromisoformat(f"{day}T10:00+08:00")
    found = till.traits(moment, also=(Taste, Care), trade="apparel")["anna"]
    assert (found["care_topic"], found["care_date"]) == (topic, dt.date(2026, 5, 5) if topic else None)


def test_seasons_begin_with_the_solar_terms() -> None:
    assert season_of_day(dt.date(2026, 1, 10)) == ("winter", dt.date(2025, 11, 7))
    assert season_of_day(dt.date(2026, 2, 4)) == ("spring", dt.date(2026, 2, 4))
    assert season_of_day(dt.date(2026, 12, 31)) == ("winter", dt.date(2026, 11, 7))
