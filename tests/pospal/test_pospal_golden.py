"""The golden tickets of the POS family in Pospal's form, read through the simulated platform into a hub."""

from __future__ import annotations

from typing import Any

from pos.golden_tickets import (
    CASHIER,
    FIRST_READ,
    MEMBERS,
    SECOND_READ,
    TOP_UP,
    WRONG_CLOCK,
    Line,
    Ticket,
    differences,
    expected_revenue,
    revenue,
    tickets,
)
from pos.pos_rig import stored
from pospal_rig import Rig

from hub.pipeline.ingest import ingest
from hub.records import Customer, Order

CODES = {
    "cash": "payCode_1", "card": "payCode_3", "wechat": "payCode_13", "alipay": "payCode_11", "stored_value": "payCode_2",
    "points": "payCode_5",
}  # fmt: skip
UIDS = {name: 360135572336007900 + place for place, name in enumerate(MEMBERS)}


def uid_of(number: str) -> int:
    return 73983541207000000 + int(number[1:])


def pospal_form(ticket: Ticket) -> dict[str, Any]:
    """A ticket as Pospal shows it: a coupon is taken off the ticket as a whole, returns carry no sign of their own."""
    back = ticket.total < 0
    total = abs(ticket.total)
    turn = -1 if back else 1
    items = [_item(line, turn, whole=not ticket.ticket_discount) for line in ticket.lines]
    return {
        "uid": uid_of(ticket.number), "sn": ticket.number, "datetime": ticket.local_time,
        "ticketType": "SELL_RETURN" if back else "SELL", "invalid": int(ticket.status == "void"), "totalAmount": float(total),
        "discount": 100, "rounding": float(-ticket.rounding), "customerUid": UIDS.get(ticket.member or "", 0),
        "cashier": {"jobNumber": CASHIER, "name": "小苏", "uid": 832101480292933201}, "remark": "", "externalOrderNo": "",
        "payments": [{"code": CODES[method], "amount": float(abs(amount))} for method, amount in ticket.tenders], "items": items,
    }  # fmt: skip


def _item(line: Line, turn: int, *, whole: bool) -> dict[str, Any]:
    net = line.net if whole else line.gross
    return {
        "name": line.name, "sellPrice": float(line.price), "quantity": float(line.quantity * turn),
        "discount": 0 if line.kind == "gift" else 100, "totalAmount": float(net * turn), "productBarcode": line.product,
        "productUid": 379659791803681000 + int(line.product[1:]), "isWeighing": int(line.quantity % 1 != 0),
        "ticketitemattributes": [{"attributeName": "口味", "attributeValue": option} for option in line.options],
    }  # fmt: skip


def show(rig: Rig, read: int) -> None:
    """Let the platform show what it shows at the first or second read."""
    for ticket in tickets(read):
        sale = str(uid_of(ticket.original)) if ticket.original else None
        rig.sim.act("ring_up", shop="S01", ticket=pospal_form(ticket), **({"sale": sale} if sale else {}))


def join_members(rig: Rig) -> None:
    for name, member in MEMBERS.items():
        given = {
            "customerUid": UIDS[name], "number": member.number, "name": member.name, "phone": member.phone,
            "createdDate": "2026-01-01 10:00:00", "weixinOpenIds": [], "extInfo": {}, "password": "x",
        }  # fmt: skip
        rig.sim.act("join", shop="S01", member=given)


def recharge() -> dict[str, Any]:
    return {
        "uid": uid_of(TOP_UP.number), "customerUid": UIDS[str(TOP_UP.member)], "rechargeMoney": 100.0, "giftMoney": 0.0,
        "datetime": TOP_UP.local_time, "payMethod": "微信支付", "payMethodCode": "payCode_13", "cashierUid": 0, "remark": "",
    }  # fmt: skip


def test_golden_tickets_are_stored_to_the_cent(new_rig: Any) -> None:
    rig: Rig = new_rig(shops=("S01", "S02"), return_sign="-")
    rig.clock.advance_to(FIRST_READ.timestamp())
    hub = rig.hub(tickets={"ahead_days": 4})
    join_members(rig)
    show(rig, 1)
    rig.sim.act("top_up", shop="S01", recharge=recharge())
    rig.sim.act("ring_up", shop="S01", ticket=pospal_form(WRONG_CLOCK))
    for read, moment in ((1, FIRST_READ), (2, SECOND_READ)):
        rig.clock.advance_to(moment.timestamp())
        show(rig, read)
        show(rig, read)  # a till that sends everything twice
        report = ingest(hub, streams=["tickets", "members", "recharges"])
        assert [str(stream.error) for stream in report.failed] == []
        orders, customers = stored(hub, Order), stored(hub, Customer)
        golden = [order for order in orders if order.number != WRONG_CLOCK.number]
        found = differences(
            golden, tickets(read), customers=customers, lacks={"sets"}, product_of=lambda line: line.barcode
        )
        assert found == []
        assert revenue(golden) == expected_revenue(read)
        wrong = next(order for order in orders if order.number == WRONG_CLOCK.number)
        assert wrong.flags == ("clock_suspect",)
        assert [order.kind for order in orders if order.source_id.startswith("recharge-")] == ["deposit"]
