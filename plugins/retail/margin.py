"""Gross margin of what a customer bought, where the rules let value be that: the cost of lines, in a pass of its own."""

from __future__ import annotations

from plugins.retail.rules import RfmRules

__all__ = ["margin_window"]

_SOLD = ("item", "set", "modifier", "gift", "service")
"""Kinds of lines that cost something; the parts of a set are in the set's own cost, deposits are no goods."""


def margin_window(rules: RfmRules, today: str) -> str:
    """Return ``customer`` and ``margin_window``: what is left of the net value of the RFM window after the cost of goods.

    Each order keeps the share of its net value that its lines had before refunds. A line costs its ``cost_amount``, else its
    product's ``cost_price``, else what the rules' usual ``margin`` leaves. An order without lines of a value has that margin, too.

    Args:
        rules: the RFM rules.
        today: the business date up to which orders count, as SQL.
    """
    unknown = f"(1 - {rules.margin!r})"
    cost = f"coalesce(l.cost_amount, p.cost_price * l.quantity, l.net_amount::DOUBLE * {unknown})::DECIMAL(18,4)"
    lately = f"business_date >= {today} - {rules.window_days} AND business_date < {today}"
    left = f"(net_amount::DOUBLE * (1 - coalesce(cost::DOUBLE / nullif(worth, 0)::DOUBLE, {unknown})))::DECIMAL(18,4)"
    return f"""
        SELECT customer, sum({left})::DECIMAL(18,4) AS margin_window FROM purchases LEFT JOIN (
            SELECT l.receipt, sum({cost}) AS cost, sum(l.net_amount) AS worth
            FROM purchase_lines AS l LEFT JOIN products AS p ON p.connection = l.connection AND p.source_id = l.product_id
            WHERE l.kind IN {_SOLD} AND {lately} GROUP BY l.receipt HAVING worth > 0
        ) USING (receipt) WHERE {lately} GROUP BY customer"""
