"""Rate budgets: several windows at once, never exceeded, whoever shares them."""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from http_sharing import PROCESSES, SharedClock, run_processes
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.errors import DeferError
from hub.http import (
    CHINA_MIDNIGHT,
    ApiClient,
    CallOptions,
    Ledger,
    LimitNotice,
    MemoryLedger,
    PostgresLedger,
    RateBudget,
    SqliteLedger,
    Window,
    limit_headers,
)
from hub.http.testing import ScriptedPlatform, ThreadedVirtualClock, VirtualClock, reply
from hub.http.windows import consistent

START = 1_772_294_400.0
# Threads that overtake each other must not make a slow one give up.
FOREVER = 1e9
WINDOWS = (Window(10, 1), Window(150, 60), Window(8000, 3600))


def most_in(times: list[float], seconds: float) -> int:
    """Return the most entries of ``times`` that lie in any window of this length (its end not included)."""
    ordered = sorted(times)
    first = most = 0
    for last, time in enumerate(ordered):
        # Times are whole milliseconds; anything closer than half of one to the border is on it.
        while time - ordered[first] > seconds - 0.0005:
            first += 1
        most = max(most, last - first + 1)
    return most


@pytest.fixture(params=["memory", "sqlite"])
def ledger(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Ledger]:
    if request.param == "memory":
        yield MemoryLedger()
        return
    ledger = SqliteLedger(tmp_path / "rates.db")
    yield ledger
    ledger.close()


def test_several_windows_hold_at_once(ledger: Ledger, clock: VirtualClock) -> None:
    budget = RateBudget("shop", [Window(3, 1), Window(5, 10)], ledger=ledger, clock=clock)
    times = [budget.acquire().at - START for _ in range(7)]
    assert times[:3] == [0, 0, 0]
    assert times[3:5] == pytest.approx([1.001, 1.001])
    assert times[5:] == pytest.approx([10.001, 10.001])


def test_a_budget_without_windows_never_waits(clock: VirtualClock) -> None:
    budget = RateBudget("shop", clock=clock)
    assert all(budget.try_acquire("any").granted for _ in range(1000))


def test_a_call_of_a_group_spends_the_groups_and_the_connections_budget(ledger: Ledger, clock: VirtualClock) -> None:
    budget = RateBudget("shop", [Window(4, 1)], groups={"tag": [Window(2, 1)]}, ledger=ledger, clock=clock)
    assert [budget.try_acquire("tag").granted for _ in range(3)] == [True, True, False]
    assert [budget.try_acquire().granted for _ in range(3)] == [True, True, False]


def test_what_the_group_refuses_is_not_taken_from_the_connection(ledger: Ledger, clock: VirtualClock) -> None:
    budget = RateBudget("shop", [Window(10, 60)], groups={"tag": [Window(1, 60)]}, ledger=ledger, clock=clock)
    assert budget.try_acquire("tag").granted
    assert not any(budget.try_acquire("tag").granted for _ in range(50))
    assert sum(budget.try_acquire().granted for _ in range(50)) == 9


def test_every_unnamed_group_has_windows_of_its_own_where_the_platform_counts_per_api(
    ledger: Ledger, clock: VirtualClock
) -> None:
    budget = RateBudget(
        "corp", each_group=[Window(2, 60)], groups={"slow": [Window(1, 60)]}, ledger=ledger, clock=clock
    )
    granted = {group: sum(budget.try_acquire(group).granted for _ in range(5)) for group in ("a", "b", "slow")}
    assert granted == {"a": 2, "b": 2, "slow": 1}


def test_accounts_do_not_share(ledger: Ledger, clock: VirtualClock) -> None:
    budgets = [RateBudget(name, [Window(1, 60)], ledger=ledger, clock=clock) for name in ("shop-1", "shop-2")]
    assert [budget.try_acquire().granted for budget in budgets] == [True, True]


def test_two_budgets_of_one_name_and_ledger_are_one(ledger: Ledger, clock: VirtualClock) -> None:
    first, second = (RateBudget("shop", [Window(1, 60)], ledger=ledger, clock=clock) for _ in range(2))
    assert (first.try_acquire().granted, second.try_acquire().granted) == (True, False)


