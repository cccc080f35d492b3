"""Layer, category mix and channel as the models see them: what they say of a day, and what a forecast makes of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from effort import examples
from hypothesis import given, settings
from hypothesis import strategies as st

from plugins.retail.models.breadth import new_categories
from plugins.retail.models.churn import fit_silence
from plugins.retail.models.clv import Value, fit_value
from plugins.retail.models.daily import Daily, daily_of
from plugins.retail.models.features import FEATURES, snapshot
from plugins.retail.models.keeping import Refused
from plugins.retail.models.layer import GROWING, LOYAL, NEW, SLEEPING, Layers, layers_of
from plugins.retail.models.reasons import reasons
from plugins.retail.models.silence import Bases, Silence
from plugins.retail.rules import RuleSet

TODAY, ACTIVE = 400, 60
PURPOSE = {"purpose": "test"}
LAYERS = Layers(new=20, sleeping=60, window=90, recent=30, often=4, much=100.0)


# What they say of a day


@settings(max_examples=examples(100), deadline=None)
@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 6), st.integers(0, 40)), max_size=60), st.integers(0, 41))
def test_the_sum_before_a_day_is_the_number_of_categories_bought_from_by_then(
    bought: list[tuple[int, int, int]], cut: int
) -> None:
    days = sorted({(who, day) for who, _, day in bought})
    lines = [np.array([row[n] for row in bought], np.int64) for n in range(3)]
    customer, day = (np.array([row[n] for row in days], np.int64) for n in range(2))
    found = new_categories(customer, day, *lines)
    for who in range(6):
        known = {kind for one, kind, when in bought if one == who and when < cut}
        assert found[(customer == who) & (day < cut)].sum() == len(known)


def test_a_category_first_bought_on_no_purchase_day_counts_nothing() -> None:
    assert new_categories([0, 1], [5, 5], [0, 1, 1], [1, 1, 2], [5, 4, 9]).tolist() == [1, 0]


@pytest.mark.parametrize(
    ("days", "value", "layer"),
    [
        ([390, 395], 500.0, NEW),
        ([350, 360, 380, 390], 25.0, LOYAL),
        ([350, 360, 380, 390], 24.99, GROWING),
        ([350, 360, 380], 500.0, GROWING),
        ([309, 360, 380, 390], 500.0, GROWING),
        ([340, 345, 350, 369], 500.0, GROWING),
        ([340], 500.0, GROWING),
        ([339], 500.0, SLEEPING),
    ],
    ids=["new", "loyal", "too cheap", "too seldom", "one too long ago", "too long away", "awake", "asleep"],
)  # fmt: skip
def test_the_layer_follows_from_the_days_before(days: list[int], value: float, layer: int) -> None:
    daily = daily_of([0] * len(days), days, [value] * len(days), layers=LAYERS)
    assert snapshot(daily, TODAY, 1.0).layer.tolist() == [layer]


def test_layers_are_the_rule_set_s() -> None:
    assert layers_of(RuleSet.model_validate({"trade": "tea"})) == Layers(30, 59, 90, 14, 8, 200.0)
    margin = RuleSet.model_validate({"rfm": {"value": "margin", "margin": 0.5}})
    assert layers_of(margin).much == 1600
    assert layers_of(RuleSet.model_validate({"rfm": {"value": "per_visit"}})).per_day


def test_without_an_amount_loyal_is_who_spends_what_coming_often_costs_in_the_mean() -> None:
    layers = replace(LAYERS, much=layers_of(RuleSet.model_validate({"rfm": {"mode": "quantile"}})).much)
    days = [350, 360, 380, 390]
    daily = daily_of([0] * 4 + [1] * 4, days * 2, [29.0] * 4 + [31.0] * 4, layers=layers)
    assert snapshot(daily, TODAY, 30.0).layer.tolist() == [GROWING, LOYAL]


def test_online_is_a_share_of_orders_and_unknown_categories_are_as_one() -> None:
    daily = daily_of([0, 0, 0, 1], [10, 10, 20, 10], np.ones(4), online=[True, False, True, False])
    known = snapshot(daily, TODAY, 1.0)
    assert known.online.tolist() == [0.75, 0.0]
    assert known.features[:, FEATURES.index("category_mix")].tolist() == [0.0, 0.0]


@settings(max_examples=examples(30), deadline=None)
@given(st.lists(st.tuples(st.integers(0, 8), st.integers(0, 300), st.integers(0, 90), st.booleans(), st.integers(0, 3)), min_size=1, max_size=60))  # fmt: skip
def test_no_input_sees_anything_from_its_day_on(rows: list[tuple[int, int, int, bool, int]]) -> None:
    def daily(some: list[tuple[int, int, int, bool, int]]) -> Daily:
        who, day, value, online, fresh = (np.array([row[n] for row in some]) for n in range(5))
        return daily_of(who, day, value, online=online, categories=fresh, layers=LAYERS)

    earlier = [row for row in rows if row[1] < 150]
    known = snapshot(daily(rows), 150, 10.0)
    assert np.isfinite(known.features).all()
    if earlier:
        assert np.array_equal(known.features, snapshot(daily(earlier), 150, 10.0).features)


# What a forecast makes of them


Leaving = Callable[[int, bool, int], float]
"""The chance to leave after a purchase: purchases so far, whether somebody buys online, categories so far."""


def chain(leaving: Leaving, seed: int = 3) -> Daily:
    """Customers who come about every nine days, until they leave; half of them buy online, and half from one category alone."""
    draw = np.random.default_rng(seed)
    rows = []
    for who in range(2500):
        online, broad = bool(who % 2), who % 4 < 2
        day, bought, kinds = draw.uniform(0, TODAY - 10), 0, 0
        while day < TODAY:
            fresh = int(bought == 0 or (broad and bought < 4))
            rows.append((who, int(day), online, fresh))
            bought, kinds = bought + 1, kinds + fresh
            if draw.random() < leaving(bought, online, kinds):
                break
            day += 1 + draw.exponential(8.0)
    who, day, online, fresh = map(np.array, zip(*rows, strict=True))
    value = np.random.default_rng(seed).gamma(4.0, 8.0, len(who))
    return daily_of(who, day, value, online=online, categories=fresh, layers=LAYERS)


def churn_of(daily: Daily) -> Silence:
    found = fit_silence(Bases(daily), TODAY, (30, 60), ACTIVE, None, PURPOSE)
    assert not isinstance(found, Refused)
    return Silence.of(dict(found.payload))


def value_of(daily: Daily) -> Value:
    found = fit_value(Bases(daily), TODAY, None, PURPOSE)
    assert not isinstance(found, Refused)
    return Value.of(dict(found.payload))


def moved(daily: Daily, left: Daily, right: Daily) -> tuple[float, float]:
    """Forecasts of a chain's active customers, were they as on the left and as on the right: churn's difference, value's ratio."""
    churn, value = churn_of(daily), value_of(daily)
    before, after = (snapshot(one, TODAY, churn.unit) for one in (left, right))
    some = before.recency <= 20
    gone, worth = (
        [churn.silent(known)[60][some].mean(), value.expected(known, TODAY).value[some].mean()]
        for known in (before, after)
    )
    return float(worth[0] - gone[0]), float(worth[1] / gone[1])


