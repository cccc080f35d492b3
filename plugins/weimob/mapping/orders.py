"""An order (订单) as a ticket with lines and payments."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

from hub.errors import RowError
from hub.records import Identifier, IdentifierKind, Order, OrderKind, OrderLine, OrderStatus, Tender, TenderMethod
from plugins.weimob.values import extra_of, flag, instant, kept, text, yuan

__all__ = ["buyer_of", "info_of", "to_order"]

_STATUSES: Final = {
    "0": OrderStatus.OPEN, "1": OrderStatus.OPEN, "2": OrderStatus.PAID, "3": OrderStatus.PAID, "4": OrderStatus.PAID,
    "5": OrderStatus.PAID, "7": OrderStatus.FULFILLED, "8": OrderStatus.FULFILLED, "9": OrderStatus.VOID,
}  # fmt: skip
_PAID: Final = "2"
_FREIGHT: Final = "250"
_BALANCE, _POINTS, _COUPON = "42", "43", "6"
"""``discountType`` of what lowers the payment: balance and points are means of payment, a coupon is a discount."""
_PAY_TYPES: Final = {
    "微信": TenderMethod.WECHAT, "支付宝": TenderMethod.ALIPAY, "余额": TenderMethod.STORED_VALUE, "储值": TenderMethod.STORED_VALUE,
    "现金": TenderMethod.CASH, "银行卡": TenderMethod.CARD, "礼品卡": TenderMethod.GIFT_CARD,
}  # fmt: skip
_BASE_USED: Final = frozenset({
    "orderNo", "createTime", "payTime", "updateTime", "isDeleted",
})  # fmt: skip


def info_of(row: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the order itself: an element of the list, or ``data`` of order/detail/get."""
    found = row.get("orderInfo")
    return found if isinstance(found, Mapping) else row


def buyer_of(row: Mapping[str, Any]) -> str | None:
    """Return the buyer's wid; None for a walk-in."""
    found = text((info_of(row).get("buyerInfo") or {}).get("wid"))
    return None if found == "0" else found


def to_order(row: Mapping[str, Any], bos_id: str) -> Order:
    """Map one order.

    Args:
        row: an element of order/list/search with the domains 1, 2 and 3.
        bos_id: the merchant.

    Raises:
        RowError: no ``orderNo``, or a time or amount that cannot be read.
    """
    info = info_of(row)
    base, pay, merchant, guide = (
        info.get(name) or {} for name in ("orderBaseInfo", "payInfo", "merchantInfo", "guideInfo")
    )
    number, ordered_at = text(base.get("orderNo")), instant(base.get("createTime"))
    if number is None or ordered_at is None:
        raise RowError("An order has no orderNo or no createTime.", code="id_missing", context={"column": "orderNo"})
    lines = tuple(_line(item) for item in info.get("items") or ())
    covered = dict(_covered(info.get("discountInfos") or ()))
    freight, total = _freight(pay), yuan(pay.get("shouldPayAmount")) + sum(covered.values(), Decimal(0))
    goods = sum((line.net_amount for line in lines), Decimal(0))
    buyer = buyer_of(row)
    return Order(
        source_id=number,
        number=number,
        updated_at=instant(base.get("updateTime")),
        kind=OrderKind.SALE,
        status=_status(base),
        channel=_channel(base),
        ordered_at=ordered_at,
        paid_at=instant(base.get("payTime")),
        store_id=text(merchant.get("processVid")) or text(merchant.get("vid")),
        guide_id=text(guide.get("guiderWid")),
        belonging_store_id=text((guide.get("buyerExpandInfo") or {}).get("attributionStoreId")),
        belonging_guide_id=text(guide.get("privateGuiderWid")),
        customer_id=buyer,
        identifiers=(Identifier(kind=IdentifierKind.WID, value=buyer, scope=bos_id),) if buyer else (),
        gross_amount=yuan(pay["totalAmount"]) - freight if pay.get("totalAmount") is not None else None,
        discount_amount=sum((line.discount_amount for line in lines), Decimal(0)),
        freight_amount=freight,
        total_amount=total,
        coupons=tuple(_coupons(info.get("discountInfos") or ())),
        flags=() if not lines or goods + freight == total else ("balance_off",),
        note=text((info.get("buyerInfo") or {}).get("buyerRemark")),
        lines=lines,
        tenders=tuple(_tenders(base, pay, covered)),
        deleted=flag(base.get("isDeleted")),
        extra=_extra(row, info, base),
    )


