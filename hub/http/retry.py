"""When to try again: exponential backoff with full jitter, ``Retry-After``, and the limits of patience."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime
from math import isfinite
from random import Random

__all__ = ["RetryPolicy", "parse_retry_after"]


@dataclass(frozen=True)
class RetryPolicy:
    """How often and how patiently one call is repeated.

    The pause before repeat *n* is drawn evenly from ``[0, min(cap, base * 2 ** (n - 1))]`` ("full jitter"), so that
    many workers that failed together do not come back together.

    Args:
        tries: calls in all, the first one included.
        base: upper bound of the first pause, in seconds.
        cap: upper bound of every later pause, in seconds.
        longest_pause: seconds that the platform may ask us to wait and we wait here; asked for more, the call is
            deferred to a later run.
    """

    tries: int = 5
    base: float = 0.5
    cap: float = 30.0
    longest_pause: float = 60.0

    def __post_init__(self) -> None:
        if self.tries < 1 or self.base < 0 or self.cap < 0 or self.longest_pause < 0:
            raise ValueError("tries must be at least 1, and base, cap and longest_pause not negative")

    def ceiling(self, attempt: int) -> float:
        """Return the longest pause, in seconds, after failed call number ``attempt`` (counted from 1)."""
        # The exponent is bounded only to keep the float finite; 2**64 seconds is past every cap.
        return min(self.cap, self.base * 2.0 ** min(attempt - 1, 64))

    def backoff(self, attempt: int, random: Random) -> float:
        """Draw the pause, in seconds, after failed call number ``attempt`` (counted from 1)."""
        return random.uniform(0.0, self.ceiling(attempt))


def parse_retry_after(value: str | None, now: float) -> float | None:
    """Return the seconds that a ``Retry-After`` header asks for, or ``None`` if it says nothing usable.

    Both forms of RFC 9110 §10.2.3 are read: seconds and HTTP-date. A date in the past means 0.

    Args:
        value: the header's value.
        now: seconds since the Unix epoch.
    """
    text = (value or "").strip()
    try:
        seconds = float(text)
    except ValueError:
        return _seconds_until(text, now)
    return max(0.0, seconds) if isfinite(seconds) else None


def _seconds_until(text: str, now: float) -> float | None:
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    if moment.tzinfo is None:  # "-0000" and a missing zone both mean UTC in an HTTP-date.
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, moment.timestamp() - now)
