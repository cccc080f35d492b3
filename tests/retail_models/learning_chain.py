"""A chain whose truth is known: purchase rates, departures and values are drawn, and the hub's relations made of them."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
from assortment import ASSORTMENT
from numpy.typing import NDArray

from hub.models import MemoryModels, ModelStore
from hub.scorer import Inputs, Scorer
from plugins.retail.daily import customer_days
from plugins.retail.models.daily import Daily, daily_of, day_number
from plugins.retail.rules import RuleSet

BEGIN = dt.date(2024, 1, 1)
TODAY = BEGIN + dt.timedelta(days=420)
"""The day most tests look from."""
PRODUCTS = (
    "乌龙茶",
    "绿茶",
    "奶茶",
    "芋泥波波",
    "柠檬水",
    "杨枝甘露",
    "美式咖啡",
    "拿铁",
    "可可",
    "面包",
    "蛋糕",
    "曲奇",
)


@dataclass(frozen=True)
class Purchases:
    """One entry per purchase, in no order."""

    customer: NDArray[np.int64]
    day: NDArray[np.int64]
    value: NDArray[np.float64]
    product: NDArray[np.int64]

    def before(self, day: int) -> Purchases:
        return self.taken(self.day < day)

    def taken(self, chosen: Any) -> Purchases:
        return Purchases(self.customer[chosen], self.day[chosen], self.value[chosen], self.product[chosen])

    def daily(self) -> Daily:
        return daily_of(self.customer, self.day, self.value)


def purchases(people: int, days: int, seed: int = 5) -> Purchases:
    """Draw a chain: gamma rates, exponential lifetimes, gamma-gamma values, a favourite group of products each."""
    draw = np.random.default_rng(seed)
    rate = draw.gamma(0.9, 1 / 9.0, people)
    arrival = draw.uniform(0, days * 0.8, people)
    leaves = arrival + draw.exponential(240.0, people)
    first = np.minimum(leaves, days) - arrival
    count = draw.poisson(rate * first)
    customer = np.repeat(np.arange(people), count + 1)
    at = np.concatenate(
        [arrival, np.repeat(arrival, count) + draw.uniform(0, 1, count.sum()) * np.repeat(first, count)]
    )
    customer = np.concatenate([np.arange(people), np.repeat(np.arange(people), count)])
    scale = draw.gamma(4.0, 1 / 60.0, people)
    value = draw.gamma(6.0, 1.0, len(customer)) / 6 / scale[customer]
    group = draw.integers(0, 3, people)[customer] * 4
    liked = draw.random(len(customer)) < 0.8
    product = np.where(
        liked, group + draw.integers(0, 4, len(customer)), draw.integers(0, len(PRODUCTS), len(customer))
    )
    order = draw.permutation(len(customer))
    day = day_number(BEGIN) + at.astype(np.int64)
    return Purchases(customer[order], day[order], np.round(value[order], 2), product[order])


class Relations:
    """The relations of a chain, read by query."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection

    def __call__(self, sql: str) -> pa.Table:
        return self._connection.sql(sql).to_arrow_table()

    def add(self, name: str, relation: pa.Table) -> None:
        """Make one more."""
        self._connection.register(f"{name}_rows", relation)
        self._connection.execute(f"CREATE OR REPLACE TABLE {name} AS FROM {name}_rows")


