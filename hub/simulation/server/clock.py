"""The simulator's time: real, or virtual and moved by whoever runs it.

Both kinds have the shapes that ``hub.runtime.Runtime`` and ``hub.http.ApiClient`` take, so that a connector and the
platform it talks to can live in the same time::

    clock = VirtualClock("2026-03-02T09:00:00+08:00")
    runtime = Runtime(connection="demo", scratch=folder, now=clock.now, sleep=clock.sleep)
"""

from __future__ import annotations

import datetime as dt
import threading
import time
from typing import Protocol
from zoneinfo import ZoneInfo

__all__ = ["CHINA", "Clock", "RealClock", "VirtualClock"]

CHINA = ZoneInfo("Asia/Shanghai")
"""The zone in which every Chinese platform counts its days and months."""


class Clock(Protocol):
    """What a simulator needs of time."""

    def now(self) -> dt.datetime:
        """Return the present instant, time-zone aware."""

    def time(self) -> float:
        """Return the present instant in Unix seconds."""

    def monotonic(self) -> float:
        """Return seconds that never run backwards."""

    def sleep(self, seconds: float) -> None:
        """Let that many seconds pass."""


class RealClock:
    """The machine's time."""

    def now(self) -> dt.datetime:
        """Return the present instant in UTC."""
        return dt.datetime.now(dt.UTC)

    def time(self) -> float:
        """Return the present instant in Unix seconds."""
        return time.time()

    def monotonic(self) -> float:
        """Return seconds of the machine's monotonic clock."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Wait that long."""
        time.sleep(seconds)


class VirtualClock:
    """Time that stands still until it is moved. Safe to share between threads and simulators.

    Args:
        start: the first instant: Unix seconds, an aware datetime, or ISO 8601 text with its offset.
    """

    def __init__(self, start: float | dt.datetime | str) -> None:
        if isinstance(start, str):
            start = dt.datetime.fromisoformat(start)
        if isinstance(start, dt.datetime):
            if start.tzinfo is None:
                raise ValueError("A clock's start needs a time zone, e.g. 2026-03-02T09:00:00+08:00")
            start = start.timestamp()
        self._seconds = float(start)
        self._lock = threading.Lock()

    def now(self) -> dt.datetime:
        """Return the present instant in UTC."""
        return dt.datetime.fromtimestamp(self.time(), dt.UTC)

    def time(self) -> float:
        """Return the present instant in Unix seconds."""
        with self._lock:
            return self._seconds

    def monotonic(self) -> float:
        """Return the present instant in Unix seconds: virtual time never runs backwards."""
        return self.time()

    def sleep(self, seconds: float) -> None:
        """Let ``seconds`` pass at once; the same as :meth:`advance`."""
        self.advance(seconds)

    def advance(self, seconds: float) -> None:
        """Move ``seconds`` ahead. Time never goes back: a negative number is a ``ValueError``."""
        if seconds < 0:
            raise ValueError(f"Time does not go back: {seconds}")
        with self._lock:
            self._seconds += seconds

    def advance_to(self, instant: float) -> None:
        """Move to Unix second ``instant``, unless it is past already."""
        with self._lock:
            self._seconds = max(self._seconds, instant)
