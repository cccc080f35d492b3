"""Pushed messages: signed, stored before they are acknowledged, kept once, read by the next run."""

from __future__ import annotations

import asyncio
import datetime as dt
import hashlib
import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from weimob_rig import Rig, members, operation, read

from hub.simulation.server import PushState
from plugins.weimob.messages import Message, MessageError, Subject, decode, is_authentic, read_message, sign

NewRig = Callable[..., Rig]
BODY = '{"wid":10000000001,"membershipPlanId":2001,"bosId":4020000000001}'
DOCUMENTED = {
    "id": "7301000000000000001", "topic": "weimob_crm.customer", "event": "create", "bosId": 4020000000001,
    "sign": "66393d360781cfcd243b1e7899023d7e", "msgBody": BODY, "saasChannel": "wos", "test": False, "msgVersion": "1.0",
}  # fmt: skip
URL = "http://hub.example.com/weimob/cloud/wos/message/receive"


# ---- checking and reading ---------------------------------------------------------------------------------------------


def test_documented_vector_of_the_signature() -> None:
    assert (
        sign("DEMO_CLIENT_ID", "DEMO_CLIENT_SECRET", "7301000000000000001", BODY) == "66393d360781cfcd243b1e7899023d7e"
    )
    assert is_authentic("DEMO_CLIENT_ID", "DEMO_CLIENT_SECRET", DOCUMENTED)


def test_signature_is_over_the_bytes_of_chinese_text() -> None:
    body = '{"wid":1,"reason":"生日礼"}'
    expected = hashlib.md5(b"app" + b"7" + body.encode() + b"secret").hexdigest()
    assert sign("app", "secret", "7", body) == expected
    assert is_authentic("app", "secret", {"id": "7", "msgBody": body, "sign": expected.upper()})


@hypothesis_settings(max_examples=30, deadline=None)
@given(st.text(max_size=60), st.text(min_size=1, max_size=5), st.sampled_from(["id", "msgBody"]))
def test_a_changed_message_is_not_authentic(body: str, more: str, where: str) -> None:
    content = {"id": "7", "msgBody": body, "sign": sign("app", "secret", "7", body)}
    assert is_authentic("app", "secret", content)
    assert not is_authentic("app", "secret", {**content, where: content[where] + more})


@pytest.mark.parametrize(
    ("topic", "body", "subject", "things"),
    [
        ("weimob_crm.customer", {"widList": [1, "2"], "membershipPlanId": 9}, Subject.CUSTOMER, ["1", "2"]),
        ("weimob_crm.membercard", {"wid": 3, "guideWid": 8}, Subject.CUSTOMER, ["3"]),
        ("weimob_cdp.customer.tag", {"wid": 4, "tagId": 7}, Subject.CUSTOMER, ["4"]),
        ("bos.user", {"oldWid": 5, "newWid": 6, "operatorWid": 8}, Subject.CUSTOMER, ["5", "6"]),
        ("weimob_shop.order", {"orderNo": 9_223_372_036_854_775_807, "wid": 1}, Subject.ORDER, ["9223372036854775807"]),
        ("weimob_shop.rights", {"rightsId": 11, "orderNo": 10}, Subject.REFUND, ["11"]),
        ("weimob_crm.coupon", {"code": "A1", "wid": 1}, Subject.COUPON, ["A1"]),
        ("bos.organization", {"vid": 1}, Subject.OTHER, []),
    ],
)
def test_a_message_names_what_must_be_read_again(
    topic: str, body: dict[str, Any], subject: Subject, things: list[str]
) -> None:
    message = Message("1", topic, "update", "1", test=False, body=body)
    assert (message.subject, list(message.things())) == (subject, things)


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b'{"id":"1","msgBody":{"wid":1}}', b"\xff"])
def test_a_message_without_a_body_as_text_is_refused(content: bytes) -> None:
    with pytest.raises(MessageError):
        decode(content)


def test_a_message_of_another_merchant_is_refused() -> None:
    with pytest.raises(MessageError) as caught:
        read_message(DOCUMENTED, "4020000000002")
    assert caught.value.code == "message_foreign"


# ---- the receiver -----------------------------------------------------------------------------------------------------


def send(receiver: Any, content: bytes, method: str = "POST") -> httpx.Response:
    async def call() -> httpx.Response:
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(app=receiver), base_url="http://hub.example.com"
        ) as client:
            return await client.request(method, URL, content=content)

    return asyncio.run(call())


def signed(rig: Rig, number: str, topic: str, body: dict[str, Any], /, **more: Any) -> bytes:
    known, text = rig.sim.credentials, json.dumps(body)
    sign_ = sign(known["client_id"], known["client_secret"], number, text)
    content = {
        "id": number,
        "topic": topic,
        "event": "update",
        "bosId": int(known["bos_id"]),
        "sign": sign_,
        "msgBody": text,
        **more,
    }
    return json.dumps(content).encode()


