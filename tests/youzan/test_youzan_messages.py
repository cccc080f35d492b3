"""Pushed messages: signed, stored before they are acknowledged, kept once, read by the next run."""

from __future__ import annotations

import asyncio
import datetime as dt
import hashlib
import json
import multiprocessing
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from youzan_rig import Rig, members, operation, read

from hub.errors import RowError
from hub.simulation.server import PushState
from plugins.youzan.messages import Message, MessageError, Subject, event_sign, is_authentic, read_message
from plugins.youzan.receiver import Receiver, spool_of
from plugins.youzan.spool import Spool

NewRig = Callable[..., Rig]
NOON = dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC)


def body_of(**more: Any) -> bytes:
    fields = {
        "client_id": "app",
        "type": "trade_TradeClose",
        "id": "E1",
        "kdt_id": 4,
        "version": 7,
        "msg_id": "m1",
        "msg": "",
        **more,
    }
    return json.dumps(fields).encode()


# ---- checking and reading ---------------------------------------------------------------------------------------------


def test_signature_is_the_md5_of_id_body_and_secret() -> None:
    body = '{"type":"trade_TradeClose","msg":"%7B%7D","name":"满仓烘焙"}'.encode()
    expected = hashlib.md5(b"a1b2c3d4e5f60718" + body + b"0f1e2d3c4b5a69788796a5b4c3d2e1f0").hexdigest()
    assert event_sign("a1b2c3d4e5f60718", "0f1e2d3c4b5a69788796a5b4c3d2e1f0", body) == expected
    assert is_authentic("a1b2c3d4e5f60718", "0f1e2d3c4b5a69788796a5b4c3d2e1f0", body, expected.upper())


def test_known_vector_of_the_signature() -> None:
    assert event_sign("app", "secret", b'{"a":1}') == "00b4d3cd5a4f2f1b7e765b05fc2b435b"


@given(st.binary(max_size=200), st.binary(min_size=1, max_size=5))
def test_changed_body_is_not_authentic(body: bytes, more: bytes) -> None:
    assert not is_authentic("app", "secret", body + more, event_sign("app", "secret", body))


@pytest.mark.parametrize("encode", [quote, quote_plus, lambda text: text])
def test_encoded_message_is_read_whatever_stands_for_a_blank(encode: Callable[[str], str]) -> None:
    msg = {"tid": "E1", "update_time": "2026-11-05 15:31:02", "note": "1%2B1 = 2"}
    message = read_message(body_of(msg=encode(json.dumps(msg))), "app")
    assert message.body["update_time"] == "2026-11-05 15:31:02"


def test_object_message_is_read() -> None:
    message = read_message(body_of(type="youzan_trade_RefundSuccess", msg={"refund_id": "R1", "tid": "E1"}), "app")
    assert (message.subject, list(message.things())) == (Subject.REFUND, ["R1"])


@pytest.mark.parametrize(
    ("kind", "msg", "subject", "things"),
    [
        ("trade_TradePaid", {"tid": "E9"}, Subject.TRADE, ["E9"]),
        ("trade_refund_RefundSuccess", {"refund_id": "R9"}, Subject.REFUND, ["R9"]),
        ("SCRM_CUSTOMER_EVENT", {"yz_open_id": "a"}, Subject.CUSTOMER, ["a"]),
        ("SCRM_CUSTOMER_EVENT", {"account_type": "YzOpenId", "account_id": "b"}, Subject.CUSTOMER, ["b"]),
        ("POINTS", {"yz_open_id": "a", "total": 5}, Subject.CUSTOMER, ["a"]),
        ("OPEN_PUSH_SCRM_MEMBER_MERGE", {"sourceYzOpenId": "a", "targetYzOpenId": "b"}, Subject.CUSTOMER, ["a", "b"]),
        (
            "OPEN_PUSH_SCRM_MEMBER_MERGE",
            {"old": {"yz_open_id": "a"}, "new": [{"yz_open_id": "b"}]},
            Subject.CUSTOMER,
            ["a", "b"],
        ),
        ("COUPON_CUSTOMER_PROMOTION", {"id": "88"}, Subject.COUPON, ["88"]),
        ("ITEM_INFO", {"item_id": 1}, Subject.OTHER, []),
    ],
)
def test_message_names_what_to_read_again(kind: str, msg: dict[str, Any], subject: Subject, things: list[str]) -> None:
    message = read_message(body_of(type=kind, msg=quote(json.dumps(msg))), "app")
    assert (message.subject, list(message.things())) == (subject, things)


