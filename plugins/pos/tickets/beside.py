"""Assembling pages beside the reading of the next ones, in the order they were read."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from plugins.pos.tickets.assembly import Assembled, Rows, assemble, workbench
from plugins.pos.tickets.rules import Clock, Words

__all__ = ["assembled"]

P = TypeVar("P")

_BENCHES = 2
"""As many pages are worked on at a time; a page is too small to be worth dividing."""


def assembled(
    pages: Iterable[tuple[P, Rows | None, Clock]], words: Words, *, ahead: bool, spill: str = ""
) -> Iterator[tuple[P, Assembled]]:
    """Yield pages assembled, in their order.

    DuckDB and the drivers leave Python's lock while they work, so that a page is read while those before it are assembled.

    Args:
        pages: each with what tells its place; one without rows stays empty.
        words: what the till's words mean.
        ahead: read on before the pages before are assembled and taken; memory holds three pages then instead of one.
        spill: folder for what does not fit into memory.
    """
    waiting: deque[tuple[P, Future[Assembled]]] = deque()

    def work(rows: Rows | None, clock: Clock) -> Assembled:
        if rows is None:
            return Assembled({})
        # A bench of its own for each page: what DuckDB and the allocator keep of one page does not add up over thousands.
        with workbench(threads=1 if ahead else 2, spill=spill) as bench:
            return assemble(bench, rows, words, clock)

    with ThreadPoolExecutor(_BENCHES, thread_name_prefix="tickets") as pool:
        source, problem = iter(pages), None
        while True:
            try:
                place, rows, clock = next(source)
            except StopIteration:
                break
            except Exception as error:  # noqa: BLE001 - what was read before comes first, then it is raised
                problem = error
                break
            waiting.append((place, pool.submit(work, rows, clock)))
            while len(waiting) > (_BENCHES if ahead else 0):
                first, future = waiting.popleft()
                yield first, future.result()
        while waiting:
            first, future = waiting.popleft()
            yield first, future.result()
        if problem is not None:
            raise problem
