"""Every extension point of the hub: the first file a plugin author opens.

A plugin is an importable module listed under the entry-point group ``hub``. It implements any of these hooks with
``hookimpl``. Hooks register and describe; the objects they return do the work. Hooks are called when the hub
looks something up, never per record; they must be quick and give the same answer each time. Their order does not matter.

Hooks only ever gain arguments. ``HOOKSPEC_VERSION`` counts the breaking changes; a plugin may state the version it was
written for as ``hub_api = 1`` and is left out with a clear message when it needs a newer one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import pluggy

if TYPE_CHECKING:
    from hub.destination import Destination
    from hub.scorer import Scorer
    from hub.segments import Segment
    from hub.simulation.simulated import SimulatedPlatformType
    from hub.source import Source

__all__ = ["HOOKSPEC_VERSION", "hookimpl", "hookspec"]

HOOKSPEC_VERSION = 1

hookspec = pluggy.HookspecMarker("hub")
hookimpl = pluggy.HookimplMarker("hub")


@hookspec
def register_sources() -> Sequence[type[Source]]:  # type: ignore[empty-body]
    """Called when connections are looked up. Return the plugin's source classes."""


@hookspec
def register_destinations() -> Sequence[type[Destination]]:  # type: ignore[empty-body]
    """Called when connections are looked up. Return the plugin's destination classes."""


@hookspec
def register_scorers() -> Sequence[type[Scorer]]:  # type: ignore[empty-body]
    """Called before scoring. Return the plugin's scorer classes."""


@hookspec
def register_segments() -> Sequence[Segment]:  # type: ignore[empty-body]
    """Called before segmenting. Return ready-made segments; ``hub.toml`` may switch on, change or add to them."""


@hookspec
def register_simulators() -> Sequence[SimulatedPlatformType]:  # type: ignore[empty-body]
    """Called by ``hub demo`` and ``hub simulate``. Return the plugin's simulated platforms."""
