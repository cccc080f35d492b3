"""Work on parts of the customers, side by side: NumPy lets go of the interpreter while it works."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache
from threading import RLock
from typing import ParamSpec, TypeVar

__all__ = ["in_threads", "one_at_a_time"]

_THREADS = 2
"""More would need as much more memory, and the parts are read by one."""
_Given = ParamSpec("_Given")
_Part = TypeVar("_Part")
_Found = TypeVar("_Found")


def in_threads(work: Callable[[_Part], _Found], parts: Iterable[_Part]) -> list[_Found]:
    """Return what a function makes of each part, in their order, two parts at a time.

    Parts are drawn by the thread that calls, so they may be read from the warehouse; no more than are being worked on and the
    next are held.
    """
    found: list[_Found] = []
    waiting: deque[Future[_Found]] = deque()
    with ThreadPoolExecutor(_THREADS) as pool:
        for part in parts:
            waiting.append(pool.submit(work, part))
            if len(waiting) > _THREADS:
                found.append(waiting.popleft().result())
        found += [one.result() for one in waiting]
    return found


def one_at_a_time(work: Callable[_Given, _Found]) -> Callable[_Given, _Found]:
    """Work out the result for given arguments once, also where several threads ask for it at the same time."""
    lock, kept = RLock(), cache(work)

    def found(*args: _Given.args, **kwargs: _Given.kwargs) -> _Found:
        with lock:
            return kept(*args, **kwargs)  # type: ignore[arg-type] # arguments that can be kept are the caller's business

    return found
