"""Lines and payments of a page, worked out: the relations ``worked`` and ``paid``.

Both are joined to ``tickets`` once, by number where the till's keys are numbers; from there on ``tn``, the ticket's number on the
page, is what everything goes by. Their columns are canonical, beside ``tn``, ``rn`` and ``bad``; they are Arrow tables, because that is
what they become in the end, and most pages need nothing done to them in between.
"""

from __future__ import annotations

from typing import Final

import duckdb
import pyarrow as pa

from hub.columns import child_tables
from hub.records import Order
from hub.source import Reject
from plugins.pos.tickets.canonical import canonical_columns
from plugins.pos.tickets.rules import Clock, Words
from plugins.pos.tickets.typed import Columns, count, identifier, rejected, rejects
from plugins.pos.tickets.words import line_label, line_word, tender_kind, tender_word

__all__ = ["LINES", "TENDERS", "Relations", "put_aside", "spread", "work_out_lines", "work_out_tenders"]

_CHILDREN: Final = {table.name: table for table in child_tables(Order)}
LINES: Final = _CHILDREN["orders_lines"]
TENDERS: Final = _CHILDREN["orders_tenders"]

_LINE_TEXTS: Final = (
    "line_id", "parent_line_id", "product_id", "sku_id", "barcode", "name", "category", "unit", "guide_id", "options",
)  # fmt: skip
_LINE_AMOUNTS: Final = ("list_price", "unit_price")
_SIGNED: Final = ("tax_amount", "cost_amount")
_LINE_KIND: Final = (
    "CASE WHEN word IN ('discount', 'rounding') THEN word ELSE coalesce(nullif(word, 'refund'), 'item') END"
)
_TENDER_TEXTS: Final = ("reference", "paid_at")
_NO_AMOUNT: Final = "no amount"
"""What stands in ``bad`` of a row that could be read but comes to nothing that is known."""


