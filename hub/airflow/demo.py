"""The simulated chain on a real, private Airflow: new data triggers the customers, these trigger the pushes.

    python -m hub.airflow.demo              # metadata in SQLite, and again in PostgreSQL where a server is installed
    python -m hub.airflow.demo --database sqlite

Everything is on loopback and in a temporary folder, and nothing is left behind.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hub.airflow import names
from hub.airflow.private import PrivateAirflow
from hub.airflow.private_postgres import PrivatePostgres
from hub.airflow.project import Project, read_project
from hub.airflow.setup import pools
from hub.context import open_hub
from hub.demo import Demo, open_demo
from hub.pipeline.ingest import ingest
from hub.pipeline.resolve import resolve
from hub.pipeline.score import score
from hub.pipeline.segment import segment
from hub.show.bars import TerminalProgress, progress_for
from hub.show.screen import Screen

__all__ = ["COUNTED", "Staged", "counts_of", "counts_without_airflow", "main", "staged"]

COUNTED = {
    "profiles": "SELECT count(*) FROM profiles",
    "orders": "SELECT count(*) FROM orders",
    "order lines": "SELECT count(*) FROM orders_lines",
    "customers": "SELECT count(*) FROM customers",
    "scored customers": "SELECT count(*) FROM traits",
    "revenue of customers": "SELECT sum(net_value_life) FROM traits",
}
"""What must be the same with and without Airflow. Not the memberships: a learnt score depends on when its model was fitted."""

_DAG_FILE = """from hub.airflow.factory import hub_dags

globals().update(hub_dags())
"""
_WAITED_FOR = "Tasks of Airflow that have ended"
_BY_HAND = """
[airflow]
ingest = ""
customers = ""
maintenance = ""
"""


@dataclass(frozen=True)
class Staged:
    """A private Airflow with the DAGs of a demo's hub, all switched on.

    Attributes:
        airflow: the running Airflow.
        demo: the simulated chain and its platforms.
        project: the hub as its DAGs see it.
        dags: ids of all DAGs.
    """

    airflow: PrivateAirflow
    demo: Demo
    project: Project
    dags: tuple[str, ...]


@contextmanager
def staged(
    folder: Path,
    *,
    people: int = 300,
    days: int = 60,
    postgres: bool = False,
    only: Sequence[str] = (),
    more_toml: str = _BY_HAND,
    environ: dict[str, str] | None = None,
) -> Iterator[Staged]:
    """Start the simulated platforms and a private Airflow with the DAGs of their hub.

    Args:
        folder: a new folder; gets everything.
        people, days: size of the simulated chain.
        postgres: keep Airflow's metadata in a private PostgreSQL.
        only: platforms that take part; the demo's own choice when empty.
        more_toml: written behind the demo's ``hub.toml``.
        environ: set for Airflow's processes.
    """
    with open_demo(folder / "chain", people=people, days=days, only=only, in_real_time=True) as demo:
        with demo.config.open("a", encoding="utf-8") as file:
            file.write(more_toml)
        dags = folder / "dags"
        dags.mkdir()
        (dags / "chain.py").write_text(_DAG_FILE)
        project = read_project(demo.config)
        ids = (
            *map(names.ingest_dag, project.sources),
            names.CUSTOMERS_DAG,
            *map(names.push_dag, project.syncs),
            names.MAINTENANCE_DAG,
        )
        given = {"HUB_CONFIG": str(demo.config), **(environ or {})}
        with PrivateAirflow(folder / "airflow", dags, given, postgres=postgres) as airflow:
            airflow.make_pools(pools(project))
            airflow.wait_for_dags(ids)
            for dag in ids:
                airflow.unpause(dag)
            yield Staged(airflow, demo, project, ids)


def counts_of(config: Path) -> dict[str, Any]:
    """Return what a hub's warehouse holds."""
    with open_hub(config) as hub, hub.warehouse() as engine:
        return {name: engine.value(query) for name, query in COUNTED.items()}


