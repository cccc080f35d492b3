"""Make the pools that the DAGs need. A task whose pool is missing would wait for ever."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

from hub.airflow.names import WAREHOUSE_POOL, api_pool
from hub.airflow.project import Project
from hub.errors import StoreError

__all__ = ["import_pools", "pools"]


def pools(project: Project) -> dict[str, dict[str, object]]:
    """Return the pools by name, as ``airflow pools import`` reads them."""
    found: dict[str, dict[str, object]] = {
        WAREHOUSE_POOL: {"slots": 1, "description": "The warehouse has one writer.", "include_deferred": False}
    }
    for connection in sorted({*project.sources, *project.syncs.values()}):
        found[api_pool(connection)] = {
            "slots": project.settings.calls_at_once,
            "description": f"Tasks that call {connection}; calls per second are the hub's own budgets.",
            "include_deferred": False,
        }
    return found


def import_pools(project: Project) -> dict[str, dict[str, object]]:
    """Make the pools in this machine's Airflow, or change them to what they should be.

    Raises:
        StoreError: Airflow cannot be reached or refused.
    """
    wanted = pools(project)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "pools.json"
        file.write_text(json.dumps(wanted), encoding="utf-8")
        done = subprocess.run(  # noqa: S603 - this very Python, with a file of our own
            [sys.executable, "-m", "airflow", "pools", "import", str(file)],
            capture_output=True,
            text=True,
            check=False,
        )
    if done.returncode:
        lines = (done.stderr or done.stdout).strip().splitlines()
        raise StoreError(
            f"Airflow did not take the pools: {lines[-1] if lines else 'no reason given'}",
            code="airflow_unreachable",
            hint="Is AIRFLOW_HOME (or AIRFLOW__DATABASE__SQL_ALCHEMY_CONN) set, and `airflow db migrate` done?",
        )
    return wanted
