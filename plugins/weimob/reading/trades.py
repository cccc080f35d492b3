"""Streams ``orders`` and ``refunds``: searched by the time of their last change, in windows the platform takes."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from hub.errors import StreamError
from hub.http import TimeWindow, Unit, WindowedList, lists_of, time_windows
from hub.records import Order
from hub.source import Page, State
from plugins.weimob.api import Api, Capability
from plugins.weimob.mapping.orders import to_order
from plugins.weimob.mapping.refunds import to_refund
from plugins.weimob.messages import Subject
from plugins.weimob.reading.common import Merchant, begin_of, moment, reject, rows_of, stamp, too_deep
from plugins.weimob.values import milliseconds, text

__all__ = ["order_reader", "refund_reader", "search_list"]

_SIZE: Final = 100
_UPDATED: Final = 1
"""``queryTime.type``: by time of the last change."""
_DOMAINS: Final = [1, 2, 3]
"""Order lines, fulfilment, after-sales."""
_MILLISECOND: Final = dt.timedelta(milliseconds=1)


@dataclass(frozen=True, slots=True)
class _Kind:
    """What differs between orders and after-sales."""

    search: Capability
    detail: Capability
    key: str
    subject: Subject
    mapping: Callable[[Mapping[str, Any], str], Order]


_ORDERS: Final = _Kind(Api.ORDERS, Api.ORDER, "orderNo", Subject.ORDER, to_order)
_REFUNDS: Final = _Kind(Api.RIGHTS, Api.RIGHT, "rightsId", Subject.REFUND, to_refund)


def search_list(merchant: Merchant, capability: Capability) -> WindowedList:
    """Return the list of orders or after-sales by their last change."""

    def fetch(window: TimeWindow, number: int) -> tuple[int, Sequence[Any]]:
        # Both ends are taken as included, and the platform's clock counts milliseconds.
        span = {
            "startTime": milliseconds(window.start),
            "endTime": milliseconds(window.last(_MILLISECOND)),
            "type": _UPDATED,
        }
        # The pages leave open on which level the domains stand.
        query = {"queryTime": span, "orderDomains": _DOMAINS}
        asked = {"pageNum": number, "pageSize": _SIZE, "queryParameter": query, "orderDomains": _DOMAINS}
        try:
            data = merchant.client.ask(capability, asked) or {}
        except StreamError as error:
            raise too_deep(error, number, _SIZE) from error
        return int(text(data.get("totalCount")) or 0), rows_of(data)

    return WindowedList(fetch, _SIZE, merchant.config.orders.depth)


def order_reader(merchant: Merchant) -> TradeReader:
    """Return the reader of orders."""
    return TradeReader(merchant, _ORDERS)


def refund_reader(merchant: Merchant) -> TradeReader:
    """Return the reader of after-sales."""
    return TradeReader(merchant, _REFUNDS)


class TradeReader:
    """Reads orders or after-sales; the cursor is the moment up to which all changes were read, and the place in the inbox."""

    def __init__(self, merchant: Merchant, kind: _Kind) -> None:
        self._merchant = merchant
        self._kind = kind

    def read(self, state: State) -> Iterator[Page]:
        """Give what changed since the state, then what messages tell of."""
        merchant, kept = self._merchant, dict(state)
        until = merchant.settled()
        since = moment(kept.get("since"))
        first = begin_of(merchant.config.orders.since)
        begin, overlap = (since, merchant.overlap()) if since else (first, dt.timedelta(0))
        windows = time_windows(begin, until, step=merchant.order_step(), overlap=overlap)
        for listed in lists_of(search_list(merchant, self._kind.search), windows):
            page = self._page(listed.rows)
            # Only a finished window moves the cursor: its other pages may still shift.
            if listed.finished is not None:
                kept["since"] = stamp(listed.finished.end)
                page = replace(page, cursor=dict(kept))
            yield page
        kept["since"] = stamp(max(until, begin))
        yield Page(cursor=dict(kept))
        yield from self._from_messages(kept, until - merchant.overlap())

    def _page(self, rows: Sequence[Mapping[str, Any]]) -> Page:
        def to_record(row: Mapping[str, Any]) -> Order:
            return self._kind.mapping(row, self._merchant.config.bos_id)

        return Page.of(list(rows), to_record, location=self._kind.search.name)

    def _from_messages(self, kept: dict[str, Any], since: dt.datetime) -> Iterator[Page]:
        """Read what the windows cannot have held: what changed after their end."""
        caught = self._merchant.caught(
            self._kind.subject, int(kept.get("inbox") or 0), lambda each: each.received > since
        )
        for each in caught:
            kept["inbox"] = each.place
            found, refused = self._merchant.side_by_side(self._detail, list(each.messages))
            page = self._page([row for _, row in found if row])
            rejects = [reject(self._kind.detail.name, number, error) for number, error in refused]
            yield replace(page, rejects=[*page.rejects, *rejects], cursor=dict(kept))

    def _detail(self, number: str) -> Mapping[str, Any]:
        asked = {self._kind.key: int(number), "orderDomains": _DOMAINS}
        data = self._merchant.client.ask(self._kind.detail, asked, unit=Unit.ROW)
        return data if isinstance(data, Mapping) else {}
