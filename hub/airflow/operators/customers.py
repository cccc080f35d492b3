"""Operators from profiles to a snapshot: resolve, score, segment, publish; and looking back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.sdk import Asset, BaseBranchOperator
from airflow.sdk.exceptions import AirflowSkipException

from hub.airflow.operators.base import HubOperator, moment_of

if TYPE_CHECKING:
    from hub.context import Hub


__all__ = [
    "LookBackOperator",
    "PublishOperator",
    "ResolveOperator",
    "ScoreOperator",
    "SegmentOperator",
    "WhichWayOperator",
]


class WhichWayOperator(BaseBranchOperator):
    """Sends a backfill's run to look back, so that no old score is published as current or pushed.

    Args:
        forward: id of the task that begins the ordinary way.
        back: id of the task that looks back.
    """

    def __init__(self, *, forward: str, back: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.forward = forward
        self.back = back

    def choose_branch(self, context: Any) -> str:
        """Choose by the kind of the run."""
        return self.back if context["dag_run"].run_type == "backfill" else self.forward


class ResolveOperator(HubOperator):
    """Decides which profiles are one person."""

    stage = "resolve"

    def work(self, hub: Hub, context: Any) -> dict[str, int]:
        """Resolve what changed; everything with the run's parameter ``full``."""
        from hub.pipeline.resolve import resolve

        report = resolve(hub, full=bool((context.get("params") or {}).get("full")))
        self.summarise(hub, report)
        return {"customers": report.customers, "changed": report.changed, "review": report.review}


class ScoreOperator(HubOperator):
    """Works out every customer's traits for the run's instant."""

    stage = "score"

    def work(self, hub: Hub, context: Any) -> dict[str, Any]:
        """Score."""
        from hub.pipeline.score import score

        report = score(hub, moment_of(context, hub.settings.zone))
        self.summarise(hub, report)
        return {"as_of": report.as_of.isoformat(), "customers": report.customers, "changed": report.changed}


class SegmentOperator(HubOperator):
    """Decides who is in which segment."""

    stage = "segment"

    def work(self, hub: Hub, context: Any) -> dict[str, int]:
        """Segment."""
        from hub.pipeline.segment import segment

        report = segment(hub)
        self.summarise(hub, report)
        return {size.segment.name: size.members for size in report.sizes}


class PublishOperator(HubOperator):
    """Publishes a snapshot; skipped when nothing changed, so that nothing is pushed."""

    stage = "publish"

    def work(self, hub: Hub, context: Any) -> dict[str, str]:
        """Publish.

        Raises:
            AirflowSkipException: the last snapshot stays current.
        """
        from hub.pipeline.publish import publish

        report = publish(hub)
        self.summarise(hub, report)
        if not report.is_new:
            raise AirflowSkipException("Nothing changed.")
        found = {"snapshot": report.snapshot, "as_of": report.as_of.isoformat()}
        for outlet in self.outlets:
            if isinstance(outlet, Asset):
                context["outlet_events"][outlet].extra = found
        return found


class LookBackOperator(HubOperator):
    """For a backfill: scores and segments as of the run's instant, kept as a snapshot aside and never pushed."""

    stage = "publish"

    def work(self, hub: Hub, context: Any) -> dict[str, str]:
        """Look back."""
        from hub.pipeline.history import publish_as_of

        report = publish_as_of(hub, moment_of(context, hub.settings.zone))
        self.summarise(hub, report)
        return {"snapshot": report.snapshot, "as_of": report.as_of.isoformat()}
