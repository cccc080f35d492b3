"""Every fault looks the same over a real socket and in-process, and a patient client finishes with the same result."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import httpx
import pytest
from tiny_client import client_for, http_for
from tiny_shop import START, TinyShop, names

from hub.errors import PluginError
from hub.simulation import faults
from hub.simulation.server import Answer, Call, Simulator, VirtualClock, endpoint
from hub.titles import Title

BOTH_WAYS = pytest.mark.parametrize("over", ["socket", "in-process"])
CALL_PROGRAMMES = [name for name in faults.PROGRAMMES if not name.endswith("_push")]
EVERYTHING = "+".join(name for name in CALL_PROGRAMMES if name != "none")


def tiny_shop(members: int = 45, **options: Any) -> TinyShop:
    return TinyShop(names(members), seed=7, clock=VirtualClock(START), **options)


@BOTH_WAYS
@pytest.mark.parametrize("programme", [*CALL_PROGRAMMES, EVERYTHING])
def test_a_client_that_tries_three_times_finishes_with_the_right_state(programme: str, over: str) -> None:
    # hang_share is left out on purpose: a hanging answer costs real waiting on a socket and has its own test
    settings = {"hang_share": 0.0} if "slow" in programme else {}
    with tiny_shop() as shop, client_for(shop, over) as client:
        shop.use_faults(programme, seed=3, **settings)
        read = {member["id"] for member in client.members()}
        for number in range(1, 11):
            client.add_points(number, number, request_id=f"r{number}")

        assert read >= set(range(1, 46))
        assert shop.db.value("SELECT sum(points) FROM members") == sum(range(1, 11))
        assert bool(shop.journal.entries(fault=programme)) == (programme not in ("none", EVERYTHING))


@BOTH_WAYS
def test_throttling_answers_with_the_platforms_code_and_does_nothing(over: str) -> None:
    with tiny_shop() as shop, client_for(shop, over) as client:
        token = client.token()
        shop.use_faults("throttling")
        answer = client.http.post("/api/points/add", params={"access_token": token}, json={"id": 1, "points": 5})

        assert answer.json()["errcode"] == 45009
        assert shop.journal.writes("points") == 0


@BOTH_WAYS
def test_a_burst_answers_like_a_broken_gateway(over: str) -> None:
    with tiny_shop() as shop, http_for(shop, over) as http:
        shop.use_faults("burst_5xx")
        answer = http.get("/api/token")

        assert answer.status_code in (500, 502, 503, 504)
        assert answer.headers["content-type"].startswith("text/html")


@BOTH_WAYS
def test_a_connection_dropped_before_the_work_leaves_nothing_behind(over: str) -> None:
    with tiny_shop() as shop, client_for(shop, over) as client:
        token = client.token()
        shop.use_faults("dropped")
        body = {"id": 1, "points": 5, "request_id": "a"}
        with pytest.raises(httpx.RemoteProtocolError, match="disconnected without sending a response"):
            client.http.post("/api/points/add", params={"access_token": token}, json=body)

        assert shop.db.value("SELECT points FROM members WHERE number = 1") == 0
        [entry] = shop.journal.entries(fault="dropped")
        assert (entry.status, entry.accepted) == (None, False)


@BOTH_WAYS
def test_a_connection_dropped_after_the_write_leaves_the_write_done(over: str) -> None:
    with tiny_shop() as shop, client_for(shop, over) as client:
        token = client.token()
        shop.use_faults("dropped_after_write")
        body = {"id": 1, "points": 5, "request_id": "a"}
        with pytest.raises(httpx.RemoteProtocolError, match="disconnected without sending a response"):
            client.http.post("/api/points/add", params={"access_token": token}, json=body)

        assert shop.db.value("SELECT points FROM members WHERE number = 1") == 5
        assert shop.journal.writes("points") == 1
        [entry] = shop.journal.entries(fault="dropped_after_write")
        assert (entry.status, entry.accepted) == (None, True)


@BOTH_WAYS
def test_a_clean_cut_gives_an_answer_that_is_no_json(over: str) -> None:
    with tiny_shop() as shop, client_for(shop, over) as client:
        token = client.token()
        shop.use_faults("truncated", clean_share=1.0)
        answer = client.http.get("/api/members/1", params={"access_token": token})

        assert answer.status_code == 200
        with pytest.raises(ValueError, match=r"Expecting|Unterminated"):
            answer.json()


@BOTH_WAYS
def test_an_unclean_cut_closes_the_connection_in_the_body(over: str) -> None:
    with tiny_shop() as shop, client_for(shop, over) as client:
        token = client.token()
        shop.use_faults("truncated", clean_share=0.0)
        with pytest.raises(httpx.RemoteProtocolError, match="without sending complete message body"):
            client.http.get("/api/members/1", params={"access_token": token})


@BOTH_WAYS
def test_a_slow_answer_costs_time_on_the_simulators_clock(over: str) -> None:
    with tiny_shop() as shop, client_for(shop, over) as client:
        token = client.token()
        before = shop.clock.time()
        shop.use_faults("slow", hang_share=0.0, delay=4.0)
        answer = client.http.get("/api/members/1", params={"access_token": token})

        assert answer.json()["errcode"] == 0
        assert 2.0 <= shop.clock.time() - before <= 4.0


def test_a_delay_beyond_the_callers_patience_is_a_time_out_after_the_work() -> None:
    with tiny_shop() as shop, client_for(shop, "in-process", timeout=1.5) as client:
        token = client.token()
        before = shop.clock.time()
        shop.use_faults("slow", hang_share=0.0, delay=60.0)
        body = {"id": 1, "points": 5, "request_id": "a"}
        with pytest.raises(httpx.ReadTimeout):
            client.http.post("/api/points/add", params={"access_token": token}, json=body)

        assert shop.clock.time() - before == 1.5
        assert shop.journal.writes("points") == 1


@BOTH_WAYS
def test_a_hanging_answer_ends_with_the_callers_time_out(over: str) -> None:
    with tiny_shop() as shop, client_for(shop, over, timeout=0.2) as client:
        token = client.token()
        shop.use_faults("slow", hang_share=1.0)
        with pytest.raises(httpx.ReadTimeout):
            client.http.get("/api/members/1", params={"access_token": token})


def test_stopping_a_simulator_ends_its_hanging_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    with tiny_shop() as shop, client_for(shop, "socket", timeout=30.0) as client:
        token = client.token()
        shop.use_faults("slow", hang_share=1.0)
        ended: list[str] = []

        def call() -> None:
            try:
                client.http.get("/api/members/1", params={"access_token": token})
            except httpx.TransportError as error:
                ended.append(type(error).__name__)

        caller = threading.Thread(target=call)
        arrived, handle = threading.Event(), shop.handle

        def handle_and_tell(call: Call) -> Answer:
            answer = handle(call)
            arrived.set()
            return answer

        monkeypatch.setattr(shop, "handle", handle_and_tell)
        caller.start()
        assert arrived.wait(10)
        shop.stop()
        caller.join(10)

        assert ended == ["RemoteProtocolError"]


@BOTH_WAYS
@pytest.mark.parametrize(("revoked_share", "code"), [(0.0, 4202), (1.0, 4203)])
def test_a_token_ends_between_two_pages(over: str, revoked_share: float, code: int) -> None:
    with tiny_shop() as shop, client_for(shop, over) as client:
        shop.use_faults("token_expiry", rate=1.0, revoked_share=revoked_share)
        read = [member["id"] for member in client.members()]

        assert read == list(range(1, 46))
        assert [entry.code for entry in shop.journal.entries(endpoint="members")] == [
            "", str(code), "", str(code), "", str(code), "", str(code), "",
        ]  # fmt: skip


def test_data_changes_between_two_pages() -> None:
    with tiny_shop() as shop, client_for(shop, "in-process") as client:
        shop.use_faults("page_shift", rate=1.0)
        read = [member["name"] for member in client.members()]

        assert sum(name.startswith("late") for name in read) == len(shop.journal.entries(fault="page_shift")) > 0


def test_a_simulator_with_pages_has_to_say_what_shifts() -> None:
    class Still(Simulator):
        name = "still"
        title = Title("静", "Still")

        @endpoint("GET", "/list", paged=True)
        def listing(self, call: Call) -> object:
            return []

    with Still() as still, pytest.raises(PluginError, match="does not say what changes"):
        still.use_faults("page_shift")


def test_fault_counts_go_on_after_a_restart_and_begin_anew_with_another_programme(tmp_path: Path) -> None:
    state = tmp_path / "shop.sqlite"
    outcomes = []
    for programme in ("throttling", "throttling", "throttling+busy"):
        with tiny_shop(state=state, programme=programme) as shop, http_for(shop, "in-process") as http:
            outcomes.append(http.get("/api/token").json()["errcode"])

    assert outcomes == [45009, 4100, 45009]
