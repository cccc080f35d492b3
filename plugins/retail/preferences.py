"""Preferences and habits as SQL.

A share is of recency-weighted net units, shrunk to the chain's: (weight of the thing + prior × chain's share) / (weight of all +
prior). Weights are whole millionths, so that sums do not depend on the order of the rows.
"""

from __future__ import annotations

from plugins.retail.rules import PreferenceRules, RuleSet

__all__ = ["habits", "hours", "payments", "preferred", "products", "shares", "units", "visits"]

_LINES = """
    SELECT l.customer_id, l.business_date, l.connection, l.source_id, l.product_id,
           coalesce(p.name, l.name) AS product, coalesce(p.category, l.category) AS category, p.brand, l.options,
           l.quantity - l.refunded_quantity AS quantity
    FROM order_lines AS l LEFT JOIN products AS p ON p.connection = l.connection AND p.source_id = l.product_id
    WHERE l.kind IN ('item', 'set') AND coalesce(p.name, l.name) IS NOT NULL"""
_THINGS = f"""
    SELECT customer_id, business_date, quantity, unnest(list_concat(
        [{{'kind': 'product', 'thing': product}}, {{'kind': 'category', 'thing': category}}, {{'kind': 'brand', 'thing': brand}}],
        list_transform(list_distinct(coalesce(options, [])), lambda o: {{'kind': 'taste', 'thing': o}})), recursive := true)
    FROM ({_LINES})"""


def shares() -> str:
    """Return the chain's share of every category, brand and taste, before the day ``taste_until``."""
    return f"""SELECT kind, thing, sum(quantity)::DOUBLE / sum(sum(quantity)) OVER (PARTITION BY kind)::DOUBLE AS share
        FROM ({_THINGS}) WHERE thing IS NOT NULL AND kind <> 'product' AND business_date < (SELECT day FROM taste_until)
        GROUP BY kind, thing HAVING sum(quantity) > 0"""


def units(rules: PreferenceRules, today: str) -> str:
    """Return ``customer_id``, ``kind``, ``thing``, ``weight`` (millionths) and ``purchases`` (days it was bought on)."""
    weight = f"CAST(round(1000000 * pow(0.5, ({today} - business_date) / {rules.half_life_days}.0)) AS BIGINT)"
    return f"""SELECT customer_id, kind, thing, sum({weight} * quantity)::DECIMAL(38,4) AS weight,
               count(DISTINCT business_date) FILTER (quantity > 0) AS purchases
        FROM ({_THINGS}) WHERE thing IS NOT NULL GROUP BY ALL HAVING weight > 0"""


def products() -> str:
    """Return every product of a customer with units left: days, weight, last day, its place by weight, usual choices."""
    return f"""SELECT u.customer_id, u.thing AS product, u.weight, u.purchases, d.last_day, d.options,
               row_number() OVER (PARTITION BY u.customer_id ORDER BY u.weight DESC, u.thing) AS place,
               row_number() OVER (PARTITION BY u.customer_id ORDER BY d.last_day DESC, u.weight DESC, u.thing) AS lately
        FROM taste_units AS u JOIN (
            SELECT customer_id, product, max(business_date) AS last_day,
                   mode(array_to_string(options, '/') ORDER BY array_to_string(options, '/')) AS options
            FROM ({_LINES}) WHERE quantity > 0 GROUP BY ALL
        ) AS d ON d.customer_id = u.customer_id AND d.product = u.thing
        WHERE u.kind = 'product'"""


def preferred(rules: PreferenceRules) -> str:
    """Return the things whose index is high enough, and the favourite product."""
    return f"""
        WITH judged AS (
            SELECT u.customer_id, u.kind, u.thing, u.purchases,
                   (u.weight::DOUBLE / 1e6 + {rules.prior!r} * s.share)
                   / (sum(u.weight) OVER (PARTITION BY u.customer_id, u.kind)::DOUBLE / 1e6 + {rules.prior!r}) / s.share * 100 AS index
            FROM taste_units AS u JOIN taste_shares AS s USING (kind, thing)
        ), ranked AS (
            SELECT *, row_number() OVER (PARTITION BY customer_id, kind ORDER BY index DESC, thing) AS place FROM judged
            WHERE round(index, 6) >= {rules.index!r} AND purchases >= {rules.min_purchases}
        ), liked AS (
            SELECT customer_id, {_pick("category", 1, "pref_category_1")}, {_pick("category", 2, "pref_category_2")},
                   {_pick("category", 3, "pref_category_3")},
                   any_value(round(index, 1)) FILTER (kind = 'category' AND place = 1) AS pref_category_index,
                   {_pick("brand", 1, "pref_brand")}, {_pick("taste", 1, "pref_taste")}, {_pick("taste", 2, "pref_taste_2")}
            FROM ranked GROUP BY customer_id)
        SELECT * FROM liked FULL JOIN (SELECT customer_id, product AS favourite_product FROM taste_products WHERE place = 1)
        USING (customer_id)"""


