"""Products for one customer: add-on, menu, recall, reminders, browsed and not bought."""

from __future__ import annotations

from plugins.retail.lines import RHYTHM, goods_days
from plugins.retail.rules import EngagementRules

__all__ = ["browsed", "pace", "pairs", "recommended", "replenishing"]

_LEAST_INTERVALS = 20
_LEAST_BASKETS = 5
_PARTNERS = 10
"""Of what goes with a product, so many are thought of: the best."""
_PULL = 2
"""Intervals' worth of the product's own pace mixed into a customer's."""
_SEPARATOR = "、"


def pace() -> str:
    """Return the days one unit of a product lasts, for products bought again often enough, before ``taste_until``."""
    until = "(SELECT day FROM taste_until)"
    before = f"(FROM customer_lines SEMI JOIN (SELECT customer FROM taste_goods WHERE last_day >= {until}) USING (customer) WHERE business_date < {until})"
    interval = "SELECT good, last_day - first_day AS waited, units - last_units AS used, days - 1 AS n"
    return f"""SELECT product, sum(waited)::DOUBLE / sum(used)::DOUBLE AS days_per_unit FROM (
            {interval} FROM taste_goods WHERE last_day < {until}
            UNION ALL {interval} FROM (
                SELECT customer, good, {RHYTHM} FROM ({goods_days(before)}) GROUP BY customer, good
            ) SEMI JOIN (SELECT customer, good FROM taste_goods WHERE last_day >= {until}) USING (customer, good) WHERE days > 0
        ) JOIN ({_GOODS}) USING (good) GROUP BY good, product HAVING sum(n) >= {_LEAST_INTERVALS}"""


_GOODS = "SELECT DISTINCT good, product FROM articles WHERE good IS NOT NULL"


def pairs() -> str:
    """Return products bought together in the 90 days before ``taste_until`` more often than by chance (lift above 1).

    Of each product those with the highest lift; none that were bought together in a few baskets only.
    """
    return f"""
        WITH baskets AS (
            SELECT DISTINCT receipt, good FROM customer_lines JOIN articles USING (article), taste_until AS u
            WHERE good IS NOT NULL AND kept > 0 AND business_date < u.day AND business_date >= u.day - 90
        ), alone AS (SELECT good, count(*) AS n FROM baskets GROUP BY good),
        number AS (SELECT count(DISTINCT receipt) AS n FROM baskets),
        mixed AS (FROM baskets SEMI JOIN (SELECT receipt FROM baskets GROUP BY receipt HAVING count(*) > 1) USING (receipt)),
        together AS (
            SELECT a.good, b.good AS other, count(*) AS baskets,
                   count(*)::DOUBLE * any_value(number.n) / (any_value(x.n) * any_value(y.n)) AS lift
            FROM mixed AS a JOIN mixed AS b ON a.receipt = b.receipt AND a.good <> b.good
            JOIN alone AS x ON x.good = a.good JOIN alone AS y ON y.good = b.good, number
            GROUP BY a.good, b.good HAVING count(*) >= {_LEAST_BASKETS} AND lift > 1
        )
        SELECT g.product, h.product AS other, baskets, lift FROM together AS t
        JOIN ({_GOODS}) AS g ON g.good = t.good JOIN ({_GOODS}) AS h ON h.good = t.other
        QUALIFY row_number() OVER (PARTITION BY g.product ORDER BY lift DESC, baskets DESC, h.product) <= {_PARTNERS}"""


def replenishing(rules: EngagementRules) -> str:
    """Return what runs out next: own intervals shrunk to the product's pace, × units bought, × the reminder share."""
    return f"""
        WITH paced AS (SELECT good, product, days_per_unit FROM ({_GOODS}) JOIN taste_pace USING (product)),
        own AS (
            SELECT customer, good, last_day, last_units, days - 1 AS n,
                   CASE WHEN days > 1 THEN (days - 1) * (last_day - first_day)::DOUBLE / (units - last_units)::DOUBLE ELSE 0 END AS waited
            FROM taste_goods WHERE days > 0
        ), due AS (
            SELECT customer, good, product, last_day + CAST(ceil({rules.reminder_share!r} * last_units::DOUBLE *
                (waited + {_PULL} * days_per_unit) / (n + {_PULL})) AS INTEGER) AS due_day
            FROM own JOIN paced USING (good)
        ), first AS (SELECT customer, min(due_day) AS replenish_date FROM due GROUP BY customer)
        SELECT due.customer, min(product) AS replenish_due, any_value(replenish_date) AS replenish_date
        FROM due JOIN first ON first.customer = due.customer AND first.replenish_date = due.due_day GROUP BY due.customer"""


