"""Reads statistics day by day: a mini-program's visits (访问分析), an official account's followers (用户分析)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from hub.errors import RowError
from hub.records import Event
from hub.runtime import Runtime
from hub.source import Page, Reject, State
from plugins.wechat.client import CHINA, WechatClient
from plugins.wechat.config import WechatConfig
from plugins.wechat.errors import code_of
from plugins.wechat.mapping import day_of, to_day, to_follower_counts, to_pages

__all__ = ["DAILY_VISITS", "FOLLOWER_COUNTS", "PAGE_VISITS", "VISIT_SOURCES", "DayReader", "Statistics"]

_AGAIN: Final = dt.timedelta(days=1)
"""The last day is read again: the platform may have mended it."""
_LATEST: Final = dt.timedelta(days=2)
"""Days younger than this may be empty because their statistics are not made yet (they come in the morning)."""

Answers = Sequence[Mapping[str, Any]]
Rows = Sequence[Callable[[], Event]]


@dataclass(frozen=True, slots=True)
class Statistics:
    """One kind of statistics.

    Attributes:
        apis: what is asked for each day, below ``/datacube``.
        rows: makes the day's events from the answers, one function each, so that a faulty one spoils no other.
    """

    apis: tuple[str, ...]
    rows: Callable[[dt.date, Answers, str], Rows]


def _of_day(answer: Mapping[str, Any], day: dt.date) -> list[Mapping[str, Any]]:
    """Return the rows that are of the day; one without a day is."""
    return [row for row in answer.get("list") or [] if "ref_date" not in row or day_of(row["ref_date"]) == day]


def _visits(day: dt.date, answers: Answers, appid: str) -> Rows:
    numbers: dict[str, Any] = {}
    for answer in answers:
        for row in _of_day(answer, day):
            numbers |= row
    return [lambda: to_day("daily_visits", day, numbers, appid)] if numbers else []


def _sources(day: dt.date, answers: Answers, appid: str) -> Rows:
    """Turn each list of keys and values into an object."""
    found = {
        str(row["index"]): {
            str(item["key"]): {k: v for k, v in item.items() if k != "key"} for item in row["item_list"]
        }
        for row in answers[0].get("list") or []
        if row.get("item_list")
    }
    return [lambda: to_day("visit_sources", day, found, appid)] if found else []


def _pages(day: dt.date, answers: Answers, appid: str) -> Rows:
    def maker(row: Mapping[str, Any]) -> Callable[[], Event]:
        return lambda: to_pages(day, row, appid)

    return [maker(row) for row in answers[0].get("list") or []]


def _follower_counts(day: dt.date, answers: Answers, appid: str) -> Rows:
    changes, totals = (_of_day(answer, day) for answer in answers)
    if not changes and not totals:
        return []
    total = totals[0].get("cumulate_user") if totals else None
    return [lambda: to_follower_counts(day, changes, total, appid)]


DAILY_VISITS: Final = Statistics(("getweanalysisappiddailysummarytrend", "getweanalysisappiddailyvisittrend"), _visits)
VISIT_SOURCES: Final = Statistics(("getweanalysisappidvisitdistribution",), _sources)
PAGE_VISITS: Final = Statistics(("getweanalysisappidvisitpage",), _pages)
FOLLOWER_COUNTS: Final = Statistics(("getusersummary", "getusercumulate"), _follower_counts)


class DayReader:
    """Reads statistics.

    Args:
        client: the account's API.
        config: the connection's settings.
        runtime: the present instant.
    """

    def __init__(self, client: WechatClient, config: WechatConfig, runtime: Runtime) -> None:
        self._client = client
        self._config = config
        self._runtime = runtime

    def read(self, statistics: Statistics, state: State) -> Iterator[Page]:
        """A page per day, up to yesterday.

        Args:
            statistics: what is read.
            state: ``done``, the last day that was read.
        """
        today = self._runtime.now().astimezone(CHINA).date()
        done = dt.date.fromisoformat(state["done"]) if state.get("done") else None
        day = done - _AGAIN + dt.timedelta(days=1) if done else today - dt.timedelta(days=self._config.metrics_days)
        while day < today:
            page = self._day(
                statistics, day, {"done": max(day, done or day).isoformat()}, is_late=day >= today - _LATEST
            )
            yield page
            if page.cursor is None:
                return
            day += dt.timedelta(days=1)

    def _day(self, statistics: Statistics, day: dt.date, cursor: State, *, is_late: bool) -> Page:
        location = f"{statistics.apis[-1]} {day.isoformat()}"
        try:
            answers = [self._client.statistics(api, day, day) for api in statistics.apis]
        except RowError as error:
            return Page(
                rejects=[Reject(location, code_of(error), f"{error.message} {error.hint}".strip())], cursor=cursor
            )
        known = [answer for answer in answers if answer is not None]
        try:
            rows = statistics.rows(day, known, self._config.appid) if len(known) == len(answers) else []
        except (RowError, LookupError, TypeError) as error:
            return Page(rejects=[Reject(location, "statistics_unreadable", type(error).__name__)], cursor=cursor)
        if not rows and (is_late or len(known) < len(answers)):
            return Page(notes=[f"The statistics of {day.isoformat()} are not made yet; the next run asks again."])
        return Page.of(rows, lambda make: make(), cursor=cursor, location=location)
