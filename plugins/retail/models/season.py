"""The season of a chain: how much more or less is bought at a time of the year than in the year's mean.

Classic decomposition by twelfths of a year: each twelfth's purchase days over the mean of the twelve around it, for those that have six
before and six after them. It needs two years; with less there is no telling a season from growth.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from plugins.retail.models.daily import Daily

__all__ = ["NO_SEASON", "Season", "season_of"]

_PARTS = 12
_PART = 365 / _PARTS
_FEWEST = 50
"""Purchase days in every twelfth, below which chance would pass for a season."""
_LARGEST = 2.0


@dataclass(frozen=True)
class Season:
    """Index per twelfth of a year, its mean 1, the first twelfth beginning at day ``begin`` (and every 365 days before and after).

    Without two years of history ``index`` is empty and every factor 1.
    """

    begin: int = 0
    index: tuple[float, ...] = ()

    def factor(self, day: int, days: int) -> float:
        """Return the mean index of the days from ``day`` on: 1 for a whole year."""
        if not self.index:
            return 1.0
        of_day = np.array(self.index)[np.minimum(np.arange(365) // _PART, _PARTS - 1).astype(np.int64)]
        return float(of_day[(np.arange(day, day + days) - self.begin) % 365].mean() / of_day.mean())


NO_SEASON = Season()


def season_of(daily: Daily, today: int) -> Season:
    """Return the season of what was known at a day; none where there are less than two years or too few purchases."""
    known = daily.before(today)
    years = (today - known.first_day) // 365 if len(known) else 0
    if years < 2:
        return NO_SEASON
    begin = today - years * 365
    place = ((known.day[known.day >= begin] - begin) // _PART).astype(np.int64)
    counts = np.bincount(np.minimum(place, years * _PARTS - 1), minlength=years * _PARTS).astype(np.float64)
    if counts.min() < _FEWEST:
        return NO_SEASON
    return Season(begin, _index(counts))


def _index(counts: NDArray[np.float64]) -> tuple[float, ...]:
    """Ratio to the centred mean of twelve, averaged over the years, its geometric mean 1."""
    weights = np.r_[0.5, np.ones(_PARTS - 1), 0.5] / _PARTS
    ratios = counts[_PARTS // 2 : len(counts) - _PARTS // 2] / np.convolve(counts, weights, mode="valid")
    place = (np.arange(len(ratios)) + _PARTS // 2) % _PARTS
    logs = np.bincount(place, weights=np.log(ratios), minlength=_PARTS) / np.bincount(place, minlength=_PARTS)
    index = np.clip(np.exp(logs - logs.mean()), 1 / _LARGEST, _LARGEST)
    return tuple(float(one) for one in index / index.mean())
