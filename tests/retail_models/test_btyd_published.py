"""BG/NBD, MBG/NBD and Gamma-Gamma give the published values on the CDNOW sample (Fader, Hardie and Lee 2005)."""

from __future__ import annotations

import datetime as dt
from importlib.metadata import distribution
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plugins.retail.models.btyd import Btyd, Histories, Kind, fit_btyd
from plugins.retail.models.daily import Daily, daily_of, day_number
from plugins.retail.models.gamma_gamma import GammaGamma, fit_gamma_gamma

CALIBRATED = day_number(dt.date(1997, 10, 1))
HOLDOUT_WEEKS = 39
KNOWN = Histories(np.array([2.0]), np.array([30.43]), np.array([38.86]))
"""The customer of the paper: two repeat purchases, the last after 30.43 weeks of 38.86."""


@pytest.fixture(scope="module")
def sample() -> Daily:
    wheel = distribution("lifetimes")
    file = Path(str(wheel.locate_file("lifetimes/datasets/CDNOW_sample.txt")))
    rows = [line.split() for line in file.read_text().splitlines() if line.strip()]
    days = [day_number(dt.date(int(row[2][:4]), int(row[2][4:6]), int(row[2][6:]))) for row in rows]
    _, customer = np.unique([row[1] for row in rows], return_inverse=True)
    return daily_of(customer, days, [float(row[4]) for row in rows])


@pytest.fixture(scope="module")
def calibration(sample: Daily) -> Histories:
    return sample.histories(CALIBRATED)[1]


@pytest.fixture(scope="module")
def bg(calibration: Histories) -> Btyd:
    return fit_btyd(Kind.BG, calibration)


@pytest.fixture(scope="module")
def mbg(calibration: Histories) -> Btyd:
    return fit_btyd(Kind.MBG, calibration)


def test_the_sample_is_the_published_one(sample: Daily, calibration: Histories) -> None:
    repeats_by_week_39 = int(calibration.repeats.sum())
    assert (sample.customers, len(calibration), repeats_by_week_39) == (2357, 2357, 2457)


def test_bg_nbd_has_the_published_parameters(bg: Btyd) -> None:
    assert (bg.r, bg.alpha, bg.a, bg.b) == pytest.approx((0.243, 4.414, 0.793, 2.426), rel=0.01)
    assert bg.log_likelihood * bg.customers == pytest.approx(-9582.4, abs=0.1)


def test_mbg_nbd_has_the_published_parameters(mbg: Btyd) -> None:
    assert (mbg.r, mbg.alpha, mbg.a, mbg.b) == pytest.approx((0.525, 6.183, 0.891, 1.614), rel=0.01)


def test_gamma_gamma_has_the_published_parameters(sample: Daily) -> None:
    before = sample.before(CALIBRATED)
    first = np.flatnonzero(np.diff(before.customer, prepend=-1))
    repeat = np.ones(len(before), bool)
    repeat[first] = False
    count = np.bincount(before.customer[repeat], minlength=sample.customers).astype(float)
    total = np.bincount(before.customer[repeat], weights=before.value[repeat], minlength=sample.customers)
    fitted = fit_gamma_gamma(count, np.divide(total, count, out=np.zeros(len(count)), where=count > 0))
    assert (fitted.p, fitted.q, fitted.v) == pytest.approx((6.25, 3.74, 15.44), rel=0.01)
    assert 0.07 < fitted.correlation < 0.15


def test_the_customer_of_the_paper(bg: Btyd) -> None:
    assert bg.alive(KNOWN)[0] == pytest.approx(0.7266, abs=0.0005)
    assert bg.expected(KNOWN, HOLDOUT_WEEKS)[0] == pytest.approx(1.226, abs=0.001)


def test_expected_purchases_by_calibration_frequency(bg: Btyd, calibration: Histories) -> None:
    expected = bg.expected(calibration, HOLDOUT_WEEKS)
    groups = np.minimum(calibration.repeats, 7)
    means = [float(expected[groups == count].mean()) for count in range(8)]
    assert means == pytest.approx([0.225, 0.523, 1.044, 1.520, 2.164, 2.654, 3.504, 6.157], abs=0.002)


