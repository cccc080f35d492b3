"""WeCom 企业微信: customers, staff, tags and groups in; tags, remarks and messages out; callbacks; a simulator."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from hub.destination import Destination
from hub.hookspecs import hookimpl
from hub.source import Source

if TYPE_CHECKING:
    from hub.simulation.simulated import SimulatedPlatformType

__all__ = ["hub_api", "register_destinations", "register_simulators", "register_sources"]

hub_api = 1


@hookimpl
def register_sources() -> Sequence[type[Source]]:
    """Offer the ``wecom`` source."""
    # Imported here so that listing the plugins does not load the HTTP stack.
    from plugins.wecom.source import WecomSource

    return [WecomSource]


@hookimpl
def register_destinations() -> Sequence[type[Destination]]:
    """Offer the ``wecom`` destination."""
    from plugins.wecom.destination import WecomDestination

    return [WecomDestination]


@hookimpl
def register_simulators() -> Sequence[SimulatedPlatformType]:
    """Offer a simulated corp."""
    from plugins.wecom.simulator import WecomSimulator

    return [WecomSimulator]
