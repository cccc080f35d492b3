"""Who paid a ticket how: columns that name a method, columns that are one, and the change."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from plugins.files.mapping.headers import normal_header
from plugins.files.reading.expressions import literal
from plugins.files.reading.tickets import Tickets, tolerance
from plugins.files.reading.typed import TypedRows, word_case

__all__ = ["collect_payments"]

_NAMED: Final = 1000
"""Place of the first payment that is named in a row, after the columns that are payments."""
_JOINED: Final = "[+＋&、,，;；]"
_LAST: Final = 1 << 60
"""Place of the change."""


def collect_payments(tickets: Tickets) -> None:
    """Make the table ``payments``: one row per payment of a ticket, in the order of the file.

    Needs the view ``settled``: how a payment is read depends on what comes to the ticket's total.
    """
    run = tickets.connection.execute
    run(
        "CREATE TABLE payments (key VARCHAR, place BIGINT, text VARCHAR, method VARCHAR, amount DECIMAL(18,4), reference VARCHAR)"
    )
    for query in _Payments(tickets).queries():
        run(f"INSERT INTO payments {query}")


@dataclass(frozen=True)
class _Payments:
    tickets: Tickets

    @property
    def rows(self) -> TypedRows:
        return self.tickets.rows

    def queries(self) -> list[str]:
        return [*self._pivoted(), *self._named(), *self._change()]

    def _pivoted(self) -> list[str]:
        """A column per payment method: its amounts stand once per ticket, or belong to the lines and are added up."""
        columns = self.rows.header.tenders
        if not columns:
            return []
        methods = {
            normal_header(header): method.value for header, method in self.tickets.profile.tender_columns.items()
        }
        once = ", ".join(
            f"arg_min(t{column}, rid) AS a{column}, sum(t{column}) AS s{column}" for column in columns.values()
        )
        added, alone = (" + ".join(f"coalesce({mark}{column}, 0)" for column in columns.values()) for mark in "sa")
        off = tolerance("n")
        summed = f"abs(abs({alone}) - abs(total)) > {off} AND abs(abs({added}) - abs(total)) <= {off}"
        source = (
            f"(SELECT *, {summed} AS add_up FROM (SELECT key, {once} FROM kept GROUP BY key) JOIN settled USING (key))"
        )
        return [
            f"SELECT key, {column} AS place, {literal(header)}, {literal(methods[normal_header(header)])}, "
            f"{_returned(f'CASE WHEN add_up THEN s{column} ELSE a{column} END')}, NULL FROM {source} WHERE coalesce(a{column}, 0) <> 0"
            for header, column in columns.items()
        ]

    def _named(self) -> list[str]:
        """A column that names the payment method, with or without an amount of its own."""
        if not self.rows.has("tender"):
            return []
        words = {word: kind.value for word, kind in self.tickets.profile.tenders.items()}
        grouped = self._with_amounts() if self.rows.has("tender_amount") else self._without_amounts()
        # 微信+储值卡 in one cell does not tell which part was paid how.
        several = f"regexp_matches(text, {literal(_JOINED)})"
        method = f"CASE WHEN {several} THEN 'other' ELSE {word_case('text', words, literal('other'))} END"
        return [f"SELECT key, {_NAMED} + first, text, {method}, {_returned('amount')}, reference FROM ({grouped})"]

    def _with_amounts(self) -> str:
        """Payments repeated on every line of the ticket count once, unless only their sum over all rows comes to the total."""
        off, window = tolerance("n"), "OVER (PARTITION BY key)"
        once, summed = f"sum(amount) {window}", f"sum(amount * times) {window}"
        add_up = f"abs(abs({once}) - abs(total)) > {off} AND abs(abs({summed}) - abs(total)) <= {off}"
        return (
            f"SELECT key, text, reference, first, all_returned, CASE WHEN {add_up} THEN amount * times ELSE amount END AS amount "
            f"FROM ({self._payment_rows(self.rows.column('tender_amount'))}) JOIN settled USING (key) WHERE amount IS NOT NULL"
        )

    def _without_amounts(self) -> str:
        """One method paid it all; of several, each paid the rows it stands on. A cross product does not tell who paid what."""
        own = self.tickets.of_ticket("amount") if self.tickets.paid_in_rows else "line_net"
        mixed = "key IN (SELECT key FROM crossed)" if self.tickets.items and "tender" in self.rows.fields else "false"
        first = "min(first) = min(min(first)) OVER (PARTITION BY key)"
        return (
            "SELECT key, text, arg_min(reference, first) AS reference, min(first) AS first, bool_and(all_returned) AS all_returned, "
            f"CASE WHEN count(*) OVER (PARTITION BY key) = 1 OR ({mixed} AND {first}) THEN any_value(total) WHEN {mixed} THEN 0 "
            f"ELSE sum(amount * times) END AS amount FROM ({self._payment_rows(own)}) JOIN settled USING (key) GROUP BY key, text"
        )

    def _payment_rows(self, amount: str) -> str:
        text = self.rows.column("tender")
        return (
            f"SELECT key, {text} AS text, {amount} AS amount, {self.rows.column('tender_reference')} AS reference, min(rid) AS first, "
            f"count(*) AS times FROM kept WHERE {text} IS NOT NULL GROUP BY ALL"
        )

    def _change(self) -> list[str]:
        """找零 is money out: what was paid less what was given back is the total."""
        if "change_amount" not in self.rows.fields:
            return []
        change = self.rows.column("change_amount")
        return [f"SELECT key, {_LAST}, '找零', 'cash', -abs({change}), NULL FROM tickets WHERE {change} <> 0"]


def _returned(amount: str) -> str:
    return f"CASE WHEN all_returned THEN -abs({amount}) ELSE {amount} END"
