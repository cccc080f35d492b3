"""``hub resolve``: which profiles are one person."""

from __future__ import annotations

from typing import Annotated

import typer

from hub.cli.answer import Answer
from hub.cli.app import STAGES, verb
from hub.cli.session import Session
from hub.show.stages import show_resolve

__all__ = [
    "resolve",
]


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
