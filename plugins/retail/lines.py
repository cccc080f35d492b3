"""What was bought, in numbers: order lines as a narrow table, and beside it the few different articles and choices they name."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["CODES", "RHYTHM", "articles", "choices", "customer_lines", "goods_days"]

_KEY = "hash(connection, product_id, barcode, name, category, coalesce(kind IN ('item', 'set'), false))"


def articles(price_bands: Sequence[float] = ()) -> str:
    """Return every way an article stands on lines: ``article`` (its number), ``product`` (name), ``category``, ``brand``, ``code``.

    Beside them ``good`` and ``category_no``, numbers of products and categories in the order of their names; ``goods`` tells
    what is sold from fees and the parts of a set. ``tags`` and ``price_band`` (by list price) are the catalogue's.

    Args:
        price_bands: list prices from which the band is middle, high; without them the thirds of each category's products.
    """
    return f"""
        SELECT *, row_number() OVER (ORDER BY key)::INTEGER AS article,
               CASE WHEN goods AND product IS NOT NULL THEN dense_rank() OVER (ORDER BY product)::INTEGER END AS good,
               CASE WHEN category IS NOT NULL THEN dense_rank() OVER (ORDER BY category)::INTEGER END AS category_no
        FROM (
            SELECT l.key, l.goods, coalesce(p.name, l.name) AS product, coalesce(p.category, l.category) AS category, p.brand, p.tags, p.price_band,
                   coalesce(l.product_id, l.barcode, l.name) AS code, l.name
            FROM (SELECT {_KEY} AS key, any_value(connection) AS connection, any_value(product_id) AS product_id,
                         any_value(barcode) AS barcode, any_value(name) AS name, any_value(category) AS category,
                         coalesce(any_value(kind) IN ('item', 'set'), false) AS goods FROM any_lines GROUP BY key) AS l
            LEFT JOIN ({_priced(price_bands)}) AS p ON p.connection = l.connection AND p.source_id = l.product_id)"""


def _priced(bands: Sequence[float]) -> str:
    """The catalogue with the band that a list price falls into; fewer than three products make no thirds."""
    if bands:
        middle, high = bands
        band = f"CASE WHEN list_price >= {high!r} THEN 'high' WHEN list_price >= {middle!r} THEN 'middle' WHEN list_price > 0 THEN 'low' END"
        return f"SELECT *, {band} AS price_band FROM products"
    return """
        SELECT * EXCLUDE (cheaper, alike), CASE WHEN list_price > 0 AND alike >= 3
               THEN ['low', 'middle', 'high'][1 + (3 * cheaper // alike)::INTEGER] END AS price_band
        FROM (SELECT *, rank() OVER (PARTITION BY category, list_price > 0 ORDER BY list_price) - 1 AS cheaper,
                     count(*) OVER (PARTITION BY category, list_price > 0) AS alike FROM products)"""


CODES = "SELECT article, code, dense_rank() OVER (ORDER BY code)::INTEGER AS no FROM articles WHERE goods AND code IS NOT NULL"
"""Articles that are goods, with their product's code and its number: what many rows are grouped by goes by number."""


def choices() -> str:
    """Return every combination of choices (sugar, ice, size): ``choice`` (its number), ``options`` and them as one ``text``."""
    return """SELECT key, options, array_to_string(options, '/') AS text, row_number() OVER (ORDER BY key)::INTEGER AS choice
        FROM (SELECT hash(options) AS key, any_value(options) AS options FROM any_lines GROUP BY key)"""


def customer_lines() -> str:
    """Return the lines: ``customer``, ``business_date``, ``receipt``, ``article``, ``choice``, ``quantity``, ``kept`` (not refunded)."""
    return f"""
        SELECT l.customer, l.business_date, l.receipt, a.article, c.choice, l.quantity, l.kept
        FROM (SELECT customer, business_date, receipt, {_KEY} AS key, hash(options) AS chosen, quantity,
                     (quantity - refunded_quantity)::DECIMAL(18,4) AS kept FROM purchase_lines) AS l
        JOIN articles AS a ON a.key = l.key JOIN choices AS c ON c.key = l.chosen"""


def goods_days(sold: str = "customer_lines") -> str:
    """Return what a customer bought of a product on a day: ``net`` units, ``units`` of lines not given back, ``bought_on`` (NULL for none).

    Args:
        sold: the lines, a relation like ``customer_lines``.
    """
    return f"""
        SELECT customer, good, business_date, sum(kept) AS net, sum(kept) FILTER (kept > 0) AS units,
               CASE WHEN units IS NOT NULL THEN business_date END AS bought_on
        FROM {sold} JOIN articles USING (article) WHERE good IS NOT NULL GROUP BY customer, good, business_date"""


RHYTHM = """min(bought_on) AS first_day, max(bought_on) AS last_day, count(bought_on) AS days, sum(units) AS units,
    arg_max(units, bought_on) AS last_units"""
"""Columns over :func:`goods_days`: first and last day a product was bought on, number of days, units in all and on the last day.

Intervals between them add up: ``days`` - 1 of them last from the first day to the last, for all units but those of the last.
"""
