"""A trade (订单, ``full_order_info``) as an order with lines and payments."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, Final

from hub.errors import RowError
from hub.records import (
    Assurance,
    Identifier,
    IdentifierKind,
    Order,
    OrderKind,
    OrderLine,
    OrderStatus,
    Tender,
    TenderMethod,
)
from plugins.youzan.mapping.customers import is_masked
from plugins.youzan.values import flag, from_text, is_cipher, text, unwrapped, yuan, yuan_of_fen

__all__ = ["buyer_cipher", "buyer_of", "channel_of", "needs_detail", "store_of", "to_order", "trade_status"]

_CENT: Final = Decimal("0.01")
_FULLY_REFUNDED, _PARTLY_REFUNDED = "12", "2"
_MIXED: Final = "202"
_OFFLINE_TYPE: Final = "61"

_STATUSES: Final = {
    "WAIT_BUYER_PAY": OrderStatus.OPEN,
    "TRADE_PAID": OrderStatus.PAID,
    "WAIT_CONFIRM": OrderStatus.PAID,
    "WAIT_SELLER_SEND_GOODS": OrderStatus.PAID,
    "WAIT_BUYER_CONFIRM_GOODS": OrderStatus.PAID,
    "TRADE_SUCCESS": OrderStatus.FULFILLED,
}
_KINDS: Final = {"81": OrderKind.DEPOSIT, "89": OrderKind.ADJUSTMENT, "100": OrderKind.WHOLESALE}
_METHODS: Final = {
    "1": TenderMethod.WECHAT, "10": TenderMethod.WECHAT, "3": TenderMethod.ALIPAY, "25": TenderMethod.STORED_VALUE,
    "35": TenderMethod.STORED_VALUE, "33": TenderMethod.GIFT_CARD, "90": TenderMethod.GIFT_CARD, "201": TenderMethod.CASH,
    "110": TenderMethod.WECHAT, "111": TenderMethod.ALIPAY, "112": TenderMethod.CARD,
}  # fmt: skip


def buyer_of(info: Mapping[str, Any]) -> str | None:
    """Return the buyer's ``yz_open_id``; None for a walk-in."""
    return text((info.get("buyer_info") or {}).get("yz_open_id"))


def buyer_cipher(info: Mapping[str, Any]) -> str | None:
    """Return the buyer's encrypted phone where nothing else tells who bought."""
    phone = text((info.get("buyer_info") or {}).get("buyer_phone"))
    return phone if buyer_of(info) is None and is_cipher(phone) else None


def store_of(order: Mapping[str, Any], fallback: str) -> str:
    """Return the selling shop: the chain's node, else the outlet, else the shop itself."""
    return (
        next(
            (found for key in ("node_kdt_id", "offline_id") if (found := text(order.get(key))) not in (None, "0")),
            fallback,
        )
        or fallback
    )


def channel_of(info: Mapping[str, Any]) -> str:
    """Return ``store``, ``miniprogram`` or ``online``."""
    order, source = info.get("order_info") or {}, info.get("source_info") or {}
    tags = order.get("order_tags") or {}
    offline = (order.get("is_retail_order"), source.get("is_offline_order"), tags.get("is_offline_order"))
    if any(map(flag, offline)) or str(order.get("type")) == _OFFLINE_TYPE:
        return "store"
    entrance = str((source.get("source") or {}).get("wx_entrance") or "")
    return "miniprogram" if entrance.endswith("_xcx") or source.get("order_mark") == "wx_applet" else "online"


def trade_status(order: Mapping[str, Any]) -> OrderStatus:
    """Return where a trade stands; a closed one was refunded if money came back, else it never happened."""
    refunded = str(order.get("refund_state"))
    status = str(order.get("status"))
    if refunded == _FULLY_REFUNDED:
        return OrderStatus.REFUNDED
    if status == "TRADE_CLOSED":
        return OrderStatus.PARTLY_REFUNDED if refunded == _PARTLY_REFUNDED else OrderStatus.VOID
    if refunded == _PARTLY_REFUNDED:
        return OrderStatus.PARTLY_REFUNDED
    return _STATUSES.get(status, OrderStatus.OPEN if not order.get("pay_time") else OrderStatus.PAID)


