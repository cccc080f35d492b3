"""Rows of a ticket file put in order: which amounts are the line's, signs, what a line comes to, one row per ticket.

The steps are SQL views over the typed rows; nothing is held in Python. See §3 of the plugin's README for the rules.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import duckdb

from plugins.files.mapping.fields import ITEM_FIELDS, Kind, Level
from plugins.files.mapping.profile import AmountLevel, Profile
from plugins.files.reading.errors import RejectedFileError
from plugins.files.reading.expressions import identifier
from plugins.files.reading.typed import TypedRows

__all__ = ["SPECIAL_KINDS", "Tickets", "tolerance"]

SPECIAL_KINDS: Final = ("exchange", "deposit", "adjustment", "wholesale", "staff")
"""Kinds a type column can give to a whole ticket whatever the signs of its lines."""

_AMOUNTS: Final = frozenset({Kind.MONEY, Kind.NUMBER})

_CERTAIN: Final = 0.9
"""Share of the tickets that must agree on whose amounts a column holds."""


def tolerance(lines: str) -> str:
    """Return the SQL of what a ticket's sums may differ by: one fen per line."""
    return f"0.01 * greatest({lines}, 1)"


@dataclass
class Tickets:
    """The tickets of one file on their way.

    Attributes:
        connection: DuckDB session of the file.
        rows: the typed rows.
        profile: the mapping.
        shown: the file's name for messages.
        amounts: whose ``amount``, ``discount`` and ``gross`` are.
    """

    connection: duckdb.DuckDBPyConnection
    rows: TypedRows
    profile: Profile
    shown: str
    amounts: AmountLevel = AmountLevel.AUTO

    @property
    def items(self) -> bool:
        """Whether the rows are lines of tickets; else each row is a whole ticket."""
        return any(self.rows.has(name) for name in ITEM_FIELDS)

    @property
    def paid_in_rows(self) -> bool:
        """Whether each row of a ticket without lines is one of its payments."""
        return not self.items and self.rows.has("tender") and not self.rows.has("tender_amount")

    def prepare(self) -> None:
        """Define the views ``good``, ``priced`` and ``kept`` and the empty tables ``refused`` and ``repeated``.

        Raises:
            RejectedFileError: it cannot be told whose amounts the file holds.
        """
        run = self.connection.execute
        run(f"CREATE VIEW good AS SELECT * FROM {self.rows.source} WHERE status IS NULL")
        self.amounts = self._amount_level()
        run(f"CREATE VIEW priced AS {self._priced()}")
        run("CREATE TABLE refused (rid BIGINT, code VARCHAR, field VARCHAR, other BIGINT)")
        run("CREATE TABLE repeated (rid BIGINT)")
        self.refresh()

    def refresh(self) -> None:
        """Leave refused and repeated rows out of ``kept`` (all rows that count) and ``lines`` (each line once)."""
        run = self.connection.execute
        refused = "WHERE rid NOT IN (SELECT rid FROM refused)" if self._any("refused") else ""
        repeated = "WHERE rid NOT IN (SELECT rid FROM repeated)" if self._any("repeated") else ""
        run(f"CREATE OR REPLACE VIEW kept AS SELECT * FROM priced {refused}")
        run(f"CREATE OR REPLACE VIEW lines AS SELECT * FROM kept {repeated}")

    def gather(self) -> None:
        """Make the table ``tickets``: one row per ticket with what its rows say of it.

        Numbers are gathered from all rows. Texts are taken from the row where they first stand, which needs no memory per
        ticket and text: nearly always that is the ticket's first row.
        """
        run = self.connection.execute
        run(f"CREATE OR REPLACE TABLE gathered AS SELECT {', '.join(self._gathered())} FROM lines GROUP BY key")
        texts = [name for name in self._texts() if not self._first_elsewhere(name)]
        elsewhere = [name for name in self._texts() if name not in texts]
        taken = ", ".join(f"first.{column}" for column in [*map(identifier, texts), "time_text", *self._unknown()])
        late = "".join(f", late_{name}.{identifier(name)}" for name in elsewhere)
        joins = "".join(f" LEFT JOIN lines late_{name} ON late_{name}.rid = g.rid_{name}" for name in elsewhere)
        run(
            f"CREATE OR REPLACE TABLE tickets AS SELECT g.*, {taken}{late} FROM gathered g "
            f"JOIN lines first ON first.rid = g.first_rid{joins}"
        )

    def _texts(self) -> list[str]:
        """Fields of the ticket that are no amounts."""
        return [
            name
            for name, field in self.rows.fields.items()
            if field.level is Level.TICKET
            and field.kind not in _AMOUNTS
            and name != self.rows.key_field
            and not name.startswith(("ordered_", "tender"))
        ]

    def _first_elsewhere(self, name: str) -> bool:
        """Whether some ticket has a text not on its first row, but on a later one."""
        row = self.connection.execute(f"SELECT bool_or(rid_{name} <> first_rid) FROM gathered").fetchone()
        return bool(row and row[0])

    def _any(self, table: str) -> bool:
        row = self.connection.execute(f"SELECT count(*) FROM {table}").fetchone()
        return bool(row and row[0])

    def _amount_level(self) -> AmountLevel:
        if not self.items:
            return AmountLevel.TICKET
        if self.profile.amounts is not AmountLevel.AUTO:
            return self.profile.amounts
        if "amount" not in self.rows.fields:
            return AmountLevel.LINE
        line, ticket = self._votes()
        if line + ticket == 0 or line >= _CERTAIN * (line + ticket):
            return AmountLevel.LINE
        if ticket >= _CERTAIN * (line + ticket):
            return AmountLevel.TICKET
        header = self.rows.header.name_of("amount")
        raise RejectedFileError(
            f"{self.shown}: it cannot be told whether {header} is the amount of the line or of the ticket: {line} tickets "
            f"look like the one, {ticket} like the other.",
            code="amounts_unclear",
            hint='Say so in the mapping: amounts = "line" or amounts = "ticket".',
        )

    def _votes(self) -> tuple[int, int]:
        """Count the tickets of several rows whose amounts look like the line's, and like the ticket's.

        Amounts that differ within a ticket are the lines'; one on the first row only is the ticket's; the same one on all
        rows is whichever is closer to price × quantity.
        """
        worth = f"sum(coalesce({self.rows.column('quantity')}, 1) * {self._price()})"
        row = self.connection.execute(
            "SELECT count(*) FILTER (vote = 'line'), count(*) FILTER (vote = 'ticket') FROM (SELECT CASE "
            "WHEN least <> most THEN 'line' WHEN filled = 1 THEN 'ticket' "
            "WHEN abs(abs(worth) - abs(n * least)) < abs(abs(worth) - abs(least)) THEN 'line' "
            "WHEN abs(abs(worth) - abs(n * least)) > abs(abs(worth) - abs(least)) THEN 'ticket' END AS vote "
            f"FROM (SELECT count(*) AS n, count(amount) AS filled, min(amount) AS least, max(amount) AS most, {worth} AS worth "
            "FROM good GROUP BY key HAVING n > 1 AND filled > 0))"
        ).fetchone()
        return (int(row[0]), int(row[1])) if row else (0, 0)

    def of_line(self, name: str) -> str:
        """Return the SQL of a line's own amount, discount or gross."""
        return self._amount(f"line_{name}", name, AmountLevel.LINE)

    def of_ticket(self, name: str) -> str:
        """Return the SQL of a ticket's amount, discount or gross on one of its rows."""
        return self._amount(f"total_{name}", name, AmountLevel.TICKET)

    def _amount(self, sure: str, shared: str, level: AmountLevel) -> str:
        names = [sure, *([shared] if self.amounts is level else [])]
        present = [self.rows.column(name) for name in names if self.rows.has(name)]
        return f"coalesce({', '.join(present)})" if present else "NULL::DECIMAL(18,4)"

    def _price(self) -> str:
        present = [self.rows.column(name) for name in ("unit_price", "list_price") if self.rows.has(name)]
        return f"coalesce({', '.join(present)})" if present else "NULL::DECIMAL(18,4)"

    def _priced(self) -> str:
        """Return the SQL of the good rows with signs set right and the line's amounts worked out."""
        refund = "coalesce(row_kind = 'refund', false)" if "kind" in self.rows.fields else "false"
        if not self.items:
            negative = f"{refund} OR coalesce({self.of_ticket('amount')} < 0, false)"
            return f"SELECT *, {negative} AS is_return, NULL::DECIMAL(18,4) AS line_net FROM good"
        quantity = f"coalesce({self.rows.column('quantity')}, 1)"
        source = f"SELECT *, {refund} AS says_refund, {quantity} AS pieces, {self._price()} AS price, {self._given()} FROM good"
        signed = f"SELECT *, {self._line_quantity()} AS line_quantity FROM ({source})"
        returned = f"SELECT *, line_quantity < 0 AS is_return FROM ({signed})"
        before = f"SELECT *, {self._worth()} AS line_worth, {self._off()} AS line_off FROM ({returned})"
        return f"SELECT *, {self._net()} AS line_net FROM ({before})"

    def _given(self) -> str:
        """What the file itself says a line comes to, is reduced by, and was worth."""
        return ", ".join(f"{self.of_line(name)} AS given_{name}" for name in ("amount", "discount", "gross"))

    def _knows(self, name: str) -> bool:
        return not self.of_line(name).startswith("NULL")

    def _line_quantity(self) -> str:
        # Goods that came back may be written as one piece for minus its price.
        negative = "WHEN pieces > 0 AND given_amount < 0 AND price > 0 THEN -pieces" if self._knows("amount") else ""
        refund = "WHEN says_refund THEN -abs(pieces)" if "kind" in self.rows.fields else ""
        return f"CASE {refund} {negative} ELSE pieces END" if refund or negative else "pieces"

    def _worth(self) -> str:
        """Before any discount: what the file says, else price × quantity, rounded as the profile says."""
        product = self._rounded("line_quantity * price")
        return f"coalesce({self._signed('given_gross')}, {product})" if self._knows("gross") else product

    def _rounded(self, product: str) -> str:
        amount = f"TRY_CAST({product} AS DECIMAL(18,{self.profile.decimals}))"
        return amount if self.profile.decimals == 4 else f"TRY_CAST({amount} AS DECIMAL(18,4))"

    def _off(self) -> str:
        off = "CASE WHEN is_return THEN -abs(given_discount) ELSE abs(given_discount) END"
        return off if self._knows("discount") else "NULL::DECIMAL(18,4)"

    def _net(self) -> str:
        """What counts: the line's own amount, else its worth less its discount, else its worth at its rate."""
        options = [self._signed("given_amount")] if self._knows("amount") else []
        if self._knows("discount"):
            options.append("line_worth - line_off")
        options.append(self._rounded(f"line_worth * ({self._rate()})") if self._rated else "line_worth")
        if "kind" in self.rows.fields:
            options.append("CASE WHEN row_kind = 'gift' THEN 0 END")
        net = f"coalesce({', '.join(options)})" if len(options) > 1 else options[0]
        return f"TRY_CAST({net} AS DECIMAL(18,4))"

    @staticmethod
    def _signed(name: str) -> str:
        """A return's amounts are negative, however they were written; a negative price keeps its meaning."""
        return f"CASE WHEN is_return AND coalesce(price, 0) >= 0 THEN -abs({name}) ELSE {name} END"

    @property
    def _rated(self) -> bool:
        return self.rows.has("discount_rate")

    def _rate(self) -> str:
        """0.9, 9 (折) and 90 (%) are all nine tenths; none and 0 mean no discount."""
        rate = self.rows.column("discount_rate")
        return (
            f"CASE WHEN coalesce({rate}, 0) = 0 THEN 1.0 WHEN {rate} <= 1 THEN {rate} WHEN {rate} <= 10 THEN {rate} * 0.1 "
            f"ELSE {rate} * 0.01 END"
        )

    def _gathered(self) -> list[str]:
        amounts = [
            f"arg_min({identifier(name)}, rid) AS {identifier(name)}"
            for name, field in self.rows.fields.items()
            if field.level is Level.TICKET and field.kind in _AMOUNTS and not name.startswith(("tender", "total_"))
        ]
        firsts = [f"min(CASE WHEN {identifier(name)} IS NOT NULL THEN rid END) AS rid_{name}" for name in self._texts()]
        everything = f"hash({', '.join(self._unknown())})" if self._unknown() else "0"
        gathered = [
            "key", "min(rid) AS first_rid", "max(rid) AS last_rid", "count(*) AS n", "min(ts) AS ts", "max(ts) AS last_ts",
            "bool_and(is_return) AS all_returned", "bool_or(is_return) AS any_returned", "sum(line_net) AS net_sum",
            "count(*) - count(line_net) AS unpriced", *amounts, *firsts, *self._ticket_amounts(), *self._kinds(),
            f"min({everything}) <> max({everything}) AS varies", f"{self._contradiction()} AS contradicts",
        ]  # fmt: skip
        if self.items:
            gathered += [
                "sum(line_worth) AS worth_sum",
                "sum(line_off) AS off_sum",
                "count(given_amount) = 0 AS computed",
            ]
        return gathered

    def _ticket_amounts(self) -> list[str]:
        """Ticket-level amounts stand on every row, or on the first one only: the first there is counts."""
        amount = f"arg_min({self.of_ticket('amount')}, rid)"
        if self.paid_in_rows:
            amount = f"CASE WHEN min({self.rows.column('tender')}) <> max({self.rows.column('tender')}) THEN sum({self.of_ticket('amount')}) ELSE {amount} END"
        others = [f"arg_min({self.of_ticket(name)}, rid) AS ticket_{name}" for name in ("discount", "gross")]
        return [f"{amount} AS ticket_amount", *others]

    def _kinds(self) -> list[str]:
        if "kind" not in self.rows.fields:
            return ["NULL::VARCHAR AS special_kind", "false AS voided"]
        kinds = ", ".join(f"'{kind}'" for kind in SPECIAL_KINDS)
        return [
            f"arg_min(CASE WHEN row_kind IN ({kinds}) THEN row_kind END, rid) AS special_kind",
            "coalesce(bool_or(row_kind = 'void'), false) AS voided",
        ]

    def _unknown(self) -> list[str]:
        return [f"u{column}" for column in self.rows.header.unknown.values()] if self.profile.unknown == "extra" else []

    def _contradiction(self) -> str:
        """Return the SQL that says whether rows of one ticket number cannot be of one ticket."""
        hours = self.profile.same_ticket_hours
        tests = [f"max(ts) - min(ts) > to_seconds({hours * 3600})"]
        for name in self.one_per_ticket():
            known = f"FILTER ({name} IS NOT NULL)"
            tests.append(f"min(hash({name})) {known} <> max(hash({name})) {known}")
        return f"coalesce({' OR '.join(tests)}, false)"

    def one_per_ticket(self) -> list[str]:
        """Return the SQL of what can be one thing only within a ticket: where it was sold and what it came to."""
        known = [name for name in ("store_id", "store_name", "register_id") if name in self.rows.fields]
        names = [self.rows.column(name) for name in known]
        amount = self.of_ticket("amount")
        return names if self.paid_in_rows or amount.startswith("NULL") else [*names, amount]
