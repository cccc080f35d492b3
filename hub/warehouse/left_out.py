"""Which orders no score counts, and why: every one that is left out is counted under its first reason."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from zoneinfo import ZoneInfo

from hub.warehouse.engine import Engine, literal

__all__ = ["LEFT_OUT", "orders_left_out"]

LEFT_OUT: Mapping[str, str] = {
    "void": "void",
    "open": "not paid yet",
    "training": "training tickets",
    "deposit": "top-ups and gift-card sales",
    "wholesale": "wholesale",
    "staff": "staff purchases",
    "adjustment": "adjustments",
    "free": "free of charge",
    "refunded": "fully refunded",
    "walk_in": "of nobody known",
}
"""Reason to its words, in the order in which they are tried."""


def orders_left_out(engine: Engine, day: dt.date, zone: ZoneInfo, cutoff: dt.time) -> dict[str, int]:
    """Return how many orders before a day are no purchase of a customer, by reason; reasons that no order has are left out.

    Refunds are no reason and not among them: they lower the order they belong to, or are a row of their own.

    Args:
        engine: the warehouse, within :func:`hub.warehouse.inputs.scoring_inputs` and with everybody's orders.
        day: business date of as_of.
        zone, cutoff: what makes an order's business date where its source gives none.
    """
    seconds = cutoff.hour * 3600 + cutoff.minute * 60 + cutoff.second
    local = f"CAST(timezone({literal(zone.key)}, ordered_at) - INTERVAL '{seconds} seconds' AS DATE)"
    rows = engine.rows(f"""
        SELECT reason, count(*) FROM (
            SELECT CASE WHEN status IN ('void', 'open') THEN status
                WHEN list_contains(coalesce(flags, []), 'training') THEN 'training'
                WHEN kind NOT IN ('sale', 'exchange') THEN kind
                WHEN kind = 'sale' AND total_amount - freight_amount <= 0 THEN 'free'
                WHEN status = 'refunded' AND r.source_id IS NULL THEN 'refunded'
                WHEN kind = 'sale' AND total_amount - freight_amount <=
                     CASE WHEN r.source_id IS NULL THEN refunded_amount ELSE coalesce(r.amount, 0) END THEN 'refunded'
                ELSE 'purchase' END AS reason
            FROM main.orders AS o LEFT JOIN scoring.inputs.refunds AS r USING (connection, source_id)
            WHERE NOT deleted AND coalesce(business_date, {local}) < DATE {literal(day.isoformat())}
        ) WHERE reason <> 'refund' GROUP BY reason""")
    found = {str(reason): int(count) for reason, count in rows}
    scored = int(engine.value("SELECT count(*) FROM scoring.inputs.purchases WHERE NOT refund"))
    found["walk_in"] = found.pop("purchase", 0) - scored
    return {name: found[name] for name in LEFT_OUT if found.get(name)}
