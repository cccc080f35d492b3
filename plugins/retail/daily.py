"""The customer × day table: one row per customer and business day with a purchase or an unlinked refund.

Everything counted over time is counted from this table, and no measure reads the orders a second time for it.
"""

from __future__ import annotations

__all__ = ["busy_days", "customer_days"]


def customer_days() -> str:
    """Return the ``SELECT`` that makes ``customer_days`` from ``purchases``.

    Columns: ``customer`` (a number, see ``people``), ``business_date``; ``orders`` (valid orders; 0 on a day that saw only a
    refund without an original), ``net_value`` (net of refunds, which are booked on their original order),
    ``discount_value`` (before refunds), ``coupon_orders`` (orders with a coupon), ``online_orders`` (through any channel
    but the shop), ``evening_orders`` (from 17:00 on, at the shop's local time).
    """
    bought = "FILTER (NOT refund)"
    return f"""
        SELECT customer, business_date, count(*) {bought} AS orders, sum(net_amount)::DECIMAL(18,4) AS net_value,
               coalesce(sum(discount_amount) {bought}, 0)::DECIMAL(18,4) AS discount_value,
               count(*) FILTER (NOT refund AND with_coupon) AS coupon_orders,
               count(*) FILTER (NOT refund AND channel <> 'store') AS online_orders,
               count(*) FILTER (NOT refund AND hour >= 17) AS evening_orders
        FROM purchases GROUP BY customer, business_date"""


def busy_days(visit_minutes: int = 120) -> str:
    """Return ``customer``, ``business_date`` and ``visits`` of the days with more than one visit.

    Orders at one shop, each within ``visit_minutes`` of the one before, are one visit. All other purchase days have one.
    """
    longest = f"INTERVAL '{visit_minutes} minutes'"
    return f"""
        SELECT customer, business_date, count(*) FILTER (nth = 1 OR pause > {longest}) AS visits FROM (
            SELECT customer, business_date, row_number() OVER w AS nth, ordered_at - lag(ordered_at) OVER w AS pause
            FROM purchases SEMI JOIN (FROM customer_days WHERE orders > 1)
            USING (customer, business_date) WHERE NOT refund
            WINDOW w AS (PARTITION BY customer, business_date, shop ORDER BY ordered_at)
        ) GROUP BY ALL HAVING visits > 1"""
