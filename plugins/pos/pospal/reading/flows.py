"""Streams ``recharges`` (top-ups) and ``coupons`` (used ones), by windows of their own lengths and ends."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from hub.records import Record
from hub.source import Page, State
from plugins.pos.pospal.api import Api
from plugins.pos.pospal.mapping.flows import to_coupon_event, to_deposit
from plugins.pos.pospal.reading.common import Counter, day_windows
from plugins.pos.pospal.values import time_text

__all__ = ["coupons", "recharges"]


@dataclass(frozen=True)
class _Flow:
    """A list that is read by time.

    Attributes:
        api: the list.
        days: longest window it takes.
        ask: gives the parameters for a window.
        mapping: makes a record of a row.
    """

    api: Api
    days: int
    ask: Callable[[dt.datetime, dt.datetime], Mapping[str, Any]]
    mapping: Callable[[Mapping[str, Any]], Record]

    def read(self, counter: Counter, state: State) -> Iterator[Page]:
        """Give the windows from where the last run ended, less the overlap, to the end of today."""
        now, since = counter.runtime.now(), counter.since()
        until = counter.begin_of(now) + dt.timedelta(days=1)
        start = since
        if state.get("at"):
            start = dt.datetime.fromisoformat(state["at"])
        elif state.get("upto"):
            upto = counter.begin_of(dt.datetime.fromisoformat(state["upto"]))
            start = max(since, upto - dt.timedelta(days=counter.config.tickets.overlap_days))
        for begin, end in day_windows(start, until, self.days):
            asked = self.ask(begin, end)
            for found in counter.client.pages(self.api, asked):
                page = Page.of(found.rows, self.mapping, location=f"{counter.shop.id}/{self.api}")
                # A window is the smallest step: the end of one is where the next run may go on.
                done = found.following is None and end < until
                yield replace(page, cursor={**state, "at": end.isoformat()} if done else None)
        yield Page(cursor={"upto": now.isoformat()})


_RECHARGE_DAYS: Final = 30
_COUPON_DAYS: Final = 5


def recharges(counter: Counter, state: State) -> Iterator[Page]:
    """Give top-ups. The platform leaves the start out and takes 31 days at most; its parameter really is ``stateDate``."""

    def ask(begin: dt.datetime, end: dt.datetime) -> Mapping[str, Any]:
        start, stop = counter.window(begin, end)
        return {"stateDate": start, "endDate": stop}

    context = counter.context()
    flow = _Flow(Api.RECHARGES, _RECHARGE_DAYS, ask, lambda row: to_deposit(row, context, counter.config))
    return flow.read(counter, state)


def coupons(counter: Counter, state: State) -> Iterator[Page]:
    """Give used coupons. The platform takes the start in and leaves the end out, and five days at most."""

    def ask(begin: dt.datetime, end: dt.datetime) -> Mapping[str, Any]:
        return {"startTime": time_text(begin, counter.zone), "excludeEndTime": time_text(end, counter.zone)}

    context = counter.context()
    return _Flow(Api.COUPONS_USED, _COUPON_DAYS, ask, lambda row: to_coupon_event(row, context)).read(counter, state)
