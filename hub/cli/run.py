"""``hub run``: all stages in order."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from hub.cli.answer import Answer
from hub.cli.app import STAGES, verb
from hub.cli.ingest import ingest_problems
from hub.cli.moment import moment
from hub.cli.push import DRY_RUN, push_problems
from hub.cli.score import AS_OF
from hub.cli.session import Session
from hub.show.stages import STAGE_SCREENS

if TYPE_CHECKING:
    from hub.pipeline.run import RunReport
    from hub.show.screen import Screen

__all__ = ["run", "run_problems", "show_run"]


@verb(STAGES, "hub run", "hub run --dry-run")
def run(
    session: Session,
    *,
    as_of: Annotated[str | None, AS_OF] = None,
    dry_run: Annotated[bool, DRY_RUN] = False,
) -> Answer:
    """Run every stage in order: ingest, resolve, score, segment, publish, push.

    With --dry-run the push only plans; the other stages do their work.
    """
    from hub import run as stages
    from hub.cli.outcome import of_run

    with session.hub() as hub:
        report = stages(hub, as_of=moment(as_of, hub.settings.zone), dry_run=dry_run)
    return Answer(report, lambda screen: show_run(screen, report), of_run(report), run_problems(report))


def show_run(screen: Screen, report: RunReport) -> None:
    """Write what each stage did."""
    for name, show in STAGE_SCREENS.items():
        if name in report.seconds:
            screen.heading(f"{name.capitalize()}  ({report.seconds[name]:.1f} s)")
            found = getattr(report, name)
            if found is not None:
                show(screen, found)
    if report.failed_stage:
        screen.line()
        screen.line(f"The run ended in {report.failed_stage}.", "red")


def run_problems(report: RunReport) -> list[Exception]:
    """Return the faults of streams and syncs, and the one that ended the run."""
    found = ingest_problems(report.ingest) if report.ingest is not None else []
    found += push_problems(report.push) if report.push is not None else []
    return [*found, report.error] if report.error is not None else found
