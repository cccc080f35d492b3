"""What a model may look at, what season it knows, and the figures it is judged by."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plugins.retail.models.clv import _repair
from plugins.retail.models.daily import daily_of
from plugins.retail.models.features import FEATURES, snapshot
from plugins.retail.models.metrics import amount_metrics, auc, calibration, concordance, stability
from plugins.retail.models.season import NO_SEASON, season_of
from plugins.retail.models.timing import HORIZONS, next_purchase
from plugins.retail.models.windows import windows


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2000), st.integers(1, 400))
def test_no_window_teaches_what_it_is_judged_by(history: int, horizon: int) -> None:
    spans = windows(1000, 1000 + history, horizon)
    if spans is None:
        assert history < 3 * horizon
        return
    assert spans.judged + horizon == spans.today
    assert spans.earlier
    assert all(1000 + horizon <= cut and cut + horizon <= spans.judged for cut in spans.earlier)
    assert all(cut + horizon <= spans.today for cut in spans.all)


def seasonal(years: int, growth: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """A chain that sells twice as much in the middle of the year as at its ends; each purchase is another customer's."""
    days = np.arange(years * 365)
    level = (1.5 - 0.5 * np.cos(2 * np.pi * days / 365)) * (1 + growth * days / 365) * 20
    return np.arange(int(level.astype(int).sum())), np.repeat(days, level.astype(int))


@pytest.mark.parametrize("growth", [0.0, 0.5])
def test_the_season_is_found_also_in_a_chain_that_grows(growth: float) -> None:
    customer, day = seasonal(3, growth)
    season = season_of(daily_of(customer, day, np.ones(len(day))), 3 * 365)
    assert season.factor(3 * 365, 365) == pytest.approx(1.0)
    assert season.factor(3 * 365, 30) == pytest.approx(1.02 / 1.5, abs=0.08)
    assert season.factor(3 * 365 + 168, 30) == pytest.approx(1.98 / 1.5, abs=0.08)


def test_without_two_years_or_enough_purchases_there_is_no_season() -> None:
    customer, day = seasonal(2)
    daily = daily_of(customer, day, np.ones(len(day)))
    assert season_of(daily, 729) is NO_SEASON
    assert season_of(daily, 730).index
    assert season_of(daily_of(customer[::200], day[::200], np.ones(len(day[::200]))), 730) is NO_SEASON
    assert NO_SEASON.factor(5, 10) == 1


@pytest.mark.parametrize(
    ("now", "before", "factor"),
    [(1.21, 1.5, 1.1), (0.81, 0.64, 0.9), (1.3, 0.7, 1.0), (1.3, 1.05, 1.0), (1.0, 1.0, 1.0), (9.0, 9.0, 1.5)],
)
def test_only_a_level_that_drifts_twice_is_put_right_by_half(now: float, before: float, factor: float) -> None:
    assert _repair(now, before) == pytest.approx(factor)


def test_features_say_what_was_bought() -> None:
    days = np.array([0, 10, 20, 30, 60, 90])
    known = snapshot(daily_of(np.zeros(6, int), days, [10.0, 10, 10, 10, 20, 30]), 100, value_unit=15.0)
    found = dict(zip(FEATURES, known.features[0], strict=True))
    assert np.exp(found["purchases"]) == pytest.approx(6)
    assert np.expm1(found["recency"]) == pytest.approx(10)
    assert np.expm1(found["days_30"]) == pytest.approx(1)
    assert np.expm1(found["days_90"]) == pytest.approx(5), "day 10 is the 90th day before day 100"
    assert known.last_gaps[0] == pytest.approx(70 / 3)
    assert known.earlier_gaps[0] == pytest.approx(10)
    assert np.exp(found["value"]) == pytest.approx(1)
    assert known.value_ratio[0] == pytest.approx(2)
    assert known.usual_gap[0] == pytest.approx((90 + 60) / 7)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 8), st.integers(0, 300), st.floats(0.01, 500)), min_size=1, max_size=60))
def test_a_snapshot_sees_nothing_from_its_day_on(rows: list[tuple[int, int, float]]) -> None:
    customer, day, value = (np.array(part) for part in zip(*rows, strict=True))
    whole = daily_of(customer, day, value)
    known = snapshot(whole, 150, 10.0)
    cut = snapshot(whole.before(150), 150, 10.0)
    assert np.array_equal(known.who, cut.who)
    assert np.array_equal(known.features, cut.features)
    assert np.isfinite(known.features).all()


def test_chunks_give_each_customer_the_same() -> None:
    draw = np.random.default_rng(0)
    daily = daily_of(draw.integers(0, 50, 600), draw.integers(0, 300, 600), draw.random(600))
    parts = []
    for begin in range(0, 50, 7):
        some = daily.rows((daily.customer >= begin) & (daily.customer < begin + 7))
        alone = replace(some, customer=some.customer - begin, customers=min(7, 50 - begin))
        parts.append(snapshot(alone, 300, 1.0).features)
    assert np.array_equal(np.concatenate(parts), snapshot(daily, 300, 1.0).features)


def test_the_curve_of_chances_gives_the_days() -> None:
    daily_chance = 1 - np.exp(-np.array(HORIZONS) / 20)
    silent = {days: np.array([1 - chance, 1.0]) for days, chance in zip(HORIZONS, daily_chance, strict=True)}
    found = next_purchase(silent)
    assert (found.low[0], found.median[0], found.high[0]) == pytest.approx(
        (20 * -np.log(0.9), 20 * np.log(2), 20 * np.log(10)), rel=1e-6
    )
    assert np.isinf([found.low[1], found.median[1], found.high[1]]).all()
    assert (found.p7[1], found.p30[1]) == (0, 0)


def test_figures_are_those_of_the_textbook() -> None:
    from sklearn.metrics import roc_auc_score

    draw = np.random.default_rng(4)
    happened = draw.random(500) < 0.3
    score = np.round(happened * 0.3 + draw.random(500), 1)
    assert auc(score, happened) == pytest.approx(roc_auc_score(happened, score))
    assert calibration(np.full(100, 0.3), np.arange(100) < 30)[0] == pytest.approx(0.42, abs=0.001)
    wait, seen = np.array([1.0, 2.0, 3.0, 3.0]), np.array([True, True, False, False])
    assert concordance(wait, wait, seen) == 1
    assert concordance(-wait, wait, seen) == 0
    figures = amount_metrics(np.array([1.0, 2.0, 4.0]), np.array([2.0, 2.0, 2.0]))
    assert (figures["mae"], figures["total_error"]) == pytest.approx((1.0, 1 / 6))


def test_a_population_that_moved_is_seen() -> None:
    draw = np.random.default_rng(5)
    before = draw.normal(0, 1, 5000)
    assert stability(before, draw.normal(0, 1, 5000)) < 0.02
    assert stability(before, draw.normal(1, 1, 5000)) > 0.25
