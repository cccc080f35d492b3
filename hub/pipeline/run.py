"""All stages in order: what `hub run` does, and what a scheduler does in pieces."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from hub.context import Hub
from hub.errors import HubError
from hub.pipeline.ingest import IngestReport, ingest
from hub.pipeline.publish import PublishReport, publish
from hub.pipeline.push import PushReport, push
from hub.pipeline.resolve import ResolveReport, resolve
from hub.pipeline.score import ScoreReport, score
from hub.pipeline.segment import SegmentReport, segment
from hub.unexpected import as_hub_error

__all__ = ["STAGES", "RunReport", "run"]

STAGES = ("ingest", "resolve", "score", "segment", "publish", "push")
"""The stages, in order."""


@dataclass
class RunReport:
    """What each stage did; a stage that was not reached is None.

    Attributes:
        error: the fault that ended the run before its last stage; what nobody foresaw is its cause.
        failed_stage: the stage it happened in.
        seconds: how long each stage took.
    """

    ingest: IngestReport | None = None
    resolve: ResolveReport | None = None
    score: ScoreReport | None = None
    segment: SegmentReport | None = None
    publish: PublishReport | None = None
    push: PushReport | None = None
    error: HubError | None = None
    failed_stage: str = ""
    seconds: dict[str, float] = field(default_factory=dict)


def run(hub: Hub, *, as_of: dt.datetime | None = None, dry_run: bool = False) -> RunReport:
    """Run every stage.

    Args:
        hub: the opened hub.
        as_of: the instant to score for; now when not given.
        dry_run: push only plans; the other stages do their work.

    Returns:
        What each stage did. A stream or sync that failed is in its stage's report and did not stop the others.
    """
    stages: dict[str, Callable[[], Any]] = {
        "ingest": lambda: ingest(hub),
        "resolve": lambda: resolve(hub),
        "score": lambda: score(hub, as_of),
        "segment": lambda: segment(hub),
        "publish": lambda: publish(hub),
        "push": lambda: push(hub, dry_run=dry_run),
    }
    report = RunReport()
    for name in STAGES:
        began = hub.now()
        try:
            setattr(report, name, stages[name]())
        except Exception as error:  # noqa: BLE001 - what the stages before have done must be told all the same
            secrets = [secret for connection in hub.settings.connections.values() for secret in connection.secrets]
            report.error, report.failed_stage = as_hub_error(error, secrets), name
            return report
        finally:
            report.seconds[name] = (hub.now() - began).total_seconds()
    return report
