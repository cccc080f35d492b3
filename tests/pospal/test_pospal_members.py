"""Members, top-ups, coupons and the catalogue; and pushed messages, which tell the next run what to read."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest
from pospal_rig import Rig, item, member, read, ticket

from hub.records import Customer, IdentifierKind, OrderKind
from hub.simulation.server import PushState
from plugins.pos.pospal.api import Api
from plugins.pos.pospal.messages import MessageError, Subject, read_message
from plugins.pos.pospal.receiver import Receiver
from plugins.pos.pospal.signing import signature_v1

NewRig = Callable[..., Rig]
UID = 360135572336007987


def kinds(customer: Customer) -> dict[IdentifierKind, tuple[str, str]]:
    return {each.kind: (each.value, each.scope) for each in customer.identifiers}


def test_member_s_identifiers_level_and_account(rig: Rig) -> None:
    given = member(
        UID, "M1001", "林小满🌿", "15400010001", point=12.5, balance=88.8, categoryName="金卡会员", birthday="1990-05-17",
        createStoreAppIdOrAccount=rig.sim.app_of("S02"), extInfo={"sex": 0, "nickName": "小满"},
        weixinOpenIds=[{"openId": "oA1", "openIdType": 0}, {"openId": "oB2", "openIdType": 1}, {"openId": "uC3", "openIdType": 1000}],
    )  # fmt: skip
    rig.sim.act("join", shop="S01", member=given)
    found, _, pages = read(rig.source(members={"official_account": "wxofficial"}), "members")
    [one] = found
    assert (one.source_id, one.name, one.gender, one.birthday) == (str(UID), "林小满🌿", "female", "1990-05-17")
    assert (one.points, one.balance, one.level) == (Decimal("12.5"), Decimal("88.8"), "金卡会员")
    assert one.belonging_store_id == "S02"
    assert kinds(one) == {
        IdentifierKind.MEMBER_NO: ("M1001", "chain"), IdentifierKind.PHONE: ("15400010001", ""),
        IdentifierKind.UNIONID: ("uC3", ""), IdentifierKind.OPENID: ("oB2", "pospal/1"),
    }  # fmt: skip
    assert ("oA1", "wxofficial") in {(each.value, each.scope) for each in one.identifiers}
    assert given["password"] not in json.dumps(
        [page.records[0].model_dump(mode="json") for page in pages if page.records]
    )


def test_lunar_birthday_stands_in_where_there_is_no_other(rig: Rig) -> None:
    rig.sim.act("join", shop="S01", member=member(UID, "M1", "", "", extInfo={"lunarBirthday": "1990-08-15"}))
    [one] = read(rig.source(), "members")[0]
    assert (one.birthday, one.birthday_calendar, one.name) == ("1990-08-15", "lunar", None)
    assert IdentifierKind.PHONE not in kinds(one)


def test_same_phone_on_two_members_stays_two_profiles(rig: Rig) -> None:
    for number in range(2):
        rig.sim.act("join", shop="S01", member=member(UID + number, f"M{number}", "一家人", "15400010001"))
    assert len(read(rig.source(), "members")[0]) == 2


def test_family_that_shares_a_card_is_one_member_on_all_their_tickets(rig: Rig) -> None:
    rig.sim.act("join", shop="S01", member=member(UID, "M1", "一家人", "15400010001"))
    for number, shop in enumerate(["S01", "S01", "S02"]):
        rung = ticket(9_000 + number, f"2026-03-02 1{number}:00:00", item("a", 1.0), customerUid=UID)
        rig.sim.act("ring_up", shop=shop, ticket=rung)
    source = rig.source()
    orders = [order for shop in ("S01", "S02") for order in read(source, "tickets", shop)[0]]
    assert {order.customer_id for order in orders} == {str(UID)}
    assert {order.store_id for order in orders} == {"S01", "S02"}


@pytest.mark.parametrize("count", [100, 200, 250])
def test_members_come_once_although_two_shops_share_them(new_rig: NewRig, count: int) -> None:
    rig = new_rig(shops=("S01", "S02", "S03"))
    for number in range(count):
        rig.sim.act("join", shop=f"S0{number % 2 + 1}", member=member(UID + number, f"M{number}", "", ""))
    source = rig.source()
    parts = next(stream for stream in source.streams() if stream.name == "members").partitions
    assert parts is not None
    assert list(parts()) == ["S01", "S03"]
    found = [one.source_id for part in parts() for one in read(source, "members", part)[0]]
    assert len(found) == len(set(found)) == count


def test_everybody_is_read_anew_only_when_it_is_time(rig: Rig) -> None:
    rig.sim.act("join", shop="S01", member=member(UID, "M1", "", "15400010001"))
    source = rig.source(members={"rescan_hours": 12})
    _, state, _ = read(source, "members")
    rig.clock.advance(3600)
    assert read(source, "members", None, state)[0] == []
    rig.clock.advance(12 * 3600)
    assert len(read(source, "members", None, state)[0]) == 1


def test_scan_that_was_broken_off_goes_on_where_it_was(new_rig: NewRig) -> None:
    rig = new_rig(page_size=10)
    for number in range(35):
        rig.sim.act("join", shop="S01", member=member(UID + number, f"M{number}", "", ""))
    source = rig.source()
    _, _, pages = read(source, "members")
    rest, last, _ = read(source, "members", None, pages[1].cursor)
    assert len(rest) == 15
    assert set(last) == {"scanned"}


def test_deleted_member_is_a_deletion(rig: Rig) -> None:
    rig.sim.act("join", shop="S01", member=member(UID, "M1", "", ""))
    rig.sim.act("delete_member", uid=str(UID))
    _, _, pages = read(rig.source(), "members")
    assert [list(page.deletions) for page in pages] == [[str(UID)]]


def test_top_up_is_money_in_and_no_sale(rig: Rig) -> None:
    body = {
        "uid": 77, "customerUid": UID, "rechargeMoney": 100.0, "giftMoney": 20.0, "datetime": "2026-03-01 04:00:00", "cashierUid": 0,
        "payMethod": "微信支付", "payMethodCode": "payCode_13", "rechargeStoreAppId": rig.sim.app_of("S02"),
    }  # fmt: skip
    rig.sim.act("top_up", shop="S01", recharge=body)
    source = rig.source()
    found, state, _ = read(source, "recharges")
    [one] = found
    assert (one.kind, one.total_amount, one.customer_id, one.store_id) == (OrderKind.DEPOSIT, 100, str(UID), "S02")
    assert (one.lines[0].kind, one.tenders[0].method, one.extra["giftMoney"]) == ("deposit", "wechat", "20.0")
    assert [each.source_id for each in read(source, "recharges", None, state)[0]] == ["recharge-77"]


def test_chain_s_members_coupons_goods_shops_and_cashiers_are_all_there(tills: Rig) -> None:
    source, view = tills.source(), tills.sim.world.now.view("pos")
    for name, table, column in (
        ("products", "skus", "sku_id"),
        ("stores", "shops", "shop_id"),
        ("staff", "staff", "staff_id"),
    ):
        found = read(source, name)[0]
        assert len({record.source_id for record in found}) == len(set(view.table(table)[column].to_pylist())), name
    people = {
        one.source_id for part in [s.id for s in tills.config().leaders] for one in read(source, "members", part)[0]
    }
    assert people == {row["member_id"] for row in view.table("members").to_pylist() if row["status"] == "active"}
    used = {row["coupon_code"] for row in view.table("coupons").to_pylist() if row["used_at"]}
    events = [event for shop in tills.sim.shop_ids for event in read(source, "coupons", shop)[0]]
    assert {event.properties["code"] for event in events} == used
    assert used
    top_ups = [o for shop in tills.sim.shop_ids for o in read(source, "recharges", shop)[0]]
    assert len(top_ups) == sum(row["reason"] == "top_up" for row in view.table("stored_value").to_pylist()) > 0


# ---- pushed messages --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("inner", [json.dumps({"sn": "T1"}), {"sn": "T1"}])
def test_message_is_read_as_json_with_an_object_or_text_inside(inner: Any) -> None:
    message = read_message(json.dumps({"appId": "A", "cmd": "ticket.new", "body": inner}).encode())
    assert (message.app_id, message.subject, message.thing) == ("A", Subject.TICKET, "T1")


def test_message_is_read_as_a_form() -> None:
    body = urlencode({"appId": "A", "cmd": "customer.new", "body": json.dumps({"customerUid": UID})}).encode()
    assert read_message(body, "application/x-www-form-urlencoded").thing == str(UID)


@pytest.mark.parametrize("body", [b"no json", b"[]", b"{}", b'{"appId": "A", "cmd": "ticket.new", "body": "{"}'])
def test_unreadable_message_is_refused(body: bytes) -> None:
    with pytest.raises(MessageError):
        read_message(body)


class _Post(httpx.BaseTransport):
    """Brings the simulator's messages to the receiver, as a server would."""

    def __init__(self, receiver: Receiver) -> None:
        self.receiver = receiver

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        async def post() -> httpx.Response:
            async with httpx.AsyncClient(transport=httpx.ASGITransport(self.receiver)) as client:
                headers = {name: value for name, value in request.headers.items() if name != "content-length"}
                return await client.request(request.method, request.url, content=request.read(), headers=headers)

        answer = asyncio.run(post())
        return httpx.Response(answer.status_code, content=answer.content)


