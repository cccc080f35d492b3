"""What a personal list leaves out: what a customer has given back, need groups that are not used up yet, and what is sold out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from hub.scorer import Inputs
from plugins.retail.care import need_groups
from plugins.retail.rules import RuleSet

__all__ = ["KeptOut", "Pairs", "read_kept_out", "read_sold_out"]

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Shelves:
    """What is sold out where.

    Attributes:
        sold_out: a row per shop, the last one for customers of none; a column per product.
        shop: the row of every customer.
    """

    sold_out: Bools
    shop: Ints


class Pairs:
    """Which customers go with which products.

    Args:
        keys: customer × ``products`` + product of each pair, rising.
        products: how many products there are.
    """

    def __init__(self, keys: Ints, products: int) -> None:
        self._keys = keys
        self._products = products

    def holds(self, customer: Ints, product: Ints) -> Bools:
        """Say which customers and products, -1 for none, are pairs."""
        if not len(self._keys):
            return np.zeros(np.broadcast_shapes(customer.shape, product.shape), np.bool_)
        keys = customer * self._products + product
        place = np.minimum(np.searchsorted(self._keys, keys), len(self._keys) - 1)
        return np.asarray((self._keys[place] == keys) & (product >= 0))


class KeptOut:
    """Products left out, by customer.

    Args:
        customer: numbers of customers.
        product: numbers of products, of the same length.
        products: how many products there are.
        shelves: what is sold out in the shops of these customers; None where no stock is known.
    """

    def __init__(self, customer: Ints, product: Ints, products: int, shelves: Shelves | None = None) -> None:
        self._shelves = shelves
        self._pairs = Pairs(np.unique(customer * products + product), products)

    def holds(self, customer: Ints, product: Ints) -> Bools:
        """Say which products, -1 for none, are left out for which customers."""
        left = self._pairs.holds(customer, product)
        if self._shelves:
            left |= self._shelves.sold_out[self._shelves.shop[customer], np.maximum(product, 0)] & (product >= 0)
        return left

    def among(self, first: int, best: Ints) -> Bools:
        """Say which of the listed products are left out.

        Args:
            first: number of the customer of the first row.
            best: products per customer, -1 for none.
        """
        return self.holds(np.arange(len(best))[:, None] + first, best)


def read_kept_out(inputs: Inputs, codes: pa.Array, buyers: NDArray[np.int32]) -> KeptOut:
    """Return what is left out of the lists of some buyers, who are numbered in their order.

    Args:
        inputs: with ``customer_lines`` and ``articles``.
        codes: the products by number.
        buyers: their numbers, rising; every buyer between the first and the last is among them.
    """
    rows = inputs.arrow(f"""
        SELECT DISTINCT customer, code FROM ({_given_back()} UNION ALL {_in_use(inputs)})
        WHERE customer BETWEEN {buyers[0]} AND {buyers[-1]} ORDER BY ALL""")
    product = pc.index_in(rows["code"], codes)
    known = product.is_valid().to_numpy()
    customer = np.searchsorted(buyers, rows["customer"].to_numpy()[known]).astype(np.int64)
    left_out = np.asarray(product.drop_null().to_numpy(), np.int64)
    some = f"SEMI JOIN (FROM customer_days WHERE orders > 0) USING (customer) WHERE customer BETWEEN {buyers[0]} AND {buyers[-1]}"
    return KeptOut(customer, left_out, len(codes), _read_shelves(inputs, codes, some))


def read_sold_out(inputs: Inputs, codes: pa.Array) -> KeptOut:
    """Return what is left out of the lists of those who never bought, numbered in their order: what is sold out.

    Args:
        inputs: with ``customer_features``.
        codes: the products by number.
    """
    nothing = np.zeros(0, np.int64)
    shelves = _read_shelves(inputs, codes, "ANTI JOIN customer_features USING (customer)")
    return KeptOut(nothing, nothing, len(codes), shelves)


def _read_shelves(inputs: Inputs, codes: pa.Array, some: str) -> Shelves | None:
    """What is sold out in all shops, and in the shop that each of some customers (what narrows ``people``) belongs to."""
    gone = inputs.arrow("""
        SELECT source_id AS code, NULL AS shop FROM products GROUP BY ALL HAVING bool_and(coalesce(stock <= 0, false))
        UNION SELECT source_id, unnest(sold_out_at) FROM products ORDER BY ALL""")
    product = pc.index_in(gone["code"], codes)
    gone = gone.append_column("product", product).filter(product.is_valid())
    if not len(gone):
        return None
    shops = gone["shop"].combine_chunks().drop_null().unique()
    place = pc.fill_null(pc.index_in(gone["shop"], shops), -1).to_numpy()
    which = gone["product"].to_numpy()
    sold_out = np.zeros((len(shops) + 1, len(codes)), np.bool_)
    sold_out[place[place >= 0], which[place >= 0]] = True
    sold_out[:, which[place < 0]] = True
    homes = inputs.arrow(f"""
        SELECT belonging_store_id AS shop FROM (FROM people {some}) JOIN customers USING (customer_id) ORDER BY customer""")
    shop = pc.fill_null(pc.index_in(homes["shop"], shops), len(shops))
    return Shelves(sold_out, shop.to_numpy().astype(np.int64))


def _given_back() -> str:
    return """SELECT customer, code FROM customer_lines JOIN articles USING (article)
        WHERE kept < quantity AND goods AND code IS NOT NULL"""


def _in_use(inputs: Inputs) -> str:
    """Every product of a need group of which the last purchase should still last."""
    rules: RuleSet = inputs.settings["retail"]
    if not rules.care.needs:
        return "SELECT NULL::INTEGER AS customer, NULL::VARCHAR AS code WHERE false"
    return f"""
        SELECT customer, code FROM (
            SELECT customer, need FROM (
                SELECT customer, need, any_value(pace) AS pace, business_date, sum(kept) AS units
                FROM customer_lines JOIN articles USING (article) JOIN ({need_groups(rules.care, "code")}) USING (code)
                WHERE kept > 0 GROUP BY customer, need, business_date
            ) GROUP BY customer, need
            HAVING max(business_date + CAST(ceil({rules.engagement.reminder_share!r} * units::DOUBLE * pace) AS INTEGER)) > {inputs.today}
        ) JOIN ({need_groups(rules.care, "code")}) USING (need)"""
