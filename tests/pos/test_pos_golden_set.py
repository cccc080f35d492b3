"""The golden set is sound, and its comparison finds what is wrong."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from pos.golden_tickets import GOLDEN, MEMBERS, STORE, Ticket, differences, expected_revenue, tickets

from hub.records import Identifier, IdentifierKind, Order, OrderLine, Tender


def order_of(ticket: Ticket) -> Order:
    """The order a perfect connector would store."""
    lines = tuple(
        OrderLine(
            line_id=str(place), kind=line.kind, parent_line_id=None if line.parent is None else str(line.parent),
            product_id=line.product, quantity=line.quantity, net_amount=line.net, discount_amount=line.discount,
            options=line.options,
        )
        for place, line in enumerate(ticket.lines)
    )  # fmt: skip
    member = MEMBERS[ticket.member] if ticket.member else None
    by_phone = ticket.member_by == "phone"
    known = Identifier(
        kind=IdentifierKind.PHONE if by_phone else IdentifierKind.CARD_NO, value=member.phone if by_phone else member.card_no
    ) if member else None  # fmt: skip
    return Order(
        source_id=f"id-{ticket.number}", number=ticket.number, kind=ticket.kind, status=ticket.status, ordered_at=ticket.at,
        business_date=ticket.business_date, store_id=STORE, original_id=f"id-{ticket.original}" if ticket.original else None,
        identifiers=(known,) if known else (), total_amount=ticket.total, rounding_amount=ticket.rounding, lines=lines,
        tenders=tuple(Tender(method=method, amount=amount) for method, amount in ticket.tenders),
    )  # fmt: skip


def test_there_are_twenty_four_and_they_add_up() -> None:
    assert [ticket.place for ticket in GOLDEN] == list(range(1, 25))
    for ticket in GOLDEN:
        paid = sum(amount for _, amount in ticket.tenders)
        assert paid == (ticket.total if ticket.tenders else 0), ticket.title
    assert (expected_revenue(1), expected_revenue(2)) == (Decimal("562.78"), Decimal("571.78"))


def test_a_perfect_connector_differs_in_nothing() -> None:
    for read in (1, 2):
        assert differences(map(order_of, tickets(read)), tickets(read)) == []


@pytest.mark.parametrize(
    ("place", "change", "aspect"),
    [
        (1, {"total_amount": Decimal("24.51")}, "total"),
        (3, {"tenders": ()}, "tenders"),
        (4, {"identifiers": ()}, "members"),
        (7, {"rounding_amount": Decimal(0)}, "rounding"),
        (9, {"lines": ()}, "lines"),
        (12, {"customer_id": "somebody"}, "members"),
        (16, {"original_id": None}, "originals"),
        (16, {"kind": "sale"}, "kind"),
        (21, {"status": "paid"}, "status"),
        (24, {"business_date": GOLDEN[23].at.date()}, "business day"),
    ],
)
def test_one_wrong_thing_is_found(place: int, change: dict[str, Any], aspect: str) -> None:
    orders = [order_of(ticket) for ticket in tickets(2)]
    orders[place - 1] = orders[place - 1].model_copy(update=change)
    found = differences(orders, tickets(2))
    assert any(text.startswith(f"{place} (") and f"): {aspect} should be" in text for text in found), found


def test_a_missing_ticket_is_found() -> None:
    found = differences([order_of(ticket) for ticket in tickets(2)][:-1], tickets(2))
    assert found == ["24 (01:30, the day before's): is missing"]
