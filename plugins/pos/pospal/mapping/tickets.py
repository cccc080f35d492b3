"""A ticket (单据) as an order."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import ROUND_DOWN, Decimal
from typing import Any, Final, Literal
from zoneinfo import ZoneInfo

from hub.records import Order, OrderKind, OrderLine, OrderStatus, Tender
from plugins.pos.pospal.mapping.payments import PayMethods
from plugins.pos.pospal.values import amount, first, id_of, kept, moment, needed_id, text

__all__ = ["TicketContext", "is_refund", "since_midnight", "spread", "to_order"]

_CENT: Final = Decimal("0.01")
_TOLERANCE: Final = Decimal("0.01")
"""Per line: tills round every line for itself."""
_KNOWN: Final = frozenset(
    ("uid", "sn", "datetime", "ticketType", "invalid", "totalAmount", "rounding", "customerUid", "cashierUid", "cashier",
     "remark", "payments", "items", "item", "discount")
)  # fmt: skip
_KNOWN_OF_LINE: Final = frozenset(
    ("name", "buyPrice", "sellPrice", "quantity", "totalAmount", "totalProfit", "productUid", "productBarcode", "uid",
     "ticketitemattributes", "saleGuiderList", "isWeighing", "discount")
)  # fmt: skip


@dataclass(frozen=True)
class TicketContext:
    """What a ticket does not say itself.

    Attributes:
        shop_id: the shop whose key it was read with.
        zone: the shop's time zone.
        cutoff: when its day begins.
        currency: ISO 4217 code.
        methods: the shop's methods of payment.
        originals: sale by refund, as the platform links them.
        suspects: tickets whose time had not come when they were first seen.
    """

    shop_id: str
    zone: ZoneInfo
    cutoff: dt.time = dt.time.min
    currency: str = "CNY"
    methods: PayMethods = field(default_factory=PayMethods)
    originals: Mapping[str, str] | None = None
    suspects: frozenset[str] = frozenset()


def is_refund(row: Mapping[str, Any]) -> bool:
    """Say whether a ticket gives money back; the type is compared in any case."""
    return str(row.get("ticketType") or "").upper() == "SELL_RETURN"


def to_order(row: Mapping[str, Any], context: TicketContext) -> Order:
    """Return a ticket as an order.

    Raises:
        RowError: it has no id, or an unreadable time or amount.
    """
    uid = needed_id(row, "uid")
    at = moment(row.get("datetime"), context.zone)
    money = _Money.of(row, context)
    flags = ("clock_suspect",) if uid in context.suspects else ()
    off = money.difference
    online = text(row.get("orderNo")) or text(row.get("onlineOrderNo"))
    extra = kept(row, _KNOWN) | ({"balance_difference": format(off, "f")} if off else {})
    return Order(
        source_id=uid,
        number=text(row.get("sn")),
        kind=money.kind,
        status=OrderStatus.VOID if money.is_void else OrderStatus.PAID,
        channel="online" if online else "store",
        ordered_at=at,
        paid_at=at,
        time_text=text(row.get("datetime")),
        business_date=(at.replace(tzinfo=None) - since_midnight(context.cutoff)).date(),
        store_id=context.shop_id,
        cashier_id=id_of(row.get("cashierUid")) or id_of((row.get("cashier") or {}).get("uid")),
        guide_id=next((line.guide_id for line in money.lines if line.guide_id), None),
        customer_id=id_of(row.get("customerUid")),
        original_id=(context.originals or {}).get(uid) or None,
        currency=context.currency,
        gross_amount=sum((line.net_amount + line.discount_amount for line in money.lines), Decimal(0)),
        discount_amount=sum((line.discount_amount for line in money.lines), Decimal(0)),
        rounding_amount=money.rounding,
        total_amount=money.total,
        flags=(*flags, *(("balance_off",) if off else ())),
        note=text(row.get("remark")),
        lines=money.lines,
        tenders=tuple(tender.model_copy(update={"paid_at": at}) for tender in money.tenders),
        extra=extra,
    )


def since_midnight(cutoff: dt.time) -> dt.timedelta:
    """Return how long after midnight the shop's day begins."""
    return dt.timedelta(hours=cutoff.hour, minutes=cutoff.minute, seconds=cutoff.second)