def recommended() -> str:
    """Return menu, add-on and what to win back with."""
    return f"""
        WITH goods AS ({_GOODS}),
        others AS (SELECT other, row_number() OVER (ORDER BY other)::INTEGER AS no FROM (SELECT DISTINCT other FROM taste_pairs)),
        partners AS (
            SELECT g.good, o.no, CAST(round(p.lift * 1000) AS BIGINT) AS lift
            FROM taste_pairs AS p JOIN goods AS g USING (product) JOIN others AS o USING (other)
        ), candidates AS (
            SELECT m.customer, r.no, sum(r.lift * CAST(m.weight AS HUGEINT)) AS strength
            FROM taste_products AS m JOIN partners AS r USING (good) WHERE m.place <= 5 GROUP BY m.customer, r.no
        ), had AS (
            SELECT t.customer, o.no FROM taste_products AS t JOIN goods USING (good) JOIN others AS o ON o.other = goods.product
        ), fresh AS (FROM candidates ANTI JOIN had USING (customer, no)),
        strongest AS (SELECT customer, max(strength) AS strength FROM fresh GROUP BY customer),
        new AS (
            SELECT customer, other AS pairing FROM (
                SELECT customer, min(no) AS no FROM fresh JOIN strongest USING (customer, strength) GROUP BY customer
            ) JOIN others USING (no)
        ), blamed AS (
            SELECT DISTINCT l.customer, a.good FROM feedback AS f
            JOIN purchases AS p ON p.order_key = hash(f.connection, f.order_id)
            JOIN people AS k ON k.customer = p.customer AND k.customer_id = f.customer_id
            JOIN customer_lines AS l ON l.receipt = p.receipt JOIN articles AS a USING (article)
            WHERE l.kept > 0 AND a.good IS NOT NULL
              AND (f.type = 'complaint' OR (f.type = 'review' AND f.score * 5 <= 2 * coalesce(f.score_max, 5)))
        ), favourites AS (SELECT customer, good FROM taste_products WHERE place = 1),
        chosen AS (
            SELECT l.customer, c.text, count(*) AS n
            FROM customer_lines AS l JOIN articles AS a USING (article) JOIN favourites AS f ON f.customer = l.customer AND f.good = a.good
            JOIN choices AS c USING (choice) WHERE l.kept > 0 AND c.text IS NOT NULL GROUP BY l.customer, c.text
        ), usual AS (
            SELECT customer, text FROM chosen QUALIFY row_number() OVER (PARTITION BY customer ORDER BY n DESC, text) = 1
        ), latest AS (
            SELECT customer, good FROM taste_products JOIN (SELECT customer, max(last_day) AS last_day FROM taste_products GROUP BY customer)
            USING (customer, last_day) QUALIFY row_number() OVER (PARTITION BY customer ORDER BY weight DESC, good) = 1
        ), forgiven AS (
            SELECT customer, arg_min(good, place) AS good FROM taste_products ANTI JOIN blamed USING (customer, good) GROUP BY customer
        ), added AS (SELECT product, arg_max(other, (lift, baskets, other)) AS other FROM taste_pairs GROUP BY product)
        SELECT f.customer, concat_ws(' + ', g.product || CASE WHEN u.text <> '' THEN '(' || u.text || ')' ELSE '' END, new.pairing)
                   AS personal_menu, added.other AS bundle,
               CASE WHEN r.lifecycle_stage IN ('sleeping', 'lost') THEN w.product END AS recall_product
        FROM favourites AS f JOIN goods AS g USING (good) LEFT JOIN usual AS u USING (customer) LEFT JOIN new USING (customer)
        LEFT JOIN latest AS l USING (customer) LEFT JOIN goods AS h ON h.good = l.good LEFT JOIN added ON added.product = h.product
        LEFT JOIN forgiven AS v USING (customer) LEFT JOIN goods AS w ON w.good = v.good
        JOIN people AS k ON k.customer = f.customer LEFT JOIN score_retail AS r ON r.customer_id = k.customer_id"""


def browsed(rules: EngagementRules, today: str) -> str:
    """Return products viewed or put into the cart in the last days and not bought since."""
    return f"""
        WITH seen AS (
            SELECT e.customer_id, coalesce(p.name, e.subject_id) AS product, max(e.occurred_at) AS seen_at
            FROM events AS e LEFT JOIN products AS p ON p.connection = e.connection AND p.source_id = e.subject_id
            WHERE e.type IN ('product.viewed', 'cart.added') AND e.subject_id IS NOT NULL
              AND e.occurred_at >= CAST({today} - {rules.browse_days} AS TIMESTAMPTZ) GROUP BY ALL
        ), bought AS (
            SELECT k.customer_id, a.product, max(p.ordered_at) AS bought_at
            FROM customer_lines AS l SEMI JOIN (SELECT customer FROM seen JOIN people USING (customer_id)) USING (customer)
            JOIN articles AS a USING (article) JOIN purchases AS p USING (receipt) JOIN people AS k ON k.customer = p.customer
            WHERE l.kept > 0 AND a.good IS NOT NULL GROUP BY ALL
        ), open AS (
            SELECT s.*, row_number() OVER (PARTITION BY customer_id ORDER BY seen_at DESC, product) AS place
            FROM seen AS s LEFT JOIN bought USING (customer_id, product) WHERE bought_at IS NULL OR bought_at < seen_at
        )
        SELECT customer_id, string_agg(product, '{_SEPARATOR}' ORDER BY place) FILTER (place <= 5) AS browsed_not_bought
        FROM open GROUP BY customer_id"""