def test_message_without_an_id_of_its_own_is_told_by_type_shop_thing_and_version() -> None:
    message = read_message(body_of(msg_id=None, type="youzan_item_SkuStockChanged"), "app")
    assert message.key == "youzan_item_SkuStockChanged/4/E1/7"


@pytest.mark.parametrize("body", [b"no json", b"[]", b"{}", body_of(client_id="another")])
def test_unreadable_or_foreign_message_is_refused(body: bytes) -> None:
    with pytest.raises(MessageError):
        read_message(body, "app")
    assert issubclass(MessageError, RowError)


# ---- keeping ----------------------------------------------------------------------------------------------------------


def message(key: str, version: int = 1, kind: str = "trade_TradePaid", **msg: Any) -> Message:
    return Message(key, kind, "", "4", "E1", version, test=False, body=msg)


def test_message_is_kept_once_also_by_another_process_and_after_a_restart(tmp_path: Path) -> None:
    assert Spool(tmp_path).add(message("m1"), NOON)
    assert not Spool(tmp_path).add(message("m1"), NOON + dt.timedelta(hours=20))
    assert Spool(tmp_path).add(message("m2"), NOON)
    assert [each.message.key for each in Spool(tmp_path).read({}, NOON)] == ["m1", "m2"]


def _fill(folder: Path) -> None:
    spool = Spool(folder)
    for number in range(50):
        spool.add(message(f"m{number}"), NOON)


def test_processes_that_receive_the_same_messages_keep_each_once(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=_fill, args=(tmp_path,)) for _ in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert sorted(each.message.key for each in Spool(tmp_path).read({}, NOON)) == sorted(f"m{n}" for n in range(50))


