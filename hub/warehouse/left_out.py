"""Which orders no score counts, and why: every one that is left out is counted under its first reason."""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

from hub.scorer import ValidOrders
from hub.warehouse.engine import Engine, literal
from hub.warehouse.valid_orders import LEFT_OUT, first_reason, present_aside, weighed

__all__ = ["LEFT_OUT", "orders_left_out"]

_USUAL = ValidOrders()


def orders_left_out(
    engine: Engine, day: dt.date, zone: ZoneInfo, cutoff: dt.time, valid: ValidOrders = _USUAL
) -> dict[str, int]:
    """Return how many orders before a day are no purchase of a customer, by reason; reasons that no order has are left out.

    Refunds are no reason and not among them: they lower the order they belong to, or are a row of their own.

    Args:
        engine: the warehouse, within :func:`hub.warehouse.inputs.scoring_inputs` and with everybody's orders.
        day: business date of as_of.
        zone, cutoff: what makes an order's business date where its source gives none.
        valid: the rules of valid orders.
    """
    seconds = cutoff.hour * 3600 + cutoff.minute * 60 + cutoff.second
    local = f"CAST(timezone({literal(zone.key)}, ordered_at) - INTERVAL '{seconds} seconds' AS DATE)"
    before = f"NOT deleted AND coalesce(business_date, {local}) < DATE {literal(day.isoformat())}"
    rows = engine.rows(
        f"""SELECT {first_reason(valid)} AS reason, count(*)
            FROM ({weighed(f"FROM main.orders WHERE {before}", present_aside(engine))}) GROUP BY reason"""
    )
    found = {str(reason): int(count) for reason, count in rows}
    scored = int(engine.value("SELECT count(*) FROM scoring.inputs.purchases WHERE NOT refund"))
    found["walk_in"] = found.pop("purchase", 0) - scored
    return {name: found[name] for name in LEFT_OUT if found.get(name)}
