"""``hub publish``: an immutable snapshot."""

from __future__ import annotations

from hub.cli.answer import Answer
from hub.cli.app import STAGES, verb
from hub.cli.session import Session
from hub.show.stages import show_publish

__all__ = [
    "publish",
]


@verb(STAGES, "hub publish")
def publish(session: Session) -> Answer:
    """Publish customers, traits and segments as a snapshot that any number of readers may use.

    Nothing changed since the last one: that one stays current.
    """
    from hub import publish as stage

    with session.hub() as hub:
        report = stage(hub)
    return Answer(report, lambda screen: show_publish(screen, report))
