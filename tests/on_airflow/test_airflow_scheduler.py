"""A real scheduler, executor and API server on loopback: chains by assets, killed tasks, one writer, a backfill."""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from hub.airflow import names
from hub.airflow.demo import Staged, counts_of, counts_without_airflow, staged
from hub.airflow.links import ROWS_PATH
from hub.airflow.private_postgres import PrivatePostgres
from hub.context import Hub, open_hub
from hub.pipeline.history import publish_as_of
from hub.pipeline.publish import snapshot_views
from hub.store.tables import Snapshot

pytestmark = pytest.mark.skipif(
    not os.environ.get("HUB_TEST_AIRFLOW"), reason="starts a real Airflow: make test-airflow"
)

TOML = """
[airflow]
ingest = ""
customers = "0 5 * * *"
maintenance = ""
retries = 2
retry_minutes = 0.02
"""
KILLED = ("ingest.sealed", "load.merged", "push.intended", "push.sent")


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Staged]:
    """The simulated chain on Airflow; at four commit points one task is killed and tried again."""
    folder = tmp_path_factory.mktemp("staged")
    dead = folder / "dead"
    dead.mkdir()
    killing = {"HUB_CRASH_AT": ",".join(KILLED), "HUB_CRASH_ONCE": str(dead)}
    postgres = PrivatePostgres.programs() is not None
    with staged(
        folder,
        people=200,
        days=40,
        only=("files", "webhook", "wecom"),
        more_toml=TOML,
        environ=killing,
        postgres=postgres,
    ) as found:
        for connection in found.project.sources:
            found.airflow.trigger(names.ingest_dag(connection))
        found.airflow.wait_until_idle(found.dags)
        yield found


def test_tasks_were_killed_and_tried_again(stage: Staged) -> None:
    assert {file.name for file in (stage.demo.folder.parent / "dead").iterdir()} == set(KILLED)
    tries = [
        task["try_number"]
        for dag in stage.dags
        for run in stage.airflow.runs(dag)
        for task in stage.airflow.tasks(dag, run["dag_run_id"])
    ]
    assert sum(number > 1 for number in tries) >= len(KILLED) - 1


def test_every_run_ended_well_and_new_data_led_to_pushes_by_itself(stage: Staged) -> None:
    found = {dag: stage.airflow.runs(dag) for dag in stage.dags}
    assert {run["state"] for runs in found.values() for run in runs} == {"success"}
    pushes = [names.push_dag(sync) for sync in stage.project.syncs]
    for dag in (names.CUSTOMERS_DAG, *pushes):
        assert "asset_triggered" in {run["run_type"] for run in found[dag]}, dag
    run = found[pushes[0]][0]["dag_run_id"]
    events = stage.airflow.get(f"/dags/{pushes[0]}/dagRuns/{run.replace('+', '%2B')}/upstreamAssetEvents")[
        "asset_events"
    ]
    assert {event["source_dag_id"] for event in events} == {names.CUSTOMERS_DAG}


def test_mapped_tasks_ran_each_in_a_process_of_the_executor(stage: Staged) -> None:
    dag = names.ingest_dag("wecom")
    run = stage.airflow.runs(dag)[0]["dag_run_id"]
    reads = [task for task in stage.airflow.tasks(dag, run) if task["task_id"] == "read"]
    assert len(reads) > 3
    assert all(task["state"] == "success" and task["pid"] and task["hostname"] for task in reads)
    assert "customers" in {task["rendered_map_index"] for task in reads}


def test_the_tables_are_those_of_a_run_without_airflow(stage: Staged, tmp_path: Path) -> None:
    assert counts_of(stage.demo.config) == counts_without_airflow(stage.demo, tmp_path / "plain")


