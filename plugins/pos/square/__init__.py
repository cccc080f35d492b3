"""Square: customers, orders, payments, refunds, loyalty and locations in; customer groups out."""

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
    """Offer the ``pos.square`` source."""
    # Imported here so that listing the plugins does not load the HTTP stack.
    from plugins.pos.square.source import SquareSource

    return [SquareSource]


@hookimpl
def register_destinations() -> Sequence[type[Destination]]:
    """Offer the ``pos.square`` destination."""
    from plugins.pos.square.destination import SquareDestination

    return [SquareDestination]


@hookimpl
def register_simulators() -> Sequence[SimulatedPlatformType]:
    """Offer the simulated platform."""
    from plugins.pos.square.simulator import SquareSimulator

    return [SquareSimulator]
