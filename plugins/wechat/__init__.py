"""WeChat 微信: followers and statistics in, tags and subscription messages out, log-ins of a mini-program; a simulator."""

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
    """Offer the ``wechat`` source."""
    # Imported here so that listing the plugins does not load the HTTP stack.
    from plugins.wechat.source import WechatSource

    return [WechatSource]


@hookimpl
def register_destinations() -> Sequence[type[Destination]]:
    """Offer the ``wechat`` destination."""
    from plugins.wechat.destination import WechatDestination

    return [WechatDestination]


@hookimpl
def register_simulators() -> Sequence[SimulatedPlatformType]:
    """Offer a simulated official account with its mini-program."""
    from plugins.wechat.simulator import WechatSimulator

    return [WechatSimulator]
