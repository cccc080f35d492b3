"""Preferences and habits as SQL.

A share is of recency-weighted net units, shrunk to the chain's: (weight of the thing + prior × chain's share) / (weight of all +
prior). Weights are whole millionths, so that sums do not depend on the order of the rows.
"""

from __future__ import annotations

from plugins.retail.lines import RHYTHM, goods_days
from plugins.retail.rules import PreferenceRules, RuleSet, literal

__all__ = [
    "KINDS", "goods", "habits", "is_size", "numbered", "payments", "preferred", "products", "sending", "shares", "size_of", "units",
]  # fmt: skip

KINDS = ("category", "brand", "taste")
"""Passes over the lines; that of brands finds styles and price bands too, that of tastes sizes."""


def things(kind: str, rules: PreferenceRules) -> str:
    """Return what articles or choices stand for: ``article`` or ``choice``, ``kind``, and ``thing``.

    Args:
        kind: a pass of :data:`KINDS`.
        rules: what is a size, what a style.
    """
    if kind == "taste":
        return f"""SELECT DISTINCT choice, CASE WHEN size THEN 'size' ELSE 'taste' END AS kind,
                   CASE WHEN size THEN {size_of("thing")} ELSE thing END AS thing
            FROM (SELECT choice, thing, {is_size("thing", rules)} AS size FROM (SELECT choice, unnest(options) AS thing FROM choices))"""
    goods = "FROM articles WHERE goods AND product IS NOT NULL"
    if kind == "category":
        return f"SELECT article, 'category' AS kind, category AS thing {goods} AND category IS NOT NULL"
    found = [
        f"SELECT article, '{name}' AS kind, {name} AS thing {goods} AND {name} IS NOT NULL"
        for name in ("brand", "price_band")
    ]
    if rules.styles:
        words = ", ".join(literal(style) for style in rules.styles)
        told = "lower(concat_ws(' ', category, product, array_to_string(tags, ' ')))"
        found.append(
            f"""SELECT article, 'style', style FROM (SELECT * {goods}), (SELECT unnest([{words}]) AS style)
                WHERE contains({told}, lower(style))"""
        )
    return " UNION ALL ".join(found)


def size_of(thing: str) -> str:
    """Return the size that a choice names, as SQL: itself, or what stands behind its heading (``尺码:XL``)."""
    return f"trim(regexp_replace({thing}, '^[^:：]*[:：]', ''))"


def is_size(thing: str, rules: PreferenceRules) -> str:
    """Return whether a choice is a size, as SQL."""
    return f"regexp_full_match(upper({size_of(thing)}), {literal(rules.sizes)})"


def shares(rules: PreferenceRules) -> str:
    """Return the chain's share of every thing among those of its kind, before the day ``taste_until``."""
    parts = [
        f"""SELECT kind, thing, sum(quantity) AS quantity FROM sold
            JOIN ({things(kind, rules)}) USING ({_by(kind)}) GROUP BY kind, thing HAVING sum(quantity) > 0"""
        for kind in KINDS
    ]
    return f"""
        WITH sold AS (
            SELECT article, choice, sum(kept) AS quantity FROM customer_lines JOIN articles USING (article)
            WHERE good IS NOT NULL AND business_date < (SELECT day FROM taste_until) GROUP BY ALL
        ), parts AS ({" UNION ALL ".join(parts)})
        SELECT kind, thing, quantity::DOUBLE / sum(quantity) OVER (PARTITION BY kind)::DOUBLE AS share FROM parts"""


def _by(kind: str) -> str:
    return "choice" if kind == "taste" else "article"


def _weight(rules: PreferenceRules, today: str) -> str:
    return f"CAST(round(1000000 * pow(0.5, ({today} - business_date) / {rules.half_life_days}.0)) AS BIGINT)"


def units(rules: PreferenceRules, today: str, kind: str) -> str:
    """Return ``customer``, ``thing`` (its number), ``weight`` (millionths) and ``often``: bought on enough days to be judged.

    Days are counted as bits, one of 64 each, in the pass that sums up; only where that leaves it open are they counted one by one.
    """
    bit = "(1::UBIGINT << ((business_date - DATE '1970-01-01') & 63)::UBIGINT)"
    return f"""
        WITH sold AS (
            SELECT customer, t.no AS thing, business_date, kept
            FROM customer_lines JOIN taste_{kind} AS t USING ({_by(kind)}) {_only_goods(kind)}
        ), summed AS (
            SELECT customer, thing, sum({_weight(rules, today)} * kept)::DECIMAL(38,4) AS weight,
                   count(*) FILTER (kept > 0) AS most, coalesce(bit_count(bit_or({bit}) FILTER (kept > 0)), 0) AS least
            FROM sold GROUP BY customer, thing HAVING weight > 0
        ), open AS (
            SELECT customer, thing, count(DISTINCT business_date) AS days FROM sold
            SEMI JOIN (FROM summed WHERE most >= {rules.min_purchases} AND least < {rules.min_purchases}) USING (customer, thing)
            WHERE kept > 0 GROUP BY customer, thing
        )
        SELECT customer, thing, weight, coalesce(days, least) >= {rules.min_purchases} AS often
        FROM summed LEFT JOIN open USING (customer, thing)"""


