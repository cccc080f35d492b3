"""Best-sellers that fill up a list of products to try: of customers at the same stage, of the own shop, of the whole chain.

What sells best is that of the beginning of the week, like all that others enter into; which stage and which shop are a customer's own
is that of today.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from hub.scorer import Inputs
from plugins.retail.lines import CODES
from plugins.retail.rules import RuleSet, Stages

__all__ = ["WORDS", "Candidates", "Sellers", "Standing", "fill_up", "read_prospects", "read_sellers", "read_standing", "reasons", "sold_by_shop", "sold_by_stage"]  # fmt: skip

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

_SHOP_DAYS = 28
"""Days that a shop's best-sellers are of."""
_FEWEST = 3
"""Buyers below which nothing is a best-seller of a stage or a shop."""
_BEST = 30
"""So many best-sellers are thought of: enough that something is left for those who have bought much."""

LIKED, STAGE, SHOP, CHAIN = range(4)
WORDS = (
    ("口味相近的顾客也买", "customers of like taste buy these"),
    ("同阶段顾客热销", "best-sellers among customers at the same stage"),
    ("所属门店热销", "best-sellers of the customer's shop"),
    ("各门店热销", "best-sellers of the chain"),
)
"""Why a product is listed, in Chinese and English, in the order in which a list is filled."""


def _stage(limits: Stages, day: str) -> str:
    """The stage as far as purchases and silence tell it: without returns, seasons, cards and exits."""
    return f"""CASE WHEN {day} - first_day <= {limits.new} THEN 'new' WHEN {day} - last_day > {limits.sleeping} THEN 'lost'
        WHEN {day} - last_day > {limits.slipping} THEN 'sleeping' WHEN {day} - last_day > {limits.active} THEN 'slipping'
        WHEN n_days IN (2, 3) THEN 'repurchase' ELSE 'active' END"""


_STAGES = ("new", "repurchase", "active", "slipping", "sleeping", "lost")


def sold_by_stage(limits: Stages, until: str, lookback_days: int) -> str:
    """Return ``stage``, ``code`` and ``buyers``: how many customers at a stage bought a product in the look-back.

    Args:
        limits: the chain's.
        until: the day before which all is known, as SQL.
        lookback_days: how far back.
    """
    # Stages are numbers while they are counted: a text for each of millions of pairs takes a second more.
    return f"""
        WITH numbered AS ({CODES}), pairs AS (
            SELECT customer, no FROM customer_lines JOIN numbered USING (article)
            WHERE quantity > 0 AND business_date < {until} AND business_date >= {until} - {lookback_days} GROUP BY customer, no
        ), standing AS (
            SELECT customer, list_position({list(_STAGES)}, {_stage(limits, until)})::UTINYINT AS place FROM (
                SELECT customer, min(business_date) AS first_day, max(business_date) AS last_day, count(*) AS n_days
                FROM customer_days WHERE orders > 0 AND business_date < {until} GROUP BY customer)
        )
        SELECT {list(_STAGES)}[place] AS stage, code, buyers
        FROM (SELECT place, no, count(*) AS buyers FROM pairs JOIN standing USING (customer) GROUP BY place, no)
        JOIN (SELECT DISTINCT no, code FROM numbered) USING (no)"""


_SHOPS = "(SELECT hash(connection, source_id) AS shop, max(source_id) AS store FROM stores GROUP BY ALL)"


def sold_by_shop(until: str) -> str:
    """Return ``store``, ``code`` and ``buyers``: how many customers bought a product in a shop in the last weeks before a day."""
    lately = f"business_date < {until} AND business_date >= {until} - {_SHOP_DAYS}"
    return f"""
        WITH numbered AS ({CODES})
        SELECT store, code, buyers FROM (
            SELECT store, no, count(*) AS buyers FROM (
                SELECT DISTINCT customer, store, no
                FROM (SELECT customer, receipt, article FROM customer_lines WHERE quantity > 0 AND {lately})
                JOIN (SELECT receipt, store FROM purchases JOIN {_SHOPS} USING (shop) WHERE {lately}) USING (receipt)
                JOIN numbered USING (article)
            ) GROUP BY store, no HAVING count(*) >= {_FEWEST}
        ) JOIN (SELECT DISTINCT no, code FROM numbered) USING (no)"""


@dataclass(frozen=True)
class Sellers:
    """Best-sellers as products by number, the best first; -1 stands where there are fewer.

    Attributes:
        stages, stores: what the rows of the tables are of; each table has one row more, without any.
        by_stage, by_store: the tables.
        of_all: those of the chain, one row.
    """

    stages: pa.Array
    stores: pa.Array
    by_stage: Ints
    by_store: Ints
    of_all: Ints


def read_sellers(inputs: Inputs, codes: pa.Array, buyers: NDArray[np.float32]) -> Sellers:
    """Return the week's best-sellers.

    Args:
        inputs: with the relations ``recommend_stage_sold`` and ``recommend_shop_sold``.
        codes: the products by number.
        buyers: how many customers of the chain buy each product.
    """
    stages, by_stage = _best(inputs, "stage", f"recommend_stage_sold WHERE buyers >= {_FEWEST}", codes)
    stores, by_store = _best(inputs, "store", "recommend_shop_sold", codes)
    order = np.argsort(-buyers, kind="stable")[:_BEST]
    return Sellers(stages, stores, by_stage, by_store, order[buyers[order] > 0][None].astype(np.int64))


