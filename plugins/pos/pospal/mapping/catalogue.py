"""Shops, cashiers and goods."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from hub.records import Product, Staff, Store
from plugins.pos.pospal.config import PospalConfig, ShopSettings
from plugins.pos.pospal.values import amount, id_of, kept, needed_id, text

__all__ = ["configured_store", "to_product", "to_staff", "to_store"]

_PRODUCT_KNOWN: Final = frozenset(
    ("uid", "name", "barcode", "buyPrice", "sellPrice", "enable", "categoryUid", "password")
)
_STORE_KNOWN: Final = frozenset(("id", "company", "number", "address", "tel", "password"))
_STAFF_KNOWN: Final = frozenset(("uid", "name", "password"))


def to_store(row: Mapping[str, Any], config: PospalConfig) -> Store:
    """Return a shop of the chain, under the number the connection knows it by.

    Raises:
        RowError: it has no id.
    """
    known = config.shop_of_app(text(row.get("appId")))
    return Store(
        source_id=known or needed_id(row, "number", "id", "account"),
        name=text(row.get("company")) or text(row.get("account")) or known or needed_id(row, "id"),
        number=text(row.get("number")),
        address=text(row.get("address")),
        phone=text(row.get("tel")),
        extra=kept(row, _STORE_KNOWN),
    )


def configured_store(shop: ShopSettings) -> Store:
    """Return a shop of which only the connection's settings are known."""
    return Store(source_id=shop.id, name=shop.id)


def to_staff(row: Mapping[str, Any], shop_id: str) -> Staff:
    """Return a cashier.

    Raises:
        RowError: there is no id.
    """
    uid = needed_id(row, "uid")
    return Staff(
        source_id=uid,
        name=text(row.get("name")) or text(row.get("jobNumber")) or uid,
        role="cashier",
        store_id=shop_id,
        phone=text(row.get("tel")) or text(row.get("phone")),
        active=str(row.get("enable", 1)) == "1",
        extra=kept(row, _STAFF_KNOWN),
    )


def to_product(row: Mapping[str, Any], categories: Mapping[str, str]) -> Product:
    """Return an article.

    Raises:
        RowError: it has no id, or an unreadable price.
    """
    uid = needed_id(row, "uid")
    category = id_of(row.get("categoryUid"))
    return Product(
        source_id=uid,
        name=text(row.get("name")) or uid,
        barcode=text(row.get("barcode")),
        category=categories.get(category or "", category),
        list_price=amount(row.get("sellPrice"), "sellPrice"),
        cost_price=amount(row.get("buyPrice"), "buyPrice") if row.get("buyPrice") is not None else None,
        on_sale=str(row.get("enable", 1)) == "1",
        extra=kept(row, _PRODUCT_KNOWN),
    )