def needs_detail(info: Mapping[str, Any]) -> bool:
    """Say whether only the detail tells all: there is a discount, or several means of payment were used."""
    pay, order = info.get("pay_info") or {}, info.get("order_info") or {}
    discounted = yuan(pay.get("payment")) != yuan(pay.get("total_fee")) + yuan(pay.get("post_fee"))
    reduced = any(
        yuan(line.get("total_fee")) != yuan(line.get("price")) * yuan(line.get("num"))
        for line in info.get("orders") or ()
    )
    return discounted or reduced or str(order.get("pay_type")) == _MIXED


def to_order(info: Mapping[str, Any], detail: Mapping[str, Any] | None, plain: Mapping[str, str], kdt_id: str) -> Order:
    """Map one trade.

    Args:
        info: ``full_order_info``.
        detail: ``data`` of trade.get, if it was read.
        plain: decrypted values by cipher text.
        kdt_id: the shop whose token was used; head office of a chain.

    Raises:
        RowError: no ``tid``, or a time or amount that cannot be read.
    """
    order, pay = (
        info.get("order_info") or {},
        (detail or {}).get("full_order_info", {}).get("pay_info") or info.get("pay_info") or {},
    )
    tid, ordered_at = text(order.get("tid")), from_text(order.get("created"))
    if tid is None or ordered_at is None:
        raise RowError("A trade has no tid or no time.", code="id_missing", context={"column": "tid"})
    lines, freight, flags = _lines(info, pay)
    extra = order.get("order_extra") or {}
    guide, server = (
        _guide(extra, "sales_guide", "order_sales_staff"),
        _guide(extra, "service_guide", "service_guide_staff"),
    )
    return Order(
        source_id=tid,
        number=tid,
        updated_at=from_text(order.get("update_time")),
        kind=_KINDS.get(str(order.get("type")), OrderKind.SALE),
        status=trade_status(order),
        channel=channel_of(info),
        ordered_at=ordered_at,
        paid_at=from_text(order.get("pay_time")),
        store_id=store_of(order, kdt_id),
        register_id=text(extra.get("create_device_id")),
        cashier_id=text(extra.get("cashier_id")),
        guide_id=guide or server,
        belonging_guide_id=server,
        customer_id=buyer_of(info),
        identifiers=_buyer_identifiers(info, plain, kdt_id),
        gross_amount=sum((yuan(line.get("price")) * yuan(line.get("num")) for line in info.get("orders") or ()), Decimal(0)),
        discount_amount=sum((line.discount_amount for line in lines), Decimal(0)),
        freight_amount=freight,
        total_amount=yuan(pay.get("payment")),
        coupons=_coupons(detail),
        flags=flags,
        note=text((info.get("remark_info") or {}).get("buyer_message")),
        lines=tuple(lines),
        tenders=_tenders(order, pay),
        extra=_extra(info, detail),
    )  # fmt: skip


def _lines(info: Mapping[str, Any], pay: Mapping[str, Any]) -> tuple[list[OrderLine], Decimal, tuple[str, ...]]:
    """Return the lines without their share of the postage, the postage, and findings.

    Youzan spreads postage over the lines' payments; the hub keeps it apart.
    """
    rows: Sequence[Mapping[str, Any]] = info.get("orders") or ()
    payments = [yuan(row.get("payment")) for row in rows]
    freight, whole = yuan(pay.get("post_fee")), yuan(pay.get("payment"))
    paid = sum(payments, Decimal(0))
    shares = _spread(freight, payments) if freight and paid == whole else [Decimal(0)] * len(rows)
    if freight and paid == whole and not rows:
        shares = []
    balanced = paid == whole or paid + freight == whole
    lines = [_line(row, payment - share) for row, payment, share in zip(rows, payments, shares, strict=True)]
    return lines, freight, () if balanced else ("balance_off",)


def _spread(amount: Decimal, weights: Sequence[Decimal]) -> list[Decimal]:
    """Divide an amount by weights, to the cent; the last weighted share takes what rounding leaves."""
    whole = sum(weights, Decimal(0))
    if not whole:
        return [Decimal(0)] * len(weights)
    shares = [(amount * weight / whole).quantize(_CENT, ROUND_HALF_UP) for weight in weights]
    last = max(index for index, weight in enumerate(weights) if weight)
    shares[last] += amount - sum(shares, Decimal(0))
    return shares


def _line(row: Mapping[str, Any], net: Decimal) -> OrderLine:
    quantity, price = yuan(row.get("num")), yuan(row.get("price"))
    present = flag(row.get("is_present"))
    return OrderLine(
        line_id=text(row.get("oid")),
        kind="gift" if present else "item",
        product_id=text(row.get("item_id")),
        sku_id=text(row.get("sku_id")) if str(row.get("sku_id")) != "0" else None,
        barcode=text(row.get("sku_barcode")) or text(row.get("item_barcode")),
        name=text(row.get("title")),
        quantity=quantity,
        list_price=price,
        unit_price=text(row.get("discount_price")) and yuan(row.get("discount_price")),
        discount_amount=price * quantity - net,
        net_amount=net,
        guide_id=_line_guide(row),
        options=_options(row),
    )