def test_a_call_may_cost_several_units(ledger: Ledger, clock: VirtualClock) -> None:
    budget = RateBudget("shop", [Window(10, 60)], ledger=ledger, clock=clock)
    assert [budget.try_acquire(units=4).granted for _ in range(3)] == [True, True, False]
    with pytest.raises(ValueError, match="never fit"):
        budget.acquire(units=11)


def test_a_spent_daily_budget_defers_instead_of_sleeping_till_tomorrow(ledger: Ledger, clock: VirtualClock) -> None:
    budget = RateBudget("shop", [Window(2, 86_400)], ledger=ledger, clock=clock, max_wait=60)
    budget.acquire()
    clock.advance(3600)
    budget.acquire()
    with pytest.raises(DeferError) as caught:
        budget.acquire()
    assert caught.value.code == "rate_budget_spent"
    assert caught.value.until == pytest.approx(86_400 - 3600, abs=1)
    assert clock.sleeps == []


def test_a_quota_that_begins_anew_at_midnight_in_china_does_so(ledger: Ledger) -> None:
    clock = VirtualClock(START + 23 * 3600)  # 23:00 in China
    budget = RateBudget("shop", [Window(3, 86_400, anchor=CHINA_MIDNIGHT)], ledger=ledger, clock=clock)
    assert [budget.try_acquire().granted for _ in range(3)] == [True, True, True]
    assert budget.try_acquire().wait == 3600
    clock.advance(3600)
    assert budget.try_acquire().granted


def test_old_calls_are_forgotten_so_that_the_ledger_does_not_grow(tmp_path: Path, clock: VirtualClock) -> None:
    path = tmp_path / "rates.db"
    budget = RateBudget("shop", [Window(100, 1)], ledger=SqliteLedger(path), clock=clock)
    for _ in range(2500):
        budget.acquire()
    with sqlite3.connect(path) as connection:
        (table,) = connection.execute(
            "SELECT name FROM sqlite_master WHERE name LIKE 'calls%' AND type = 'table'"
        ).fetchone()
        (rows,) = connection.execute(f"SELECT count(*) FROM {table}").fetchone()
    connection.close()
    assert rows <= 700


# Never exceeded.

windows = st.lists(
    st.builds(Window, limit=st.integers(1, 12), seconds=st.sampled_from([0.05, 0.5, 1, 1.5, 3, 7, 10, 60])),
    min_size=1,
    max_size=4,
)


@settings(deadline=None, max_examples=60)
@given(given_windows=windows, pauses=st.lists(st.sampled_from([0, 0, 0, 0.001, 0.3, 1, 5]), min_size=1, max_size=40))
def test_no_window_is_ever_exceeded(given_windows: list[Window], pauses: list[float]) -> None:
    clock = VirtualClock()
    budget = RateBudget("shop", given_windows, clock=clock, max_wait=FOREVER)
    times = []
    for pause in pauses:
        clock.advance(pause)
        times.append(budget.acquire().at)
    for window in given_windows:
        assert most_in(times, window.seconds) <= window.limit


@settings(deadline=None)
@given(windows)
def test_windows_are_only_ever_tightened_to_fit_together(given_windows: list[Window]) -> None:
    kept = consistent(given_windows)
    assert kept
    tightest = {window.seconds: window.limit for window in sorted(given_windows, key=lambda one: -one.limit)}
    assert all(window.limit <= tightest[window.seconds] for window in kept)
    for shorter, longer in pairwise(kept):
        assert shorter.seconds < longer.seconds
        assert shorter.limit < longer.limit


def test_windows_that_already_fit_stay_as_they_are() -> None:
    assert consistent(reversed(WINDOWS)) == WINDOWS


def test_a_window_that_another_implies_is_dropped() -> None:
    assert consistent([Window(5, 1), Window(1000, 60)]) == (Window(5, 1),)
    assert consistent([Window(10, 1), Window(8, 60)]) == (Window(8, 60),)


