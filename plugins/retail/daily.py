"""The customer × day table: one row per customer and business day with a purchase or an unlinked refund.

Everything counted over time is counted from this table, and no measure reads the orders a second time for it.
"""

from __future__ import annotations

__all__ = ["customer_days"]

_BILL = "customer_id, business_date, connection, coalesce(store_id, '') AS shop"


def customer_days(visit_minutes: int = 120) -> str:
    """Return the ``SELECT`` that makes ``customer_days`` from ``orders``.

    Columns: ``customer_id``, ``business_date``; ``orders`` (valid orders; 0 on a day that saw only a refund without an
    original), ``visits`` (orders at one shop, each within ``visit_minutes`` of the one before, are one visit),
    ``net_value`` (net of refunds, which are booked on their original order), ``discount_value`` (before refunds),
    ``coupon_orders`` (orders with a coupon).

    Args:
        visit_minutes: longest time between two orders of one visit.
    """
    bought = "FILTER (kind <> 'refund')"
    return f"""
        WITH bills AS (
            SELECT {_BILL}, count(*) {bought} AS orders, sum(net_amount) AS net_value,
                   coalesce(sum(discount_amount) {bought}, 0) AS discount_value,
                   count(*) FILTER (kind <> 'refund' AND len(coupons) > 0) AS coupon_orders,
                   min(ordered_at) {bought} AS first_at, max(ordered_at) {bought} AS last_at
            FROM orders GROUP BY ALL
        ), long_days AS (
            SELECT customer_id, business_date, connection, shop FROM bills
            WHERE last_at - first_at > INTERVAL '{visit_minutes} minutes'
        ), parted AS (
            SELECT o.customer_id, o.business_date, o.connection, o.shop, o.ordered_at - lag(o.ordered_at) OVER (
                       PARTITION BY o.customer_id, o.business_date, o.connection, o.shop ORDER BY o.ordered_at
                   ) > INTERVAL '{visit_minutes} minutes' AS apart
            FROM (SELECT {_BILL}, ordered_at FROM orders WHERE kind <> 'refund') AS o
            SEMI JOIN long_days USING (customer_id, business_date, connection, shop)
        ), more AS (
            SELECT customer_id, business_date, connection, shop, count(*) FILTER (apart) AS further FROM parted GROUP BY ALL
        )
        SELECT customer_id, business_date, sum(orders)::BIGINT AS orders,
               sum((orders > 0)::INTEGER + coalesce(further, 0))::BIGINT AS visits,
               sum(net_value)::DECIMAL(18,4) AS net_value, sum(discount_value)::DECIMAL(18,4) AS discount_value,
               sum(coupon_orders)::BIGINT AS coupon_orders
        FROM bills LEFT JOIN more USING (customer_id, business_date, connection, shop)
        GROUP BY customer_id, business_date"""
