"""An after-sale (售后单) as an order of its own, with negative lines and amounts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

from hub.errors import RowError
from hub.records import Identifier, IdentifierKind, Order, OrderKind, OrderLine, OrderStatus, Tender, TenderMethod
from plugins.weimob.values import extra_of, instant, kept, text, yuan

__all__ = ["to_refund"]

_DONE: Final = "6"
_OVER: Final = frozenset({"7", "8", "9"})
"""Buyer cancelled, merchant refused, refund failed."""
_EXCHANGE: Final = "5"
_USED: Final = frozenset({"rightsId", "createTime", "updateTime", "currency"})


def to_refund(row: Mapping[str, Any], bos_id: str) -> Order:
    """Map one after-sale. Only a finished one (rightsStatus 6) carries weight: others are ``open`` or ``void``.

    Its time is that of the application: when the money went back is not told, and the time of change moves with every remark.

    Args:
        row: an element of rights/list/search, or ``data`` of rights/detail/get.
        bos_id: the merchant.

    Raises:
        RowError: no ``rightsId``, or a time or amount that cannot be read.
    """
    row = row["rightsInfo"] if isinstance(row.get("rightsInfo"), Mapping) else row
    head, origin, merchant = (row.get(name) or {} for name in ("rightsOrder", "originOrder", "merchantInfo"))
    number, happened = text(head.get("rightsId")), instant(head.get("createTime"))
    if number is None or happened is None:
        raise RowError(
            "An after-sale has no rightsId or no createTime.", code="id_missing", context={"column": "rightsId"}
        )
    amount = yuan(
        (row.get("refundDetail") or {}).get("refundAmount") or (row.get("refundDetail") or {}).get("applyAmount")
    )
    buyer = text((row.get("buyerInfo") or {}).get("wid"))
    lines = _lines(row, amount)
    return Order(
        source_id=number,
        number=number,
        original_id=text(origin.get("orderNo")),
        kind=OrderKind.EXCHANGE if str(head.get("rightsType")) == _EXCHANGE else OrderKind.REFUND,
        status=_status(str(head.get("rightsStatus"))),
        updated_at=instant(head.get("updateTime")),
        ordered_at=happened,
        channel="online",
        store_id=text(merchant.get("processVid")) or text(merchant.get("vid")),
        customer_id=buyer,
        identifiers=(Identifier(kind=IdentifierKind.WID, value=buyer, scope=bos_id),) if buyer else (),
        freight_amount=-amount - sum((line.net_amount for line in lines), Decimal(0)),
        total_amount=-amount,
        lines=lines,
        tenders=(Tender(method=TenderMethod.OTHER, amount=-amount, method_text=text(origin.get("payType"))),)
        if amount
        else (),
        extra={**extra_of(head, _USED), **_more(row)},
    )


def _status(status: str) -> OrderStatus:
    if status == _DONE:
        return OrderStatus.FULFILLED
    return OrderStatus.VOID if status in _OVER else OrderStatus.OPEN


def _lines(row: Mapping[str, Any], amount: Decimal) -> tuple[OrderLine, ...]:
    items: Sequence[Mapping[str, Any]] = row.get("rightsItems") or ()
    return tuple(_line(item, amount if len(items) == 1 else Decimal(0)) for item in items)


def _line(item: Mapping[str, Any], alone: Decimal) -> OrderLine:
    goods, detail = item.get("goodsInfo") or {}, item.get("refundDetail") or {}
    found = detail.get("refundAmount", detail.get("applyAmount"))
    amount = alone if found is None else yuan(found)
    return OrderLine(
        line_id=text(item.get("orderItemId")) or text(item.get("rightsItemId")),
        product_id=text(goods.get("goodsId")),
        sku_id=text(goods.get("skuId")),
        name=text(goods.get("goodsTitle")) or text(goods.get("title")),
        quantity=-yuan(item.get("applyNum") or item.get("returnNum") or 0),
        net_amount=-amount,
    )


def _more(row: Mapping[str, Any]) -> dict[str, Any]:
    found = {
        name: row.get(key)
        for name, key in (("reason", "rightsReason"), ("refused", "refuseInfo"), ("assets", "rightsAssets"))
    }
    return {name: kept(value) for name, value in found.items() if value not in (None, "", {}, [])}
