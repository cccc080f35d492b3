"""Purchase days as columns: what every model is fitted to.

One row per customer and purchase day, sorted by both, days counted from 1970-01-01. A model that looks from an earlier day sees
the rows before it and nothing else.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from hub.scorer import Inputs
from plugins.retail.models.breadth import read_new_categories
from plugins.retail.models.btyd import Histories
from plugins.retail.models.layer import USUAL, Layers, layers_of

__all__ = ["Daily", "daily_of", "day_number", "evenly", "read_buyers", "read_daily", "read_ids"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_EPOCH = dt.date(1970, 1, 1)


def day_number(day: dt.date) -> int:
    """Return the days from 1970-01-01."""
    return (day - _EPOCH).days


@dataclass(frozen=True)
class Daily:
    """Purchase days of customers 0 … ``customers`` - 1.

    Attributes:
        customer: whose, rising.
        day: which, rising within a customer; one row per day.
        value: net value of the day.
        discount: share of the day's price that was given away, 0 … 1.
        online: share of the day's orders that were not made in a shop, 0 … 1.
        categories: categories that were bought from for the first time.
        customers: how many customers there are, also those without a row.
        layers: what the chain calls new, loyal and sleeping.
    """

    customer: NDArray[np.int32]
    day: NDArray[np.int32]
    value: Floats
    discount: NDArray[np.float32]
    online: NDArray[np.float32]
    categories: NDArray[np.uint16]
    customers: int
    layers: Layers = USUAL

    def __len__(self) -> int:
        return len(self.day)

    @property
    def first_day(self) -> int:
        """The first day of all."""
        return int(self.day.min())

    def before(self, day: int) -> Daily:
        """Return what was known at the beginning of a day."""
        return self.rows(self.day < day)

    def within(self, begin: int, end: int) -> Daily:
        """Return the rows from ``begin`` to the day before ``end``."""
        return self.rows((self.day >= begin) & (self.day < end))

    def rows(self, chosen: Any) -> Daily:
        """Return some of the rows; customers keep their numbers."""
        return replace(self, **{name: getattr(self, name)[chosen] for name in _COLUMNS})

    def of(self, who: NDArray[Any]) -> Daily:
        """Return the rows of some customers, by their numbers."""
        chosen = np.zeros(self.customers, np.bool_)
        chosen[who] = True
        return self.rows(chosen[self.customer])

    def sample(self, size: int) -> Daily:
        """Return at most ``size`` of the customers who have a row, evenly spaced over them; their numbers are given anew."""
        chosen = evenly(np.unique(self.customer), size)
        number = np.full(self.customers, -1, np.int32)
        number[chosen] = np.arange(len(chosen), dtype=np.int32)
        rows = self.of(chosen)
        return replace(rows, customer=number[rows.customer], customers=len(chosen))

    def days_of(self) -> Ints:
        """Return the number of purchase days per customer."""
        return np.bincount(self.customer, minlength=self.customers).astype(np.int64)

    def value_of(self) -> Floats:
        """Return the net value per customer."""
        return np.asarray(np.bincount(self.customer, weights=self.value, minlength=self.customers), np.float64)

    def histories(self, today: int) -> tuple[Ints, Histories]:
        """Return who had bought before ``today``, and their histories; what is observed ends the day before ``today``."""
        known = self.before(today)
        who, start, count = np.unique(known.customer, return_index=True, return_counts=True)
        first, last = known.day[start], known.day[start + count - 1]
        return who.astype(np.int64), Histories(
            (count - 1).astype(np.float64), (last - first) / 7.0, (today - 1 - first) / 7.0
        )


_COLUMNS = ("customer", "day", "value", "discount", "online", "categories")
"""What :class:`Daily` holds by row."""


def daily_of(
    customer: Any,
    day: Any,
    value: Any,
    discount: Any = None,
    *,
    online: Any = None,
    categories: Any = None,
    layers: Layers = USUAL,
) -> Daily:
    """Make purchase days from purchases in any order; those of one customer and day are one.

    Args:
        customer: number of the customer, from 0.
        day: day number.
        value: net value.
        discount: money given away; nothing by default.
        online: whether it was not made in a shop; none was by default.
        categories: categories that the customer had not bought from before it; none by default.
        layers: what the chain calls new, loyal and sleeping.
    """
    customer, day = np.asarray(customer, np.int64), np.asarray(day, np.int64)
    order = np.lexsort((day, customer))
    customer, day = customer[order], day[order]
    starts = (
        np.flatnonzero(np.r_[True, (np.diff(customer) != 0) | (np.diff(day) != 0)]) if len(day) else np.zeros(0, int)
    )
    if not len(starts):
        return _nobody(layers)

    def summed(given: Any) -> Floats:
        numbers = np.zeros(len(order)) if given is None else np.asarray(given, np.float64)[order]
        return np.asarray(np.add.reduceat(numbers, starts))

    share = summed(online) / np.diff(starts, append=len(order))
    given, fresh = summed(discount), summed(categories)
    return _table(customer[starts], day[starts], summed(value), given, share, fresh, int(customer.max()) + 1, layers)


def _nobody(layers: Layers) -> Daily:
    nothing = np.zeros(0)
    return _table(nothing, nothing, nothing, nothing, nothing, nothing, 0, layers)


def _table(
    customer: Any, day: Any, value: Any, given: Any, online: Any, categories: Any, customers: int, layers: Layers
) -> Daily:
    price = np.maximum(value, 0) + np.maximum(given, 0)
    discount = np.divide(np.maximum(given, 0), price, out=np.zeros(len(price)), where=price > 0)
    return Daily(
        customer.astype(np.int32),
        day.astype(np.int32),
        value,
        discount.astype(np.float32),
        online.astype(np.float32),
        categories.astype(np.uint16),
        customers,
        layers,
    )


def evenly(present: NDArray[Any], size: int) -> NDArray[Any]:
    """Return at most ``size`` of some numbers, evenly spaced over them."""
    if len(present) <= size:
        return present
    return present[np.unique(np.linspace(0, len(present) - 1, size).astype(np.int64))]


def read_buyers(inputs: Inputs, before: str = "") -> NDArray[np.int32]:
    """Return the numbers of all buyers, rising; of those who had bought before a day if one is given as SQL."""
    until = f"AND business_date < {before}" if before else ""
    rows = inputs.arrow(f"SELECT DISTINCT customer FROM customer_days WHERE orders > 0 {until} ORDER BY customer")
    return np.asarray(rows["customer"].to_numpy(), np.int32)


def read_ids(inputs: Inputs) -> pa.Array:
    """Return the ids of all buyers, in the order of their numbers."""
    bought = "(FROM customer_days WHERE orders > 0)"
    rows = inputs.arrow(f"SELECT customer_id FROM people SEMI JOIN {bought} USING (customer) ORDER BY customer")
    return rows["customer_id"].combine_chunks()


def read_daily(inputs: Inputs, buyers: NDArray[np.int32], *, whole: bool = True) -> Daily:
    """Return the purchase days of some buyers, who are numbered anew in their order.

    Args:
        inputs: with ``customer_days``, ``taste_goods``, ``articles`` and the rule set.
        buyers: their numbers, rising.
        whole: whether every buyer between the first and the last is among them; else they are looked up one by one.
    """
    layers = layers_of(inputs.settings["retail"])
    if not len(buyers):
        return _nobody(layers)
    some = f"customer BETWEEN {buyers[0]} AND {buyers[-1]}"
    if not whole:
        some = f"customer IN (SELECT unnest({buyers.tolist()}::INTEGER[]))"
    rows = inputs.arrow(
        f"""SELECT customer, (business_date - DATE '1970-01-01')::INTEGER AS day, net_value::DOUBLE AS net_value,
                   discount_value::DOUBLE AS discount_value, online_orders::FLOAT / orders::FLOAT AS online
            FROM customer_days WHERE orders > 0 AND {some} ORDER BY customer, day"""
    )
    customer, day, value, given, online = (rows[name].to_numpy() for name in rows.column_names)
    categories = read_new_categories(inputs, some, customer, day)
    number = np.searchsorted(buyers, customer)
    return _table(number, day, value, given, online, categories, len(buyers), layers)