@dataclass(frozen=True)
class _Money:
    """The amounts of a ticket, with the signs they should have.

    The sign of a return's amounts is not to be relied on: where all lines have one sign they are made negative, and where
    goods go both ways (an exchange) the direction of the whole decides.
    """

    lines: tuple[OrderLine, ...]
    tenders: tuple[Tender, ...]
    total: Decimal
    rounding: Decimal
    is_return: bool
    is_void: bool

    @classmethod
    def of(cls, row: Mapping[str, Any], context: TicketContext) -> _Money:
        rows: Sequence[Mapping[str, Any]] = row.get("items") or row.get("item") or ()
        lines = tuple(_line(each, place) for place, each in enumerate(rows, 1))
        tenders = tuple(_tender(each, row, context) for each in row.get("payments") or ())
        money = cls(
            lines,
            tenders,
            amount(row.get("totalAmount"), "totalAmount"),
            -amount(row.get("rounding"), "rounding"),
            is_refund(row),
            str(row.get("invalid")) == "1",
        )
        return (money.turned() if money.is_return else money).allocated()

    def turned(self) -> _Money:
        """Give a return negative amounts."""
        signs = {line.net_amount > 0 for line in self.lines if line.net_amount}
        if len(signs) == 2:
            back = self.total > 0
            lines = tuple(_negated(line) for line in self.lines) if back else self.lines
        else:
            lines = tuple(map(_given_back, self.lines))
        taken = self.total > 0 or any(tender.amount > 0 for tender in self.tenders)
        rounding = -self.rounding if taken else self.rounding
        tenders = tuple(each.model_copy(update={"amount": -abs(each.amount)}) for each in self.tenders)
        return replace(self, lines=lines, tenders=tenders, total=-abs(self.total), rounding=rounding)

    def allocated(self) -> _Money:
        """Spread a discount that was given on the ticket as a whole over the lines.

        It is one when the lines come to more than what was owed, and just that was paid.
        """
        gap = self._lines_off()
        settled = not self.tenders or abs(self._tenders_off()) <= self.slack
        if self.is_return or gap <= self.slack or not settled:
            return self
        shares = spread(gap, [max(line.net_amount, Decimal(0)) for line in self.lines])
        lines = tuple(
            line.model_copy(
                update={
                    "net_amount": line.net_amount - share,
                    "discount_amount": line.discount_amount + share,
                    "discount_allocated": bool(share),
                }
            )
            for line, share in zip(self.lines, shares, strict=True)
        )
        return replace(self, lines=lines)

    @property
    def slack(self) -> Decimal:
        """How far rounding of the lines may lead apart."""
        return _TOLERANCE * max(1, len(self.lines))

    def _lines_off(self) -> Decimal:
        return sum((line.net_amount for line in self.lines), self.rounding) - self.total

    def _tenders_off(self) -> Decimal:
        return sum((tender.amount for tender in self.tenders), Decimal(0)) - self.total

    @property
    def difference(self) -> Decimal:
        """By how much lines or payments miss the total; zero if they do not. Nobody pays for a void ticket."""
        if self.lines and abs(off := self._lines_off()) > self.slack:
            return off
        if self.is_void and not self.tenders:
            return Decimal(0)
        off = self._tenders_off()
        return off if abs(off) > self.slack else Decimal(0)

    @property
    def kind(self) -> OrderKind:
        """Goods both ways are an exchange; only back, a refund."""
        gives, takes = (
            any(line.quantity > 0 for line in self.lines),
            any(line.quantity < 0 for line in self.lines),
        )
        if gives and takes:
            return OrderKind.EXCHANGE
        return OrderKind.REFUND if self.is_return or (takes and not gives) else OrderKind.SALE


def spread(whole: Decimal, weights: Sequence[Decimal]) -> list[Decimal]:
    """Divide an amount by weights to the cent: largest remainders first, the largest weight before others."""
    total = sum(weights, Decimal(0))
    if not total:
        return [Decimal(0)] * len(weights)
    exact = [whole * weight / total for weight in weights]
    shares = [share.quantize(_CENT, ROUND_DOWN) for share in exact]
    left = whole - sum(shares, Decimal(0))
    order = sorted(range(len(weights)), key=lambda place: (exact[place] - shares[place], weights[place]), reverse=True)
    for place in order:
        step = min(_CENT, left)
        if step <= 0:
            break
        shares[place] += step
        left -= step
    return shares


def _given_back(line: OrderLine) -> OrderLine:
    """Return a line with the signs of goods that come back, whatever signs it had."""
    quantity, net = abs(line.quantity), abs(line.net_amount)
    worth = max((quantity * (line.list_price or Decimal(0))).quantize(_CENT), net)
    cost = None if line.cost_amount is None else -abs(line.cost_amount)
    return line.model_copy(
        update={"quantity": -quantity, "net_amount": -net, "discount_amount": net - worth, "cost_amount": cost}
    )


def _negated(line: OrderLine) -> OrderLine:
    return line.model_copy(
        update={
            "quantity": -line.quantity,
            "net_amount": -line.net_amount,
            "discount_amount": -line.discount_amount,
            "cost_amount": None if line.cost_amount is None else -line.cost_amount,
        }
    )


def _line(row: Mapping[str, Any], place: int) -> OrderLine:
    quantity, price, net = (amount(row.get(name), name) for name in ("quantity", "sellPrice", "totalAmount"))
    gross = (quantity * price).quantize(_CENT) if quantity * price != net else net
    cost = row.get("buyPrice")
    return OrderLine(
        line_id=id_of(row.get("uid")) or str(place),
        kind=_kind_of(row, net),
        product_id=id_of(row.get("productUid")),
        barcode=text(row.get("productBarcode")),
        name=text(row.get("name")),
        quantity=quantity,
        unit="kg" if str(row.get("isWeighing")) == "1" else None,
        list_price=price,
        unit_price=amount(net / quantity) if quantity else None,
        discount_amount=gross - net,
        net_amount=net,
        cost_amount=None if cost is None else amount(amount(cost, "buyPrice") * quantity),
        guide_id=_guide(row),
        options=tuple(
            value for each in row.get("ticketitemattributes") or () if (value := text(each.get("attributeValue")))
        ),
    )


def _kind_of(row: Mapping[str, Any], net: Decimal) -> Literal["item", "gift"]:
    """A line that costs nothing because its discount is nought per cent is a gift (赠送)."""
    given = row.get("discount")
    return "gift" if not net and given is not None and amount(given, "discount") == 0 else "item"


def _guide(row: Mapping[str, Any]) -> str | None:
    guides = row.get("saleGuiderList") or ()
    if not guides:
        return None
    guide = guides[0]
    return id_of(
        first(guide, "uid", "guiderUid", "saleGuiderUid", "jobNumber") if isinstance(guide, Mapping) else guide
    )


def _tender(row: Mapping[str, Any], ticket: Mapping[str, Any], context: TicketContext) -> Tender:
    kind, name = context.methods.kind_of(text(row.get("code")), text(row.get("name")))
    outside = kind.value in {"wechat", "alipay"}
    return Tender(
        method=kind,
        amount=amount(row.get("amount"), "payments.amount"),
        method_text=name,
        reference=text(ticket.get("externalOrderNo")) if outside else None,
    )
