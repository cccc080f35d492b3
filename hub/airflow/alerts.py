"""A task that has failed for good becomes one of the hub's own alerts, so that whoever listens to the hub hears of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.sdk import RetryAction
from airflow.sdk.exceptions import AirflowFailException

from hub.airflow.retry import HubRetryPolicy

if TYPE_CHECKING:
    from hub.context import Hub

__all__ = ["is_final", "subject_of", "tell_failure", "tell_success"]


def is_final(task_instance: Any, error: Exception) -> bool:
    """Whether a task that raised this will not be tried again."""
    if isinstance(error, AirflowFailException) or task_instance.try_number > task_instance.max_tries:
        return True
    return (
        HubRetryPolicy().evaluate(error, task_instance.try_number, task_instance.max_tries).action is RetryAction.FAIL
    )


def subject_of(task_instance: Any) -> str:
    """Return what alerts of a task are filed under: the same in every run."""
    index = getattr(task_instance, "map_index", -1)
    return f"{task_instance.dag_id}.{task_instance.task_id}" + (f"[{index}]" if index >= 0 else "")


def tell_failure(hub: Hub, context: Any, error: Exception) -> None:
    """Raise the alert ``task_failed``."""
    from hub.pipeline.push_notices import Notices

    Notices(hub).work_failed(subject_of(context["ti"]), "task_failed", str(error))


def tell_success(hub: Hub, context: Any) -> None:
    """Take back what an earlier run of this task raised."""
    from hub.pipeline.push_notices import Notices

    Notices(hub).work_succeeded(subject_of(context["ti"]))
