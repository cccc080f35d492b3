"""Time as the HTTP layer sees it: one small object that tests replace by a virtual clock."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime
from typing import Protocol

__all__ = ["Clock", "InjectedClock", "SystemClock"]


class Clock(Protocol):
    """Where time comes from and how it passes."""

    def time(self) -> float:
        """Return seconds since the Unix epoch; shared between processes, may be set back by an administrator."""

    def monotonic(self) -> float:
        """Return seconds that never run backwards; meaningful in this process only."""

    def sleep(self, seconds: float) -> None:
        """Return after ``seconds`` have passed."""


class SystemClock:
    """The machine's own clocks."""

    def time(self) -> float:
        """Return seconds since the Unix epoch."""
        return time.time()

    def monotonic(self) -> float:
        """Return seconds of the monotonic clock."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Suspend this thread for ``seconds``."""
        time.sleep(seconds)


class InjectedClock:
    """A clock made of the two functions that the hub gives to a plugin.

    Args:
        now: gives the present instant, with a time zone.
        sleep: waits that many seconds.
    """

    def __init__(self, now: Callable[[], datetime], sleep: Callable[[float], None]) -> None:
        self._now = now
        self._sleep = sleep
        self._latest = 0.0

    def time(self) -> float:
        """Return seconds since the Unix epoch."""
        return self._now().timestamp()

    def monotonic(self) -> float:
        """Return seconds since the Unix epoch, standing still where the given clock is set back."""
        self._latest = max(self._latest, self.time())
        return self._latest

    def sleep(self, seconds: float) -> None:
        """Wait ``seconds``."""
        self._sleep(seconds)
