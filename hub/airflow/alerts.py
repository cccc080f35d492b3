"""A task that has failed for good becomes one of the hub's own alerts, so that whoever listens to the hub hears of it."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from hub.airflow.hooks import HubHook

if TYPE_CHECKING:
    from hub.context import Hub

__all__ = ["subject_of", "tell_failure", "tell_success"]

_log = logging.getLogger("hub.airflow")


def subject_of(task_instance: Any) -> str:
    """Return what alerts of a task are filed under: the same in every run."""
    index = getattr(task_instance, "map_index", -1)
    return f"{task_instance.dag_id}.{task_instance.task_id}" + (f"[{index}]" if index >= 0 else "")


def tell_failure(context: Any) -> None:
    """Raise the alert ``task_failed``; Airflow calls this after the last try.

    A hub that cannot be opened is logged: the task's own failure says more than this one would.
    """
    from hub.errors import HubError
    from hub.pipeline.push_notices import Notices

    task, instance = context["task"], context["ti"]
    try:
        with HubHook(task.config, task.hub_conn_id).opened() as hub:
            Notices(hub).work_failed(subject_of(instance), "task_failed", str(context.get("exception") or "It failed."))
    except HubError as error:
        _log.warning("The failure of %s could not be told: %s", subject_of(instance), error)


def tell_success(hub: Hub, context: Any) -> None:
    """Take back what an earlier run of this task raised."""
    from hub.pipeline.push_notices import Notices

    Notices(hub).work_succeeded(subject_of(context["ti"]))
