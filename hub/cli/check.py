"""``hub check``: can every connection do what it is configured for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from hub.cli import complete
from hub.cli.answer import Answer, ExitCode
from hub.cli.app import SET_UP, verb
from hub.cli.session import Session

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from hub.context import Hub
    from hub.destination import Destination
    from hub.show.screen import Screen
    from hub.source import Check, Source

__all__ = ["CheckedConnection", "check"]


@dataclass(frozen=True)
class CheckedConnection:
    """A connection and everything that was tried."""

    connection: str
    plugin: str
    checks: Sequence[Check]

    @property
    def ok(self) -> bool:
        """Whether everything works."""
        return all(check.ok for check in self.checks)


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
    with session.hub() as hub:
        names = connections or list(hub.settings.connections)
        found = [CheckedConnection(name, hub.connection(name).plugin, _check(hub, name)) for name in names]
    code = ExitCode.FINE if all(one.ok for one in found) else ExitCode.PARTIAL
    document = {
        "connections": [{"connection": c.connection, "plugin": c.plugin, "ok": c.ok, "checks": c.checks} for c in found]
    }
    return Answer(document, lambda screen: _show(screen, found), code)


def _check(hub: Hub, name: str) -> list[Check]:
    connection = hub.connection(name)
    found: list[Check] = []
    if connection.is_source:
        found += _opened(hub.source(name), lambda source: [*source.check(), *_streams(hub, name, source)])
    if connection.is_destination:
        found += _opened(hub.destination(name), lambda place: [*place.check(), *_targets(hub, name, place)])
    return found


def _opened(
    opening: AbstractContextManager[Source] | AbstractContextManager[Destination], ask: Callable[..., list[Check]]
) -> list[Check]:
    """Ask an opened connection; whatever goes wrong is a check that failed."""
    from hub.errors import HubError
    from hub.plugins import contained
    from hub.source import Check

    try:
        with opening as opened, contained("Checking"):
            return ask(opened)
    except HubError as error:
        return [Check("connection can be opened", ok=False, message=str(error))]


def _streams(hub: Hub, name: str, source: Source) -> list[Check]:
    from hub.config_problems import nearest
    from hub.source import Check

    offered = [stream.name for stream in source.streams()]
    wanted = hub.connection(name).streams
    return [Check(f"stream {w} is offered", w in offered, "" if w in offered else nearest(w, offered)) for w in wanted]


def _targets(hub: Hub, name: str, destination: Destination) -> list[Check]:
    from hub.config_problems import nearest
    from hub.source import Check

    offered = [target.name for target in destination.targets()]
    wanted = {sync.target for sync in hub.settings.syncs.values() if sync.to == name and sync.enabled}
    return [
        Check(f"target {w} is offered", w in offered, "" if w in offered else nearest(w, offered))
        for w in sorted(wanted)
    ]


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