def _only_goods(kind: str) -> str:
    return "JOIN articles USING (article) WHERE good IS NOT NULL" if kind == "taste" else ""


def numbered(kind: str, rules: PreferenceRules) -> str:
    """Return :func:`things` with their numbers in the order of their kinds and names."""
    return f"SELECT *, dense_rank() OVER (ORDER BY kind, thing)::INTEGER AS no FROM ({things(kind, rules)})"


def goods(rules: PreferenceRules, today: str) -> str:
    """Return every product (``good``, its number) of a customer: weight, and how it was bought (:data:`plugins.retail.lines.RHYTHM`)."""
    return f"""SELECT customer, good, sum({_weight(rules, today)} * net)::DECIMAL(38,4) AS weight, {RHYTHM}
            FROM ({goods_days()}) GROUP BY customer, good"""


def products() -> str:
    """Return every product of a customer with units left: ``good``, weight, last day, its place by weight."""
    return """SELECT customer, good, weight, last_day, row_number() OVER (PARTITION BY customer ORDER BY weight DESC, good) AS place
        FROM taste_goods WHERE weight > 0"""


def preferred(rules: PreferenceRules) -> str:
    """Return the things whose index is high enough, and the favourite product."""
    shared = ", ".join(
        f"""shared_{kind} AS (
            SELECT u.customer, u.weight, u.often, n.kind, n.name, s.share FROM taste_units_{kind} AS u
            JOIN (SELECT DISTINCT no, kind, thing AS name FROM taste_{kind}) AS n ON n.no = u.thing
            JOIN taste_shares AS s ON s.kind = n.kind AND s.thing = n.name)"""
        for kind in KINDS
    )
    judged = " UNION ALL ".join(
        f"""SELECT customer, kind, name AS thing,
                   (weight::DOUBLE / 1e6 + {rules.prior!r} * share) / (total + {rules.prior!r}) / share * 100 AS index
            FROM shared_{kind} JOIN (
                SELECT customer, kind, sum(weight)::DOUBLE / 1e6 AS total FROM shared_{kind} GROUP BY customer, kind
            ) USING (customer, kind) WHERE often"""
        for kind in KINDS
    )
    picked = [_pick("category", place, f"pref_category_{place}") for place in (1, 2, 3)]
    picked += [_pick(kind, 1, f"pref_{kind}") for kind in ("brand", "taste", "size", "style", "price_band")]
    picked += [_pick("taste", 2, "pref_taste_2"), *(_index(kind) for kind in INDICES)]
    return f"""
        WITH {shared},
        judged AS ({judged}
        ), ranked AS (
            SELECT *, row_number() OVER (PARTITION BY customer, kind ORDER BY index DESC, thing) AS place FROM judged
            WHERE round(index, 6) >= {rules.index!r}
        ), liked AS (
            SELECT customer, {", ".join(picked)} FROM ranked GROUP BY customer
        ), goods AS (SELECT DISTINCT good, product FROM articles WHERE good IS NOT NULL)
        SELECT * FROM liked FULL JOIN (
            SELECT customer, product AS favourite_product FROM taste_products JOIN goods USING (good) WHERE place = 1
        ) USING (customer)"""


def _pick(kind: str, place: int, name: str) -> str:
    return f"any_value(thing) FILTER (kind = '{kind}' AND place = {place}) AS {name}"


INDICES = ("category", "brand", "taste", "size", "style", "price_band")
"""Kinds whose first preference is told with its index."""


def _index(kind: str) -> str:
    return f"any_value(round(index, 1)) FILTER (kind = '{kind}' AND place = 1) AS pref_{kind}_index"


