"""Goods, shops and staff."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from hub.errors import RowError
from hub.records import Product, Staff, Store
from plugins.youzan.values import flag, from_epoch, from_text, text, yuan_of_fen

__all__ = ["to_product", "to_staff", "to_store"]

_ROLES: Final = {"2001": "store", "2002": "online", "3": "warehouse", "4": "partner", "1": "head_office"}
_LEFT: Final = frozenset({"left", "disabled", "2", "离职"})


def to_product(item: Mapping[str, Any]) -> Product:
    """Map one item; its key is the id that order lines carry (``channel_item_id``)."""
    source_id = text(item.get("channel_item_id")) or text(item.get("item_id"))
    if source_id is None:
        raise RowError("An item has no id.", code="id_missing", context={"column": "item_id"})
    used = {
        "channel_item_id",
        "title",
        "price",
        "barcode",
        "item_barcode",
        "is_display",
        "created_time",
        "update_time",
        "category_name",
    }
    return Product(
        source_id=source_id,
        updated_at=_moment(item.get("update_time")),
        name=text(item.get("title")) or source_id,
        barcode=text(item.get("barcode")) or text(item.get("item_barcode")),
        category=text(item.get("category_name")),
        list_price=None if item.get("price") is None else yuan_of_fen(item["price"]),
        on_sale=flag(item.get("is_display", True)),
        created_at=_moment(item.get("created_time")),
        extra={
            name: _safe(value) for name, value in item.items() if name not in used and value not in (None, "", [], {})
        },
    )


def to_store(shop: Mapping[str, Any], kdt_id: str) -> Store:
    """Map a node of a chain, or the answer of shop.get for a single shop (whose key is ``kdt_id``)."""
    address = shop.get("shop_address")
    place: Mapping[str, Any] = address if isinstance(address, Mapping) else {}
    used = {"kdt_id", "name", "role", "shop_address", "outer_id", "parent_kdt_id", "sid", "contact_mobile"}
    return Store(
        source_id=text(shop.get("kdt_id")) or text(shop.get("sid")) or kdt_id,
        name=text(shop.get("name")) or text(shop.get("shop_name")) or kdt_id,
        number=text(shop.get("outer_id")),
        kind=_ROLES.get(str(shop.get("role")), "store"),
        province=text(place.get("province")),
        city=text(place.get("city")),
        district=text(place.get("county")) or text(place.get("district")),
        address=text(place.get("address")) if place else text(address),
        phone=text(shop.get("contact_mobile")),
        parent_id=text(shop.get("parent_kdt_id")),
        extra={name: value for name, value in shop.items() if name not in used and value not in (None, "", [], {})},
    )


def to_staff(row: Mapping[str, Any]) -> Staff:
    """Map one employee; the key is the staff number that orders carry (``staff_no``), else the id."""
    source_id = next(filter(None, (text(row.get(key)) for key in ("staff_no", "staff_id", "admin_id"))), None)
    if source_id is None:
        raise RowError("An employee has no number.", code="id_missing", context={"column": "staff_no"})
    used = {"staff_no", "name", "staff_name", "mobile", "kdt_id", "role_name", "status"}
    return Staff(
        source_id=source_id,
        name=text(row.get("name")) or text(row.get("staff_name")) or source_id,
        role=text(row.get("role_name")),
        store_id=text(row.get("kdt_id")),
        phone=text(row.get("mobile")),
        active=str(row.get("status", "")).lower() not in _LEFT,
        extra={name: value for name, value in row.items() if name not in used and value not in (None, "", [], {})},
    )


def _moment(value: object) -> Any:
    return from_epoch(value) if isinstance(value, int) else from_text(value)


def _safe(value: object) -> object:
    """Ids beyond 2^53 become text: later readers of the JSON may not keep them."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) and abs(value) > 2**53 else value
