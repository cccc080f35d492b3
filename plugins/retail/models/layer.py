"""A customer's layer (客户分层) on any day, from the purchase days before it: new, loyal, growing or sleeping.

It is the layer of the rule set, as far as purchase days alone tell it: frequency is of days, a purchase keeps somebody awake for
the same time whatever the season, and nobody exits. A model learns from what customers were at earlier days, so today's layer
would tell it of the future.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from plugins.retail.rules import RuleSet

__all__ = ["GROWING", "LOYAL", "NEW", "SLEEPING", "USUAL", "Layers", "layers_of"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

GROWING, NEW, LOYAL, SLEEPING = range(4)
"""What :meth:`Layers.at` tells."""


@dataclass(frozen=True)
class Layers:
    """What a chain calls new, loyal and sleeping.

    Attributes:
        new: days since the first purchase within which a customer is new.
        sleeping: silence beyond which a customer sleeps.
        window: days that frequency and value look back.
        recent: silence up to which R is high.
        often: purchase days in the window from which F is high.
        much: net value of the window from which M is high; None where the chain has no such amount, and it is what ``often``
            purchase days are worth in the mean.
        per_day: whether ``much`` is meant per purchase day.
    """

    new: int = 30
    sleeping: int = 120
    window: int = 365
    recent: float = 60
    often: float = 6
    much: float | None = None
    per_day: bool = False

    def at(self, tenure: Ints, recency: Floats, days: Floats, value: Floats, unit: float) -> Ints:
        """Return the layer of each customer.

        Args:
            tenure: days since the first purchase day.
            recency: days since the last.
            days: purchase days in the window.
            value: net value in the window.
            unit: mean net value of a purchase day of the population.
        """
        enough = self.often * unit if self.much is None else self.much
        if self.per_day and self.much is not None:
            value = value / np.maximum(days, 1)
        loyal = (recency <= self.recent) & (days >= self.often) & (np.round(value, 4) >= enough)
        rest = np.where(loyal, LOYAL, np.where(recency > self.sleeping, SLEEPING, GROWING))
        return np.where(tenure <= self.new, NEW, rest)


USUAL = Layers()
"""Those of a chain of no particular trade, whatever its currency."""


def layers_of(rules: RuleSet) -> Layers:
    """Return what a rule set calls new, loyal and sleeping; the chain's, also of customers of shops with rules of their own.

    Shares of the buyers (``quantile``) are another amount each month, which no model can be learnt from: R and F then go by the
    cut points that the rule set has for fixed scores, and M by the chain's mean.
    """
    rfm, high = rules.rfm, rules.value.high
    fixed = rfm.mode == "fixed"
    much = _cut(rfm.monetary, high) / (rfm.margin if rfm.value == "margin" else 1)
    return Layers(
        new=rules.stages.new,
        sleeping=rules.stages.slipping,
        window=rfm.window_days,
        recent=_cut(rfm.recency_days[::-1], high),
        often=_cut(rfm.frequency, high),
        much=much if fixed else None,
        per_day=rfm.value == "per_visit",
    )


def _cut(cuts: Sequence[float], score: int) -> float:
    """The cut point from which a score is reached, cut points given worst first; the last one where there are fewer scores."""
    return cuts[min(score, len(cuts) + 1) - 2]
