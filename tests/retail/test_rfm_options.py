"""Options of a rule set: names and cut points of scores, eight classes by the mean, calendar months, silence over the own gap."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import pytest
from pydantic import ValidationError
from till import TODAY, Till, order, refund

from hub.records import OrderLine
from plugins.retail.rules import RuleSet

NAMES = {"r": ["久未到店", "近期", "最近"], "m": ["低", "中", "高"]}
THREE = {"recency_days": [30, 60], "frequency": [2, 6], "monetary": [100, 300]}


def test_scores_have_names_of_the_chains_own(till: Till) -> None:
    till.take(order("1", "anna", "500", 3), order("2", "bo", "150", 45), order("3", "cy", "5", 90))
    found = till.traits(rfm={**THREE, "names": NAMES})
    assert {who: row["rfm_names"] for who, row in found.items()} == {
        "anna": "最近 · 高",
        "bo": "近期 · 中",
        "cy": "久未到店 · 低",
    }
    assert till.traits(rfm=THREE)["anna"]["rfm_names"] is None


@pytest.mark.parametrize("rules", [{**THREE, "names": {"f": ["少", "多"]}}, {"mode": "quantile", "names": NAMES}])
def test_there_are_as_many_names_as_scores(rules: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="names are given"):
        RuleSet.model_validate({"rfm": rules})


def test_the_cut_points_used_are_told(till: Till) -> None:
    till.take(*(order(str(n), f"c{n:02}", str(n + 1), n + 40) for n in range(50)), order("x", None, "1"))
    fixed = till.traits(rfm={**THREE, "monetary": [99.5, 2_500_000]})["c00"]
    assert fixed["rfm_cut_points"] == "R 60/30 F 2/6 M 99.5/2500000"
    quantile = {row["rfm_cut_points"] for row in till.traits(rfm={"mode": "quantile"}).values()}
    assert quantile == {"R 79/69/59/49 F - M 11/21/31/41"}


def test_eight_classes_may_go_by_the_mean_of_the_buyers(till: Till) -> None:
    # Means: 30 days, 1.5 purchase days, 75 yuan.
    till.take(order("1", "anna", "50", 10), order("2", "anna", "60", 20), order("3", "bo", "40", 50))
    found = till.traits(value={"class8_by": "mean"})
    assert (found["anna"]["rfm_class8"], found["bo"]["rfm_class8"]) == ("important_value", "general_winback")
    by_score = till.traits()
    assert (by_score["anna"]["rfm_class8"], by_score["bo"]["rfm_class8"]) == ("general_develop", "general_develop")


@pytest.mark.parametrize(
    ("last", "months", "asleep"),
    [("2026-02-01", 2, True), ("2026-02-02", 2, False), ("2026-02-01", None, False), ("2026-01-31", None, True)],
)
def test_tea_sleep_may_go_by_calendar_months(till: Till, last: str, months: int | None, *, asleep: bool) -> None:
    bought = dt.datetime.combine(dt.date.fromisoformat(last), dt.time(12), TODAY.tzinfo)
    till.take(order("1", "anna", "20", ordered_at=bought), order("2", "anna", "20", 200))
    found = till.traits(trade="tea", tea={"sleeping_months": months})["anna"]
    assert (found["tea_segment"] == "sleeping") is asleep


def test_one_calendar_month_is_shorter_than_the_days_of_tasters() -> None:
    with pytest.raises(ValidationError, match="sleeping_months of 28 days must be above recent_days"):
        RuleSet.model_validate({"tea": {"sleeping_months": 1}})


def test_silence_is_set_against_the_customers_own_gap(till: Till) -> None:
    weekly = [order(f"a{n}", "anna", "20", 21 + 7 * n) for n in range(9)]
    monthly = [order(f"b{n}", "bo", "20", 21 + 30 * n) for n in range(9)]
    till.take(*weekly, *monthly, order("c", "cy", "20", 21))
    found = {who: row["gap_overdue"] for who, row in till.traits().items()}
    # Eight own gaps and two of 30 days: (8 * 7 + 60) / 10 = 11.6 days.
    assert found == {"anna": pytest.approx(21 / 11.6, abs=1e-6), "bo": pytest.approx(0.7), "cy": None}


def line(number: str, net: str, **more: Any) -> OrderLine:
    return OrderLine(line_id=number, net_amount=Decimal(net), **{"name": "tea", **more})


def margins(till: Till, **rfm: Any) -> dict[str, Decimal]:
    return {who: row["rfm_m"] for who, row in till.traits(rfm={"value": "margin", **rfm}).items()}


def test_value_may_be_gross_margin_by_the_cost_of_lines(till: Till) -> None:
    till.take(
        order(
            "1",
            "anna",
            "100",
            lines=(line("a", "60", cost_amount=Decimal(20)), line("b", "40", cost_amount=Decimal(30))),
        ),
        order("2", "bo", "100", lines=(line("a", "100"),)),
        order("3", "cy", "100"),
        order("4", "di", "100", lines=(line("a", "100", cost_amount=Decimal(120)),)),
        order("5", "eve", "100", days=400, lines=(line("a", "100", cost_amount=Decimal(20)),)),
    )
    assert margins(till, margin=0.7) == {"anna": 50, "bo": 70, "cy": 70, "di": -20, "eve": 0}
    assert till.traits(rfm={"value": "margin"})["di"]["rfm_m_negative"] is True


def test_a_refund_takes_its_share_of_the_margin(till: Till) -> None:
    till.take(
        order("1", "anna", "100", lines=(line("a", "100", cost_amount=Decimal(25)),)), refund("2", of="1", amount="40")
    )
    assert margins(till) == {"anna": 45}


def test_quantiles_of_margin_are_of_the_months_buyers(till: Till) -> None:
    till.take(
        *(order(str(n), f"c{n}", "100", 40, lines=(line("a", "100", cost_amount=Decimal(10 * n)),)) for n in range(5))
    )
    found = till.traits(rfm={"value": "margin", "mode": "quantile"})
    assert {who: row["rfm_m_score"] for who, row in found.items()} == {"c0": 5, "c1": 4, "c2": 3, "c3": 2, "c4": 1}


def test_the_catalogue_tells_the_cost_of_a_unit_where_the_line_does_not(till: Till) -> None:
    till.engine.execute(
        "INSERT INTO products (connection, source_id, name, deleted, cost_price) VALUES ('pos', 'P1', 'tea', false, 6)"
    )
    two = line("a", "40", product_id="P1", quantity=Decimal(2))
    till.take(order("1", "anna", "40", lines=(two,)))
    found = margins(till)
    till.engine.execute("DELETE FROM products")
    assert found == {"anna": 28}
