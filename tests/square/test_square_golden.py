"""The golden tickets of the POS family in Square's form, read through the simulated platform into a hub."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

from pos.golden_tickets import (
    FIRST_READ,
    MEMBERS,
    SECOND_READ,
    TOP_UP,
    Line,
    Ticket,
    differences,
    expected_revenue,
    revenue,
    tickets,
)
from pos.pos_rig import stored
from square_rig import SquareRig

from hub.pipeline.ingest import ingest
from hub.records import Customer, Order

NOTES = {
    "cash": ("CASH", None), "card": ("CARD", None), "wechat": ("WALLET", "微信支付"), "alipay": ("WALLET", "支付宝"),
    "stored_value": ("OTHER", "储值卡"), "points": ("OTHER", "积分抵现"),
}  # fmt: skip


def fen(amount: Decimal) -> dict[str, Any]:
    return {"amount": int(amount * 100), "currency": "CNY"}


def instant(moment: dt.datetime) -> str:
    return moment.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def square_line(place: int, line: Line, sign: int, extras: list[Line]) -> dict[str, Any]:
    """A line as Square shows it: an extra is a modifier, whose price is in the line's total."""
    paid = sum((extra.net for extra in extras), Decimal(0))
    modifiers = [
        {"uid": f"m{place}-{extra.product}", "name": extra.name, "catalog_object_id": extra.product, "quantity": "1",
         "base_price_money": fen(extra.price), "total_price_money": fen(extra.net)}
        for extra in extras
    ]  # fmt: skip
    modifiers += [
        {"uid": f"o{place}-{option}", "name": option, "total_price_money": fen(Decimal(0))} for option in line.options
    ]
    return {
        "uid": f"l{place}", "name": line.name, "catalog_object_id": line.product, "quantity": str(line.quantity * sign),
        "item_type": "ITEM", "base_price_money": fen(line.price), "gross_sales_money": fen(abs(line.gross) + paid),
        "total_discount_money": fen(line.discount * sign), "total_tax_money": fen(Decimal(0)),
        "total_money": fen(line.net * sign + paid), "modifiers": modifiers,
    }  # fmt: skip


def square_form(ticket: Ticket, seen_at: dt.datetime) -> dict[str, Any]:
    """A ticket as Square shows it; discounts on the order are apportioned by Square."""
    extras: dict[int, list[Line]] = {}
    for line in ticket.lines:
        if line.kind == "modifier" and line.parent is not None:
            extras.setdefault(line.parent, []).append(line)
    plain = [(place, line) for place, line in enumerate(ticket.lines) if line.kind != "modifier"]
    gives = [square_line(p, line, 1, extras.get(p, [])) for p, line in plain if line.quantity > 0]
    takes = [square_line(p, line, -1, []) for p, line in plain if line.quantity < 0]
    at = instant(ticket.at)
    back = -sum((line.net for line in ticket.lines if line.quantity < 0), Decimal(0))
    form: dict[str, Any] = {
        "id": f"SQ{ticket.number}", "location_id": "LOC1", "ticket_name": ticket.number, "created_at": at, "closed_at": at,
        "updated_at": instant(seen_at), "state": "CANCELED" if ticket.status == "void" else "COMPLETED", "line_items": gives,
        "total_money": fen(ticket.total + back), "rounding_adjustment": {"amount_money": fen(ticket.rounding)},
        "tenders": [_tender(ticket, place, *each) for place, each in enumerate(ticket.tenders)],
    }  # fmt: skip
    if takes:
        source = f"SQ{ticket.original}" if ticket.original else None
        form["returns"] = [{"uid": "r", "return_line_items": takes, **({"source_order_id": source} if source else {})}]
        form["return_amounts"] = {"total_money": fen(back)}
        form["refunds"] = [
            {"id": f"R{place}", "tender_id": form["tenders"][place]["id"], "amount_money": fen(-amount)}
            for place, (_, amount) in enumerate(ticket.tenders)
            if amount < 0
        ]
        form["tenders"] = [
            tender if tender["amount_money"]["amount"] > 0 else {**tender, "amount_money": fen(Decimal(0))}
            for tender in form["tenders"]
        ]
    if ticket.member:
        form["customer_id"] = f"C-{ticket.member}"
    return form


def _tender(ticket: Ticket, place: int, method: str, amount: Decimal) -> dict[str, Any]:
    kind, note = NOTES[method]
    tender = {"id": f"T{ticket.number}-{place}", "type": kind, "amount_money": fen(amount)}
    return {**tender, **({"note": note} if note else {})}


def show(rig: SquareRig, read: int, seen_at: dt.datetime) -> None:
    for ticket in tickets(read):
        form = square_form(ticket, seen_at)
        known = rig.sim.db.value("SELECT body FROM things WHERE kind = 'order' AND id = ?", form["id"])
        if known is None or ticket.earlier:
            rig.sim.put("order", form)


def test_golden_tickets_are_stored_to_the_cent(new_seller: Any) -> None:
    rig: SquareRig = new_seller()
    rig.clock.advance_to(FIRST_READ.timestamp())
    hub = rig.hub(stores={"LOC1": "S01", "LOC2": "S02"})
    for name, member in MEMBERS.items():
        rig.sim.put(
            "customer",
            {"id": f"C-{name}", "created_at": "2026-02-10T00:00:00Z", "updated_at": "2026-02-10T00:00:00Z", "given_name": member.name,
             "phone_number": member.phone, "reference_id": member.number},
        )  # fmt: skip
    card = {
        **square_form(TOP_UP, FIRST_READ - dt.timedelta(minutes=5)), "total_money": fen(Decimal(100)),
        "line_items": [{"uid": "g", "name": "储值", "quantity": "1", "item_type": "GIFT_CARD", "total_money": fen(Decimal(100))}],
    }  # fmt: skip
    rig.sim.put("order", card)
    for read, moment in ((1, FIRST_READ), (2, SECOND_READ)):
        rig.clock.advance_to(moment.timestamp())
        show(rig, read, moment - dt.timedelta(minutes=5))
        report = ingest(hub, streams=["customers", "orders"])
        assert [str(stream.error) for stream in report.failed] == []
        orders, customers = stored(hub, Order), stored(hub, Customer)
        # Sets are lines like others at Square, and a line without a price is no gift yet.
        lacks = {"sets", "line_kinds"}
        assert differences(orders, tickets(read), customers=customers, lacks=lacks) == []
        assert revenue(orders) == expected_revenue(read)
        [deposit] = [order for order in orders if order.number == TOP_UP.number]
        assert (str(deposit.kind), deposit.lines[0].kind) == ("deposit", "deposit")
