"""The part of the day in which a till's database may be read."""

from __future__ import annotations

import datetime as dt

__all__ = ["within"]


def within(hours: str | None, clock: dt.time) -> bool:
    """Tell whether a time of day lies in ``22:00-06:00``; the end is outside. Without hours every time does."""
    if hours is None:
        return True
    begin, end = (dt.time.fromisoformat(part) for part in hours.split("-"))
    if begin <= end:
        return begin <= clock < end
    return clock >= begin or clock < end
