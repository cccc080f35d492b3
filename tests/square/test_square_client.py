"""Square's own Python client against the simulated Square, over a real socket: the judge of the simulator, and of us."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from square import Square
from square.core.api_error import ApiError
from square.utils import webhooks_helper
from square_rig import SquareRig, order, read, sold, square_chain

from hub.simulation.server import Limit, VirtualClock
from plugins.pos.square.events import is_authentic, signature

VECTOR_URL = "https://hub.example/webhooks/square"
VECTOR_BODY = '{"merchant_id":"M1","type":"order.updated","event_id":"e-1"}'
VECTOR = "ds6PiWoaCP/KFwH2ZTn3PCWKY4bZCHRz+pY4EcBY7+Q="


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SquareRig]:
    """The chain's account on a loopback port."""
    rig = SquareRig(tmp_path_factory.mktemp("served"), square_chain(), page_size=100)
    rig.sim.start()
    yield rig
    rig.close()


def official(rig: SquareRig, **more: Any) -> Square:
    """Square's client; its sockets are closed with the rig."""
    sockets = rig._kept(httpx.Client(timeout=30))
    given = {
        "token": rig.sim.credentials["access_token"],
        "base_url": rig.sim.base_url,
        "httpx_client": sockets,
        **more,
    }
    return Square(**given)


def test_it_pages_through_all_customers_by_itself(served: SquareRig) -> None:
    found = [customer.id for customer in official(served).customers.list(limit=25)]
    ours = {record.source_id for record in read(served.source(), "customers")[0]}
    assert len(found) == len(set(found)) > 40
    assert set(found) == ours
    calls = served.sim.journal.entries(endpoint="customers.list")
    assert len(calls) >= 2


def test_it_finds_the_same_orders_by_cursor(served: SquareRig) -> None:
    client = official(served)
    locations = [location.id for location in client.locations.list().locations or ()]
    query = {
        "filter": {"date_time_filter": {"updated_at": {"start_at": "2020-01-01T00:00:00Z"}}},
        "sort": {"sort_field": "UPDATED_AT", "sort_order": "ASC"},
    }
    found: list[str] = []
    cursor = None
    while True:
        more = {"cursor": cursor} if cursor else {}
        answer = client.orders.search(location_ids=locations, limit=500, query=query, **more)
        found += [str(each.id) for each in answer.orders or ()]
        cursor = answer.cursor
        if not cursor:
            break
    ours = {record.source_id for record in read(served.source(), "orders")[0]}
    assert len(found) == len(set(found))
    assert set(found) == ours


def test_it_reads_loyalty_payments_refunds_and_groups(served: SquareRig) -> None:
    client = official(served)
    assert client.loyalty.accounts.search(limit=10).loyalty_accounts
    assert client.loyalty.search_events(limit=10).events
    assert list(client.customers.groups.list()) == list(client.customers.segments.list()) == []
    payments = [payment.id for payment in client.payments.list(location_id="S001", sort_field="UPDATED_AT")]
    ours = {record.source_id for record in read(served.source(locations=["S001"]), "payments")[0]}
    assert set(payments) == ours
    assert {refund.id for refund in client.refunds.list()} == {r.source_id for r in read(served.source(), "refunds")[0]}


def test_it_waits_out_a_rate_limit_by_itself(tmp_path_factory: pytest.TempPathFactory) -> None:
    rig = SquareRig(tmp_path_factory.mktemp("limited"))
    rig.sim.limits = [Limit(1, "second", counts=("account",))]
    from hub.simulation.server import RealClock

    rig.sim.clock = RealClock()
    rig.sim.start()
    client = official(rig)
    for _ in range(2):
        assert client.locations.list().locations
    codes = [entry.code for entry in rig.sim.journal.entries(endpoint="locations")]
    assert "RATE_LIMITED" in codes
    rig.close()


def test_it_is_told_of_a_wrong_token(served: SquareRig) -> None:
    with pytest.raises(ApiError) as caught:
        official(served, token="wrong").locations.list()
    assert caught.value.status_code == 401
    assert caught.value.body["errors"][0] == {
        "category": "AUTHENTICATION_ERROR", "code": "UNAUTHORIZED", "detail": "This request could not be authorized.",
    }  # fmt: skip


def test_it_puts_customers_into_groups_that_we_see(tmp_path_factory: pytest.TempPathFactory) -> None:
    rig = SquareRig(tmp_path_factory.mktemp("groups"))
    rig.sim.put(
        "customer", {"id": "C1", "created_at": "2026-03-01T00:00:00Z", "given_name": "小满", "family_name": "林"}
    )
    rig.sim.start()
    client = official(rig)
    group = client.customers.groups.create(group={"name": "VIP"}, idempotency_key="k1").group
    again = client.customers.groups.create(group={"name": "VIP"}, idempotency_key="k1").group
    assert group is not None
    assert again is not None
    assert group.id == again.id
    client.customers.groups.add(customer_id="C1", group_id=str(group.id))
    [one] = read(rig.source(), "customers")[0]
    assert (one.name, one.tags) == ("林小满", ("VIP",))
    rig.close()


# ---- webhooks ---------------------------------------------------------------------------------------------------------


def test_documented_vector_of_the_webhook_signature() -> None:
    assert signature("sigkey", VECTOR_URL, VECTOR_BODY.encode()) == VECTOR
    assert is_authentic("sigkey", VECTOR_URL, VECTOR_BODY.encode(), VECTOR)
    assert not is_authentic("sigkey", VECTOR_URL, VECTOR_BODY.encode() + b" ", VECTOR)


def test_its_own_check_accepts_what_the_simulator_signs(tmp_path_factory: pytest.TempPathFactory) -> None:
    rig = SquareRig(tmp_path_factory.mktemp("webhook"))
    url = "https://hub.example.com/square"
    rig.sim.act("subscribe", url=url)
    rig.sim.tell_order("order.updated", order("O1", "2026-03-02T02:00:00Z", sold("a", 1.0)))
    [push] = rig.sim.pushes.pushes()
    [subscription] = rig.sim.pushes.subscriptions()
    sent = rig.sim.push_request(push, subscription)
    given = {"request_body": sent.content.decode(), "signature_key": rig.sim.webhook_key, "notification_url": url}
    header = sent.headers["x-square-hmacsha256-signature"]
    assert webhooks_helper.verify_signature(signature_header=header, **given)
    assert not webhooks_helper.verify_signature(signature_header="A" + header[1:], **given)
    assert isinstance(rig.clock, VirtualClock)
    rig.close()
