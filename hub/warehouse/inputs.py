"""What scorers may read: customers and their facts, nothing of it at or after the shop's day of ``as_of``.

The views live in a database of their own in memory that is searched first while scoring, so that a scorer's ``orders`` is
the orders of resolved customers and never the raw table; a process that is killed meanwhile leaves nothing of it behind.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from contextlib import contextmanager
from zoneinfo import ZoneInfo

from hub.scorer import ValidOrders
from hub.warehouse.engine import Engine, literal, quoted
from hub.warehouse.valid_orders import HAPPENED, counts, present_aside, set_aside, weighed, with_goods_amount

__all__ = ["business_date_of", "compress", "only_touched", "scoring_inputs", "settle"]

_USUAL = ValidOrders()


def business_date_of(instant: dt.datetime, zone: ZoneInfo, cutoff: dt.time) -> dt.date:
    """Return the shop's day an instant belongs to: before the cut-off it is still the day before."""
    local = instant.astimezone(zone)
    shift = dt.timedelta(hours=cutoff.hour, minutes=cutoff.minute, seconds=cutoff.second)
    return (local.replace(tzinfo=None) - shift).date()


@contextmanager
def scoring_inputs(
    engine: Engine,
    as_of: dt.datetime,
    zone: ZoneInfo,
    cutoff: dt.time,
    valid: ValidOrders = _USUAL,
    *,
    everybody: bool = True,
) -> Iterator[dt.date]:
    """Make the input views for an ``as_of`` and yield its business date; ``walk_in_keys`` must exist.

    ``orders`` holds valid purchases (``kind`` sale or exchange, and what ``valid`` counts) with ``net_amount``: goods after all
    discounts, minus the refunds of those goods that are known before the day, delivery and deposits excluded. Sales of which
    nothing is left to pay for (fully refunded, or free of charge) are no purchases. A refund that names no original order is a row of its own with a
    negative ``net_amount`` and ``kind`` refund. ``purchases`` are the same orders in few narrow columns; ``purchase_lines`` and
    ``purchase_tenders`` are what belongs to them, likewise.

    Without ``everybody`` the relations hold nobody's facts until :func:`settle` or :func:`only_touched` says whose.
    """
    day = business_date_of(as_of, zone, cutoff)
    warehouse = quoted(str(engine.value("SELECT current_database()")))
    engine.execute("ATTACH ':memory:' AS scoring (COMPRESS)")
    try:
        engine.execute("CREATE SCHEMA scoring.inputs")
        engine.execute("CREATE TABLE scoring.inputs.walk_ins AS FROM temp.walk_in_keys")
        engine.execute("CREATE TABLE scoring.inputs.local_hours (quarter BIGINT, hour UTINYINT)")
        _let_in(engine, "main.customers WHERE false")
        set_aside(engine)
        aside = present_aside(engine)
        engine.execute(f"CREATE TABLE scoring.inputs.refunds AS {_refunds_sql(day, zone, cutoff, valid, aside)}")
        for name, sql in _views(day, zone, cutoff, valid, aside).items():
            engine.execute(f"CREATE VIEW scoring.inputs.{name} AS {sql}")
        engine.execute(f"SET search_path = {literal(f'scoring.inputs,{warehouse}.main')}")
        if everybody:
            _let_everybody_in(engine)
        yield day
    finally:
        engine.execute(f"SET search_path = {literal(f'{warehouse}.main')}")
        engine.execute("DETACH scoring")


def _let_in(engine: Engine, customers: str) -> None:
    """Say whose facts the relations hold; all of them are made of ``people`` (customers by number) and ``sources``."""
    engine.execute(
        f"""CREATE OR REPLACE TABLE scoring.inputs.people AS
            SELECT customer_id, (row_number() OVER (ORDER BY customer_id))::INTEGER AS customer FROM {customers}"""
    )
    engine.execute(
        """CREATE OR REPLACE TABLE scoring.inputs.sources AS
           SELECT l.connection, l.source_id, l.profile, p.customer, p.customer_id
           FROM main.links AS l JOIN scoring.inputs.people AS p USING (customer_id)"""
    )


def _let_everybody_in(engine: Engine) -> None:
    _let_in(engine, "main.customers")
    engine.execute("CREATE OR REPLACE TABLE scoring.inputs.local_hours AS FROM scoring.inputs.hours_of_orders")


