"""Tickets: what a till writes, and what the hub makes of it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pospal_rig import Rig, item, read, ticket

from hub.records import Order, OrderKind, OrderStatus, TenderMethod
from plugins.pos.pospal.mapping.payments import PayMethods
from plugins.pos.pospal.mapping.tickets import TicketContext, spread, to_order

NewRig = Callable[..., Rig]
ZONE = ZoneInfo("Asia/Shanghai")
METHODS = PayMethods.of(
    [{"code": "payCode_1", "name": "现金"}, {"code": "payCode_2", "name": "储值卡"}, {"code": "payCode_13", "name": "微信支付"}],
    {},
)  # fmt: skip
CONTEXT = TicketContext("S01", ZONE, dt.time(4), methods=METHODS)
BASE = 73983541207916671


def by_id(records: list[Order]) -> dict[str, Order]:
    return {record.source_id: record for record in records}


def test_documented_example_keeps_its_money_and_its_long_ids() -> None:
    row = ticket(
        BASE, "2026-03-01 15:30:12",
        item("杨枝甘露(大)", 19.0, total=17.1, ticketitemattributes=[{"attributeName": "甜度", "attributeValue": "三分糖"}]),
        item("茉莉奶绿(中)", 14.43),
        totalAmount=31.5, rounding=0.03, customerUid=360135572336007987, externalOrderNo="4200001234202603011234567890",
        payments=[{"code": "payCode_2", "amount": 20.0}, {"code": "payCode_13", "amount": 11.5}],
    )  # fmt: skip
    order = to_order(row, CONTEXT)
    assert (order.source_id, order.customer_id) == ("73983541207916671", "360135572336007987")
    assert (order.total_amount, order.rounding_amount, order.discount_amount) == (
        Decimal("31.5"),
        Decimal("-0.03"),
        Decimal("1.9"),
    )
    assert [(t.method, t.amount, t.reference) for t in order.tenders] == [
        (TenderMethod.STORED_VALUE, Decimal("20"), None),
        (TenderMethod.WECHAT, Decimal("11.5"), "4200001234202603011234567890"),
    ]
    assert order.lines[0].options == ("三分糖",)
    assert (order.flags, order.ordered_at.isoformat()) == ((), "2026-03-01T15:30:12+08:00")


def test_ticket_discount_is_spread_over_the_lines_to_the_cent() -> None:
    row = ticket(BASE, "2026-03-01 10:00:00", item("a", 19.9), item("b", 29.9), item("c", 49.9), totalAmount=89.7)
    order = to_order(row, CONTEXT)
    assert [line.net_amount for line in order.lines] == [Decimal("17.9"), Decimal("26.9"), Decimal("44.9")]
    assert all(line.discount_allocated for line in order.lines)
    assert order.discount_amount == Decimal("10")
    assert order.flags == ()


def test_what_does_not_add_up_is_kept_and_flagged() -> None:
    row = ticket(
        BASE, "2026-03-01 10:00:00", item("a", 10.0), totalAmount=8.0, payments=[{"code": "payCode_1", "amount": 9.0}]
    )
    order = to_order(row, CONTEXT)
    assert order.flags == ("balance_off",)
    assert Decimal(order.extra["balance_difference"]) == 2
    assert order.total_amount == 8


@pytest.mark.parametrize("sign", [1, -1])
def test_return_is_negative_whatever_sign_the_platform_gives(sign: int) -> None:
    row = ticket(
        BASE, "2026-03-01 10:00:00", item("a", 29.9, sign * 1, sign * 26.9), ticketType="sell_return", totalAmount=sign * 26.9,
        payments=[{"code": "payCode_1", "amount": sign * 26.9}],
    )  # fmt: skip
    order = to_order(row, CONTEXT)
    assert (order.kind, order.total_amount) == (OrderKind.REFUND, Decimal("-26.9"))
    line = order.lines[0]
    assert (line.quantity, line.net_amount, line.discount_amount) == (-1, Decimal("-26.9"), Decimal("-3"))
    assert order.tenders[0].amount == Decimal("-26.9")
    assert order.flags == ()


@pytest.mark.parametrize("sign", [1, -1])
def test_exchange_keeps_goods_both_ways(sign: int) -> None:
    row = ticket(
        BASE, "2026-03-01 10:00:00", item("back", 59.0, sign * 1), item("new", 39.0, sign * -1), ticketType="SELL_RETURN",
        totalAmount=sign * 20.0, payments=[{"code": "payCode_1", "amount": sign * 20.0}],
    )  # fmt: skip
    order = to_order(row, CONTEXT)
    assert (order.kind, order.total_amount) == (OrderKind.EXCHANGE, Decimal("-20"))
    assert [line.net_amount for line in order.lines] == [Decimal("-59"), Decimal("39")]


@pytest.mark.parametrize(
    ("name", "method"),
    [("储值卡", "stored_value"), ("银联卡", "card"), ("现金券", "coupon"), ("积分抵现", "points"), ("会员余额", "stored_value"),
     ("支付宝", "alipay"), ("购物卡", "gift_card"), ("挂账", "credit"), ("退换货", "other"), ("Cash", "cash")],
)  # fmt: skip
def test_methods_of_payment_go_by_their_names(name: str, method: str) -> None:
    assert METHODS.kind_of("payCode_999", name)[0] == method


def test_settings_overrule_what_a_method_s_name_says() -> None:
    methods = PayMethods({"payCode_101": "美团团购券"}, {"payCode_101": TenderMethod.OTHER})
    assert methods.kind_of("payCode_101") == (TenderMethod.OTHER, "美团团购券")


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"uid": 0}, "id_missing"),
        ({"datetime": "yesterday"}, "time_invalid"),
        ({"totalAmount": "many"}, "amount_invalid"),
    ],
)
def test_unusable_ticket_is_put_aside_and_the_others_go_on(rig: Rig, change: dict[str, Any], code: str) -> None:
    good = ticket(BASE, "2026-03-03 10:00:00", item("a", 1.0))
    rig.sim.act("ring_up", shop="S01", ticket=good)
    reader = rig.source()
    counter = reader._counters.named("S01")
    from plugins.pos.pospal.reading.tickets import TicketReader, _Memory

    page = TicketReader(counter)._page([{**good, **change}, good], _Memory(), "S01/x")
    assert ([reject.code for reject in page.rejects], len(page.records)) == ([code], 1)


@settings(max_examples=50, deadline=None)
@given(st.decimals("0.01", "500", places=2), st.lists(st.decimals("0.01", "900", places=2), min_size=1, max_size=8))
def test_shares_add_up_and_never_turn_around(whole: Decimal, weights: list[Decimal]) -> None:
    shares = spread(whole, weights)
    assert sum(shares) == whole
    assert all(share >= 0 for share in shares)


# ---- reading ----------------------------------------------------------------------------------------------------------


def test_late_ticket_void_and_member_added_later_are_found_by_the_next_runs(rig: Rig) -> None:
    sale = ticket(BASE, "2026-03-03 13:00:00", item("a", 22.0))
    rig.sim.act("ring_up", shop="S01", ticket=sale)
    source = rig.source()
    first, state, _ = read(source, "tickets", "S01")
    assert [(order.status, order.customer_id) for order in first] == [(OrderStatus.PAID, None)]

    rig.sim.act("ring_up", shop="S01", ticket={**sale, "customerUid": 360135572336007987})
    rig.sim.act("reverse", uid=str(BASE))
    rig.clock.advance(72 * 3600)
    late = ticket(BASE + 1, "2026-03-04 12:30:00", item("b", 31.0))  # three days ago
    rig.sim.act("ring_up", shop="S01", ticket=late)
    second, _, _ = read(source, "tickets", "S01", state)
    found = by_id(second)
    assert found[str(BASE)].status is OrderStatus.VOID
    assert found[str(BASE)].customer_id == "360135572336007987"
    assert found[str(BASE + 1)].total_amount == 31


def test_till_clock_forty_minutes_fast_is_kept_and_stays_flagged(rig: Rig) -> None:
    rig.sim.act("ring_up", shop="S01", ticket=ticket(BASE, "2026-03-04 12:40:00", item("a", 5.0)))
    rig.sim.act("ring_up", shop="S01", ticket=ticket(BASE + 1, "2026-03-04 11:20:00", item("a", 5.0)))
    source = rig.source()
    first, state, _ = read(source, "tickets", "S01")
    assert {order.source_id: order.flags for order in first} == {str(BASE): ("clock_suspect",), str(BASE + 1): ()}
    rig.clock.advance(86_400)
    again, _, _ = read(source, "tickets", "S01", state)
    assert by_id(again)[str(BASE)].flags == ("clock_suspect",)


@pytest.mark.parametrize("bounds", ["start", "end", "both"])
def test_no_second_is_missed_whichever_ends_of_a_window_count(new_rig: NewRig, bounds: str) -> None:
    rig = new_rig(bounds=bounds)
    edges = [
        "2026-03-02 03:59:59",
        "2026-03-02 04:00:00",
        "2026-03-02 04:00:01",
        "2026-03-03 03:59:59",
        "2026-03-03 04:00:00",
    ]
    for number, at in enumerate(edges):
        rig.sim.act("ring_up", shop="S01", ticket=ticket(BASE + number, at, item("a", 1.0)))
    found, _, _ = read(rig.source(), "tickets")
    assert {order.time_text for order in found} == set(edges)
    assert by_id(found)[str(BASE)].business_date == dt.date(2026, 3, 1)


def test_refund_is_linked_to_its_sale_once(rig: Rig) -> None:
    rig.sim.act("ring_up", shop="S01", ticket=ticket(BASE, "2026-03-02 10:00:00", item("a", 9.0)))
    back = ticket(BASE + 1, "2026-03-03 10:00:00", item("a", 9.0), ticketType="SELL_RETURN")
    rig.sim.act("ring_up", shop="S01", ticket=back, sale=str(BASE))
    alone = ticket(BASE + 2, "2026-03-03 11:00:00", item("a", 9.0), ticketType="SELL_RETURN")
    rig.sim.act("ring_up", shop="S01", ticket=alone)
    source = rig.source()
    first, state, _ = read(source, "tickets", "S01")
    assert {order.source_id: order.original_id for order in first} == {
        str(BASE): None, str(BASE + 1): str(BASE), str(BASE + 2): None,
    }  # fmt: skip
    asked = len(rig.sim.journal.entries(endpoint="ticketOpenApi/querySellTicketByRefunTicketUid"))
    again, _, _ = read(source, "tickets", "S01", state)
    assert by_id(again)[str(BASE + 1)].original_id == str(BASE)
    assert len(rig.sim.journal.entries(endpoint="ticketOpenApi/querySellTicketByRefunTicketUid")) == asked == 2


@pytest.mark.parametrize("count", [0, 100, 250])
def test_full_pages_partial_pages_and_no_page(new_rig: NewRig, count: int) -> None:
    rig = new_rig()
    for number in range(count):  # all in the same second
        rig.sim.act("ring_up", shop="S01", ticket=ticket(BASE + number, "2026-03-02 10:00:00", item("a", 1.0)))
    found, _, _ = read(rig.source(), "tickets")
    assert len(by_id(found)) == len(found) == count


def test_every_cursor_ever_given_leads_to_the_rest(new_rig: NewRig) -> None:
    rig = new_rig(page_size=20)
    for number in range(130):
        at = dt.datetime(2026, 3, 2, 9, tzinfo=ZONE) + dt.timedelta(minutes=17 * number)
        rig.sim.act("ring_up", shop="S01", ticket=ticket(BASE + number, f"{at:%Y-%m-%d %H:%M:%S}", item("a", 1.0)))
    _, _, pages = read(rig.source(), "tickets")
    seen: set[str] = set()
    for page in pages:
        seen |= {record.source_id for record in page.records}
        rest, _, _ = read(rig.source(), "tickets", state=page.cursor)
        assert seen | {record.source_id for record in rest} == {str(BASE + n) for n in range(130)}


def test_lines_under_the_other_manual_s_name_are_read(new_rig: NewRig) -> None:
    rig = new_rig(item_key="item")
    rig.sim.act("ring_up", shop="S01", ticket=ticket(BASE, "2026-03-02 10:00:00", item("a", 1.0)))
    found, _, _ = read(rig.source(), "tickets")
    assert [line.name for line in found[0].lines] == ["a"]


def test_wider_window_needs_the_undocumented_flag(new_rig: NewRig) -> None:
    rig = new_rig()
    rig.sim.act("ring_up", shop="S01", ticket=ticket(BASE, "2026-03-02 10:00:00", item("a", 1.0)))
    found, _, _ = read(rig.source(tickets={"window_days": 31, "no_limit_flag": True}), "tickets")
    assert len(found) == 1
    calls = rig.sim.journal.entries(endpoint="ticketOpenApi/queryTicketPages")
    assert len(calls) == 1


def test_simulated_chain_is_read_completely_and_once(tills: Rig) -> None:
    source = tills.source(tickets={"window_days": 31, "no_limit_flag": True})
    orders = [order for shop in tills.sim.shop_ids for order in read(source, "tickets", shop)[0]]
    view = tills.sim.world.now.view("pos")
    sales = [order for order in orders if order.kind is not OrderKind.REFUND]
    assert sorted(order.source_id for order in sales) == sorted(view.table("orders")["order_id"].to_pylist())
    assert sum(order.total_amount for order in sales) * 100 == sum(view.table("orders")["paid_fen"].to_pylist())
    assert [order.source_id for order in orders if "balance_off" in order.flags] == []
    refunds = [order for order in orders if order.kind is OrderKind.REFUND]
    assert {order.original_id for order in refunds} <= {order.source_id for order in sales}
    assert len(refunds) == sum(row["status"] == "success" for row in view.table("refunds").to_pylist())
