"""``hub sync on``: write again to a target that its destination had switched off."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from hub.cli import complete
from hub.cli.answer import Answer
from hub.cli.app import MEND, group, verb
from hub.cli.session import Session

if TYPE_CHECKING:
    from hub.show.screen import Screen

__all__ = ["on"]

_group = group("sync", "Switch a sync's target on again.", MEND)


@verb(MEND, "hub sync on champions_to_crm", under=_group)
def on(
    session: Session,
    sync: Annotated[str, typer.Argument(help="A sync of hub.toml.", autocompletion=complete.syncs)],
) -> Answer:
    """Let a sync's target be written again.

    A target is switched off when its destination says that it is gone for good (HTTP 410). The next push sends what has
    changed since. Who switched it on is written down.
    """
    from hub.cli.syncs import sync_named

    with session.hub() as hub:
        settings = sync_named(hub, sync)
        subject = f"{settings.to}/{settings.target}"
        state = hub.store.deliveries.target_state(settings.to, settings.target)
        was_off = hub.store.deliveries.switch_on(settings.to, settings.target)
        if was_off and state is not None:
            hub.store.audit(
                "target_on", subject, {"sync": sync, "was_off_since": state.since.isoformat(), "code": state.code}
            )
    document = {"sync": sync, "target": subject, "was_off": was_off, "state": "on"}
    return Answer(document, lambda screen: _show(screen, sync, subject, was_off=was_off))


def _show(screen: Screen, sync: str, subject: str, *, was_off: bool) -> None:
    if was_off:
        screen.line(f"Target {subject} is on again. Send what has changed since: hub push {sync}")
    else:
        screen.line(f"Target {subject} was on already.")
