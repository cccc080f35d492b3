"""What scorers may read: customers and their facts, nothing of it at or after the shop's day of ``as_of``.

The views live in a database of their own in memory that is searched first while scoring, so that a scorer's ``orders`` is
the orders of resolved customers and never the raw table; a process that is killed meanwhile leaves nothing of it behind.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from contextlib import contextmanager
from zoneinfo import ZoneInfo

from hub.warehouse.engine import Engine, literal, quoted

__all__ = ["business_date_of", "only_touched", "scoring_inputs"]

_COUNTED = "status NOT IN ('void', 'open') AND NOT deleted AND NOT list_contains(coalesce(flags, []), 'training')"
"""Orders that happened; whether they are refunded is another question."""


def business_date_of(instant: dt.datetime, zone: ZoneInfo, cutoff: dt.time) -> dt.date:
    """Return the shop's day an instant belongs to: before the cut-off it is still the day before."""
    local = instant.astimezone(zone)
    shift = dt.timedelta(hours=cutoff.hour, minutes=cutoff.minute, seconds=cutoff.second)
    return (local.replace(tzinfo=None) - shift).date()


@contextmanager
def scoring_inputs(engine: Engine, as_of: dt.datetime, zone: ZoneInfo, cutoff: dt.time) -> Iterator[dt.date]:
    """Make the input views for an ``as_of`` and yield its business date; ``profile_keys`` must exist.

    ``orders`` holds valid purchases (``kind`` sale or exchange) with ``net_amount``: goods after all discounts, minus the
    refunds of those goods that are known before the day, delivery excluded. Sales of which nothing is left to pay for
    (fully refunded, or free of charge) are no purchases. A refund that names no original order is a row of its own with a
    negative ``net_amount`` and ``kind`` refund.
    """
    day = business_date_of(as_of, zone, cutoff)
    warehouse = quoted(str(engine.value("SELECT current_database()")))
    engine.execute("ATTACH ':memory:' AS scoring")
    try:
        engine.execute("CREATE SCHEMA scoring.inputs")
        for name, sql in _views(day, zone, cutoff).items():
            engine.execute(f"CREATE VIEW scoring.inputs.{name} AS {sql}")
        engine.execute(f"SET search_path = {literal(f'scoring.inputs,{warehouse}.main')}")
        yield day
    finally:
        engine.execute(f"SET search_path = {literal(f'{warehouse}.main')}")
        engine.execute("DETACH scoring")


def only_touched(engine: Engine) -> None:
    """Narrow the relations to the customers of the temporary table ``touched``, for the rest of the block.

    Their facts are looked up once and set aside: they are few, and every scorer reads them.
    """
    for name in ("customers", "profiles"):
        sql = f"SELECT * FROM ({_ROOTS[name]}) SEMI JOIN temp.touched USING (customer_id)"
        engine.execute(f"CREATE OR REPLACE VIEW scoring.inputs.{name} AS {sql}")
    engine.execute(
        "CREATE OR REPLACE TEMP TABLE touched_profiles AS SELECT DISTINCT connection, source_id, profile, customer_id "
        "FROM main.links SEMI JOIN temp.touched USING (customer_id)"
    )
    found = [
        f"""SELECT '{table}' AS record, r.connection, r.source_id, p.customer_id FROM main.{table} AS r
            JOIN temp.touched_profiles AS p ON p.connection = r.connection AND p.source_id = r.customer_id WHERE NOT r.deleted"""
        for table in ("orders", "events", "feedback")
    ]
    found.append(
        """SELECT k.record, k.connection, k.source_id, p.customer_id FROM temp.walk_in_keys AS k
           JOIN temp.touched_profiles AS p USING (profile)"""
    )
    for name, sql in {
        "people_behind": " UNION ALL ".join(found),
        **{
            name: f"FROM scoring.inputs.{name}"
            for name in ("orders", "order_lines", "order_tenders", "events", "feedback")
        },
    }.items():
        engine.execute(f"CREATE TABLE scoring.inputs.touched_{name} AS {sql}")
        engine.execute(f"CREATE OR REPLACE VIEW scoring.inputs.{name} AS FROM scoring.inputs.touched_{name}")


