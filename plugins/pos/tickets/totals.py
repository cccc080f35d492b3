"""Tickets with what their lines and payments come to, and the canonical tables of a page."""

from __future__ import annotations

from typing import Final

import pyarrow as pa

from hub.columns import child_tables, parent_table
from hub.records import Order
from plugins.pos.tickets.canonical import canonical_columns, completed, json_extra
from plugins.pos.tickets.parts import LINES, TENDERS, Relations
from plugins.pos.tickets.persons import identifiers_sql
from plugins.pos.tickets.rules import Clock, Words
from plugins.pos.tickets.typed import Columns, literal, typed_null
from plugins.pos.tickets.words import KINDS

__all__ = ["tables"]

_IDENTIFIERS: Final = next(table for table in child_tables(Order) if table.name == "orders_identifiers")

_CENT: Final = "0.01::DECIMAL(18,4)"
_SAME: Final = (
    "channel", "store_id", "register_id", "cashier_id", "guide_id", "belonging_store_id", "belonging_guide_id",
    "customer_id", "note", "ordered_at", "paid_at", "updated_at", "gross_amount", "service_amount", "freight_amount",
    "points_earned", "points_used",
)  # fmt: skip
_LINE_SUMS: Final = """
    SELECT tn, sum(net_amount) FILTER (kind <> 'rounding') AS net, sum(discount_amount) AS off,
        sum(net_amount) FILTER (kind = 'rounding') AS rounded, count(*) FILTER (kind <> 'rounding') AS lines,
        bool_and(kind = 'deposit') AS deposits, bool_or(quantity < 0) AS back,
        bool_or(quantity > 0 AND net_amount >= 0 AND kind <> 'adjustment') AS sold
    FROM worked GROUP BY tn"""
_TENDER_SUMS: Final = """
    SELECT tn, sum(amount) FILTER (method <> 'rounding') AS paid, sum(amount) FILTER (method = 'rounding') AS adjusted,
        count(*) AS payments
    FROM paid GROUP BY tn"""


def _sum_up_tickets(relations: Relations, tickets: Columns, words: Words, clock: Clock) -> None:
    """Make ``summed``: canonical orders with kind, status, total and findings, beside ``tn``."""
    absent = {name: typed_null(kind) for name, kind in tickets.fields.items() if not tickets.has(name)}
    # Where a till has no such words, the planner shall know it.
    worded = {"word": tickets.has("kind"), "state": tickets.has("status")}
    absent |= {name: "NULL::VARCHAR" for name, there in worded.items() if not there}
    unsaid = [name for name, there in worded.items() if not there]
    stored = f"* EXCLUDE ({', '.join(unsaid)})" if unsaid else "*"
    filled = "".join(f", {sql} AS {name}" for name, sql in absent.items())
    late = f"ordered_at > TIMESTAMPTZ {literal(clock.now.isoformat())} + INTERVAL '10 minutes'"
    listed = ", ".join(map(literal, KINDS))
    cutoff = f"INTERVAL '{clock.day_cutoff.hour * 60 + clock.day_cutoff.minute} minutes'"
    query = f"""
        WITH joined AS (
            SELECT t.* EXCLUDE (rounding_amount, total_amount), l.net, l.off, coalesce(l.lines, 0) AS lines, l.deposits,
                coalesce(l.back, false) AS back, coalesce(l.sold, false) AS sold, p.paid, coalesce(p.payments, 0) AS payments,
                t.total_amount AS given_total,
                CASE WHEN t.rounding_amount IS NOT NULL THEN t.rounding_amount
                    WHEN l.rounded IS NOT NULL THEN l.rounded
                    WHEN p.adjusted IS NULL AND p.paid IS NOT NULL AND t.total_amount IS NULL
                        AND abs(p.paid - l.net) < {words.rounding_below} THEN p.paid - l.net
                    WHEN p.adjusted IS NULL THEN 0
                    WHEN abs(l.net + p.adjusted - p.paid) <= abs(l.net - p.adjusted - p.paid) THEN p.adjusted
                    ELSE -p.adjusted END AS rounding,
                t.rn IN (SELECT tn FROM worked_aside) AS line_bad, t.rn IN (SELECT tn FROM paid_aside) AS tender_bad
            FROM (SELECT {stored}{filled} FROM tickets) t
            LEFT JOIN ({_LINE_SUMS}) l ON l.tn = t.rn LEFT JOIN ({_TENDER_SUMS}) p ON p.tn = t.rn
            WHERE coalesce(t.word, '') <> 'skip' AND coalesce(t.state, '') <> 'skip'),
        named AS (
            SELECT *, CASE WHEN word IN ({listed}) THEN word WHEN coalesce(deposits, false) THEN 'deposit'
                    WHEN back AND sold THEN 'exchange' WHEN back OR (lines = 0 AND coalesce(given_total, paid, 0) < 0) THEN 'refund'
                    ELSE 'sale' END AS sort,
                CASE WHEN coalesce(void, false) OR coalesce(training, false) OR coalesce(word, '') IN ('void', 'training')
                    OR coalesce(state, '') IN ('void', 'training') THEN 'void'
                    WHEN coalesce(state, '') = 'open' OR coalesce(word, '') = 'open' THEN 'open' ELSE 'paid' END AS stands,
                coalesce(training, false) OR coalesce(word, '') = 'training' OR coalesce(state, '') = 'training' AS practised
            FROM joined),
        totalled AS (
            SELECT *, coalesce(net, 0) + rounding + coalesce(service_amount, 0) + coalesce(freight_amount, 0)
                    + CASE WHEN coalesce(tax_exclusive, false) THEN coalesce(tax_amount, 0) ELSE 0 END AS owed,
                coalesce(CASE WHEN sort = 'refund' THEN -abs(given_total) ELSE given_total END,
                    CASE WHEN lines = 0 THEN paid ELSE owed END, 0) AS total
            FROM named),
        weighed AS (
            SELECT *, CASE WHEN lines > 0 AND abs(total - owed) > {_CENT} * greatest(lines, 1) THEN total - owed
                    WHEN payments > 0 AND stands <> 'void' AND abs(total - coalesce(paid, 0)) > {_CENT} * greatest(lines, 1)
                    THEN total - coalesce(paid, 0) END AS difference
            FROM totalled),
        found AS (
            SELECT * EXCLUDE (kind, status), rn AS tn, sort AS kind, stands AS status,
            CASE WHEN practised OR difference IS NOT NULL OR finding IS NOT NULL OR line_bad OR tender_bad OR {late} THEN
                list_filter([CASE WHEN practised THEN 'training' END, CASE WHEN difference IS NOT NULL THEN 'balance_off' END, finding,
                CASE WHEN line_bad THEN 'line_rejected' END, CASE WHEN tender_bad THEN 'tenders_unknown' END,
                CASE WHEN {late} THEN 'clock_suspect' END], x -> x IS NOT NULL) ELSE [] END AS flags,
            coalesce(business_date, CAST(timezone({literal(clock.zone.key)}, ordered_at) - {cutoff} AS DATE)) AS day
            FROM weighed)
        SELECT {canonical_columns(parent_table(Order), _order_columns(tickets, clock))}, tn FROM found"""
    relations.make("summed", query)


