"""How many values one customer holds at once."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from identity.limits import Limits, merged, most_at_once

DAYS = st.lists(st.none() | st.integers(0, 400), max_size=12)


def test_without_a_window_every_value_counts() -> None:
    assert most_at_once([1, 500, None], None) == 3


def test_within_a_window_only_what_turned_up_together_counts() -> None:
    assert most_at_once([0, 29, 30, 200], 30) == 2


def test_a_value_without_a_day_may_have_turned_up_at_any_time() -> None:
    assert most_at_once([0, 200, None], 30) == 2


def test_the_first_day_that_either_knows_is_the_day() -> None:
    assert merged({1: 50, 2: None}, {1: 20, 2: 7, 3: None}) == {1: 20, 2: 7, 3: None}


def test_what_one_group_holds_alone_is_no_objection() -> None:
    limits = Limits({"card_no": 1}, max_customer=20, late_bridge=4, window_days={"card_no": 30})
    assert limits.too_many("card_no", {1: 0}, {2: 10})
    assert not limits.too_many("card_no", {1: 0}, {2: 40})
    assert not limits.too_many("card_no", {1: 0, 2: 10}, {1: 0})


@given(DAYS, st.integers(1, 60))
def test_the_window_is_the_best_of_all_that_begin_on_a_day(days: list[int | None], window: int) -> None:
    dated = [day for day in days if day is not None]
    counted = [sum(begin <= day < begin + window for day in dated) for begin in dated]
    assert most_at_once(days, window) == max(counted, default=0) + len(days) - len(dated)


@given(DAYS, st.integers(1, 60), st.integers(1, 60))
def test_a_longer_window_never_counts_fewer(days: list[int | None], one: int, more: int) -> None:
    assert most_at_once(days, one) <= most_at_once(days, one + more) <= most_at_once(days, None)
