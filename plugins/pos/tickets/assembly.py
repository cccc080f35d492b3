"""Tickets from their columns: signs, kinds, discounts, totals, balance; everything for a whole page at once.

The rules are those of a shop's books. A row is a return if its word says so, or its quantity is negative; its amounts are then
negative, however they were written. A line comes to its own amount, else to its worth (quantity times price, to the fen) less
its discount. What was given on the ticket as a whole is spread over the lines by what they come to: largest remainder, the
larger line first. A ticket comes to its own total, else to Σ lines + rounding + service + freight (+ tax where it is on top).
What does not add up is kept and flagged ``balance_off``; a fen per line is allowed.

A page is a handful of queries: one each makes typed tickets, worked-out lines and payments, one the tickets with their sums, and
one each the canonical tables. Columns a till does not have cost nothing: they are constants there, not cells.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import duckdb
import pyarrow as pa

from hub.source import Reject
from plugins.pos.tickets import parts, totals, words
from plugins.pos.tickets.canonical import json_extra
from plugins.pos.tickets.fields import LINE, TENDER, TICKET
from plugins.pos.tickets.rules import Clock, Words
from plugins.pos.tickets.typed import Columns, count, identifier, rejects

__all__ = ["Assembled", "Rows", "assemble", "workbench"]


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
    """Open a private DuckDB with bounded memory; one serves for any number of pages."""
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
        # Of Arrow data the planner does not know how much there is; joins are written with the smaller side second.
        connection.execute("SET disabled_optimizers = 'build_side_probe_side,join_order'")
        yield connection
    finally:
        connection.close()


def assemble(connection: duckdb.DuckDBPyConnection, rows: Rows, meaning: Words, clock: Clock) -> Assembled:
    """Turn one page of rows into canonical orders, lines, payments and identifiers."""
    page = _columns(connection, rows, clock)
    by_number = all(part.counts for part in page.values())
    relations = parts.Relations(connection)
    found = _stage_tickets(relations, page["tickets"], rows, meaning, by_number=by_number)
    notes = _unknown_words(connection, page, meaning)
    parts.work_out_lines(relations, page["lines"], page["tickets"], meaning, clock, by_number=by_number)
    found += parts.put_aside(relations, page["lines"], "worked", f"{rows.location}lines")
    parts.work_out_tenders(relations, page["tenders"], page["tickets"], meaning, by_number=by_number)
    found += parts.put_aside(relations, page["tenders"], "paid", f"{rows.location}tenders")
    parts.spread(relations, page["tickets"], clock, discounts=page["lines"].has("kind", "label"))
    return Assembled(totals.tables(relations, page["tickets"], meaning, clock), found, notes)


def _columns(connection: duckdb.DuckDBPyConnection, rows: Rows, clock: Clock) -> dict[str, Columns]:
    """The parts of a page; one that a till does not have is empty, with a key like the tickets'."""
    nothing = rows.tickets.select(list(rows.key)).slice(0, 0)
    given = {
        "tickets": (rows.tickets, TICKET),
        "lines": (rows.lines if rows.lines is not None else nothing, LINE),
        "tenders": (rows.tenders if rows.tenders is not None else nothing, TENDER),
    }
    zone = clock.source_zone
    return {name: Columns(connection, name, table, rows.key, fields, zone) for name, (table, fields) in given.items()}


def _stage_tickets(
    relations: parts.Relations, tickets: Columns, rows: Rows, meaning: Words, *, by_number: bool
) -> list[Reject]:
    """Make ``tickets``, one row per ticket with ``tn``, its number on this page; what cannot be one is a reject."""
    known = {*TICKET, *rows.key, *rows.drop}
    unknown = {name: tickets.text(name) for name in tickets.schema.names if name not in known}
    keep = {
        "source_id": tickets.key(),
        "extra": json_extra(unknown),
        "given_time": tickets.text("ordered_at"),
        "siblings": tickets.key(rows.key[:-1]) if len(rows.key) > 1 else "NULL::VARCHAR",
    }
    link = identifier(rows.key[0]) if by_number else tickets.key()
    worded = f"{words.ticket_word(meaning, 'kind')} AS word, {words.status_word(meaning, 'status')} AS state"
    names = ", ".join(["link", "rn", *keep, *(identifier(name) for name in tickets.present)])
    late = "coalesce(bad, CASE WHEN ordered_at IS NULL THEN 'ordered_at' END)"
    query = f"SELECT {names}, {worded}, {late} AS bad FROM ({tickets.typed(link, keep)})"
    relations.make("tickets", query)
    found: list[Reject] = []
    if relations["tickets"]["bad"].null_count < len(relations["tickets"]):
        found = rejects(relations.connection, tickets, "tickets", f"{rows.location}tickets")
        relations.keep("tickets", "bad IS NULL")
    _one_per_ticket(relations)
    return found


def _one_per_ticket(relations: parts.Relations) -> None:
    """Several rows of one ticket are one ticket: of each column the first value that is filled."""
    if count(relations.connection, "(SELECT DISTINCT link FROM tickets)") == len(relations["tickets"]):
        return
    names = [name for name in relations["tickets"].column_names if name not in {"link", "rn"}]
    firsts = ", ".join(f"arg_min({identifier(name)}, rn) AS {identifier(name)}" for name in names)
    relations.make("tickets", f"SELECT link, min(rn) AS rn, {firsts} FROM tickets GROUP BY link")


def _unknown_words(connection: duckdb.DuckDBPyConnection, page: dict[str, Columns], meaning: Words) -> list[str]:
    notes = []
    for part, column, sql in (
        ("tickets", "kind", words.ticket_word(meaning, "said")),
        ("tickets", "status", words.status_word(meaning, "said")),
        ("lines", "kind", words.line_word(meaning, "said")),
    ):
        if not page[part].has(column):
            continue
        said = f"(SELECT {page[part].text(column)} AS said, count(*) AS times FROM {part}_raw GROUP BY 1)"
        query = f"SELECT said, times FROM {said} WHERE said IS NOT NULL AND {sql} IS NULL ORDER BY 1 LIMIT 20"
        listed = ", ".join(f"{word} ({times})" for word, times in connection.execute(query).fetchall())
        if listed:
            notes.append(f"words in {column} of {part} the mapping has no meaning for: {listed}")
    return notes