def test_who_leaves_by_channel_is_forecast_by_channel() -> None:
    daily = chain(lambda _bought, online, _kinds: 0.25 if online else 0.05)
    shop, web = (replace(daily, online=np.full_like(daily.online, share)) for share in (0, 1))
    churn, value = moved(daily, shop, web)
    assert churn > 0.1
    assert value < 0.8


def test_who_leaves_by_category_mix_is_forecast_by_it() -> None:
    daily = chain(lambda _bought, _online, kinds: 0.25 if kinds == 1 else 0.05)
    narrow = np.minimum(daily.categories, np.r_[True, np.diff(daily.customer) != 0])
    churn, value = moved(daily, daily, replace(daily, categories=narrow.astype(np.uint16)))
    assert churn > 0.05
    assert value < 0.9


def test_who_leaves_by_layer_is_forecast_by_it() -> None:
    daily = chain(lambda bought, _online, _kinds: 0.3 if bought < 4 else 0.02)
    nobody_loyal = replace(daily, layers=replace(LAYERS, often=99))
    churn, value = moved(daily, daily, nobody_loyal)
    assert churn > 0.01
    assert value < 0.99


def test_an_input_that_never_varies_changes_nothing() -> None:
    """A chain without a shop, one without an online shop and one without lines are forecast alike."""
    daily = chain(lambda _bought, _online, _kinds: 0.1)
    same = [
        replace(daily, online=np.full_like(daily.online, share), categories=np.zeros_like(daily.categories))
        for share in (0.0, 1.0)
    ]
    shop, web = (churn_of(one).silent(snapshot(one, TODAY, 30.0))[60] for one in same)
    assert shop == pytest.approx(web, abs=1e-9)
    line = churn_of(same[1]).lines[60]
    assert line is not None
    weight = dict(zip(line.columns, line.coefficient, strict=True))
    assert weight["online_share"] == weight["category_mix"] == 0


@pytest.mark.parametrize(
    ("leaving", "en", "zh"),
    [
        (lambda online, _: online, "orders online mostly: 100 %", "多在线上下单：占 100%"),
        (lambda online, _: not online, "buys in shops alone, never online", "只在门店消费，从未线上下单"),
        (lambda _, kinds: kinds == 1, "buys from few categories: 1", "品类单一：只买过 1 个品类"),
    ],
    ids=["online", "offline", "narrow"],
)
def test_a_reason_tells_channel_and_category_mix(leaving: Callable[[bool, int], bool], en: str, zh: str) -> None:
    daily = chain(lambda bought, online, kinds: 0.25 if bought > 3 and leaving(online, kinds) else 0.04)
    model = churn_of(daily)
    known = snapshot(daily, TODAY, model.unit)
    told = [(a.as_py() or "", b.as_py() or "") for a, b in zip(*reasons(model, 60, known), strict=True)]
    kinds, online = known.categories.astype(int), known.online > 0.5
    true = np.array([leaving(bool(one), int(kind)) for one, kind in zip(online, kinds, strict=True)])
    said = np.array([en in english.split("; ") for _, english in told])
    assert all((zh in chinese.split("；")) == one for (chinese, _), one in zip(told, said, strict=True))
    assert said.sum() > 100
    assert true[said].all()
