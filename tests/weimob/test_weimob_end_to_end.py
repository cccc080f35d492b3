"""The whole way: the simulated merchant in, scores and segments, tags and fields back; the same under every fault and every kill."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import killed_merchant
import pytest
from processes import KILLED, run
from weimob_rig import Rig, members, tables

from hub.context import Hub
from hub.pipeline.ingest import ingest
from hub.pipeline.publish import publish
from hub.pipeline.push import push
from hub.pipeline.resolve import resolve
from hub.pipeline.score import score
from hub.pipeline.segment import segment
from hub.simulation import faults

NewRig = Callable[..., Rig]
CALL_FAULTS = [
    "token_expiry+slow",
    "throttling+truncated",
    "busy+dropped_after_write",
    "burst_5xx+dropped",
    "page_shift",
]
PLAIN = killed_merchant.CUSTOMERS
SYNCS = """
[segments.buyers]
where = "orders_life > 0"
[segments.regulars]
where = "orders_life > 1"

[syncs.tags]
to = "wm"
target = "tag"
key = "profile"
segments = ["buyers", "regulars"]
fields = { tags = "segments" }

[syncs.fields]
to = "wm"
target = "attribute"
key = "profile"
mode = "upsert"
fields = { net_value = "orders_life" }
where = "orders_life > 0"
"""


def tell(report: Any) -> list[tuple[str, str]]:
    return [(stream.stream, str(stream.error)) for stream in report.failed]


def read_twice(rig: Rig, hub: Hub) -> None:
    """A run, and the one after it, which brings what moved while the first was reading."""
    for _ in range(2):
        for _attempt in range(4):  # as a scheduler would: a run that was cut short is started again
            report = ingest(hub)
            if not report.failed:
                break
            rig.clock.advance(120)
        assert tell(report) == []
        assert report.load_error is None
        rig.clock.advance(3600)


def without_time_of_change(found: dict[str, list[tuple[Any, ...]]], hub: Hub) -> dict[str, list[tuple[Any, ...]]]:
    """The tables without ``updated_at``: a row that was touched while it was read is the same otherwise."""
    cleaned = {}
    with hub.warehouse() as engine:
        for table, rows in found.items():
            names = [name for name in engine.columns(table) if name not in {"row_hash", "first_seen_at", "changed_seq"}]
            cut = names.index("updated_at") if "updated_at" in names else None
            cleaned[table] = sorted(rows if cut is None else [row[:cut] + row[cut + 1 :] for row in rows], key=repr)
    return cleaned


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[tuple[Any, ...]]]:
    """The tables as they are without faults."""
    with Rig(tmp_path_factory.mktemp("undisturbed")) as rig:
        hub = rig.hub(customers=PLAIN)
        read_twice(rig, hub)
        return without_time_of_change(tables(hub), hub)


def test_every_fault_programme_of_the_simulation_is_tried() -> None:
    pushes = {"duplicate_push", "out_of_order_push", "lost_push"}
    assert {name for programme in CALL_FAULTS for name in programme.split("+")} | pushes | {"none"} == set(
        faults.PROGRAMMES
    )


@pytest.mark.parametrize("programme", CALL_FAULTS)
def test_faults_end_in_the_same_tables(new_rig: NewRig, undisturbed: dict[str, Any], programme: str) -> None:
    rig = new_rig()
    hub = rig.hub(customers=PLAIN)
    rig.sim.use_faults(programme, seed=2)
    read_twice(rig, hub)
    assert [entry for entry in rig.sim.journal.entries() if entry.fault]
    if programme == "page_shift":  # what moved while the second run was reading
        rig.sim.use_faults("none")
        assert tell(ingest(hub, ["wm"], ["orders", "refunds"])) == []
    found = without_time_of_change(tables(hub), hub)
    assert found.keys() == undisturbed.keys()
    for table, rows in undisturbed.items():
        assert found[table] == rows, table


def publish_all(hub: Hub) -> None:
    as_of = hub.now()
    resolve(hub)
    score(hub, as_of=as_of)
    segment(hub)
    publish(hub)


def test_merchant_goes_in_and_segments_and_scores_come_back(rig: Rig) -> None:
    hub = rig.hub(extra=SYNCS, customers=PLAIN)
    assert tell(ingest(hub, ["wm"], ["customers", "orders"])) == []
    for _ in range(2):
        publish_all(hub)
        reports = {report.sync: report for report in push(hub).syncs}
        rig.clock.advance(60)
    assert {name: str(report.error) for name, report in reports.items()} == dict.fromkeys(reports, "None")
    due = {wid: changes[0] for wid, changes in killed_merchant.planned()["points"].items()}
    fields = rig.sim.db.rows("SELECT wid, fields FROM customers WHERE fields <> '{}'")
    assert {row["wid"]: row["fields"] for row in fields} == {
        wid: f'{{"net_value":"{count}"}}' for wid, count in due.items()
    }
    tagged = rig.sim.db.rows(
        "SELECT c.wid, v.name FROM customer_tags AS c JOIN tag_values AS v USING (attr_id) WHERE by_hub"
    )
    wanted = {(wid, "buyers") for wid in due} | {(wid, "regulars") for wid, count in due.items() if count > 1}
    assert {(row["wid"], row["name"]) for row in tagged} == wanted
    # Only who is no customer any longer was tried again.
    assert all(set(report.outcomes) <= {"rejected"} for report in reports.values())


def test_a_number_of_19_digits_goes_unharmed_from_json_to_the_warehouse_and_back(rig: Rig) -> None:
    made = rig.sim.act(
        "copy_members",
        count=3,
        start=rig.clock.time() - 9000,
        end=rig.clock.time() - 6000,
        first=4_223_372_036_854_775_000,
    )
    first = int(made["first"])  # type: ignore[index, call-overload]
    rig.sim.act(
        "copy_orders",
        count=3,
        start=rig.clock.time() - 5000,
        end=rig.clock.time() - 4000,
        buyers=[first, first + 1, first + 2],
    )
    sync = '\n[syncs.gift]\nto = "wm"\ntarget = "points"\nkey = "profile"\nmode = "upsert"\nwhere = "orders_life > 0"\nfields = { delta = "orders_life" }\n'
    hub = rig.hub(extra=sync, customers=PLAIN)
    assert tell(ingest(hub, ["wm"], ["customers", "orders"])) == []
    with hub.warehouse() as engine:
        buyers = engine.rows(
            "SELECT DISTINCT customer_id FROM orders WHERE source_id LIKE '7%' AND length(source_id) = 19 ORDER BY 1"
        )
        known = engine.rows(
            "SELECT source_id FROM profiles WHERE source_id >= '9' AND length(source_id) = 19 ORDER BY 1"
        )
        goods = engine.rows("SELECT DISTINCT product_id FROM orders_lines")
    mine = [(str(first + number),) for number in range(3)]
    assert buyers == known == mine
    assert {int(row[0]) for row in goods} <= {row[0] for row in rig.sim.db.rows("SELECT goods_id FROM goods")}
    publish_all(hub)
    assert push(hub).syncs[0].error is None
    booked = rig.sim.db.rows("SELECT wid, change FROM ledger WHERE wid >= ? ORDER BY wid", first)
    assert [(row["wid"], row["change"]) for row in booked] == [(first + number, 1) for number in range(3)]


def test_a_kill_right_after_a_booking_credits_nobody_twice(tmp_path: Path) -> None:
    due = killed_merchant.planned()
    booked = len(due["points"]) + 3  # in the middle of the second target
    assert run(killed_merchant.work_killed_after, tmp_path, booked) == KILLED
    half = killed_merchant.outcome(tmp_path)
    assert len(due["points"]) <= sum(map(len, half.values())) <= booked
    assert run(killed_merchant.work, tmp_path, 1) == 0
    assert killed_merchant.outcome(tmp_path) == due


def test_hub_status_says_what_share_of_customers_can_be_seen_and_why(
    new_rig: NewRig,
) -> None:
    rig = new_rig(search_most=100, search_by_time=False)
    settings = {**PLAIN, "search": {"most": 100}, "buyers": False}
    hub = rig.hub(customers=settings)
    assert tell(ingest(hub, ["wm"], ["customers"])) == []
    everybody = len(members(rig, 10_000))
    [run_] = [run for (stage, _), run in hub.store.runs.latest().items() if stage == "ingest"]
    note = next(note for note in run_.notes if note.startswith("Coverage"))
    assert f"100 of {everybody} customers seen, {100 / everybody:.1%} (100 by the search)" in note
    assert "at most 100 customers per search" in note
    hub.close()

    from hub.cli.status import _streams

    again = rig.hub(customers=settings)
    assert [note in stream["notes"] for stream in _streams(again)] == [True]
