"""Level, stored value, coupons and points of a customer, as SQL."""

from __future__ import annotations

from plugins.retail.rules import LevelRules

__all__ = ["benefits", "levels", "stored_value"]


def levels(rules: LevelRules, today: str, near: float) -> str:
    """Return the level, the gap to the next one, and the day it is lost without another purchase.

    A level is earned by net value within ``period_days``; a day's purchases leave that period ``period_days`` later.
    """
    last = """SELECT customer_id, arg_max(level, (coalesce(updated_at, TIMESTAMPTZ '-infinity'), connection, source_id)) AS member_level
        FROM profiles WHERE level IS NOT NULL GROUP BY customer_id"""
    if not rules.ladder:
        return f"""SELECT *, NULL::DECIMAL(18,4) AS level_gap, NULL::BOOLEAN AS level_near, NULL::DATE AS downgrade_risk_date
            FROM ({last})"""
    rows = ", ".join(f"({n}, {rule.from_value!r}::DECIMAL(18,4))" for n, rule in enumerate(rules.ladder))
    return f"""
        WITH ladder(rank, at_least) AS (VALUES {rows}),
        kept AS (
            SELECT customer_id, business_date, sum(net_value) OVER (PARTITION BY customer_id ORDER BY business_date DESC) AS from_here,
                   sum(net_value) OVER (PARTITION BY customer_id) AS total
            FROM customer_days JOIN people USING (customer) WHERE business_date >= {today} - {rules.period_days}
        ), held AS (
            SELECT c.customer_id, coalesce(any_value(k.total), 0) AS total FROM customers AS c LEFT JOIN kept AS k USING (customer_id)
            GROUP BY c.customer_id
        ), placed AS (
            SELECT h.customer_id, h.total, max(l.at_least) FILTER (l.at_least <= h.total) AS floor,
                   min(l.at_least) FILTER (l.at_least > h.total) AS next, min(l.at_least) AS lowest
            FROM held AS h, ladder AS l GROUP BY ALL
        ), lost AS (
            -- The level falls when the last day goes that the days after it cannot make up for.
            SELECT customer_id, max(k.business_date) + {rules.period_days + 1} AS day FROM kept AS k JOIN placed AS p USING (customer_id)
            WHERE p.floor > p.lowest AND k.from_here >= p.floor GROUP BY customer_id
        )
        SELECT p.customer_id, m.member_level, (p.next - p.total)::DECIMAL(18,4) AS level_gap,
               coalesce(p.next - p.total <= {near!r} * p.next, false) AS level_near, lost.day AS downgrade_risk_date
        FROM placed AS p LEFT JOIN ({last}) AS m USING (customer_id) LEFT JOIN lost USING (customer_id)"""


def stored_value(today: str) -> str:
    """Return the largest balance of one scheme and the day it is used up at the pace of the last 90 days."""
    return f"""
        WITH balances AS (
            SELECT customer_id, max(balance) AS sv_balance FROM (
                SELECT customer_id, balance FROM profiles UNION ALL SELECT customer_id, balance FROM cards
            ) WHERE balance IS NOT NULL GROUP BY customer_id
        ), spent AS (
            SELECT customer_id, sum(amount) AS amount FROM purchase_tenders JOIN people USING (customer)
            WHERE method = 'stored_value' AND business_date >= {today} - 90 GROUP BY customer_id HAVING sum(amount) > 0
        )
        SELECT customer_id, sv_balance, CASE WHEN sv_balance > 0 AND amount > 0
               THEN {today} + CAST(least(floor(sv_balance * 90 / amount), 36500) AS INTEGER) END AS sv_empty_date
        FROM balances LEFT JOIN spent USING (customer_id)"""


def benefits(today: str) -> str:
    """Return how many coupons with ended validity were used, and what became of the points."""
    year = f"business_date >= {today} - 365"
    points = f"type = 'points.changed' AND {year}"
    return f"""SELECT customer_id,
               round(count(*) FILTER (type = 'coupon.used')
                   / nullif(count(*) FILTER (type IN ('coupon.used', 'coupon.expired')), 0), 6) AS coupon_redemption,
               round(least(-coalesce(sum(amount) FILTER ({points} AND amount < 0), 0)::DOUBLE
                   / nullif(sum(amount) FILTER ({points} AND amount > 0), 0)::DOUBLE, 1), 6) AS benefit_use_rate,
               mode(subject_id ORDER BY subject_id) FILTER (type = 'points.changed' AND amount < 0) AS pref_reward
        FROM events WHERE type IN ('coupon.used', 'coupon.expired', 'points.changed') GROUP BY customer_id"""
