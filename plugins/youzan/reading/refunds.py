"""Stream ``refunds``: after-sales by the time of their last change, each with its goods and its buyer."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from hub.errors import RowError
from hub.http import TimeWindow, Unit, WindowedList, lists_of, time_windows
from hub.records import Order
from hub.source import Page, State
from plugins.youzan.api import Api
from plugins.youzan.mapping.refunds import to_refund
from plugins.youzan.messages import Subject
from plugins.youzan.reading.common import Shop, begin_of, moment, reject, stamp, windowed
from plugins.youzan.values import seconds

__all__ = ["RefundReader"]

_SIZE: Final = 50
_DEPTH: Final = 3_000
_LONGEST: Final = dt.timedelta(days=30)


@dataclass(frozen=True, slots=True)
class _Refund:
    """Everything known of one refund."""

    row: Mapping[str, Any]
    detail: Mapping[str, Any]
    trade: Mapping[str, Any] | None


class RefundReader:
    """Reads one shop's refunds; the cursor is the moment up to which all changes were read, and the place in the inbox."""

    def __init__(self, shop: Shop) -> None:
        self._shop = shop

    def read(self, state: State) -> Iterator[Page]:
        """Give the refunds that changed since the state, then those that messages tell of."""
        until = self._shop.settled()
        since = moment(state.get("since"))
        begin, overlap = (
            (since, self._shop.overlap()) if since else (begin_of(self._shop.config.orders.since), dt.timedelta(0))
        )
        kept = dict(state)
        for listed in lists_of(self._list(), time_windows(begin, until, step=_LONGEST, overlap=overlap)):
            if listed.finished is not None:
                kept["since"] = stamp(listed.finished.end)
            page = self._page([(str(row.get("refund_id")), row) for row in listed.rows])
            yield replace(page, cursor=dict(kept)) if listed.finished is not None else page
        kept["since"] = stamp(max(until, begin))
        yield Page(cursor=dict(kept))
        for caught in self._shop.caught(
            Subject.REFUND, kept.get("inbox") or {}, lambda waiting: waiting.received > until
        ):
            kept["inbox"] = dict(caught.position)
            yield replace(self._page([(refund_id, {}) for refund_id in caught.messages]), cursor=dict(kept))

    def _list(self) -> WindowedList:
        def fetch(window: TimeWindow, number: int) -> tuple[int, Sequence[Any]]:
            asked = {"update_time_start": seconds(window.start), "update_time_end": seconds(window.last())}
            data = (
                self._shop.client.ask(Api.REFUNDS, {**asked, "page_no": number, "page_size": _SIZE}).get("data") or {}
            )
            return int(data.get("total") or 0), data.get("refunds") or ()

        return windowed(fetch, _SIZE, _DEPTH)

    def _page(self, rows: Sequence[tuple[str, Mapping[str, Any]]]) -> Page:
        found, refused = self._shop.side_by_side(self._whole, rows)

        def to_record(refund: _Refund) -> Order:
            return to_refund(refund.row, refund.detail, refund.trade, self._shop.kdt_id)

        page = Page.of([refund for _, refund in found], to_record, location="trade.refund.get")
        told = [reject("trade.refund.get", item[0], error) for item, error in refused]
        return replace(page, rejects=[*page.rejects, *told])

    def _whole(self, item: tuple[str, Mapping[str, Any]]) -> _Refund:
        refund_id, row = item
        detail = self._shop.client.ask(Api.REFUND, {"refund_id": refund_id}, unit=Unit.ROW).get("data") or {}
        return _Refund(row, detail, self._trade(str(detail.get("tid") or row.get("tid") or "")))

    def _trade(self, tid: str) -> Mapping[str, Any] | None:
        """Return the order a refund belongs to: only that names the buyer. A refund without one still counts for the shop."""
        try:
            data = self._shop.client.ask(Api.TRADE, {"tid": tid}, unit=Unit.ROW).get("data") or {}
        except RowError:
            return None
        found = data.get("full_order_info")
        return found if isinstance(found, Mapping) else None
