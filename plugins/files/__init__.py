"""Files as a source (drops of a POS or a member system) and as a destination (audiences, changes)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from hub.destination import Destination
from hub.hookspecs import hookimpl

if TYPE_CHECKING:
    from hub.simulation.simulated import SimulatedPlatformType
    from hub.source import Source

__all__ = ["hub_api", "register_destinations", "register_simulators", "register_sources"]

hub_api = 1


@hookimpl
def register_sources() -> Sequence[type[Source]]:
    """Offer the ``files`` source."""
    # Imported here so that listing the plugins does not load Arrow, DuckDB and fsspec.
    from plugins.files.source import FilesSource

    return [FilesSource]


@hookimpl
def register_destinations() -> Sequence[type[Destination]]:
    """Offer the ``files`` destination."""
    # Imported here so that listing the plugins does not load Arrow and fsspec.
    from plugins.files.destination import FilesDestination

    return [FilesDestination]


@hookimpl
def register_simulators() -> Sequence[SimulatedPlatformType]:
    """Offer the simulated chain's tills as a folder of daily exports."""
    from plugins.files.simulator import DropSimulator

    return [DropSimulator]
