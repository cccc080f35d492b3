"""Weimob (微盟 WOS): customers, orders, after-sales, goods, shops, guides and coupons in; tags, fields, points and coupons out."""

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
    """Offer the ``weimob`` source."""
    # Imported here so that listing the plugins does not load the HTTP stack.
    from plugins.weimob.source import WeimobSource

    return [WeimobSource]


@hookimpl
def register_destinations() -> Sequence[type[Destination]]:
    """Offer the ``weimob`` destination."""
    from plugins.weimob.destination import WeimobDestination

    return [WeimobDestination]


@hookimpl
def register_simulators() -> Sequence[SimulatedPlatformType]:
    """Offer the simulated platform."""
    from plugins.weimob.simulator import WeimobSimulator

    return [WeimobSimulator]