class Relations:
    """Arrow tables that queries know by name."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self.connection = connection
        self._tables: dict[str, pa.Table] = {}

    def __getitem__(self, name: str) -> pa.Table:
        return self._tables[name]

    def make(self, name: str, query: str) -> None:
        """Make or replace a relation by a query, which may read what it replaces."""
        self._tables[name] = self.connection.execute(query).to_arrow_table()
        self.connection.register(name, self._tables[name])

    def keep(self, name: str, condition: str) -> None:
        """Leave out of a relation the rows for which a condition does not hold."""
        if count(self.connection, f"{name} WHERE NOT ({condition})"):
            self.make(name, f"SELECT * FROM {name} WHERE {condition}")


def work_out_lines(
    relations: Relations, lines: Columns, tickets: Columns, words: Words, clock: Clock, *, by_number: bool
) -> None:
    """Make ``worked``: every line with its sign, worth, discount and net.

    What a till has no columns for is left out of the query: a planner does not see through a column that is NULL in every row.
    """
    link = identifier(lines.key_columns[0]) if by_number else lines.key()
    price = lines.exact("unit_price") if lines.has("tax_rate") else "NULL::DOUBLE"
    typed = lines.typed(link, {"price": price, "tax": lines.exact("tax_rate")})
    worded, turned = lines.has("kind", "label"), _turned(lines, tickets)
    signed = [name for name in _SIGNED if lines.has(name)]
    columns = {
        "source_id": "source_id", **{name: name for name in _LINE_TEXTS if lines.has(name)},
        **(dict(zip(_LINE_AMOUNTS, _LINE_AMOUNTS, strict=True)) if lines.has(*_LINE_AMOUNTS) else {}),
        **{name: turned.format(name) for name in signed}, "kind": _LINE_KIND if worded else "'item'",
        "quantity": turned.format("quantity"), "net_amount": turned.format("came_to"), "discount_amount": turned.format("taken"),
    }  # fmt: skip
    worth, gross, less, came_to, taken = _amounts(lines, clock.decimals)
    word = f"coalesce({line_label(words, 'l.label')}, {line_word(words, 'l.kind')})" if worded else "NULL::VARCHAR"
    query = f"""
        WITH said AS (
            SELECT l.* EXCLUDE (kind, quantity, unit_price, list_price), t.rn AS tn, t.source_id, t.word AS ticket_word,
                {word} AS word, {"coalesce(l.quantity, 1)" if lines.has("quantity") else "1::DECIMAL(18,4)"} AS quantity,
                {_with_tax(lines, "unit_price", "l.price")} AS unit_price, {_with_tax(lines, "list_price", "l.list_price")} AS list_price
            FROM ({typed}) l LEFT JOIN tickets t ON l.link = t.link
            WHERE l.bad IS NOT NULL OR (t.rn IS NOT NULL{" AND NOT coalesce(l.void, false)" if lines.has("void") else ""})),
        worth AS (
            SELECT *, coalesce(word = 'refund', false) OR (word IS DISTINCT FROM 'item' AND coalesce(ticket_word = 'refund', false))
                AS returned, CAST({worth} AS DECIMAL(18,4)) AS worth
            FROM said{" WHERE bad IS NOT NULL OR word IS DISTINCT FROM 'skip'" if worded else ""}),
        priced AS (
            SELECT *, CAST({gross} AS DECIMAL(18,4)) AS gross, CAST({less} AS DECIMAL(18,4)) AS less FROM worth),
        netted AS (SELECT *, CAST({came_to} AS DECIMAL(18,4)) AS came_to FROM priced),
        cut AS (SELECT *, CAST({taken} AS DECIMAL(18,4)) AS taken FROM netted)
        SELECT {canonical_columns(LINES, columns)}, tn, rn,
            CASE WHEN bad IS NOT NULL THEN bad WHEN came_to IS NULL THEN '{_NO_AMOUNT}' END AS bad
        FROM cut"""
    relations.make("worked", query)


def _turned(part: Columns, tickets: Columns) -> str:
    """The SQL, with a place for the amount, of what an amount is: negative where the row or its ticket is a return."""
    return (
        "CASE WHEN returned THEN -abs({0}) ELSE {0} END" if part.has("kind", "label") or tickets.has("kind") else "{0}"
    )


def _with_tax(lines: Columns, price: str, exact: str) -> str:
    """The SQL of a price as the customer sees it."""
    if not lines.has("tax_rate"):
        return f"l.{price}"
    return f"CAST(CASE WHEN l.tax IS NULL THEN l.{price} ELSE {exact} * (1 + l.tax) END AS DECIMAL(18,4))"


def _amounts(lines: Columns, places: int) -> tuple[str, str, str, str, str]:
    """The SQL of a line's worth, its worth before discounts, its discount, what it comes to, and what was taken off in all."""
    prices = [name for name in ("unit_price", "list_price") if lines.has(name)] or ["NULL::DECIMAL(18,4)"]
    worth = f"quantity * coalesce({', '.join(prices)})"
    if lines.has("tax_rate"):
        worth = f"CASE WHEN tax IS NULL THEN {worth} ELSE CAST(quantity AS DOUBLE) * price * (1 + tax) END"
    # Without a list price or tax the worth is the worth before discounts: rounding twice costs as much as everything else.
    told = lines.has("list_price", "tax_rate")
    gross = f"round(quantity * coalesce({', '.join(reversed(prices))}), {places})" if told else "worth"
    given = {
        "discount_amount": "discount_amount",
        "discount_percent": f"round(worth * discount_percent / 100, {places})",
        "discount_per_unit": f"round(discount_per_unit * quantity, {places})",
    }
    less = f"coalesce({', '.join([*(sql for name, sql in given.items() if lines.has(name)), '0'])})"
    came_to = "coalesce(net_amount, worth - less)" if lines.has("net_amount") else "worth - less"
    taken = ", ".join([*(["discount_amount"] if lines.has("discount_amount") else []), "gross - came_to", "0"])
    return f"round({worth}, {places})", gross, less, came_to, f"coalesce({taken})"


def work_out_tenders(
    relations: Relations, tenders: Columns, tickets: Columns, words: Words, *, by_number: bool
) -> None:
    """Make ``paid``: every payment with its way and what it comes to."""
    link = identifier(tenders.key_columns[0]) if by_number else tenders.key()
    columns = {
        **{name: name for name in ("source_id", "method", "method_text")},
        **{name: name for name in _TENDER_TEXTS if tenders.has(name)},
        "amount": _turned(tenders, tickets).format("given"),
    }
    query = f"""
        WITH said AS (
            SELECT p.* EXCLUDE (method), t.rn AS tn, t.source_id, p.method AS method_text, {tender_word(words, "p.method")} AS method,
                {tender_kind(words, "p.kind")} AS word,
                coalesce(t.word = 'refund', false) OR coalesce({tender_kind(words, "p.kind")} = 'refund', false) AS returned,
                p.amount - coalesce(p.change_amount, 0) AS given
            FROM ({tenders.typed(link)}) p LEFT JOIN tickets t ON p.link = t.link WHERE p.bad IS NOT NULL OR t.rn IS NOT NULL)
        SELECT {canonical_columns(TENDERS, columns)}, tn, rn,
            CASE WHEN bad IS NOT NULL THEN bad WHEN given IS NULL THEN '{_NO_AMOUNT}' END AS bad
        FROM said WHERE bad IS NOT NULL OR (method <> 'skip' AND word IS DISTINCT FROM 'skip')"""
    relations.make("paid", query)


