"""Streams ``products``, ``stores`` and ``staff``: read in full, shop by shop."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from hub.source import Page, State
from plugins.pos.pospal.api import Api
from plugins.pos.pospal.client import ResultPage
from plugins.pos.pospal.mapping.catalogue import configured_store, to_product, to_staff, to_store
from plugins.pos.pospal.reading.common import Counter
from plugins.pos.pospal.values import id_of, text

__all__ = ["CatalogueReader"]


class CatalogueReader:
    """Reads what changes seldom, from every shop.

    Args:
        counters: the shops.
    """

    def __init__(self, counters: Sequence[Counter]) -> None:
        self._counters = counters

    def products(self, state: State) -> Iterator[Page]:
        """Give the goods of every shop."""

        def pages(counter: Counter) -> Iterator[Page]:
            names = {
                uid: text(row.get("name")) or uid
                for found in counter.client.pages(Api.CATEGORIES)
                for row in found.rows
                if (uid := id_of(row.get("uid")))
            }
            for found in counter.client.pages(Api.PRODUCTS):
                yield Page.of(found.rows, lambda row: to_product(row, names), location=f"{counter.shop.id}/products")

        return self._shop_by_shop(state, pages)

    def staff(self, state: State) -> Iterator[Page]:
        """Give the cashiers of every shop."""

        def pages(counter: Counter) -> Iterator[Page]:
            for found in counter.client.pages(Api.CASHIERS):
                yield Page.of(
                    found.rows, lambda row: to_staff(row, counter.shop.id), location=f"{counter.shop.id}/cashiers"
                )

        return self._shop_by_shop(state, pages)

    def stores(self, _state: State) -> Iterator[Page]:
        """Give the chain's shops from the head office's key; without one, those of the settings."""
        config = self._counters[0].config
        head = next((counter for counter in self._counters if counter.shop.headquarters), None)
        listed: set[str] = set()
        found: Iterator[ResultPage] = head.client.pages(Api.SHOPS) if head else iter(())
        for answer in found:
            page = Page.of(answer.rows, lambda row: to_store(row, config), location="shops")
            listed |= {record.source_id for record in page.records}
            yield page
        yield Page(records=[configured_store(shop) for shop in config.shops if shop.id not in listed])

    def _shop_by_shop(self, state: State, pages: Callable[[Counter], Iterator[Page]]) -> Iterator[Page]:
        """Read one shop after the other; a run that was broken off goes on with the shop it was in."""
        begin = int(state.get("shop") or 0)
        for place, counter in enumerate(self._counters[begin:], begin):
            yield from pages(counter)
            yield Page(cursor={"shop": place + 1})
