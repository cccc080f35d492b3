"""Several processes at once: a stream is read by one of them, and no lock of a database gets in the way."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from processes import run, start
from toy import Feed, Toy, alive, facts, member

from hub.config import HubSettings
from hub.errors import LeaseHeldError
from hub.pipeline.ingest import ingest
from hub.records import Customer, Product
from hub.source import Page

NAMES = [f"shop-{number}" for number in range(8)]


def shop(*connections: str) -> Toy:
    def feed(name: str) -> Feed:
        return Feed(Customer, [Page(records=[member(f"{n}", f"{name} {n}")]) for n in range(6)])

    return Toy({name: {"members": feed(name)} for name in connections})


def _ingest(home: Path, store: str, told: Path, connection: str) -> None:
    try:
        with shop(*NAMES).hub(home, store=store, batch_rows=1) as hub:
            report = ingest(hub, [connection])
            errors = [str(r.error) for r in report.streams if r.error] + [str(report.load_error)] * bool(
                report.load_error
            )
            told.write_text(json.dumps({"records": report.streams[0].records, "errors": errors}))
    except LeaseHeldError as error:
        told.write_text(json.dumps({"held": str(error), "holder": error.context["holder"], "pid": os.getpid()}))


def test_a_second_ingest_of_the_same_connection_says_who_is_at_work(tmp_path: Path, store_url: str) -> None:
    told = tmp_path / "told"
    with shop(*NAMES).hub(tmp_path, store=store_url) as hub:
        with hub.store.leases.hold("ingest shop-0/members"):
            assert run(_ingest, tmp_path, store_url, told, "shop-0") == 0
        answer = json.loads(told.read_text())
        assert answer["holder"].startswith(f"process {os.getpid()} on ")
        assert answer["holder"] in answer["held"]
        assert hub.store.packages.waiting() == []
        assert run(_ingest, tmp_path, store_url, told, "shop-0") == 0
        assert json.loads(told.read_text()) == {"records": 6, "errors": []}


def test_a_stream_that_is_taken_is_skipped_and_the_others_are_read(tmp_path: Path) -> None:
    toy = Toy({"pos": {"members": shop("pos").feeds["pos"]["members"], "goods": Feed(Product, [])}})
    with toy.hub(tmp_path) as hub, hub.store.leases.hold("ingest pos/members"):
        report = ingest(hub)
    assert [(r.stream, r.state) for r in report.streams] == [("members", "skipped"), ("goods", "succeeded")]
    assert isinstance(report.streams[0].error, LeaseHeldError)


def test_what_was_read_while_another_process_had_the_warehouse_is_loaded_later(tmp_path: Path) -> None:
    with shop("pos").hub(tmp_path) as hub:
        with hub.store.leases.hold("warehouse"):
            report = ingest(hub)
        assert isinstance(report.load_error, LeaseHeldError)
        assert report.streams[0].state == "succeeded"
        ingest(hub)
        assert len(alive(hub)) == 6


def test_eight_processes_ingest_eight_connections_without_a_lock_error(tmp_path: Path, store_url: str) -> None:
    working = {name: start(_ingest, tmp_path, store_url, tmp_path / name, name) for name in NAMES}
    for process in working.values():
        process.join(120)
    assert [process.exitcode for process in working.values()] == [0] * 8
    for name in NAMES:
        answer = json.loads((tmp_path / name).read_text())
        assert answer["records"] == 6
        # Only one of them may write to the warehouse; the others' packages wait for the next load.
        assert all("is being worked on by" in error for error in answer["errors"])
    with shop(*NAMES).hub(tmp_path, store=store_url) as hub:
        ingest(hub)
        rows = facts(hub)["profiles"]
    assert len(rows) == 48
    assert {(row[0], row[6]) for row in rows} == {(name, f"{name} {n}") for name in NAMES for n in range(6)}


@pytest.mark.parametrize("field", ["batch_rows"])
def test_the_batch_is_bounded_by_default(field: str) -> None:
    assert 1_000 <= getattr(HubSettings(), field) <= 100_000
