"""Which orders are purchases (有效订单), and under which reason every other one is left out: one rule for scores and report."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from hub.scorer import ValidOrders
from hub.warehouse.engine import literal

__all__ = ["ASIDE", "HAPPENED", "LEFT_OUT", "first_reason", "weighed"]

LEFT_OUT: Mapping[str, str] = {
    "void": "void",
    "open": "not paid yet",
    "training": "training tickets",
    "channel": "of channels that the rules leave out",
    "deposit": "top-ups and gift-card sales",
    "wholesale": "wholesale",
    "staff": "staff purchases",
    "adjustment": "adjustments",
    "points_only": "paid with points alone",
    "free": "free of charge",
    "refunded": "fully refunded",
    "walk_in": "of nobody known",
}
"""Reason to its words, in the order in which they are tried."""

HAPPENED = "status NOT IN ('void', 'open') AND NOT deleted"
"""Orders that happened; whether they count is another question."""

ASIDE: Mapping[str, str] = {
    "deposits_taken": "SELECT connection, source_id, sum(net_amount) AS amount FROM main.orders_lines WHERE kind = 'deposit' GROUP BY ALL",
    "points_paid": "SELECT connection, source_id, sum(amount) AS amount FROM main.orders_tenders WHERE method = 'points' GROUP BY ALL",
}
"""Views among the inputs, of few rows: money for no goods, and what points paid for."""


def weighed(rows: str, refunds: str = "scoring.inputs.refunds") -> str:
    """Return orders with what decides whether they count: ``goods_amount``, ``refunded``, ``wholly_refunded``, ``by_points``.

    Where refunds are records of their own, they say how much was refunded when; what the order itself says of it holds for
    today, and is used only where there are none.

    Args:
        rows: orders as SQL.
        refunds: relation with what is refunded of which order.
    """
    return f"""
        SELECT c.*, c.total_amount - c.freight_amount - coalesce(d.amount, 0) AS goods_amount,
               CASE WHEN r.source_id IS NULL THEN c.refunded_amount ELSE coalesce(r.amount, 0) END AS refunded,
               c.status = 'refunded' AND r.source_id IS NULL AS wholly_refunded,
               d.amount > 0 AS with_deposit,
               p.amount >= c.total_amount AND c.total_amount > 0 AS by_points
        FROM ({rows}) AS c LEFT JOIN {refunds} AS r USING (connection, source_id)
        LEFT JOIN scoring.inputs.deposits_taken AS d USING (connection, source_id)
        LEFT JOIN scoring.inputs.points_paid AS p USING (connection, source_id)"""


def first_reason(valid: ValidOrders, say: Callable[[str], str]) -> str:
    """Return a CASE over :func:`weighed` that tells the first reason why an order is no purchase.

    Args:
        valid: the rules.
        say: what to give for a reason, as SQL; ``purchase`` and ``refund`` (one without sale) are asked for, too.
    """
    channels = ", ".join(literal(channel) for channel in sorted(valid.channels_left_out)) or "NULL"
    sold = "kind <> 'exchange'"
    reasons = {
        "void": ("status = 'void'",),
        "open": ("status = 'open'",),
        "training": ("list_contains(coalesce(flags, []), 'training')",),
        "channel": (f"coalesce(channel IN ({channels}), false)",),
        "refund": ("kind = 'refund'",),
        "deposit": ("kind = 'deposit'", f"{sold} AND coalesce(with_deposit, false) AND goods_amount <= 0"),
        "wholesale": ("kind = 'wholesale'",),
        "staff": ("kind = 'staff'",),
        "adjustment": ("kind = 'adjustment'",),
        "points_only": (f"{sold} AND (coalesce(by_points, false) OR (goods_amount <= 0 AND points_used > 0))",),
        "free": (f"{sold} AND goods_amount = 0",),
        "refunded": ("wholly_refunded", f"{sold} AND goods_amount <= refunded AND (refunded > 0 OR goods_amount < 0)"),
    }
    branches = [
        f"WHEN {when} THEN {say(reason)}"
        for reason, conditions in reasons.items()
        if reason not in valid.counted
        for when in conditions
    ]
    return f"CASE {' '.join(branches)} ELSE {say('purchase')} END"