def tables(relations: Relations, tickets: Columns, words: Words, clock: Clock) -> dict[str, pa.Table]:
    """Return the canonical tables.

    Args:
        relations: ``tickets``, ``worked`` and ``paid``.
        tickets: what was known of them.
        words: what the till's words mean.
        clock: zone, currency and scope.
    """
    _sum_up_tickets(relations, tickets, words, clock)
    relations.keep("worked", "kind <> 'rounding'")
    relations.keep("paid", "method <> 'rounding'")
    known = "tickets"
    if len(relations["summed"]) < len(relations[known]):
        relations.keep("worked", "tn IN (SELECT tn FROM summed)")
        relations.keep("paid", "tn IN (SELECT tn FROM summed)")
        known = "(SELECT * FROM tickets WHERE rn IN (SELECT tn FROM summed))"
    persons = relations.connection.execute(identifiers_sql(known, clock.scope, tickets.present)).to_arrow_table()
    return {
        "orders": completed(parent_table(Order), relations["summed"]),
        "orders_lines": completed(LINES, relations["worked"]),
        "orders_tenders": completed(TENDERS, relations["paid"]),
        "orders_identifiers": persons.cast(_IDENTIFIERS.schema),
    }


def _order_columns(tickets: Columns, clock: Clock) -> dict[str, str]:
    off = json_extra({"balance_difference": "CAST(difference AS VARCHAR)"}, onto="extra")
    currency = literal(clock.currency)
    found = {
        **{name: name for name in _SAME if tickets.has(name)},
        "source_id": "source_id", "number": "coalesce(number, source_id)" if tickets.has("number") else "source_id",
        "kind": "kind", "status": "status", "business_date": "day", "time_text": "given_time",
        "currency": f"coalesce(currency, {currency})" if tickets.has("currency") else currency, "discount_amount": "off",
        "rounding_amount": "rounding", "total_amount": "total", "flags": "flags",
        "extra": f"CASE WHEN difference IS NULL THEN extra ELSE {off} END",
    }  # fmt: skip
    if tickets.has("original_id"):
        found["original_id"] = "CASE WHEN original_id IS NOT NULL THEN coalesce(siblings || '/', '') || original_id END"
    if tickets.has("tax_amount"):
        found["tax_amount"] = "tax_amount"
    found["tax_inclusive"] = "NOT coalesce(tax_exclusive, false)" if tickets.has("tax_exclusive") else "true"
    if tickets.has("coupon_no"):
        found["coupons"] = "CASE WHEN coupon_no IS NULL THEN [] ELSE [coupon_no] END"
    return found