def test_line_torn_by_a_kill_spoils_nothing_but_itself(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    spool.add(message("m1"), NOON)
    path = next(tmp_path.glob("*.jsonl"))
    path.write_bytes(path.read_bytes() + b'{"key": "torn", "recei')
    assert [each.message.key for each in Spool(tmp_path).read({}, NOON)] == ["m1"]
    assert Spool(tmp_path).add(message("torn"), NOON)
    assert [each.message.key for each in Spool(tmp_path).read({}, NOON)] == ["m1", "torn"]


def test_reader_goes_on_behind_any_message_and_leaves_the_newest(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    for number in range(6):
        spool.add(message(f"m{number}"), NOON + dt.timedelta(hours=10 * number))
    waiting = list(spool.read({}, NOON + dt.timedelta(hours=45)))
    assert [each.message.key for each in waiting] == ["m0", "m1", "m2", "m3", "m4"]
    for number, each in enumerate(waiting):
        rest = spool.read(each.position, NOON + dt.timedelta(days=9))
        assert [later.message.key for later in rest] == [f"m{n}" for n in range(number + 1, 6)]


def test_old_files_are_removed(tmp_path: Path) -> None:
    spool = Spool(tmp_path, keep_days=5)
    for day in (0, 4, 7):
        spool.add(message(f"m{day}"), NOON + dt.timedelta(days=day))
    assert [path.stem for path in sorted(tmp_path.glob("*.jsonl"))] == ["2026-03-05", "2026-03-08"]


# ---- receiving, with the simulated platform at the other end ----------------------------------------------------------


class Wire(httpx.BaseTransport):
    """Carries what the platform pushes to an ASGI application, as a server would."""

    def __init__(self) -> None:
        self.app: Receiver | None = None
        self.down = 0

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        if self.down > 0:
            self.down -= 1
            raise httpx.ConnectError("refused", request=request)
        assert self.app is not None
        return asyncio.run(self._ask(self.app, request))

    @staticmethod
    async def _ask(app: Receiver, request: httpx.Request) -> httpx.Response:
        inner = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=inner) as client:
            url, headers = str(request.url), dict(request.headers)
            found = await client.request(request.method, url, content=request.read(), headers=headers)
        return httpx.Response(found.status_code, content=found.content)


@pytest.fixture
def pushed(new_rig: NewRig) -> tuple[Rig, Wire, Spool]:
    """A rig whose platform pushes to a receiver."""
    wire = Wire()
    rig = new_rig(push_transport=wire)
    config = rig.config(inbox={"folder": "inbox"})
    spool = spool_of(config, rig.runtime())
    assert spool is not None
    wire.app = Receiver(config, spool, rig.clock.now)
    rig.sim.act("subscribe", url="https://hub.example.com/youzan")
    return rig, wire, spool


def kept(spool: Spool, rig: Rig) -> list[Message]:
    return [each.message for each in spool.read({}, rig.clock.now())]


def test_message_is_stored_and_acknowledged(pushed: tuple[Rig, Wire, Spool]) -> None:
    rig, _, spool = pushed
    tid = rig.sim.db.value("SELECT tid FROM trades")
    rig.sim.act("complete_trade", tid=tid)
    assert [attempt.accepted for attempt in rig.sim.pushes.deliver_due()] == [True]
    assert [list(each.things()) for each in kept(spool, rig)] == [[tid]]


def test_refused_message_comes_again_on_the_platforms_schedule_and_is_kept_once(
    pushed: tuple[Rig, Wire, Spool],
) -> None:
    rig, wire, spool = pushed
    rig.sim.use_faults("duplicate_push", rate=1.0)
    wire.down = 4
    rig.sim.act("complete_trade", tid=rig.sim.db.value("SELECT tid FROM trades"))
    attempts = rig.sim.pushes.drain()
    assert [attempt.accepted for attempt in attempts].count(False) == 4
    assert len(kept(spool, rig)) == 1
    assert {push.state for push in rig.sim.pushes.pushes()} == {PushState.DELIVERED}


def test_test_message_is_acknowledged_and_not_kept(pushed: tuple[Rig, Wire, Spool]) -> None:
    rig, _, spool = pushed
    rig.sim.act("send_test_message")
    assert [attempt.accepted for attempt in rig.sim.pushes.deliver_due()] == [True]
    assert kept(spool, rig) == []


@pytest.mark.parametrize(
    ("method", "headers", "status"),
    [("POST", {"event-sign": "0" * 32}, 401), ("POST", {}, 401), ("GET", {}, 405)],
)
def test_unsigned_messages_are_refused(
    pushed: tuple[Rig, Wire, Spool], method: str, headers: dict[str, str], status: int
) -> None:
    rig, wire, spool = pushed
    with httpx.Client(transport=wire) as client:
        response = client.request(method, "https://hub.example.com/youzan", content=body_of(), headers=headers)
    assert response.status_code == status
    assert "success" not in response.text
    assert kept(spool, rig) == []


def test_memo_that_moves_no_time_is_read_by_the_next_run(pushed: tuple[Rig, Wire, Spool]) -> None:
    rig, _, _ = pushed
    source = rig.source(inbox={"folder": "inbox"})
    records, cursor, _ = read(source, "orders")
    tid = records[0].source_id
    rig.call(rig.http(), "trade.memo.update", "3.0.0", {"tid": tid, "memo": "送礼"})
    rig.sim.pushes.deliver_due()
    rig.clock.advance(7200)
    later, cursor, _ = read(source, "orders", cursor)
    assert [(record.source_id, record.extra["memo"]) for record in later] == [(tid, "送礼")]
    rig.clock.advance(7200)
    assert read(source, "orders", cursor)[0] == []


def test_fresh_message_waits_until_the_platforms_read_side_has_followed(pushed: tuple[Rig, Wire, Spool]) -> None:
    rig, _, _ = pushed
    source = rig.source(inbox={"folder": "inbox"})
    _, cursor, _ = read(source, "orders")
    tid = rig.sim.db.value("SELECT tid FROM trades")
    rig.sim.act("complete_trade", tid=tid)
    rig.sim.pushes.deliver_due()
    rig.clock.advance(20)
    assert read(source, "orders", cursor)[0] == []
    rig.clock.advance(20)
    assert [record.source_id for record in read(source, "orders", cursor)[0]] == [tid]


@pytest.mark.parametrize("faults", ["none", "out_of_order_push", "duplicate_push"])
def test_customers_who_leave_merge_or_change_are_seen(pushed: tuple[Rig, Wire, Spool], faults: str) -> None:
    rig, _, _ = pushed
    source = rig.source(inbox={"folder": "inbox"})
    _, cursor, _ = read(source, "customers")
    rig.sim.use_faults(faults)
    gone, merged, stays = members(rig, 3)
    rig.sim.act("log_off", open_id=gone)
    rig.sim.act("merge", open_id=merged, into=stays)
    rig.sim.pushes.drain()
    rig.clock.advance(60)
    records, cursor, pages = read(source, "customers", cursor)
    assert {each for page in pages for each in page.deletions} == {gone, merged}
    assert stays in {record.source_id for record in records}
    assert not [page for page in read(source, "customers", cursor)[2] if page.deletions]


def test_coupon_used_long_after_it_was_taken_is_told_by_its_message(pushed: tuple[Rig, Wire, Spool]) -> None:
    rig, _, _ = pushed
    source = rig.source(
        inbox={"folder": "inbox"}, coupons={"since": rig.world.start.date().isoformat(), "lookback_days": 0}
    )
    _, cursor, _ = read(source, "coupons")
    coupon = rig.sim.db.value("SELECT coupon_id FROM vouchers WHERE used IS NULL ORDER BY sent")
    rig.clock.advance(3600)
    rig.sim.act("use_voucher", coupon_id=coupon, tid="E7")
    rig.sim.pushes.deliver_due()
    rig.clock.advance(3600)
    later, _, _ = read(source, "coupons", cursor)
    assert [event.order_id for event in later if event.source_id == f"used:{coupon}"] == ["E7"]


def test_refund_is_read_by_its_message_before_the_windows_have_settled(pushed: tuple[Rig, Wire, Spool]) -> None:
    rig, _, _ = pushed
    source = rig.source(inbox={"folder": "inbox"})
    orders, _, _ = read(source, "orders")
    _, cursor, _ = read(source, "refunds")
    tid = next(order.source_id for order in orders if order.status == "fulfilled")
    rig.sim.act("refund_trade", tid=tid)
    rig.sim.pushes.deliver_due()
    rig.clock.advance(40)
    assert [refund.original_id for refund in read(source, "refunds", cursor)[0]] == [tid]


def test_echo_of_the_hubs_own_tags_is_passed_over(pushed: tuple[Rig, Wire, Spool]) -> None:
    rig, _, spool = pushed
    destination, source = rig.destination(), rig.source(inbox={"folder": "inbox"})
    _, cursor, _ = read(source, "customers")
    target = next(target for target in destination.targets() if target.name == "tag")
    list(destination.write(target, [operation(1, members(rig, 1)[0], tags=["vip"])]))
    rig.sim.pushes.deliver_due()
    assert [each.is_own_echo for each in kept(spool, rig)] == [True]
    rig.clock.advance(60)
    assert read(source, "customers", cursor)[0] == []
