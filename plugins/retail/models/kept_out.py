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

__all__ = ["KeptOut", "read_kept_out"]

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Shelves:
    """What is sold out where.

    Attributes:
        sold_out: a row per shop, the last one for customers of none; a column per product.
        shop: the row of every customer.
    """

    sold_out: NDArray[np.bool_]
    shop: Ints


class KeptOut:
    """Products left out, by customer.

    Args:
        customer: numbers of customers.
        product: numbers of products, of the same length.
        products: how many products there are.
        shelves: what is sold out in the shops of these customers; None where no stock is known.
    """

    def __init__(self, customer: Ints, product: Ints, products: int, shelves: Shelves | None = None) -> None:
        self._products = products
        self._shelves = shelves
        self._pairs = np.unique(customer * products + product)

    def among(self, first: int, best: Ints) -> NDArray[np.bool_]:
        """Say which of the listed products are left out.

        Args:
            first: number of the customer of the first row.
            best: products per customer, -1 for none.
        """
        left = np.zeros(best.shape, np.bool_)
        if self._shelves:
            shop = self._shelves.shop[first : first + len(best), None]
            left = self._shelves.sold_out[shop, np.maximum(best, 0)] & (best >= 0)
        if not len(self._pairs):
            return left
        pairs = (np.arange(len(best))[:, None] + first) * self._products + best
        place = np.minimum(np.searchsorted(self._pairs, pairs), len(self._pairs) - 1)
        return np.asarray(left | ((self._pairs[place] == pairs) & (best >= 0)))


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
    return KeptOut(customer, left_out, len(codes), _read_shelves(inputs, codes, buyers))


def _read_shelves(inputs: Inputs, codes: pa.Array, buyers: NDArray[np.int32]) -> Shelves | None:
    """What is sold out in all shops, and in the shop each buyer belongs to."""
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
        SELECT belonging_store_id AS shop FROM people JOIN customers USING (customer_id)
        WHERE customer BETWEEN {buyers[0]} AND {buyers[-1]}
          AND customer IN (SELECT customer FROM customer_days WHERE orders > 0) ORDER BY customer""")
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
