"""What a chain watches besides purchases, and who of high value is about to leave."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import pytest
from till import Till, days_ago, order

from hub.records import Event, Feedback, OrderLine
from hub.scorer import Inputs
from plugins.retail.member import Member
from plugins.retail.models.at_risk import AtRisk
from plugins.retail.signals import Signals
from plugins.retail.taste import Taste


def bought(number: str, days: float, amount: str = "30", *names: str) -> Any:
    lines = tuple(OrderLine(name=name, category=name, quantity=Decimal(1), net_amount=Decimal(1)) for name in names)
    return order(number, "anna", amount, days, lines=lines)


def event(number: int, kind: str, days: float, **more: Any) -> Event:
    return Event(source_id=f"e{number}", type=kind, customer_id="anna", occurred_at=days_ago(days), **more)


def said(number: int, kind: str, days: float, **more: Any) -> Feedback:
    return Feedback(source_id=f"f{number}", type=kind, customer_id="anna", occurred_at=days_ago(days), **more)  # type: ignore[arg-type]


def signals(till: Till, **rules: Any) -> dict[str, Any]:
    return till.traits(also=(Taste, Signals), trade="tea", **rules)["anna"]


def test_what_was_never_seen_is_empty_and_no_reason(till: Till) -> None:
    till.take(order("1", "anna", "30", 10))
    found = signals(till)
    names = [trait.name for trait in Signals.traits]
    assert {name: found[name] for name in names} == dict.fromkeys(names)


def test_benefits_used_less_often_are_told(till: Till) -> None:
    used = [event(n, "coupon.used", 70 + 10 * n) for n in range(9)]
    till.take(bought("1", 10), *used, event(50, "points.changed", 20, amount=Decimal(-100)))
    found = signals(till)
    assert found["benefit_use_change"] == pytest.approx((1 / 60) / (9 / 180), abs=1e-6)
    assert found["signals"] == "权益使用率下降"
    assert found["signals_en"] == "uses fewer benefits than before"


def test_points_that_are_earned_are_no_use_of_benefits(till: Till) -> None:
    till.take(bought("1", 10), *(event(n, "points.changed", 70 + n, amount=Decimal(5)) for n in range(9)))
    assert signals(till)["benefit_use_change"] is None


def test_smaller_baskets_and_fewer_categories_are_told(till: Till) -> None:
    before = [bought(f"b{n}", 100 + 10 * n, "60", f"tea{n}") for n in range(4)]
    till.take(*before, bought("now", 20, "30", "tea0"))
    found = signals(till)
    assert (found["basket_change"], found["category_change"]) == (0.5, 0.25)
    assert found["signals"] == "近三个月客单价下降；购买品类变少"


def test_messages_opened_less_often_are_told(till: Till) -> None:
    before = [event(n, kind, 100 + n) for n, kind in enumerate(["message.sent", "message.opened"] * 4)]
    lately = [event(100 + n, "message.sent", 5 + n) for n in range(4)]
    till.take(bought("1", 10), *before, *lately, event(200, "message.clicked", 4))
    assert signals(till)["response_change"] == 0.25


@pytest.mark.parametrize(("rivals", "mentions"), [((), None), (("隔壁茶",), 1), (("Other's",), 1), (("nobody",), 0)])
def test_mentions_of_rivals_are_counted_by_the_chain_s_own_words(
    till: Till, rivals: tuple[str, ...], mentions: Any
) -> None:
    till.take(
        bought("1", 10),
        said(1, "survey", 10, text="最近常去隔壁茶 or OTHER'S"),
        said(2, "survey", 90, text="隔壁茶 Other's"),
    )
    assert signals(till, engagement={"rivals": rivals})["rival_mentions_60d"] == mentions


def test_complaints_and_bad_reviews_of_sixty_days_are_counted(till: Till) -> None:
    till.take(
        bought("1", 10), said(1, "complaint", 10), said(2, "review", 20, score=Decimal(2)), said(3, "complaint", 80)
    )
    found = signals(till)
    assert (found["complaints_60d"], found["signals"]) == (2, "近期有投诉或差评")


@pytest.fixture
def scored(till: Till) -> Any:
    """The at-risk traits of anna, given what the forecast says of her."""

    def of(days: int, tier: str | None, band: str | None, count: int = 20, amount: str = "30") -> dict[str, Any]:
        till.take(*(bought(f"t{n}", days + n, amount) for n in range(count)))
        told = ", ".join(f"{value!r}" if value else "NULL::VARCHAR" for value in (tier, band))
        return till.traits(
            also=(Taste, Signals, _forecast(f"SELECT 'anna' AS customer_id, {told}"), AtRisk), trade="tea"
        )["anna"]

    return of


def _forecast(row: str) -> Any:
    columns = row.replace("SELECT 'anna' AS customer_id, ", "").split(", ")

    class Forecast(Signals):
        name = "forecast"
        needs = ()
        traits = ()

        def score(self, inputs: Inputs) -> str:
            return (
                f"SELECT 'anna' AS customer_id, {columns[0]} AS clv_tier, {columns[1]} AS churn_band, "
                "'已 20 天未到店' AS churn_reasons, 'rarer' AS churn_reasons_en"
            )

    return Forecast


@pytest.mark.parametrize(
    ("days", "tier", "band", "count", "amount", "expected"),
    [
        (40, None, None, 20, "30", True),
        (5, "A", "high", 20, "1", True),
        (5, "B", "high", 20, "30", True),
        (5, "A", "medium", 20, "30", False),
        (5, "A", "high", 3, "30", False),
        (5, "B", "high", 20, "1", False),
        (100, "A", None, 20, "30", False),
    ],
    ids=["slipping", "tier A likely to leave", "high M likely to leave", "not likely", "seldom came", "little value", "asleep"],
)  # fmt: skip
def test_high_value_about_to_leave_is_by_rule_and_forecast_together(
    scored: Any, days: int, tier: str, band: str, count: int, amount: str, expected: bool
) -> None:
    assert scored(days, tier, band, count, amount)["at_risk_high_value"] is expected


def test_reasons_are_the_stage_the_model_s_and_the_signals(scored: Any, till: Till) -> None:
    till.take(said(1, "complaint", 10))
    found = scored(40, None, None)
    assert found["at_risk_reasons"] == "已 40 天未到店，进入渐疏期；已 20 天未到店；近期有投诉或差评"
    assert found["at_risk_reasons_en"] == "slipping: no visit for 40 days; rarer; has complained or rated badly"
    assert scored(5, "D", "low")["at_risk_reasons"] is None


@pytest.mark.parametrize(("moment", "counted"), [("2026-01-31T00:30+08:00", 1), ("2026-01-30T23:30+08:00", 0)])
def test_windows_of_what_was_said_begin_with_the_shop_s_day(till: Till, moment: str, counted: int) -> None:
    when = dt.datetime.fromisoformat(moment)
    complaint = Feedback(source_id="f", type="complaint", customer_id="anna", occurred_at=when)
    till.take(bought("1", 10), complaint)
    assert signals(till)["complaints_60d"] == counted


def test_a_member_s_anniversary_is_the_local_day_of_registration(till: Till) -> None:
    till.take(bought("1", 10))
    till.engine.execute("UPDATE customers SET registered_at = TIMESTAMPTZ '2024-04-05 06:30:00+08'")
    found = till.traits(also=(Member,))["anna"]
    assert (found["next_occasion"], found["next_occasion_date"]) == ("member_anniversary", dt.date(2026, 4, 5))


@pytest.mark.parametrize(("shop", "risky"), [("S1", False), ("S2", True)])
def test_who_of_high_value_is_at_risk_is_said_by_the_own_shop_s_rules(till: Till, shop: str, *, risky: bool) -> None:
    till.take(*(bought(f"t{n}", 20 + n) for n in range(3)))
    till.engine.execute(f"UPDATE customers SET belonging_store_id = '{shop}'")
    forecast = _forecast("SELECT 'anna' AS customer_id, 'A', 'high'")
    small = {"name": "small", "stores": ["S2"], "value": {"high": 2}}
    found = till.traits(also=(Taste, Signals, forecast, AtRisk), trade="tea", shops=[small])["anna"]
    assert found["at_risk_high_value"] is risky


@pytest.mark.parametrize(("amount", "risky"), [("19", False), ("20", True)])
def test_value_per_visit_is_compared_with_value_per_visit(till: Till, amount: str, *, risky: bool) -> None:
    # 20 purchase days: 380 or 400 in the year, which is more than 20 either way. None lies in the last 30 days.
    till.take(*(bought(f"t{n}", 40 + n, amount) for n in range(20)))
    rfm = {"value": "per_visit", "window_days": 30, "monetary": [5, 10, 20, 40]}
    forecast = _forecast("SELECT 'anna' AS customer_id, 'B', 'high'")
    found = till.traits(also=(Taste, Signals, forecast, AtRisk), trade="tea", rfm=rfm)["anna"]
    assert (found["lifecycle_stage"], found["rfm_m"]) == ("slipping", 0)
    assert (found["at_risk_rule"], found["at_risk_high_value"]) == (risky, risky)
