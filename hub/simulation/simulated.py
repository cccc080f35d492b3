"""What the demo and ``hub simulate`` need of a simulated platform, be it a server or a folder of files."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Protocol, Self

import pyarrow as pa

from hub.simulation.server.clock import Clock
from hub.simulation.world import WorldState
from hub.titles import Title

__all__ = ["SimulatedPlatform", "SimulatedPlatformType"]


class SimulatedPlatform(Protocol):
    """A platform that shows its part of the simulated chain, or receives what the hub sends."""

    name: ClassVar[str]
    title: ClassVar[Title]

    def start(self, address: str = "127.0.0.1", port: int = 0) -> Self:
        """Begin to serve."""

    def hub_toml(self) -> str:
        """Return ready ``[connections.NAME]`` tables, and the ``[syncs.NAME]`` tables that make sense for it."""

    def move_to(self, moment: dt.datetime) -> None:
        """Let time pass: what happened in the world until ``moment`` can be read from now on."""

    def people(self, state: WorldState) -> Mapping[str, pa.Table]:
        """Return, by connection, ``source_id`` and ``person_id`` of every profile it shows: the truth, to measure by."""

    def received(self) -> Mapping[str, int]:
        """Return counts of what was sent to it, by what a person would call them."""

    def close(self) -> None:
        """Stop serving and give back what is held."""


class SimulatedPlatformType(Protocol):
    """How a simulated platform is made: a plugin's ``register_simulators`` returns these.

    One with ``in_demo = False`` shows what another platform shows already; the demo runs it when it is named only.
    """

    name: str
    title: Title

    def __call__(
        self, world: Any, *, state: Path | None, seed: int, programme: str, clock: Clock | None
    ) -> SimulatedPlatform:
        """Make one.

        Args:
            world: the simulated chain.
            state: where it keeps what is written to it (a file, or a folder for a simulator of files).
            seed: decides credentials and ids.
            programme: name of the fault programme.
            clock: the platform's time; real time when None.
        """
