"""An order, or an order that gives goods back, as a canonical order."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final, Literal
from zoneinfo import ZoneInfo

from hub.records import Order, OrderKind, OrderLine, OrderStatus, Tender, TenderMethod
from plugins.pos.square.values import currency_of, moment, money, needed, quantity, text

__all__ = ["OrderContext", "to_order"]

_CENT: Final = Decimal("0.01")
_STATUS: Final = {
    "OPEN": OrderStatus.OPEN,
    "DRAFT": OrderStatus.OPEN,
    "COMPLETED": OrderStatus.PAID,
    "CANCELED": OrderStatus.VOID,
}
_METHODS: Final = {
    "CASH": TenderMethod.CASH,
    "CARD": TenderMethod.CARD,
    "THIRD_PARTY_CARD": TenderMethod.CARD,
    "SQUARE_GIFT_CARD": TenderMethod.GIFT_CARD,
    "BUY_NOW_PAY_LATER": TenderMethod.CREDIT,
}
_WORDS: Final = (
    (TenderMethod.WECHAT, ("微信", "wechat")),
    (TenderMethod.ALIPAY, ("支付宝", "alipay")),
    (TenderMethod.POINTS, ("积分", "points")),
    (TenderMethod.STORED_VALUE, ("储值", "余额", "stored value", "store credit")),
    (TenderMethod.COUPON, ("券", "coupon", "voucher")),
)
_GIFT_CARD: Final = "GIFT_CARD"


@dataclass(frozen=True)
class OrderContext:
    """What an order does not say itself.

    Attributes:
        zone: the chain's time zone, for locations that give none.
        zones: time zone by location.
        stores: the chain's number of a shop by location.
        cutoff: when the shop's day begins.
        methods: kind of payment by note or type, as the settings say.
    """

    zone: ZoneInfo
    zones: Mapping[str, ZoneInfo] = field(default_factory=dict)
    stores: Mapping[str, str] = field(default_factory=dict)
    cutoff: dt.time = dt.time.min
    methods: Mapping[str, TenderMethod] = field(default_factory=dict)


def to_order(row: Mapping[str, Any], context: OrderContext) -> Order:
    """Return an order. Goods that come back are lines with negative amounts.

    Raises:
        RowError: it has no id or time, or an unreadable amount.
    """
    location = text(row.get("location_id")) or ""
    created = moment(row.get("created_at")) or moment(needed(row, "closed_at"), "closed_at")
    assert created is not None  # noqa: S101 - needed() has refused the row otherwise
    lines = tuple(_lines(row))
    returned = money((row.get("return_amounts") or {}).get("total_money"))
    total = money(row.get("total_money")) - returned
    rounding = money((row.get("rounding_adjustment") or {}).get("amount_money"))
    service = money(row.get("total_service_charge_money")) + money(row.get("total_tip_money"))
    tenders = tuple(_tenders(row, context))
    status = _STATUS.get(str(row.get("state")), OrderStatus.PAID)
    off = _off(row, lines, tenders, total - rounding - service, total)
    here = created.astimezone(context.zones.get(location, context.zone))
    since = dt.timedelta(hours=context.cutoff.hour, minutes=context.cutoff.minute)
    sources = [text(each.get("source_order_id")) for each in row.get("returns") or ()]
    return Order(
        source_id=needed(row),
        updated_at=moment(row.get("updated_at"), "updated_at"),
        number=text(row.get("ticket_name")) or text(row.get("reference_id")),
        kind=_kind(row, lines),
        status=status,
        channel=_channel(row),
        ordered_at=created,
        paid_at=moment(row.get("closed_at"), "closed_at"),
        business_date=(here - since).date(),
        store_id=context.stores.get(location, location) or None,
        customer_id=text(row.get("customer_id")) or _payer(row),
        original_id=next((source for source in sources if source), None),
        currency=currency_of(row.get("total_money")) or currency_of(_first_money(row)) or "USD",
        discount_amount=sum((line.discount_amount for line in lines), Decimal(0)),
        gross_amount=sum((line.net_amount + line.discount_amount for line in lines), Decimal(0)),
        rounding_amount=rounding,
        service_amount=service,
        tax_amount=money(row.get("total_tax_money")),
        total_amount=total,
        flags=("balance_off",) if off else (),
        note=text(row.get("note")),
        lines=lines,
        tenders=tenders,
        extra=_extra(row, off),
    )


def _first_money(row: Mapping[str, Any]) -> object:
    return (row.get("return_amounts") or {}).get("total_money")


def _kind(row: Mapping[str, Any], lines: Sequence[OrderLine]) -> OrderKind:
    if row.get("returns"):
        return OrderKind.EXCHANGE if row.get("line_items") else OrderKind.REFUND
    return OrderKind.DEPOSIT if lines and all(line.kind == "deposit" for line in lines) else OrderKind.SALE


def _channel(row: Mapping[str, Any]) -> str:
    kinds = {str(each.get("type")) for each in row.get("fulfillments") or ()}
    if kinds & {"DELIVERY", "SHIPMENT"}:
        return "delivery"
    online = "online" in str((row.get("source") or {}).get("name") or "").lower()
    return "online" if online or "PICKUP" in kinds else "store"


def _payer(row: Mapping[str, Any]) -> str | None:
    """The customer of a payment, where the order names none."""
    found = (text(each.get("customer_id")) for each in row.get("tenders") or ())
    return next((customer for customer in found if customer), None)


def _off(
    row: Mapping[str, Any], lines: Sequence[OrderLine], tenders: Sequence[Tender], goods: Decimal, total: Decimal
) -> Decimal:
    """By how much lines or payments miss the total. Open and cancelled orders have no payments yet, or no more."""
    slack = _CENT * max(1, len(lines))
    by_lines = sum((line.net_amount for line in lines), Decimal(0)) - goods
    if lines and abs(by_lines) > slack:
        return by_lines
    if row.get("state") != "COMPLETED" or not tenders:
        return Decimal(0)
    by_tenders = sum((tender.amount for tender in tenders), Decimal(0)) - total
    return by_tenders if abs(by_tenders) > slack else Decimal(0)


# ---- lines ------------------------------------------------------------------------------------------------------------


def _lines(row: Mapping[str, Any]) -> Iterator[OrderLine]:
    for line in row.get("line_items") or ():
        yield from _line(line, 1)
    for each in row.get("returns") or ():
        for line in each.get("return_line_items") or ():
            yield from _line(line, -1)


def _line(row: Mapping[str, Any], sign: Literal[1, -1]) -> Iterator[OrderLine]:
    """Give a line, and its paid extras as lines of their own: the line's total contains them."""
    uid = text(row.get("uid"))
    extras = [
        each
        for each in row.get("modifiers") or row.get("return_modifiers") or ()
        if money(each.get("total_price_money"))
    ]
    paid = sum((money(each["total_price_money"]) for each in extras), Decimal(0))
    count = quantity(row.get("quantity") or "1")
    net = money(row.get("total_money")) - paid
    off = money(row.get("total_discount_money"))
    free = [
        text(each.get("name"))
        for each in row.get("modifiers") or row.get("return_modifiers") or ()
        if not money(each.get("total_price_money"))
    ]
    options = (text(row.get("variation_name")), *free)
    yield OrderLine(
        line_id=uid,
        kind=_line_kind(row, net),
        product_id=text(row.get("catalog_object_id")) or text(row.get("name")),
        name=text(row.get("name")),
        quantity=sign * count,
        list_price=money(row.get("base_price_money")),
        discount_amount=sign * off,
        net_amount=sign * net,
        tax_amount=sign * money(row.get("total_tax_money")),
        options=tuple(option for option in options if option),
    )
    for each in extras:
        amount = money(each["total_price_money"])
        yield OrderLine(
            line_id=text(each.get("uid")),
            kind="modifier",
            parent_line_id=uid,
            product_id=text(each.get("catalog_object_id")) or text(each.get("name")),
            name=text(each.get("name")),
            quantity=sign * quantity(each.get("quantity") or "1"),
            list_price=money(each.get("base_price_money")),
            net_amount=sign * amount,
        )