@pytest.mark.parametrize(("limit", "seconds"), [(0, 1), (1, 0), (-1, 1), (1, -1)])
def test_a_window_that_makes_no_sense_is_refused(limit: int, seconds: float) -> None:
    with pytest.raises(ValueError, match="a window needs"):
        Window(limit, seconds)


def test_eight_threads_never_send_more_than_allowed_over_a_minute() -> None:
    clock = ThreadedVirtualClock(8)
    platform = ScriptedPlatform(clock)
    platform.on("GET", "/x").always(reply({}))
    budget = RateBudget("shop", WINDOWS, groups={"detail": [Window(3, 1)]}, clock=clock, max_wait=FOREVER)
    client = ApiClient("https://api.example.com", transport=platform, clock=clock, budget=budget, concurrency=8)

    def work(number: int) -> None:
        options = CallOptions(group="detail" if number % 2 else None)
        with clock.thread():
            while clock.monotonic() < 60:
                client.get("/x", {"group": options.group}, options=options)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    arrived = list(zip(platform.requests, platform.arrivals, strict=True))
    everything = [at for _, at in arrived]
    detail = [at for request, at in arrived if "group" in request.url.params]
    for window in WINDOWS:
        assert most_in(everything, window.seconds) <= window.limit
    assert most_in(detail, 1) <= 3
    # The budget is used, not only kept: both windows are filled to the brim.
    assert most_in(everything, 1) == 10
    assert most_in(everything, 60) == 150


def call_often(results: Any, path: Path, clock: SharedClock, start: Any) -> None:
    """Four threads of one process make 40 calls each, as fast as the shared budget lets them."""
    budget = RateBudget("shop", WINDOWS, ledger=SqliteLedger(path), clock=clock, max_wait=FOREVER)
    times: list[float] = []
    start.wait(30)

    def work() -> None:
        times.extend(budget.acquire().at for _ in range(40))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    results.put(times)


def test_two_processes_of_four_threads_share_one_budget_over_two_minutes(tmp_path: Path) -> None:
    clock, start = SharedClock(START), PROCESSES.Barrier(2)
    gathered = run_processes(call_often, [(tmp_path / "rates.db", clock, start)] * 2)
    times = [at for times in gathered for at in times]
    assert len(times) == 320
    for window in WINDOWS:
        assert most_in(times, window.seconds) <= window.limit
    # 320 calls at 150 a minute need the third minute, and no more.
    assert most_in(times, 60) == 150
    assert 120 < max(times) - START < 150


def test_a_forked_child_counts_in_the_same_ledger(tmp_path: Path, clock: VirtualClock) -> None:
    ledger = SqliteLedger(tmp_path / "rates.db")
    budget = RateBudget("shop", [Window(2, 60)], ledger=ledger, clock=clock)
    assert budget.try_acquire().granted
    child = os.fork()
    if child == 0:
        os._exit(0 if budget.try_acquire().granted else 1)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    assert not budget.try_acquire().granted
    ledger.close()


# What the platform says.


def test_a_pause_holds_for_everybody_who_shares_the_ledger(tmp_path: Path, clock: VirtualClock) -> None:
    here, there = (
        RateBudget("shop", [Window(100, 1)], ledger=SqliteLedger(tmp_path / "rates.db"), clock=clock) for _ in range(2)
    )
    here.pause(30)
    assert there.try_acquire().wait == 30
    clock.advance(30)
    assert there.try_acquire().granted


def test_an_announced_remainder_is_counted_down_and_then_waited_for(ledger: Ledger, clock: VirtualClock) -> None:
    budget = RateBudget("shop", [Window(100, 1)], ledger=ledger, clock=clock)
    budget.limit_to(2, 20)
    assert [budget.try_acquire().granted for _ in range(3)] == [True, True, False]
    assert budget.try_acquire().wait == 20
    clock.advance(20)
    assert budget.try_acquire().granted