def inputs_of(
    bought: Purchases, as_of: dt.date, config: Any, models: ModelStore | None = None, money: int = 1
) -> Inputs:
    """Return what a scorer may read of a chain on a day: relations hold nothing from that day on.

    One customer in nine buys online, as far as purchase days tell. The amounts of the rules are in the same money as the prices.
    """
    connection = duckdb.connect(config={"threads": 1})
    known = bought.before(day_number(as_of))
    cents = np.round(known.value * 100).astype(np.int64) * money
    rows = pa.table(
        {
            "customer": known.customer,
            "business_date": pa.array(known.day.astype(np.int32)).cast(pa.date32()),
            "cents": cents,
            "product": known.product,
            "title": pa.array(PRODUCTS).take(pa.array(known.product)),
        }
    )
    connection.register("rows", rows)
    connection.execute(
        """
        CREATE TABLE people AS SELECT 'C' || lpad(customer::VARCHAR, 6, '0') AS customer_id,
            (row_number() OVER (ORDER BY customer))::INTEGER AS customer FROM (SELECT DISTINCT customer FROM rows);
        CREATE TABLE bought AS SELECT p.customer, r.* EXCLUDE (customer), r.customer AS person
            FROM rows AS r JOIN people AS p ON p.customer_id = 'C' || lpad(r.customer::VARCHAR, 6, '0');
        CREATE TABLE purchases AS SELECT customer, business_date, false AS refund, (cents / 100)::DECIMAL(18,4) AS net_amount,
            'store' AS channel, 12 + person % 9 AS hour, 0 AS discount_amount, false AS with_coupon FROM bought;
        CREATE TABLE articles AS SELECT DISTINCT product::INTEGER AS article, 'P' || lpad(product::VARCHAR, 2, '0') AS code, title AS name,
            title AS product, 1 + product::INTEGER AS good, NULL::VARCHAR AS category, 1 + product::INTEGER // 4 AS category_no, true AS goods FROM rows;
        CREATE TABLE customer_lines AS SELECT customer, business_date, product::INTEGER AS article, 1 AS quantity, 1 AS kept FROM bought;
        CREATE TABLE products AS SELECT 'P11' AS source_id, '曲奇' AS name, false AS on_sale, NULL::DECIMAL(18,4) AS stock,
            []::VARCHAR[] AS sold_out_at;
        CREATE TABLE events (customer_id VARCHAR, type VARCHAR, business_date DATE);
        CREATE TABLE customers AS SELECT customer_id, 'S' || customer % 2 AS belonging_store_id FROM people;
        CREATE TABLE taste_goods AS SELECT customer, good, min(business_date) AS first_day FROM customer_lines JOIN articles USING (article) GROUP BY ALL;
        CREATE TABLE customer_days AS
            WITH purchases AS (SELECT * REPLACE (CASE hour WHEN 12 THEN 'online' ELSE 'store' END AS channel) FROM main.purchases)"""
        + customer_days()
    )
    connection.execute(ASSORTMENT)
    moment = dt.datetime.combine(as_of, dt.time(8), dt.UTC)
    amounts = [money * cut for cut in (40, 100, 200, 400)]
    rules = RuleSet.model_validate({"trade": "tea", "rfm": {"monetary": amounts}})
    return Inputs(
        moment,
        as_of,
        config,
        Relations(connection),
        settings={"retail": rules},
        models=models or MemoryModels(),
    )


def traits_of(
    scorer: Scorer, bought: Purchases, as_of: dt.date, models: ModelStore | None = None, money: int = 1, **settings: Any
) -> pa.Table:
    """Return a scorer's traits, by customer."""
    return scored(scorer, inputs_of(bought, as_of, scorer.Config(**settings), models, money))


def learn(scorer: Scorer, inputs: Inputs) -> dict[str, pa.Table]:
    """Return a scorer's relations over all customers; each may read those before it."""
    assert isinstance(inputs.arrow, Relations)
    found: dict[str, pa.Table] = {}
    for name, relation in scorer.population(inputs).items():
        found[name] = relation if isinstance(relation, pa.Table) else inputs.arrow(relation)
        inputs.arrow.add(name, found[name])
    return found


def scored(scorer: Scorer, inputs: Inputs) -> pa.Table:
    """Return the traits of everybody, by customer, from what is learnt of them."""
    learn(scorer, inputs)
    found = scorer.score(inputs)
    assert isinstance(found, pa.Table)
    return found.sort_by("customer_id")
