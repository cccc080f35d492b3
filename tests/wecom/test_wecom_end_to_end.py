"""From the corp through the hub and back: tags, kills, faults, and the simulated chain."""

from __future__ import annotations

import datetime as dt
import os
import signal
from pathlib import Path
from typing import Any

import killed_corp
import pytest
from processes import KILLED, run
from toy import facts
from wecom_rig import GROUPS, Rig, chain, customer, rig, tags_of

from hub.pipeline.ingest import ingest
from hub.pipeline.run import run as run_all
from hub.simulation.world import World
from plugins.wecom.client import WecomClient

NAMES = ("未知", "男客", "女客")


def planned(changed: dict[int, int] | None = None) -> dict[tuple[str, str], list[str]]:
    """The tags that the segments ask for: by gender, on every relation."""
    genders = {n: n % 3 for n in range(killed_corp.CUSTOMERS)} | (changed or {})
    relations = [(row["staff_id"], row["member_id"]) for row in killed_corp.world().rows["follows"]]
    return {(who, whom): [NAMES[genders[int(whom[2:])]]] for who, whom in relations}


def test_three_segments_are_pushed_and_a_switch_costs_just_the_calls_it_needs(tmp_path: Path) -> None:
    with rig(tmp_path, killed_corp.world()) as corp:
        first = killed_corp.flow(corp)
        assert first.outcomes == {"accepted": killed_corp.CUSTOMERS}
        assert tags_of(corp.corp) == planned()
        marks = corp.corp.journal.writes("mark_tag")
        assert marks == len(planned())
        corp.corp.db.execute("UPDATE contacts SET gender = 2 WHERE id = ?", customer(10))
        second = killed_corp.flow(corp)
        assert second.outcomes == {"accepted": 1}
        # Customer 10 has two guides.
        assert corp.corp.journal.writes("mark_tag") - marks == 2
        assert tags_of(corp.corp) == planned({10: 2})
        assert killed_corp.flow(corp).outcomes == {}


@pytest.mark.parametrize(
    "environment",
    [
        {"HUB_CRASH_AT": "ingest.sealed"},
        {"HUB_CRASH_AT": "push.intended"},
        {"HUB_CRASH_AT": "push.sent"},
    ],
    ids=str,
)
def test_a_kill_at_a_commit_point_ends_in_the_planned_tags(tmp_path: Path, environment: dict[str, str]) -> None:
    assert run(killed_corp.work, tmp_path, 0, **environment) == KILLED
    assert run(killed_corp.work, tmp_path, 30) == 0
    assert killed_corp.outcome(tmp_path) == planned()


def test_a_kill_between_two_marks_ends_in_the_planned_tags(tmp_path: Path) -> None:
    assert run(_killed_after_marks, tmp_path, len(planned()) // 2) == KILLED
    some = killed_corp.outcome(tmp_path)
    assert 0 < len(some) < len(planned())
    assert run(killed_corp.work, tmp_path, 30) == 0
    assert killed_corp.outcome(tmp_path) == planned()


def _killed_after_marks(folder: Path, marks: int) -> None:
    mark, made = WecomClient.mark, []

    def counting(self: WecomClient, *arguments: Any) -> None:
        mark(self, *arguments)
        made.append(1)
        if len(made) == marks:
            os.kill(os.getpid(), signal.SIGKILL)

    WecomClient.mark = counting  # type: ignore[method-assign]
    killed_corp.work(folder, 0)


@pytest.fixture(scope="module")
def without_faults(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return _tables(tmp_path_factory.mktemp("plain"), "none")


def _tables(folder: Path, programme: str) -> dict[str, Any]:
    follows = [(n % 3, n) for n in range(230)]
    with rig(folder, chain(staff=3, follows=follows, groups=GROUPS)) as corp, corp.hub() as hub:
        if programme != "none":
            corp.corp.use_faults(programme, seed=11, rate=0.2)
        for _ in range(6):
            if not ingest(hub, ["wecom"], ["staff", "customers", "groups", "group_members"]).failed:
                break
        else:
            pytest.fail(f"six reads under {programme} did not come to an end")
        corp.corp.use_faults("none")
        return {table: rows for table, rows in facts(hub).items() if table != "rejects"}


@pytest.mark.parametrize(
    "programme",
    ["token_expiry", "throttling", "busy", "burst_5xx", "truncated", "dropped", "throttling+truncated+busy"],
)
def test_faults_of_the_platform_end_in_the_same_tables(
    tmp_path: Path, programme: str, without_faults: dict[str, Any]
) -> None:
    assert _tables(tmp_path, programme) == without_faults


@pytest.mark.parametrize("programme", ["throttling", "dropped_after_write+truncated"])
def test_faults_while_tagging_end_in_the_planned_tags(tmp_path: Path, programme: str) -> None:
    with rig(tmp_path, killed_corp.world()) as corp:
        corp.corp.use_faults(programme, seed=5, rate=0.2)
        for _ in range(4):
            report = killed_corp.flow(corp)
            if not report.failed_rows and report.error is None:
                break
            corp.clock.advance(2 * 3600)
        assert tags_of(corp.corp) == planned()


def test_data_that_shifts_while_it_is_read_is_right_after_the_next_read(tmp_path: Path) -> None:
    follows = [(n % 3, n) for n in range(330)]
    with rig(tmp_path, chain(staff=3, follows=follows)) as corp, corp.hub() as hub:
        corp.corp.use_faults("page_shift", seed=2, rate=1.0)
        ingest(hub, ["wecom"], ["customers"])
        corp.corp.use_faults("none")
        ingest(hub, ["wecom"], ["customers"])
        with hub.warehouse() as engine:
            found = engine.rows(
                "SELECT staff_id, source_id, coalesce(description, '') FROM profiles_relations ORDER BY ALL"
            )
        truth = corp.corp.db.rows("SELECT userid, id, coalesce(description, '') FROM relations ORDER BY 1, 2")
        assert found == [tuple(row) for row in truth]
        assert any(row[2] for row in found)


def test_the_simulated_chain_is_read_and_followed_day_by_day(tmp_path: Path) -> None:
    world = World.generate(people=300, seed=7, days=40)
    with rig(tmp_path, world) as corp, corp.hub(corp.corp.syncs("wecom")) as hub:
        _agrees(corp, hub, world.now)
        later = world.end
        for _ in range(2):
            later += dt.timedelta(days=1)
            corp.clock.advance(86_400)
            corp.corp.move_to(later)
            _agrees(corp, hub, world.at(later))
        received = corp.corp.received()
        assert set(received) == {"tags on relations", "tagged customers", "descriptions", "mass messages"}


def _agrees(corp: Rig, hub: Any, state: Any) -> None:
    """Run everything, and compare what the hub has with what the world says."""
    report = run_all(hub, as_of=corp.now())
    assert report.error is None
    assert report.ingest is not None
    assert report.ingest.failed == []
    view = state.view("wecom")
    follows = view.table("follows").to_pylist()
    wanted = {(row["member_id"], row["staff_id"]) for row in follows if row["ended_by"] in (None, "customer")}
    left = {row["staff_id"] for row in view.table("staff").to_pylist() if row["status"] == "left"}
    with hub.warehouse() as engine:
        found = set(
            engine.rows(
                "SELECT r.source_id, r.staff_id FROM profiles_relations AS r JOIN profiles AS p USING (connection, source_id)"
                " WHERE NOT p.deleted"
            )
        )
    assert found == {(member, who) for member, who in wanted if who not in left}
