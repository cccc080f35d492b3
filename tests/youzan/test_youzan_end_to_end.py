"""The whole way: the simulated shop in, scores and segments, tags and attributes back; and the same under every fault."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from youzan_rig import Rig, tables

from hub.context import Hub
from hub.pipeline.ingest import ingest
from hub.pipeline.publish import publish
from hub.pipeline.push import push
from hub.pipeline.resolve import resolve
from hub.pipeline.score import score
from hub.pipeline.segment import segment
from hub.records import Order
from hub.simulation import faults
from hub.simulation.server import VirtualClock

NewRig = Callable[..., Rig]
CALL_FAULTS = [
    "token_expiry", "throttling", "busy", "burst_5xx", "slow", "truncated", "dropped", "dropped_after_write", "page_shift",
]  # fmt: skip


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
    rig = Rig(tmp_path_factory.mktemp("undisturbed"))
    hub = rig.hub()
    read_twice(rig, hub)
    found = without_time_of_change(tables(hub), hub)
    rig.close()
    return found


def test_every_fault_programme_of_the_simulation_is_tried() -> None:
    pushes = {"duplicate_push", "out_of_order_push", "lost_push"}
    assert set(CALL_FAULTS) | pushes | {"none"} == set(faults.PROGRAMMES)


@pytest.mark.parametrize("programme", [*CALL_FAULTS, "throttling+slow+token_expiry"])
def test_faults_end_in_the_same_tables(new_rig: NewRig, undisturbed: dict[str, Any], programme: str) -> None:
    rig = new_rig()
    hub = rig.hub()
    rig.sim.use_faults(programme, seed=2)
    read_twice(rig, hub)
    found = without_time_of_change(tables(hub), hub)
    hits = [entry for entry in rig.sim.journal.entries() if entry.fault]
    assert hits or programme == "dropped_after_write"  # reading writes nothing
    assert found.keys() == undisturbed.keys()
    for table, rows in undisturbed.items():
        assert found[table] == rows, table


def test_shop_goes_in_and_segments_come_back_as_tags(rig: Rig) -> None:
    names = '\n[connections.yz.attributes]\nrfm_code = "RFM"\nr_score = "R分"\nnet_value = "累计净消费"\n'
    cuts = "\n[scores.retail.rfm]\nwindow_days = 60\nrecency_days = [7, 14, 30, 45]\nfrequency = [1, 2, 3, 4]\nmonetary = [15, 25, 40, 60]\n"
    hub = rig.hub(extra=names + cuts + rig.sim.syncs("yz"))
    assert tell(ingest(hub)) == []
    for _ in range(2):
        as_of = hub.now()
        resolve(hub)
        score(hub, as_of=as_of)
        segment(hub)
        publish(hub)
        reports = {report.sync: report for report in push(hub).syncs}
        rig.clock.advance(60)
    assert {name: str(report.error) for name, report in reports.items()} == dict.fromkeys(reports, "None")
    # Nothing changed between the two rounds, so the second one sent nothing.
    assert all(report.outcomes == {} for report in reports.values())
    with hub.warehouse() as engine:
        wanted = engine.value(
            "SELECT count(*) FROM members AS m JOIN links AS l USING (customer_id) WHERE l.connection = 'yz' AND l.source_id NOT LIKE '~%'"
            " AND m.segment IN ('tea_heavy', 'tea_taster', 'tea_sleeping', 'rfm_champions')"
        )
        scored = engine.value(
            "SELECT count(*) FROM traits AS t JOIN links AS l USING (customer_id) WHERE t.rfm_code IS NOT NULL"
        )
    received = rig.sim.received()
    assert received["tags on customers"] == wanted > 0
    assert received["customers with attributes"] == scored > 0


def test_points_that_nobody_answered_for_are_settled_within_the_push(rig: Rig) -> None:
    sync = '\n[syncs.gift]\nto = "yz"\ntarget = "points"\nkey = "profile"\nmode = "upsert"\nfields = { delta = "orders_life" }\nwhere = "orders_life > 0"\n'
    hub = rig.hub(extra=sync)
    ingest(hub, streams=["customers", "orders"])
    as_of = hub.now()
    resolve(hub)
    score(hub, as_of=as_of)
    segment(hub)
    publish(hub)
    rig.sim.use_faults("dropped_after_write", rate=0.5)
    first = push(hub).syncs[0]
    second = push(hub).syncs[0]
    assert str(first.error) == "None"
    assert first.outcomes == {"accepted": first.planned.create}
    assert second.outcomes == {}
    twice = rig.sim.db.value(
        "SELECT max(n) FROM (SELECT count(*) AS n FROM points_log WHERE entry LIKE 'hub-%' GROUP BY open_id)"
    )
    assert twice == 1


def test_orders_and_refunds_agree_in_the_warehouse(rig: Rig) -> None:
    hub = rig.hub()
    ingest(hub, streams=["orders", "refunds"])
    with hub.warehouse() as engine:
        lonely = engine.value(
            "SELECT count(*) FROM orders AS r WHERE r.kind = 'refund' AND NOT EXISTS (FROM orders AS o WHERE o.source_id = r.original_id)"
        )
        assert lonely == 0
        assert engine.value(f"SELECT count(*) FROM {Order.table}") == rig.sim.db.value(
            "SELECT (SELECT count(*) FROM trades) + (SELECT count(*) FROM refunds)"
        )
        off = engine.value(
            "SELECT count(*) FROM orders AS o WHERE abs(total_amount - freight_amount - (SELECT coalesce(sum(net_amount), 0) FROM orders_lines AS l"
            " WHERE l.source_id = o.source_id)) > 0.001"
        )
        assert off == 0


def test_simulator_follows_the_world_and_the_next_ingest_follows_the_simulator(tmp_path: Path) -> None:
    from hub.simulation.world import World

    world = World.generate(1500, 3, days=20, profile="tea")
    rig = Rig(tmp_path, world)
    hub = rig.hub()
    assert tell(ingest(hub)) == []
    before = rig.sim.db.value("SELECT count(*) FROM trades")
    tomorrow = world.end.timestamp() + 86_400.0
    rig.sim.move_to(VirtualClock(tomorrow).now())
    rig.clock.advance_to(tomorrow + 600)
    assert tell(ingest(hub)) == []
    view = world.at(VirtualClock(tomorrow).now()).view("youzan")
    with hub.warehouse() as engine:
        known = {row[0] for row in engine.rows("SELECT source_id FROM orders WHERE kind <> 'refund'")}
        people = {row[0] for row in engine.rows("SELECT source_id FROM profiles WHERE NOT deleted")}
    assert known == set(view.table("orders")["order_id"].to_pylist())
    assert len(known) > before
    assert {row["member_id"] for row in view.table("members").to_pylist() if row["status"] == "active"} <= people
    rig.close()
