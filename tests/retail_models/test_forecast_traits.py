"""The forecast of a chain whose truth is known: figures that fit together, see nothing of the future, and are good."""

from __future__ import annotations

import datetime as dt
import re
from collections import Counter

import numpy as np
import pyarrow as pa
import pytest
from learning_chain import BEGIN, TODAY, Purchases, inputs_of, traits_of

from hub.models import Candidate, MemoryModels
from plugins.retail.models.clv import tier_cuts, tiers
from plugins.retail.models.daily import day_number, read_buyers, read_daily, read_ids
from plugins.retail.models.features import FEATURES
from plugins.retail.models.forecast import Forecast
from plugins.retail.models.metrics import auc, calibration, concordance

DAY = day_number(TODAY)


def column(table: pa.Table, name: str) -> np.ndarray:
    return table[name].to_numpy(zero_copy_only=False).astype(np.float64)


@pytest.fixture(scope="module")
def came(chain: Purchases, forecast: pa.Table) -> dict[str, np.ndarray]:
    """What each scored customer did from the day on: days until the first purchase, purchase days and value of 90 days."""
    number = np.array([int(one[1:]) for one in forecast["customer_id"].to_pylist()])
    after = chain.taken((chain.day >= DAY) & (chain.day < DAY + 90)).daily()
    wait = np.full(int(chain.customer.max()) + 1, np.inf)
    np.minimum.at(wait, after.customer, after.day - DAY)
    spent = np.zeros(len(wait))
    spent[: after.customers] = after.value_of()
    return {"wait": wait[number], "spent": spent[number]}


def test_later_orders_and_the_order_of_rows_change_nothing(chain: Purchases, forecast: pa.Table) -> None:
    """What is known to the day, in another order, against the same with 90 days of later orders behind the hub's own cut."""
    known = chain.before(DAY)
    shuffled = known.taken(np.random.default_rng(1).permutation(len(known.day)))
    assert traits_of(Forecast(), shuffled, TODAY).equals(forecast)


def test_money_in_another_unit_scales_values_and_moves_no_chance(chain: Purchases, forecast: pa.Table) -> None:
    dear = traits_of(Forecast(), chain, TODAY, money=100)
    moved = {name for name in forecast.column_names if not dear[name].equals(forecast[name])}
    assert moved == {"clv_12m", "clv_12m_p10", "clv_12m_p90", "clv_total", "clv_historic", "retention_budget"}
    assert column(dear, "clv_12m") == pytest.approx(100 * column(forecast, "clv_12m"), rel=0.01, abs=1)


def test_moving_all_days_moves_the_dates_and_nothing_else(chain: Purchases, forecast: pa.Table) -> None:
    later = Purchases(chain.customer, chain.day + 100, chain.value, chain.product)
    moved = traits_of(Forecast(), later, TODAY + dt.timedelta(days=100))
    dates = {"next_purchase_date", "next_purchase_lo", "next_purchase_hi", "alert_id"}
    assert {name for name in forecast.column_names if not moved[name].equals(forecast[name])} == dates


def test_chances_and_values_fit_together(forecast: pa.Table) -> None:
    p7, p14, p30 = (column(forecast, f"next_purchase_p{days}") for days in (7, 14, 30))
    lately = ~np.isnan(p30)
    assert lately.sum() > 1000
    assert np.all((p7[lately] >= 0) & (p7[lately] <= p14[lately]) & (p14[lately] <= p30[lately]) & (p30[lately] <= 1))
    churn60, churn30 = column(forecast, "churn_prob_60d"), column(forecast, "churn_prob_30d")
    watched = ~np.isnan(churn60)
    assert np.all(churn60[watched] <= churn30[watched])
    value, low, high = (column(forecast, name) for name in ("clv_12m", "clv_12m_p10", "clv_12m_p90"))
    assert np.all((low >= 0) & (low <= value) & (value <= high))
    assert np.all(np.isclose(column(forecast, "clv_total"), value + column(forecast, "clv_historic"), atol=0.011))
    days = [forecast[f"next_purchase_{name}"].to_pylist() for name in ("lo", "date", "hi")]
    assert all(a <= b for a, b in zip(days[0], days[1], strict=True) if b is not None)
    assert all(a <= b for a, b in zip(days[1], days[2], strict=True) if b is not None)
    assert all(day >= TODAY for day in days[0] if day is not None)


