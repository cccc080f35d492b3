"""``hub push``: what changed, to every destination."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from hub.cli import complete
from hub.cli.answer import Answer, ExitCode
from hub.cli.app import STAGES, verb
from hub.cli.session import Session
from hub.show.stages import show_push

if TYPE_CHECKING:
    from hub.pipeline.push import PushReport

__all__ = [
    "DRY_RUN",
    "push",
    "push_problems",
]

DRY_RUN = typer.Option("--dry-run", help="Only tell what would be sent.")


@verb(STAGES, "hub push --dry-run", "hub push champions_to_crm")
def push(
    session: Session,
    syncs: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[SYNC]...",
            help="Syncs to push; every enabled one when none is named.",
            autocompletion=complete.syncs,
        ),
    ] = None,
    *,
    dry_run: Annotated[bool, DRY_RUN] = False,
) -> Answer:
    """Bring every destination up to the current snapshot.

    Only what differs from what a destination last accepted is sent, and every row gets an outcome: hub deliveries.
    """
    from hub import push as stage
    from hub.cli.outcome import of_push

    with session.hub() as hub:
        report = stage(hub, syncs or (), dry_run=dry_run)
    if not report.syncs:
        return Answer(
            report, lambda screen: screen.line("No sync to push: add one to hub.toml, or enable one."), ExitCode.NOTHING
        )
    return Answer(report, lambda screen: show_push(screen, report), of_push(report), push_problems(report))


def push_problems(report: PushReport) -> list[Exception]:
    """Return the faults of syncs."""
    found: list[Exception] = []
    for sync in report.syncs:
        if sync.error is not None:
            sync.error.context.setdefault("sync", sync.sync)
            found.append(sync.error)
    return found
