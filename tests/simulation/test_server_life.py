"""Starting, stopping, many callers at once, the control address, and the documentation."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
from tiny_client import client_for, http_for
from tiny_shop import START, TinyShop, names

from hub.errors import StopError
from hub.simulation.faults import PROGRAMMES
from hub.simulation.server import RealClock, TroubleError, VirtualClock

DOCUMENT = Path(__file__).parents[2] / "docs" / "simulators.md"


def tiny_shop(**options: Any) -> TinyShop:
    return TinyShop(names(25), **{"seed": 7, "clock": VirtualClock(START), **options})


def port_of(shop: TinyShop) -> int:
    port = httpx.URL(shop.base_url).port
    assert port is not None
    return port


def test_a_stopped_simulator_frees_its_port_and_can_start_there_again() -> None:
    with tiny_shop() as shop:
        port = port_of(shop.start())
        shop.stop()
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port))
        assert port_of(shop.start(port=port)) == port
        with client_for(shop, "socket") as client:
            assert client.token()


def test_starting_and_stopping_twice_does_no_harm() -> None:
    with tiny_shop() as shop:
        assert shop.start().base_url == shop.start().base_url
        shop.stop()
        shop.stop()


def test_a_taken_port_is_told() -> None:
    with tiny_shop() as first, tiny_shop() as second:
        port = port_of(first.start())
        with pytest.raises(StopError, match=f"Port {port} on 127.0.0.1 cannot be used.*0 for a free one"):
            second.start(port=port)


def test_simulators_run_side_by_side_on_ports_of_their_own() -> None:
    with tiny_shop(seed=1) as one, tiny_shop(seed=2) as two:
        with client_for(one, "socket") as first, client_for(two, "socket") as second:
            first.add_points(1, 5, request_id="a")

            assert second.add_points(1, 0, request_id="a") == 0
        assert port_of(one) != port_of(two)


@pytest.mark.parametrize("over", ["socket", "in-process"])
def test_many_callers_at_once_lose_nothing(over: str) -> None:
    with tiny_shop() as shop, client_for(shop, over) as client:
        token = client.token()

        def add(worker: int) -> None:
            for number in range(25):
                body = {"id": 1, "points": 1, "request_id": f"{worker}-{number}"}
                answer = client.http.post("/api/points/add", params={"access_token": token}, json=body)
                assert answer.json()["errcode"] == 0

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(add, range(8)))

        assert shop.db.value("SELECT points FROM members WHERE number = 1") == 200
        assert shop.journal.writes("points") == 200


def test_many_callers_at_once_finish_under_faults() -> None:
    with tiny_shop() as shop, client_for(shop, "socket") as client:
        client.add_points(1, 0, "first")  # one token for all: who asks for it at the same time shares its faults
        shop.use_faults("throttling+dropped+dropped_after_write+truncated+burst_5xx", seed=1, rate=0.3)
        with ThreadPoolExecutor(6) as pool:
            list(pool.map(lambda number: client.add_points(1, 1, f"r{number}"), range(60)))

        assert shop.db.value("SELECT points FROM members WHERE number = 1") == 60
        assert len(shop.journal.entries(endpoint="points")) > 60


def test_the_control_address_describes_the_simulator() -> None:
    with tiny_shop() as shop, http_for(shop, "socket") as http:
        overview = http.get("/_simulator").json()

        assert overview["base_url"] == shop.base_url
        assert overview["credentials"] == shop.credentials
        assert overview["actions"] == ["join", "subscribe"]
        assert {"method": "POST", "path": "/api/points/add"} in overview["endpoints"]
        assert shop.journal.counts() == {}


def test_the_control_address_shows_the_log_and_changes_faults_and_time() -> None:
    with tiny_shop() as shop, client_for(shop, "socket") as client:
        begin = shop.clock.time()
        assert client.http.post("/_simulator/faults", json={"name": "throttling", "seed": 1}).status_code == 200
        client.token()
        assert client.http.post("/_simulator/clock", json={"advance": 90}).json() == {"now": begin + 90}

        entries = client.http.get("/_simulator/requests", params={"endpoint": "token", "limit": 1}).json()
        assert [(entry["code"], entry["fault"]) for entry in entries] == [("45009", "throttling")]
        assert client.http.get("/_simulator/counters").json()["token"]["faults"] >= 1


def test_the_control_address_makes_things_happen() -> None:
    with tiny_shop() as shop, client_for(shop, "socket") as client:
        assert client.http.post("/_simulator/actions/join", json={"name": "member 26"}).json() == {"id": 26}
        assert len(list(client.members())) == 26


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "message"),
    [
        ("GET", "/_simulator/nothing", None, 404, "no such endpoint"),
        ("POST", "/_simulator/actions/nothing", {}, 404, "no such endpoint"),
        ("POST", "/_simulator/actions/join", {}, 400, "name is required"),
        ("POST", "/_simulator/faults", {"name": "chaos"}, 400, "There is no fault programme 'chaos'"),
        ("POST", "/_simulator/faults", {"name": "slow", "rate": "often"}, 400, "rate: must be a number"),
        ("POST", "/_simulator/faults", [], 400, "not a JSON object"),
        ("POST", "/_simulator/clock", {"advance": -1}, 400, "less than 0"),
    ],
)
def test_the_control_address_says_what_is_wrong(
    method: str, path: str, body: object, status: int, message: str
) -> None:
    with tiny_shop() as shop, http_for(shop, "in-process") as http:
        answer = http.request(method, path, json=body)

        assert answer.status_code == status
        assert message in answer.json()["message"]


def test_real_time_cannot_be_moved() -> None:
    with tiny_shop(clock=RealClock()) as shop, http_for(shop, "in-process") as http:
        assert http.post("/_simulator/clock", json={"advance": 1}).status_code == 403


def test_an_unknown_action_names_the_known_ones() -> None:
    with tiny_shop() as shop, pytest.raises(TroubleError, match="there are: join, subscribe"):
        shop.act("leave")


def documented_programmes() -> list[tuple[str, str, str, str]]:
    rows = re.findall(r"^\| `(\w+)` \| (\S+) \| (.+?) \| (.*?) ?\|$", DOCUMENT.read_text("utf-8"), re.MULTILINE)
    return [(name, zh, does, settings) for name, zh, does, settings in rows]


def test_the_document_lists_exactly_the_registered_programmes() -> None:
    registered = [
        (kind.name, kind.title.zh, kind.does, ", ".join(f"`{name}={value}`" for name, value in kind.settings.items()))
        for kind in PROGRAMMES.values()
    ]

    assert documented_programmes() == registered


def test_the_documents_example_runs(tmp_path: Path) -> None:
    [example] = re.findall(r"```python\n(.+?)```", DOCUMENT.read_text("utf-8"), re.DOTALL)
    script = tmp_path / "example.py"
    script.write_text(example, encoding="utf-8")

    done = subprocess.run([sys.executable, "-W", "error", script], capture_output=True, text=True, timeout=60)

    assert done.stderr == ""
    assert "[connections.teacards]" in done.stdout
    assert "['errcode', 'errmsg']\n['access_token', 'expires_in']" in done.stdout
    assert "'/gettoken': Counts(calls=3, accepted=2, refused=1, faults=1)" in done.stdout
