"""Stream ``customers``: nobody can list all of them, so they are found in several ways and read by their numbers.

The search of the back office (user/search) gives ten thousand rows of a query; it can be cut by time where the shop's dictionary
has a column for it. Beyond that customers are found by the orders they made, the coupons they hold, the guides whose lists they
stand in, and the messages that are pushed. A *scan* goes all ways and reads everybody who was ever found again; it is due every
``rescan_days``. A run in between reads who is new in the search, the buyers of changed orders, and whom messages name.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import replace
from typing import Any, Final

from hub.chunks import chunks
from hub.errors import HubError, StreamError
from hub.http import TimeWindow, WindowedList, lists_of, time_windows
from hub.source import Page, State
from plugins.weimob.answers import is_forbidden
from plugins.weimob.api import Api
from plugins.weimob.mapping.orders import buyer_of
from plugins.weimob.messages import Message, Subject
from plugins.weimob.reading.common import Merchant, begin_of, moment, pages_of, stamp, too_deep
from plugins.weimob.reading.coupons import coupon_holders
from plugins.weimob.reading.coverage import Coverage
from plugins.weimob.reading.people import People
from plugins.weimob.reading.trades import search_list
from plugins.weimob.roster import Roster
from plugins.weimob.values import milliseconds, text

__all__ = ["CustomerReader"]

_SIZE: Final = 100
_GUIDE_PAGE: Final = 50
_STEP: Final = dt.timedelta(days=90)
_MILLISECOND: Final = dt.timedelta(milliseconds=1)
_PHASES: Final = ("search", "buyers", "coupons", "rest")


class CustomerReader:
    """Reads a merchant's customers."""

    def __init__(self, merchant: Merchant, roster: Roster) -> None:
        self._merchant = merchant
        self._settings = merchant.config.customers
        self._roster = roster
        self._people = People(merchant, roster)
        self._coverage = Coverage(roster, self._settings.search)

    def read(self, state: State) -> Iterator[Page]:
        """Give the customers that are new or may have changed since the state, then say what share of all can be seen."""
        kept = self._begun(state)
        yield Page(notes=self._look())
        yield from self._scan(kept) if "scan" in kept else self._news(kept)
        yield from self._from_messages(kept)
        yield Page(cursor=deepcopy(kept), notes=self._coverage.notes())

    def _begun(self, state: State) -> dict[str, Any]:
        kept, until = dict(state), self._merchant.settled()
        if kept.get("roster") != self._roster.id:
            # Without the roster nobody knows who was found before.
            kept = {"roster": self._roster.id, "inbox": kept.get("inbox") or 0}
        scanned = moment(kept.get("scanned"))
        due = scanned is None or until - scanned >= dt.timedelta(days=self._settings.rescan_days)
        if due and "scan" not in kept:
            kept["scan"] = {
                "phase": _PHASES[0],
                "until": stamp(until),
                "created": stamp(begin_of(self._settings.since)),
            }
        return kept

    # ---- everybody ---------------------------------------------------------------------------------------------------

    def _scan(self, kept: dict[str, Any]) -> Iterator[Page]:
        scan = dict(kept["scan"])
        until = moment(scan["until"]) or self._merchant.settled()
        yield Page(notes=self._collect_guides())
        for phase in _PHASES[_PHASES.index(scan["phase"]) :]:
            scan["phase"] = phase
            kept["scan"] = scan
            yield Page(cursor=deepcopy(kept))
            if phase == "search":
                yield from self._search(kept, scan, until)
            elif phase == "buyers":
                yield from self._buyers(kept, until)
            elif phase == "coupons":
                yield from self._holders()
            else:
                yield from self._pages(self._roster.rest("known", _SIZE), "known")
        kept |= {"scanned": scan["until"], "created": scan["until"]}
        del kept["scan"]

    def _collect_guides(self) -> list[str]:
        """Note in which guide's list customers stand; they are read when their turn comes."""
        if not self._settings.guides:
            return []
        try:
            guides = [wid for rows in pages_of(self._merchant, Api.GUIDES, {"queryParameter": {}}, size=_GUIDE_PAGE)
                      for row in rows if (wid := text(row.get("guiderWid")))]  # fmt: skip
            self._roster.forget_guides()
            for guide in guides:
                asked = {"queryParameter": {"guiderWid": int(guide)}, "bizVid": self._merchant.vid, "tcode": "weimob"}
                for rows in pages_of(self._merchant, Api.GUIDE_CUSTOMERS, asked, size=_GUIDE_PAGE):
                    self._roster.note_guides(((wid, guide) for row in rows if (wid := text(row.get("wid")))), "guides")
        except StreamError as error:
            return [self._merchant.without(Api.GUIDE_CUSTOMERS, error)]
        return []

    def _holders(self) -> Iterator[Page]:
        if not self._settings.coupons:
            return
        try:
            yield from self._pages(coupon_holders(self._merchant), "coupons")
        except StreamError as error:
            yield Page(notes=[self._merchant.without(Api.COUPON_CODES, error)])

    def _pages(self, lists: Iterable[Sequence[str]], way: str) -> Iterator[Page]:
        for wids in lists:
            # The rest of the roster comes marked as met already.
            fresh = list(wids) if way == "known" else self._roster.fresh(wids, way)
            if fresh:
                yield self._people.page(fresh)

    # ---- the search --------------------------------------------------------------------------------------------------

    def _look(self) -> list[str]:
        """Ask how many customers there are, and whether the search can be cut by time."""
        try:
            self._coverage.total = self._ask(None, 1, size=10)[0]
            if not self._settings.search.time:
                return []
            return self._try_to_cut()
        except StreamError as error:
            self._coverage.closed = True
            return [self._merchant.without(Api.USER_SEARCH, error)]

    def _try_to_cut(self) -> list[str]:
        try:
            self._ask(TimeWindow(begin_of(self._settings.since), self._merchant.settled()), 1, size=10)
        except StreamError as error:
            if is_forbidden(error):
                raise
            column = self._settings.search.time
            return [f"user/search does not take the column {column}: it cannot be cut by time (customers.search.time)."]
        self._coverage.cut = True
        return []

    def _search(self, kept: dict[str, Any], scan: dict[str, Any], until: dt.datetime) -> Iterator[Page]:
        if self._coverage.closed:
            return
        if not self._coverage.cut:
            yield from self._pages(self._uncut(), "search")
            return
        created = moment(scan["created"]) or begin_of(self._settings.since)
        for page, window in self._searched(time_windows(created, until, step=_STEP)):
            if window is not None:
                scan["created"] = stamp(window.end)
            yield page if window is None else replace(page, cursor=deepcopy(kept))

    def _news(self, kept: dict[str, Any]) -> Iterator[Page]:
        """Read who is new in the search, and who bought."""
        until = self._merchant.settled()
        since = moment(kept.get("created")) or until
        if self._coverage.cut and since < until:
            windows = time_windows(since, until, step=_STEP, overlap=self._merchant.overlap())
            for page, window in self._searched(windows):
                if window is not None:
                    kept["created"] = stamp(window.end)
                yield page if window is None else replace(page, cursor=deepcopy(kept))
        yield from self._buyers(kept, until)

    def _searched(self, windows: Iterable[TimeWindow]) -> Iterator[tuple[Page, TimeWindow | None]]:
        listing = WindowedList(self._ask, _SIZE, self._settings.search.most)
        for listed in lists_of(listing, windows):
            yield self._people.page(self._roster.fresh(self._wids(listed.rows), "search")), listed.finished

    def _uncut(self) -> Iterator[Sequence[str]]:
        """Give the first rows of the search without a query, as far as it goes."""
        for number in range(1, self._settings.search.most // _SIZE + 1):
            try:
                _, rows = self._ask(None, number)
            except StreamError as error:
                if isinstance(too_deep(error, number, _SIZE), HubError):
                    raise
                return
            yield self._wids(rows)
            if len(rows) < _SIZE:
                return

    def _wids(self, rows: Sequence[Mapping[str, Any]]) -> list[str]:
        return [wid for row in rows if (wid := text(row.get(self._settings.search.wid)))]

    def _ask(
        self, window: TimeWindow | None, number: int, *, size: int = _SIZE
    ) -> tuple[int | None, Sequence[Mapping[str, Any]]]:
        columns = self._settings.search
        query = []
        if window is not None:
            span = f"[{milliseconds(window.start)},{milliseconds(window.last(_MILLISECOND))}]"
            query = [{"field": columns.time, "value": span}]
        asked = {"fields": [columns.wid], "query": query, "pageNum": number, "pageSize": size, "isReturnPageResult": 1}
        data = self._merchant.client.ask(Api.USER_SEARCH, asked) or {}
        found = data.get("result")
        rows = json.loads(found) if isinstance(found, str) and found else found or []
        total = text(data.get("totalSize"))
        return (int(total) if total else None), rows

    # ---- buyers and messages -----------------------------------------------------------------------------------------

    def _buyers(self, kept: dict[str, Any], until: dt.datetime) -> Iterator[Page]:
        """Read the customers of changed orders: new ones are found so, and of others level and points have moved."""
        if not self._settings.buyers:
            return
        bought = moment(kept.get("bought"))
        begin, overlap = (
            (bought, self._merchant.overlap())
            if bought
            else (begin_of(self._merchant.config.orders.since), dt.timedelta(0))
        )
        if begin >= until:
            return
        windows = time_windows(begin, until, step=self._merchant.order_step(), overlap=overlap)
        try:
            for listed in lists_of(search_list(self._merchant, Api.ORDERS), windows):
                page = self._people.page(self._roster.fresh(filter(None, map(buyer_of, listed.rows)), "orders"))
                if listed.finished is not None:
                    kept["bought"] = stamp(listed.finished.end)
                    page = replace(page, cursor=deepcopy(kept))
                yield page
            kept["bought"] = stamp(until)
        except StreamError as error:
            yield Page(notes=[self._merchant.without(Api.ORDERS, error)])

    def _from_messages(self, kept: dict[str, Any]) -> Iterator[Page]:
        for caught in self._merchant.caught(Subject.CUSTOMER, int(kept.get("inbox") or 0)):
            kept["inbox"] = caught.place
            # Whoever was read before in this run is read again: the change may have come after that.
            self._roster.fresh(caught.messages, "messages")
            for wids in chunks(caught.messages, _SIZE):
                yield self._people.page(wids)
            yield replace(self._cancelled(caught.messages), cursor=deepcopy(kept))

    def _cancelled(self, messages: Mapping[str, Message]) -> Page:
        gone = [wid for wid, message in messages.items() if message.is_cancellation]
        self._roster.note_gone(gone)
        return Page(deletions=gone)
