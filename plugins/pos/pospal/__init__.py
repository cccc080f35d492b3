"""Pospal (银豹): members, tickets, top-ups, coupons, goods, shops and cashiers in; levels, remarks, points and coupons out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from hub.hookspecs import hookimpl

if TYPE_CHECKING:
    from hub.destination import Destination
    from hub.simulation.simulated import SimulatedPlatformType
    from hub.source import Source

__all__ = ["hub_api", "register_destinations", "register_simulators", "register_sources"]

hub_api = 1


@hookimpl
def register_sources() -> Sequence[type[Source]]:
    """Offer the ``pos.pospal`` source."""
    # Imported here so that listing the plugins does not load the HTTP stack.
    from plugins.pos.pospal.source import PospalSource

    return [PospalSource]


@hookimpl
def register_destinations() -> Sequence[type[Destination]]:
    """Offer the ``pos.pospal`` destination."""
    from plugins.pos.pospal.destination import PospalDestination

    return [PospalDestination]


@hookimpl
def register_simulators() -> Sequence[SimulatedPlatformType]:
    """Offer the simulated platform."""
    from plugins.pos.pospal.simulator import PospalSimulator

    return [PospalSimulator]
