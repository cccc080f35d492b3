"""Pushed messages: signed, retried on schedule, repeated and reordered under fault programmes, logged."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from tiny_client import client_for
from tiny_shop import START, TinyShop, names, sign

from hub.simulation.server import Call, PushState, RealClock, Reply, Simulator, VirtualClock, endpoint
from hub.titles import Title


class Hub(Simulator):
    """The other side: takes messages, checks their signature, answers as it is told to."""

    name = "receiver"
    title = Title("接收", "Receiver")
    answer = Reply.text("success")

    def __init__(self) -> None:
        super().__init__()
        self.got: list[dict[str, Any]] = []
        self.arrived = threading.Semaphore(0)

    @endpoint("POST", "/hook", public=True)
    def hook(self, call: Call) -> Reply:
        assert call.headers["event-sign"] == sign(call.body, "k")
        assert dict(call.query) == {"shop": "1", "timestamp": "1"}
        self.got.append(json.loads(call.body))
        self.arrived.release()
        return self.answer

    @property
    def told(self) -> list[int]:
        return [message["msg"]["total"] for message in self.got]


@pytest.fixture
def hub() -> Iterator[Hub]:
    with Hub() as hub:
        yield hub


@pytest.fixture
def shop(hub: Hub) -> Iterator[TinyShop]:
    with TinyShop(names(3), seed=7, clock=VirtualClock(START), push_transport=hub.transport()) as shop:
        shop.act("subscribe", url="http://hub.localhost/hook?shop=1")
        yield shop


def add_points(shop: TinyShop, times: int = 1) -> None:
    with client_for(shop, "in-process") as client:
        for number in range(times):
            client.add_points(1, 1, request_id=f"r{number}")


def test_a_message_is_signed_and_delivered(shop: TinyShop, hub: Hub) -> None:
    add_points(shop)
    [attempt] = shop.pushes.deliver_due()

    assert (attempt.status, attempt.accepted, attempt.detail) == (200, True, "")
    assert hub.got == [
        {"id": hub.got[0]["id"], "type": "points", "msg": {"id": 1, "total": 1}, "sendCount": 0},
    ]
    assert shop.pushes.deliver_due() == []
    assert shop.pushes.next_due() is None


def test_a_refused_write_tells_nobody(shop: TinyShop) -> None:
    with client_for(shop, "in-process") as client, pytest.raises(AssertionError, match="40097"):
        client.add_points(1, -5, request_id="a")

    assert shop.pushes.pushes() == []


@pytest.mark.parametrize(
    "answer", [Reply.text("success", status=500), Reply.text("failed"), Reply.text("", status=302)]
)
def test_what_is_not_acknowledged_is_sent_again_on_schedule_and_then_dead(
    shop: TinyShop, hub: Hub, answer: Reply
) -> None:
    hub.answer = answer
    begin = shop.clock.time()
    add_points(shop)
    attempts = shop.pushes.drain()

    assert [attempt.at - begin for attempt in attempts] == [0, 10, 40]
    assert [message["sendCount"] for message in hub.got] == [0, 1, 2]
    assert len({message["id"] for message in hub.got}) == 1
    [dead] = shop.pushes.pushes(PushState.DEAD)
    assert shop.pushes.attempts(dead.number) == attempts


def test_an_acknowledged_retry_ends_the_schedule(shop: TinyShop, hub: Hub) -> None:
    hub.answer = Reply.text("failed")
    add_points(shop)
    shop.pushes.deliver_due()
    hub.answer = Reply.text("success")
    shop.pushes.drain()

    assert [attempt.accepted for attempt in shop.pushes.attempts()] == [False, True]
    assert [push.state for push in shop.pushes.pushes()] == [PushState.DELIVERED]


def test_a_receiver_that_is_away_is_a_failed_attempt(shop: TinyShop, hub: Hub) -> None:
    hub.use_faults("dropped")
    add_points(shop)
    attempts = shop.pushes.drain()

    assert attempts[0].status is None
    assert attempts[0].detail.startswith("RemoteProtocolError")
    assert attempts[-1].accepted


def test_a_dead_message_can_be_sent_anew(shop: TinyShop, hub: Hub) -> None:
    hub.answer = Reply.text("failed")
    add_points(shop)
    shop.pushes.drain()
    hub.answer = Reply.text("success")
    [dead] = shop.pushes.pushes(PushState.DEAD)

    assert shop.pushes.redeliver(dead.number)
    assert not shop.pushes.redeliver(12345)
    assert [attempt.accepted for attempt in shop.pushes.drain()] == [True]


def test_only_wanted_topics_of_ones_own_account_are_sent(shop: TinyShop) -> None:
    shop.act("subscribe", url="http://hub.localhost/hook?shop=1", topics=["joined"])
    shop.pushes.subscribe("shop-2", "http://hub.localhost/other")

    add_points(shop)
    shop.act("join", name="member 4")

    assert [(push.topic, push.account) for push in shop.pushes.pushes()] == [("joined", "shop-1")]


def test_nothing_is_sent_for_what_happened_before_subscribing_or_after_unsubscribing(shop: TinyShop) -> None:
    shop.pushes.unsubscribe("shop-1", "http://hub.localhost/hook?shop=1")
    add_points(shop)
    shop.act("subscribe", url="http://hub.localhost/hook?shop=1")

    assert shop.pushes.drain() == []


def test_a_duplicate_is_the_same_message_again(shop: TinyShop, hub: Hub) -> None:
    shop.use_faults("duplicate_push", rate=1.0, gap=5.0)
    begin = shop.clock.time()
    add_points(shop, times=2)
    attempts = shop.pushes.drain()

    assert [attempt.at - begin for attempt in attempts] == [0, 0, 5, 5]
    assert hub.told == [1, 2, 1, 2]
    assert [message["id"] for message in hub.got[:2]] == [message["id"] for message in hub.got[2:]]


def test_messages_overtake_each_other(shop: TinyShop, hub: Hub) -> None:
    shop.use_faults("out_of_order_push", seed=2, rate=0.4)
    add_points(shop, times=10)
    shop.pushes.drain()

    assert hub.told[-1] != 10
    assert sorted(hub.told) == list(range(1, 11))


def test_lost_messages_never_come(shop: TinyShop, hub: Hub) -> None:
    shop.use_faults("lost_push", seed=2, rate=0.4)
    add_points(shop, times=10)
    shop.pushes.drain()

    lost = [push.data["total"] for push in shop.pushes.pushes(PushState.LOST)]
    assert lost
    assert sorted([*hub.told, *lost]) == list(range(1, 11))


def test_push_faults_are_the_same_for_the_same_seed(hub: Hub) -> None:
    outcomes = []
    for _ in range(2):
        hub.got.clear()
        with TinyShop(names(3), seed=7, clock=VirtualClock(START), push_transport=hub.transport()) as shop:
            shop.act("subscribe", url="http://hub.localhost/hook?shop=1")
            shop.use_faults("out_of_order_push+duplicate_push+lost_push", seed=5, rate=0.4)
            add_points(shop, times=12)
            shop.pushes.drain()
        outcomes.append(hub.told.copy())

    assert outcomes[0] == outcomes[1]


def test_queued_messages_survive_a_restart(hub: Hub, tmp_path: Path) -> None:
    options = {"seed": 7, "state": tmp_path / "s", "push_transport": hub.transport()}
    with TinyShop(names(3), clock=VirtualClock(START), **options) as shop:
        shop.act("subscribe", url="http://hub.localhost/hook?shop=1")
        add_points(shop)
    with TinyShop(names(3), clock=VirtualClock(START), **options) as shop:
        shop.pushes.drain()

    assert hub.told == [1]


def test_on_real_time_a_started_simulator_pushes_by_itself_over_the_network(hub: Hub) -> None:
    hub.start()
    with TinyShop(names(3), seed=7, clock=RealClock()) as shop, client_for(shop, "socket") as client:
        client.http.post("/_simulator/actions/subscribe", json={"url": f"{hub.base_url}/hook?shop=1"})
        client.add_points(1, 1, request_id="a")
        assert hub.arrived.acquire(timeout=10)
        client.add_points(1, 1, request_id="b")
        assert hub.arrived.acquire(timeout=10)

    assert hub.told == [1, 2]


def test_a_bug_in_signing_surfaces_at_the_end(hub: Hub) -> None:
    class Clumsy(TinyShop):
        def push_request(self, *_: object) -> object:  # type: ignore[override]
            failing.set()
            raise KeyError("no key")

    failing = threading.Event()
    shop = Clumsy(names(1), clock=RealClock())
    shop.start()
    shop.act("subscribe", url="http://hub.localhost/hook")
    shop.act("join", name="x")
    assert failing.wait(10)
    shop.stop()

    with pytest.raises(KeyError, match="no key"), shop:
        pass


def test_real_time_cannot_be_drained() -> None:
    with TinyShop([], clock=RealClock()) as shop, pytest.raises(TypeError, match="Only virtual time"):
        shop.pushes.drain()


def test_the_control_address_shows_messages_and_their_attempts(shop: TinyShop, hub: Hub) -> None:
    hub.answer = Reply.text("failed")
    add_points(shop)
    shop.pushes.drain()
    with httpx.Client(base_url=shop.base_url, transport=shop.transport()) as http:
        [push] = http.get("/_simulator/pushes", params={"state": "dead"}).json()

        assert [attempt["status"] for attempt in push["log"]] == [200, 200, 200]
        assert http.get("/_simulator/pushes", params={"state": "queued"}).json() == []
        assert http.get("/_simulator/pushes", params={"state": "gone"}).status_code == 400
