"""Walks through pages: complete, and always with an end."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.errors import StreamError
from hub.http import (
    TimeWindow,
    WindowTooDeep,
    cursor_pages,
    numbered_pages,
    pages_until_empty,
    split_deep_windows,
    time_windows,
)

Page = dict[str, Any]
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)


def items(page: Page) -> list[int]:
    return list(page["items"])


def total(page: Page) -> int:
    return int(page["total"])


class Listing:
    """A platform's list, and the record of what it was asked."""

    def __init__(self, count: int, size: int, *, claims: int | None = None) -> None:
        self.all = list(range(count))
        self.size = size
        self.claims = count if claims is None else claims
        self.asked: list[Any] = []

    def by_number(self, number: int) -> Page:
        self.asked.append(number)
        start = (number - 1) * self.size
        return {"items": self.all[start : start + self.size], "total": self.claims}

    def by_offset(self, offset: int) -> Page:
        self.asked.append(offset)
        return {"items": self.all[offset : offset + self.size]}

    def by_cursor(self, cursor: str | None) -> Page:
        self.asked.append(cursor)
        start = int(cursor or 0)
        end = start + self.size
        return {"items": self.all[start:end], "next": str(end) if end < len(self.all) else ""}


def collected(pages: Iterator[Page]) -> list[int]:
    return [item for page in pages for item in page["items"]]


@settings(deadline=None)
@given(count=st.integers(0, 60), size=st.integers(1, 20))
def test_every_way_of_paging_gives_every_item_once(count: int, size: int) -> None:
    listing = Listing(count, size)
    walks: list[Iterator[Page]] = [
        numbered_pages(listing.by_number, items=items, size=size),
        numbered_pages(listing.by_number, items=items, size=size, total=total),
        cursor_pages(listing.by_cursor, next_cursor=lambda page: page["next"]),
        pages_until_empty(listing.by_offset, items=items),
    ]
    for walk in walks:
        assert collected(walk) == listing.all


def test_a_known_total_saves_the_last_empty_page() -> None:
    listing = Listing(20, 10)
    collected(numbered_pages(listing.by_number, items=items, size=10, total=total))
    assert listing.asked == [1, 2]


def test_a_short_page_in_the_middle_is_no_end_where_the_total_is_known() -> None:
    pages = {1: [1, 2, 3], 2: [4], 3: [5, 6, 7]}
    walk = numbered_pages(lambda number: {"items": pages[number], "total": 9}, items=items, size=3, total=total)
    assert collected(walk) == [1, 2, 3, 4, 5, 6, 7]


def test_a_total_that_is_too_large_does_not_lead_beyond_an_empty_page() -> None:
    listing = Listing(5, 5, claims=500)
    assert collected(numbered_pages(listing.by_number, items=items, size=5, total=total)) == listing.all
    assert listing.asked == [1, 2]


def test_numbering_may_begin_at_zero() -> None:
    listing = Listing(25, 10)
    walk = numbered_pages(lambda number: listing.by_number(number + 1), items=items, size=10, total=total, first=0)
    assert collected(walk) == listing.all


def test_a_platform_that_always_gives_page_one_is_found_out() -> None:
    walk = numbered_pages(lambda number: {"items": [1, 2, 3]}, items=items, size=3)
    assert next(walk)["items"] == [1, 2, 3]
    with pytest.raises(StreamError) as caught:
        next(walk)
    assert caught.value.code == "page_repeated"


def test_a_walk_without_end_is_stopped() -> None:
    walk = numbered_pages(lambda number: {"items": [number]}, items=items, size=1, max_pages=10)
    with pytest.raises(StreamError) as caught:
        collected(walk)
    assert caught.value.code == "paging_endless"
    endless = cursor_pages(lambda cursor: (cursor or 0) + 1, next_cursor=lambda page: page, max_pages=10)
    with pytest.raises(StreamError) as caught:
        list(endless)
    assert caught.value.code == "paging_endless"


def test_exactly_as_many_pages_as_allowed_are_no_endless_walk() -> None:
    listing = Listing(30, 10)
    assert collected(numbered_pages(listing.by_number, items=items, size=10, total=total, max_pages=3)) == listing.all


def test_a_cursor_that_leads_back_is_found_out() -> None:
    steps = {None: "a", "a": "b", "b": "c", "c": "a"}
    seen: list[str | None] = []

    def fetch(cursor: str | None) -> Page:
        seen.append(cursor)
        return {"items": [], "next": steps[cursor]}

    with pytest.raises(StreamError) as caught:
        collected(cursor_pages(fetch, next_cursor=lambda page: page["next"]))
    assert caught.value.code == "page_repeated"
    assert seen == [None, "a", "b", "c"]


def test_a_cursor_may_be_an_object_that_is_sent_back_unchanged() -> None:
    cursors = [{"type": "MAX_ID", "value": 7}, {"type": "MAX_ID", "value": 9}]
    given_back: list[Any] = []

    def fetch(cursor: dict[str, Any] | None) -> Page:
        given_back.append(cursor)
        number = len(given_back)
        return {"items": list(range(3 if number < 2 else 1)), "next": cursors[number - 1]}

    walk = cursor_pages(fetch, next_cursor=lambda page: page["next"], is_last=lambda page: len(page["items"]) < 3)
    assert len(list(walk)) == 2
    assert given_back == [None, cursors[0]]