def _best(inputs: Inputs, group: str, sold: str, codes: pa.Array) -> tuple[pa.Array, Ints]:
    rows = inputs.arrow(f"""
        SELECT {group} AS who, code, row_number() OVER (PARTITION BY {group} ORDER BY buyers DESC, code) AS place
        FROM {sold} QUALIFY place <= {_BEST} ORDER BY who, place""")
    groups = rows["who"].combine_chunks().unique()
    table = np.full((len(groups) + 1, _BEST), -1, np.int64)
    product = pc.fill_null(pc.index_in(rows["code"], codes), -1)
    table[pc.index_in(rows["who"], groups).to_numpy(), rows["place"].to_numpy() - 1] = product.to_numpy()
    return groups, table


class Standing(NamedTuple):
    """The rows of the tables of :class:`Sellers` that are some customers' own."""

    stage: Ints
    store: Ints

    def of(self, begin: int, end: int) -> Standing:
        """Return some of them."""
        return Standing(self.stage[begin:end], self.store[begin:end])


def read_standing(inputs: Inputs, sellers: Sellers) -> Standing:
    """Return stage and shop of all buyers in the order of their numbers; the shop is the own one, else that of the last purchase day."""
    rules: RuleSet = inputs.settings["retail"]
    rows = inputs.arrow(f"""
        WITH homes AS (
            SELECT customer, belonging_store_id AS store FROM people JOIN customers USING (customer_id) WHERE belonging_store_id IS NOT NULL
        ), last AS (
            SELECT customer, max(store) AS store FROM purchases JOIN {_SHOPS} USING (shop)
            JOIN (SELECT customer, last_day AS business_date FROM customer_features ANTI JOIN homes USING (customer)) USING (customer, business_date)
            WHERE NOT refund GROUP BY customer
        )
        SELECT {_stage(rules.stages, inputs.today)} AS stage, coalesce(homes.store, last.store) AS store
        FROM customer_features LEFT JOIN homes USING (customer) LEFT JOIN last USING (customer) ORDER BY customer""")
    return Standing(_row(rows["stage"], sellers.stages), _row(rows["store"], sellers.stores))


def read_prospects(inputs: Inputs, sellers: Sellers) -> tuple[pa.Array, Ints]:
    """Return the ids of those who never bought, and their shops' rows."""
    rows = inputs.arrow("""
        SELECT customer_id, belonging_store_id AS store FROM people ANTI JOIN customer_features USING (customer)
        JOIN customers USING (customer_id) ORDER BY customer""")
    return rows["customer_id"].combine_chunks(), _row(rows["store"], sellers.stores)


def _row(given: pa.ChunkedArray, groups: pa.Array) -> Ints:
    return np.asarray(pc.fill_null(pc.index_in(given, groups), len(groups)).to_numpy(), np.int64)


class Candidates(NamedTuple):
    """Products that a list may be filled up with.

    Attributes:
        why: number of the reason in :data:`WORDS`.
        best: products, the best first; -1 for none.
        row: the row of ``best`` that is each customer's.
    """

    why: int
    best: Ints
    row: Ints


def fill_up(listed: Ints, candidates: Sequence[Candidates], may: Callable[[Ints, Ints], Bools]) -> NDArray[np.int8]:
    """Put candidates, in their order, where a list has places left; none twice.

    Args:
        listed: products per customer, -1 in the places left, which are the last ones; filled in place.
        candidates: what with.
        may: whether products may be listed, asked with rows of the lists and a product for each.

    Returns:
        Why each product is listed, -1 where there is none; what had been listed is :data:`LIKED`.
    """
    why = np.where(listed >= 0, LIKED, -1).astype(np.int8)
    count = np.count_nonzero(listed >= 0, axis=1)
    for reason, best, row in candidates:
        open_ = np.flatnonzero(count < listed.shape[1])
        for place in range(best.shape[1]):
            product = best[row[open_], place]
            fits = (product >= 0) & ~(listed[open_] == product[:, None]).any(axis=1)
            fits[fits] = may(open_[fits], product[fits])
            rows = open_[fits]
            listed[rows, count[rows]] = product[fits]
            why[rows, count[rows]] = reason
            count[rows] += 1
            open_ = open_[count[open_] < listed.shape[1]]
            if not len(open_):
                break
    return why


def reasons(why: NDArray[np.int8]) -> tuple[pa.Array, pa.Array]:
    """Return, in Chinese and English, why the products of each list are in it, in the list's order; null for an empty one.

    Args:
        why: what :func:`fill_up` returned.
    """
    counts = np.column_stack([np.count_nonzero(why == reason, axis=1) for reason in range(len(WORDS))])
    base = why.shape[1] + 1
    key = counts @ base ** np.arange(len(WORDS))
    _, first, place = np.unique(key, return_index=True, return_inverse=True)
    told = [_told(counts[one].tolist()) for one in first]
    zh, en = (pa.array([words[language] for words in told], pa.string()) for language in (0, 1))
    return zh.take(pa.array(place.reshape(-1))), en.take(pa.array(place.reshape(-1)))


def _told(counts: list[int]) -> tuple[str | None, str | None]:
    some = [(count, *WORDS[reason]) for reason, count in enumerate(counts) if count]
    if not some:
        return None, None
    if len(some) == 1:
        return some[0][1], some[0][2]
    return "，".join(f"{n}款{zh}" for n, zh, _ in some), "; ".join(f"{n}: {en}" for n, _, en in some)
