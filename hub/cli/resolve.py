"""``hub resolve``: which profiles are one person."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from hub.cli.answer import Answer
from hub.cli.app import STAGES, verb
from hub.cli.session import Session

if TYPE_CHECKING:
    from hub.cli.screen import Screen
    from hub.pipeline.resolve import ResolveReport

__all__ = ["resolve", "show_resolve"]


@verb(STAGES, "hub resolve", "hub resolve --full")
def resolve(
    session: Session,
    *,
    full: Annotated[
        bool, typer.Option("--full", help="Look at every profile again, not only at what changed.")
    ] = False,
) -> Answer:
    """Decide which profiles are one person, and keep one record per customer.

    Customer ids last: a customer that grows or shrinks keeps its id. Nothing new means nothing to do.
    """
    from hub import resolve as stage

    with session.hub() as hub:
        report = stage(hub, full=full)
    return Answer(report, lambda screen: show_resolve(screen, report))


def show_resolve(screen: Screen, report: ResolveReport) -> None:
    """Write how many customers there are and what happened to them."""
    happened = {name: count for name, count in report.events.items() if count}
    screen.facts(
        {
            "Customers": report.customers,
            "Profiles": report.profiles,
            "Looked at": report.changed,
            "Largest looked at": f"{report.largest} profiles" if report.largest > 1 else None,
            "What happened": happened or "nothing changed",
            "To review": f"{report.review:,} joins a person should look at" if report.review else None,
        }
    )