def settle(engine: Engine) -> None:
    """Let everybody in, and look their orders up once, for all that reads them in the rest of the block."""
    _let_everybody_in(engine)
    _set_aside(engine, "purchases", "purchases_of_all")


def only_touched(engine: Engine) -> None:
    """Narrow the relations to the customers of the temporary table ``touched``, for the rest of the block.

    Their facts are looked up once and set aside, in few columns: they are few, every scorer reads them, and what a pass over all
    orders costs is the columns it takes along.
    """
    _let_in(engine, "temp.touched")
    engine.execute("CREATE OR REPLACE VIEW scoring.inputs.purchases AS FROM scoring.inputs.purchases_of_few")
    for name in ("purchases", "purchase_lines", "purchase_tenders", "events", "feedback"):
        _set_aside(engine, name, f"touched_{name}")
    engine.execute("CREATE OR REPLACE VIEW scoring.inputs.any_lines AS FROM scoring.inputs.purchase_lines")


def _set_aside(engine: Engine, name: str, table: str) -> None:
    engine.execute(f"CREATE TABLE scoring.inputs.{table} AS FROM scoring.inputs.{name}")
    engine.execute(f"CREATE OR REPLACE VIEW scoring.inputs.{name} AS FROM scoring.inputs.{table}")
    compress(engine, table)


_LINE = (
    "i.connection, i.product_id, i.barcode, i.name, i.category, i.kind, i.options, i.quantity, i.refunded_quantity, "
    "i.net_amount, i.cost_amount"
)
"""Columns of a line that most scorers read."""
_QUARTER_HOUR = 15 * 60 * 10**6
"""Microseconds."""
_LARGE = 20_000_000
"""Values from which compressing a table is worth the time."""


def compress(engine: Engine, table: str) -> None:
    """Compress a table of the block if it is a large one: in memory only a checkpoint does it, to a sixth."""
    query = (
        "SELECT estimated_size * column_count FROM duckdb_tables() WHERE database_name = 'scoring' AND table_name = ?"
    )
    if int(engine.value(query, [table]) or 0) >= _LARGE:
        engine.execute("CHECKPOINT scoring")


def _day_of(column: str, zone: ZoneInfo, cutoff: dt.time) -> str:
    shift = f"INTERVAL '{cutoff.hour * 3600 + cutoff.minute * 60 + cutoff.second} seconds'"
    return f"CAST(timezone({literal(zone.key)}, {column}) - {shift} AS DATE)"


def _refunds_sql(day: dt.date, zone: ZoneInfo, cutoff: dt.time, valid: ValidOrders, aside: frozenset[str]) -> str:
    """What was refunded of each order before the day.

    A table of its own: as part of a query over all orders DuckDB cannot tell that they are few, and hashes the orders instead.
    """
    when = f"coalesce(business_date, {_day_of('ordered_at', zone, cutoff)})"
    return f"""
        SELECT connection, original_id AS source_id,
               -sum(goods_amount) FILTER ({when} < DATE {literal(day.isoformat())}) AS amount
        FROM ({with_goods_amount(aside)}) WHERE {HAPPENED} AND kind = 'refund' AND original_id IS NOT NULL AND {_no_training(valid)}
        GROUP BY ALL"""


