"""Which orders are purchases (有效订单), and under which reason every other one is left out: one rule for scores and report."""

from __future__ import annotations

from collections.abc import Mapping

from hub.scorer import ValidOrders
from hub.warehouse.engine import Engine, literal

__all__ = [
    "HAPPENED",
    "LEFT_OUT",
    "counts",
    "first_reason",
    "present_aside",
    "set_aside",
    "weighed",
    "with_goods_amount",
]

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

_ASIDE = {
    "deposits_taken": "SELECT connection, source_id, sum(net_amount)::DECIMAL(18,4) AS amount FROM main.orders_lines "
    "WHERE kind = 'deposit' GROUP BY ALL",
    "points_paid": "SELECT connection, source_id, sum(amount)::DECIMAL(18,4) AS amount FROM main.orders_tenders "
    "WHERE method = 'points' GROUP BY ALL",
}
"""Relations among the inputs, of few rows: money for no goods, and what points paid for."""


def set_aside(engine: Engine) -> None:
    """Look up once what few orders have: deposits among their lines, points among their tenders."""
    for name, sql in _ASIDE.items():
        engine.execute(f"CREATE TABLE scoring.inputs.{name} AS {sql}")


def present_aside(engine: Engine) -> frozenset[str]:
    """Return which of the relations hold anything: the others are not worth joining to every order."""
    return frozenset(name for name in _ASIDE if engine.value(f"SELECT count(*) FROM scoring.inputs.{name}"))


def weighed(rows: str, aside: frozenset[str]) -> str:
    """Return orders with what decides whether they count: ``goods_amount``, ``refunded``, ``wholly_refunded``, ``by_points``.

    Where refunds are records of their own, they say how much was refunded when; what the order itself says of it holds for
    today, and is used only where there are none.

    Args:
        rows: orders as SQL.
        aside: see :func:`present_aside`.
    """
    deposits, points = "deposits_taken" in aside, "points_paid" in aside
    return f"""
        SELECT c.*, c.total_amount - c.freight_amount{" - coalesce(d.amount, 0)" if deposits else ""} AS goods_amount,
               CASE WHEN r.source_id IS NULL THEN c.refunded_amount ELSE coalesce(r.amount, 0) END AS refunded,
               c.status = 'refunded' AND r.source_id IS NULL AS wholly_refunded,
               {"coalesce(d.amount > 0, false)" if deposits else "false"} AS with_deposit,
               {"coalesce(p.amount >= c.total_amount AND c.total_amount > 0, false)" if points else "false"} AS by_points
        FROM ({rows}) AS c LEFT JOIN scoring.inputs.refunds AS r USING (connection, source_id)
        {"LEFT JOIN scoring.inputs.deposits_taken AS d USING (connection, source_id)" if deposits else ""}
        {"LEFT JOIN scoring.inputs.points_paid AS p USING (connection, source_id)" if points else ""}"""


def with_goods_amount(aside: frozenset[str]) -> str:
    """Return all orders with ``goods_amount``: without delivery and deposits."""
    if "deposits_taken" not in aside:
        return "SELECT *, total_amount - freight_amount AS goods_amount FROM main.orders"
    return """SELECT o.*, o.total_amount - o.freight_amount - coalesce(d.amount, 0) AS goods_amount
        FROM main.orders AS o LEFT JOIN scoring.inputs.deposits_taken AS d USING (connection, source_id)"""


def _reasons(valid: ValidOrders) -> dict[str, tuple[str, ...]]:
    """Reason to its conditions over :func:`weighed`, in the order in which they are tried."""
    channels = ", ".join(literal(channel) for channel in sorted(valid.channels_left_out))
    sold = "kind NOT IN ('exchange', 'refund')"
    reasons = {
        "void": ("status = 'void'",),
        "open": ("status = 'open'",),
        "training": ("list_contains(coalesce(flags, []), 'training')",),
        "channel": (f"coalesce(channel IN ({channels}), false)",) if channels else (),
        "deposit": ("kind = 'deposit'", f"{sold} AND with_deposit AND goods_amount <= 0"),
        "wholesale": ("kind = 'wholesale'",),
        "staff": ("kind = 'staff'",),
        "adjustment": ("kind = 'adjustment'",),
        "points_only": (f"{sold} AND by_points", f"{sold} AND goods_amount <= 0 AND coalesce(points_used > 0, false)"),
        "free": (f"{sold} AND goods_amount = 0",),
        "refunded": (
            "kind <> 'refund' AND wholly_refunded",
            f"{sold} AND goods_amount <= refunded AND (refunded > 0 OR goods_amount < 0)",
        ),
    }
    return {reason: conditions for reason, conditions in reasons.items() if reason not in valid.counted}


def first_reason(valid: ValidOrders) -> str:
    """Return a CASE over :func:`weighed`: the first reason why an order is no purchase, else ``refund`` or ``purchase``."""
    branches = [f"WHEN {when} THEN {literal(reason)}" for reason, found in _reasons(valid).items() for when in found]
    return f"CASE {' '.join(branches)} WHEN kind = 'refund' THEN 'refund' ELSE 'purchase' END"


def counts(valid: ValidOrders) -> str:
    """Return the condition over :func:`weighed` that no reason speaks against an order; of refunds, those without a sale."""
    against = [f"NOT ({when})" for found in _reasons(valid).values() for when in found]
    return " AND ".join([*against, "(kind <> 'refund' OR original_id IS NULL)"])
