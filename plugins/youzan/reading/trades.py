"""Stream ``orders``: trades by the time of their last change, with what only the detail tells."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from hub.http import ListPage, TimeWindow, Unit, WindowedList, lists_of, time_windows
from hub.records import Order
from hub.source import Page, State
from plugins.youzan.api import Api
from plugins.youzan.config import Details
from plugins.youzan.mapping.trades import buyer_cipher, needs_detail, to_order
from plugins.youzan.messages import Subject
from plugins.youzan.reading.common import Shop, begin_of, moment, reject, stamp, windowed
from plugins.youzan.spool import Waiting
from plugins.youzan.values import to_text

__all__ = ["TradeReader", "trade_list"]

_UNTIMED: Final = frozenset({"trade_TradeMemoModified"})
"""Messages of changes that do not move the trade's ``update_time``."""

_SIZE: Final = 100
_DEPTH: Final = 10_000
_LONGEST: Final = dt.timedelta(days=30)
"""The platform takes three months; a month keeps what a kill costs small, and deep windows are split anyway."""


def trade_list(shop: Shop) -> WindowedList:
    """Return the list of trades by their last change; rows are ``full_order_info``."""

    def fetch(window: TimeWindow, number: int) -> tuple[int, Sequence[Any]]:
        # Both ends are included, and the platform's clock counts seconds.
        asked = {"start_update": to_text(window.start), "end_update": to_text(window.last())}
        data = shop.client.ask(Api.TRADES, {**asked, "page_no": number, "page_size": _SIZE}).get("data") or {}
        rows = [entry.get("full_order_info") or entry for entry in data.get("full_order_info_list") or ()]
        return int(data.get("total_results") or 0), rows

    return windowed(fetch, _SIZE, _DEPTH)


class TradeReader:
    """Reads one shop's trades; the cursor is the moment up to which all changes were read, and the place in the inbox."""

    def __init__(self, shop: Shop) -> None:
        self._shop = shop

    def read(self, state: State) -> Iterator[Page]:
        """Give the trades that changed since the state, then those that messages tell of."""
        until = self._shop.settled()
        first = begin_of(self._shop.config.orders.since)
        since = moment(state.get("since"))
        begin, overlap = (since, self._shop.overlap()) if since else (first, dt.timedelta(0))
        kept = dict(state)
        for listed in lists_of(trade_list(self._shop), time_windows(begin, until, step=_LONGEST, overlap=overlap)):
            if listed.finished is not None:
                kept["since"] = stamp(listed.finished.end)
            yield self._page(listed, kept)
        kept["since"] = stamp(max(until, begin))
        yield Page(cursor=dict(kept))
        yield from self._from_messages(kept, until)

    def _page(self, listed: ListPage, state: State) -> Page:
        # Only a finished window moves the cursor: its other pages may still shift.
        page = self.orders(listed.rows)
        return replace(page, cursor=dict(state)) if listed.finished is not None else page

    def orders(self, rows: Sequence[Mapping[str, Any]]) -> Page:
        """Map listed trades, asking for the detail of those that need it."""
        details = self._details(rows)
        plain = self._shop.client.decrypt(filter(None, map(buyer_cipher, rows)))

        def to_record(row: Mapping[str, Any]) -> Order:
            return to_order(row, details.get(_tid(row)), plain, self._shop.kdt_id)

        return Page.of(list(rows), to_record, location="trades.sold.get")

    def _details(self, rows: Sequence[Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
        wanted = self._shop.config.orders.details
        if wanted is Details.NEVER:
            return {}
        tids = [_tid(row) for row in rows if wanted is Details.ALWAYS or needs_detail(row)]
        # A detail that is refused costs the coupons' names only: the order itself is in the list.
        found, _refused = self._shop.side_by_side(self.detail, tids)
        return dict(found)

    def detail(self, tid: str) -> Mapping[str, Any]:
        """Ask for one trade; a refusal is a ``RowError``."""
        return self._shop.client.ask(Api.TRADE, {"tid": tid}, unit=Unit.ROW).get("data") or {}

    def _from_messages(self, state: dict[str, Any], until: dt.datetime) -> Iterator[Page]:
        """Read what the windows cannot have held: newer changes, and those that move no time (a memo)."""
        since = until - self._shop.overlap()

        def is_news(waiting: Waiting) -> bool:
            return waiting.received > since or waiting.message.type in _UNTIMED

        for caught in self._shop.caught(Subject.TRADE, state.get("inbox") or {}, is_news):
            state["inbox"] = dict(caught.position)
            yield replace(self._told(list(caught.messages)), cursor=dict(state))

    def _told(self, tids: Sequence[str]) -> Page:
        found, refused = self._shop.side_by_side(self.detail, tids)

        def to_record(item: tuple[str, Mapping[str, Any]]) -> Order:
            return to_order(item[1].get("full_order_info") or {}, item[1], {}, self._shop.kdt_id)

        page = Page.of(found, to_record, location="trade.get")
        return replace(page, rejects=[*page.rejects, *(reject("trade.get", tid, error) for tid, error in refused)])


def _tid(row: Mapping[str, Any]) -> str:
    return str((row.get("order_info") or {}).get("tid"))