def test_only_active_customers_are_watched_and_bands_follow_the_probability(
    chain: Purchases, forecast: pa.Table
) -> None:
    last = np.zeros(int(chain.customer.max()) + 1, np.int64)
    known = chain.before(DAY)
    np.maximum.at(last, known.customer, known.day)
    number = [int(one[1:]) for one in forecast["customer_id"].to_pylist()]
    for row, who in zip(forecast.to_pylist(), number, strict=True):
        chance = row["churn_prob_60d"]
        assert (chance is not None) == (DAY - last[who] <= 30)
        expected = None if chance is None else "low" if chance < 0.33 else "medium" if chance < 0.66 else "high"
        assert row["churn_band"] == expected
        assert row["churn_reasons"] is None or expected in {"medium", "high"}
        assert (row["churn_reasons"] is None) == (row["churn_reasons_en"] is None)


def test_reasons_tell_the_customer_s_own_numbers(chain: Purchases, forecast: pa.Table) -> None:
    known = chain.before(DAY).daily()
    told = Counter()
    for row in forecast.to_pylist():
        days = known.day[known.customer == int(row["customer_id"][1:])] if row["churn_reasons_en"] else []
        for reason in (row["churn_reasons_en"] or "").split("; "):
            numbers = [int(one) for one in re.findall(r"\d+", reason)]
            told[re.sub(r"\d+", "#", reason)] += 1
            if reason.startswith("only") and "last 30" in reason:
                assert numbers[0] == np.sum(days >= DAY - 30)
            if "since the last visit" in reason:
                assert numbers[0] == DAY - days.max()
            if "so far" in reason:
                assert numbers[0] == len(days)
            if "rarer" in reason:
                assert numbers[:2] == [round(np.diff(days)[-3:].mean()), round(np.diff(days)[:-3].mean())] or (
                    abs(numbers[0] - np.diff(days)[-3:].mean()) <= 0.5
                )
    assert len(told) >= 4


def test_a_tier_holds_its_share_of_the_value(forecast: pa.Table) -> None:
    value, tier = column(forecast, "clv_12m"), np.array(forecast["clv_tier"].to_pylist())
    shares = {name: value[tier == name].sum() / value.sum() for name in "ABCD"}
    assert shares["A"] == pytest.approx(0.5, abs=0.01)
    assert shares["A"] + shares["B"] == pytest.approx(0.8, abs=0.01)
    assert value[tier == "A"].min() >= value[tier == "B"].max()


def parted(*value: float) -> list[int]:
    return tiers(np.array(value), tier_cuts(np.array(value))).tolist()


def test_equal_values_share_a_tier() -> None:
    assert parted(5.0, 5.0, 5.0, 5.0) == [0, 0, 0, 0]
    assert parted(1.0, 8.0, 1.0, 0.0) == [2, 0, 2, 3]
    assert parted(0.0, 0.0, 0.0) == [0, 0, 0]


def test_early_warning_is_right_and_calibrated(forecast: pa.Table, came: dict[str, np.ndarray]) -> None:
    chance = column(forecast, "churn_prob_60d")
    watched = ~np.isnan(chance)
    stayed_away = came["wait"][watched] >= 60
    assert auc(chance[watched], stayed_away) >= 0.72
    assert calibration(chance[watched], stayed_away)[0] <= 0.08
    assert auc(chance[watched], stayed_away) > auc(1 - column(forecast, "p_alive")[watched], stayed_away)


