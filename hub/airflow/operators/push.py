"""Operators of a push: plan, send, look up what is in doubt, and say whether all went well."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from airflow.sdk import BaseOperator, BranchMixIn
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from hub.airflow.operators.base import HubOperator

if TYPE_CHECKING:
    from hub.context import Hub


__all__ = ["PlanPushOperator", "PushOperator", "PushVerdictOperator", "ReconcileOperator"]

_FAILED: Final = frozenset({"failed", "upstream_failed"})


class PlanPushOperator(HubOperator, BranchMixIn):
    """Counts what a push would send, and sends the run to a person first when that is unusually much.

    Args:
        sync: the sync.
        approve_share: share of its rows from which on a person must approve.
        approve_rows: rows up to which nobody need.
        approval: id of the task that asks.
        write: id of the task that sends.
    """

    stage = "push"
    inherits_from_skipmixin = True

    def __init__(
        self, *, sync: str, approve_share: float, approve_rows: int, approval: str, write: str, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.sync = sync
        self.approve_share = approve_share
        self.approve_rows = approve_rows
        self.approval = approval
        self.write = write

    def work(self, hub: Hub, context: Any) -> dict[str, int]:
        """Plan, and choose what comes next."""
        from hub.pipeline.push import push

        report = push(hub, [self.sync], dry_run=True)
        self.summarise(hub, report)
        planned = report.syncs[0]
        if planned.error is not None:
            raise planned.error
        counts = {
            "create": planned.planned.create,
            "update": planned.planned.update,
            "delete": planned.planned.delete,
            "unchanged": planned.planned.unchanged,
        }
        self.do_branch(context, self.approval if self.needs_approval(counts) else self.write)
        return counts

    def needs_approval(self, counts: Mapping[str, int]) -> bool:
        """Whether so much would change that a person should look first."""
        changing = counts["create"] + counts["update"] + counts["delete"]
        return changing > self.approve_rows and changing > self.approve_share * (changing + counts["unchanged"])


class PushOperator(HubOperator):
    """Sends what changed, with an outcome for every row."""

    stage = "push"

    def __init__(self, *, sync: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.sync = sync

    def work(self, hub: Hub, context: Any) -> dict[str, Any]:
        """Push; with the run's parameter ``dry_run`` only plan.

        Raises:
            HubError: the sync ended early; what was sent is written down and not sent again.
            AirflowFailException: too many rows failed.
        """
        from hub.pipeline.push import push

        report = push(hub, [self.sync], dry_run=bool((context.get("params") or {}).get("dry_run")))
        self.summarise(hub, report)
        done = report.syncs[0]
        if done.error is not None:
            raise done.error
        if done.state == "failed":
            raise AirflowFailException(f"Too many rows failed; see `hub deliveries --sync {self.sync}`.")
        return {"state": done.state, "outcomes": {str(name): count for name, count in done.outcomes.items()}}


class ReconcileOperator(HubOperator):
    """Asks the destination what became of rows whose outcome is unknown; skipped when there is none.

    Args:
        sync: the sync.
    """

    stage = "push"

    def __init__(self, *, sync: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.sync = sync

    def work(self, hub: Hub, context: Any) -> dict[str, Any]:
        """Look them up where the destination can tell, and send what was not done.

        Raises:
            AirflowSkipException: nothing is in doubt, or the run only plans.
            HubError: the destination could not be asked.
        """
        from hub.pipeline.push import push

        settings = hub.settings.syncs[self.sync]
        doubt = hub.store.deliveries.in_doubt(settings.to, settings.target)
        if not doubt or (context.get("params") or {}).get("dry_run"):
            raise AirflowSkipException("No row's outcome is unknown.")
        report = push(hub, [self.sync])
        self.summarise(hub, report)
        done = report.syncs[0]
        if done.error is not None:
            raise done.error
        return {"looked_up": done.looked_up, "in_doubt": hub.store.deliveries.in_doubt(settings.to, settings.target)}


class PushVerdictOperator(BaseOperator):
    """Turns the run red when planning, sending or looking up failed, whatever came after.

    Args:
        tasks: ids of the tasks that must not fail.
    """

    def __init__(self, *, tasks: Sequence[str], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.tasks = list(tasks)

    def execute(self, context: Any) -> None:
        """Look at the tasks' states.

        Raises:
            AirflowFailException: one has failed.
        """
        run = context["dag_run"]
        states = context["ti"].get_task_states(dag_id=run.dag_id, task_ids=self.tasks, run_ids=[run.run_id])
        failed = [task for task, state in states.get(run.run_id, {}).items() if state in _FAILED]
        if failed:
            raise AirflowFailException(
                f"Failed: {', '.join(sorted(failed))}. Rows that were sent are written down and not sent again; "
                "the next run goes on with the rest. The tasks' logs and `hub status` tell why."
            )