def _line_kind(row: Mapping[str, Any], net: Decimal) -> Literal["item", "gift", "deposit"]:
    if row.get("item_type") == _GIFT_CARD:
        return "deposit"
    return "gift" if not net and money(row.get("total_discount_money")) else "item"


# ---- payments ---------------------------------------------------------------------------------------------------------


def _tenders(row: Mapping[str, Any], context: OrderContext) -> Iterator[Tender]:
    """Give the payments, and what was paid back as negative ones; a refund may lack its tender."""
    known = {text(each.get("id")): each for each in row.get("tenders") or ()}
    if not row.get("returns") or row.get("line_items"):
        for each in known.values():
            yield _tender(each, money(each.get("amount_money")), context)
    if row.get("returns"):
        for each in row.get("refunds") or ():
            tender = known.get(text(each.get("tender_id"))) or {"type": "OTHER", "note": each.get("reason")}
            yield _tender(tender, -abs(money(each.get("amount_money"))), context, text(each.get("id")))


def _tender(row: Mapping[str, Any], amount: Decimal, context: OrderContext, reference: str | None = None) -> Tender:
    kind, note = str(row.get("type") or "OTHER"), text(row.get("note"))
    return Tender(
        method=_method(kind, note, context),
        amount=amount,
        method_text=note or kind,
        reference=reference or text(row.get("payment_id")) or text(row.get("id")),
        paid_at=moment(row.get("created_at")),
    )


def _method(kind: str, note: str | None, context: OrderContext) -> TenderMethod:
    for known in (note, kind):
        if known is not None and known in context.methods:
            return context.methods[known]
    if kind in _METHODS:
        return _METHODS[kind]
    words = (note or "").lower()
    return next((method for method, known in _WORDS if any(word in words for word in known)), TenderMethod.OTHER)


_KEPT: Final = (
    "version",
    "source",
    "ticket_name",
    "reference_id",
    "fulfillments",
    "rewards",
    "metadata",
    "merchant_id",
    "location_id",
)


def _extra(row: Mapping[str, Any], off: Decimal) -> dict[str, Any]:
    kept = {name: row[name] for name in _KEPT if row.get(name) not in (None, "", [], {})}
    return kept | ({"balance_difference": format(off, "f")} if off else {})
