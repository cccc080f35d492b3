"""When a customer comes next: chances within a week, a fortnight and a month, and the median day with an 80 % interval.

The chance to have come by day t is known at the model's horizons; between them the hazard is taken to be constant.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["HORIZONS", "NextPurchase", "next_purchase"]

Floats = NDArray[np.float64]

HORIZONS = (7, 14, 30, 60, 90)
"""Days for which a chance is learnt; what lies beyond the last is not told."""
_SHARES = (0.1, 0.5, 0.9)


@dataclass(frozen=True)
class NextPurchase:
    """Chances to come within 7, 14 and 30 days; days until the purchase, infinite where that is beyond the horizon."""

    p7: Floats
    p14: Floats
    p30: Floats
    low: Floats
    median: Floats
    high: Floats


def next_purchase(silent: dict[int, Floats]) -> NextPurchase:
    """Return chances and days from the probabilities of silence at :data:`HORIZONS`."""
    days = np.array([0, *HORIZONS], dtype=np.float64)
    curve = np.column_stack([np.zeros(len(silent[7])), *(-np.log(np.maximum(silent[h], 1e-12)) for h in HORIZONS)])
    low, median, high = (_reached(curve, days, -np.log1p(-share)) for share in _SHARES)
    return NextPurchase(1 - silent[7], 1 - silent[14], 1 - silent[30], low, median, high)


def _reached(curve: Floats, days: Floats, level: float) -> Floats:
    """The day at which a rising curve reaches a level, by straight lines; infinite where it never does."""
    place = np.argmax(curve >= level, axis=1)
    row = np.arange(len(curve))
    before = np.maximum(place - 1, 0)
    low, high = curve[row, before], curve[row, place]
    share = np.divide(level - low, high - low, out=np.ones(len(curve)), where=high > low)
    found = days[before] + share * (days[place] - days[before])
    return np.where(curve[:, -1] >= level, found, np.inf)
