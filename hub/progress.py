"""How a stage tells a person how far it has come; the terminal shows bars, a pipe shows nothing."""

from __future__ import annotations

from typing import Protocol

__all__ = ["Progress", "SilentProgress"]


class Progress(Protocol):
    """Told by the stages, shown by the command line."""

    def start(self, task: str, total: int | None = None) -> None:
        """A task begins; ``total`` is the number of steps if it is known."""

    def advance(self, task: str, steps: int = 1) -> None:
        """So many more steps of the task are done."""

    def finish(self, task: str) -> None:
        """The task is over."""


class SilentProgress:
    """Shows nothing."""

    def start(self, task: str, total: int | None = None) -> None:
        """Show nothing."""

    def advance(self, task: str, steps: int = 1) -> None:
        """Show nothing."""

    def finish(self, task: str) -> None:
        """Show nothing."""