def habits(rules: RuleSet, today: str) -> str:
    """Return the part of the day and of the week and the channel that most orders fall into, at the shop's local time."""
    slots = [
        (name, f"hour >= {start} {'AND' if start < end else 'OR'} hour < {end}")
        for name, (start, end) in rules.slots.items()
    ]
    parts = [*((name, f"({when})") for name, when in slots), ("weekend", "isodow(business_date) >= 6")]
    counts = ", ".join(f"count(*) FILTER ({when}) AS n{i}" for i, (_, when) in enumerate(parts))
    names = sorted(range(len(slots)), key=lambda i: slots[i][0])
    rest = f"(total - {' - '.join(f'n{i}' for i in names)})" if names else "total"
    most = f"greatest({', '.join(f'n{i}' for i in names)}, {rest})"
    weekend = f"n{len(slots)}"
    preference = rules.preference

    def habit(count: str) -> str:
        return f"total >= {preference.habit_visits} AND {count} >= {preference.habit_share!r} * total"

    dayparts = " ".join(
        f"WHEN n{i} = {most} AND {habit(f'n{i}')} THEN '{slots[i][0].replace(chr(39), chr(39) * 2)}'" for i in names
    )
    return f"""
        WITH channels AS (
            SELECT customer, channel, count(*) AS n,
                   coalesce(bool_or(business_date >= {today} - {preference.omni_days}), false) AS lately
            FROM purchases WHERE NOT refund GROUP BY customer, channel
        ), best AS (SELECT customer, max(n) AS n, sum(n) AS total, count(channel) FILTER (lately) AS lately FROM channels GROUP BY customer),
        channel AS (
            SELECT customer, min(channel) AS pref_channel FROM channels JOIN best USING (customer, n)
            WHERE {habit("n")} GROUP BY customer
        ), counted AS (SELECT customer, count(*) AS total, {counts} FROM purchases WHERE NOT refund GROUP BY customer)
        SELECT customer, CASE {dayparts} END AS pref_daypart,
               CASE WHEN total - {weekend} >= {weekend} AND {habit(f"(total - {weekend})")} THEN 'weekday'
                    WHEN {habit(weekend)} AND {weekend} >= total - {weekend} THEN 'weekend' END AS pref_weekpart,
               pref_channel, best.lately >= 2 AS omni
        FROM counted JOIN (SELECT customer, lately FROM best) AS best USING (customer) LEFT JOIN channel USING (customer)"""


def payments() -> str:
    """Return the way to pay with the largest share, and the share of stored value."""
    return """SELECT customer, arg_max(method, (paid, method)) AS pref_tender,
               round(coalesce(sum(paid) FILTER (method = 'stored_value'), 0)::DOUBLE / sum(paid)::DOUBLE, 6) AS stored_value_share
        FROM (SELECT customer, method, sum(amount) AS paid FROM purchase_tenders GROUP BY ALL)
        WHERE paid > 0 GROUP BY customer"""


_ANSWERS = 3
"""Messages that must have been answered before a channel or an hour is told."""


def sending(zone: str, today: str) -> str:
    """Return the channel whose messages of a year are answered best, and the hour: of those of that channel, where enough were answered.

    A rate is (answered + 1) / (sent + 4). What was sent, opened and clicked under one ``subject_id`` through one channel is one
    message, of the hour it was sent at. Where no message is named, each is of its own hour, and what was opened and clicked in the same one counts once.

    Args:
        zone: the chain's time zone.
        today: the business date of as_of as SQL.
    """
    rate, answered = "(sum(answered) + 1) / (sum(sent) + 4)", f"sum(answered) >= {_ANSWERS}"
    return f"""
        WITH told AS MATERIALIZED (
            SELECT customer_id, channel, subject_id, occurred_at, type FROM events
            WHERE type IN ('message.sent', 'message.opened', 'message.clicked') AND business_date >= {today} - 365
        ), messages AS (
            SELECT customer_id, channel, subject_id IS NOT NULL AS named, coalesce(min(occurred_at) FILTER (type = 'message.sent'), min(occurred_at)) AS moment,
                   bool_or(type = 'message.sent') AS sent, bool_or(type = 'message.opened') AS opened, bool_or(type = 'message.clicked') AS clicked
            FROM told SEMI JOIN (
                SELECT customer_id FROM told WHERE type <> 'message.sent' GROUP BY customer_id HAVING count(*) >= {_ANSWERS}
            ) USING (customer_id)
            GROUP BY customer_id, channel, subject_id, CASE WHEN subject_id IS NULL THEN occurred_at END
        ), cells AS (
            SELECT customer_id, channel, hour(timezone({literal(zone)}, moment)) AS hour, count(*) FILTER (sent OR named) AS sent,
                   count(*) FILTER (named AND (opened OR clicked))
                   + greatest(count(*) FILTER (NOT named AND opened), count(*) FILTER (NOT named AND clicked)) AS answered
            FROM messages GROUP BY customer_id, channel, hour
        ), channels AS (
            SELECT customer_id, channel, {rate} AS rate, {answered} AS enough, sum(sum(answered)) OVER (PARTITION BY customer_id) AS answered
            FROM cells WHERE channel IS NOT NULL GROUP BY customer_id, channel
        ), best AS (
            SELECT customer_id, arg_min(channel, (-rate, channel)) AS best_send_channel, arg_min(enough, (-rate, channel)) AS enough
            FROM channels WHERE answered >= {_ANSWERS} GROUP BY customer_id
        ), hours AS (
            SELECT customer_id, hour, {rate} AS rate, sum(sum(answered)) OVER (PARTITION BY customer_id) AS answered
            FROM cells LEFT JOIN best USING (customer_id)
            WHERE enough IS NOT true OR channel = best_send_channel GROUP BY customer_id, hour
        )
        SELECT customer_id, best_send_channel, best_send_hour FROM (
            SELECT customer_id, arg_min(hour, (-rate, hour)) AS best_send_hour FROM hours WHERE answered >= {_ANSWERS} GROUP BY customer_id
        ) LEFT JOIN best USING (customer_id)"""
