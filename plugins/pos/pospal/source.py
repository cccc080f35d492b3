"""The ``pos.pospal`` source."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from hub.errors import HubError
from hub.records import Customer, Event, Order, Product, Staff, Store
from hub.runtime import Runtime
from hub.source import Check, CursorKind, Page, Source, State, Stream
from hub.titles import Title
from plugins.pos.pospal.api import Api
from plugins.pos.pospal.client import PospalClient
from plugins.pos.pospal.config import PospalConfig, ShopSettings
from plugins.pos.pospal.inbox import inbox_of
from plugins.pos.pospal.reading import flows
from plugins.pos.pospal.reading.catalogue import CatalogueReader
from plugins.pos.pospal.reading.common import Counter
from plugins.pos.pospal.reading.members import MemberReader
from plugins.pos.pospal.reading.tickets import TicketReader
from plugins.pos.pospal.values import first

__all__ = ["Counters", "PospalSource", "check_shops"]


class Counters:
    """The shops of a connection, each with a client that is made when it is needed."""

    def __init__(self, config: PospalConfig, runtime: Runtime) -> None:
        self.config = config
        self.runtime = runtime
        self._open: dict[str, Counter] = {}

    def of(self, shop: ShopSettings) -> Counter:
        """Return a shop's counter."""
        if shop.id not in self._open:
            client = PospalClient(self.config, self.runtime, shop)
            inbox = inbox_of(self.config, self.runtime.base)
            self._open[shop.id] = Counter(shop, client, self.config, self.runtime, inbox)
        return self._open[shop.id]

    def named(self, shop_id: str) -> Counter:
        """Return the counter of the shop with an id."""
        return self.of(next(shop for shop in self.config.shops if shop.id == shop_id))

    def close(self) -> None:
        """Close the connections."""
        for counter in self._open.values():
            counter.client.close()


class PospalSource(Source):
    """Reads the shops of a chain."""

    name: ClassVar[str] = "pos.pospal"
    title: ClassVar[Title] = Title("银豹收银", "Pospal")
    Config: ClassVar[type[PospalConfig]] = PospalConfig

    config: PospalConfig

    def __init__(self, config: PospalConfig, runtime: Runtime) -> None:
        super().__init__(config, runtime)
        self._counters = Counters(config, runtime)

    def check(self) -> Sequence[Check]:
        """Try every shop's key, and say how many calls a day it has."""
        return check_shops(self._counters)

    def streams(self) -> Sequence[Stream]:
        """List the streams; tickets, top-ups and coupons have a part per shop, members one per set of shops that share them."""
        shops = [shop.id for shop in self.config.shops]
        leaders = [shop.id for shop in self.config.leaders]
        full = CursorKind.FULL
        return [
            Stream("members", Customer, self._members, title=Title("会员", "Members"), partitions=lambda: leaders),
            Stream("tickets", Order, self._tickets, title=Title("单据", "Tickets"), partitions=lambda: shops),
            Stream("recharges", Order, self._recharges, title=Title("充值", "Top-ups"), partitions=lambda: shops),
            Stream(
                "coupons", Event, self._coupons, title=Title("优惠券核销", "Used coupons"), partitions=lambda: shops
            ),
            Stream("products", Product, self._products, full, title=Title("商品", "Products")),
            Stream("stores", Store, self._stores, full, title=Title("门店", "Shops")),
            Stream("staff", Staff, self._staff, full, title=Title("收银员", "Cashiers")),
        ]

    def _members(self, state: State, shop_id: str) -> Iterator[Page]:
        return MemberReader(self._counters.named(shop_id)).read(state)

    def _tickets(self, state: State, shop_id: str) -> Iterator[Page]:
        return TicketReader(self._counters.named(shop_id)).read(state)

    def _recharges(self, state: State, shop_id: str) -> Iterator[Page]:
        return flows.recharges(self._counters.named(shop_id), state)

    def _coupons(self, state: State, shop_id: str) -> Iterator[Page]:
        return flows.coupons(self._counters.named(shop_id), state)

    def _products(self, state: State) -> Iterator[Page]:
        return self._catalogue().products(state)

    def _stores(self, state: State) -> Iterator[Page]:
        return self._catalogue().stores(state)

    def _staff(self, state: State) -> Iterator[Page]:
        return self._catalogue().staff(state)

    def _catalogue(self) -> CatalogueReader:
        return CatalogueReader([self._counters.of(shop) for shop in self.config.shops])

    def kept_folders(self) -> Sequence[Path]:
        """The folder of pushed messages, where there is one."""
        inbox = inbox_of(self.config, self.runtime.base)
        return [inbox.folder] if inbox else []

    def close(self) -> None:
        """Close the connections."""
        self._counters.close()


def check_shops(counters: Counters) -> list[Check]:
    """Ask with every shop's key for its daily quota; a key that is refused fails its own check only."""
    checks: list[Check] = []
    for shop in counters.config.shops:
        name = f"shop {shop.id} answers"
        try:
            rows = counters.of(shop).client.ask(Api.QUOTA) or ()
        except HubError as error:
            checks.append(Check(name, ok=False, message=f"{error.message} {error.hint}".strip()))
            continue
        mine: Mapping[str, Any] = next((row for row in rows if row.get("appId") == shop.app_id), {})
        limit = first(mine, "limitTimes")
        told = "" if limit is None else f"{limit} calls a day"
        if limit is not None and int(limit) < counters.config.calls_per_day:
            told += (
                f"; calls_per_day is {counters.config.calls_per_day}: lower it, or the last runs of a day stop short"
            )
        checks.append(Check(name, ok=True, message=told))
    return checks
