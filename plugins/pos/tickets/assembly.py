"""Tickets from their columns: signs, kinds, discounts, totals, balance; everything for a whole page at once.

The rules are those of a shop's books. A row is a return if its word says so, or its quantity is negative; its amounts are then
negative, however they were written. A line comes to its own amount, else to its worth (quantity times price, to the fen) less
its discount. What was given on the ticket as a whole is spread over the lines by what they come to: largest remainder, the
larger line first. A ticket comes to its own total, else to Σ lines + rounding + service + freight (+ tax where it is on top).
What does not add up is kept and flagged ``balance_off``; a fen per line is allowed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

import duckdb
import pyarrow as pa

from hub.columns import child_tables, parent_table
from hub.records import Order
from hub.source import Reject
from plugins.pos.tickets.canonical import json_extra, select_canonical
from plugins.pos.tickets.fields import LINE, TENDER, TICKET
from plugins.pos.tickets.persons import identifiers_sql
from plugins.pos.tickets.rules import Clock, Words
from plugins.pos.tickets.typed import identifier, key_sql, literal, rejects, stage, text_sql

__all__ = ["Assembled", "Rows", "assemble", "workbench"]

_KINDS: Final = ("refund", "exchange", "deposit", "adjustment", "wholesale", "staff")
_LINE_KINDS: Final = ("item", "set", "component", "modifier", "gift", "service", "deposit", "adjustment")
_CENT: Final = "0.01::DECIMAL(18,4)"


@dataclass(frozen=True)
class Rows:
    """One page of tickets as they came: a table per part, each with the key columns.

    Attributes:
        tickets, lines, tenders: columns named as in :mod:`plugins.pos.tickets.fields`; several rows of one ticket in
            ``tickets`` are one ticket (the first value that is filled counts).
        key: the columns that tell tickets apart; ``original_id`` is in terms of the last one.
        location: for rejects.
        drop: columns of ``tickets`` that are kept nowhere, such as the cursor.
    """

    tickets: pa.Table
    lines: pa.Table | None
    tenders: pa.Table | None
    key: Sequence[str]
    location: str = ""
    drop: Sequence[str] = ()


@dataclass
class Assembled:
    """Canonical tables of a page and what could not be used."""

    tables: dict[str, pa.Table]
    rejects: list[Reject] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


@contextmanager
def workbench(memory: str = "512MB", threads: int = 2, spill: str = "") -> Iterator[duckdb.DuckDBPyConnection]:
    """Open a private DuckDB with bounded memory."""
    options: dict[str, str | bool | int | float | list[str]] = {
        "memory_limit": memory,
        "threads": threads,
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
        "temp_directory": spill,
    }
    connection = duckdb.connect(":memory:", config=options)
    try:
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute("SET enable_progress_bar = false")
        yield connection
    finally:
        connection.close()


def assemble(connection: duckdb.DuckDBPyConnection, rows: Rows, words: Words, clock: Clock) -> Assembled:
    """Turn one page of rows into canonical orders, lines, payments and identifiers."""
    zone = clock.source_zone
    _stage_tickets(connection, rows, zone)
    found = rejects(connection, "tickets", TICKET, f"{rows.location}tickets")
    _stage_part(connection, "lines", rows, zone)
    _stage_part(connection, "tenders", rows, zone)
    found += rejects(connection, "lines", LINE, f"{rows.location}lines")
    found += rejects(connection, "tenders", TENDER, f"{rows.location}tenders")
    _one_per_ticket(connection)
    notes = _unknown_words(connection, words)
    _work_out_lines(connection, words, clock)
    found += _worthless(connection, rows.location)
    _work_out_tenders(connection, words)
    _spread(connection, clock)
    _sum_up(connection)
    return Assembled(_tables(connection, words, clock), found, notes)


def _stage_tickets(connection: duckdb.DuckDBPyConnection, rows: Rows, zone: str) -> None:
    unknown = [
        name
        for name in rows.tickets.column_names
        if name not in TICKET and name not in rows.key and name not in rows.drop
    ]
    keep = {
        "extra": json_extra({name: text_sql(identifier(name)) for name in unknown}),
        "given_time": text_sql(identifier("ordered_at")),
        "siblings": key_sql(rows.key[:-1]) if len(rows.key) > 1 else "NULL",
    }
    stage(connection, "tickets", rows.tickets, TICKET, key=rows.key, zone=zone, keep=keep)
    late = "bad = 'ordered_at' WHERE bad IS NULL AND ordered_at IS NULL"
    connection.execute(f"UPDATE tickets SET {late}")


def _stage_part(connection: duckdb.DuckDBPyConnection, name: str, rows: Rows, zone: str) -> None:
    fields = LINE if name == "lines" else TENDER
    table: pa.Table | None = rows.lines if name == "lines" else rows.tenders
    if table is None:
        table = pa.table({column: pa.array([], pa.string()) for column in rows.key})
    keep = {"price": _exact("unit_price", table), "tax": _exact("tax_rate", table)} if name == "lines" else None
    stage(connection, name, table, fields, key=rows.key, zone=zone, keep=keep)


def _exact(column: str, table: pa.Table) -> str:
    """The value with all its digits: a price without tax is 21.6814159…, and rounding it loses fen on large quantities."""
    return f"try_cast({text_sql(identifier(column))} AS DOUBLE)" if column in table.column_names else "NULL::DOUBLE"


def _one_per_ticket(connection: duckdb.DuckDBPyConnection) -> None:
    """Several rows of one ticket are one ticket: of each column the first value that is filled."""
    connection.execute("DELETE FROM tickets WHERE bad IS NOT NULL")
    counted = connection.execute("SELECT count(*), count(DISTINCT source_id) FROM tickets").fetchone()
    if counted is None or counted[0] == counted[1]:
        return
    names = [row[0] for row in connection.execute("SELECT column_name FROM (DESCRIBE tickets)").fetchall()]
    firsts = [
        f"arg_min({identifier(name)}, rn) AS {identifier(name)}" for name in names if name not in {"source_id", "rn"}
    ]
    query = f"SELECT source_id, min(rn) AS rn, {', '.join(firsts)} FROM tickets GROUP BY source_id"
    connection.execute(f"CREATE OR REPLACE TEMP TABLE tickets AS {query}")


def _word(column: str, words: Mapping[str, str], known: Sequence[str]) -> str:
    """The SQL of what a word means; NULL if it means nothing."""
    meanings = {word.lower(): word for word in known} | {word.lower(): meaning for word, meaning in words.items()}
    whens = " ".join(f"WHEN {literal(word)} THEN {literal(meaning)}" for word, meaning in meanings.items())
    return f"CASE lower({column}) {whens} END"


def _within(column: str, words: Mapping[str, str]) -> str:
    """The SQL of what the first word that stands somewhere in a text means; codes of one letter stand everywhere."""
    whens = " ".join(
        f"WHEN contains(lower({column}), {literal(word.lower())}) THEN {literal(meaning)}"
        for word, meaning in words.items()
        if len(word) > 1 and not word.isdigit()
    )
    return f"CASE {whens} END" if whens else "NULL::VARCHAR"


def _tender_word(words: Words) -> str:
    known = ("cash", "card", "wechat", "alipay", "stored_value", "points", "coupon", "gift_card", "credit", "other")
    inside = _within("p.method", words.tenders)
    return f"coalesce({_word('p.method', words.tenders, known)}, {inside}, 'other')"


def _ticket_word(words: Words, column: str) -> str:
    return _word(column, words.tickets, ("sale", *_KINDS, "void", "training", "open"))


def _status_word(words: Words, column: str) -> str:
    return _word(column, {"paid": "sale", **words.statuses}, ("sale", "void", "training", "open"))


def _unknown_words(connection: duckdb.DuckDBPyConnection, words: Words) -> list[str]:
    notes = []
    known_lines = (*_LINE_KINDS, "refund", "discount", "rounding")
    for table, column, sql in (
        ("tickets", "kind", _ticket_word(words, "kind")),
        ("tickets", "status", _status_word(words, "status")),
        ("lines", "kind", _word("kind", words.lines, known_lines)),
    ):
        query = f"SELECT {column}, count(*) FROM {table} WHERE {column} IS NOT NULL AND {sql} IS NULL GROUP BY 1 ORDER BY 1 LIMIT 20"
        listed = ", ".join(f"{word} ({count})" for word, count in connection.execute(query).fetchall())
        if listed:
            notes.append(f"words in {column} of {table} the mapping has no meaning for: {listed}")
    return notes


def _work_out_lines(connection: duckdb.DuckDBPyConnection, words: Words, clock: Clock) -> None:
    known = (*_LINE_KINDS, "refund", "discount", "rounding")
    places = clock.decimals
    connection.execute(f"""
        CREATE OR REPLACE TEMP TABLE worked AS
        WITH said AS (
            SELECT l.* EXCLUDE (kind, quantity, unit_price, list_price), t.rn AS tn, coalesce({_within("l.label", words.lines)}, {_word("l.kind", words.lines, known)}) AS word,
                coalesce(l.quantity, 1) AS quantity,
                CAST(CASE WHEN l.tax IS NULL THEN l.unit_price ELSE l.price * (1 + l.tax) END AS DECIMAL(18,4)) AS unit_price,
                CAST(CASE WHEN l.tax IS NULL THEN l.list_price ELSE l.list_price * (1 + l.tax) END AS DECIMAL(18,4)) AS list_price,
                {_ticket_word(words, "t.kind")} AS ticket_word
            FROM lines l JOIN tickets t USING (source_id) WHERE l.bad IS NULL AND NOT coalesce(l.void, false)),
        worth AS (
            SELECT *, coalesce(word = 'refund', false) OR (word IS DISTINCT FROM 'item' AND coalesce(ticket_word = 'refund', false))
                    AS returned,
                CAST(round(CASE WHEN tax IS NULL THEN quantity * coalesce(unit_price, list_price)
                    ELSE CAST(quantity AS DOUBLE) * price * (1 + tax) END, {places}) AS DECIMAL(18,4)) AS worth,
                CAST(round(quantity * coalesce(list_price, unit_price), {places}) AS DECIMAL(18,4)) AS gross
            FROM said WHERE word IS DISTINCT FROM 'skip'),
        priced AS (
            SELECT *, CAST(coalesce(discount_amount, round(worth * discount_percent / 100, {places}),
                    round(discount_per_unit * quantity, {places}), 0) AS DECIMAL(18,4)) AS off
            FROM worth),
        netted AS (
            SELECT *, CAST(coalesce(net_amount, worth - off) AS DECIMAL(18,4)) AS net FROM priced)
        SELECT source_id, tn, rn, line_id, parent_line_id, product_id, sku_id, barcode, name, category, unit, guide_id, options,
            list_price, unit_price, CASE WHEN word IN ('discount', 'rounding') THEN word
                ELSE coalesce(nullif(word, 'refund'), 'item') END AS kind,
            CASE WHEN returned THEN -abs(quantity) ELSE quantity END AS quantity,
            CASE WHEN returned THEN -abs(net) ELSE net END AS net,
            CAST(CASE WHEN returned THEN -1 ELSE 1 END * abs(coalesce(discount_amount, gross - net, 0))
                * CASE WHEN NOT returned AND coalesce(discount_amount, gross - net, 0) < 0 THEN -1 ELSE 1 END AS DECIMAL(18,4)) AS off,
            CASE WHEN returned THEN -abs(tax_amount) ELSE tax_amount END AS tax_amount,
            CASE WHEN returned THEN -abs(cost_amount) ELSE cost_amount END AS cost_amount, false AS allocated
        FROM netted""")


def _worthless(connection: duckdb.DuckDBPyConnection, location: str) -> list[Reject]:
    """Lines that have neither an amount nor a price."""
    query = "SELECT source_id, CAST(to_json(raw) AS VARCHAR) FROM worked JOIN lines_raw raw USING (rn) WHERE net IS NULL ORDER BY rn"
    reason = "The line has neither an amount nor a price."
    found = [
        Reject(f"{location}lines#{source_id}", "amount_missing", reason, "net_amount", source_id, raw)
        for source_id, raw in connection.execute(query).fetchmany(1000)
    ]
    connection.execute("UPDATE lines SET bad = 'net_amount' WHERE rn IN (SELECT rn FROM worked WHERE net IS NULL)")
    connection.execute("DELETE FROM worked WHERE net IS NULL")
    return found


def _work_out_tenders(connection: duckdb.DuckDBPyConnection, words: Words) -> None:
    connection.execute(f"""
        CREATE OR REPLACE TEMP TABLE paid AS
        SELECT * FROM (
            SELECT p.source_id, t.rn AS tn, p.rn, p.method AS method_text, {_tender_word(words)} AS method, p.reference, p.paid_at,
                {_word("p.kind", words.tender_kinds, ("sale", "refund", "skip"))} AS word,
                coalesce({_ticket_word(words, "t.kind")} = 'refund', false) OR coalesce(word = 'refund', false) AS returned,
                p.amount - coalesce(p.change_amount, 0) AS given,
                CASE WHEN returned THEN -abs(given) ELSE given END AS amount
            FROM tenders p JOIN tickets t USING (source_id) WHERE p.bad IS NULL AND p.amount IS NOT NULL)
        WHERE method <> 'skip' AND word IS DISTINCT FROM 'skip'""")


def _spread(connection: duckdb.DuckDBPyConnection, clock: Clock) -> None:
    """Spread what was given on a ticket as a whole over its lines; without a line to take it, it stays an adjustment."""
    connection.execute("DELETE FROM worked WHERE kind = 'discount' AND net = 0")
    connection.execute("""
        CREATE OR REPLACE TEMP TABLE given AS
        SELECT source_id, sum(amount) AS amount FROM (
            SELECT source_id, ticket_discount AS amount FROM tickets WHERE ticket_discount <> 0
            UNION ALL SELECT source_id, abs(net) FROM worked WHERE kind = 'discount' AND net <> 0) GROUP BY 1""")
    counted = connection.execute("SELECT count(*) FROM given").fetchone()
    if counted is None or counted[0] == 0:
        return
    fen = f"1e{clock.decimals}"
    connection.execute(f"""
        CREATE OR REPLACE TEMP TABLE shares AS
        WITH base AS (
            SELECT w.source_id, w.rn, w.net, g.amount, sum(w.net) OVER (PARTITION BY w.source_id) AS total
            FROM worked w JOIN given g USING (source_id) WHERE w.kind NOT IN ('discount', 'rounding', 'adjustment', 'deposit')),
        cut AS (
            SELECT *, CAST(abs(amount) * {fen} * abs(net) / abs(total) AS DECIMAL(28,6)) AS exact FROM base
            WHERE total <> 0 AND sign(net) = sign(total)),
        ranked AS (
            SELECT *, CAST(floor(exact) AS BIGINT) AS whole,
                CAST(round(abs(amount) * {fen}) AS BIGINT) - sum(CAST(floor(exact) AS BIGINT)) OVER (PARTITION BY source_id) AS left_over,
                row_number() OVER (PARTITION BY source_id ORDER BY exact - floor(exact) DESC, abs(net) DESC, rn) AS place
            FROM cut)
        SELECT source_id, rn, sign(net) * CAST((whole + CASE WHEN place <= left_over THEN 1 ELSE 0 END) / {fen}
            AS DECIMAL(18,4)) AS share FROM ranked""")
    connection.execute("""
        UPDATE worked SET net = net - share, off = off + share, allocated = true FROM shares WHERE shares.rn = worked.rn""")
    connection.execute("""
        UPDATE worked SET kind = 'adjustment' WHERE kind = 'discount' AND source_id NOT IN (SELECT source_id FROM shares)""")
    connection.execute("DELETE FROM worked WHERE kind = 'discount'")


def _sum_up(connection: duckdb.DuckDBPyConnection) -> None:
    """One row per ticket with its sums: what its lines come to, what was rounded away, what was paid."""
    connection.execute("""
        CREATE OR REPLACE TEMP TABLE line_sums AS
        SELECT source_id, sum(net) FILTER (kind <> 'rounding') AS net, sum(off) AS off, sum(net) FILTER (kind = 'rounding') AS rounded,
            count(*) FILTER (kind <> 'rounding') AS lines, bool_and(kind = 'deposit') AS deposits,
            bool_or(quantity < 0) AS back, bool_or(quantity > 0 AND net >= 0 AND kind <> 'adjustment') AS sold
        FROM worked GROUP BY source_id""")
    connection.execute("""
        CREATE OR REPLACE TEMP TABLE tender_sums AS
        SELECT source_id, sum(amount) FILTER (method <> 'rounding') AS paid, sum(amount) FILTER (method = 'rounding') AS adjusted,
            count(*) AS payments
        FROM paid GROUP BY source_id""")
    connection.execute("DELETE FROM worked WHERE kind = 'rounding'")
    connection.execute("DELETE FROM paid WHERE method = 'rounding'")


def _summed(words: Words, clock: Clock) -> str:
    """The SQL of tickets with kind, status, total and findings."""
    now = f"TIMESTAMPTZ {literal(clock.now.isoformat())}"
    listed = ", ".join(map(literal, _KINDS))
    cutoff = f"INTERVAL '{clock.day_cutoff.hour * 60 + clock.day_cutoff.minute} minutes'"
    return f"""
        WITH joined AS (
            SELECT t.* EXCLUDE (kind, status, rounding_amount, total_amount), l.net, l.off, coalesce(l.lines, 0) AS lines, l.deposits,
                coalesce(l.back, false) AS back, coalesce(l.sold, false) AS sold, p.paid, coalesce(p.payments, 0) AS payments,
                {_ticket_word(words, "t.kind")} AS word, {_status_word(words, "t.status")} AS state, t.total_amount AS given_total,
                CASE WHEN t.rounding_amount IS NOT NULL THEN t.rounding_amount
                    WHEN l.rounded IS NOT NULL THEN l.rounded
                    WHEN p.adjusted IS NULL AND p.paid IS NOT NULL AND t.total_amount IS NULL
                        AND abs(p.paid - l.net) < {words.rounding_below} THEN p.paid - l.net
                    WHEN p.adjusted IS NULL THEN 0
                    WHEN abs(l.net + p.adjusted - p.paid) <= abs(l.net - p.adjusted - p.paid) THEN p.adjusted
                    ELSE -p.adjusted END AS rounding,
                EXISTS (SELECT 1 FROM lines x WHERE x.source_id = t.source_id AND x.bad IS NOT NULL) AS line_bad,
                EXISTS (SELECT 1 FROM tenders x WHERE x.source_id = t.source_id AND x.bad IS NOT NULL) AS tender_bad
            FROM tickets t LEFT JOIN line_sums l USING (source_id) LEFT JOIN tender_sums p USING (source_id)
            WHERE coalesce(word, '') <> 'skip' AND coalesce(state, '') <> 'skip'),
        named AS (
            SELECT *, CASE WHEN word IN ({listed}) THEN word WHEN coalesce(deposits, false) THEN 'deposit'
                    WHEN back AND sold THEN 'exchange' WHEN back OR (lines = 0 AND coalesce(given_total, paid, 0) < 0) THEN 'refund'
                    ELSE 'sale' END AS kind,
                CASE WHEN coalesce(void, false) OR coalesce(training, false) OR coalesce(word, '') IN ('void', 'training')
                    OR coalesce(state, '') IN ('void', 'training') THEN 'void'
                    WHEN coalesce(state, '') = 'open' OR coalesce(word, '') = 'open' THEN 'open' ELSE 'paid' END AS status,
                coalesce(training, false) OR coalesce(word, '') = 'training' OR coalesce(state, '') = 'training' AS practised
            FROM joined),
        totalled AS (
            SELECT *, coalesce(net, 0) + rounding + coalesce(service_amount, 0) + coalesce(freight_amount, 0)
                    + CASE WHEN coalesce(tax_exclusive, false) THEN coalesce(tax_amount, 0) ELSE 0 END AS owed,
                coalesce(CASE WHEN kind = 'refund' THEN -abs(given_total) ELSE given_total END,
                    CASE WHEN lines = 0 THEN paid ELSE owed END, 0) AS total
            FROM named),
        weighed AS (
            SELECT *, CASE WHEN lines > 0 AND abs(total - owed) > {_CENT} * greatest(lines, 1) THEN total - owed
                    WHEN payments > 0 AND status <> 'void' AND abs(total - coalesce(paid, 0)) > {_CENT} * greatest(lines, 1)
                    THEN total - coalesce(paid, 0) END AS difference
            FROM totalled)
        SELECT *, list_filter([CASE WHEN practised THEN 'training' END, CASE WHEN difference IS NOT NULL THEN 'balance_off' END, finding,
                CASE WHEN line_bad THEN 'line_rejected' END, CASE WHEN tender_bad THEN 'tenders_unknown' END,
                CASE WHEN ordered_at > {now} + INTERVAL '10 minutes' THEN 'clock_suspect' END], x -> x IS NOT NULL) AS flags,
            coalesce(business_date, CAST(timezone({literal(clock.zone.key)}, ordered_at) - {cutoff} AS DATE)) AS day
        FROM weighed"""


_SAME: Final = (
    "channel", "store_id", "register_id", "cashier_id", "guide_id", "belonging_store_id", "belonging_guide_id",
    "customer_id", "note", "ordered_at", "paid_at", "updated_at", "gross_amount", "service_amount", "freight_amount",
    "points_earned", "points_used",
)  # fmt: skip


def _tables(connection: duckdb.DuckDBPyConnection, words: Words, clock: Clock) -> dict[str, pa.Table]:
    connection.execute(f"CREATE OR REPLACE TEMP TABLE summed AS {_summed(words, clock)}")
    by_name = {table.name: table for table in child_tables(Order)}
    original = "CASE WHEN original_id IS NOT NULL THEN coalesce(siblings || '/', '') || original_id END"
    off = json_extra({"balance_difference": "CAST(difference AS VARCHAR)"}, onto="extra")
    order_columns = {
        **{name: name for name in _SAME},
        "source_id": "source_id", "number": "coalesce(number, source_id)", "kind": "kind", "status": "status", "business_date": "day", "time_text": "given_time",
        "original_id": original, "currency": f"coalesce(currency, {literal(clock.currency)})", "discount_amount": "off",
        "rounding_amount": "rounding", "tax_amount": "tax_amount", "tax_inclusive": "NOT coalesce(tax_exclusive, false)",
        "total_amount": "total", "coupons": "CASE WHEN coupon_no IS NULL THEN [] ELSE [coupon_no] END", "flags": "flags",
        "extra": f"CASE WHEN difference IS NULL THEN extra ELSE {off} END",
    }  # fmt: skip
    place = "row_number() OVER (PARTITION BY tn ORDER BY rn) - 1"
    line_names = (
        "source_id", "line_id", "parent_line_id", "kind", "product_id", "sku_id", "barcode", "name", "category", "quantity", "unit",
        "list_price", "unit_price", "tax_amount", "cost_amount", "guide_id", "options",
    )  # fmt: skip
    lines = {**{name: name for name in line_names}, "position": place, "discount_amount": "off", "net_amount": "net",
             "discount_allocated": "allocated"}  # fmt: skip
    tenders = {
        **{name: name for name in ("source_id", "method", "amount", "method_text", "reference", "paid_at")},
        "position": place,
    }
    kept = "WHERE source_id IN (SELECT source_id FROM summed)"
    persons = connection.execute(identifiers_sql("summed", clock.scope)).to_arrow_table()
    return {
        "orders": select_canonical(connection, parent_table(Order), order_columns, "summed"),
        "orders_lines": select_canonical(connection, by_name["orders_lines"], lines, f"worked {kept}"),
        "orders_tenders": select_canonical(connection, by_name["orders_tenders"], tenders, f"paid {kept}"),
        "orders_identifiers": persons.cast(by_name["orders_identifiers"].schema),
    }
