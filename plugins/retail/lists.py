"""Products for one customer: add-on, menu, recall, reminders, browsed and not bought."""

from __future__ import annotations

from plugins.retail.rules import EngagementRules

__all__ = ["browsed", "pace", "pairs", "recommended", "replenishing"]

_BOUGHT = """
    SELECT l.customer_id, l.business_date, l.connection, l.source_id, coalesce(p.name, l.name) AS product,
           l.quantity - l.refunded_quantity AS quantity
    FROM order_lines AS l LEFT JOIN products AS p ON p.connection = l.connection AND p.source_id = l.product_id
    WHERE l.kind IN ('item', 'set') AND l.quantity > l.refunded_quantity AND coalesce(p.name, l.name) IS NOT NULL"""
_INTERVALS = f"""
    SELECT *, (lead(business_date) OVER w - business_date)::INTEGER AS days FROM (
        SELECT customer_id, product, business_date, sum(quantity) AS quantity FROM ({_BOUGHT}) GROUP BY ALL
    ) WINDOW w AS (PARTITION BY customer_id, product ORDER BY business_date)"""
_LEAST_INTERVALS = 20
_LEAST_BASKETS = 5
_PULL = 2
"""Intervals' worth of the product's own pace mixed into a customer's."""
_SEPARATOR = "、"


def pace() -> str:
    """Return the days one unit of a product lasts, for products bought again often enough, before ``taste_until``."""
    return f"""SELECT product, sum(days)::DOUBLE / sum(quantity)::DOUBLE AS days_per_unit FROM ({_INTERVALS})
        WHERE days IS NOT NULL AND business_date + days < (SELECT day FROM taste_until)
        GROUP BY product HAVING count(*) >= {_LEAST_INTERVALS}"""


def pairs() -> str:
    """Return products bought together in the 90 days before ``taste_until``, more often than by chance: lift above 1."""
    return f"""
        WITH baskets AS (
            SELECT DISTINCT connection, source_id, product FROM ({_BOUGHT}) AS b, taste_until AS u
            WHERE business_date < u.day AND business_date >= u.day - 90
        ), alone AS (SELECT product, count(*) AS n FROM baskets GROUP BY product),
        number AS (SELECT count(DISTINCT (connection, source_id)) AS n FROM baskets)
        SELECT a.product, b.product AS other, count(*) AS baskets,
               count(*)::DOUBLE * any_value(number.n) / (any_value(x.n) * any_value(y.n)) AS lift
        FROM baskets AS a JOIN baskets AS b ON a.connection = b.connection AND a.source_id = b.source_id AND a.product <> b.product
        JOIN alone AS x ON x.product = a.product JOIN alone AS y ON y.product = b.product, number
        GROUP BY a.product, b.product HAVING count(*) >= {_LEAST_BASKETS} AND lift > 1"""


def replenishing(rules: EngagementRules) -> str:
    """Return what runs out next: own intervals shrunk to the product's pace, × units bought, × the reminder share."""
    return f"""
        WITH own AS (
            SELECT customer_id, product, sum(days) FILTER (days IS NOT NULL)::BIGINT AS days,
                   sum(quantity) FILTER (days IS NOT NULL) AS units, count(days) AS n,
                   max(business_date) AS last_day, arg_max(quantity, business_date) AS last_units
            FROM ({_INTERVALS}) GROUP BY ALL
        ), due AS (
            SELECT customer_id, product, last_day + CAST(ceil({rules.reminder_share!r} * last_units::DOUBLE *
                (coalesce(n * days::DOUBLE / units::DOUBLE, 0) + {_PULL} * days_per_unit) / (n + {_PULL})) AS INTEGER) AS due_day
            FROM own JOIN taste_pace USING (product)
        )
        SELECT customer_id, arg_min(product, (due_day, product)) AS replenish_due, min(due_day) AS replenish_date
        FROM due GROUP BY customer_id"""


def recommended() -> str:
    """Return menu, add-on and what to win back with."""
    return f"""
        WITH candidates AS (
            SELECT m.customer_id, r.other, sum(CAST(round(r.lift * 1000) AS BIGINT) * CAST(m.weight AS HUGEINT)) AS strength
            FROM taste_products AS m JOIN taste_pairs AS r USING (product) WHERE m.place <= 5 GROUP BY ALL
        ), fresh AS (
            SELECT *, row_number() OVER (PARTITION BY customer_id ORDER BY strength DESC, other) AS place FROM (
                SELECT c.* FROM candidates AS c
                ANTI JOIN taste_products AS h ON h.customer_id = c.customer_id AND h.product = c.other)
        ), blamed AS (
            SELECT DISTINCT b.customer_id, b.product FROM feedback AS f JOIN ({_BOUGHT}) AS b
            ON b.customer_id = f.customer_id AND b.connection = f.connection AND b.source_id = f.order_id
            WHERE f.type = 'complaint' OR (f.type = 'review' AND f.score * 5 <= 2 * coalesce(f.score_max, 5))
        ), again AS (
            SELECT customer_id, any_value(product || CASE WHEN options <> '' THEN '(' || options || ')' ELSE '' END) FILTER (place = 1) AS favourite,
                   any_value(product) FILTER (lately = 1) AS latest
            FROM taste_products GROUP BY customer_id
        ), new AS (
            SELECT customer_id, any_value(other) FILTER (place = 1) AS pairing FROM fresh GROUP BY customer_id
        ), forgiven AS (
            SELECT customer_id, arg_min(product, place) AS product FROM taste_products AS t
            ANTI JOIN blamed AS b USING (customer_id, product) GROUP BY customer_id
        ), added AS (SELECT product, arg_max(other, (lift, baskets, other)) AS other FROM taste_pairs GROUP BY product)
        SELECT again.customer_id, concat_ws(' + ', favourite, pairing) AS personal_menu,
               added.other AS bundle,
               CASE WHEN r.lifecycle_stage IN ('sleeping', 'lost') THEN forgiven.product END AS recall_product
        FROM again LEFT JOIN new USING (customer_id) LEFT JOIN forgiven USING (customer_id)
        LEFT JOIN added ON added.product = again.latest LEFT JOIN score_retail AS r ON r.customer_id = again.customer_id"""


def browsed(rules: EngagementRules, today: str) -> str:
    """Return products viewed or put into the cart in the last days and not bought since."""
    return f"""
        WITH seen AS (
            SELECT e.customer_id, coalesce(p.name, e.subject_id) AS product, max(e.occurred_at) AS seen_at
            FROM events AS e LEFT JOIN products AS p ON p.connection = e.connection AND p.source_id = e.subject_id
            WHERE e.type IN ('product.viewed', 'cart.added') AND e.subject_id IS NOT NULL
              AND e.occurred_at >= CAST({today} - {rules.browse_days} AS TIMESTAMPTZ) GROUP BY ALL
        ), bought AS (
            SELECT b.customer_id, b.product, max(o.ordered_at) AS bought_at
            FROM ({_BOUGHT}) AS b JOIN orders AS o USING (connection, source_id) GROUP BY ALL
        ), open AS (
            SELECT s.*, row_number() OVER (PARTITION BY customer_id ORDER BY seen_at DESC, product) AS place
            FROM seen AS s LEFT JOIN bought USING (customer_id, product) WHERE bought_at IS NULL OR bought_at < seen_at
        )
        SELECT customer_id, string_agg(product, '{_SEPARATOR}' ORDER BY place) FILTER (place <= 5) AS browsed_not_bought
        FROM open GROUP BY customer_id"""
