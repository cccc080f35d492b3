"""A simulator's state: all or nothing, kept through restarts and kills."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
import tiny_shop
from tiny_client import TinyClient, client_for

from hub.errors import StoreError
from hub.simulation.server import Database, Simulator, VirtualClock
from hub.titles import Title


@pytest.fixture
def db() -> Iterator[Database]:
    database = Database()
    database.create("CREATE TABLE t (a INTEGER, b TEXT)")
    yield database
    database.close()


def test_a_failed_transaction_leaves_nothing(db: Database) -> None:
    with suppress(RuntimeError), db.transaction():
        db.execute("INSERT INTO t VALUES (1, 'x')")
        raise RuntimeError

    assert db.value("SELECT count(*) FROM t") == 0


def test_an_inner_transaction_can_fail_alone(db: Database) -> None:
    with db.transaction():
        db.execute("INSERT INTO t VALUES (1, 'outer')")
        with suppress(RuntimeError), db.transaction():
            db.execute("INSERT INTO t VALUES (2, 'inner')")
            raise RuntimeError
        with db.transaction():
            db.execute("INSERT INTO t VALUES (3, 'second inner')")

    assert [row["a"] for row in db.rows("SELECT a FROM t ORDER BY a")] == [1, 3]


def test_lists_and_mappings_become_json(db: Database) -> None:
    db.execute("INSERT INTO t VALUES (?, ?)", 1, ["高频", {"a": 1}])
    db.execute("INSERT INTO t VALUES (:a, :b)", {"a": 2, "b": {"城": "上海"}})

    assert [json.loads(row["b"]) for row in db.rows("SELECT b FROM t ORDER BY a")] == [
        ["高频", {"a": 1}],
        {"城": "上海"},
    ]
    assert db.insert("INSERT INTO t VALUES (3, '')") == 3
    assert db.row("SELECT * FROM t WHERE a = 9") is None


def test_collections_keep_documents_in_their_order(db: Database) -> None:
    guides = db.collection("guides")
    for number in range(5):
        guides.put(f"g{number}", {"shop": number % 2, "name": f"导购{number}"})
    guides.put("g0", {"shop": 1, "name": "陈导购"})
    db.collection("others").put("g0", {})

    assert [guide["name"] for guide in guides.values()] == ["陈导购", "导购1", "导购2", "导购3", "导购4"]
    assert [guide["name"] for guide in guides.where("shop", 0)] == ["导购2", "导购4"]
    first_two = guides.items(limit=2)
    assert [key for _place, key, _guide in guides.items(after=first_two[-1][0])] == ["g2", "g3", "g4"]
    assert guides.delete("g4")
    assert not guides.delete("g4")
    assert ("g4" in guides, "g3" in guides, len(guides), guides.get("g4")) == (False, True, 4, None)


def test_a_state_that_cannot_be_opened_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("this is no database, " * 100)

    with pytest.raises(StoreError, match=r"cannot be opened.*delete this one"):
        Database(tmp_path / "state")
    with pytest.raises(StoreError, match="cannot be opened"):
        Database(tmp_path / "state" / "below a file")


def shop_with(state: Path, **options: Any) -> tiny_shop.TinyShop:
    clock = VirtualClock(tiny_shop.START)
    return tiny_shop.TinyShop(tiny_shop.names(25), state=state, clock=clock, **{"seed": 7, **options})


def test_a_restart_goes_on_where_the_simulator_stopped(tmp_path: Path) -> None:
    state = tmp_path / "deep" / "shop.sqlite"
    with shop_with(state) as shop, client_for(shop, "in-process") as client:
        shop.clock.sleep(3000)
        client.add_points(1, 5, request_id="a")
        token = client.token()

    with shop_with(state) as shop, client_for(shop, "in-process") as client:
        assert shop.clock.time() == VirtualClock(tiny_shop.START).time() + 3000
        assert client.token() == token
        assert client.add_points(1, 5, request_id="a") == 5
        assert shop.journal.calls("points") == 2
        assert shop.db.value("SELECT count(*) FROM members") == 25


def test_a_state_of_another_seed_is_refused(tmp_path: Path) -> None:
    with shop_with(tmp_path / "s"):
        pass

    shop = shop_with(tmp_path / "s", seed=8)
    with pytest.raises(StoreError, match="belongs to simulator and seed tinyshop:7, not tinyshop:8"):
        shop.open()
    shop.close()


def test_a_failed_fill_is_done_again(tmp_path: Path) -> None:
    class Filling(Simulator):
        name = "filling"
        title = Title("填", "Filling")

        def fill(self) -> None:
            self.db.collection("rows").put("a", {})
            if self.world == "broken":
                raise RuntimeError("no world")

    broken = Filling("broken", state=tmp_path / "s")
    with pytest.raises(RuntimeError):
        broken.open()
    assert len(broken.db.collection("rows")) == 0
    with pytest.raises(RuntimeError):
        broken.open()
    broken.close()
    with Filling("whole", state=tmp_path / "s") as whole:
        assert len(whole.db.collection("rows")) == 1


@contextmanager
def process(state: Path, programme: str = "none") -> Iterator[tuple[subprocess.Popen[str], TinyClient]]:
    """Run the tiny shop as a process of its own and give it with a client."""
    command = [sys.executable, tiny_shop.__file__, str(state), programme]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        hello = json.loads(running.stdout.readline())
        with httpx.Client(base_url=hello.pop("base_url"), trust_env=False) as http:
            yield running, TinyClient(http, hello)
        running.kill()


def test_what_was_answered_survives_a_kill_at_any_instant(tmp_path: Path) -> None:
    state = tmp_path / "shop.sqlite"
    answered: set[str] = set()

    def add_until_killed(worker: int, client: TinyClient, running: subprocess.Popen[str]) -> None:
        for number in range(10_000):
            request_id = f"{worker}-{number}"
            try:
                client.add_points(1, 1, request_id)
            except httpx.TransportError:
                return
            answered.add(request_id)
            if worker == 0 and number == 20:
                running.kill()

    with process(state) as (running, client), ThreadPoolExecutor(4) as pool:
        client.token()
        for finished in [pool.submit(add_until_killed, worker, client, running) for worker in range(4)]:
            finished.result(60)

    with process(state) as (_running, client):
        done = client.http.get("/_simulator/counters").json()["points"]["accepted"]
        total = client.add_points(1, 0, "one more")
        assert len(answered) >= 21
        # At most the call of each worker that was under way may have been done without an answer.
        assert len(answered) <= total <= len(answered) + 4
        assert done == total
        for request_id in answered:
            client.add_points(1, 1, request_id)
        assert client.add_points(1, 0, "last") == total


def test_a_killed_simulator_goes_on_with_its_fault_programme(tmp_path: Path) -> None:
    state = tmp_path / "shop.sqlite"
    with process(state, "dropped_after_write") as (running, client):
        token = client.token()
        body = {"id": 2, "points": 7, "request_id": "a"}
        with pytest.raises(httpx.RemoteProtocolError):
            client.http.post("/api/points/add", params={"access_token": token}, json=body)
        running.kill()

    with process(state, "dropped_after_write") as (_running, client):
        overview = client.http.get("/_simulator").json()
        assert overview["faults"] == "dropped_after_write"
        assert client.http.get("/_simulator/counters").json()["points"]["faults"] == 1
        assert client.add_points(2, 7, "a") == 7
