"""Several hands for one plan: batches that are handed over at the same time, each by a destination of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from queue import SimpleQueue

from hub.pipeline.handover import Handover

__all__ = ["Hands"]

Work = Callable[[Handover], None]


class Hands:
    """Gives pieces of work to whichever handover is free; with a single one, each is done at once.

    Args:
        handovers: one for each hand; none is used by two pieces of work at the same time.
    """

    def __init__(self, handovers: Sequence[Handover]) -> None:
        self._only = handovers[0] if len(handovers) == 1 else None
        self._many = len(handovers)
        self._free: SimpleQueue[Handover] = SimpleQueue()
        for one in handovers:
            self._free.put(one)
        self._under_way: set[Future[None]] = set()
        self._pool = ThreadPoolExecutor(self._many, thread_name_prefix="batch")

    @contextmanager
    def at_work(self) -> Iterator[Hands]:
        """Work within one block; at its end everything has been done, or the first failure is raised."""
        with self._pool:
            yield self
            self._settle(leave=0)

    def give(self, work: Work) -> None:
        """Give a piece of work to a free hand; wait for one if there is none.

        Raises:
            BaseException: what an earlier piece of work has raised.
        """
        if self._only is not None:
            work(self._only)
            return
        self._settle(leave=self._many - 1)
        self._under_way.add(self._pool.submit(self._do, work))

    def _do(self, work: Work) -> None:
        handover = self._free.get()
        try:
            work(handover)
        finally:
            self._free.put(handover)

    def _settle(self, *, leave: int) -> None:
        """Wait until no more than so many are under way."""
        while len(self._under_way) > leave:
            done, self._under_way = wait(self._under_way, return_when=FIRST_COMPLETED)
            for one in done:
                one.result()
