"""Many detail calls side by side."""

from __future__ import annotations

import contextlib
import contextvars
import threading
from collections.abc import Iterator
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.errors import AuthError, ConfigError, DeferError, HubError, RetryError, RowError, StreamError
from hub.http import fan_out, fan_out_apart


@settings(deadline=None, max_examples=40)
@given(st.lists(st.integers(), max_size=60), st.integers(1, 8), st.integers(0, 10))
def test_results_come_in_the_order_of_the_items(numbers: list[int], workers: int, ahead: int) -> None:
    results = list(fan_out(lambda number: number * 2, numbers, workers=workers, ahead=ahead))
    assert [(result.item, result.unwrap()) for result in results] == [(number, number * 2) for number in numbers]


def test_order_holds_though_later_items_finish_first() -> None:
    others_done = threading.Event()

    def slow_first(number: int) -> int:
        if number == 0:
            others_done.wait(10)
        if number == 7:
            others_done.set()
        return number

    assert [result.value for result in fan_out(slow_first, range(8), workers=2, ahead=8)] == list(range(8))


def test_a_row_error_is_the_items_own_result() -> None:
    def odd_only(number: int) -> int:
        if number % 2 == 0:
            raise RowError(f"{number} is even")
        return number

    results = list(fan_out(odd_only, range(6)))
    assert [result.value for result in results] == [None, 1, None, 3, None, 5]
    assert [str(result.error.message) for result in results if result.error] == ["0 is even", "2 is even", "4 is even"]
    with pytest.raises(RowError):
        results[0].unwrap()


@pytest.mark.parametrize(
    "error", [ConfigError("x"), AuthError("x"), StreamError("x"), DeferError("x"), RetryError("x"), ZeroDivisionError()]
)
def test_an_error_that_concerns_all_stops_the_rest(error: Exception) -> None:
    started: list[int] = []

    def work(number: int) -> int:
        started.append(number)
        if number == 10:
            raise error
        return number

    results = fan_out(work, range(1000), workers=2, ahead=4)
    given_back: list[int] = []
    with pytest.raises(type(error)):
        given_back.extend(result.item for result in results)
    assert given_back[:10] == list(range(10))
    assert len(started) < 25


def test_nothing_new_starts_after_such_an_error_even_while_the_caller_is_busy() -> None:
    failed, started = threading.Event(), []

    def work(number: int) -> int:
        started.append(number)
        if number == 1:
            failed.set()
            raise StreamError("gone")
        if number > 1:
            failed.wait(10)
        return number

    results = fan_out(work, range(100), workers=1, ahead=50)
    assert next(results).value == 0
    assert failed.wait(10)
    with pytest.raises(StreamError):
        list(results)
    assert started == [0, 1]


def test_calls_under_way_are_finished_and_their_results_given_before_the_error_is_raised() -> None:
    under_way = threading.Barrier(2)

    def write(number: int) -> str:
        under_way.wait(10)
        if number == 0:
            raise ConfigError("switched off")
        return "accepted"

    results = fan_out(write, range(2), workers=2)
    assert next(results).value == "accepted"
    with pytest.raises(ConfigError):
        next(results)


def test_items_are_taken_lazily_and_memory_is_bounded() -> None:
    taken = 0

    def endless() -> Iterator[int]:
        nonlocal taken
        while True:
            taken += 1
            yield taken

    results = fan_out(lambda number: number, endless(), workers=3, ahead=5)
    for expected in range(1, 101):
        assert next(results).value == expected
        assert taken <= expected + 3 + 5
    results.close()  # type: ignore[attr-defined]


def test_a_source_of_items_that_breaks_gives_its_results_first() -> None:
    def broken() -> Iterator[int]:
        yield from (1, 2)
        raise StreamError("the list broke off")

    results = fan_out(lambda number: number, broken(), workers=1)
    assert [next(results).value, next(results).value] == [1, 2]
    with pytest.raises(StreamError):
        next(results)


def test_leaving_early_starts_nothing_more() -> None:
    started: list[int] = []

    def work(number: int) -> int:
        started.append(number)
        return number

    for result in fan_out(work, range(1000), workers=2, ahead=2):
        if result.value == 3:
            break
    assert max(started) <= 3 + 4
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("fan-out")]


def test_no_more_calls_run_at_once_than_workers() -> None:
    guard, running, most = threading.Lock(), 0, 0
    full = threading.Barrier(4)

    def work(number: int) -> None:
        nonlocal running, most
        with guard:
            running += 1
            most = max(most, running)
        full.wait(10)
        with guard:
            running -= 1

    list(fan_out(work, range(12), workers=4))
    assert most == 4


def test_the_callers_context_is_seen_by_every_call() -> None:
    run = contextvars.ContextVar("run", default="none")
    run.set("run-7")
    assert {result.value for result in fan_out(lambda _: run.get(), range(10))} == {"run-7"}


def test_at_least_one_worker_is_needed() -> None:
    with pytest.raises(ValueError, match="workers"):
        fan_out(str, [1], workers=0)


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 10_000))
def test_whatever_fails_no_finished_result_is_lost_or_doubled(seed: int) -> None:
    random = Random(seed)
    fate = {number: random.choice(["ok", "ok", "ok", "row", "all"]) for number in range(30)}
    finished: list[int] = []

    def work(number: int) -> int:
        if fate[number] == "row":
            raise RowError("bad row")
        if fate[number] == "all":
            raise StreamError("bad stream")
        finished.append(number)
        return number

    given_back: list[int] = []
    with contextlib.suppress(HubError):
        given_back.extend(result.item for result in fan_out(work, range(30), workers=4) if result.error is None)
    assert given_back == sorted(finished)


def test_refused_items_are_told_apart_from_those_that_came() -> None:
    def odd_only(number: int) -> int:
        if number % 2 == 0:
            raise RowError("even", code="even")
        return number * 10

    came, refused = fan_out_apart(odd_only, range(5), workers=2)
    assert came == [(1, 10), (3, 30)]
    assert [(item, error.code) for item, error in refused] == [(0, "even"), (2, "even"), (4, "even")]