def test_the_stricter_of_two_announcements_stays(ledger: Ledger, clock: VirtualClock) -> None:
    budget = RateBudget("shop", ledger=ledger, clock=clock)
    budget.limit_to(1, 20)
    budget.limit_to(5, 20)  # an answer that was overtaken on its way
    assert [budget.try_acquire().granted for _ in range(2)] == [True, False]
    budget.pause(60)
    budget.pause(10)
    budget.limit_to(50, 30)
    assert budget.try_acquire().wait == 60


def test_a_refused_call_does_not_use_up_what_was_announced(ledger: Ledger, clock: VirtualClock) -> None:
    budget = RateBudget("shop", groups={"tag": [Window(1, 5)]}, ledger=ledger, clock=clock)
    budget.limit_to(3, 60)
    granted = [budget.try_acquire("tag").granted for _ in range(9)]
    assert granted == [True] + [False] * 8
    assert [budget.try_acquire().granted for _ in range(3)] == [True, True, False]


def test_the_platforms_own_count_is_read_from_its_headers(
    make_client: Callable[..., ApiClient], platform: ScriptedPlatform, clock: VirtualClock
) -> None:
    headers = {"X-RateLimit-Remaining": "1", "X-RateLimit-Reset": "40"}
    platform.on("GET", "/x").answers(reply({}, headers=headers), reply({}), reply({}))
    client = make_client(budget=RateBudget("shop", clock=clock), read_limits=limit_headers())
    for _ in range(3):
        client.get("/x")
    assert clock.sleeps == [40.0]


@pytest.mark.parametrize(
    "headers", [{}, {"x-left": "3"}, {"x-left": "-1", "x-reset": "5"}, {"x-left": "a", "x-reset": "5"}]
)
def test_headers_that_say_nothing_are_ignored(headers: dict[str, str]) -> None:
    assert limit_headers("X-Left", "X-Reset")(headers) is None


def test_headers_that_say_something_are_read() -> None:
    assert limit_headers("X-Left", "X-Reset")({"x-left": "3", "x-reset": "5"}) == LimitNotice(3, 5.0)


# PostgreSQL.


def call_on_postgres(results: Any, url: str, clock: SharedClock, start: Any) -> None:
    from psycopg_pool import ConnectionPool

    with ConnectionPool(url, min_size=1, max_size=2, open=True) as pool:
        budget = RateBudget(
            "shop", WINDOWS, groups={"tag": [Window(3, 1)]}, ledger=PostgresLedger(pool), clock=clock, max_wait=FOREVER
        )
        times: list[float] = []
        start.wait(30)

        def work(group: str | None) -> None:
            times.extend(budget.acquire(group).at for _ in range(10))

        threads = [threading.Thread(target=work, args=(group,)) for group in (None, "tag", None, "tag")]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
    results.put(times)


@pytest.mark.postgres
def test_processes_share_a_budget_in_postgresql_whatever_its_time_zone(postgres_address: str) -> None:
    clock, start = SharedClock(START), PROCESSES.Barrier(2)
    gathered = run_processes(call_on_postgres, [(postgres_address, clock, start)] * 2)
    times = [at for times in gathered for at in times]
    assert len(times) == 80
    for window in WINDOWS:
        assert most_in(times, window.seconds) <= window.limit
    # 40 calls of the group at 3 a second need 13 s; hours would show a mistaken time zone.
    assert 13 < max(times) - START < 20


@pytest.mark.postgres
def test_a_pause_and_a_daily_quota_work_in_postgresql(postgres_address: str, clock: VirtualClock) -> None:
    from psycopg_pool import ConnectionPool

    with ConnectionPool(postgres_address, min_size=1, max_size=2, open=True) as pool:
        here, there = (
            RateBudget(
                "day",
                [Window(2, 86_400, CHINA_MIDNIGHT)],
                groups={"g": [Window(1, 60)]},
                ledger=PostgresLedger(pool),
                clock=clock,
            )
            for _ in range(2)
        )
        assert [here.try_acquire("g").granted, there.try_acquire("g").granted, there.try_acquire().granted] == [
            True,
            False,
            True,
        ]
        assert there.try_acquire().wait == 86_400
        clock.advance(86_400)
        here.pause(30)
        assert there.try_acquire().wait == 30
