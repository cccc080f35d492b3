"""A hub of its own for Airflow's tests: the sample drops in, an audience file out, no cron."""

from __future__ import annotations

import os
import shutil
import textwrap
from pathlib import Path
from typing import Any

SAMPLES = Path(__file__).parents[2] / "examples" / "pos_drops"

HUB_TOML = """
[connections.sales]
plugin = "files"
url = "in/sales"
mapping = "zh_pos"
scope = "tea"

[connections.members]
plugin = "files"
url = "in/members"
mapping = "zh_members"
scope = "tea"

[connections.drop]
plugin = "files"
url = "out"
[connections.drop.write]
audiences = ["everybody"]

[syncs.everybody]
to = "drop"
target = "everybody"
fields = { name = "name" }

[airflow]
ingest = ""
customers = ""
maintenance = ""
retries = 0
"""


def make_project(folder: Path, toml: str = HUB_TOML) -> Path:
    """Write ``hub.toml`` and the files it reads; return its path."""
    shutil.copytree(SAMPLES, folder / "in")
    config = folder / "hub.toml"
    config.write_text(textwrap.dedent(toml), encoding="utf-8")
    return config


def many(connections: int, syncs: int) -> str:
    """A ``hub.toml`` of a big chain."""
    lines = [f'[connections.shop{n}]\nplugin = "files"\nurl = "in/{n}"\nmapping = "zh_pos"' for n in range(connections)]
    lines += [f'[syncs.sync{n}]\nto = "shop{n % connections}"\ntarget = "audience"' for n in range(syncs)]
    return "\n".join(lines)


def dag_run_of(config: Path, name: str, **more: Any) -> Any:
    """Run a DAG of a project in this process, as ``airflow dags test`` does, from a file in Airflow's DAG folder."""
    from hub.airflow.factory import hub_dags

    file = Path(os.environ["AIRFLOW__CORE__DAGS_FOLDER"]) / "project.py"
    file.write_text(f"from hub.airflow.factory import hub_dags\n\nglobals().update(hub_dags({str(config)!r}))\n")
    return hub_dags(config)[name].test(**more)


def run(config: Path, name: str, **more: Any) -> dict[str, str]:
    """Run a DAG and return its tasks' states; mapped ones as ``task[0]``, the run's own under no name."""
    done = dag_run_of(config, name, **more)
    return {
        task.task_id + (f"[{task.map_index}]" if task.map_index >= 0 else ""): str(task.state or "none")
        for task in done.get_task_instances()
    } | {"": str(done.state)}