def counts_without_airflow(demo: Demo, folder: Path) -> dict[str, Any]:
    """Return what the same data gives by the stages alone, for the same instant, in a home of its own; nothing is pushed."""
    folder.mkdir()
    config = folder / "hub.toml"
    home = f'home = "{folder / "home"}"'
    config.write_text(demo.config.read_text(encoding="utf-8").replace("[hub]", f"[hub]\n{home}", 1), encoding="utf-8")
    with open_hub(demo.config) as hub:
        snapshot = hub.store.snapshots.current()
    with open_hub(config) as hub:
        ingest(hub)
        resolve(hub)
        score(hub, snapshot.as_of if snapshot else None)
        segment(hub)
    return counts_of(config)


def _round(screen: Screen, *, postgres: bool, people: int, days: int) -> bool:
    where = "PostgreSQL" if postgres else "SQLite"
    screen.heading(f"Airflow with metadata in {where}")
    folder = Path(tempfile.mkdtemp(prefix="hub-airflow-"))
    with staged(folder, people=people, days=days, postgres=postgres) as stage:
        for name in stage.project.sources:
            stage.airflow.trigger(names.ingest_dag(name))
        with _shown_progress() as show:
            stage.airflow.wait_until_idle(stage.dags, show=show)
        ok = _show_runs(screen, stage)
        with_airflow = counts_of(stage.demo.config)
        without = counts_without_airflow(stage.demo, folder / "plain")
    screen.line()
    screen.table(
        ("Warehouse", ">With Airflow", ">Without", "Same"),
        [(name, with_airflow[name], without[name], with_airflow[name] == without[name]) for name in COUNTED],
    )
    same = with_airflow == without
    if ok and same:
        shutil.rmtree(folder)
    else:
        screen.line(f"Airflow's logs are kept in {folder / 'airflow'}.", "yellow")
    return ok and same


@contextmanager
def _shown_progress() -> Iterator[Callable[[int], None]]:
    """Count on the terminal how many of Airflow's tasks have ended."""
    progress = progress_for(sys.stderr)
    told = [0]

    def show(ended: int) -> None:
        progress.advance(_WAITED_FOR, ended - told[0])
        told[0] = ended

    progress.start(_WAITED_FOR)
    try:
        yield show
    finally:
        progress.finish(_WAITED_FOR)
        if isinstance(progress, TerminalProgress):
            progress.close()


def _show_runs(screen: Screen, stage: Staged) -> bool:
    rows = []
    for dag in stage.dags:
        for run in stage.airflow.runs(dag):
            tasks = stage.airflow.tasks(dag, run["dag_run_id"])
            states = Counter(f"{task['task_id']} {task['state']}" for task in tasks)
            told = ", ".join(f"{state}{f' ×{count}' if count > 1 else ''}" for state, count in states.items())
            rows.append((dag, run["run_type"], run["state"], told))
    screen.table(("DAG", "Started by", "State", "Tasks"), rows)
    wanted = {names.CUSTOMERS_DAG, *map(names.push_dag, stage.project.syncs)}
    triggered = {dag for dag, kind, state, _ in rows if kind == "asset_triggered" and state == "success"}
    for dag in sorted(wanted - triggered):
        screen.line(f"{dag} was not run by an asset, or did not succeed.", "red")
    return wanted <= triggered and all(state == "success" for _, _, state, _ in rows)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the demo; 0 when everything ran by itself and ended in the same tables."""
    parser = argparse.ArgumentParser(prog="python -m hub.airflow.demo", description=__doc__)
    parser.add_argument("--database", choices=("both", "sqlite", "postgres"), default="both")
    parser.add_argument("--people", type=int, default=300, help="people of the simulated chain")
    parser.add_argument("--days", type=int, default=60, help="days of history")
    given = parser.parse_args(arguments)
    screen = Screen(sys.stdout)
    rounds = {"both": (False, True), "sqlite": (False,), "postgres": (True,)}[given.database]
    if given.database == "both" and PrivatePostgres.programs() is None:
        screen.line("No PostgreSQL server is installed here: only SQLite is shown.", "yellow")
        rounds = (False,)
    results = [_round(screen, postgres=postgres, people=given.people, days=given.days) for postgres in rounds]
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