def _status(base: Mapping[str, Any]) -> OrderStatus:
    status = _STATUSES.get(str(base.get("orderStatus")))
    if status is None:
        return OrderStatus.PAID if str(base.get("payStatus")) == _PAID else OrderStatus.OPEN
    return status


def _channel(base: Mapping[str, Any]) -> str:
    """Return ``miniprogram`` for channelType 1, ``store`` for the counter's 5, else ``online``."""
    return {"1": "miniprogram", "5": "store"}.get(str(base.get("channelType")), "online")


def _freight(pay: Mapping[str, Any]) -> Decimal:
    found = (yuan(each.get("amount")) for each in pay.get("amountInfos") or () if str(each.get("type")) == _FREIGHT)
    return sum(found, Decimal(0))


def _covered(discounts: Sequence[Mapping[str, Any]]) -> Iterator[tuple[TenderMethod, Decimal]]:
    """Give what balance and points paid: the platform books them as discounts, the customer spent them."""
    for kind, method in ((_BALANCE, TenderMethod.STORED_VALUE), (_POINTS, TenderMethod.POINTS)):
        found = [yuan(each.get("discountAmount")) for each in discounts if str(each.get("discountType")) == kind]
        if found:
            yield method, sum(found, Decimal(0))


def _coupons(discounts: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    for each in discounts:
        if str(each.get("discountType")) == _COUPON and (found := text(each.get("discountId"))):
            yield found


def _line(item: Mapping[str, Any]) -> OrderLine:
    pay = item.get("payInfo") or {}
    quantity, price = yuan(item.get("skuNum")), yuan(item.get("salePrice"))
    own: Sequence[Mapping[str, Any]] = item.get("discountInfos") or ()
    spent = sum((amount for _, amount in _covered(own)), Decimal(0))
    net = yuan(pay.get("shouldPayAmount", pay.get("payAmount"))) + spent
    titles = item.get("categoryTitle")
    return OrderLine(
        line_id=text(item.get("itemId")),
        product_id=text(item.get("goodsId")),
        sku_id=text(item.get("skuId")),
        barcode=text(item.get("skuBarCode")),
        name=text(item.get("goodsTitle")),
        category=text(titles[-1]) if isinstance(titles, list) and titles else text(titles),
        quantity=quantity,
        list_price=price,
        unit_price=price,
        discount_amount=price * quantity - net,
        net_amount=net,
        options=tuple(filter(None, (part.strip() for part in str(item.get("skuAttrInfo") or "").split(";")))),
    )


def _tenders(
    base: Mapping[str, Any], pay: Mapping[str, Any], covered: Mapping[TenderMethod, Decimal]
) -> Iterator[Tender]:
    paid_at = instant(base.get("payTime"))
    if paid_at is None:
        return
    for method, amount in covered.items():
        yield Tender(method=method, amount=amount, paid_at=paid_at)
    for each in pay.get("payItems") or ():
        words = text(each.get("payType")) or ""
        yield Tender(
            method=next((method for word, method in _PAY_TYPES.items() if word in words), TenderMethod.OTHER),
            amount=yuan((each.get("payItemExtInfo") or {}).get("amount")),
            method_text=words or None,
            reference=text(each.get("channelTrxNo")) or text(each.get("tradeId")),
            paid_at=instant(each.get("payTime")) or paid_at,
        )


def _extra(row: Mapping[str, Any], info: Mapping[str, Any], base: Mapping[str, Any]) -> dict[str, Any]:
    """Keep what has no field of its own; who receives the parcel is left to the platform."""
    found: dict[str, Any] = extra_of(base, _BASE_USED)
    fulfil = {name: value for name, value in (info.get("orderFulfill") or {}).items() if name != "receiverInfo"}
    more = {
        "fulfil": fulfil, "cancel": info.get("cancelInfo"), "discounts": info.get("discountInfos"), "rights": row.get("rightsInfos"),
    }  # fmt: skip
    return {**found, **{name: kept(value) for name, value in more.items() if value not in (None, "", {}, [])}}