def _options(row: Mapping[str, Any]) -> tuple[str, ...]:
    chosen = _json_list(row.get("sku_properties_name"))
    return tuple(f"{item.get('k')}:{item.get('v')}" for item in chosen if isinstance(item, Mapping) and item.get("v"))


def _json_list(value: object) -> list[Any]:
    if isinstance(value, str) and value[:1] == "[":
        try:
            value = json.loads(value)
        except ValueError:
            return []
    return value if isinstance(value, list) else []


def _line_guide(row: Mapping[str, Any]) -> str | None:
    staff = row.get("item_sales_staff") or ()
    first = staff[0] if staff else None
    return text(first.get("staff_no") if isinstance(first, Mapping) else first)


def _guide(extra: Mapping[str, Any], block: str, key: str) -> str | None:
    return text(unwrapped(extra.get(block)).get(key))


def _buyer_identifiers(info: Mapping[str, Any], plain: Mapping[str, str], kdt_id: str) -> tuple[Identifier, ...]:
    if buyer := buyer_of(info):
        return (Identifier(kind=IdentifierKind.YZ_OPEN_ID, value=buyer, scope=kdt_id),)
    phone = text((info.get("buyer_info") or {}).get("buyer_phone")) or ""
    phone = plain.get(phone, "") if is_cipher(phone) else phone
    if not phone:
        return ()
    kind = IdentifierKind.PHONE_MASKED if is_masked(phone) else IdentifierKind.PHONE
    return (Identifier(kind=kind, value=phone, assurance=Assurance.TYPED_BY_CUSTOMER),)


def _coupons(detail: Mapping[str, Any] | None) -> tuple[str, ...]:
    promotion = (detail or {}).get("order_promotion") or {}
    found = [entry.get("coupon_id") for entry in promotion.get("order") or () if entry.get("coupon_id")]
    return tuple(dict.fromkeys(map(str, found)))


def _tenders(order: Mapping[str, Any], pay: Mapping[str, Any]) -> tuple[Tender, ...]:
    """Return the payments: what a balance or gift card covered, and the rest by the trade's means of payment."""
    paid_at = from_text(order.get("pay_time"))
    if paid_at is None:
        return ()
    covered = yuan_of_fen(pay.get("deduction_real_pay") or pay.get("deduction_pay"))
    method_text = text(order.get("pay_type_str"))
    rest = yuan(pay.get("payment")) - covered
    method = _METHODS.get(str(order.get("pay_type")), TenderMethod.OTHER)
    references: Sequence[Any] = pay.get("outer_transactions") or pay.get("transaction") or ()
    found = []
    if covered:
        found.append(Tender(method=TenderMethod.STORED_VALUE, amount=covered, method_text="deduction", paid_at=paid_at))
    if rest or not covered:
        reference = text(references[0]) if references else None
        found.append(Tender(method=method, amount=rest, method_text=method_text, reference=reference, paid_at=paid_at))
    return tuple(found)


_ORDER_KEPT: Final = (
    "status", "status_str", "type", "pay_type", "close_type", "express_type", "refund_state", "consign_time", "confirm_time",
    "success_time", "expired_time", "offline_id", "shop_name", "shop_display_no", "team_type", "order_tags", "order_extra",
)  # fmt: skip


def _extra(info: Mapping[str, Any], detail: Mapping[str, Any] | None) -> dict[str, Any]:
    """Keep what has no field of its own, without what is encrypted."""
    order = info.get("order_info") or {}
    kept: dict[str, Any] = {name: order[name] for name in _ORDER_KEPT if order.get(name) not in (None, "", {}, [])}
    kept["source"] = info.get("source_info")
    kept["address"] = {
        name: value for name, value in (info.get("address_info") or {}).items() if value and not is_cipher(value)
    }
    for block in ("channel_info", "child_info", "out_order_info"):
        kept[block] = info.get(block)
    kept["memo"] = text((info.get("remark_info") or {}).get("trade_memo"))
    kept["promotion"] = (detail or {}).get("order_promotion")
    return {name: value for name, value in kept.items() if value not in (None, "", {}, [])}
