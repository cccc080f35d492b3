"""Streams ``products``, ``stores`` and ``guides``: read in full every time."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from hub.errors import StreamError
from hub.http import TimeWindow, WindowedList, lists_of, time_windows
from hub.records import Product, Store
from hub.source import Page, State
from plugins.weimob.api import Api
from plugins.weimob.mapping.catalogue import to_product, to_staff, to_store
from plugins.weimob.reading.common import Merchant, begin_of, pages_of, rows_of, too_deep
from plugins.weimob.values import milliseconds, text

__all__ = ["CatalogueReader"]

_NODES: Final = 50
_GOODS: Final = 20
_GOODS_DEPTH: Final = 500 * _GOODS
_BEGIN: Final = dt.date(2012, 1, 1)
_MILLISECOND: Final = dt.timedelta(milliseconds=1)
_FIELDS: Final = [
    "provinceName",
    "cityName",
    "countyName",
    "detailAddress",
    "contactTels",
    "onlineStatus",
    "businessHours",
]


class CatalogueReader:
    """Reads goods, organisation nodes and guides."""

    def __init__(self, merchant: Merchant) -> None:
        self._merchant = merchant

    def products(self, state: State) -> Iterator[Page]:  # noqa: ARG002 - read in full every time
        """Give every article, cut by the time of its last change where there are more than ten thousand."""
        seen: set[str] = set()
        windows = time_windows(begin_of(_BEGIN), self._merchant.runtime.now(), step=dt.timedelta(days=36_500))
        for listed in lists_of(WindowedList(self._goods, _GOODS, _GOODS_DEPTH), windows):
            page = Page.of(list(listed.rows), to_product, location=Api.GOODS.name)
            fresh = [each for each in page.records if isinstance(each, Product) and each.source_id not in seen]
            seen |= {each.source_id for each in fresh}
            yield Page(records=fresh, rejects=page.rejects)

    def _goods(self, window: TimeWindow, number: int) -> tuple[int, Sequence[Any]]:
        span = {"startUpdateTime": milliseconds(window.start), "endUpdateTime": milliseconds(window.last(_MILLISECOND))}
        asked = {
            "pageNum": number,
            "pageSize": _GOODS,
            "basicInfo": {"vid": self._merchant.vid},
            "queryParameter": span,
        }
        try:
            data = self._merchant.client.ask(Api.GOODS, asked) or {}
        except StreamError as error:
            raise too_deep(error, number, _GOODS) from error
        return int(text(data.get("totalCount")) or 0), rows_of(data)

    def stores(self, state: State) -> Iterator[Page]:  # noqa: ARG002
        """Give every node of the organisation tree, shops with their address."""
        for rows in pages_of(self._merchant, Api.ORGANISATIONS, {"parentVid": 0, "isDirect": 0}, size=_NODES):
            details, notes = self._details(rows)
            page = Page.of(
                [(row, details.get(str(row.get("vid")), {})) for row in rows], _store, location=Api.ORGANISATIONS.name
            )
            yield Page(records=page.records, rejects=page.rejects, notes=notes)

    def _details(self, rows: Sequence[Mapping[str, Any]]) -> tuple[Mapping[str, Mapping[str, Any]], list[str]]:
        if self._merchant.lacks(Api.ORGANISATION_DETAILS):
            return {}, []
        asked = {"vidList": [int(vid) for row in rows if (vid := text(row.get("vid")))], "fields": _FIELDS}
        try:
            data = self._merchant.client.ask(Api.ORGANISATION_DETAILS, asked)
        except StreamError as error:
            return {}, [self._merchant.without(Api.ORGANISATION_DETAILS, error)]
        found = data if isinstance(data, list) else rows_of(data or {}) or (data or {}).get("list") or ()
        return {str(row.get("vid")): row for row in found}, []

    def guides(self, state: State) -> Iterator[Page]:  # noqa: ARG002
        """Give every guide."""
        for rows in pages_of(self._merchant, Api.GUIDES, {"queryParameter": {}}, size=_NODES):
            yield Page.of(rows, to_staff, location=Api.GUIDES.name)


def _store(pair: tuple[Mapping[str, Any], Mapping[str, Any]]) -> Store:
    return to_store(*pair)
