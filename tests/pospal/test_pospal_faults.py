"""Whatever the platform does wrong, the tables are the same; and the chain's day is read completely and once."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from pospal_rig import Rig, chain, item, member, ticket
from toy import facts

from hub.demo import open_demo
from hub.pipeline.ingest import ingest
from hub.simulation import faults

NewRig = Callable[..., Rig]
PUSHES = {"duplicate_push", "out_of_order_push", "lost_push"}
CALL_FAULTS = sorted(set(faults.PROGRAMMES) - PUSHES - {"none", "token_expiry"})
"""Keys do not expire, and pushed messages have tests of their own."""
STREAMS = ["members", "tickets", "recharges", "staff", "stores"]


def filled(rig: Rig) -> Rig:
    """Two days at two shops, with a refund, a void, a split payment and a member; pages of ten."""
    rig.sim.act("join", shop="S01", member=member(1001, "M1", "林小满", "15400010001"))
    for number in range(60):
        at = dt.datetime(2026, 3, 2, 9, tzinfo=dt.UTC) + dt.timedelta(minutes=29 * number)
        shop = f"S0{number % 2 + 1}"
        rung = ticket(
            9_000 + number,
            f"{at:%Y-%m-%d %H:%M:%S}",
            item("a", 3.5, number % 4 + 1),
            customerUid=1001 * (number % 3 == 0),
        )
        rig.sim.act("ring_up", shop=shop, ticket=rung)
    rig.sim.act("reverse", uid="9004")
    back = ticket(9_100, "2026-03-03 10:00:00", item("a", 3.5), ticketType="SELL_RETURN")
    rig.sim.act("ring_up", shop="S01", ticket=back, sale="9002")
    return rig


def tables(rig: Rig, programme: str) -> dict[str, Any]:
    hub = rig.hub()
    rig.sim.use_faults(programme, seed=2)
    for _attempt in range(5):  # as a scheduler would: a run that was cut short is started again
        report = ingest(hub, streams=STREAMS)
        if not report.failed:
            break
        rig.clock.advance(1800)
    assert [(stream.stream, str(stream.error)) for stream in report.failed] == []
    assert report.load_error is None
    return facts(hub)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    rig = filled(Rig(tmp_path_factory.mktemp("undisturbed"), shops=("S01", "S02"), page_size=10))
    yield tables(rig, "none")
    rig.close()


@pytest.mark.parametrize("programme", [*CALL_FAULTS, "throttling+slow"])
def test_faults_end_in_the_same_tables(new_rig: NewRig, undisturbed: dict[str, Any], programme: str) -> None:
    rig = filled(new_rig(shops=("S01", "S02"), page_size=10))
    found = tables(rig, programme)
    hits = [entry for entry in rig.sim.journal.entries() if entry.fault]
    assert hits or programme == "dropped_after_write"  # reading writes nothing
    assert len(undisturbed["orders"]) == 61
    assert found.keys() == undisturbed.keys()
    for table, rows in undisturbed.items():
        assert sorted(found[table], key=repr) == sorted(rows, key=repr), table


def test_quota_that_ends_in_the_middle_is_taken_up_the_next_day(new_rig: NewRig, undisturbed: dict[str, Any]) -> None:
    rig = filled(new_rig(shops=("S01", "S02"), page_size=10))
    hub = rig.hub(calls_per_day=9)
    for _ in range(6):
        report = ingest(hub, streams=STREAMS)
        if not report.failed:
            break
        rig.clock.advance(86_400)
    assert not report.failed
    with hub.warehouse() as engine:
        assert engine.value("SELECT count(*) FROM orders") == len(undisturbed["orders"])


def test_next_day_of_the_chain_is_added(tmp_path_factory: pytest.TempPathFactory) -> None:
    rig = Rig(tmp_path_factory.mktemp("tomorrow"), chain())
    hub = rig.hub(tickets={"window_days": 31, "no_limit_flag": True})
    assert ingest(hub, streams=["tickets"]).failed == []
    world = chain()
    tomorrow = world.end + dt.timedelta(days=1)
    rig.sim.move_to(tomorrow)
    rig.clock.advance_to(tomorrow.timestamp() + 600)
    assert ingest(hub, streams=["tickets"]).failed == []
    view = world.at(tomorrow).view("pos")
    with hub.warehouse() as engine:
        known = {row[0] for row in engine.rows("SELECT source_id FROM orders WHERE kind <> 'refund'")}
    assert known == set(view.table("orders")["order_id"].to_pylist())
    rig.close()


def test_demo_runs_it_when_it_is_named_and_leaves_it_out_otherwise(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("demo") / "chain"
    with open_demo(folder, people=200, days=30, only=("pos.pospal",)) as demo:
        with demo.hub() as hub:
            assert [(each.stream, str(each.error)) for each in ingest(hub).failed] == []
            with hub.warehouse() as engine:
                people = engine.value("SELECT count(*) FROM profiles WHERE NOT deleted")
        truth = demo.platforms[0].people(demo.world.now)
        assert list(truth) == ["pospal"]
        assert 0 < people <= truth["pospal"].num_rows
        assert "[connections.pospal]" in demo.config.read_text(encoding="utf-8")
    from hub.demo import _names

    assert "pos.pospal" not in _names(None)
