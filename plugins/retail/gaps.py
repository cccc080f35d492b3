"""A chain's own rhythm: after how many days of silence do buyers still come back?

The distribution of the gaps between purchase days by Kaplan and Meier (1958), with the open gap since the last purchase as a
censored observation: without it the slow buyers, who have not come back *yet*, would be missing and every limit too short.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hub.scorer import Inputs, Suggestion
from plugins.retail.rules import RuleSet

__all__ = ["repeat_share", "suggestions"]

_GAPS = """
    SELECT days, count(*) FILTER (came_back) AS closed, count(*) FILTER (NOT came_back) AS open FROM (
        SELECT coalesce(lead(business_date) OVER w, {today}) - business_date AS days,
               lead(business_date) OVER w IS NOT NULL AS came_back
        FROM customer_days WHERE orders > 0 WINDOW w AS (PARTITION BY customer ORDER BY business_date)
    ) GROUP BY days ORDER BY days"""
_LEAST = 200
"""Closed gaps below which nothing is suggested."""
_RETURN_DAYS = 90
_RARE = 0.05


def repeat_share(closed: NDArray[np.int64], open_: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return for each length the share of purchases followed by another one within it (1 - Kaplan-Meier survival).

    Args:
        closed: gaps of each length, shortest first.
        open_: purchases whose silence has lasted that long so far.
    """
    at_risk = np.cumsum((closed + open_)[::-1])[::-1]
    return np.asarray(1 - np.cumprod(1 - closed / at_risk))


def suggestions(inputs: Inputs) -> list[Suggestion]:
    """Return stage limits read off the gaps: active 80 %, slipping 95 % of those who return, sleeping where return is rare.

    The 80 and 95 % are of those who come back at all within the history: of one-time buyers there may be more than 20 %.
    """
    rules: RuleSet = inputs.config
    table = inputs.arrow(_GAPS.format(today=inputs.today))
    days, closed, open_ = (np.asarray(table[name].to_numpy(), dtype=np.int64) for name in ("days", "closed", "open"))
    seen = int(closed.sum())
    now = {"active": rules.stages.active, "slipping": rules.stages.slipping, "sleeping": rules.stages.sleeping}
    if seen < _LEAST:
        reason = f"{seen} repeat purchases are too few; {_LEAST} are needed."
        return [Suggestion(f"stages.{name}", value, None, reason) for name, value in now.items()]
    share = repeat_share(closed, open_)
    ever = float(share[-1])
    found = {
        "active": _first(days, share >= 0.80 * ever),
        "slipping": _first(days, share >= 0.95 * ever),
        "sleeping": _first(days, _return_within(days, share, _RETURN_DAYS) < _RARE),
    }
    reasons = {
        "active": f"80 % of those who come back do so within it ({seen:,} repeat purchases, {int(open_.sum()):,} open).",
        "slipping": "95 % of those who come back do so within it.",
        "sleeping": f"After it fewer than {_RARE:.0%} come back within {_RETURN_DAYS} days.",
    }
    return [Suggestion(f"stages.{name}", now[name], found[name], reasons[name]) for name in now]


def _first(days: NDArray[np.int64], holds: NDArray[np.bool_]) -> int | None:
    where = np.flatnonzero(holds)
    return int(days[where[0]]) if where.size else None


def _return_within(days: NDArray[np.int64], share: NDArray[np.float64], horizon: int) -> NDArray[np.float64]:
    """P(back within the horizon | silent so long): 1 where the history is too short to say."""
    later = np.searchsorted(days, days + horizon, side="right") - 1
    survived, surviving = 1 - share, 1 - share[later]
    with np.errstate(invalid="ignore", divide="ignore"):
        chance = np.where(survived > 0, 1 - surviving / survived, 0.0)
    return np.where(days + horizon <= days[-1], chance, 1.0)
