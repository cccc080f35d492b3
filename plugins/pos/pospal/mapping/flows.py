"""Top-ups (充值) and used coupons."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

from hub.records import Event, Order, OrderKind, OrderLine, Tender
from plugins.pos.pospal.config import PospalConfig
from plugins.pos.pospal.mapping.tickets import TicketContext, since_midnight
from plugins.pos.pospal.values import amount, first, id_of, kept, moment, needed_id, text

__all__ = ["to_coupon_event", "to_deposit"]

_RECHARGE_KNOWN: Final = frozenset(
    ("uid", "customerUid", "cashierUid", "rechargeMoney", "datetime", "payMethod", "payMethodCode", "remark")
)
_COUPON_KNOWN: Final = frozenset(("code", "customerUid", "password"))


def to_deposit(row: Mapping[str, Any], context: TicketContext, config: PospalConfig) -> Order:
    """Return a top-up as an order of kind ``deposit``: money in, no revenue. What was given on top stands in ``extra``.

    Raises:
        RowError: it has no member, or an unreadable time or amount.
    """
    at = moment(row.get("datetime"), context.zone)
    paid = amount(row.get("rechargeMoney"), "rechargeMoney")
    member = first(row, "customerUid", "customrUid")
    kind, name = context.methods.kind_of(text(row.get("payMethodCode")), text(row.get("payMethod")))
    shop = config.shop_of_app(text(row.get("rechargeStoreAppId")))
    return Order(
        source_id="recharge-" + (id_of(row.get("uid")) or f"{needed_id(row, 'customerUid')}-{at:%Y%m%d%H%M%S}"),
        kind=OrderKind.DEPOSIT,
        ordered_at=at,
        paid_at=at,
        time_text=text(row.get("datetime")),
        business_date=(at.replace(tzinfo=None) - since_midnight(context.cutoff)).date(),
        store_id=shop or context.shop_id,
        cashier_id=id_of(row.get("cashierUid")),
        customer_id=id_of(member),
        currency=context.currency,
        total_amount=paid,
        note=text(row.get("remark")),
        lines=(OrderLine(line_id="1", kind="deposit", name="充值", quantity=Decimal(1), net_amount=paid),),
        tenders=(Tender(method=kind, amount=paid, method_text=name, paid_at=at),),
        extra=kept(row, _RECHARGE_KNOWN),
    )


def to_coupon_event(row: Mapping[str, Any], context: TicketContext) -> Event:
    """Return the use of a coupon.

    Raises:
        RowError: it has no code, or an unreadable time.
    """
    code = needed_id(row, "code", "couponCode")
    rule = id_of(row.get("promotionCouponUid"))
    used = first(row, "usedDateTime", "usedTime", "useDateTime", "useDate", "usedDate", "datetime")
    return Event(
        source_id=f"coupon-used-{rule or context.shop_id}-{code}",
        type="coupon.used",
        occurred_at=moment(used, context.zone, "usedDateTime"),
        customer_id=id_of(row.get("customerUid")),
        channel="store",
        store_id=context.shop_id,
        subject_kind="coupon",
        subject_id=rule or code,
        order_id=id_of(first(row, "ticketUid")),
        properties={"code": code, **kept(row, _COUPON_KNOWN)},
    )
