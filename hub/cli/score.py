"""``hub score``: every customer's traits."""

from __future__ import annotations

from typing import Annotated

import typer

from hub.cli.answer import Answer
from hub.cli.app import STAGES, verb
from hub.cli.moment import moment
from hub.cli.session import Session
from hub.show.stages import show_score

__all__ = [
    "AS_OF",
    "score",
]

AS_OF = typer.Option(
    "--as-of", metavar="TIME", help="Score as if it were then: 2026-04-01 or 2026-04-01T08:00+08:00; now by default."
)


@verb(STAGES, "hub score", "hub score --as-of 2026-04-01")
def score(session: Session, *, as_of: Annotated[str | None, AS_OF] = None) -> Answer:
    """Work out every customer's traits.

    Scores never look past --as-of: the same data and the same time give the same scores. A time without a zone is taken in
    the hub's own.
    """
    from hub import score as stage

    with session.hub() as hub:
        report = stage(hub, moment(as_of, hub.settings.zone))
    return Answer(report, lambda screen: show_score(screen, report))
