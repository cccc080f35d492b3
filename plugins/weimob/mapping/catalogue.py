"""Goods, shops, guides and coupon templates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from hub.errors import RowError
from hub.records import Assurance, Event, Identifier, IdentifierKind, Product, Staff, Store
from plugins.weimob.mapping.customers import phone_of
from plugins.weimob.values import extra_of, flag, instant, text, yuan

__all__ = ["coupon_events", "to_product", "to_staff", "to_store"]

_KINDS: Final = {
    "1": "head_office", "2": "brand", "3": "region", "4": "department", "5": "mall", "6": "floor", "10": "store", "11": "outlet",
    "100": "pick_up",
}  # fmt: skip
_GOODS_USED: Final = frozenset(
    {"goodsId", "title", "goodsPrice", "isOnline", "isCanSell", "onlineTime", "outerGoodsCode"}
)
_STORE_USED: Final = frozenset({
    "vid", "vidName", "vidCode", "vidType", "parentVid", "provinceName", "cityName", "countyName", "detailAddress", "contactTels",
    "longitude", "latitude",
})  # fmt: skip
_GUIDE_USED: Final = frozenset({"guiderWid", "guiderName", "guiderPhone", "guiderVid", "isUsed", "jobNumber"})


def to_product(row: Mapping[str, Any]) -> Product:
    """Map one of goods/getList; its key is the ``goodsId`` that order lines carry."""
    source_id = text(row.get("goodsId"))
    if source_id is None:
        raise RowError("An article has no goodsId.", code="id_missing", context={"column": "goodsId"})
    price = (row.get("goodsPrice") or {}).get("minSalePrice")
    return Product(
        source_id=source_id,
        name=text(row.get("title")) or source_id,
        sku_id=text(row.get("outerGoodsCode")),
        list_price=None if price is None else yuan(price),
        on_sale=flag(row.get("isCanSell", row.get("isOnline", True))),
        created_at=instant(row.get("onlineTime")),
        extra=extra_of(row, _GOODS_USED),
    )


def to_store(node: Mapping[str, Any], detail: Mapping[str, Any]) -> Store:
    """Map a node of the organisation tree with what organization/detail/getList tells of it."""
    source_id = text(node.get("vid"))
    if source_id is None:
        raise RowError("A node has no vid.", code="id_missing", context={"column": "vid"})
    whole, parent = {**detail, **node}, text(node.get("parentVid"))
    tels: Sequence[Mapping[str, Any]] = detail.get("contactTels") or ()
    return Store(
        source_id=source_id,
        name=text(node.get("vidName")) or source_id,
        number=text(node.get("vidCode")),
        kind=_KINDS.get(str(node.get("vidType")), "store"),
        province=text(detail.get("provinceName")),
        city=text(detail.get("cityName")),
        district=text(detail.get("countyName")),
        address=text(detail.get("detailAddress")),
        phone=next((text(each.get("tel")) for each in tels if each.get("tel")), None),
        parent_id=None if parent == "0" else parent,
        extra=extra_of(whole, _STORE_USED),
    )


def to_staff(row: Mapping[str, Any]) -> Staff:
    """Map one guide; the key is the ``guiderWid`` that orders carry."""
    source_id = text(row.get("guiderWid"))
    if source_id is None:
        raise RowError("A guide has no guiderWid.", code="id_missing", context={"column": "guiderWid"})
    number = text(row.get("guiderPhone"))
    phone = phone_of(number, Assurance.TYPED_BY_STAFF) if number else None
    return Staff(
        source_id=source_id,
        name=text(row.get("guiderName")) or source_id,
        role="导购",
        store_id=text(row.get("guiderVid")),
        phone=number if phone is not None and phone.kind is IdentifierKind.PHONE else None,
        active=flag(row.get("isUsed", True)),
        extra=extra_of(row, _GUIDE_USED) | ({"job_number": text(row["jobNumber"])} if row.get("jobNumber") else {}),
    )


def coupon_events(row: Mapping[str, Any], template: Mapping[str, Any], bos_id: str) -> list[Event]:
    """Give the events of one coupon (coupon/code/getList): taken, used.

    Raises:
        RowError: the coupon has no code or no time.
    """
    code, taken = text(row.get("code")), instant(row.get("publishTime"))
    if code is None or taken is None:
        raise RowError("A coupon has no code or no publishTime.", code="id_missing", context={"column": "code"})
    wid, used, name = text(row.get("wid")), instant(row.get("usedTime")), text(template.get("couponTemplateId"))
    shared: dict[str, Any] = {
        "customer_id": wid,
        "identifiers": (Identifier(kind=IdentifierKind.WID, value=wid, scope=bos_id),) if wid else (),
        "subject_kind": "coupon",
        "subject_id": name,
        "updated_at": instant(row.get("updateTime")),
        "properties": {"title": text(template.get("name")), "code": code, "status": text(row.get("status"))},
    }
    found = [Event(source_id=f"{code}/taken", type="coupon.taken", occurred_at=taken, **shared)]
    if used is not None:
        found.append(
            Event(
                source_id=f"{code}/used", type="coupon.used", occurred_at=used, order_id=text(row.get("orderNo")),
                store_id=text(row.get("usedStoreId")), **shared,
            )
        )  # fmt: skip
    return found
