"""Orders in a warehouse in memory, and the RFM scores of those who placed them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from hub.columns import to_arrow
from hub.records import Event, Order, OrderKind, Record
from hub.scorer import Inputs
from hub.warehouse.engine import DuckDBEngine
from hub.warehouse.inputs import scoring_inputs
from plugins.retail.config import RfmConfig
from plugins.retail.rfm import Rfm

ZONE = ZoneInfo("Asia/Shanghai")
TODAY = dt.datetime(2026, 4, 1, 10, 0, tzinfo=ZONE)
"""The as_of of most tests; windows end on 31 March."""


def days_ago(days: float) -> dt.datetime:
    """An instant so many days before :data:`TODAY`."""
    return TODAY - dt.timedelta(days=days)


def order(number: str, buyer: str | None, amount: str, days: float = 10, **more: Any) -> Order:
    """A paid ticket of so many yuan, so many days ago."""
    settings = {"ordered_at": days_ago(days), "total_amount": Decimal(amount), **more}
    return Order(source_id=number, customer_id=buyer, **settings)


def refund(number: str, of: str | None, amount: str, days: float = 5, buyer: str | None = "anna", **more: Any) -> Order:
    """A refund ticket; ``amount`` without sign."""
    return order(number, buyer, f"-{amount}", days, kind=OrderKind.REFUND, original_id=of, **more)


class Till:
    """A warehouse that tests fill; connection ``pos`` is the only one, and a buyer's id is his customer id."""

    def __init__(self, engine: DuckDBEngine) -> None:
        self.engine = engine

    def empty(self) -> None:
        """Forget everything."""
        for table in ("orders", "orders_lines", "orders_tenders", "orders_identifiers", "events", "links", "customers"):
            self.engine.execute(f"DELETE FROM {table}")

    def take(self, *records: Record) -> None:
        """Put records in, in place of those with the same source id, and link their buyers."""
        for kind in (Order, Event):
            chosen = [record for record in records if isinstance(record, kind)]
            if chosen:
                self._put(kind, chosen)
        self.engine.execute("DELETE FROM links")
        self.engine.execute(
            "INSERT INTO links BY NAME SELECT DISTINCT profile, connection, substr(profile, 5) AS source_id, "
            "substr(profile, 5) AS customer_id FROM temp.profile_keys WHERE profile IS NOT NULL"
        )

    def _put(self, kind: type[Record], records: Iterable[Record]) -> None:
        for table, rows in to_arrow(kind, list(records)).items():
            with self.engine.register({"given": rows}):
                self.engine.execute(f"DELETE FROM {table} WHERE source_id IN (SELECT source_id FROM given)")
                self.engine.execute(f"INSERT INTO {table} BY NAME SELECT 'pos' AS connection, * FROM given")

    def relation(self, query: str, as_of: dt.datetime = TODAY, cutoff: dt.time = dt.time.min) -> list[tuple[Any, ...]]:
        """What a scorer's query over its relations gives."""
        with scoring_inputs(self.engine, as_of, ZONE, cutoff):
            return self.engine.rows(query)

    def rfm(
        self, as_of: dt.datetime = TODAY, cutoff: dt.time = dt.time.min, **settings: Any
    ) -> dict[str, dict[str, Any]]:
        """The RFM traits of every buyer."""
        with scoring_inputs(self.engine, as_of, ZONE, cutoff) as day:
            inputs = Inputs(as_of, day, RfmConfig(**settings), self.engine.arrow)
            rows = self.engine.arrow(f"FROM ({Rfm().score(inputs)}) ORDER BY customer_id").to_pylist()
        return {row.pop("customer_id"): row for row in rows}