def test_a_signed_message_is_kept_once_and_acknowledged_each_time(rig: Rig) -> None:
    receiver, inbox = rig.receiver(), rig.inbox()
    content = signed(rig, "7", "weimob_shop.order", {"orderNo": 1})
    answers = [send(receiver, content) for _ in range(3)]
    assert [(answer.status_code, answer.json()) for answer in answers] == [
        (200, {"code": {"errcode": "0", "errmsg": "success"}})
    ] * 3
    assert len(inbox.after(0, rig.clock.now(), 10)) == 1


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"sign": "0" * 32}, 401),
        ({"sign": None}, 401),
        ({"bosId": 1}, 400),
        ({"topic": ""}, 400),
        ({"msgBody": {"wid": 1}}, 400),
    ],
    ids=str,
)
def test_what_cannot_be_trusted_is_refused_and_not_kept(rig: Rig, change: dict[str, Any], status: int) -> None:
    receiver, inbox = rig.receiver(), rig.inbox()
    assert send(receiver, signed(rig, "7", "weimob_shop.order", {"orderNo": 1}, **change)).status_code == status
    assert inbox.after(0, rig.clock.now(), 10) == []


def test_the_console_s_test_is_acknowledged_and_not_kept(rig: Rig) -> None:
    receiver, inbox = rig.receiver(), rig.inbox()
    assert send(receiver, signed(rig, "7", "weimob_shop.order", {"orderNo": 1}, test=True)).status_code == 200
    assert inbox.after(0, rig.clock.now(), 10) == []
    assert send(receiver, b"", "GET").status_code == 405


def test_old_messages_are_removed_and_new_ones_kept(rig: Rig) -> None:
    inbox, now = rig.inbox(), rig.clock.now()
    for number in range(1_000):
        at = now - dt.timedelta(days=31) if number < 500 else now
        inbox.add(Message(str(number), "weimob_shop.order", "update", "1", test=False, body={"orderNo": number}), at)
    assert [each.message.id for each in inbox.after(0, now, 2_000)] == [str(number) for number in range(500, 1_000)]


# ---- from the platform to the streams -----------------------------------------------------------------------------------


def _to(receiver: Any, request: httpx.Request) -> httpx.Response:
    answer = send(receiver, request.content)
    return httpx.Response(answer.status_code, content=answer.content)


@pytest.mark.parametrize("programme", ["none", "duplicate_push", "out_of_order_push"])
def test_pushed_changes_are_read_before_the_window_reaches_them(new_rig: NewRig, programme: str) -> None:
    inboxes: list[Any] = []
    rig = new_rig(push_transport=httpx.MockTransport(lambda request: _to(inboxes[0], request)))
    inboxes.append(rig.receiver())
    rig.sim.act("subscribe", url=URL)
    rig.sim.use_faults(programme, seed=2)
    source = rig.source()
    _, state, _ = read(source, "orders")
    number = rig.sim.db.value("SELECT order_no FROM orders WHERE status = 3")
    rig.clock.advance(3600)
    rig.sim.act("finish_order", orderNo=number)
    rig.sim.pushes.drain()
    rig.clock.advance(45)
    found, state, _ = read(source, "orders", state)
    # The change is younger than what the window takes: only the message tells of it.
    assert [(order.source_id, order.status.value) for order in found] == [(str(number), "fulfilled")]
    assert {push.state for push in rig.sim.pushes.pushes()} == {PushState.DELIVERED}
    assert read(source, "orders", state)[0] == []


def test_a_booking_by_the_hub_comes_back_as_a_message_about_its_customer(new_rig: NewRig) -> None:
    receivers: list[Any] = []
    rig = new_rig(push_transport=httpx.MockTransport(lambda request: _to(receivers[0], request)))
    receivers.append(rig.receiver())
    rig.sim.act("subscribe", url=URL)
    source, (wid, *_) = rig.source(), members(rig, 1)
    _, state, _ = read(source, "customers")
    destination = rig.destination()
    target = next(target for target in destination.targets() if target.name == "points")
    assert [outcome.status.value for outcome in destination.write(target, [operation(1, wid, delta=7)])] == ["accepted"]
    rig.sim.pushes.drain()
    rig.clock.advance(60)
    found, _, _ = read(source, "customers", state)
    before = rig.sim.db.value("SELECT json_extract(body, '$.points') FROM customers WHERE wid = ?", int(wid))
    assert [(each.source_id, each.points) for each in found] == [(wid, before + 7)]