def put_aside(relations: Relations, columns: Columns, table: str, location: str) -> list[Reject]:
    """Take the rows that cannot be used out of a relation, as rejects; their tickets' numbers stay in ``<table>_aside``."""
    connection = relations.connection
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE {table}_aside AS SELECT DISTINCT tn FROM {table} WHERE bad IS NOT NULL"
    )
    if not count(connection, f"{table}_aside"):
        return []
    found = rejects(connection, columns, f"(SELECT rn, bad FROM {table} WHERE bad <> '{_NO_AMOUNT}')", location)
    field, reason = (
        ("net_amount", "The line has neither an amount nor a price.")
        if columns.name == "lines"
        else ("amount", "The payment has no amount.")
    )
    worthless = f"(SELECT rn, bad FROM {table} WHERE bad = '{_NO_AMOUNT}')"
    found += [
        Reject(f"{location}#{source_id}", "amount_missing", reason, field, source_id, raw)
        for source_id, _, raw in rejected(connection, columns, worthless)
    ]
    relations.keep(table, "bad IS NULL")
    return found


def spread(relations: Relations, tickets: Columns, clock: Clock, *, discounts: bool) -> None:
    """Spread what was given on a ticket as a whole over its lines; without a line to take it, it stays an adjustment.

    Args:
        relations: ``tickets`` and ``worked``.
        tickets: may have ``ticket_discount``.
        clock: places of money.
        discounts: whether lines may be discounts.
    """
    given, connection = [], relations.connection
    if discounts:
        given.append("SELECT tn, abs(net_amount) AS amount FROM worked WHERE kind = 'discount' AND net_amount <> 0")
    if tickets.has("ticket_discount"):
        given.append("SELECT rn AS tn, ticket_discount AS amount FROM tickets WHERE ticket_discount <> 0")
    if given:
        both = " UNION ALL ".join(given)
        query = f"CREATE OR REPLACE TEMP TABLE given AS SELECT tn, sum(amount) AS amount FROM ({both}) GROUP BY 1"
        connection.execute(query)
    if given and count(connection, "given"):
        _share(connection, f"1e{clock.decimals}")
        query = """
            SELECT w.* REPLACE (w.net_amount - coalesce(s.share, 0) AS net_amount, w.discount_amount + coalesce(s.share, 0) AS discount_amount,
                    CASE WHEN w.kind = 'discount' AND net_amount <> 0 AND w.tn NOT IN (SELECT tn FROM shares) THEN 'adjustment' ELSE w.kind END AS kind),
                s.share IS NOT NULL AS discount_allocated
            FROM worked w LEFT JOIN shares s ON s.rn = w.rn"""
        relations.make("worked", query)
    if discounts:
        relations.keep("worked", "kind <> 'discount'")


def _share(connection: duckdb.DuckDBPyConnection, fen: str) -> None:
    """Make the table ``shares``: what each line takes of what was given on its ticket, by largest remainder."""
    connection.execute(f"""
        CREATE OR REPLACE TEMP TABLE shares AS
        WITH base AS (
            SELECT w.tn, w.rn, w.net_amount AS net, g.amount, sum(w.net_amount) OVER (PARTITION BY w.tn) AS total
            FROM worked w JOIN given g USING (tn) WHERE w.kind NOT IN ('discount', 'rounding', 'adjustment', 'deposit')),
        cut AS (
            SELECT *, CAST(abs(amount) * {fen} * abs(net) / abs(total) AS DECIMAL(28,6)) AS exact FROM base
            WHERE total <> 0 AND sign(net) = sign(total)),
        ranked AS (
            SELECT *, CAST(floor(exact) AS BIGINT) AS whole,
                CAST(round(abs(amount) * {fen}) AS BIGINT) - sum(CAST(floor(exact) AS BIGINT)) OVER (PARTITION BY tn) AS left_over,
                row_number() OVER (PARTITION BY tn ORDER BY exact - floor(exact) DESC, abs(net) DESC, rn) AS place
            FROM cut)
        SELECT tn, rn, sign(net) * CAST((whole + CASE WHEN place <= left_over THEN 1 ELSE 0 END) / {fen}
            AS DECIMAL(18,4)) AS share FROM ranked""")