def test_messages_lead_the_next_run_to_what_happened(rig: Rig) -> None:
    inbox = {"folder": "inbox"}
    old = ticket(501, "2026-01-05 10:00:00", item("a", 7.0))  # far outside of the days that are read
    rig.sim.act("ring_up", shop="S01", ticket=old)
    source = rig.source(inbox=inbox)
    _, state, _ = read(source, "tickets", "S01")
    _, members, _ = read(source, "members", "S01")

    receiver = Receiver(rig.config(inbox=inbox), rig.inbox(inbox=inbox), rig.clock.now)
    rig.sim.pushes._transport = _Post(receiver)
    for shop in ("S01", "S02"):
        rig.client(shop).change(Api.PUSH_URL_SET, {"pushUrl": "https://hub.example.com/p"}, repeatable=True)
    rig.sim.use_faults("duplicate_push+out_of_order_push", rate=1.0)
    rig.sim.act("reverse", uid="501")
    rig.sim.act("join", shop="S02", member=member(UID, "M1", "", "15400010001"))
    rig.sim.pushes.drain()
    assert {push.state for push in rig.sim.pushes.pushes()} == {PushState.DELIVERED}

    found, _, _ = read(source, "tickets", "S01", state)
    assert [(order.source_id, str(order.status)) for order in found] == [("501", "void")]
    assert [one.source_id for one in read(source, "members", "S01", members)[0]] == [str(UID)]


def test_message_with_another_signature_is_not_kept(rig: Rig) -> None:
    inbox = {"folder": "inbox"}
    kept = rig.inbox(inbox=inbox)
    receiver = Receiver(rig.config(inbox=inbox), kept, rig.clock.now)
    body = json.dumps({"appId": rig.sim.app_of("S01"), "cmd": "ticket.new", "body": {"sn": "1"}}).encode()

    def answer(signature: str, content: bytes = body) -> httpx.Response:
        request = httpx.Request(
            "POST", "https://hub.example.com/", content=content, headers={"data-signature": signature}
        )
        return _Post(receiver).handle_request(request)

    assert answer("0" * 32).status_code == 401
    assert answer("x", b"{").status_code == 400
    assert kept.read({})[0] == []
    good = answer(signature_v1(rig.sim.key_of("S01"), body))
    assert (good.status_code, good.text) == (200, "SUCCESS")
    answer(signature_v1(rig.sim.key_of("S01"), body))
    assert len(kept.read({})[0]) == 1
