"""Work on parts of the customers side by side."""

from __future__ import annotations

import time
from threading import Thread

import pytest

from plugins.retail.models.threads import in_threads, one_at_a_time


def test_results_come_in_the_order_of_the_parts() -> None:
    def work(pause: float) -> float:
        time.sleep(pause)
        return pause

    assert in_threads(work, iter([0.05, 0.0, 0.02, 0.01])) == [0.05, 0.0, 0.02, 0.01]
    assert in_threads(work, []) == []


def test_what_goes_wrong_in_a_part_is_raised() -> None:
    with pytest.raises(ZeroDivisionError):
        in_threads(lambda part: 1 // part, [1, 0, 2])


def test_what_several_threads_ask_for_is_worked_out_once() -> None:
    asked = []

    def work(day: int) -> int:
        asked.append(day)
        time.sleep(0.02)
        return day + 1

    kept = one_at_a_time(work)
    threads = [Thread(target=kept, args=(7,)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert kept(7) == 8
    assert asked == [7]
