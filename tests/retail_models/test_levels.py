"""How many will stay away, and how often the most frequent come: the level of what is forecast."""

from __future__ import annotations

import datetime as dt

import numpy as np
from effort import examples
from hypothesis import given, settings
from hypothesis import strategies as st
from learning_chain import BEGIN, Purchases

from plugins.retail.models.daily import Daily, day_number
from plugins.retail.models.keeping import Refused, on_one_thread
from plugins.retail.models.linear import fit_log_link, fit_logistic, level_shift, sigmoid
from plugins.retail.models.silence import Silence, fit_base, learn_silence, levelled, taught

WITHIN, AHEAD = 60, 60
TODAY = day_number(BEGIN + dt.timedelta(days=240))
CUTS = (TODAY - AHEAD, TODAY - AHEAD - 28)


@settings(max_examples=examples(50), deadline=None)
@given(st.lists(st.floats(-4, 4), min_size=1, max_size=30), st.floats(0.05, 0.95))
def test_a_shift_gives_probabilities_the_mean_asked_for(logits: list[float], mean: float) -> None:
    values = np.array(logits)
    assert abs(sigmoid(values + level_shift(values, mean)).mean() - mean) < 1e-6


def test_a_mean_that_no_shift_reaches_moves_nothing() -> None:
    assert level_shift(np.zeros(3), 1.0) == level_shift(np.zeros(3), 0.0) == 0.0


@on_one_thread
def _levels(daily: Daily, today: int) -> tuple[Silence, Silence, Silence, int]:
    """A model of whole histories, the same put right, and one that looks only so many days back."""
    base = fit_base(daily, today)
    assert not isinstance(base, Refused)
    memory = min(CUTS) - daily.first_day
    whole, even = (
        learn_silence(base, taught(daily, CUTS, (AHEAD,), WITHIN, base[1], back), (AHEAD,), WITHIN)
        for back in (None, memory)
    )
    return whole, levelled(whole, daily, CUTS, today), even, memory


def test_a_young_chain_s_level_is_that_of_histories_as_long_as_the_lessons_were(chain: Purchases) -> None:
    daily = chain.daily().before(TODAY)
    raw, put_right, even, memory = _levels(daily, TODAY)
    known, lately = (taught(daily, (TODAY,), (AHEAD,), WITHIN, raw.unit, back).known[0] for back in (None, memory))
    before, after = raw.silent(known)[AHEAD], put_right.silent(known)[AHEAD]
    assert abs(after.mean() - even.silent(lately)[AHEAD].mean()) < 1e-6 < abs(before.mean() - after.mean())
    assert np.array_equal(np.argsort(before, kind="stable"), np.argsort(after, kind="stable"))


def test_without_lessons_the_level_stays_as_it_is(chain: Purchases) -> None:
    daily = chain.daily().before(TODAY)
    base = fit_base(daily, TODAY)
    assert not isinstance(base, Refused)
    model = learn_silence(base, taught(daily, (), (AHEAD,), WITHIN, base[1]), (AHEAD,), WITHIN)
    assert levelled(model, daily, (), TODAY) is model


def test_counts_reach_twice_beyond_what_was_learnt_and_no_further() -> None:
    seen = np.log(np.linspace(1, 20, 400))[:, None]
    came = np.where(np.arange(400) % 3 == 0, 0.0, np.exp(seen[:, 0]))
    line = fit_log_link(("days",), seen, came, power=1)
    assert line is not None
    most, twice, ten_times = line.amount(np.log(np.array([[20.0], [40.0], [200.0]])))
    assert most * 1.9 < twice == ten_times


def test_probabilities_keep_to_what_was_learnt() -> None:
    seen = np.linspace(0, 1, 400)[:, None]
    line = fit_logistic(("share",), seen, np.random.default_rng(1).random(400) < seen[:, 0])
    assert line is not None
    assert line.probability(np.array([[1.0]]))[0] == line.probability(np.array([[9.0]]))[0]
