"""The tasks, run by Airflow's own `dag.test()` in this process."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from airflow.sdk.exceptions import AirflowSkipException
from airflow_project import HUB_TOML, dag_run_of, make_project, run
from sqlalchemy import update

from hub.airflow.factory import hub_dags
from hub.airflow.hooks import HubHook
from hub.airflow.links import task_key
from hub.airflow.operators import PlanPushOperator, ReconcileOperator
from hub.airflow.ui import rows_page
from hub.context import open_hub
from hub.errors import ConfigError
from hub.store.tables import LedgerEntry

pytestmark = pytest.mark.usefixtures("metadata")


def test_from_files_to_customers_to_a_file_and_then_nothing_to_do(project: Path) -> None:
    for name in ("ingest__sales", "ingest__members"):
        done = run(project, name)
        assert done[""] == "success"
        assert {state for task, state in done.items() if task.startswith("read")} == {"success"}
    assert set(run(project, "customers").values()) == {"success", "skipped"}  # only look_back is skipped
    assert run(project, "push__everybody") == {
        "": "success", "plan": "success", "approve": "skipped", "write": "success",
        "reconcile": "skipped", "verdict": "success",
    }  # fmt: skip
    lines = (project.parent / "out" / "everybody.csv").read_text().splitlines()
    with open_hub(project) as hub:
        assert len(lines) - 1 == hub.store.snapshots.current().counts["customers"] > 3

    again = run(project, "ingest__sales")
    assert (again["load"], again["verdict"], again[""]) == ("skipped", "success", "success")
    assert run(project, "customers")["publish"] == "skipped"


def alerts(config: Path) -> set[str]:
    """Tasks that need somebody, as `hub status` tells."""
    with open_hub(config) as hub:
        return {alert.sync for alert in hub.store.alerts.standing()}


def test_a_stream_that_fails_leaves_the_run_red_and_the_others_loaded(tmp_path: Path) -> None:
    config = make_project(tmp_path)
    (tmp_path / "in" / "sales").rename(tmp_path / "elsewhere")
    done = run(config, "ingest__sales")
    assert done["verdict"] == "failed"
    assert done[""] == "failed"
    assert alerts(config) == {"ingest__sales.read[0]"}
    (tmp_path / "elsewhere").rename(tmp_path / "in" / "sales")
    assert run(config, "ingest__sales")[""] == "success"
    assert alerts(config) == set()


def test_a_run_scores_for_the_instant_it_is_told(project: Path) -> None:
    run(project, "ingest__sales")
    run(project, "customers", run_conf={"as_of": "2026-03-02T00:00:00+08:00"})
    with open_hub(project) as hub:
        assert hub.store.snapshots.current().as_of.isoformat() == "2026-03-01T16:00:00+00:00"


def test_an_unusually_big_push_waits_for_a_person(tmp_path: Path) -> None:
    config = make_project(tmp_path, HUB_TOML.replace("[airflow]", "[airflow]\napprove_rows = 2"))
    run(config, "ingest__sales")
    run(config, "customers")
    done = run(config, "push__everybody", mark_success_pattern="approve")
    assert (done["plan"], done["approve"], done["write"]) == ("success", "success", "success")


def test_a_push_that_fails_leaves_the_run_red_whatever_came_after(project: Path) -> None:
    run(project, "ingest__sales")
    run(project, "customers")
    (project.parent / "out").write_text("in the way of the folder")
    done = run(project, "push__everybody")
    assert (done["write"], done["reconcile"], done["verdict"], done[""]) == ("failed", "skipped", "failed", "failed")


def test_rows_in_doubt_are_settled_by_the_task_behind_the_push(project: Path) -> None:
    for name in ("ingest__sales", "customers", "push__everybody"):
        run(project, name)
    settle = ReconcileOperator(task_id="reconcile", sync="everybody", config=str(project))
    with open_hub(project) as hub:
        with pytest.raises(AirflowSkipException):
            settle.work(hub, {})
        with hub.store.database.write() as session:
            session.execute(update(LedgerEntry).values(outcome="unknown"))
        with pytest.raises(AirflowSkipException):
            settle.work(hub, {"params": {"dry_run": True}})
        assert settle.work(hub, {})["in_doubt"] is False


@pytest.mark.parametrize(
    ("changing", "unchanged", "asks"), [(100, 0, False), (101, 0, True), (101, 101, False), (102, 101, True)]
)
def test_big_is_many_rows_and_a_big_share_of_them(changing: int, unchanged: int, asks: bool) -> None:
    plan = PlanPushOperator(
        task_id="plan", sync="s", approve_share=0.5, approve_rows=100, approval="a", write="w", config="hub.toml"
    )
    assert plan.needs_approval({"create": changing, "update": 0, "delete": 0, "unchanged": unchanged}) is asks


def test_the_page_of_a_task_shows_what_the_hub_did_in_it(project: Path) -> None:
    done = dag_run_of(project, "ingest__sales")
    task = next(task for task in done.get_task_instances() if task.task_id == "read" and task.map_index == 0)
    with open_hub(project) as hub:
        page = rows_page(hub, task_key(task))
        nothing = rows_page(hub, "airflow/none")
    assert "sales/" in page
    assert "succeeded" in page
    assert "154" not in page
    assert "no run of this task" in nothing


def test_the_page_is_for_signed_in_users_only() -> None:
    from fastapi.testclient import TestClient

    from hub.airflow.ui import app

    answer = TestClient(app, raise_server_exceptions=False).get("/rows", params={"task": "x"})
    assert answer.status_code == 401


class TestSecrets:
    def test_they_may_come_from_an_airflow_connection(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        config = make_project(tmp_path, HUB_TOML.replace('url = "out"', 'url = "${OUT_FOLDER}"'))
        extra = {"config": str(config), "secrets": json.dumps({"OUT_FOLDER": "from-airflow"})}
        monkeypatch.setenv("AIRFLOW_CONN_HUB_DEFAULT", json.dumps({"conn_type": "hub", "extra": extra}))
        with HubHook().opened() as hub:
            assert hub.connection("drop").config.url == "from-airflow"
        monkeypatch.setenv("OUT_FOLDER", "from-environment")
        with HubHook().opened() as hub:
            assert hub.connection("drop").config.url == "from-environment"

    def test_what_is_no_json_is_told_without_showing_it(self, monkeypatch: pytest.MonkeyPatch, project: Path) -> None:
        extra = {"config": str(project), "secrets": "hush-hush"}
        monkeypatch.setenv("AIRFLOW_CONN_HUB_DEFAULT", json.dumps({"conn_type": "hub", "extra": extra}))
        with pytest.raises(ConfigError, match="not a JSON object") as caught, HubHook().opened():
            pass
        assert "hush" not in str(caught.value)
        assert HubHook().test_connection()[0] is False


def test_lineage_tells_data_sets_and_counts(project: Path) -> None:
    class Done:
        task_id, map_index = "load", -1

        def xcom_pull(self, **_: object) -> dict[str, object]:
            return {"changed": 7, "stream": "orders"}

    load = next(task for task in hub_dags(project)["ingest__sales"].tasks if task.task_id == "load")
    told = load.get_openlineage_facets_on_complete(Done())
    assert [entry.name for entry in told.outputs] == ["warehouse.profiles", "warehouse.orders"]
    assert told.run_facets["hub_counts"].counts == {"changed": 7}
