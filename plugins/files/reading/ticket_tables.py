"""Write the tickets of a file as the canonical tables of :class:`hub.records.Order`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final

from hub.columns import Table, tables_of
from hub.records import Order
from plugins.files.reading.canonical import json_object, write_table
from plugins.files.reading.expressions import literal
from plugins.files.reading.identifiers import identifier_rows
from plugins.files.reading.instants import instant
from plugins.files.reading.payments import collect_payments
from plugins.files.reading.settings import Settings
from plugins.files.reading.tickets import Tickets, tolerance
from plugins.files.reading.typed import joined, key_parts

__all__ = ["TicketWriter"]

_CLOCK_AHEAD: Final = 600
"""Seconds a till's clock may be ahead of ours before its tickets are flagged."""


@dataclass
class TicketWriter:
    """Writes the tables; everything it needs lies in the session's ``tickets``, ``lines`` and ``kept``."""

    tickets: Tickets
    settings: Settings

    def write(self, folder: Path) -> dict[str, Path]:
        """Write every table of an order into ``folder`` and return their paths by table name."""
        self._settle()
        self._spread_discounts()
        collect_payments(self.tickets)
        self._judge()
        writers: dict[str, Callable[[Table, Path], int]] = {
            "orders": self._write_orders,
            "orders_identifiers": self._write_identifiers,
            "orders_lines": self._write_lines,
            "orders_tenders": self._write_tenders,
        }
        written = {}
        for table in tables_of(Order):
            path = folder / f"{table.name}.parquet"
            if writers[table.name](table, path):
                written[table.name] = path
        return written

    def _run(self, statement: str) -> int:
        row = self.tickets.connection.execute(statement).fetchone()
        return int(row[0]) if row and isinstance(row[0], int) else 0

    def _col(self, name: str) -> str:
        return self.tickets.rows.column(name)

    def _instant(self, column: str) -> str:
        return instant(self.tickets.connection, column, "tickets", self.settings.timezone)

    def _settle(self) -> None:
        """Make the view ``settled``: each ticket's total, and the ticket discount its lines do not know of yet."""
        sign = "CASE WHEN all_returned THEN -1 ELSE 1 END"
        amount = "CASE WHEN all_returned THEN -abs(ticket_amount) ELSE ticket_amount END"
        fees = " + ".join(f"coalesce({self._col(name)}, 0)" for name in ("service_amount", "freight_amount"))
        signed = (
            f"SELECT *, {amount} AS given_total, {sign} * abs(ticket_discount) AS given_discount, "
            f"-{sign} * abs(coalesce({self._col('rounding')}, 0)) AS rounded, {fees} AS fees FROM tickets"
        )
        if self.tickets.items:
            off = tolerance("n")
            without = "abs(net_sum + rounded + fees - given_total)"
            spread_over = "abs(net_sum - given_discount + rounded + fees - given_total)"
            # A discount of a fen is as small as a rounding: what comes nearer to the total is what the till meant.
            fits = f"{spread_over} <= {off} AND {spread_over} < {without}"
            due = f"CASE WHEN given_total IS NULL THEN computed AND coalesce(off_sum, 0) = 0 ELSE {fits} END"
            spread = f"CASE WHEN given_discount <> 0 AND net_sum <> 0 AND {due} THEN given_discount END"
            total = f"coalesce(given_total, net_sum - coalesce({spread}, 0) + rounded + fees)"
        else:
            spread, total = "NULL::DECIMAL(18,4)", "given_total"
        self._run(f"CREATE VIEW settled AS SELECT *, {spread} AS spread, {total} AS total FROM ({signed})")

    def _spread_discounts(self) -> None:
        """Make the table ``shares``: a ticket discount spread over its lines by their worth.

        Largest remainder: every line gets its share rounded down to the fen, and the fen left over go to the lines with the
        largest remainders, the larger line first.
        """
        if not self.tickets.items:
            return
        cents = "CAST(round(abs(spread) * 100) AS HUGEINT)"
        weight = "CAST(round(abs(line_net) * 100) AS HUGEINT)"
        weighted = (
            f"SELECT l.rid, key, l.line_net, sign(spread) AS sign, {cents} AS cents, {weight} AS weight, "
            f"sum({weight}) OVER (PARTITION BY key) AS whole FROM lines l JOIN settled USING (key) "
            "WHERE spread IS NOT NULL AND l.line_net * spread > 0"
        )
        floored = f"SELECT *, (cents * weight) // whole AS share, (cents * weight) % whole AS rest FROM ({weighted})"
        ranked = (
            "SELECT *, row_number() OVER (PARTITION BY key ORDER BY rest DESC, weight DESC, rid) AS rank, "
            f"cents - sum(share) OVER (PARTITION BY key) AS left_over FROM ({floored})"
        )
        share = "CAST(sign * (share + CASE WHEN rank <= left_over THEN 1 ELSE 0 END) AS DECIMAL(18,4)) * 0.01"
        self._run(f"CREATE TABLE shares AS SELECT rid, CAST({share} AS DECIMAL(18,4)) AS share FROM ({ranked})")

    def _judge(self) -> None:
        """Make the view ``judged``: settled tickets with what does not add up, and the tables of damaged tickets."""
        self._run(
            "CREATE TABLE damaged AS SELECT DISTINCT key FROM ("
            f"SELECT key FROM {self.tickets.rows.source} WHERE status NOT IN ('blank', 'total') UNION ALL "
            "SELECT key FROM priced JOIN refused USING (rid)) WHERE key IS NOT NULL"
        )
        moment = self._instant("ts")
        lines = "total - (net_sum - coalesce(spread, 0) + rounded + fees)" if self.tickets.items else "0"
        self._run(
            f"CREATE VIEW judged AS SELECT s.*, {moment} AS moment, {lines} AS lines_off, total - paid AS tenders_off, d.key IS NOT NULL AS damaged "
            "FROM settled s LEFT JOIN (SELECT key, sum(amount) AS paid FROM payments GROUP BY key) p USING (key) "
            "LEFT JOIN damaged d USING (key)"
        )

    def _write_orders(self, table: Table, path: Path) -> int:
        col = self._col
        cutoff = self.settings.day_cutoff
        shift = (cutoff.hour * 60 + cutoff.minute) * 60 + cutoff.second
        fields = ["number", "register_id", "cashier_id", "guide_id", "belonging_store_id", "belonging_guide_id", "channel", "note",
                  "tax_amount", "service_amount", "freight_amount", "points_earned", "points_used"]  # fmt: skip
        columns = {name: col(name) for name in fields} | {
            "source_id": "key",
            "kind": "coalesce(special_kind, CASE WHEN all_returned THEN 'refund' WHEN any_returned THEN 'exchange' END)",
            "status": "CASE WHEN voided THEN 'void' END",
            "ordered_at": "moment",
            "paid_at": self._instant(col("paid_at")),
            "updated_at": self._instant(col("updated_at")),
            "time_text": "time_text",
            "business_date": f"coalesce({col('business_date')}, CAST(ts - to_seconds({shift}) AS DATE))",
            "store_id": f"coalesce({col('store_id')}, {col('store_name')})",
            "customer_id": f"coalesce({col('customer_id')}, {col('member_no')})",
            "original_id": self._original(),
            "currency": f"coalesce({col('currency')}, {literal(self.settings.currency)})",
            "gross_amount": f"coalesce(ticket_gross, {'worth_sum' if self.tickets.items else 'NULL'})",
            "discount_amount": f"coalesce(given_discount, {'off_sum' if self.tickets.items else 'NULL'})",
            "rounding_amount": "rounded",
            "total_amount": "coalesce(total, 0)",
            "coupons": f"CASE WHEN {col('coupon_no')} IS NOT NULL THEN as_list({col('coupon_no')}) END",
            "flags": self._flags(),
            "extra": self._extra(),
        }
        return write_table(self.tickets.connection, table, columns, "judged", path)

    def _original(self) -> str:
        """Return the SQL of the id of the ticket the goods came from; the shop is taken to be the same."""
        if not self.tickets.rows.has("original_number"):
            return "NULL"
        known = {name: self._col(name) for name in (*self.tickets.rows.fields, *self.tickets.rows.constants)}
        parts = key_parts(self.settings.profile, known | {"number": self._col("original_number")})
        return f"CASE WHEN {self._col('original_number')} IS NOT NULL THEN {joined(parts)} END"

    def _unsplit(self) -> str:
        """Several payments without amounts of their own, on a row for every pair of line and payment."""
        known = (
            not self.tickets.items or "tender" not in self.tickets.rows.fields or self.tickets.rows.has("tender_amount")
        )
        return "false" if known else "key IN (SELECT key FROM crossed)"

    def _off(self) -> str:
        off = tolerance("n")
        return f"(coalesce(abs(lines_off), 0) > {off} OR coalesce(abs(tenders_off), 0) > {off} OR total IS NULL)"

    def _flags(self) -> str:
        late = f"moment > {literal(self.settings.now.isoformat())}::TIMESTAMPTZ + to_seconds({_CLOCK_AHEAD})"
        flags = {
            "balance_off": self._off(),
            "line_rejected": "damaged",
            "clock_suspect": late,
            "tenders_unknown": self._unsplit(),
        }
        cases = ", ".join(f"CASE WHEN {test} THEN {literal(name)} END" for name, test in flags.items())
        return f"list_filter([{cases}], lambda x: x IS NOT NULL)"

    def _extra(self) -> str:
        """What has no field of its own: unknown columns, names beside ids, and by how much a ticket is off."""
        rows = self.tickets.rows
        difference = "CAST(coalesce(nullif(lines_off, 0), tenders_off) AS VARCHAR)"
        values = {"balance_difference": f"CASE WHEN {self._off()} THEN {difference} END"}
        if rows.has("customer_name"):
            values["customer_name"] = self._col("customer_name")
        if rows.has("store_name") and rows.has("store_id"):
            values["store_name"] = self._col("store_name")
        if rows.header.unknown and self.settings.profile.unknown == "extra":
            values |= self._unknown()
        return json_object(values)

    def _unknown(self) -> dict[str, str]:
        """Return the SQL of the columns nobody knows: one value if a ticket's rows agree, else one per line, in their order."""
        rows = self.tickets.rows
        return {
            header: self._per_line(column) if column in self._varying else f"u{column}"
            for header, column in rows.header.unknown.items()
        }

    @cached_property
    def _varying(self) -> set[int]:
        """Columns that differ within some ticket."""
        columns = list(self.tickets.rows.header.unknown.values())
        tests = ", ".join(f"coalesce(bool_or(l.u{column} IS DISTINCT FROM t.u{column}), false)" for column in columns)
        found = self.tickets.connection.execute(
            f"SELECT {tests} FROM lines l JOIN (SELECT * FROM tickets WHERE varies) t USING (key)"
        ).fetchone()
        return {column for column, differs in zip(columns, found or (), strict=True) if differs}

    @staticmethod
    def _per_line(column: int) -> str:
        alike = f"min(hash(u{column})) = max(hash(u{column}))"
        values = f"CASE WHEN {alike} THEN to_json(any_value(u{column})) ELSE to_json(list(u{column} ORDER BY rid)) END"
        each = f"(SELECT {values} FROM lines WHERE lines.key = judged.key)"
        return f"CASE WHEN varies THEN {each} ELSE to_json(u{column}) END"

    def _write_lines(self, table: Table, path: Path) -> int:
        if not self.tickets.items:
            return 0
        rows = self.tickets.rows
        same = [
            "product_id",
            "sku_id",
            "barcode",
            "category",
            "unit",
            "list_price",
            "unit_price",
            "guide_id",
            "cost_amount",
        ]
        kind = "CASE row_kind WHEN 'gift' THEN 'gift' WHEN 'deposit' THEN 'deposit' WHEN 'adjustment' THEN 'adjustment' END"
        spread = self._run("SELECT count(*) FROM shares") > 0
        share = "coalesce(share, 0)" if spread else "0"
        reduced = "true" if self._rated else "given_amount IS NOT NULL"
        columns = {name: f"l.{rows.column(name)}" if name in rows.fields else rows.column(name) for name in same} | {
            "source_id": "l.key",
            "position": self._position(),
            "line_id": f"l.{rows.column('line_no')}" if "line_no" in rows.fields else "NULL",
            "kind": kind if "kind" in rows.fields else "NULL",
            "name": rows.column("product_name"),
            "quantity": "line_quantity",
            "tax_amount": rows.column("line_tax"),
            "discount_amount": f"coalesce(line_off, CASE WHEN {reduced} THEN line_worth - line_net END, 0) + {share}",
            "net_amount": f"line_net - {share}",
            "discount_allocated": "share IS NOT NULL" if spread else "false",
            "options": "options" if rows.header.options else "NULL",
        }
        source = f"lines l JOIN (SELECT key, first_rid FROM tickets) t USING (key) {'LEFT JOIN shares USING (rid)' if spread else ''}"
        return write_table(self.tickets.connection, table, columns, source, path)

    @property
    def _rated(self) -> bool:
        return self.tickets.rows.has("discount_rate")

    def _position(self) -> str:
        """Return the SQL of a line's place; where no ticket's rows are torn apart it is a subtraction, not a sort."""
        torn = self._run("SELECT count(*) FROM tickets WHERE last_rid - first_rid + 1 <> n")
        return "row_number() OVER (PARTITION BY l.key ORDER BY l.rid) - 1" if torn else "l.rid - t.first_rid"

    def _write_tenders(self, table: Table, path: Path) -> int:
        columns = {
            "source_id": "key",
            "position": "row_number() OVER (PARTITION BY key ORDER BY place, text) - 1",
            "method": "method",
            "amount": "amount",
            "method_text": "text",
            "reference": "reference",
        }
        return write_table(self.tickets.connection, table, columns, "payments WHERE amount IS NOT NULL", path)

    def _write_identifiers(self, table: Table, path: Path) -> int:
        rows = identifier_rows(self.tickets.rows, self.settings, "tickets")
        if rows is None:
            return 0
        columns = {name: name for name in table.schema.names}
        return write_table(self.tickets.connection, table, columns, f"({rows})", path)
