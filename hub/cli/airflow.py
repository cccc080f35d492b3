"""``hub airflow``: what a scheduler needs before it can run the hub."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hub.cli.answer import Answer
from hub.cli.app import SET_UP, group, verb
from hub.cli.session import Session

if TYPE_CHECKING:
    from hub.show.screen import Screen

__all__ = ["setup"]

_group = group("airflow", "Prepare Airflow to run the hub's DAGs.", SET_UP)


@verb(SET_UP, "hub airflow setup", "hub airflow setup --dry-run --json", under=_group)
def setup(
    session: Session,
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only tell which pools there should be.")] = False,
) -> Answer:
    """Make the pools that the hub's DAGs use, or change them to what they should be.

    One for the warehouse, which has one writer, and one for every connection that is called. Run it at every deployment:
    a task whose pool is missing waits for ever. Needs Airflow's own settings in the environment, such as AIRFLOW_HOME.
    """
    from hub.airflow.project import read_project
    from hub.airflow.setup import import_pools, pools
    from hub.config import find_config

    project = read_project(session.config or find_config())
    if dry_run:
        found = pools(project)
    else:
        _require_airflow()
        found = import_pools(project)
    return Answer({"pools": found, "dry_run": dry_run}, lambda screen: _show(screen, found, dry_run=dry_run))


def _require_airflow() -> None:
    from hub.errors import ConfigError

    if find_spec("airflow") is None:
        raise ConfigError(
            "Airflow is not installed beside the hub.",
            code="extra_missing",
            hint='Install it into the same environment: pip install "customer-hub[airflow]"',
        )


def _show(screen: Screen, found: Mapping[str, Mapping[str, Any]], *, dry_run: bool) -> None:
    screen.table(
        ("Pool", ">Slots", "For"), [(name, pool["slots"], pool["description"]) for name, pool in found.items()]
    )
    screen.line("Nothing was changed in Airflow." if dry_run else "The pools are in Airflow.", "dim")
