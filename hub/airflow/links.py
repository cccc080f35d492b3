"""From a task to what the hub did in it: the runs' counts, the rejected rows, the deliveries."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from airflow.sdk import BaseOperatorLink

__all__ = ["ROWS_PATH", "RunRowsLink", "task_key"]

ROWS_PATH = "/hub"
"""Where the page is mounted in Airflow's API server."""


def task_key(task_instance: Any) -> str:
    """Return what the hub's runs of one task instance are filed under; the same for all its tries."""
    index = getattr(task_instance, "map_index", -1)
    parts = (task_instance.dag_id, task_instance.run_id, task_instance.task_id, *((index,) if index >= 0 else ()))
    return "airflow/" + "/".join(str(part) for part in parts)


class RunRowsLink(BaseOperatorLink):
    """The button "Hub rows" beside a task."""

    name = "Hub rows"

    def get_link(self, operator: Any, *, ti_key: Any) -> str:
        """Return the page's address; without a host, so that it holds behind any proxy."""
        del operator
        return f"{ROWS_PATH}/rows?task={quote(task_key(ti_key), safe='')}"
