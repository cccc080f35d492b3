"""What the source reads: complete, exactly once, with what changed since; whatever shifts, lags or is not allowed."""

from __future__ import annotations

import datetime as dt
import math
from collections import Counter
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from youzan_rig import Rig, members, read

from hub.errors import StreamError
from hub.records import IdentifierKind, OrderKind, OrderStatus
from plugins.youzan.reading import trades
from plugins.youzan.simulator import YouzanSimulator

NewRig = Callable[..., Rig]
DAY = 86_400.0


def trades_of(rig: Rig) -> dict[str, Decimal]:
    return {row["tid"]: Decimal(row["paid_fen"]) / 100 for row in rig.sim.db.rows("SELECT tid, paid_fen FROM trades")}


# ---- orders -----------------------------------------------------------------------------------------------------------


def test_ninety_days_with_one_crowded_day_are_read_completely_once_and_with_few_calls(
    new_rig: NewRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    # 200,000 orders with a day of 30,000, pages of 100 and 10,000 to a window: all of it at a tenth, the orders at a thirtieth.
    monkeypatch.setattr(trades, "_SIZE", 10)
    monkeypatch.setattr(trades, "_DEPTH", 1_000)
    rig = new_rig(per_page=10, depth=1_000)
    begin = rig.clock.time() - 90 * DAY
    rig.sim.act("copy_trades", count=4000, start=begin, end=rig.clock.time() - 600, series="a")
    rig.sim.act("copy_trades", count=2000, start=begin + 40 * DAY, end=begin + 41 * DAY, series="b")
    since = dt.datetime.fromtimestamp(begin, dt.UTC).date() - dt.timedelta(days=1)
    records, _, _ = read(rig.source(orders={"since": since.isoformat(), "details": "never"}), "orders")
    expected = trades_of(rig)
    assert Counter(record.source_id for record in records) == Counter(expected.keys())
    assert sum(record.total_amount for record in records) == sum(expected.values())
    assert rig.sim.journal.counts()["trades.sold.get"].calls <= 1.1 * math.ceil(len(expected) / 10)


def test_page_that_is_too_deep_narrows_the_window_although_the_total_would_fit(new_rig: NewRig) -> None:
    rig = new_rig(depth=200)
    rig.sim.act("copy_trades", count=500, start=rig.clock.time() - 5 * DAY, end=rig.clock.time() - 600)
    records, _, _ = read(rig.source(orders={"since": rig.world.start.date().isoformat(), "details": "never"}), "orders")
    assert {record.source_id for record in records} == set(trades_of(rig))


def test_nothing_is_lost_when_orders_change_while_they_are_listed(new_rig: NewRig) -> None:
    rig = new_rig()
    rig.sim.act("copy_trades", count=1200, start=rig.clock.time() - 20 * DAY, end=rig.clock.time() - 600)
    rig.sim.use_faults("page_shift", rate=1.0)
    source = rig.source(orders={"since": rig.world.start.date().isoformat(), "details": "never"})
    records, cursor, _ = read(source, "orders")
    rig.sim.use_faults("none")
    rig.clock.advance(600)
    later, _, _ = read(source, "orders", cursor)
    assert {record.source_id for record in [*records, *later]} == set(trades_of(rig))
    assert later


def test_next_run_brings_late_changes_and_nothing_else(rig: Rig) -> None:
    source = rig.source()
    records, cursor, _ = read(source, "orders")
    rig.clock.advance(3600)
    closed = next(record.source_id for record in records if record.status is OrderStatus.FULFILLED)
    rig.sim.act("refund_trade", tid=closed)
    rig.clock.advance(600)
    later, cursor, _ = read(source, "orders", cursor)
    assert [(record.source_id, record.status) for record in later] == [(closed, OrderStatus.REFUNDED)]
    rig.clock.advance(3600)
    _, cursor, _ = read(source, "orders", cursor)  # what lies within the overlap comes once more
    rig.clock.advance(3600)
    assert read(source, "orders", cursor)[0] == []


def test_late_refund_arrives_as_an_order_of_its_own(rig: Rig) -> None:
    source = rig.source()
    orders, _, _ = read(source, "orders")
    before, cursor, _ = read(source, "refunds")
    sold = next(
        order
        for order in orders
        if order.status is OrderStatus.FULFILLED and order.freight_amount and order.customer_id
    )
    rig.clock.advance(3600)
    rig.sim.act("refund_trade", tid=sold.source_id)
    rig.clock.advance(600)
    refund = read(source, "refunds", cursor)[0][0]
    assert refund.source_id not in {record.source_id for record in before}
    assert (refund.kind, refund.original_id, refund.customer_id) == (OrderKind.REFUND, sold.source_id, sold.customer_id)
    assert refund.total_amount == -sold.total_amount
    assert refund.freight_amount == -sold.freight_amount
    assert sum(line.net_amount for line in refund.lines) == -sum(line.net_amount for line in sold.lines)
    assert {line.product_id for line in refund.lines} == {line.product_id for line in sold.lines}


@pytest.mark.parametrize("skew", [-120, 0, 120])
def test_clocks_two_minutes_apart_lose_nothing(rig: Rig, skew: int) -> None:
    def now() -> dt.datetime:
        return rig.clock.now() + dt.timedelta(seconds=skew)

    source = rig.source(runtime={"now": now}, orders={"since": rig.world.start.date().isoformat(), "details": "never"})
    seen: Counter[str] = Counter()
    cursor: dict[str, Any] = {}
    # An order every five seconds, read every five minutes: many of them fall on the edges of windows.
    rig.sim.act("copy_trades", count=720, start=rig.clock.time(), end=rig.clock.time() + 3600)
    for _ in range(15):
        rig.clock.advance(300)
        _show_only_the_past(rig.sim)
        records, cursor, _ = read(source, "orders", cursor)
        seen.update(record.source_id for record in records)
    assert set(seen) == set(trades_of(rig))


def _show_only_the_past(sim: YouzanSimulator) -> None:
    """The copies were made ahead of time; each is visible half a minute after it happened, as read sides lag."""
    sim.db.execute("UPDATE trades SET visible = updated + 30 WHERE copy_of IS NOT NULL")


def test_read_goes_on_from_any_cursor_it_gave(new_rig: NewRig) -> None:
    rig = new_rig(depth=300)
    rig.sim.act("copy_trades", count=800, start=rig.clock.time() - 30 * DAY, end=rig.clock.time() - 600)
    source = rig.source(orders={"since": rig.world.start.date().isoformat(), "details": "never"})
    _, _, pages = read(source, "orders")
    before: set[str] = set()
    for number, page in enumerate(pages):
        before |= {record.source_id for record in page.records}
        if page.cursor is not None and number % 4 == 0:
            rest, _, _ = read(source, "orders", page.cursor)
            assert before | {record.source_id for record in rest} == set(trades_of(rig))


def test_orders_equal_the_world_with_lines_payments_and_coupons(rig: Rig) -> None:
    records = {record.source_id: record for record in read(rig.source(orders={"details": "always"}), "orders")[0]}
    view = rig.world.view("youzan")
    lines, tenders = Counter[str](), Counter[str]()
    for line in view.table("order_lines").to_pylist():
        lines[line["order_id"]] += line["net_fen"]
    for tender in view.table("tenders").to_pylist():
        tenders[tender["order_id"]] += 1
    for row in view.table("orders").to_pylist():
        order = records[row["order_id"]]
        assert order.total_amount == Decimal(row["paid_fen"]) / 100
        assert order.freight_amount == Decimal(row["delivery_fen"]) / 100
        assert (
            sum(line.net_amount for line in order.lines) == Decimal(lines[row["order_id"]] - row["rounding_fen"]) / 100
        )
        assert sum(line.net_amount for line in order.lines) + order.freight_amount == order.total_amount
        assert sum(tender.amount for tender in order.tenders) == (order.total_amount if row["paid_at"] else 0)
        assert len(order.tenders) == tenders[row["order_id"]]
        assert bool(order.coupons) == bool(row["coupon_fen"])
        assert order.customer_id == row["member_id"]
        assert order.ordered_at == row["ordered_at"].replace(microsecond=0)
        assert order.guide_id == row["guide_id"]
        assert order.flags == ()


def test_details_are_asked_for_only_where_they_tell_more(rig: Rig) -> None:
    read(rig.source(), "orders")
    reduced = rig.sim.db.value(
        "SELECT count(*) FROM trades WHERE json_extract(body, '$.coupon_fen') + json_extract(body, '$.promotion_fen') > 0"
        " OR json_array_length(body, '$.tenders') > 1"
    )
    assert 0 < rig.sim.journal.counts()["trade.get"].calls <= reduced < len(trades_of(rig))


def test_nodes_are_read_with_their_own_tokens(rig: Rig) -> None:
    nodes = [str(row["node"]) for row in rig.sim.db.rows("SELECT DISTINCT node FROM trades ORDER BY node")]
    source = rig.source(nodes=nodes)
    stream = next(stream for stream in source.streams() if stream.name == "orders")
    assert stream.partitions is not None
    assert list(stream.partitions()) == nodes
    found = Counter(record.source_id for node in nodes for page in stream.read({}, node) for record in page.records)
    assert found == Counter(trades_of(rig).keys())
    assert rig.sim.journal.counts()["token"].calls == len(nodes)


# ---- customers --------------------------------------------------------------------------------------------------------


def active(rig: Rig) -> set[str]:
    return set(members(rig, 100_000))


@pytest.mark.parametrize("denied", [(), ("scrm.customer.search.customerlist",)])
def test_all_customers_are_read_by_either_list(new_rig: NewRig, denied: tuple[str, ...]) -> None:
    rig = new_rig(denied=denied)
    records, _, pages = read(rig.source(), "customers")
    assert {record.source_id for record in records} == active(rig)
    assert not [reject for page in pages for reject in page.rejects]


@pytest.mark.parametrize("encrypted", [True, False])
def test_phones_are_readable_and_masked_ones_are_no_identifiers(new_rig: NewRig, encrypted: bool) -> None:
    rig = new_rig(encrypted=encrypted)
    records = {record.source_id: record for record in read(rig.source(), "customers")[0]}
    for row in rig.world.view("youzan").table("members").to_pylist():
        if row["status"] != "active":
            continue
        found = {each.kind: each.value for each in records[row["member_id"]].identifiers}
        kind = IdentifierKind.PHONE_MASKED if "*" in (row["phone"] or "") else IdentifierKind.PHONE
        assert found.get(kind) == row["phone"]
        assert found.get(IdentifierKind.UNIONID) == row["unionid"]
        assert records[row["member_id"]].name == row["name"]
        assert records[row["member_id"]].points == row["points"]
        assert records[row["member_id"]].balance == Decimal(row["balance_fen"]) / 100
        assert records[row["member_id"]].belonging_guide_id == row["guide_id"]
        assert records[row["member_id"]].belonging_store_id == str(rig.sim.node_of(row["home_shop_id"]))
    batches = rig.sim.journal.counts().get("cloud.secret.decrypt.batch")
    assert (batches.calls if batches else 0) == int(encrypted)


def test_missing_packages_of_extras_cost_the_extras_only(new_rig: NewRig) -> None:
    rig = new_rig(denied=["users.info.query", "guide.relation.query.userId", "cloud.secret.decrypt.batch"])
    records, _, pages = read(rig.source(), "customers")
    assert {record.source_id for record in records} == active(rig)
    notes = [note for page in pages for note in page.notes]
    assert {name for name in ("users.info.query", "guide.relation", "decrypt.batch") if any(name in note for note in notes)} == {
        "users.info.query", "guide.relation", "decrypt.batch",
    }  # fmt: skip
    assert not [each for record in records for each in record.identifiers if each.value.startswith("$")]


def test_missing_package_of_the_list_fails_this_stream_only(new_rig: NewRig) -> None:
    rig = new_rig(denied=["scrm.customer.search.customerlist", "scrm.customer.list"])
    source = rig.source()
    with pytest.raises(StreamError):
        read(source, "customers")
    assert read(source, "orders")[0]


def test_unit_of_the_lists_times_is_found_out(new_rig: NewRig, monkeypatch: pytest.MonkeyPatch) -> None:
    rig = new_rig(denied=["scrm.customer.search.customerlist"])
    monkeypatch.setattr(rig.sim, "list_time", lambda value: value / 1000)
    records, cursor, pages = read(rig.source(), "customers")
    assert {record.source_id for record in records} == active(rig)
    assert cursor["unit"] == "milliseconds"
    assert any("milliseconds" in note for page in pages for note in page.notes)


def test_scan_brings_changed_customers_the_next_time(rig: Rig) -> None:
    source = rig.source()
    _, cursor, _ = read(source, "customers")
    rig.clock.advance(3600)
    changed = members(rig, 1)[0]
    rig.sim.db.execute("UPDATE customers SET updated = ? WHERE open_id = ?", rig.clock.time(), changed)
    rig.clock.advance(600)
    assert [record.source_id for record in read(source, "customers", cursor)[0]] == [changed]


def test_scan_goes_on_behind_the_last_page(new_rig: NewRig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("plugins.youzan.reading.customers._SCAN_SIZE", 20)
    rig = new_rig()
    source = rig.source()
    records, _, pages = read(source, "customers")
    cursors = [page.cursor for page in pages if page.cursor is not None]
    rest, _, _ = read(source, "customers", cursors[1])
    assert {record.source_id for record in rest} == {record.source_id for record in records[40:]}


def test_without_the_scan_buyers_and_new_customers_are_read_and_everybody_now_and_then(new_rig: NewRig) -> None:
    rig = new_rig(denied=["scrm.customer.search.customerlist"])
    source = rig.source()
    _, cursor, _ = read(source, "customers")
    rig.clock.advance(3600)
    buyer = rig.sim.db.row(
        "SELECT tid, open_id FROM trades WHERE open_id IN (SELECT open_id FROM customers WHERE status = 'active')"
    )
    assert buyer is not None
    rig.sim.act("complete_trade", tid=buyer["tid"])
    rig.clock.advance(600)
    records, cursor, _ = read(source, "customers", cursor)
    assert [record.source_id for record in records] == [buyer["open_id"]]
    rig.clock.advance(7 * DAY)
    records, _, _ = read(source, "customers", cursor)
    assert {record.source_id for record in records} == active(rig)


# ---- the rest ---------------------------------------------------------------------------------------------------------


def test_coupons_are_events_taken_and_used(rig: Rig) -> None:
    source = rig.source()
    events, cursor, _ = read(source, "coupons")
    rows = rig.world.view("youzan").table("coupons").to_pylist()
    assert Counter(event.type for event in events) == {
        "coupon.taken": len(rows), "coupon.used": sum(row["used_at"] is not None for row in rows),
    }  # fmt: skip
    rig.clock.advance(3600)
    coupon = rig.sim.db.value("SELECT coupon_id FROM vouchers WHERE used IS NULL ORDER BY sent DESC")
    rig.sim.act("use_voucher", coupon_id=coupon, tid="E1")
    rig.clock.advance(600)
    later, _, _ = read(source, "coupons", cursor)
    used = [event for event in later if event.source_id == f"used:{coupon}"]
    assert [(event.type, event.order_id) for event in used] == [("coupon.used", "E1")]


def test_coupons_go_on_behind_the_activity_that_was_finished(rig: Rig) -> None:
    source = rig.source()
    events, _, pages = read(source, "coupons")
    marks = [(number, page.cursor) for number, page in enumerate(pages) if page.cursor and page.cursor.get("activity")]
    number, cursor = marks[1]
    before = {record.source_id for page in pages[: number + 1] for record in page.records}
    rest = {record.source_id for record in read(source, "coupons", cursor)[0]}
    assert before | rest == {event.source_id for event in events}
    assert not before & rest


def test_order_lines_find_their_products_and_orders_their_shops_and_guides(rig: Rig) -> None:
    source = rig.source()
    products = {product.source_id for product in read(source, "products")[0]}
    stores = {store.source_id: store for store in read(source, "stores")[0]}
    staff = {person.source_id for person in read(source, "staff")[0]}
    orders = read(source, "orders")[0]
    assert {line.product_id for order in orders for line in order.lines} <= products
    assert {order.store_id for order in orders} <= set(stores)
    assert {order.guide_id for order in orders if order.guide_id} <= staff
    assert len(stores) == 1 + rig.sim.db.value("SELECT count(*) FROM shops")
    assert len({order.source_id for order in orders}) == len(orders)


def test_single_shop_without_a_chain_still_has_shop_and_staff(new_rig: NewRig) -> None:
    rig = new_rig(denied=["shop.chain.descendent.organization.list", "retail.open.chainstaff.querypage"])
    source = rig.source()
    assert [store.source_id for store in read(source, "stores")[0]] == [rig.sim.root]
    assert len(read(source, "staff")[0]) == rig.sim.db.value("SELECT count(*) FROM staff")


def test_check_tells_which_permission_is_missing(new_rig: NewRig) -> None:
    rig = new_rig(denied=["trade.refund.search"])
    checks = {check.name: check for check in rig.source().check()}
    assert [name for name, check in checks.items() if not check.ok] == ["refunds may be listed"]
    assert "能力包" in checks["refunds may be listed"].message


def test_check_reports_a_refused_credential_without_raising(rig: Rig) -> None:
    checks = rig.source(client_secret="not-it").check()
    assert [check.ok for check in checks] == [False]
