"""Purchase days as columns: what every model is fitted to.

One row per customer and purchase day, sorted by both, days counted from 1970-01-01. A model that looks from an earlier day sees
the rows before it and nothing else.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from hub.scorer import Inputs
from plugins.retail.models.btyd import Histories

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
        customers: how many customers there are, also those without a row.
    """

    customer: NDArray[np.int32]
    day: NDArray[np.int32]
    value: Floats
    discount: NDArray[np.float32]
    customers: int

    def __len__(self) -> int:
        return len(self.day)

    @property
    def first_day(self) -> int:
        """The first day of all."""
        return int(self.day.min())

    def before(self, day: int) -> Daily:
        """Return what was known at the beginning of a day."""
        return self._rows(self.day < day)

    def within(self, begin: int, end: int) -> Daily:
        """Return the rows from ``begin`` to the day before ``end``."""
        return self._rows((self.day >= begin) & (self.day < end))

    def _rows(self, chosen: Any) -> Daily:
        return Daily(self.customer[chosen], self.day[chosen], self.value[chosen], self.discount[chosen], self.customers)

    def sample(self, size: int) -> Daily:
        """Return at most ``size`` of the customers who have a row, evenly spaced over them; their numbers are given anew."""
        chosen = evenly(np.unique(self.customer), size)
        number = np.full(self.customers, -1, np.int32)
        number[chosen] = np.arange(len(chosen), dtype=np.int32)
        rows = self._rows(number[self.customer] >= 0)
        return Daily(number[rows.customer], rows.day, rows.value, rows.discount, len(chosen))

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


def daily_of(customer: Any, day: Any, value: Any, discount: Any = None) -> Daily:
    """Make purchase days from purchases in any order; those of one customer and day are one.

    Args:
        customer: number of the customer, from 0.
        day: day number.
        value: net value.
        discount: money given away; nothing by default.
    """
    customer, day, value = np.asarray(customer, np.int64), np.asarray(day, np.int64), np.asarray(value, np.float64)
    given = np.zeros(len(value)) if discount is None else np.asarray(discount, np.float64)
    order = np.lexsort((day, customer))
    customer, day, value, given = customer[order], day[order], value[order], given[order]
    starts = (
        np.flatnonzero(np.r_[True, (np.diff(customer) != 0) | (np.diff(day) != 0)]) if len(day) else np.zeros(0, int)
    )
    if not len(starts):
        return _table(np.zeros(0), np.zeros(0), np.zeros(0), np.zeros(0), 0)
    summed, given = np.add.reduceat(value, starts), np.add.reduceat(given, starts)
    return _table(customer[starts], day[starts], summed, given, int(customer.max()) + 1)


def _table(customer: Any, day: Any, value: Any, given: Any, customers: int) -> Daily:
    price = np.maximum(value, 0) + np.maximum(given, 0)
    share = np.divide(np.maximum(given, 0), price, out=np.zeros(len(price)), where=price > 0)
    return Daily(customer.astype(np.int32), day.astype(np.int32), value, share.astype(np.float32), customers)


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
        inputs: with ``customer_days``.
        buyers: their numbers, rising.
        whole: whether every buyer between the first and the last is among them; else they are looked up one by one.
    """
    if not len(buyers):
        return _table(np.zeros(0), np.zeros(0), np.zeros(0), np.zeros(0), 0)
    some = f"customer BETWEEN {buyers[0]} AND {buyers[-1]}"
    if not whole:
        some = f"customer IN (SELECT unnest({buyers.tolist()}::INTEGER[]))"
    rows = inputs.arrow(
        f"""SELECT customer, (business_date - DATE '1970-01-01')::INTEGER AS day, net_value::DOUBLE AS net_value,
                   discount_value::DOUBLE AS discount_value
            FROM customer_days WHERE orders > 0 AND {some} ORDER BY customer, day"""
    )
    customer, day, value, given = (rows[name].to_numpy() for name in ("customer", "day", "net_value", "discount_value"))
    return _table(np.searchsorted(buyers, customer), day, value, given, len(buyers))
