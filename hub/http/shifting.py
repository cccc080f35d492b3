"""Walks through lists that shift under the reader.

A list of a *closed* window (its end lies in the past) can only lose rows while it is read: an order that changes leaves for a
later window, and the rows behind it move one place forward. Read from the back, such a row is only given twice; read from the
front, it would be missed. So the first page tells how many rows there are, and the pages are asked for from the last to the
first. Where the list is deeper than it pages, the window is halved.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Any, Final

from hub.errors import StreamError
from hub.http.paging import TimeWindow, WindowTooDeep, split_deep_windows

__all__ = ["ListPage", "WindowedList", "lists_of"]

_MOST_RESTARTS: Final = 3


@dataclass(frozen=True, slots=True)
class ListPage:
    """One page of a windowed list: its rows, and the window if this was its last page."""

    rows: Sequence[Any]
    finished: TimeWindow | None


class _GrownError(Exception):
    """The window was not closed after all: rows have come in while it was read."""


@dataclass(frozen=True, slots=True)
class WindowedList:
    """A list that is read by time window and page number.

    Attributes:
        fetch: asks for a page (from 1) of a window; gives the number of all rows (None where only the first page tells) and
            the page's rows; raises :class:`WindowTooDeep` where the platform refuses a page for its depth.
        size: rows per page.
        depth: most rows a window may hold.
    """

    fetch: Callable[[TimeWindow, int], tuple[int | None, Sequence[Any]]]
    size: int
    depth: int

    def pages(self, window: TimeWindow) -> Iterator[ListPage]:
        """Give the pages of a window, oldest part first where it must be split.

        Raises:
            StreamError: a single second holds more than the list gives (``window_too_deep``), or the list keeps growing
                (``window_grows``).
        """
        return split_deep_windows(self._pages_of_part, window)

    def _pages_of_part(self, window: TimeWindow) -> Iterator[ListPage]:
        for _ in range(_MOST_RESTARTS):
            try:
                yield from self._backwards(window)
            except _GrownError:
                continue
            return
        raise StreamError(
            "A list kept growing while it was read.",
            code="window_grows",
            hint="Raise settle_seconds, or set this machine's clock.",
            context={"from": window.start.isoformat(), "to": window.end.isoformat()},
        )

    def _backwards(self, window: TimeWindow) -> Iterator[ListPage]:
        found, front = self.fetch(window, 1)
        total = found or 0
        if total > self.depth:
            raise WindowTooDeep(self.depth)
        moved = False
        for number in range(ceil(total / self.size), 1, -1):
            now, rows = self.fetch(window, number)
            if now is not None and now > total:
                raise _GrownError
            moved = moved or now is None or now < total
            yield ListPage(rows, None)
        yield ListPage(self.fetch(window, 1)[1] if moved else front, window)


def lists_of(reading: WindowedList, windows: Iterable[TimeWindow]) -> Iterator[ListPage]:
    """Give the pages of several windows, one after the other."""
    for window in windows:
        yield from reading.pages(window)
