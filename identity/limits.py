"""How many values of a kind one customer holds, ever or within some time, and how many are too many."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

__all__ = ["Held", "Limits", "merged", "most_at_once"]

Held = Mapping[int, int | None]
"""Values of one kind and scope by number, with the day each was first seen, counted from 1970-01-01; None: not known."""


@dataclass(frozen=True, slots=True)
class Limits:
    """The numbers of :class:`identity.Rules` that keep groups apart.

    Attributes:
        per_customer: values one customer may hold, by kind.
        max_customer, late_bridge: as there.
        window_days: time within which values count together, by kind; kinds that are not here count for ever.
    """

    per_customer: Mapping[str, int]
    max_customer: int
    late_bridge: int
    window_days: Mapping[str, int] = field(default_factory=dict)

    def too_many(self, kind: str, one: Held, other: Held) -> bool:
        """Whether two groups together hold more values of a kind than one customer may, and more than either does alone."""
        if one.keys() == other.keys():
            return False
        window = self.window_days.get(kind)
        alone = max(most_at_once(held.values(), window) for held in (one, other))
        return most_at_once(merged(one, other).values(), window) > max(self.per_customer[kind], alone)


def merged(one: Held, other: Held) -> dict[int, int | None]:
    """The values of both, each with the first day either knows."""
    found = dict(one)
    for value, day in other.items():
        known = found.get(value)
        found[value] = day if known is None else known if day is None else min(known, day)
    return found


def most_at_once(days: Iterable[int | None], window: int | None) -> int:
    """The most values that were first seen within ``window`` days of each other; all of them without a window.

    A value without a day may have turned up at any time, and counts always.
    """
    given = list(days)
    dated = sorted(day for day in given if day is not None)
    if window is None:
        return len(given)
    most = begin = 0
    for place, day in enumerate(dated):
        while day - dated[begin] >= window:
            begin += 1
        most = max(most, place - begin + 1)
    return most + len(given) - len(dated)
