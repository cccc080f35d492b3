"""What a model knows of a customer at a day, from purchase days before it.

All features are logarithms, ratios, shares or marks, so that a straight line in them is a sensible model, and none changes when
all prices, and the amounts of the rule set, are given in another currency.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from plugins.retail.models.btyd import Histories
from plugins.retail.models.daily import Daily
from plugins.retail.models.layer import LOYAL, NEW, SLEEPING

__all__ = ["FEATURES", "Snapshot", "snapshot"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

FEATURES = (
    "purchases", "recency", "tenure", "days_30", "days_90", "days_180", "days_365", "usual_gap", "overdue",
    "gaps_lengthened", "has_gap_trend", "gap_spread", "value", "value_spread", "value_trend", "discount_share",
    "online_share", "category_mix", "layer_new", "layer_loyal", "layer_sleeping",
)  # fmt: skip
"""Names of the columns of :attr:`Snapshot.features`."""

_PRIOR_GAP = 30.0
_PRIOR_GAPS = 2.0
"""A customer's usual gap is drawn towards a month, as if two gaps of that length had been seen."""
_CENT = 0.01
"""A mean value below this share of the population's counts as this."""


@dataclass(frozen=True)
class Snapshot:
    """Customers who had bought before a day.

    Attributes:
        who: their numbers.
        histories: for the models of buying and leaving.
        features: one row per customer, columns :data:`FEATURES`.
        recency: days since the last purchase day.
        count: purchase days.
        days_30: purchase days in the last 30 days.
        usual_gap: mean gap, drawn towards a month.
        last_gaps, earlier_gaps: means of the last three gaps and of those before; NaN where there are fewer than four.
        mean_value: net value per purchase day.
        value_ratio: mean of the last three purchase days over that of those before; 1 where there are fewer than four.
        discount: mean share of a purchase day's price that was given away.
        online: mean share of a purchase day's orders that were not made in a shop.
        categories: different categories bought from; 0 where no lines are known.
        layer: as :meth:`plugins.retail.models.layer.Layers.at` tells it.
    """

    who: Ints
    histories: Histories
    features: Floats
    recency: Floats
    count: Floats
    days_30: Floats
    usual_gap: Floats
    last_gaps: Floats
    earlier_gaps: Floats
    mean_value: Floats
    value_ratio: Floats
    discount: Floats
    online: Floats
    categories: Floats
    layer: Ints

    def __len__(self) -> int:
        return len(self.who)


def snapshot(daily: Daily, today: int, value_unit: float) -> Snapshot:
    """Return what is known of every customer who bought before ``today``.

    Args:
        daily: purchase days; those from ``today`` on are not looked at.
        today: day number.
        value_unit: mean net value of a purchase day of the population a model was fitted to.
    """
    who, known = daily.histories(today)
    rows = daily.before(today)
    if not len(rows):
        return _nobody(who, known)
    sums = _Sums(rows)
    count = known.repeats + 1
    age = (today - rows.day[sums.start]).astype(np.int64)
    recency = (today - rows.day[sums.end - 1]).astype(np.float64)
    gaps = np.diff(rows.day, prepend=rows.day[:1]).astype(np.float64)
    gaps[sums.start] = 0.0
    gap_sum = sums.of(gaps)
    usual = (gap_sum + _PRIOR_GAPS * _PRIOR_GAP) / (known.repeats + _PRIOR_GAPS)
    few = known.repeats < 4
    last3 = np.where(few, np.nan, sums.last(gaps, 3) / 3)
    earlier = np.where(few, np.nan, (gap_sum - sums.last(gaps, 3)) / np.maximum(known.repeats - 3, 1))
    gap_spread = _spread(known.repeats, gap_sum, sums.of(gaps * gaps))
    total = sums.of(rows.value)
    mean = total / count
    value10, n10 = sums.last(rows.value, 10), np.minimum(count, 10)
    value_spread = _spread(n10, value10, sums.last(rows.value * rows.value, 10))
    value_ratio = _value_ratio(count, total, sums.last(rows.value, 3))
    recent = {days: sums.of((rows.day >= today - days).astype(np.float64)) for days in (30, 90, 180, 365)}
    discount, online = sums.of(rows.discount) / count, sums.of(rows.online) / count
    categories = sums.of(rows.categories)
    layer = _layer(rows, sums, today, value_unit, age, recency)
    columns = [
        np.log(count), np.log1p(recency), np.log1p(age), *(np.log1p(days) for days in recent.values()),
        np.log(usual), np.log((recency + 1) / (usual + 1)),
        np.where(few, 0.0, np.log((last3 + 1) / (earlier + 1))), (~few).astype(np.float64), gap_spread,
        np.log(np.maximum(mean / value_unit, _CENT)), value_spread, np.log(value_ratio), discount,
        online, np.log(np.maximum(categories, 1)), *((layer == one).astype(np.float64) for one in (NEW, LOYAL, SLEEPING)),
    ]  # fmt: skip
    features = np.column_stack(columns)
    return Snapshot(
        who, known, features, recency, count, recent[30], usual, last3, earlier, mean, value_ratio,
        discount, online, categories, layer,
    )  # fmt: skip


def _nobody(who: Ints, known: Histories) -> Snapshot:
    none, features = np.zeros(0), np.zeros((0, len(FEATURES)))
    return Snapshot(
        who, known, features, none, none, none, none, none, none, none, none, none, none, none, np.zeros(0, np.int64)
    )


def _layer(rows: Daily, sums: _Sums, today: int, unit: float, tenure: Ints, recency: Floats) -> Ints:
    """The layer of each customer, from the days of the rule set's window."""
    lately = rows.day >= today - rows.layers.window
    value = sums.of(np.where(lately, rows.value, 0.0))
    return rows.layers.at(tenure, recency, sums.of(lately.astype(np.float64)), value, unit)


class _Sums:
    """Sums per customer over rows that are sorted by customer."""

    def __init__(self, rows: Daily) -> None:
        self.start = np.flatnonzero(np.diff(rows.customer, prepend=-1))
        self.end = np.append(self.start[1:], len(rows))
        place = np.arange(len(rows)) - np.repeat(self.end, self.end - self.start)
        self._from_end = -place
        """1 for a customer's last row, 2 for the one before it …"""

    def of(self, values: NDArray[Any]) -> Floats:
        """Sum of a customer's rows."""
        return np.add.reduceat(values.astype(np.float64), self.start)

    def last(self, values: Floats, count: int) -> Floats:
        """Sum of a customer's last rows."""
        return self.of(np.where(self._from_end <= count, values, 0.0))


def _spread(count: Floats, total: Floats, squares: Floats) -> Floats:
    """Coefficient of variation; 0 where there are fewer than two numbers or their sum is not above 0."""
    usable = (count > 1) & (total > 0)
    n, s = np.where(usable, count, 2.0), np.where(usable, total, 1.0)
    variance = np.maximum(n * squares - s * s, 0) / (n * (n - 1))
    return np.where(usable, np.minimum(np.sqrt(variance) / (s / n), 3.0), 0.0)


def _value_ratio(count: Floats, total: Floats, last3: Floats) -> Floats:
    """Mean value of the last three purchase days over that of those before, between a tenth and ten."""
    before = total - last3
    usable = (count > 3) & (before > 0) & (last3 > 0)
    ratio = np.divide(last3 / 3, before / np.maximum(count - 3, 1), out=np.ones(len(count)), where=usable)
    return np.clip(ratio, 0.1, 10.0)