def test_the_forecast_against_what_came(sample: Daily, bg: Btyd, mbg: Btyd, calibration: Histories) -> None:
    came = sample.within(CALIBRATED, CALIBRATED + 7 * HOLDOUT_WEEKS).days_of()
    errors = [float(model.expected(calibration, HOLDOUT_WEEKS).sum() / came.sum() - 1) for model in (bg, mbg)]
    assert errors == pytest.approx([-0.121, -0.162], abs=0.005)


def test_equal_customers_count_with_their_number(calibration: Histories) -> None:
    few = calibration.part(slice(0, 300))
    doubled = Histories(*(np.tile(part, 2) for part in (few.repeats, few.last, few.age)))
    once, twice = fit_btyd(Kind.MBG, few), fit_btyd(Kind.MBG, doubled)
    assert (twice.r, twice.a, twice.b) == pytest.approx((once.r, once.a, once.b), rel=1e-6)


def test_the_gradient_is_the_slope_of_the_likelihood(calibration: Histories) -> None:
    from plugins.retail.models.btyd import _Likelihood

    few = calibration.part(slice(0, 200))
    weights = np.full(200, 1 / 200)
    at = np.log([0.4, 5.0, 0.8, 2.0])
    for kind in Kind:
        likelihood = _Likelihood(kind, few, weights)
        _, slopes = likelihood.loss(at)
        for j, slope in enumerate(slopes):
            step = np.eye(4)[j] * 1e-5
            measured = (likelihood.loss(at + step)[0] - likelihood.loss(at - step)[0]) / 2e-5
            assert slope == pytest.approx(measured, abs=1e-6)


positive = st.floats(0.05, 20)
models = st.builds(Btyd, st.sampled_from(Kind), positive, positive, positive, positive)


@st.composite
def histories(draw: st.DrawFn) -> Histories:
    age = draw(st.floats(0.1, 200))
    repeats = draw(st.integers(0, 150))
    last = draw(st.floats(0, 1)) * age if repeats else 0.0
    return Histories(np.array([float(repeats)]), np.array([last]), np.array([age]))


@settings(max_examples=50, deadline=None)
@given(models, histories())
def test_chances_are_chances_and_counts_are_not_negative(model: Btyd, known: Histories) -> None:
    alive, soon, later = model.alive(known)[0], model.silent(known, 4)[0], model.silent(known, 12)[0]
    assert 0 <= alive <= 1
    assert 0 <= later <= soon <= 1
    assert 0 <= model.expected(known, 4)[0] <= model.expected(known, 12)[0] * (1 + 1e-6) + 1e-9


@settings(max_examples=50, deadline=None)
@given(models, histories(), st.floats(0.05, 0.95))
def test_the_day_of_a_chance_has_that_chance(model: Btyd, known: Histories, share: float) -> None:
    weeks = model.next_purchase(known, share)[0]
    if np.isfinite(weeks) and weeks < 1e6:
        assert 1 - model.silent(known, weeks)[0] == pytest.approx(share, abs=1e-6)
    else:
        assert 1 - model.silent(known, 1e9)[0] <= share + 0.05


def test_somebody_who_bought_once_is_alive_for_certain_in_bg_nbd_only(bg: Btyd, mbg: Btyd) -> None:
    once = Histories(np.zeros(1), np.zeros(1), np.array([38.0]))
    assert bg.alive(once)[0] == 1
    assert mbg.alive(once)[0] < 0.6


def test_a_model_survives_its_file(bg: Btyd) -> None:
    assert Btyd.of(bg.document()) == bg
    value = GammaGamma(6.25, 3.74, 15.44, 0.1)
    assert GammaGamma.of(value.document()) == value


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 200), st.floats(0.01, 1000))
def test_many_purchases_are_believed_and_few_drawn_to_the_mean(count: int, value: float) -> None:
    model = GammaGamma(6.25, 3.74, 15.44)
    expected = model.expected(np.array([float(count)]), np.array([value]))[0]
    low, high = sorted((value, model.mean))
    assert low - 1e-9 <= expected <= high + 1e-9
    assert model.expected(np.array([0.0]), np.array([value]))[0] == pytest.approx(model.mean)
