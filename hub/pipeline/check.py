"""Can a connection do what it is configured for? Asked by ``hub check`` and by the daily upkeep."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass

from hub.config_problems import nearest
from hub.context import Hub
from hub.destination import Destination
from hub.errors import HubError
from hub.plugins import contained
from hub.source import Check, Source

__all__ = ["CheckedConnection", "check_connection"]


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


def check_connection(hub: Hub, name: str) -> CheckedConnection:
    """Try whether a connection can do what it is configured for: credentials, folders, streams and targets that are named.

    Args:
        hub: the opened hub.
        name: the connection.

    Raises:
        ConfigError: there is no such connection.
    """
    connection = hub.connection(name)
    found: list[Check] = []
    if connection.is_source:
        found += _opened(hub.source(name), lambda source: [*source.check(), *_streams(hub, name, source)])
    if connection.is_destination:
        found += _opened(hub.destination(name), lambda place: [*place.check(), *_targets(hub, name, place)])
    return CheckedConnection(name, connection.plugin, found)


def _opened(
    opening: AbstractContextManager[Source] | AbstractContextManager[Destination], ask: Callable[..., list[Check]]
) -> list[Check]:
    """Ask an opened connection; whatever goes wrong is a check that failed."""
    try:
        with opening as opened, contained("Checking"):
            return ask(opened)
    except HubError as error:
        return [Check("connection can be opened", ok=False, message=str(error))]


def _streams(hub: Hub, name: str, source: Source) -> list[Check]:
    offered = [stream.name for stream in source.streams()]
    wanted = hub.connection(name).streams
    return [Check(f"stream {w} is offered", w in offered, "" if w in offered else nearest(w, offered)) for w in wanted]


def _targets(hub: Hub, name: str, destination: Destination) -> list[Check]:
    offered = [target.name for target in destination.targets()]
    wanted = {sync.target for sync in hub.settings.syncs.values() if sync.to == name and sync.enabled}
    return [
        Check(f"target {w} is offered", w in offered, "" if w in offered else nearest(w, offered))
        for w in sorted(wanted)
    ]
