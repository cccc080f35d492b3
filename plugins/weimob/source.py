"""The ``weimob`` source."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

from hub.errors import HubError
from hub.records import Customer, Event, Order, Product, Staff, Store
from hub.runtime import Runtime
from hub.source import Check, CursorKind, Page, Source, State, Stream
from hub.titles import Title
from plugins.weimob.api import Api, Capability
from plugins.weimob.client import WeimobClient
from plugins.weimob.config import WeimobConfig, data_folder
from plugins.weimob.reading.catalogue import CatalogueReader
from plugins.weimob.reading.common import Merchant
from plugins.weimob.reading.coupons import CouponReader
from plugins.weimob.reading.customers import CustomerReader
from plugins.weimob.reading.trades import order_reader, refund_reader
from plugins.weimob.receiver import inbox_of
from plugins.weimob.roster import Roster

__all__ = ["WeimobSource", "check_connection"]


class WeimobSource(Source):
    """Reads one merchant."""

    name: ClassVar[str] = "weimob"
    title: ClassVar[Title] = Title("微盟", "Weimob")
    Config: ClassVar[type[WeimobConfig]] = WeimobConfig

    config: WeimobConfig

    def __init__(self, config: WeimobConfig, runtime: Runtime) -> None:
        super().__init__(config, runtime)
        self._opened: list[Any] = []

    @cached_property
    def _client(self) -> WeimobClient:
        client = WeimobClient(self.config, self.runtime)
        self._opened.append(client)
        return client

    @cached_property
    def _merchant(self) -> Merchant:
        inbox = inbox_of(self.config, self.runtime)
        self._opened.append(inbox)
        return Merchant(self._client, self.config, self.runtime, inbox)

    def check(self) -> Sequence[Check]:
        """Ask for a token and the merchant's name, then whether each stream's list is granted."""
        return check_connection(self._client, _ASKED)

    def streams(self) -> Sequence[Stream]:
        """List the streams."""
        full = CursorKind.FULL
        return [
            Stream("customers", Customer, self._customers, title=Title("客户", "Customers")),
            Stream("orders", Order, self._orders, title=Title("订单", "Orders")),
            Stream("refunds", Order, self._refunds, title=Title("售后", "After-sales")),
            Stream("coupons", Event, self._coupons, title=Title("优惠券", "Coupons")),
            Stream("products", Product, self._products, full, title=Title("商品", "Products")),
            Stream("stores", Store, self._stores, full, title=Title("组织节点", "Shops")),
            Stream("guides", Staff, self._guides, full, title=Title("导购", "Guides")),
        ]

    def _customers(self, state: State) -> Iterator[Page]:
        roster = Roster(data_folder(self.config, self.runtime))
        self._opened.append(roster)
        return CustomerReader(self._merchant, roster).read(state)

    def _orders(self, state: State) -> Iterator[Page]:
        return order_reader(self._merchant).read(state)

    def _refunds(self, state: State) -> Iterator[Page]:
        return refund_reader(self._merchant).read(state)

    def _coupons(self, state: State) -> Iterator[Page]:
        return CouponReader(self._merchant).read(state)

    def _products(self, state: State) -> Iterator[Page]:
        return CatalogueReader(self._merchant).products(state)

    def _stores(self, state: State) -> Iterator[Page]:
        return CatalogueReader(self._merchant).stores(state)

    def _guides(self, state: State) -> Iterator[Page]:
        return CatalogueReader(self._merchant).guides(state)

    def kept_folders(self) -> Sequence[Path]:
        """The connection's folder: pushed messages, and who is known."""
        return [data_folder(self.config, self.runtime)]

    def close(self) -> None:
        """Close connections and files."""
        for each in reversed(self._opened):
            each.close()


_SPAN = {"startTime": 1, "endTime": 2, "type": 1}
_ASKED: tuple[tuple[str, Capability, Mapping[str, object]], ...] = (
    ("customers may be searched", Api.USER_SEARCH, {"fields": ["wid"], "query": [], "pageNum": 1, "pageSize": 10, "isReturnPageResult": 1}),
    ("customers may be read", Api.CUSTOMERS, {"widList": [1], "resultType": [1]}),
    ("orders may be searched", Api.ORDERS, {"pageNum": 1, "pageSize": 1, "queryParameter": {"queryTime": _SPAN}}),
    ("after-sales may be searched", Api.RIGHTS, {"pageNum": 1, "pageSize": 1, "queryParameter": {"queryTime": _SPAN}}),
    ("coupon templates may be searched", Api.COUPON_TEMPLATES, {"pageNum": 1, "pageSize": 1}),
    ("guides may be listed", Api.GUIDES, {"queryParameter": {}, "pageNum": 1, "pageSize": 1}),
)  # fmt: skip


def check_connection(
    client: WeimobClient, asked: Sequence[tuple[str, Capability, Mapping[str, object]]]
) -> list[Check]:
    """Try the token, then each capability; a missing one fails its own check only."""
    checks: list[Check] = []
    for name, capability, body in [("the application may act for the merchant", Api.INFO, {}), *asked]:
        try:
            data = client.ask(capability, body)
        except HubError as error:
            checks.append(Check(name, ok=False, message=f"{error.message} {error.hint}".strip()))
            if capability is Api.INFO:
                return checks
        else:
            shown = data.get("bosName") if capability is Api.INFO and isinstance(data, Mapping) else ""
            checks.append(Check(name, ok=True, message=str(shown or "")))
    return checks