def _views(day: dt.date, zone: ZoneInfo, cutoff: dt.time, valid: ValidOrders, aside: frozenset[str]) -> dict[str, str]:
    before = f"< DATE {literal(day.isoformat())}"

    def day_of(column: str) -> str:
        return _day_of(column, zone, cutoff)

    def happened(table: str) -> str:
        return (
            f"SELECT * EXCLUDE (receipt, customer, owner) REPLACE (owner AS customer_id), {day_of('occurred_at')} AS business_date "
            f"FROM ({_owned(table)}) WHERE NOT deleted AND {day_of('occurred_at')} {before}"
        )

    def of_purchases(table: str, columns: str) -> str:
        return (
            f"SELECT {columns}, p.receipt, p.customer, p.business_date FROM main.{table} AS i "
            f"JOIN scoring.inputs.purchases AS p ON p.order_key = {_order_key('i')}"
        )

    def of_orders(table: str) -> str:
        return f"SELECT o.*, b.customer_id FROM ({of_purchases(table, 'i.*')}) AS o JOIN scoring.inputs.people AS b USING (customer)"

    found = _purchases_sql(day_of("ordered_at"), before, valid, aside)
    return {
        "customers": "FROM main.customers SEMI JOIN scoring.inputs.people USING (customer_id)",
        "profiles": "SELECT p.*, s.customer_id FROM main.profiles AS p JOIN scoring.inputs.sources AS s USING (connection, source_id) "
        "WHERE NOT p.deleted",
        "hours_of_orders": _local_hours(zone),
        "purchases_found": f"SELECT p.* REPLACE (h.hour AS hour) FROM ({found}) AS p "
        f"LEFT JOIN scoring.inputs.local_hours AS h ON h.quarter = {_quarter('p.ordered_at')}",
        "purchases_of_few": f"SELECT * REPLACE (CASE WHEN isfinite(ordered_at) THEN {_hour('ordered_at', zone)} END AS hour) FROM ({found})",
        "purchases": "FROM scoring.inputs.purchases_found",
        "orders": """SELECT o.* REPLACE (b.customer_id AS customer_id, p.business_date AS business_date), p.net_amount
            FROM main.orders AS o JOIN scoring.inputs.purchases AS p ON p.receipt = o.rowid
            JOIN scoring.inputs.people AS b USING (customer)""",
        "order_lines": of_orders("orders_lines"),
        "order_tenders": of_orders("orders_tenders"),
        "purchase_lines": of_purchases("orders_lines", _LINE),
        "purchase_tenders": of_purchases("orders_tenders", "i.method, i.amount"),
        "any_lines": f"SELECT {_LINE} FROM main.orders_lines AS i",
        "events": happened("events"),
        "feedback": happened("feedback"),
        "cards": "SELECT c.*, p.customer_id FROM main.profiles_cards AS c "
        "JOIN scoring.inputs.profiles AS p USING (connection, source_id)",
        "products": "FROM main.products WHERE NOT deleted",
        "stores": "FROM main.stores WHERE NOT deleted",
        "staff": "FROM main.staff WHERE NOT deleted",
    }


def _owned(table: str) -> str:
    """Rows of an activity table with the customer they are of, by the profile they name or the one their identifiers stand for."""
    return f"""
        SELECT r.*, r.rowid AS receipt, s.customer, s.customer_id AS owner FROM main.{table} AS r
        JOIN scoring.inputs.sources AS s ON s.connection = r.connection AND s.source_id = r.customer_id
        UNION ALL SELECT r.*, r.rowid, s.customer, s.customer_id
        FROM scoring.inputs.walk_ins AS w JOIN scoring.inputs.sources AS s USING (profile)
        JOIN main.{table} AS r ON r.connection = w.connection AND r.source_id = w.source_id WHERE w.record = '{table}'"""


def _order_key(row: str) -> str:
    """What names an order, as a number of 64 bits: a tenth of the two texts' size, and as quick to join."""
    return f"hash({row}.connection, {row}.source_id)"


def _quarter(instant: str) -> str:
    return f"epoch_us({instant}) // {_QUARTER_HOUR}"


def _hour(instant: str, zone: ZoneInfo) -> str:
    return f"hour(timezone({literal(zone.key)}, {instant}))::UTINYINT"


def _local_hours(zone: ZoneInfo) -> str:
    """The local hour of every quarter of an hour with an order: they are few, and a zone's rules take longer to ask than all else
    that is read of an order. Zones are off by whole quarters."""
    return f"""SELECT {_quarter("ordered_at")} AS quarter, {_hour("min(ordered_at)", zone)} AS hour
        FROM main.orders WHERE isfinite(ordered_at) GROUP BY quarter"""


def _no_training(valid: ValidOrders) -> str:
    return "true" if "training" in valid.counted else "NOT list_contains(coalesce(flags, []), 'training')"


def _purchases_sql(day: str, before: str, valid: ValidOrders, aside: frozenset[str]) -> str:
    """Valid orders of known customers, a row of few bytes each; the local hour is left open."""
    return f"""
        SELECT receipt, {_order_key("w")} AS order_key, customer, business_date, ordered_at,
               NULL::UTINYINT AS hour, kind = 'refund' AS refund, channel,
               hash(connection, coalesce(store_id, '')) AS shop,
               (goods_amount - refunded)::DECIMAL(18,4) AS net_amount, discount_amount,
               coalesce(len(coupons) > 0, false) AS with_coupon
        FROM (SELECT * REPLACE (coalesce(business_date, {day}) AS business_date) FROM ({weighed(_owned("orders"), aside)}) WHERE {HAPPENED}) AS w
        WHERE business_date {before} AND {counts(valid)}"""