_ROOTS = {
    "customers": "FROM main.customers",
    "profiles": "SELECT p.*, l.customer_id FROM main.profiles AS p JOIN main.links AS l USING (connection, source_id) "
    "WHERE NOT p.deleted",
    "people_behind": "SELECT k.record, k.connection, k.source_id, l.customer_id "
    "FROM temp.profile_keys AS k JOIN main.links AS l USING (profile)",
}
"""The relations that customers come in by; all others are made of them."""


def _views(day: dt.date, zone: ZoneInfo, cutoff: dt.time) -> dict[str, str]:
    before = f"< DATE {literal(day.isoformat())}"
    shift = f"INTERVAL '{cutoff.hour * 3600 + cutoff.minute * 60 + cutoff.second} seconds'"

    def day_of(column: str) -> str:
        return f"CAST(timezone({literal(zone.key)}, {column}) - {shift} AS DATE)"

    def happened(table: str) -> str:
        return (
            f"SELECT o.* REPLACE (b.customer_id AS customer_id) FROM main.{table} AS o "
            f"JOIN scoring.inputs.people_behind AS b USING (connection, source_id) "
            f"WHERE b.record = '{table}' AND NOT o.deleted AND {day_of('o.occurred_at')} {before}"
        )

    of_orders = (
        "o.customer_id, o.business_date FROM main.{} AS i JOIN scoring.inputs.orders AS o USING (connection, source_id)"
    )
    return {
        **_ROOTS,
        "counted_orders": f"SELECT * REPLACE (coalesce(business_date, {day_of('ordered_at')}) AS business_date), "
        f"total_amount - freight_amount AS goods_amount FROM main.orders WHERE {_COUNTED}",
        "refunds": f"""
            SELECT connection, original_id AS source_id, -sum(goods_amount) FILTER (business_date {before}) AS amount
            FROM scoring.inputs.counted_orders WHERE kind = 'refund' AND original_id IS NOT NULL GROUP BY ALL""",
        "orders": _orders_sql(before),
        "order_lines": f"SELECT i.*, {of_orders.format('orders_lines')}",
        "order_tenders": f"SELECT i.*, {of_orders.format('orders_tenders')}",
        "events": happened("events"),
        "feedback": happened("feedback"),
        "cards": "SELECT c.*, p.customer_id FROM main.profiles_cards AS c "
        "JOIN scoring.inputs.profiles AS p USING (connection, source_id)",
        "products": "FROM main.products WHERE NOT deleted",
        "stores": "FROM main.stores WHERE NOT deleted",
        "staff": "FROM main.staff WHERE NOT deleted",
    }


def _orders_sql(before: str) -> str:
    """Valid orders of known customers.

    Where refunds are records of their own, they say how much was refunded when; what the order itself says of it holds for
    today, and is used only where there are none.
    """
    return f"""
        SELECT o.* EXCLUDE (goods_amount, refunded, wholly_refunded) REPLACE (b.customer_id AS customer_id),
               (o.goods_amount - o.refunded)::DECIMAL(18,4) AS net_amount
        FROM (SELECT c.*, CASE WHEN r.source_id IS NULL THEN c.refunded_amount ELSE coalesce(r.amount, 0) END AS refunded,
                     c.status = 'refunded' AND r.source_id IS NULL AS wholly_refunded
              FROM scoring.inputs.counted_orders AS c LEFT JOIN scoring.inputs.refunds AS r USING (connection, source_id)
              WHERE c.business_date {before}) AS o
        JOIN scoring.inputs.people_behind AS b USING (connection, source_id)
        WHERE b.record = 'orders' AND CASE o.kind
              WHEN 'sale' THEN NOT o.wholly_refunded AND o.goods_amount > o.refunded
              WHEN 'exchange' THEN NOT o.wholly_refunded
              WHEN 'refund' THEN o.original_id IS NULL
              ELSE false END"""