def test_the_next_purchase_is_ranked_and_its_interval_covers(
    chain: Purchases, forecast: pa.Table, came: dict[str, np.ndarray]
) -> None:
    often = np.bincount(chain.before(DAY).daily().customer, minlength=int(chain.customer.max()) + 1) >= 3
    number = np.array([int(one[1:]) for one in forecast["customer_id"].to_pylist()])
    asked = often[number] & ~np.isnan(column(forecast, "next_purchase_p30"))
    soon = 1 - column(forecast, "next_purchase_p30")
    wait, seen = np.minimum(came["wait"], 90), np.isfinite(came["wait"])
    assert concordance(soon[asked], wait[asked], seen[asked]) >= 0.63
    lo, hi = (forecast[f"next_purchase_{name}"].to_pylist() for name in ("lo", "hi"))
    back = np.flatnonzero(asked & seen)
    inside = [
        lo[i] is not None and (lo[i] - TODAY).days <= came["wait"][i] and (hi[i] is None or came["wait"][i] <= (hi[i] - TODAY).days + 1)
        for i in back
    ]  # fmt: skip
    assert 0.75 <= np.mean(inside) <= 0.95


def test_the_value_is_ranked_and_of_the_right_size(forecast: pa.Table, came: dict[str, np.ndarray]) -> None:
    """Visits of a quarter are about a quarter of the year's, for people who leave after 240 days in the mean a little more."""
    value = column(forecast, "clv_12m")
    order = np.argsort(-value)
    best = order[: len(order) // 10]
    assert came["spent"][best].sum() / came["spent"].sum() > 0.35
    assert 0.25 < came["spent"].sum() / value.sum() < 0.45


def test_one_more_purchase_today_helps(chain: Purchases, forecast: pa.Table, fitted: MemoryModels) -> None:
    """Of pairs that differ in one purchase yesterday; the model is the same."""
    buyers = np.unique(chain.before(DAY).customer)[::6]
    more = Purchases(
        np.concatenate([chain.customer, buyers]),
        np.concatenate([chain.day, np.full(len(buyers), DAY - 1)]),
        np.concatenate([chain.value, np.full(len(buyers), 15.0)]),
        np.concatenate([chain.product, np.zeros(len(buyers), np.int64)]),
    )
    after = traits_of(Forecast(), more, TODAY, fitted)
    asked = np.isin([int(one[1:]) for one in forecast["customer_id"].to_pylist()], buyers)
    before_chance, after_chance = (
        column(forecast, "next_purchase_p30")[asked],
        column(after, "next_purchase_p30")[asked],
    )
    known = ~np.isnan(before_chance)
    assert np.mean(after_chance[known] >= before_chance[known] - 0.02) > 0.9
    assert np.mean(column(after, "clv_expected_visits")[asked] >= column(forecast, "clv_expected_visits")[asked]) > 0.9


@pytest.mark.parametrize(
    ("name", "customers", "days"),
    [
        ("nobody", [], []),
        ("one customer, one order", [0], [400]),
        ("one order each", list(range(1500)), [100 + i % 300 for i in range(1500)]),
        ("one day", [i % 1200 for i in range(1500)], [419] * 1500),
        ("few customers", [i % 30 for i in range(900)], [i % 410 for i in range(900)]),
    ],
)
def test_too_little_data_gives_nulls_and_the_reason(name: str, customers: list[int], days: list[int]) -> None:
    start = day_number(BEGIN)
    bought = Purchases(
        np.array(customers, np.int64),
        np.array(days, np.int64) + start,
        np.full(len(customers), 12.5),
        np.zeros(len(customers), np.int64),
    )
    found = traits_of(Forecast(), bought, TODAY)
    assert found.num_rows == len(set(customers))
    for row in found.to_pylist():
        assert row["clv_historic"] > 0
        assert {row["clv_12m"], row["churn_prob_60d"], row["next_purchase_date"], row["p_alive"]} == {None}
        for method in ("clv_method", "churn_method", "next_purchase_method"):
            assert re.match(r"too little data: \d+ buyers and \d+ repeat buyers, 1000 and 200 needed", row[method])


def test_a_short_history_is_forecast_by_mbg_nbd_alone(chain: Purchases) -> None:
    early = BEGIN + dt.timedelta(days=70)
    found = traits_of(Forecast(), chain.taken(chain.customer >= 0), early)
    methods = {row["clv_method"] for row in found.to_pylist()}
    assert len(methods) == 1
    busy = Purchases(
        chain.customer, (chain.day - day_number(BEGIN)) // 6 + day_number(BEGIN), chain.value, chain.product
    )
    found = traits_of(Forecast(), busy, early)
    assert {row["churn_method"] for row in found.to_pylist()} == {"mbg_nbd"}
    chances = column(found, "next_purchase_p30")
    assert np.all((chances >= 0) & (chances <= 1))


def test_a_newer_model_competes_and_the_past_never_sees_it(
    chain: Purchases, fitted: MemoryModels, forecast: pa.Table
) -> None:
    """A score of four weeks ago fits its own model; a store that holds only that one lets the present one compete."""
    past = TODAY - dt.timedelta(days=28)
    traits_of(Forecast(), chain, past, fitted)
    assert traits_of(Forecast(), chain, TODAY, fitted).equals(forecast)
    models = MemoryModels()
    for name in fitted.names():
        held = fitted.current(name, past)
        assert held is not None
        assert held.fitted_for <= past
        models.keep(name, Candidate(held.fitted_for, held.recipe, held.payload, held.card), held.version, held.state)
    traits_of(Forecast(), chain, TODAY, models)
    for name in ("churn", "clv", "next_purchase"):
        older, newer = models.versions(name)
        assert re.search(r"(not )?worse than|AUC", str(newer.card["decision"]))
        assert older.version in str(newer.card["decision"])


def test_a_model_is_the_same_whichever_day_of_its_four_weeks_it_is_fitted_on(
    chain: Purchases, fitted: MemoryModels, forecast: pa.Table
) -> None:
    assert forecast.num_rows
    later = MemoryModels()
    traits_of(Forecast(), chain, TODAY + dt.timedelta(days=15), later)
    for name in later.names():
        held = fitted.current(name, TODAY)
        assert held is not None
        assert later.versions(name)[0].version == held.version


def test_cards_tell_what_a_reader_needs(fitted: MemoryModels, forecast: pa.Table) -> None:
    assert forecast.num_rows
    card = fitted.versions("churn")[0].card
    results = card["results"]["60_days"]
    assert results["auc"] > max(results["auc_recency"], results["auc_not_alive"])
    assert len(results["calibration"]) == 10
    assert sum(one["n"] for one in results["calibration"]) == card["data"]["rows_judged"]
    assert card["data"]["judged_at"] < card["data"]["fitted_for"]
    assert set(card["challengers"]) == {"auc_tree", "auc_boosting", "tree_rules"}
    assert "|---" in card["challengers"]["tree_rules"]
    assert card["weights"]
    assert card["drift"]
    assert card["not_for"]
    assert "the season is not in the forecast" in " ".join(fitted.versions("clv")[0].card["warnings"])


def test_cards_tell_the_weight_of_every_input_by_its_name(fitted: MemoryModels, forecast: pa.Table) -> None:
    assert forecast.num_rows
    cards = {name: fitted.versions(name)[0].card["weights"] for name in ("churn", "next_purchase", "clv")}
    for weights in (cards["churn"], cards["next_purchase"], cards["clv"]["visits"], cards["clv"]["value"]):
        assert set(FEATURES) <= set(weights)
        assert weights["online_share"]
        assert weights["category_mix"]
        assert weights["layer_loyal"]


def test_purchase_days_are_read_as_they_are(chain: Purchases) -> None:
    inputs = inputs_of(chain, TODAY, None)
    ids, daily = read_ids(inputs), read_daily(inputs, read_buyers(inputs))
    expected = chain.before(DAY).daily()
    present = np.unique(expected.customer)
    assert ids.to_pylist() == [f"C{one:06d}" for one in present]
    assert np.array_equal(daily.day, expected.day)
    assert np.array_equal(present[daily.customer], expected.customer)
    assert daily.value == pytest.approx(expected.value)
