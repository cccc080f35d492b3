"""What can be wrong with the rows of a ticket beyond the single row.

Cross products (a row per line and payment), rows that are there twice, rows of two tickets under one number, lines without
an amount. What is found is put into the tables ``repeated`` (the row counts as a payment, not as another line) and
``refused`` (the row is a reject).
"""

from __future__ import annotations

from plugins.files.reading.tickets import Tickets, tolerance

__all__ = ["check_tickets"]


def check_tickets(tickets: Tickets) -> list[str]:
    """Gather the tickets, put faulty rows aside, and return notes about what was mended."""
    notes = [*_split_cross_products(tickets), *_drop_repeated_lines(tickets)]
    tickets.gather()
    if _refuse_unpriced(tickets) + _refuse_contradictions(tickets):
        tickets.refresh()
        tickets.gather()
    return notes


def _count(tickets: Tickets, query: str) -> int:
    row = tickets.connection.execute(query).fetchone()
    return int(row[0] or 0) if row else 0


def _split_cross_products(tickets: Tickets) -> list[str]:
    """Count each line once where a ticket has a row for every pair of line and payment.

    Such a ticket has each line as often under one payment as under any other, and its rows come to the ticket's total times
    the number of payments. Without a total to hold against, only numbered lines prove it.
    """
    rows = tickets.rows
    if not tickets.items or "tender" not in rows.fields:
        return []
    payment = f"concat_ws(chr(31), {rows.column('tender')}, {rows.column('tender_amount')})"
    tickets.connection.execute(f"CREATE TABLE crossed AS {_crossed(tickets, payment)}")
    found = _count(tickets, "SELECT count(*) FROM crossed")
    if found:
        tickets.connection.execute(
            f"INSERT INTO repeated SELECT rid FROM kept JOIN crossed USING (key) WHERE {payment} <> crossed.payment"
        )
        tickets.refresh()
    return (
        [f"{found} ticket(s) had a row for every pair of line and payment; each line was counted once"] if found else []
    )


def _crossed(tickets: Tickets, payment: str) -> str:
    rows = tickets.rows
    line = ["line_no", "product_id", "sku_id", "barcode", "product_name"]
    signature = ", ".join([*(rows.column(name) for name in line if rows.has(name)), "line_quantity", "line_net"])
    total = f"arg_min({tickets.of_ticket('amount')}, rid)"
    numbered = ("line_no" in rows.fields and "count(*) FILTER (line_no IS NULL) = 0") or "false"
    paid = "sum(coalesce(amount_of, 0))"
    candidates = f"SELECT key FROM kept GROUP BY key HAVING count(*) > 1 AND min({payment}) <> max({payment})"
    pairs = (
        f"SELECT key, hash({signature}) AS line, {payment} AS payment, count(*) AS n, min(rid) AS first, sum(line_net) AS net "
        f"FROM kept WHERE key IN ({candidates}) GROUP BY ALL"
    )
    shape = (
        "SELECT key, count(DISTINCT payment) AS payments, count(DISTINCT line) AS different, count(*) AS pairs, "
        f"arg_min(payment, first) AS payment, sum(net) AS net FROM ({pairs}) GROUP BY key"
    )
    even = f"SELECT key FROM (SELECT key, line FROM ({pairs}) GROUP BY key, line HAVING min(n) <> max(n))"
    payments = f"SELECT DISTINCT key, {payment} AS payment, {rows.column('tender_amount')} AS amount_of FROM kept"
    totals = (
        f"SELECT key, coalesce({total}, (SELECT nullif({paid}, 0) FROM ({payments}) p WHERE p.key = k.key)) AS total, "
        f"{numbered} AS numbered FROM kept k WHERE key IN ({candidates}) GROUP BY key"
    )
    off = tolerance("pairs")
    return (
        f"SELECT key, payment FROM ({shape}) JOIN ({totals}) USING (key) "
        f"WHERE pairs = payments * different AND key NOT IN ({even}) AND CASE WHEN total IS NULL THEN numbered "
        f"ELSE abs(abs(net) - abs(total)) > {off} AND abs(abs(net) / payments - abs(total)) <= {off} END"
    )


def _drop_repeated_lines(tickets: Tickets) -> list[str]:
    """Count a row once that is there twice, line number and all; refuse another line under a number that must be unique."""
    rows = tickets.rows
    if tickets.items and "line_no" not in rows.fields:
        return []
    number = "line_no" if tickets.items else "''"
    whole = ", ".join(rows.column(name) for name in rows.fields if not name.startswith("ordered_"))
    same = f"SELECT rid, row_number() OVER (PARTITION BY key, {number}, ts, {whole} ORDER BY rid) AS nth FROM lines WHERE key IN ({_several(number)})"
    twice = _count(tickets, f"INSERT INTO repeated SELECT rid FROM ({same}) WHERE nth > 1")
    if twice:
        tickets.refresh()
    clashes = 0
    if tickets.items and tickets.profile.line_key:
        clashes = _count(
            tickets,
            "INSERT INTO refused SELECT rid, 'line_repeated', 'line_no', first FROM (SELECT rid, first_value(rid) OVER "
            f"(PARTITION BY key, line_no ORDER BY rid) AS first FROM lines WHERE key IN ({_several(number)})) WHERE rid <> first",
        )
    if clashes:
        tickets.refresh()
    return [f"{twice} row(s) that are there twice were counted once"] if twice else []


def _several(number: str) -> str:
    return f"SELECT key FROM lines GROUP BY key, {number} HAVING count(*) > 1"


def _refuse_unpriced(tickets: Tickets) -> int:
    """Refuse lines that neither an amount nor a price gives a worth."""
    if not tickets.items or not _count(tickets, "SELECT count(*) FROM tickets WHERE unpriced > 0"):
        return 0
    return _count(
        tickets, "INSERT INTO refused SELECT rid, 'amount_missing', 'amount', NULL FROM lines WHERE line_net IS NULL"
    )


def _refuse_contradictions(tickets: Tickets) -> int:
    """Refuse rows that differ from the first row of their ticket in what a ticket has one of only."""
    if not _count(tickets, "SELECT count(*) FROM tickets WHERE contradicts"):
        return 0
    names = tickets.one_per_ticket()
    hours = tickets.profile.same_ticket_hours
    firsts = ", ".join(f"arg_min({name}, rid) AS first_{place}" for place, name in enumerate(names))
    tests = [f"({name}) <> first_{place}" for place, name in enumerate(names)]
    tests.append(f"abs(epoch(l.ts) - epoch(f.first_ts)) > {hours * 3600}")
    return _count(
        tickets,
        "INSERT INTO refused SELECT l.rid, 'ticket_contradicts', 'number', f.first_rid FROM lines l JOIN (SELECT key, "
        f"min(rid) AS first_rid, arg_min(ts, rid) AS first_ts{', ' if firsts else ''}{firsts} FROM lines WHERE key IN "
        f"(SELECT key FROM tickets WHERE contradicts) GROUP BY key) f USING (key) WHERE {' OR '.join(f'coalesce({t}, false)' for t in tests)}",
    )
