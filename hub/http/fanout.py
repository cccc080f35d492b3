"""Many calls for many items (one detail call per listed order): side by side, in order, in bounded memory."""

from __future__ import annotations

import contextvars
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, CancelledError, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from threading import Event
from typing import Generic, TypeVar

from hub.errors import RowError

__all__ = ["FanOutResult", "fan_out", "fan_out_apart"]

I = TypeVar("I")  # noqa: E741 - an item
R = TypeVar("R")


@dataclass(frozen=True)
class FanOutResult(Generic[I, R]):
    """What became of one item: a value, or the reason why this item alone has none."""

    item: I
    value: R | None = None
    error: RowError | None = None

    def unwrap(self) -> R:
        """Return the value, or raise the item's error."""
        if self.error is not None:
            raise self.error
        return self.value  # type: ignore[return-value]


def fan_out(
    func: Callable[[I], R], items: Iterable[I], *, workers: int = 4, ahead: int | None = None
) -> Iterator[FanOutResult[I, R]]:
    """Call ``func`` for every item in a pool of threads and give the results in the order of the items.

    A ``RowError`` is that item's result and the others go on. Any other error (stop, refused credential, unusable
    stream, spent budget, lasting fault, a bug) concerns all: nothing more is started, calls under way are finished,
    finished results are given, so that no outcome of a write is lost, and then the first such error is raised.

    Args:
        func: does the work for one item; called in other threads.
        items: the work; taken lazily by the caller's thread.
        workers: calls at once.
        ahead: results that may wait to be taken, beside those under way; ``workers`` unless given. Together they bound
            memory, and how far ``items`` is read ahead.
    """
    if workers < 1:
        raise ValueError("workers must be at least 1")
    window = workers + (workers if ahead is None else ahead)
    return _FanOut(func, iter(items), workers, window).run()


def fan_out_apart(
    func: Callable[[I], R], items: Iterable[I], *, workers: int = 4
) -> tuple[list[tuple[I, R]], list[tuple[I, RowError]]]:
    """Call ``func`` for every item, as :func:`fan_out` does; return what came, and the items that were refused."""
    found: list[tuple[I, R]] = []
    refused: list[tuple[I, RowError]] = []
    for result in fan_out(func, items, workers=workers):
        if result.error is not None:
            refused.append((result.item, result.error))
        else:
            found.append((result.item, result.unwrap()))
    return found, refused


class _FanOut(Generic[I, R]):
    def __init__(self, func: Callable[[I], R], items: Iterator[I], workers: int, window: int) -> None:
        self._func = func
        self._items = items
        self._window = window
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="fan-out")
        self._pending: deque[tuple[I, Future[R]]] = deque()
        self._stopped = Event()
        self._fatal: BaseException | None = None

    def run(self) -> Iterator[FanOutResult[I, R]]:
        try:
            while self._fill():
                self._await_oldest_or_stop()
                yield from self._finished()
        finally:
            self._stopped.set()
            self._pool.shutdown(wait=True, cancel_futures=True)
        if self._fatal is not None:
            raise self._fatal

    def _fill(self) -> bool:
        while self._fatal is None and not self._stopped.is_set() and len(self._pending) < self._window:
            try:
                item = next(self._items)
            except StopIteration:
                break
            except Exception as error:  # noqa: BLE001 - raised when the items already taken have been given
                self._fatal = error
                break
            # Each call gets its own copy of the caller's context, e.g. the name of the run for logs.
            self._pending.append((item, self._pool.submit(contextvars.copy_context().run, self._work, item)))
        return bool(self._pending)

    def _work(self, item: I) -> R:
        if self._stopped.is_set():
            raise CancelledError
        try:
            return self._func(item)
        except RowError:
            raise
        except BaseException:
            self._stopped.set()
            raise

    def _await_oldest_or_stop(self) -> None:
        while not self._pending[0][1].done():
            wait([future for _, future in self._pending if not future.done()], return_when=FIRST_COMPLETED)
            if self._stopped.is_set():
                self._pool.shutdown(wait=True, cancel_futures=True)

    def _finished(self) -> Iterator[FanOutResult[I, R]]:
        while self._pending and self._pending[0][1].done():
            item, future = self._pending.popleft()
            error = None if future.cancelled() else future.exception()
            if isinstance(error, RowError):
                yield FanOutResult(item, error=error)
            elif error is not None and not isinstance(error, CancelledError):
                self._fatal = self._fatal or error
            elif error is None and not future.cancelled():
                yield FanOutResult(item, future.result())
