"""Work on parts of the customers side by side."""

from __future__ import annotations

from threading import Event, RLock, Semaphore, Thread

import pytest

from plugins.retail.models.threads import in_threads, one_at_a_time

PATIENCE = 30
"""Seconds after which a thread that nobody wakes gives up, and the test fails."""


class WatchedLock:
    """A lock that counts who has come to it, also those who still wait."""

    def __init__(self) -> None:
        self._lock = RLock()
        self.came = Semaphore(0)

    def __enter__(self) -> None:
        self.came.release()
        self._lock.acquire()

    def __exit__(self, *_: object) -> None:
        self._lock.release()


def test_results_come_in_the_order_of_the_parts() -> None:
    second_done, finished = Event(), []

    def work(part: int) -> int:
        if part == 0:
            second_done.wait(PATIENCE)
        finished.append(part)
        if part == 1:
            second_done.set()
        return 10 * part

    assert in_threads(work, iter(range(4))) == [0, 10, 20, 30]
    assert finished[0] == 1, "the first part is done after the second"


def test_no_parts_have_no_results() -> None:
    nothing: list[int] = []
    assert in_threads(lambda part: 10 * part, nothing) == []


def test_what_goes_wrong_in_a_part_is_raised() -> None:
    with pytest.raises(ZeroDivisionError):
        in_threads(lambda part: 1 // part, [1, 0, 2])


def test_what_several_threads_ask_for_is_worked_out_once(monkeypatch: pytest.MonkeyPatch) -> None:
    lock, asked, answers = WatchedLock(), [], []
    monkeypatch.setattr("plugins.retail.models.threads.RLock", lambda: lock)

    def work(day: int) -> int:
        asked.append(day)
        # Not done before all four have asked.
        assert all(lock.came.acquire(timeout=PATIENCE) for _ in range(4))
        return day + 1

    kept = one_at_a_time(work)
    threads = [Thread(target=lambda: answers.append(kept(7))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    assert answers == [8, 8, 8, 8]
    assert asked == [7]