def test_a_walk_goes_on_from_a_saved_cursor() -> None:
    listing = Listing(30, 10)
    assert collected(cursor_pages(listing.by_cursor, next_cursor=lambda page: page["next"], start="10")) == list(
        range(10, 30)
    )


def test_pages_are_fetched_only_when_they_are_wanted() -> None:
    listing = Listing(100, 10)
    walk = numbered_pages(listing.by_number, items=items, size=10)
    next(walk)
    assert listing.asked == [1]


def test_an_offset_walk_on_a_platform_that_ignores_the_offset_is_found_out() -> None:
    with pytest.raises(StreamError) as caught:
        collected(pages_until_empty(lambda offset: {"items": [1]}, items=items))
    assert caught.value.code == "page_repeated"


# Time windows.


@settings(deadline=None)
@given(
    minutes=st.integers(1, 100_000),
    step=st.integers(1, 5000),
    overlap=st.integers(0, 3000),
)
def test_windows_cover_the_whole_time_without_gap_or_overlap_of_their_own(
    minutes: int, step: int, overlap: int
) -> None:
    since, until = NOON, NOON + timedelta(minutes=minutes)
    step = max(step, minutes // 200 + 1)
    cut = list(time_windows(since, until, step=timedelta(minutes=step), overlap=timedelta(minutes=overlap)))
    assert cut[0].start == since - timedelta(minutes=overlap)
    assert cut[-1].end == until
    assert all(before.end == after.start for before, after in pairwise(cut))
    assert all(window.length <= timedelta(minutes=step) for window in cut)


def test_a_run_that_is_up_to_date_still_looks_back_by_the_overlap() -> None:
    cut = list(time_windows(NOON, NOON, step=timedelta(days=1), overlap=timedelta(hours=72)))
    assert (cut[0].start, cut[-1].end, len(cut)) == (NOON - timedelta(hours=72), NOON, 3)


def test_without_new_time_and_overlap_there_is_nothing_to_read() -> None:
    assert list(time_windows(NOON, NOON, step=timedelta(days=1))) == []


def test_the_end_of_a_window_is_outside_of_it() -> None:
    window = TimeWindow(NOON, NOON + timedelta(hours=1))
    assert window.last() == NOON + timedelta(minutes=59, seconds=59)
    assert window.last(timedelta(milliseconds=1)) == window.end - timedelta(milliseconds=1)


@pytest.mark.parametrize(
    "make",
    [
        lambda: TimeWindow(datetime(2026, 3, 1), NOON),  # noqa: DTZ001
        lambda: TimeWindow(NOON, NOON),
        lambda: next(time_windows(NOON, NOON + SECOND, step=timedelta(0))),
        lambda: next(time_windows(NOON, NOON + SECOND, step=SECOND, overlap=-SECOND)),
    ],
)
def test_windows_that_make_no_sense_are_refused(make: Callable[[], object]) -> None:
    with pytest.raises(ValueError, match=r"window|step"):
        make()


class Events:
    """A platform that gives at most ``depth`` events of a window, page by page."""

    def __init__(self, seconds: list[int], depth: int, *, tells_total: bool) -> None:
        self.times = [NOON + timedelta(seconds=second) for second in sorted(seconds)]
        self.depth = depth
        self.tells_total = tells_total

    def read(self, window: TimeWindow) -> Iterator[Page]:
        found = [time for time in self.times if window.start <= time < window.end]
        size = max(1, self.depth // 3)

        def fetch(number: int) -> Page:
            start = (number - 1) * size
            return {"items": found[start : start + size][: max(0, self.depth - start)], "total": len(found)}

        return numbered_pages(
            fetch, items=items, size=size, total=total if self.tells_total else None, depth=self.depth
        )


@settings(deadline=None)
@given(seconds=st.sets(st.integers(0, 5000), max_size=120), depth=st.integers(2, 40), tells_total=st.booleans())
def test_windows_too_deep_for_the_platform_are_split_until_every_item_is_read(
    seconds: set[int], depth: int, tells_total: bool
) -> None:
    events = Events(list(seconds), depth, tells_total=tells_total)
    window = TimeWindow(NOON, NOON + timedelta(seconds=5001))
    read = [time for page in split_deep_windows(events.read, window) for time in page["items"]]
    assert sorted(set(read)) == events.times
    if tells_total:
        assert read == events.times  # in order, each once


def test_a_single_second_that_is_too_deep_is_a_fault_of_the_stream() -> None:
    events = Events([5] * 10, 4, tells_total=True)
    with pytest.raises(StreamError) as caught:
        list(split_deep_windows(events.read, TimeWindow(NOON, NOON + timedelta(seconds=60))))
    assert caught.value.code == "window_too_deep"
    assert caught.value.context["from"] == "2026-03-01T12:00:05+00:00"


def test_a_page_that_the_depth_cut_short_is_no_end() -> None:
    events = Events(list(range(8)), 7, tells_total=False)
    with pytest.raises(WindowTooDeep):
        list(events.read(TimeWindow(NOON, NOON + timedelta(seconds=60))))


def test_depth_shows_before_the_first_page_where_the_total_tells() -> None:
    walk = numbered_pages(Listing(50, 10).by_number, items=items, size=10, total=total, depth=40)
    with pytest.raises(WindowTooDeep):
        next(walk)
