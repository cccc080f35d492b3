"""How many different categories a customer has bought from by a day: each counts from the day it was first bought on.

Counted on that day alone, the sum over the days before a cut is what was known then, whatever has been bought since. What has been
given back counts as never bought, as it does in the net value of its day.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hub.scorer import Inputs

__all__ = ["new_categories", "read_new_categories"]

_BITS = 20
"""Bits that a day number needs: customer, category and day are one number each time, as NumPy sorts and looks up those fastest."""


def new_categories(customer: Any, day: Any, who: Any, category: Any, bought: Any) -> NDArray[np.uint16]:
    """Return how many categories each purchase day brought that the customer had not bought from before.

    Args:
        customer, day: the purchase days, rising; numbers from 0.
        who, category, bought: who bought from which category on which day, as numbers from 0, in any order; days that are no
            purchase days count nothing.
    """
    who, category = np.asarray(who, np.int64), np.asarray(category, np.int64)
    bought = np.asarray(bought, np.int64)
    if not len(who) or not len(customer):
        return np.zeros(len(customer), np.uint16)
    kinds = int(category.max()).bit_length()
    rows = np.sort((((who << kinds) | category) << _BITS) | bought)
    first = rows[np.diff(rows >> _BITS, prepend=-1) > 0]
    days = np.sort((first >> (kinds + _BITS) << _BITS) | (first & ((1 << _BITS) - 1)))
    own = (np.asarray(customer, np.int64) << _BITS) | np.asarray(day, np.int64)
    place = np.minimum(np.searchsorted(own, days), len(own) - 1)
    return np.bincount(place[own[place] == days], minlength=len(own)).astype(np.uint16)


def read_new_categories(inputs: Inputs, some: str, customer: NDArray[Any], day: NDArray[Any]) -> NDArray[np.uint16]:
    """Return :func:`new_categories` of purchase days; nothing where no lines are known.

    Args:
        inputs: with ``taste_goods`` and ``articles``.
        some: a condition that tells whose purchase days they are.
        customer, day: the purchase days, rising.
    """
    rows = inputs.arrow(
        f"""SELECT customer, category, (first_day - DATE '1970-01-01')::INTEGER AS day
            FROM (FROM taste_goods WHERE first_day IS NOT NULL AND {some})
            JOIN (SELECT good, min(category_no) AS category FROM articles
                  WHERE good IS NOT NULL AND category_no IS NOT NULL GROUP BY good) USING (good)"""
    )
    return new_categories(customer, day, *(rows[name].to_numpy() for name in ("customer", "category", "day")))
