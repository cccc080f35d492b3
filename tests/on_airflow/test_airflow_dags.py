"""The DAGs that hub.toml becomes: which there are, what they need, and how quickly they are made."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from airflow.serialization.serialized_objects import DagSerialization
from airflow_project import HUB_TOML, make_project, many

from hub.airflow.factory import hub_dags
from hub.airflow.project import read_project
from hub.airflow.setup import pools
from hub.errors import ConfigError

DAGS = Path(__file__).parents[2] / "dags"


def test_a_dag_per_connection_and_sync_one_for_customers_one_for_upkeep(project: Path) -> None:
    assert sorted(hub_dags(project)) == [
        "customers", "ingest__drop", "ingest__members", "ingest__sales", "maintenance", "push__everybody"
    ]  # fmt: skip


def test_every_dag_says_what_it_is_and_whose(project: Path) -> None:
    for dag in hub_dags(project).values():
        assert dag.doc_md
        assert "hub" in dag.tags
        assert dag.owner == "hub" or dag.default_args["owner"] == "hub"
        assert dag.max_active_runs == 1
        assert not dag.catchup


def test_every_pool_that_a_task_names_is_one_that_setup_makes(project: Path) -> None:
    made = pools(read_project(project))
    used = {task.pool for dag in hub_dags(project).values() for task in dag.tasks} - {"default_pool"}
    assert used <= made.keys()
    assert made["hub_warehouse"]["slots"] == 1


def test_only_one_task_at_a_time_may_write_the_warehouse(project: Path) -> None:
    dags = hub_dags(project)
    writers = {task.task_id for dag in dags.values() for task in dag.tasks if task.pool == "hub_warehouse"}
    assert writers == {"load", "resolve", "score", "segment", "publish", "look_back", "erase"}


def test_two_parses_make_the_same_dags(project: Path) -> None:
    first, second = (
        {
            name: json.dumps(DagSerialization.serialize_dag(dag), sort_keys=True, default=str)
            for name, dag in made.items()
        }
        for made in (hub_dags(project), hub_dags(project))
    )
    assert first == second


def test_a_cron_is_meant_in_the_chain_s_time_zone(tmp_path: Path) -> None:
    toml = HUB_TOML.replace("[airflow]", '[airflow]\ningest_of = { sales = "*/15 * * * *" }')
    dags = hub_dags(make_project(tmp_path, toml))
    cron = dags["ingest__sales"].timetable
    assert (cron.expression, str(cron.timezone)) == ("*/15 * * * *", "Asia/Shanghai")
    assert not hasattr(dags["ingest__members"].timetable, "expression")


def test_everything_wrong_with_the_settings_is_told_at_once(tmp_path: Path) -> None:
    toml = '[airflow]\ningest = "nightly"\nretries = -1\ncolour = "green"\n'
    with pytest.raises(ConfigError) as caught:
        hub_dags(make_project(tmp_path, toml))
    assert [problem.key for problem in caught.value.problems] == [
        "airflow.ingest", "airflow.retries", "airflow.colour"
    ]  # fmt: skip


def test_a_cron_for_a_connection_that_is_not_there_is_told(tmp_path: Path) -> None:
    toml = HUB_TOML.replace("[airflow]", '[airflow]\ningest_of = { salse = "0 1 * * *" }')
    with pytest.raises(ConfigError) as caught:
        hub_dags(make_project(tmp_path, toml))
    assert [problem.key for problem in caught.value.problems] == ["airflow.ingest_of.salse"]


def test_fifty_connections_and_a_hundred_syncs_are_parsed_in_under_two_seconds(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    config = make_project(tmp_path, many(50, 100))
    hub_dags(config)
    begun = time.perf_counter()
    dags = hub_dags(config)
    seconds = time.perf_counter() - begun
    record_property("seconds", seconds)
    assert len(dags) == 50 + 100 + 2
    assert seconds < 2


def test_parsing_imports_nothing_heavy_and_opens_nothing(project: Path) -> None:
    read_project(project)
    code = (
        "import sys; from hub.airflow.project import read_project; before = set(sys.modules)\n"
        "from hub.airflow.factory import hub_dags; hub_dags(sys.argv[1])\n"
        "heavy = {'duckdb', 'pyarrow', 'pandas', 'sklearn', 'splink', 'sqlmodel', 'plugins.files', 'hub.context'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code, str(project)], capture_output=True, text=True, check=True)
    assert done.stdout.strip().splitlines()[-1] == "[]"
    assert not (project.parent / ".hub" / "store.db").exists()


def test_the_shipped_dag_files_load(project: Path, metadata: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from airflow.dag_processing.dagbag import DagBag

    monkeypatch.setenv("HUB_CONFIG", str(project))
    bag = DagBag(str(DAGS))
    assert bag.import_errors == {}
    assert {"customers", "nightly_report", "push__everybody"} <= set(bag.dags)
