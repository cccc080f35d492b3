"""Streams ``products``, ``stores`` and ``staff``: read in full every time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

from hub.errors import StreamError
from hub.http import cursor_pages, numbered_pages
from hub.records import Store
from hub.source import Page, State
from plugins.youzan.api import Api, Method
from plugins.youzan.mapping.catalogue import to_product, to_staff, to_store
from plugins.youzan.reading.common import Shop, is_forbidden

__all__ = ["CatalogueReader"]

_SIZE: Final = 50
_CHAIN_STAFF_SIZE: Final = 20
_CHANNELS: Final = (0, 1)
"""网店, 门店."""


class CatalogueReader:
    """Reads goods, shops and staff of a chain or a single shop."""

    def __init__(self, shop: Shop) -> None:
        self._shop = shop

    def products(self, state: State) -> Iterator[Page]:  # noqa: ARG002 - read in full every time
        """Give every item of every channel."""
        seen: set[str] = set()
        for channel in _CHANNELS:
            for data in self._items(channel):
                page = Page.of(data.get("items") or (), to_product, location="item.base.search")
                fresh = [record for record in page.records if record.source_id not in seen]
                seen |= {record.source_id for record in fresh}
                yield Page(records=fresh, rejects=page.rejects)

    def _items(self, channel: int) -> Iterator[Mapping[str, Any]]:
        """Walk by ``search_after``: page numbers end at 5000 items."""

        def fetch(after: Any) -> Mapping[str, Any]:
            asked = {"kdt_id": int(self._shop.kdt_id), "channel": channel, "page_no": 1, "page_size": _SIZE}
            data = self._shop.client.ask(Api.ITEMS, asked if after is None else {**asked, "search_after": after}).get(
                "data"
            )
            return data if isinstance(data, Mapping) else {}

        yield from cursor_pages(
            fetch,
            next_cursor=lambda data: data.get("search_after"),
            is_last=lambda data: len(data.get("items") or ()) < _SIZE,
        )

    def stores(self, state: State) -> Iterator[Page]:  # noqa: ARG002
        """Give the nodes of the chain, or the one shop there is."""
        head = self._shop.client.ask(Api.SHOP).get("data") or {}
        records: list[Store] = [
            to_store({**head, "kdt_id": self._shop.kdt_id, "role": head.get("role", "1")}, self._shop.kdt_id)
        ]
        yield Page(records=records)
        try:
            yield from self._pages(
                Api.CHAIN, "page_num", _SIZE, ("organization_list",), lambda row: to_store(row, self._shop.kdt_id)
            )
        except StreamError as error:
            if not is_forbidden(error):
                raise
            yield Page(notes=[f"{Api.CHAIN.name} is not granted: only the shop itself is known, no nodes of a chain."])

    def staff(self, state: State) -> Iterator[Page]:  # noqa: ARG002
        """Give the chain's staff, or the shop's where there is no chain."""
        try:
            yield from self._pages(Api.CHAIN_STAFF, "page_no", _CHAIN_STAFF_SIZE, ("staff_list", "items"), to_staff)
        except StreamError as error:
            if not is_forbidden(error):
                raise
            yield from self._pages(Api.SHOP_STAFF, "page_no", _SIZE, ("staff_list", "items"), to_staff)

    def _pages(
        self, method: Method, number_key: str, size: int, list_keys: Sequence[str], mapping: Callable[[Any], Any]
    ) -> Iterator[Page]:
        def fetch(number: int) -> Mapping[str, Any]:
            data = self._shop.client.ask(method, {number_key: number, "page_size": size}).get("data")
            return data if isinstance(data, Mapping) else {}

        def rows(data: Mapping[str, Any]) -> Sequence[Any]:
            return next((data[key] for key in list_keys if data.get(key)), ())

        for data in numbered_pages(fetch, items=rows, total=_total, size=size):
            yield Page.of(list(rows(data)), mapping, location=method.name)


def _total(data: Mapping[str, Any]) -> int | None:
    paginator = data.get("paginator")
    found = data.get("total") or data.get("total_count") or (paginator or {}).get("total_count")
    return int(found) if found is not None else None
