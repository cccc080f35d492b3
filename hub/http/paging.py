"""Walk through pages: by number, by cursor, until empty, by time window. Every walk ends, even if the platform lies."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import blake2b
from typing import Any, Final, Self, TypeVar

import orjson

from hub.errors import StreamError

__all__ = [
    "TimeWindow",
    "WindowTooDeep",
    "cursor_pages",
    "numbered_pages",
    "pages_until_empty",
    "split_deep_windows",
    "time_windows",
]

P = TypeVar("P")
C = TypeVar("C")

_MAX_PAGES: Final = 100_000


class WindowTooDeep(Exception):  # noqa: N818 - a signal to split_deep_windows, not an error that the runtime sees
    """A window holds more items than the platform gives page by page; ask for narrower windows."""

    def __init__(self, depth: int) -> None:
        super().__init__(f"more than {depth} items")
        self.depth = depth


class _Guard:
    """Stops a walk that goes round in circles."""

    def __init__(self, max_pages: int) -> None:
        self._left = max_pages
        self._max_pages = max_pages
        self._previous = b""

    def check(self, items: object) -> None:
        """Count a page that holds something, and compare it with the one before."""
        self._left -= 1
        mark = _fingerprint(items)
        if mark == self._previous:
            raise StreamError(
                "The platform gave the same page twice in a row.",
                code="page_repeated",
                hint="Its paging parameters may have changed; compare the plugin with the platform's documentation.",
            )
        if self._left < 0:
            raise StreamError(
                f"Paging did not end after {self._max_pages} pages.",
                code="paging_endless",
                hint="Read narrower time windows, or raise max_pages.",
            )
        self._previous = mark


def _fingerprint(value: object) -> bytes:
    # repr as the last resort: a fingerprint only has to be equal for equal values.
    packed = orjson.dumps(value, default=repr, option=orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS)
    return blake2b(packed, digest_size=16).digest()


def numbered_pages(
    fetch: Callable[[int], P],
    *,
    items: Callable[[P], Sequence[Any]],
    size: int,
    total: Callable[[P], int | None] | None = None,
    first: int = 1,
    depth: int | None = None,
    max_pages: int = _MAX_PAGES,
) -> Iterator[P]:
    """Walk pages by number, from ``first``, and give those that hold something.

    The walk ends at an empty page, and, if ``total`` is known, where the pages asked for cover it; else at a page
    shorter than ``size``. (With a total, a short page in the middle is no end: some platforms filter after cutting.)

    Args:
        fetch: asks for one page by its number.
        items: takes the items out of a page.
        size: items asked for per page.
        total: takes the number of all items out of a page; ``None`` where the page does not say.
        first: number of the first page.
        depth: most items that the platform gives in this way.
        max_pages: where a walk counts as endless.

    Raises:
        WindowTooDeep: there are more items than ``depth``. Raised before the first page is given where ``total``
            tells; else after ``depth`` items.
        StreamError: two pages in a row are equal (``page_repeated``), or the walk does not end (``paging_endless``).
    """
    guard = _Guard(max_pages)
    number = first
    while True:
        page = fetch(number)
        found = items(page)
        whole = total(page) if total else None
        if depth is not None and (whole or 0) > depth:
            raise WindowTooDeep(depth)
        if not found:
            return
        guard.check(found)
        yield page
        asked = (number - first + 1) * size
        # The platform's depth may cut a page short, too: such a page is full, and more may lie behind it.
        full = size if depth is None else min(size, depth - (asked - size))
        if (len(found) < full) if whole is None else (asked >= whole):
            return
        if depth is not None and asked >= depth:
            raise WindowTooDeep(depth)
        number += 1


def cursor_pages(
    fetch: Callable[[C | None], P],
    *,
    next_cursor: Callable[[P], C | None],
    is_last: Callable[[P], bool] | None = None,
    start: C | None = None,
    max_pages: int = _MAX_PAGES,
) -> Iterator[P]:
    """Walk pages by cursor and give every one, the last included.

    The walk ends where the next cursor is missing or empty, or ``is_last`` says so (platforms that always send one).

    Args:
        fetch: asks for the page at a cursor; ``None`` for the first one. A cursor is any JSON value.
        next_cursor: takes the next cursor out of a page.
        is_last: tells the last page by other means, e.g. ``has_more`` or a short page.
        start: cursor to go on from.
        max_pages: where a walk counts as endless.

    Raises:
        StreamError: a cursor came back that was used before (``page_repeated``), or the walk does not end.
    """
    used = {_fingerprint(start)}
    cursor = start
    for _ in range(max_pages):
        page = fetch(cursor)
        yield page
        cursor = next_cursor(page)
        if cursor in (None, "", {}) or (is_last is not None and is_last(page)):
            return
        mark = _fingerprint(cursor)
        if mark in used:
            raise StreamError(
                "The platform gave a cursor that leads back.",
                code="page_repeated",
                hint="The cursor may have run out; the next run begins at the last saved position.",
            )
        used.add(mark)
    raise StreamError(f"Paging did not end after {max_pages} pages.", code="paging_endless")


def pages_until_empty(
    fetch: Callable[[int], P],
    *,
    items: Callable[[P], Sequence[Any]],
    start: int = 0,
    max_pages: int = _MAX_PAGES,
) -> Iterator[P]:
    """Walk by offset (items seen so far) until a page is empty; for platforms without total and page size.

    Args:
        fetch: asks for the page at an offset.
        items: takes the items out of a page.
        start: offset to begin at.
        max_pages: where a walk counts as endless.

    Raises:
        StreamError: two pages in a row are equal, or the walk does not end.
    """
    guard = _Guard(max_pages)
    offset = start
    while found := items(page := fetch(offset)):
        guard.check(found)
        yield page
        offset += len(found)


@dataclass(frozen=True)
class TimeWindow:
    """From ``start`` to just before ``end``, both with a time zone."""

    start: datetime
    end: datetime

    def __post_init__(self) -> None:
        if self.start.tzinfo is None or self.end.tzinfo is None:
            raise ValueError("a time window needs times with a zone")
        if self.start >= self.end:
            raise ValueError("a time window must not be empty")

    @property
    def length(self) -> timedelta:
        """Return the window's length."""
        return self.end - self.start

    def last(self, resolution: timedelta = timedelta(seconds=1)) -> datetime:
        """Return the last moment inside, for platforms whose end is included and whose clock has this resolution."""
        return max(self.start, self.end - resolution)

    def halves(self, resolution: timedelta = timedelta(seconds=1)) -> tuple[Self, Self]:
        """Return the two halves, cut at a whole multiple of ``resolution`` after the start."""
        middle = self.start + (self.length // 2 // resolution) * resolution
        return type(self)(self.start, middle), type(self)(middle, self.end)


def time_windows(
    since: datetime, until: datetime, *, step: timedelta, overlap: timedelta = timedelta(0)
) -> Iterator[TimeWindow]:
    """Cut ``[since - overlap, until)`` into windows of at most ``step``, oldest first, without gap.

    Args:
        since: where the last run ended.
        until: end of this run.
        step: longest window that the platform accepts.
        overlap: how far to look back for late arrivals; what comes twice is recognised by its key.
    """
    if step <= timedelta(0) or overlap < timedelta(0):
        raise ValueError("step must be positive and overlap not negative")
    start = since - overlap
    while start < until:
        end = min(start + step, until)
        yield TimeWindow(start, end)
        start = end


def split_deep_windows(
    read: Callable[[TimeWindow], Iterable[P]], window: TimeWindow, *, smallest: timedelta = timedelta(seconds=1)
) -> Iterator[P]:
    """Give the pages of ``window``; where it is too deep for the platform, of its halves, and so on, oldest first.

    Pages that were given before the depth showed are given again by the halves, so items must have keys.

    Args:
        read: gives the pages of one window; raises :class:`WindowTooDeep`.
        window: the whole window.
        smallest: the platform's time resolution; a window is not cut below it.

    Raises:
        StreamError: a window of the smallest size is still too deep (``window_too_deep``).
    """
    waiting = [window]
    while waiting:
        current = waiting.pop()
        try:
            yield from read(current)
        except WindowTooDeep as deep:
            if current.length < smallest * 2:
                raise StreamError(
                    f"More than {deep.depth} items within {current.length}.",
                    code="window_too_deep",
                    hint="Read this stream by another key (per shop, per status), or ask the platform for an export.",
                    context={"from": current.start.isoformat(), "to": current.end.isoformat()},
                ) from None
            waiting.extend(reversed(current.halves(smallest)))