def test_nothing_was_sent_twice(stage: Staged) -> None:
    with open_hub(stage.demo.config) as hub:
        sent = 0
        for sync in hub.settings.syncs:
            found = hub.store.deliveries.find(sync=sync, limit=100_000)
            accepted = [one.id for one in found if one.outcome == "accepted"]
            sent += len(accepted)
            assert len(accepted) == len(set(accepted)), sync
            assert not [one for one in found if one.outcome in {"sending", "unknown"}], sync
        assert sent > 0
        received = next(platform for platform in stage.demo.platforms if platform.name == "webhook").received()
        assert received["events"] <= sum(
            one.outcome == "accepted"
            for sync, settings in hub.settings.syncs.items()
            if hub.connection(settings.to).plugin == "webhook"
            for one in hub.store.deliveries.find(sync=sync, limit=100_000)
        )


def test_one_writer_and_no_lock_error_anywhere(stage: Staged) -> None:
    logs = [file for file in (stage.airflow.folder / "home" / "logs").rglob("*.log") if file.is_file()]
    assert len(logs) > 10
    for file in logs:
        text = file.read_text(errors="replace")
        assert "lease_held" not in text, file
        assert "database is locked" not in text, file
        assert "Could not set lock" not in text, file


def test_the_summary_of_a_stage_is_in_its_task_s_log(stage: Staged) -> None:
    logs = (stage.airflow.folder / "home" / "logs").rglob("*.log")
    text = "\n".join(file.read_text(errors="replace") for file in logs if "dag_id=customers" in str(file))
    assert "Customers" in text
    assert "Snapshot" in text


def test_a_task_links_to_its_rows_which_only_a_signed_in_user_sees(stage: Staged) -> None:
    import httpx

    address = f"{stage.airflow.address}{ROWS_PATH}/rows"
    assert httpx.get(address, params={"task": "x"}).status_code == 401
    push = names.push_dag(next(iter(stage.project.syncs)))
    run = stage.airflow.runs(push)[0]["dag_run_id"]
    links = stage.airflow.get(f"/dags/{push}/dagRuns/{run.replace('+', '%2B')}/taskInstances/write/links")
    link = links["extra_links"]["Hub rows"]
    assert link.startswith(f"{ROWS_PATH}/rows?task=")
    page = stage.airflow.page(link)
    assert "Deliveries" in page
    assert "accepted" in page


def instant(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text)


def _again(hub: Hub, aside: Snapshot) -> Snapshot:
    """The same day looked back to once more, by the function itself."""
    publish_as_of(hub, aside.as_of)
    return hub.store.snapshots.list(state="aside")[0]


def _traits(hub: Hub, snapshot: Snapshot) -> list[tuple[object, ...]]:
    with hub.workbench() as engine:
        snapshot_views(hub, engine, snapshot)
        return engine.rows("FROM traits ORDER BY customer_id")


def test_a_backfill_of_a_week_scores_each_day_aside_and_pushes_nothing(stage: Staged) -> None:
    with open_hub(stage.demo.config) as hub:
        current = hub.store.snapshots.current()
        sent = len(hub.store.deliveries.find(limit=100_000))
    last = stage.demo.moment - dt.timedelta(days=2)
    body = {
        "dag_id": names.CUSTOMERS_DAG,
        "from_date": (last - dt.timedelta(days=7)).isoformat(),
        "to_date": last.isoformat(),
        "run_backwards": False,
        "reprocess_behavior": "none",
        "max_active_runs": 1,
    }
    stage.airflow.post("/backfills", body)
    stage.airflow.wait_until_idle([names.CUSTOMERS_DAG])
    backfilled = [run for run in stage.airflow.runs(names.CUSTOMERS_DAG) if run["run_type"] == "backfill"]
    assert [run["state"] for run in backfilled] == ["success"] * 7
    with open_hub(stage.demo.config) as hub:
        aside = hub.store.snapshots.list(state="aside")
        assert {found.as_of for found in aside} == {instant(run["logical_date"]) for run in backfilled}
        assert _traits(hub, aside[0]) == _traits(hub, _again(hub, aside[0]))
        assert hub.store.snapshots.current() == current
        assert len(hub.store.deliveries.find(limit=100_000)) == sent
