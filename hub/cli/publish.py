"""``hub publish``: an immutable snapshot."""

from __future__ import annotations

from typing import Annotated

from hub.cli.answer import Answer
from hub.cli.app import STAGES, verb
from hub.cli.moment import moment
from hub.cli.score import AS_OF
from hub.cli.session import Session
from hub.show.stages import show_publish

__all__ = ["publish"]


@verb(STAGES, "hub publish", "hub publish --as-of 2026-04-01")
def publish(session: Session, *, as_of: Annotated[str | None, AS_OF] = None) -> Answer:
    """Publish customers, traits and segments as a snapshot that any number of readers may use.

    Nothing changed since the last one: that one stays current. With --as-of it looks back: scores and segments as they
    would have been then are kept as a snapshot aside, what is current stays current, and nothing of it is pushed.
    """
    from hub import publish as stage
    from hub.pipeline.history import publish_as_of

    with session.hub() as hub:
        then = moment(as_of, hub.settings.zone)
        report = stage(hub) if then is None else publish_as_of(hub, then)
    return Answer(report, lambda screen: show_publish(screen, report))
