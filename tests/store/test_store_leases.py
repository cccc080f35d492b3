"""Leases: one holder at a time, told by name, taken over when it dies, powerless once lost."""

from __future__ import annotations

import datetime as dt
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from processes import KILLED, start

from hub.crashpoints import crash_point
from hub.errors import LeaseHeldError, StoreError
from hub.http.testing import VirtualClock
from hub.store.leases import LIFETIME
from hub.store.processes import has_ended, this_process
from hub.store.store import Store
from hub.store.tables import Cursor, Lease, Package


def cursor(page: int) -> Cursor:
    return Cursor(connection="pos", stream="orders", state={"page": page})


def package(identifier: str, store: Store) -> Package:
    return Package(
        id=identifier,
        connection="pos",
        stream="orders",
        record="orders",
        location=f"pos/orders/{identifier}",
        rows=1,
        sealed_at=store._now(),
    )


def test_a_second_holder_is_told_who_holds_it_and_since_when(store: Store) -> None:
    with store.leases.hold("work"), pytest.raises(LeaseHeldError) as caught, store.leases.hold("work"):
        pass
    assert f"process {os.getpid()} on" in str(caught.value)
    assert "since 2026-02-28 16:00:00 UTC" in str(caught.value)
    assert caught.value.until == 60
    assert caught.value.code == "lease_held"


def test_a_lease_is_free_again_after_its_block(store: Store) -> None:
    with store.leases.hold("work"):
        assert [lease.name for lease in store.leases.holders()] == ["work"]
    assert store.leases.holders() == []
    with store.leases.hold("work"):
        pass


def test_a_lease_is_free_again_after_a_failure(store: Store) -> None:
    with pytest.raises(ZeroDivisionError), store.leases.hold("work"):
        1 / 0  # noqa: B018
    assert store.leases.holders() == []


def test_leases_of_other_names_do_not_meet(store: Store) -> None:
    with store.leases.hold("one"), store.leases.hold("two"):
        assert [lease.name for lease in store.leases.holders()] == ["one", "two"]


def test_a_suspended_holder_can_commit_nothing_once_somebody_took_over(
    store: Store, virtual_time: VirtualClock
) -> None:
    with store.leases.hold("work") as lease:
        store.packages.seal(package("a", store), cursor(1), [], run_id="r", lease=lease)
        virtual_time.advance(61)
        with store.leases.hold("work"):
            pass  # somebody else took it over, worked and is done
        with pytest.raises(StoreError, match="was lost while working") as caught:
            store.packages.seal(package("b", store), cursor(2), [], run_id="r", lease=lease)
    assert caught.value.code == "lease_lost"
    assert [found.id for found in store.packages.waiting()] == ["a"]
    assert store.packages.cursor("pos", "orders").state == {"page": 1}


def test_a_suspended_holder_goes_on_if_nobody_took_over(store: Store, virtual_time: VirtualClock) -> None:
    with store.leases.hold("work") as lease:
        virtual_time.advance(61)
        store.packages.seal(package("a", store), cursor(1), [], run_id="r", lease=lease)
        with pytest.raises(LeaseHeldError), store.leases.hold("work"):
            pass
    assert [found.id for found in store.packages.waiting()] == ["a"]


def test_a_suspended_holder_does_not_disturb_the_one_that_took_over(store: Store, virtual_time: VirtualClock) -> None:
    with store.leases.hold("work") as old:
        virtual_time.advance(61)
        with store.leases.hold("work") as new:
            with pytest.raises(StoreError, match="lost"):
                store.packages.seal(package("old", store), cursor(1), [], run_id="r", lease=old)
            store.packages.seal(package("new", store), cursor(2), [], run_id="r", lease=new)
            store.leases._release(old)
            assert [lease.token for lease in store.leases.holders()] == [new.token]
    assert [found.id for found in store.packages.waiting()] == ["new"]


def test_a_heartbeat_keeps_a_long_work_s_lease(store: Store, virtual_time: VirtualClock) -> None:
    with store.leases.hold("work") as lease:
        virtual_time.advance(50)
        beaten = threading.Event()

        class OneBeat(threading.Event):
            def wait(self, timeout: float | None = None) -> bool:
                if beaten.is_set():
                    return True
                beaten.set()
                return False

        store.leases._beat(lease, OneBeat())
        virtual_time.advance(50)
        with store.database.write() as session:
            lease.confirm(session)


def test_of_many_threads_that_want_a_new_lease_exactly_one_gets_it(store: Store) -> None:
    barrier, release = threading.Barrier(8), threading.Event()
    outcomes: list[str] = []

    def want() -> None:
        barrier.wait()
        try:
            with store.leases.hold("fresh"):
                outcomes.append("held")
                release.wait(30)
        except LeaseHeldError:
            outcomes.append("refused")
            if outcomes.count("refused") == 7:
                release.set()

    threads = [threading.Thread(target=want) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["held"] + ["refused"] * 7


def _die_holding(url: str, home: Path) -> None:
    with Store.open(url, home) as store, store.leases.hold("work"):
        crash_point("ingest.written")


def test_the_lease_of_a_process_that_died_beside_us_is_taken_over_at_once(
    store: Store, store_url: str, tmp_path: Path
) -> None:
    process = start(_die_holding, store_url, tmp_path, HUB_CRASH_AT="ingest.written")
    process.join(60)
    assert process.exitcode == KILLED
    assert f"process {process.pid} on" in store.leases.holders()[0].holder
    with store.leases.hold("work"):
        assert f"process {os.getpid()}" in store.leases.holders()[0].holder


def test_the_lease_of_a_process_elsewhere_is_taken_over_when_it_runs_out(
    store: Store, virtual_time: VirtualClock
) -> None:
    now = dt.datetime.fromtimestamp(virtual_time.time(), dt.UTC)
    elsewhere = Lease(
        name="work",
        token="theirs",
        holder="process 7 on other",
        process="other-boot/pid:[1] 7 99",
        acquired_at=now,
        expires_at=now + LIFETIME,
    )
    with store.database.write() as session:
        session.add(elsewhere)
    virtual_time.advance(LIFETIME.total_seconds() - 1)
    with pytest.raises(LeaseHeldError, match="process 7 on other"), store.leases.hold("work"):
        pass
    virtual_time.advance(2)
    with store.leases.hold("work"):
        assert f"process {os.getpid()}" in store.leases.holders()[0].holder


def test_a_process_is_known_to_have_ended_only_beside_us(tmp_path: Path) -> None:
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    me = this_process()
    named = (
        f"{me.split()[0]} {process.pid} {Path(f'/proc/{process.pid}/stat').read_text().rpartition(')')[2].split()[19]}"
    )
    assert not has_ended(me)
    assert not has_ended(named)
    process.communicate(b"")
    assert has_ended(named)
    assert not has_ended(named.replace(named.split()[0], "elsewhere"))
    assert not has_ended("")
