"""The groups that the retail plugin finds among the buyers of a chain, for `scores_models.py`."""

from __future__ import annotations

import datetime as dt
from typing import Any

import duckdb
import pandas as pd
import pyarrow as pa

from hub.models import MemoryModels
from hub.scorer import Inputs
from plugins.retail.daily import customer_days
from plugins.retail.models.clusters import Clusters


def groups_found(visits: pd.DataFrame, day: int) -> dict[str, Any] | None:
    """Let the scorer find groups by what was known at the beginning of a day; return its figures of the number it chose.

    Args:
        visits: one row per order: customer, day (from 1970-01-01), hour, channel, net, given (money taken off).
        day: day number.

    Returns:
        ``groups``, ``agreement`` of two halves (adjusted Rand index), ``largest`` and ``smallest`` share; None without stable groups.
    """
    known = visits[visits["day"] < day]
    connection = duckdb.connect(config={"threads": 1})
    connection.register("visits", pa.Table.from_pandas(known, preserve_index=False))
    connection.execute(f"""
        CREATE TABLE purchases AS SELECT customer::INTEGER AS customer, DATE '1970-01-01' + day::INTEGER AS business_date, false AS refund,
            hour, channel, net::DECIMAL(18,4) AS net_amount, given::DECIMAL(18,4) AS discount_amount, false AS with_coupon FROM visits;
        CREATE TABLE people AS SELECT DISTINCT customer, lpad(customer::VARCHAR, 8, '0') AS customer_id FROM purchases;
        CREATE TABLE customer_days AS {customer_days()}""")
    date, models, scorer = dt.date(1970, 1, 1) + dt.timedelta(days=day), MemoryModels(), Clusters()
    moment = dt.datetime.combine(date, dt.time(6), dt.UTC)
    scorer.population(
        Inputs(moment, date, Clusters.Config(), lambda sql: connection.sql(sql).to_arrow_table(), models=models)
    )
    if "clusters" not in models.names():
        return None
    results = models.versions("clusters")[0].card["results"]
    chosen: dict[str, Any] = next(one for one in results["tried"] if one["groups"] == results["chosen"])
    return chosen
