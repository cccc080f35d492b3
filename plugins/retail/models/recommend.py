"""What somebody will buy: own favourites, and what customers with like favourites buy.

Own frequency and the purchases of the most similar customers (cosine), blended. On real baskets this equals or beats matrix
factorisation except for new products of some chains. Everybody is compared with at most ``likes`` customers, evenly spaced over all
of those with two products or more, so that the work grows with the number of customers and not with its square.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from hub.scorer import Inputs, Scorer, Trait, TraitType
from hub.titles import Title
from plugins.retail.models.config import RecommendConfig

__all__ = ["Bought", "Recommend", "ranked"]

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]

_CELLS = 8_000_000
"""Numbers in one block's table of customers by products or by like customers: bounds memory."""


@dataclass(frozen=True)
class Bought:
    """Who bought what: one entry per customer and product.

    Attributes:
        customer: rising.
        product: rising within a customer.
        weight: purchase days, older ones counting less.
        customers, products: how many there are.
    """

    customer: Ints
    product: Ints
    weight: Floats
    customers: int
    products: int


def ranked(bought: Bought, config: RecommendConfig, count: int) -> Iterator[tuple[int, Ints, NDArray[np.bool_]]]:
    """Yield, for some customers at a time, the number of the first, the best products and whether they had bought each.

    Equal scores are ordered by how many customers buy the product. Customers without purchases get the best-sellers.

    Args:
        bought: purchases.
        config: weights and sizes.
        count: products per customer; -1 stands where there are fewer.
    """
    from scipy import sparse

    if not bought.products:
        yield 0, np.full((bought.customers, count), -1, np.int64), np.zeros((bought.customers, count), np.bool_)
        return
    rows = sparse.csr_matrix((bought.weight, (bought.customer, bought.product)), (bought.customers, bought.products))
    tastes = _normalised(rows)
    buyers = np.bincount(bought.product, minlength=bought.products).astype(np.float32)
    fallback = 1e-3 * buyers / max(float(buyers.max(initial=0)), 1.0)
    likes = np.flatnonzero(np.diff(rows.indptr) >= 2)
    if len(likes) > config.likes:
        likes = likes[np.unique(np.linspace(0, len(likes) - 1, config.likes).astype(np.int64))]
    step = max(_CELLS // max(len(likes), bought.products, 1), 1)
    for begin in range(0, bought.customers, step):
        end = min(begin + step, bought.customers)
        own = rows[begin:end].toarray()
        had = own > 0
        score = config.own_share * _by_largest(own) + fallback
        if len(likes):
            near = _nearest(tastes[begin:end] @ tastes[likes].T, likes, begin, config.neighbours)
            score = score + (1 - config.own_share) * _by_largest(np.asarray((near @ tastes[likes]).toarray()))
        best = _best(score, count)
        yield begin, best, np.take_along_axis(had, np.maximum(best, 0), axis=1) & (best >= 0)


def _normalised(rows: Any) -> Any:
    from scipy import sparse

    logs = rows.log1p()
    lengths = np.sqrt(np.asarray(logs.multiply(logs).sum(axis=1)).ravel())
    return (sparse.diags((1 / np.maximum(lengths, 1e-9)).astype(np.float32)) @ logs).tocsr()


def _nearest(similar: Any, likes: Ints, begin: int, neighbours: int) -> Any:
    """Keep the largest similarities of each customer, that to himself left out."""
    from scipy import sparse

    table = similar.toarray()
    own = np.flatnonzero((likes >= begin) & (likes < begin + len(table)))
    table[likes[own] - begin, own] = 0
    if neighbours < table.shape[1]:
        limit = np.partition(table, -neighbours, axis=1)[:, -neighbours, None]
        table[table < limit] = 0
    return sparse.csr_matrix(table)


def _by_largest(scores: Floats) -> Floats:
    return np.asarray(scores / np.maximum(scores.max(axis=1, keepdims=True, initial=0), 1e-9), np.float32)


def _best(scores: Floats, count: int) -> Ints:
    """The best products per row, best first; equal ones by their number."""
    found = np.full((len(scores), count), -1, np.int64)
    width = min(count, scores.shape[1])
    if not width:
        return found
    rounded = np.round(scores, 5)
    part = np.sort(np.argpartition(-rounded, width - 1, axis=1)[:, :width], axis=1)
    order = np.argsort(-np.take_along_axis(rounded, part, axis=1), axis=1, kind="stable")
    found[:, :width] = np.take_along_axis(part, order, axis=1)
    return found


def _trait(name: str, zh: str, en: str, description: str) -> Trait:
    return Trait(name, TraitType.TEXT, Title(zh, en), "", description, "never bought, or nothing to recommend")


class Recommend(Scorer):
    """Products a customer is likely to buy next: again, and for the first time."""

    name = "recommend"
    needs = ("retail",)
    Config = RecommendConfig
    traits = (
        _trait("next_products_again", "推荐复购商品", "Products to buy again", "Names, the likeliest first."),
        _trait("next_products_again_ids", "推荐复购商品编号", "Products to buy again, ids", "The same as product ids, separated by commas."),
        _trait("next_products_new", "推荐新商品", "Products to try", "Names of products not bought in the look-back, the likeliest first."),
        _trait("next_products_new_ids", "推荐新商品编号", "Products to try, ids", "The same as product ids, separated by commas."),
        _trait("next_products_reason", "推荐理由", "Why these are recommended (Chinese)", "Own favourite and how often; like customers; best-sellers of the chain."),
        _trait("next_products_reason_en", "推荐理由(英文)", "Why these are recommended (English)", "The same in English."),
    )  # fmt: skip

    def score(self, inputs: Inputs) -> pa.Table:
        """Rank the products of every buyer."""
        config: RecommendConfig = inputs.config
        ids, bought, products, offered = _read(inputs, config)
        if not bought.products:
            return pa.table(
                {"customer_id": ids, **{trait.name: pa.nulls(len(ids), pa.string()) for trait in self.traits}}
            )
        columns: dict[str, list[str | None]] = {trait.name: [] for trait in self.traits}
        wanted = 4 * config.listed
        days = _most_bought(bought)
        for begin, best, had in ranked(bought, config, wanted):
            sold = (best >= 0) & offered[np.maximum(best, 0)]
            lists = {"next_products_again": sold & had, "next_products_new": sold & ~had}
            for name, chosen in lists.items():
                names, codes = _joined(best, chosen, products, config.listed)
                columns[name] += names
                columns[f"{name}_ids"] += codes
            zh, en = _reasons(best, had & sold, products[1], days[begin : begin + len(best)])
            columns["next_products_reason"] += zh
            columns["next_products_reason_en"] += en
        return pa.table(
            {"customer_id": ids, **{name: pa.array(values, pa.string()) for name, values in columns.items()}}
        )


def _most_bought(bought: Bought) -> NDArray[np.bool_]:
    """Who has bought anything in the look-back."""
    return np.asarray(np.bincount(bought.customer, minlength=bought.customers) > 0)


def _joined(
    best: Ints, chosen: NDArray[np.bool_], products: tuple[list[str], list[str]], listed: int
) -> tuple[list[str | None], list[str | None]]:
    codes, titles = products
    chosen = chosen & (np.cumsum(chosen, axis=1) <= listed)
    names: list[str | None] = []
    numbers: list[str | None] = []
    for row, mask in zip(best, chosen, strict=True):
        found = row[mask].tolist()
        names.append("、".join([titles[i] for i in found]) or None)
        numbers.append(",".join([codes[i] for i in found]) or None)
    return names, numbers


def _reasons(
    best: Ints, again: NDArray[np.bool_], titles: list[str], known: NDArray[np.bool_]
) -> tuple[list[str | None], list[str | None]]:
    """One line per customer: the favourite and where the rest comes from."""
    zh: list[str | None] = []
    en: list[str | None] = []
    first = np.where(again.any(axis=1), best[np.arange(len(best)), again.argmax(axis=1)], -1)
    for favourite, bought in zip(first.tolist(), known.tolist(), strict=True):
        if not bought:
            zh.append("全店热销")
            en.append("best-sellers of the chain")
        elif favourite >= 0:
            zh.append(f"常买{titles[favourite]}；口味相近的顾客也买")
            en.append(f"often buys {titles[favourite]}; customers of like taste buy these too")
        else:
            zh.append("口味相近的顾客也买")
            en.append("customers of like taste buy these")
    return zh, en


def _read(inputs: Inputs, config: RecommendConfig) -> tuple[pa.Array, Bought, tuple[list[str], list[str]], Any]:
    """Return all buyers, their purchases of the look-back, ids and names of products, and which are on sale."""
    product = "coalesce(product_id, barcode, name)"
    bought = f"""order_lines WHERE kind IN ('item', 'set') AND quantity > 0 AND {product} IS NOT NULL
        AND business_date >= {inputs.today} - {config.lookback_days}"""
    ids = inputs.arrow("SELECT customer_id FROM customer_days WHERE orders > 0 GROUP BY ALL ORDER BY ALL")[
        "customer_id"
    ]
    products = inputs.arrow(f"""
        WITH sold AS (SELECT {product} AS product, max(name) AS name FROM {bought} GROUP BY ALL),
        offered AS (SELECT source_id AS product, max(name) AS name, bool_or(on_sale) AS on_sale FROM products GROUP BY ALL)
        SELECT product, coalesce(o.name, s.name, product) AS name, coalesce(on_sale, true) AS on_sale
        FROM sold AS s LEFT JOIN offered AS o USING (product) ORDER BY product""")
    rows = inputs.arrow(f"""
        WITH people AS (
            SELECT customer_id, row_number() OVER (ORDER BY customer_id) - 1 AS customer
            FROM (SELECT DISTINCT customer_id FROM customer_days WHERE orders > 0)
        ), goods AS (
            SELECT product, row_number() OVER (ORDER BY product) - 1 AS number
            FROM (SELECT DISTINCT {product} AS product FROM {bought})
        ), days AS (
            SELECT customer_id, {product} AS product, business_date FROM {bought} GROUP BY ALL
        )
        SELECT customer, number AS product,
               round(sum(pow(0.5, ({inputs.today} - business_date)::DOUBLE / {config.half_life_days})), 6)::FLOAT AS weight
        FROM days JOIN people USING (customer_id) JOIN goods USING (product)
        GROUP BY ALL ORDER BY customer, number""")
    found = Bought(
        rows["customer"].to_numpy(), rows["product"].to_numpy(), rows["weight"].to_numpy(), len(ids), len(products)
    )
    titles = (products["product"].to_pylist(), products["name"].to_pylist())
    return ids.combine_chunks(), found, titles, products["on_sale"].to_numpy()
