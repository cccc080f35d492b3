"""The streams: everything exactly once, who can be seen, and what a missing permission costs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from weimob_rig import Rig, chain, members, notes_of, read

from hub.errors import AuthError, ConfigError, StreamError
from hub.http import MemoryTokenStore
from hub.records import IdentifierKind
from hub.simulation.server import VirtualClock
from plugins.weimob.api import Api
from plugins.weimob.source import WeimobSource

NewRig = Callable[..., Rig]
DAY = 86_400.0
PLAIN = {"tags": False, "channels": False, "cards": False, "points": False}
"""Base data only: many customers cost few calls."""


# ---- the token --------------------------------------------------------------------------------------------------------


def test_a_refused_token_is_renewed_once(rig: Rig) -> None:
    client = rig.client()
    client.ask(Api.INFO)
    rig.sim.act("revoke_token")
    assert client.ask(Api.INFO)["bosName"] == "样板茶"
    assert rig.sim.journal.counts()["token"].calls == 2
    codes = [entry.code for entry in rig.sim.journal.entries(endpoint="bos/info/get") if entry.code]
    assert codes == ["80001001000119"]


def test_a_token_refused_twice_ends_the_connection_with_what_to_do(new_rig: NewRig) -> None:
    rig = new_rig(token_life=0.0)  # dead when it is given out
    with pytest.raises(AuthError) as caught:
        rig.client().ask(Api.INFO)
    assert caught.value.code == "weimob_authorisation_lost"
    assert caught.value.context["code"] == "80001001000119"
    assert rig.sim.journal.counts()["token"].calls == 2
    assert "authorised" in caught.value.hint


def test_a_short_lived_token_is_renewed_before_it_ends(new_rig: NewRig) -> None:
    rig = new_rig(token_life=7200.0)
    client = rig.client()
    for _ in range(5):
        client.ask(Api.INFO)
        rig.clock.advance(2000)
    assert {entry.code for entry in rig.sim.journal.entries(endpoint="bos/info/get")} <= {"", "0"}
    assert rig.sim.journal.counts()["token"].calls == 2


@pytest.mark.parametrize(
    ("settings", "code"),
    [({"client_secret": "not-the-secret"}, "weimob_credentials"), ({"bos_id": "402"}, "weimob_credentials")],
)
def test_wrong_credentials_stop_with_what_to_check(rig: Rig, settings: dict[str, str], code: str) -> None:
    with pytest.raises(ConfigError) as caught:
        rig.client(**settings).ask(Api.INFO)
    assert caught.value.code == code
    assert "client_secret" in caught.value.hint
    assert "not-the-secret" not in str(caught.value)


def test_a_tool_application_lives_by_refresh_tokens(rig: Rig) -> None:
    code = rig.sim.act("authorise_tool")["code"]  # type: ignore[index]
    rig.tokens = MemoryTokenStore()
    client = rig.client(authorisation="authorization_code", code=code, redirect_uri="https://hub.example.com")
    client.ask(Api.INFO)
    rig.sim.act("revoke_token")
    assert client.ask(Api.INFO)["bosName"] == "样板茶"


# ---- orders and after-sales -------------------------------------------------------------------------------------------


def amounts(rig: Rig) -> tuple[int, Decimal]:
    count, fen = (rig.sim.db.value(f"SELECT {what} FROM orders") for what in ("count(*)", "sum(paid_fen)"))
    return count, Decimal(fen) / 100


def test_crowded_windows_are_halved_and_give_every_order_once(new_rig: NewRig) -> None:
    rig = new_rig(depth=200)
    end = rig.clock.time() - 1800
    rig.sim.act("copy_orders", count=900, start=end - 20 * DAY, end=end, series=1)
    rig.sim.act("copy_orders", count=500, start=end - 9 * DAY, end=end - 9 * DAY + 3600, series=2)
    orders, _, _ = read(rig.source(orders={"since": "2024-12-01", "window_hours": 720, "depth": 200}), "orders")
    seen = Counter(order.source_id for order in orders)
    assert (len(seen), sum(order.total_amount for order in orders)) == amounts(rig)
    assert set(seen.values()) == {1}
    assert all(len(number) == 19 for number in seen if number.startswith("7"))


def test_a_platform_that_pages_less_deep_than_told_gives_every_order_too(new_rig: NewRig) -> None:
    rig = new_rig(depth=200)
    end = rig.clock.time() - 1800
    rig.sim.act("copy_orders", count=400, start=end - 20 * DAY, end=end, series=1)
    orders, _, _ = read(rig.source(), "orders")  # believes in 10 000
    assert {order.source_id for order in orders} == {
        str(row[0]) for row in rig.sim.db.rows("SELECT order_no FROM orders")
    }


def test_more_than_the_list_gives_at_one_moment_is_said(new_rig: NewRig) -> None:
    rig = new_rig(depth=200)
    at = rig.clock.time() - 1800
    rig.sim.act("copy_orders", count=500, start=at, end=at, series=1)
    with pytest.raises(StreamError) as caught:
        read(rig.source(), "orders")
    assert caught.value.code == "window_too_deep"


def test_an_order_that_moves_while_it_is_read_is_not_lost(rig: Rig) -> None:
    end = rig.clock.time() - 1800
    rig.sim.act("copy_orders", count=450, start=end - DAY, end=end, series=1)
    source = rig.source()
    stream = next(stream for stream in source.streams() if stream.name == "orders")
    pages, seen, touched = stream.read({}), set(), 0
    state: dict[str, Any] = {}
    for page in pages:
        seen |= {record.source_id for record in page.records}
        state = dict(page.cursor or state)
        for row in rig.sim.db.rows(
            "SELECT order_no FROM orders WHERE updated < ? ORDER BY random() LIMIT 7", rig.sim.present()
        ):
            rig.sim.act("finish_order", orderNo=row["order_no"])
            touched += 1
    rig.clock.advance(3600)
    seen |= {record.source_id for record in read(source, "orders", state)[0]}
    assert touched > 20
    assert seen == {str(row[0]) for row in rig.sim.db.rows("SELECT order_no FROM orders")}


def test_an_order_is_mapped_whole(rig: Rig) -> None:
    orders, _, _ = read(rig.source(), "orders")
    by_id = {order.source_id: order for order in orders}
    view = rig.world.view("weimob")
    for row in view.table("orders").to_pylist():
        order = by_id[row["order_id"]]
        assert order.total_amount * 100 == row["paid_fen"]
        assert order.freight_amount * 100 == row["delivery_fen"]
        assert (order.ordered_at, order.paid_at, order.updated_at) == (
            row["ordered_at"],
            row["paid_at"],
            row["updated_at"],
        )
        assert order.customer_id == row["member_id"]
        assert order.flags == ()
        assert sum(tender.amount for tender in order.tenders) * 100 == (row["paid_fen"] if row["paid_at"] else 0)
    lines = {line["line_id"]: line for line in view.table("order_lines").to_pylist()}
    for order in orders:
        for line in order.lines:
            assert line.net_amount * 100 == lines[line.line_id.zfill(len(next(iter(lines))))]["net_fen"]


def test_refunds_are_negative_orders_that_name_theirs(rig: Rig) -> None:
    refunds, _, _ = read(rig.source(), "refunds")
    orders, _, _ = read(rig.source(), "orders")
    world = {row["order_id"]: row for row in rig.world.view("weimob").table("refunds").to_pylist()}
    assert {refund.original_id for refund in refunds} == set(world)
    for refund in refunds:
        assert refund.original_id in {order.source_id for order in orders}
        assert refund.total_amount * 100 == -world[refund.original_id]["amount_fen"]
        assert sum(line.net_amount for line in refund.lines) + refund.freight_amount == refund.total_amount


# ---- customers --------------------------------------------------------------------------------------------------------


def test_customers_come_with_what_the_platform_knows(rig: Rig) -> None:
    customers, _, _ = read(rig.source(customers={"balance": True}), "customers")
    known = {row["member_id"]: row for row in rig.world.view("weimob").table("members").to_pylist()}
    alive = {each.source_id: each for each in customers if each.merged_into is None}
    assert alive.keys() == {wid for wid, row in known.items() if row["status"] == "active"}
    for wid, customer in alive.items():
        row = known[wid]
        kinds = {each.kind: each.value for each in customer.identifiers}
        assert kinds[IdentifierKind.WID] == wid
        assert kinds.get(IdentifierKind.UNIONID) == row["unionid"]
        assert kinds.get(IdentifierKind.OPENID) == row["openid"]
        assert kinds.get(IdentifierKind.PHONE, kinds.get(IdentifierKind.PHONE_MASKED)) == row["phone"]
        assert (customer.points, customer.balance) == (row["points"], Decimal(row["balance_fen"]) / 100)
        assert customer.registered_at == row["created_at"]
        assert customer.tags == tuple(f"门店标签:{tag}" for tag in row["tags"]) or set(customer.tags) == {
            f"门店标签:{tag}" for tag in row["tags"]
        }
        assert customer.belonging_guide_id == (str(rig.sim.guide_of(row["guide_id"])) if row["guide_id"] else None)


def test_masked_phones_never_match_and_cipher_text_is_left_out(new_rig: NewRig) -> None:
    masked, _, _ = read(new_rig(masked=True).source(customers=PLAIN), "customers")
    kinds = Counter(each.kind for customer in masked for each in customer.identifiers)
    assert kinds[IdentifierKind.PHONE_MASKED] > 0
    assert IdentifierKind.PHONE not in kinds


def test_phones_as_cipher_text_are_nobody_s_number(new_rig: NewRig) -> None:
    found, _, _ = read(new_rig(encrypted=True).source(customers=PLAIN), "customers")
    kinds = {each.kind for customer in found for each in customer.identifiers}
    assert not kinds & {IdentifierKind.PHONE, IdentifierKind.PHONE_MASKED}


def test_merged_numbers_point_to_their_successor_and_cancelled_ones_go(rig: Rig) -> None:
    source = rig.source(customers={**PLAIN, "rescan_days": 1})
    _, state, _ = read(source, "customers")
    kept, merged, gone = (int(wid) for wid in members(rig, 3))
    rig.sim.db.execute("UPDATE customers SET status = 'merged', into_wid = ? WHERE wid = ?", kept, merged)
    rig.sim.db.execute("UPDATE customers SET status = 'closed' WHERE wid = ?", gone)
    rig.clock.advance(2 * DAY)
    again, _, pages = read(rig.source(customers={**PLAIN, "rescan_days": 1}), "customers", state)
    assert {each.source_id: each.merged_into for each in again if each.merged_into} == {str(merged): str(kept)}
    deleted = {wid for page in pages for wid in page.deletions}
    assert str(gone) in deleted
    assert not deleted & {str(merged), str(kept)}


def test_one_customer_the_platform_stumbles_over_costs_nobody_else(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    from hub.simulation.server import RefusalError

    bad = int(members(rig, 30)[13])
    plain = rig.sim._base

    def stumbling(row: Any, body: Any) -> dict[str, Any]:
        if row["wid"] == bad:
            raise RefusalError("20999", "客户数据异常")
        return plain(row, body)

    monkeypatch.setattr(rig.sim, "_base", stumbling)
    found, _, pages = read(rig.source(customers=PLAIN), "customers")
    rejects = [reject for page in pages for reject in page.rejects]
    assert [(reject.source_id, "客户数据异常" in reject.reason) for reject in rejects] == [(str(bad), True)]
    assert (
        len({each.source_id for each in found})
        == rig.sim.db.value("SELECT count(*) FROM customers WHERE status = 'active'") - 1
    )


# ---- coverage ---------------------------------------------------------------------------------------------------------


def large(new_rig: NewRig, **knobs: Any) -> Rig:
    """Six hundred customers more, of whom a search shows 200; every fifth of them has bought."""
    rig = new_rig(search_most=200, **knobs)
    end = rig.clock.time() - 1800
    rig.sim.act("copy_members", count=600, start=end - 300 * DAY, end=end)
    buyers = [5_000_000_000_000_000_001 + number for number in range(0, 600, 5)]
    rig.sim.act("copy_orders", count=240, start=end - 50 * DAY, end=end, series=1, buyers=buyers)
    return rig


def coverage(pages: list[Any]) -> str:
    return next(note for note in notes_of(pages) if note.startswith("Coverage"))


def active(rig: Rig) -> int:
    return int(rig.sim.db.value("SELECT count(*) FROM customers WHERE status = 'active'"))


def test_a_search_cut_by_time_sees_everybody_though_it_is_capped(new_rig: NewRig) -> None:
    rig = large(new_rig)
    found, _, pages = read(rig.source(customers={**PLAIN, "search": {"most": 200}}), "customers")
    assert len({each.source_id for each in found}) == len(found) == active(rig)
    assert f"{active(rig):,} of {active(rig):,} customers seen, 100.0%" in coverage(pages)


def test_a_search_that_cannot_be_cut_sees_a_part_and_says_which_and_why(new_rig: NewRig) -> None:
    rig = large(new_rig, search_by_time=False)
    settings = {**PLAIN, "search": {"most": 200}}
    found, state, pages = read(rig.source(customers=settings), "customers")
    seen = {each.source_id for each in found}
    assert len(seen) == len(found)
    assert 250 < len(seen) < active(rig)
    told = coverage(pages)
    assert f"{len(seen):,} of {active(rig):,} customers seen, {len(seen) / active(rig):.1%}" in told
    assert "by the search" in told
    assert "at most 200 customers per search" in told
    assert any("becomeCustomerTime" in note for note in notes_of(pages))
    # One more day: some of the unseen buy, and are found by that.
    rig.clock.advance(DAY)
    late = [5_000_000_000_000_000_001 + number for number in range(1, 200, 5)]
    unseen = [wid for wid in late if str(wid) not in seen]
    now = rig.clock.time() - 3600
    rig.sim.act("copy_orders", count=len(late), start=now - 3600, end=now, series=2, buyers=late)
    again, _, pages = read(rig.source(customers=settings), "customers", state)
    assert {each.source_id for each in again} >= {str(wid) for wid in late}
    assert f"{len(seen) + len(unseen):,} of {active(rig):,} customers seen" in coverage(pages)
    assert unseen


def test_nobody_is_read_twice_in_a_run_and_everybody_known_again_in_a_scan(new_rig: NewRig) -> None:
    rig = large(new_rig, search_by_time=False)
    settings = {**PLAIN, "search": {"most": 200}, "rescan_days": 3}
    found, state, _ = read(rig.source(customers=settings), "customers")
    rig.clock.advance(3 * DAY)
    again, _, _ = read(rig.source(customers=settings), "customers", state)
    assert {each.source_id for each in again} == {each.source_id for each in found}
    assert len(again) == len(found)


def test_a_lost_roster_begins_anew(rig: Rig) -> None:
    source = rig.source(customers=PLAIN)
    found, state, _ = read(source, "customers")
    source.close()
    (rig.folder / ".hub/weimob/wm/roster.db").unlink()
    again, _, pages = read(rig.source(customers=PLAIN), "customers", state)
    assert {each.source_id for each in again} == {each.source_id for each in found}
    assert f"{active(rig):,} of {active(rig):,}" in coverage(pages)


def test_a_scan_that_was_cut_short_goes_on_and_ends_complete(new_rig: NewRig) -> None:
    after = 3
    rig = large(new_rig, search_by_time=False)
    settings = {**PLAIN, "search": {"most": 200}}
    seen: set[str] = set()
    state: dict[str, Any] = {}
    stream = next(stream for stream in rig.source(customers=settings).streams() if stream.name == "customers")
    moved = 0
    for page in stream.read({}):
        if page.cursor is not None:
            state, moved = dict(page.cursor), moved + 1
        seen |= {record.source_id for record in page.records} if page.cursor is None or moved <= after else set()
        if moved > after:
            break
    rest, _, pages = read(rig.source(customers=settings), "customers", state)
    whole, _, _ = read(new_rig_of(rig, settings), "customers")
    assert seen | {each.source_id for each in rest} == {each.source_id for each in whole}
    assert f"{len(whole):,} of {active(rig):,} customers seen" in coverage(pages)


def new_rig_of(rig: Rig, settings: dict[str, Any]) -> WeimobSource:
    """A connector of another hub to the same platform."""
    return rig.source(customers=settings, folder=str(rig.folder / "other"))


# ---- permissions ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("capability", "stream"),
    [
        (Api.CUSTOMERS, "customers"), (Api.ORDERS, "orders"), (Api.RIGHTS, "refunds"), (Api.COUPON_TEMPLATES, "coupons"), (Api.GOODS, "products"),
        (Api.ORGANISATIONS, "stores"), (Api.GUIDES, "guides"),
    ],
    ids=str,
)  # fmt: skip
def test_a_capability_that_was_not_applied_for_switches_off_its_stream(rig: Rig, capability: Any, stream: str) -> None:
    rig.sim.act("deny", capability=capability.name)
    source = rig.source(customers=PLAIN)
    for each in source.streams():
        if each.name == stream:
            with pytest.raises(StreamError) as caught:
                read(source, stream)
            assert caught.value.code == "weimob_capability_missing"
            assert caught.value.context["capability"] == capability.name
            assert "申请能力" in caught.value.hint
        else:
            assert read(source, each.name)[0]


@pytest.mark.parametrize(
    ("denied", "settings"),
    [
        ((Api.TAGS_OF, Api.CHANNELS, Api.CARDS, Api.POINTS), {}),
        ((Api.USER_SEARCH, Api.ORDERS, Api.COUPON_CODES), PLAIN),
        ((Api.GUIDE_CUSTOMERS,), PLAIN),
    ],
    ids=["details", "ways", "guides"],
)
def test_customers_are_read_without_extras_that_are_not_granted(
    rig: Rig, denied: Any, settings: dict[str, Any]
) -> None:
    for capability in denied:
        rig.sim.act("deny", capability=capability.name)
    found, _, pages = read(rig.source(customers=settings), "customers")
    assert found
    for capability in denied:
        assert sum(f"{capability.name} is not granted" in note for note in notes_of(pages)) == 1


def test_without_the_search_nobody_knows_how_many_there_are(rig: Rig) -> None:
    rig.sim.act("deny", capability="bos/user/search")
    found, _, pages = read(rig.source(customers=PLAIN), "customers")
    assert f"{len(found):,} customers seen" in coverage(pages)
    assert "not known: user/search is not granted" in coverage(pages)


def test_check_names_what_is_missing_and_tries_the_rest(rig: Rig) -> None:
    rig.sim.act("deny", capability="weimob_shop/rights/list/search")
    checks = {check.name: check for check in rig.source().check()}
    assert [name for name, check in checks.items() if not check.ok] == ["after-sales may be searched"]
    assert "申请能力" in checks["after-sales may be searched"].message
    assert all(check.ok for check in rig.destination().check())
    rig.tokens = MemoryTokenStore()
    bad = rig.source(client_secret="not-the-secret").check()
    assert [check.ok for check in bad] == [False]


# ---- the catalogue and coupons ------------------------------------------------------------------------------------------


def test_goods_shops_and_guides_are_those_of_the_chain(rig: Rig) -> None:
    view, source = rig.world.view("weimob"), rig.source()
    products, stores, guides = (read(source, name)[0] for name in ("products", "stores", "guides"))
    assert {each.sku_id: each.list_price * 100 for each in products} == {
        row["product_id"]: row["price_fen"] for row in view.table("products").to_pylist()
    }
    shops = {row["shop_id"]: row for row in view.table("shops").to_pylist()}
    assert {each.number for each in stores} == {*shops, "HQ"}
    assert all(
        each.city == shops[each.number]["city"] and each.kind == "store" for each in stores if each.number != "HQ"
    )
    assert {each.name for each in guides} == {row["name"] for row in view.table("staff").to_pylist()}
    assert {each.store_id for each in guides} <= {each.source_id for each in stores}


def test_coupons_taken_and_used_are_events_and_only_news_come_again(rig: Rig) -> None:
    source = rig.source()
    events, state, _ = read(source, "coupons")
    rows = rig.world.view("weimob").table("coupons").to_pylist()
    taken = {
        (each.properties["code"], each.customer_id, each.occurred_at) for each in events if each.type == "coupon.taken"
    }
    assert taken == {(row["coupon_code"], row["member_id"], row["taken_at"]) for row in rows}
    used = {(each.properties["code"], each.order_id) for each in events if each.type == "coupon.used"}
    assert used == {(row["coupon_code"], row["used_order_id"]) for row in rows if row["used_at"]}
    assert read(source, "coupons", state)[0] == []


def test_the_source_follows_the_world(new_rig: NewRig) -> None:
    world = chain(1200, 20, "tea")
    rig = new_rig(world)
    source = rig.source(customers=PLAIN)
    states = {name: read(source, name)[1] for name in ("customers", "orders")}
    tomorrow = world.end.timestamp() + 5 * DAY
    rig.sim.move_to(VirtualClock(tomorrow).now())
    rig.clock.advance_to(tomorrow + 600)
    orders = {each.source_id for name in ("orders",) for each in read(source, name, states[name])[0]}
    people = {each.source_id for each in read(rig.source(customers=PLAIN), "customers", states["customers"])[0]}
    later = world.at(VirtualClock(tomorrow).now()).view("weimob")
    assert {row["order_id"] for row in later.table("orders").to_pylist() if row["updated_at"] > world.end} <= orders
    assert {
        row["member_id"]
        for row in later.table("members").to_pylist()
        if row["created_at"] > world.end and row["status"] == "active"
    } <= people
