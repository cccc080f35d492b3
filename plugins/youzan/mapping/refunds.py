"""A refund (售后单) as an order of its own, with negative lines and amounts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

from hub.errors import RowError
from hub.records import Identifier, IdentifierKind, Order, OrderKind, OrderLine, OrderStatus, Tender, TenderMethod
from plugins.youzan.mapping.trades import buyer_of, channel_of, store_of
from plugins.youzan.values import from_epoch, from_text, text, yuan, yuan_of_fen

__all__ = ["to_refund"]

_DONE: Final = "SUCCESS"
_OVER: Final = frozenset({"CLOSED", "SELLER_REFUSE_BUYER"})
_KEPT: Final = (
    "status",
    "reason",
    "desc",
    "demand",
    "demand_desc",
    "refund_type",
    "return_goods",
    "cs_status",
    "refund_fund_desc",
)


def to_refund(row: Mapping[str, Any], detail: Mapping[str, Any], trade: Mapping[str, Any] | None, kdt_id: str) -> Order:
    """Map one refund. Only a successful one carries weight: others are ``open`` or, when they came to nothing, ``void``.

    Args:
        row: the refund as the list gives it.
        detail: ``data`` of refund.get.
        trade: ``full_order_info`` of the order it belongs to: only that names the buyer and the goods.
        kdt_id: the shop whose token was used.

    Raises:
        RowError: no ``refund_id``, or a time or amount that cannot be read.
    """
    whole = {**row, **{name: value for name, value in detail.items() if value is not None}}
    refund_id, tid = text(whole.get("refund_id")), text(whole.get("tid"))
    moments = (_moment(whole.get(key)) for key in ("refund_success_time", "refund_account_time", "modified", "created"))
    happened = next(filter(None, moments), None)
    if refund_id is None or happened is None:
        raise RowError("A refund has no refund_id or no time.", code="id_missing", context={"column": "refund_id"})
    info = trade or {}
    postage, amount = yuan(whole.get("refund_postage")), yuan(whole.get("refund_fee"))
    lines = _lines(whole, info, amount - postage)
    buyer = buyer_of(info)
    return Order(
        source_id=refund_id,
        number=refund_id,
        original_id=tid,
        kind=OrderKind.REFUND,
        status=_status(str(whole.get("status"))),
        updated_at=_moment(whole.get("modified")),
        ordered_at=happened,
        paid_at=_moment(whole.get("refund_success_time")),
        channel=channel_of(info) if info else "online",
        store_id=store_of({**(info.get("order_info") or {}), **_node(row)}, kdt_id),
        customer_id=buyer,
        identifiers=(Identifier(kind=IdentifierKind.YZ_OPEN_ID, value=buyer, scope=kdt_id),) if buyer else (),
        freight_amount=-postage,
        total_amount=-amount,
        lines=lines,
        tenders=tuple(_tender(fund) for fund in whole.get("refund_fund_list") or ()),
        extra={name: whole[name] for name in _KEPT if whole.get(name) not in (None, "", [], {})},
    )


def _moment(value: object) -> Any:
    """Read a time that some answers give as text and others as an epoch number."""
    return from_epoch(value) if isinstance(value, int) else from_text(value)


def _status(status: str) -> OrderStatus:
    if status == _DONE:
        return OrderStatus.FULFILLED
    return OrderStatus.VOID if status in _OVER else OrderStatus.OPEN


def _node(row: Mapping[str, Any]) -> dict[str, Any]:
    node = row.get("node_kdt_id")
    return {"node_kdt_id": node} if node not in (None, 0, "") else {}


def _lines(whole: Mapping[str, Any], info: Mapping[str, Any], goods: Decimal) -> tuple[OrderLine, ...]:
    sold = {text(line.get("oid")): line for line in info.get("orders") or ()}
    items: Sequence[Mapping[str, Any]] = whole.get("refund_order_item") or ()
    if not items:
        items = [{"oid": whole.get("oid"), "item_num": whole.get("item_num"), "refund_fee": int(goods * 100)}]
    return tuple(_line(item, sold.get(text(item.get("oid"))) or {}) for item in items)


def _line(item: Mapping[str, Any], sold: Mapping[str, Any]) -> OrderLine:
    amount = yuan_of_fen(item.get("refund_fee"))
    return OrderLine(
        line_id=text(item.get("oid")),
        product_id=text(sold.get("item_id")),
        sku_id=text(sold.get("sku_id")),
        name=text(sold.get("title")),
        quantity=-yuan(item.get("item_num") or 0),
        list_price=yuan(sold["price"]) if sold.get("price") is not None else None,
        net_amount=-amount,
    )


def _tender(fund: Mapping[str, Any]) -> Tender:
    words = f"{fund.get('pay_way_desc') or ''}"
    known = (
        ("微信", TenderMethod.WECHAT),
        ("支付宝", TenderMethod.ALIPAY),
        ("储值", TenderMethod.STORED_VALUE),
        ("现金", TenderMethod.CASH),
    )
    method = next((method for word, method in known if word in words), TenderMethod.OTHER)
    return Tender(method=method, amount=-yuan_of_fen(fund.get("refund_fee")), method_text=text(words))
