"""Packages, cursors and rejected rows: recorded together or not at all, in the order of sealing."""

from __future__ import annotations

import threading

import pytest
from test_store_leases import cursor, package

from hub.errors import StoreError
from hub.source import Reject
from hub.store.store import Store


def test_a_package_its_cursor_and_its_rejects_are_recorded_together(store: Store) -> None:
    reject = Reject("drop.csv:17", "invalid_date", "No such day.", "销售时间", "t9", raw="t9,2026-02-30")
    with store.leases.hold("work") as lease:
        store.packages.seal(package("a", store), cursor(1), [reject], run_id="run", lease=lease)
    assert [found.id for found in store.packages.waiting()] == ["a"]
    assert store.packages.cursor("pos", "orders").state == {"page": 1}
    row = store.packages.rejects()[0]
    assert (row.location, row.column, row.code, row.reason) == (
        "drop.csv:17",
        "销售时间",
        "invalid_date",
        "No such day.",
    )
    assert (row.source_id, row.raw, row.package_id, row.run_id) == ("t9", "t9,2026-02-30", "a", "run")


def test_a_package_that_cannot_be_recorded_leaves_the_cursor_where_it_was(store: Store) -> None:
    with store.leases.hold("work") as lease:
        store.packages.seal(package("a", store), cursor(1), [], run_id="run", lease=lease)
        with pytest.raises(StoreError):
            store.packages.seal(package("a", store), cursor(2), [Reject("x", "c", "r")], run_id="run", lease=lease)
    assert store.packages.cursor("pos", "orders").state == {"page": 1}
    assert store.packages.rejects() == []


def test_pages_without_records_move_the_cursor_alone(store: Store) -> None:
    with store.leases.hold("work") as lease:
        store.packages.seal(None, cursor(5), [], run_id="run", lease=lease)
    assert store.packages.waiting() == []
    assert store.packages.cursor("pos", "orders").state == {"page": 5}


@pytest.mark.parametrize("raw", ["half\x00binary", "half a pair \ud83d", "plain", ""])
def test_rows_as_broken_as_they_come_can_be_put_aside(store: Store, raw: str) -> None:
    with store.leases.hold("work") as lease:
        reject = Reject(f"f:{raw}", "bad", raw, raw, raw, raw)
        store.packages.seal(None, cursor(1), [reject], run_id="run", lease=lease)
    stored = store.packages.rejects()[0].raw
    assert stored is not None
    assert len(stored) == len(raw)


def test_thousands_of_packages_can_be_marked_at_once(store: Store) -> None:
    with store.leases.hold("work") as lease:
        store.packages.seal(package("a", store), cursor(1), [], run_id="run", lease=lease)
    store.packages.mark_loaded([*(f"unknown{n}" for n in range(40_000)), "a"])
    assert store.packages.loaded() == {"a"}
    store.packages.load_again(["a"])
    assert [found.id for found in store.packages.waiting()] == ["a"]
    assert store.packages.count_loaded() == 0


def test_a_package_seen_later_has_the_higher_number(store: Store) -> None:
    """Stages work on what is above a number: one that appears below it later would never be looked at."""
    highest_seen: list[int] = []
    failures: list[str] = []
    guard = threading.Lock()

    def seal(worker: int) -> None:
        with store.leases.hold(f"worker {worker}") as lease:
            for number in range(6):
                with guard:
                    before = max((found.seq or 0 for found in store.packages.waiting()), default=0)
                name = f"{worker}-{number}"
                store.packages.seal(package(name, store), cursor(number), [], run_id="run", lease=lease)
                seq = {found.id: found.seq or 0 for found in store.packages.waiting()}[name]
                if seq <= before:
                    failures.append(f"{name}: {seq} after {before}")
                highest_seen.append(seq)

    threads = [threading.Thread(target=seal, args=(worker,)) for worker in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert sorted(highest_seen) == list(range(1, 25))


def test_counts_tell_what_waits_and_what_was_refused(store: Store) -> None:
    with store.leases.hold("work") as lease:
        store.packages.seal(package("a", store), cursor(1), [Reject("x", "c", "r")], run_id="r1", lease=lease)
        store.packages.seal(package("b", store), cursor(2), [Reject("y", "d", "r")], run_id="r2", lease=lease)
    store.packages.mark_loaded(["a"])
    assert store.packages.counts() == {("pos", "orders"): {"packages": 2, "rows": 2, "waiting": 1, "rejects": 2}}
    assert [row.location for row in store.packages.rejects(run_id="r2")] == ["y"]
    assert [row.location for row in store.packages.rejects(code="c")] == ["x"]
    assert store.packages.rejects(connection="other") == []


def test_a_cursor_can_be_put_where_a_person_wants_it(store: Store) -> None:
    store.packages.set_cursor("pos", "orders", "", {"page": 3})
    store.packages.set_cursor("pos", "orders", "shop 2", {"page": 1})
    assert [(c.partition, c.state) for c in store.packages.cursors()] == [("", {"page": 3}), ("shop 2", {"page": 1})]
