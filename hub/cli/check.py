"""``hub check``: can every connection do what it is configured for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from hub.cli import complete
from hub.cli.answer import Answer, ExitCode
from hub.cli.app import SET_UP, verb
from hub.cli.session import Session

if TYPE_CHECKING:
    from hub.pipeline.check import CheckedConnection
    from hub.show.screen import Screen

__all__ = ["check"]


@verb(SET_UP, "hub check", "hub check pos")
def check(
    session: Session,
    connections: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[CONNECTION]...",
            help="Connections to try; all when none is named.",
            autocompletion=complete.connections,
        ),
    ] = None,
) -> Answer:
    """Try whether each connection can do what it is configured for.

    Reads hub.toml with every problem told at once, then asks each connection: credentials, permissions, folders, the
    streams that are named and the targets that syncs write to. Reads and changes no data.
    """
    from hub.pipeline.check import check_connection

    with session.hub() as hub:
        found = [check_connection(hub, name) for name in connections or hub.settings.connections]
    code = ExitCode.FINE if all(one.ok for one in found) else ExitCode.PARTIAL
    document = {
        "connections": [{"connection": c.connection, "plugin": c.plugin, "ok": c.ok, "checks": c.checks} for c in found]
    }
    return Answer(document, lambda screen: _show(screen, found), code)


def _show(screen: Screen, found: Sequence[CheckedConnection]) -> None:
    rows = [
        ((one.connection, "ok" if check.ok else "failed", check.name), check.message)
        for one in found
        for check in one.checks
    ]
    screen.listing(rows, empty="" if found else "hub.toml has no connection to check.")
    for one in found:
        if not one.checks:
            screen.line(f"{one.connection}: the plugin {one.plugin} has nothing to try for this configuration.", "dim")
