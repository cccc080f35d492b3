"""Youzan (有赞): customers, orders, refunds, goods, shops, staff and coupons in; tags, scores, points and coupons out."""

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
    """Offer the ``youzan`` source."""
    # Imported here so that listing the plugins does not load the HTTP stack.
    from plugins.youzan.source import YouzanSource

    return [YouzanSource]


@hookimpl
def register_destinations() -> Sequence[type[Destination]]:
    """Offer the ``youzan`` destination."""
    from plugins.youzan.destination import YouzanDestination

    return [YouzanDestination]


@hookimpl
def register_simulators() -> Sequence[SimulatedPlatformType]:
    """Offer the simulated platform."""
    from plugins.youzan.simulator import YouzanSimulator

    return [YouzanSimulator]
