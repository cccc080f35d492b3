"""``hub publish``: an immutable snapshot."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hub.cli.answer import Answer
from hub.cli.app import STAGES, verb
from hub.cli.session import Session

if TYPE_CHECKING:
    from hub.cli.screen import Screen
    from hub.pipeline.publish import PublishReport

__all__ = ["publish", "show_publish"]


@verb(STAGES, "hub publish")
def publish(session: Session) -> Answer:
    """Publish customers, traits and segments as a snapshot that any number of readers may use.

    Nothing changed since the last one: that one stays current.
    """
    from hub import publish as stage

    with session.hub() as hub:
        report = stage(hub)
    return Answer(report, lambda screen: show_publish(screen, report))


def show_publish(screen: Screen, report: PublishReport) -> None:
    """Write which snapshot is current and what it holds."""
    screen.facts(
        {
            "Snapshot": f"{report.snapshot} ({'new' if report.is_new else 'nothing changed, still current'})",
            "As of": report.as_of,
            "Rows": report.counts,
            "Removed": f"{report.pruned} old snapshots" if report.pruned else None,
        }
    )
