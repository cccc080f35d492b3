"""Alerts of early warning: one per silence, told by the same id on every day that it stands.

An alert opens when the churn band is high. A purchase closes it, and so do loss (the sleeping stage begins) and a contact's outcome; for
``cooldown`` days after a close there is no other. What the band was on earlier days is worked out from the purchases up to then and is
not remembered, so that a late order or a merge corrects the alert too.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from hub.scorer import Inputs
from plugins.retail.models.daily import Daily
from plugins.retail.models.features import snapshot
from plugins.retail.models.silence import Silence

__all__ = ["CONTACT_OUTCOME", "NEVER", "AlertRules", "alert_days", "alert_ids", "read_contacts"]

CONTACT_OUTCOME = "contact.outcome"
"""The event that says what came of a contact."""
NEVER = np.iinfo(np.int32).min
"""In place of a day that there was none."""
_HORIZON = 60


@dataclass(frozen=True)
class AlertRules:
    """When an alert stands.

    Attributes:
        active: days of silence up to which a churn probability is told.
        loss: days of silence up to which a customer is not lost.
        high: probability from which the band is high.
        cooldown: days after a close without another alert.
    """

    active: int
    loss: int
    high: float
    cooldown: int


def alert_days(
    daily: Daily, today: int, model: Silence, rules: AlertRules, contacted: NDArray[np.int32]
) -> NDArray[np.int32]:
    """Return for each customer the day that the alert is counted from: the last purchase, or the contact after it; else :data:`NEVER`.

    Args:
        daily: purchase days before ``today``; every customer has one.
        today: day number.
        model: the churn model in use.
        rules: when an alert stands.
        contacted: day of each customer's last contact outcome, or :data:`NEVER`.
    """
    end = np.searchsorted(daily.customer, np.arange(daily.customers), side="right")
    last = daily.day[end - 1].astype(np.int64)
    silent = today - last
    lag = np.maximum(silent - rules.active, 0)
    open_ = _high(daily, today, model, rules.high, silent <= rules.loss, lag)
    open_ &= ~_closed_by_purchase(daily, today, model, rules, open_ & (silent < rules.cooldown), end)
    told = contacted != NEVER
    open_ &= ~(told & (today - contacted.astype(np.int64) < rules.cooldown))
    return np.where(open_, np.where(told, np.maximum(last, contacted), last), NEVER).astype(np.int32)


def _closed_by_purchase(
    daily: Daily, today: int, model: Silence, rules: AlertRules, asked: NDArray[np.bool_], end: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """Whether the band was high when the last purchase came: it closed an alert, or a cooldown was running."""
    begin = np.r_[0, end[:-1]]
    before = daily.day[np.maximum(end - 2, 0)].astype(np.int64)
    last = daily.day[end - 1].astype(np.int64)
    asked = asked & (end - begin > 1) & (last - before <= rules.loss)
    seen = np.minimum(last, before + rules.active)
    return _high(daily, today, model, rules.high, asked, today - seen)


def _high(
    daily: Daily, today: int, model: Silence, limit: float, asked: NDArray[np.bool_], lag: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """Whether the band of those asked for was high so many days ago: the model knows spans alone, so their days are moved instead."""
    found = np.zeros(daily.customers, np.bool_)
    rows = daily.rows(asked[daily.customer])
    moved = replace(rows, day=(rows.day + lag[rows.customer]).astype(np.int32))
    known = snapshot(moved, today, model.unit)
    if len(known):
        found[known.who] = np.round(model.silent(known)[_HORIZON], 4) >= limit
    return found


def alert_ids(customer_ids: pa.Array, days: NDArray[np.int32]) -> pa.Array:
    """Return ids of alerts, ``churn-20260312-`` and the customer's; null where there is none."""
    dates = pa.array(days, mask=days == NEVER).cast(pa.date32())
    return pc.binary_join_element_wise("churn", pc.strftime(dates, "%Y%m%d"), customer_ids.cast(pa.string()), "-")


def read_contacts(inputs: Inputs, buyers: NDArray[np.int32]) -> NDArray[np.int32]:
    """Return the day of each buyer's last contact outcome, or :data:`NEVER`."""
    found = np.full(len(buyers), NEVER, np.int32)
    rows = inputs.arrow(
        f"""SELECT customer, (max(business_date) - DATE '1970-01-01')::INTEGER AS day
            FROM events JOIN people USING (customer_id) WHERE type = '{CONTACT_OUTCOME}' GROUP BY customer"""
    )
    customer = rows["customer"].to_numpy()
    among = np.isin(customer, buyers)
    found[np.searchsorted(buyers, customer[among])] = rows["day"].to_numpy()[among]
    return found
