"""The ``youzan`` source."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import ClassVar

from hub.errors import HubError
from hub.records import Customer, Event, Order, Product, Staff, Store
from hub.runtime import Runtime
from hub.source import Check, CursorKind, Page, Source, State, Stream
from hub.titles import Title
from plugins.youzan.api import Api, Method
from plugins.youzan.client import YouzanClient
from plugins.youzan.config import YouzanConfig
from plugins.youzan.reading.catalogue import CatalogueReader
from plugins.youzan.reading.common import Shop
from plugins.youzan.reading.coupons import CouponReader
from plugins.youzan.reading.customers import CustomerReader
from plugins.youzan.reading.refunds import RefundReader
from plugins.youzan.reading.trades import TradeReader
from plugins.youzan.receiver import spool_of

__all__ = ["YouzanSource", "check_connection"]


class YouzanSource(Source):
    """Reads a shop or a chain."""

    name: ClassVar[str] = "youzan"
    title: ClassVar[Title] = Title("有赞", "Youzan")
    Config: ClassVar[type[YouzanConfig]] = YouzanConfig

    config: YouzanConfig

    def __init__(self, config: YouzanConfig, runtime: Runtime) -> None:
        super().__init__(config, runtime)
        self._clients: dict[str, YouzanClient] = {}

    def _shop(self, kdt_id: str = "") -> Shop:
        kdt_id = kdt_id or self.config.kdt_id
        if kdt_id not in self._clients:
            self._clients[kdt_id] = YouzanClient(self.config, self.runtime, kdt_id)
        return Shop(self._clients[kdt_id], self.config, self.runtime, spool_of(self.config, self.runtime))

    def check(self) -> Sequence[Check]:
        """Ask for a token and the shop's name, then whether each stream's list is granted."""
        return check_connection(self._shop().client, _ASKED)

    def streams(self) -> Sequence[Stream]:
        """List the streams; orders and refunds have a part per shop where ``nodes`` are configured."""
        nodes = self.config.nodes
        parts: Callable[[], Sequence[str]] | None = (lambda: nodes) if nodes else None
        full = CursorKind.FULL
        return [
            Stream("customers", Customer, self._customers, title=Title("客户", "Customers")),
            Stream("orders", Order, self._orders, title=Title("订单", "Orders"), partitions=parts),
            Stream("refunds", Order, self._refunds, title=Title("售后", "Refunds"), partitions=parts),
            Stream("coupons", Event, self._coupons, title=Title("优惠券", "Coupons")),
            Stream("products", Product, self._products, full, title=Title("商品", "Products")),
            Stream("stores", Store, self._stores, full, title=Title("店铺", "Shops")),
            Stream("staff", Staff, self._staff, full, title=Title("员工", "Staff")),
        ]

    def _customers(self, state: State) -> Iterator[Page]:
        return CustomerReader(self._shop()).read(state)

    def _orders(self, state: State, kdt_id: str = "") -> Iterator[Page]:
        return TradeReader(self._shop(kdt_id)).read(state)

    def _refunds(self, state: State, kdt_id: str = "") -> Iterator[Page]:
        return RefundReader(self._shop(kdt_id)).read(state)

    def _coupons(self, state: State) -> Iterator[Page]:
        return CouponReader(self._shop()).read(state)

    def _products(self, state: State) -> Iterator[Page]:
        return CatalogueReader(self._shop()).products(state)

    def _stores(self, state: State) -> Iterator[Page]:
        return CatalogueReader(self._shop()).stores(state)

    def _staff(self, state: State) -> Iterator[Page]:
        return CatalogueReader(self._shop()).staff(state)

    def kept_folders(self) -> Sequence[Path]:
        """The folder of pushed messages, where there is one."""
        spool = spool_of(self.config, self.runtime)
        return [spool.folder] if spool else []

    def close(self) -> None:
        """Close the connections."""
        for client in self._clients.values():
            client.close()


_ASKED: tuple[tuple[str, Method, dict[str, object]], ...] = (
    ("customers may be listed", Api.CUSTOMER_LIST, {"page_no": 1, "page_size": 1}),
    ("orders may be listed", Api.TRADES, {"page_no": 1, "page_size": 1}),
    ("refunds may be listed", Api.REFUNDS, {"page_no": 1, "page_size": 1}),
    (
        "coupon activities may be listed",
        Api.COUPON_ACTIVITIES,
        {"request": {"ump_type": 105, "page_no": 1, "page_size": 1}},
    ),
)


def check_connection(client: YouzanClient, asked: Sequence[tuple[str, Method, dict[str, object]]]) -> list[Check]:
    """Try the token, then each method; a missing permission fails its own check only."""
    tried = [("the application may act for the shop", Api.SHOP, {}), *asked]
    checks: list[Check] = []
    for name, method, body in tried:
        try:
            data = client.ask(method, body).get("data")
        except HubError as error:
            checks.append(Check(name, ok=False, message=f"{error.message} {error.hint}".strip()))
            if method is Api.SHOP:
                return checks
        else:
            shop = data.get("name") if method is Api.SHOP and isinstance(data, dict) else ""
            checks.append(Check(name, ok=True, message=str(shop or "")))
    return checks
