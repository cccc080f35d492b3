"""The hub's own HTTP client against a simulator, in one virtual time: the way every connector is tested."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from tiny_shop import START, TinyShop, names

from hub.errors import RetryError
from hub.http import (
    Action,
    ApiClient,
    CallOptions,
    ErrorTable,
    MemoryTokenStore,
    NewToken,
    QueryToken,
    Rule,
    StoredToken,
    TokenCache,
    code_envelope,
)
from hub.simulation import faults
from hub.simulation.server import VirtualClock

TABLE = ErrorTable(
    [
        Rule(Action.REFRESH, code=["4202", "4203"]),
        Rule(Action.RATE_LIMITED, code="45009", wait=10.0),
        Rule(Action.RETRY, code="-1"),
    ],
    envelope=code_envelope("errcode", message="errmsg"),
)
CALL_PROGRAMMES = [name for name in faults.PROGRAMMES if name != "none" and not name.endswith("_push")]


@contextmanager
def connected(over: str) -> Iterator[tuple[TinyShop, ApiClient]]:
    clock = VirtualClock(START)
    with TinyShop(names(45), seed=7, clock=clock) as shop:
        transport = shop.transport() if over == "in-process" else None
        base_url = (shop if transport else shop.start()).base_url
        common: dict[str, Any] = {"errors": TABLE, "transport": transport, "clock": clock}
        with ApiClient(base_url, **common) as bare:
            asked = {"app": shop.credentials["app_id"], "secret": shop.credentials["app_secret"]}

            def fetch(_old: StoredToken | None) -> NewToken:
                answer = bare.get("/api/token", asked, options=CallOptions(authenticate=False)).data
                return NewToken(answer["access_token"], answer["expires_in"])

            cache = TokenCache("tiny", fetch, MemoryTokenStore(), clock=clock)
            with ApiClient(base_url, auth=QueryToken(cache), **common) as client:
                yield shop, client


def read_all(client: ApiClient) -> list[int]:
    read: list[int] = []
    cursor = ""
    while True:
        page = client.query("/api/members/list", {"cursor": cursor}).data["data"]
        read += [item["id"] for item in page["items"]]
        cursor = page["next"]
        if not cursor:
            return read


@pytest.mark.parametrize("over", ["in-process", "socket"])
@pytest.mark.parametrize("programme", [*CALL_PROGRAMMES, "+".join(CALL_PROGRAMMES)])
def test_everything_is_read_once_whatever_goes_wrong(programme: str, over: str) -> None:
    settings = {"hang_share": 0.0} if "slow" in programme else {}
    with connected(over) as (shop, client):
        shop.use_faults(programme, seed=11, **settings)
        read = read_all(client)

        assert [number for number in read if number <= 45] == list(range(1, 46))
        assert len(read) == len(set(read))


def test_a_throttled_client_waits_in_the_simulators_time() -> None:
    with connected("in-process") as (shop, client):
        read_all(client)
        before = shop.clock.time()
        shop.use_faults("throttling", rate=0.001)
        read_all(client)

        assert shop.clock.time() - before >= 10.0


def test_a_write_whose_answer_was_lost_is_reported_as_unknown_and_done_once() -> None:
    with connected("in-process") as (shop, client):
        shop.use_faults("dropped_after_write")
        with pytest.raises(RetryError) as caught:
            client.post("/api/points/add", {"id": 1, "points": 5, "request_id": "a"})

        assert caught.value.sent
        assert shop.journal.writes("points") == 1
