"""Send customer changes to any HTTP endpoint: CloudEvents 1.0, signed as Standard Webhooks asks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from hub.destination import Destination
from hub.hookspecs import hookimpl

if TYPE_CHECKING:
    from hub.simulation.simulated import SimulatedPlatformType

__all__ = ["hub_api", "register_destinations", "register_simulators"]

hub_api = 1


@hookimpl
def register_destinations() -> Sequence[type[Destination]]:
    """Offer the ``webhook`` destination."""
    # Imported here so that listing the plugins does not load the HTTP stack.
    from plugins.webhook.destination import WebhookDestination

    return [WebhookDestination]


@hookimpl
def register_simulators() -> Sequence[SimulatedPlatformType]:
    """Offer a local receiver."""
    from plugins.webhook.simulator import ReceiverSimulator

    return [ReceiverSimulator]
