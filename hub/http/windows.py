"""Rate windows: how platforms count calls, and the same in the terms of pyrate-limiter."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Final

from pyrate_limiter import Rate, SlidingWindowLog

__all__ = ["CHINA_MIDNIGHT", "Window", "consistent"]

#: ``Window.anchor`` of a quota that begins anew at midnight in China (UTC+8): 16:00 UTC.
CHINA_MIDNIGHT: Final = 57_600.0


@dataclass(frozen=True)
class Window:
    """At most ``limit`` calls in any ``seconds``.

    Args:
        limit: calls allowed.
        seconds: length of the window.
        anchor: ``None``: the window rolls, the strictest reading and safe everywhere. Otherwise the platform counts in
            fixed windows that begin ``anchor`` seconds after the Unix epoch and every ``seconds`` from there, like a
            daily quota that starts anew at :data:`CHINA_MIDNIGHT`.
    """

    limit: int
    seconds: float
    anchor: float | None = None

    def __post_init__(self) -> None:
        if self.limit < 1 or self.seconds < 0.001:
            raise ValueError("a window needs a limit of at least 1 and a length of at least a millisecond")

    def __str__(self) -> str:
        return f"{self.limit} in {self.seconds:g} s"


class AnchoredRate(Rate):
    """A rate that remembers where its fixed windows begin."""

    def __init__(self, window: Window) -> None:
        super().__init__(window.limit, round(window.seconds * 1000))
        self.anchor_ms = None if window.anchor is None else round(window.anchor * 1000)


class RollingOrFixed(SlidingWindowLog):
    """Counts each rate in its own way: over the last interval, or since its last fixed start."""

    def window_start(self, rate: Rate, now: int) -> int:
        """Return the first millisecond that still counts."""
        fixed = _fixed_start(rate, now)
        return super().window_start(rate, now) if fixed is None else fixed

    def retry_after(self, rate: Rate, now: int, blocking_timestamp: int | None) -> int:
        """Return the milliseconds until there is room again."""
        fixed = _fixed_start(rate, now)
        if fixed is None:
            return super().retry_after(rate, now, blocking_timestamp)
        return fixed + rate.interval - now


def _fixed_start(rate: Rate, now: int) -> int | None:
    anchor = rate.anchor_ms if isinstance(rate, AnchoredRate) else None
    return None if anchor is None else now - (now - anchor) % rate.interval


def consistent(windows: Iterable[Window]) -> tuple[Window, ...]:
    """Return windows that pyrate-limiter accepts together: longer ones allow more, but at no higher pace.

    Windows that another one implies are dropped; one that allows a higher pace than a shorter one without being
    implied by it is tightened to that pace. The result never allows a call that the given windows forbid.
    """
    kept: list[Window] = []
    for window in sorted(windows, key=lambda window: (window.seconds, window.limit)):
        if any(_implies(shorter, window) for shorter in kept):
            continue
        limit = min([window.limit, *(_paced(shorter, window.seconds) for shorter in kept)])
        kept = [shorter for shorter in kept if shorter.limit < limit]
        kept.append(Window(limit, window.seconds, window.anchor))
    return tuple(kept)


def _implies(shorter: Window, window: Window) -> bool:
    spans = ceil(window.seconds / shorter.seconds) + (shorter.anchor is not None)
    return shorter.limit * spans <= window.limit


def _paced(shorter: Window, seconds: float) -> int:
    # Milliseconds, because that is what the rates are compared in.
    return shorter.limit * round(seconds * 1000) // round(shorter.seconds * 1000)


def to_rates(windows: Sequence[Window]) -> list[Rate]:
    """Return the windows as pyrate-limiter's rates."""
    return [AnchoredRate(window) for window in windows]