def _pick(kind: str, place: int, name: str) -> str:
    return f"any_value(thing) FILTER (kind = '{kind}' AND place = {place}) AS {name}"


def visits(rules: RuleSet, zone: str) -> str:
    """Return every order with the slot, weekday and channel it falls into, at the shop's local time."""
    hour = "hour(local)"
    cases = []
    for name, (start, end) in rules.slots.items():
        within = f"{hour} >= {start} AND {hour} < {end}" if start < end else f"({hour} >= {start} OR {hour} < {end})"
        cases.append(f"WHEN {within} THEN '{name.replace(chr(39), chr(39) * 2)}'")
    return f"""SELECT customer_id, business_date, channel, CASE {" ".join(cases)} END AS daypart,
               CASE WHEN isodow(business_date) >= 6 THEN 'weekend' ELSE 'weekday' END AS weekpart
        FROM (SELECT *, timezone('{zone}', ordered_at) AS local FROM orders WHERE kind <> 'refund')"""


def habits(rules: PreferenceRules, today: str) -> str:
    """Return the part of the day and of the week and the channel that most visits fall into."""
    parts = [
        f"""SELECT customer_id, '{column}' AS kind, {column} AS thing, count(*) AS n,
                   sum(count(*)) OVER (PARTITION BY customer_id) AS total FROM taste_visits GROUP BY customer_id, {column}"""
        for column in ("daypart", "weekpart", "channel")
    ]
    habit = f"total >= {rules.habit_visits} AND n >= {rules.habit_share!r} * total"
    pick = ", ".join(
        f"min(thing) FILTER (kind = '{kind}' AND {habit} AND best) AS pref_{kind}"
        for kind in ("daypart", "weekpart", "channel")
    )
    lately = (
        f"SELECT customer_id, count(DISTINCT channel) FILTER (business_date >= {today} - {rules.omni_days}) AS channels"
    )
    return f"""SELECT * EXCLUDE (channels), channels >= 2 AS omni FROM (
            SELECT customer_id, {pick} FROM (
                SELECT *, n = max(n) OVER (PARTITION BY customer_id, kind) AS best FROM ({" UNION ALL ".join(parts)})
            ) GROUP BY customer_id
        ) JOIN ({lately} FROM taste_visits GROUP BY customer_id) USING (customer_id)"""


def payments() -> str:
    """Return the way to pay with the largest share, and the share of stored value."""
    return """SELECT customer_id, arg_max(method, (paid, method)) AS pref_tender,
               round(coalesce(sum(paid) FILTER (method = 'stored_value'), 0)::DOUBLE / sum(paid)::DOUBLE, 6) AS stored_value_share
        FROM (SELECT customer_id, method, sum(amount) AS paid FROM order_tenders GROUP BY ALL)
        WHERE paid > 0 GROUP BY customer_id"""


def hours(zone: str) -> str:
    """Return the hour whose messages are answered best: (answered + 1) / (sent + 4), at least three answered in all."""
    return f"""SELECT customer_id, arg_max(hour, (rate, -hour)) AS best_send_hour FROM (
            SELECT customer_id, hour(timezone('{zone}', occurred_at)) AS hour,
                   (count(*) FILTER (type <> 'message.sent') + 1) / (count(*) FILTER (type = 'message.sent') + 4) AS rate,
                   sum(count(*) FILTER (type <> 'message.sent')) OVER (PARTITION BY customer_id) AS answered
            FROM events WHERE type IN ('message.sent', 'message.opened', 'message.clicked')
            GROUP BY customer_id, hour(timezone('{zone}', occurred_at))
        ) WHERE answered >= 3 GROUP BY customer_id"""
