"""Orders in a warehouse in memory, and the traits of those who placed them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa

from hub.columns import to_arrow
from hub.records import Event, Feedback, Order, OrderKind, Record
from hub.scorer import Inputs, Scorer
from hub.warehouse.engine import DuckDBEngine
from hub.warehouse.inputs import scoring_inputs
from plugins.retail.scorer import Retail

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


_RFM = (
    "first_order_date",
    "last_order_date",
    "orders_life",
    "net_value_life",
    "rfm_r_days",
    "rfm_f",
    "rfm_m",
    "rfm_r_score",
    "rfm_f_score",
    "rfm_m_score",
    "rfm_code",
)


class Till:
    """A warehouse that tests fill; connection ``pos`` is the only one, and a buyer's id is his customer id."""

    def __init__(self, engine: DuckDBEngine) -> None:
        self.engine = engine

    def empty(self) -> None:
        """Forget everything."""
        for table in (
            "orders",
            "orders_lines",
            "orders_tenders",
            "orders_identifiers",
            "events",
            "feedback",
            "links",
            "profiles",
            "customers",
        ):
            self.engine.execute(f"DELETE FROM {table}")

    def take(self, *records: Record) -> None:
        """Put records in, in place of those with the same source id, and link their buyers."""
        for kind in (Order, Event, Feedback):
            chosen = [record for record in records if isinstance(record, kind)]
            if chosen:
                self._put(kind, chosen)
        self.engine.execute("DELETE FROM links")
        self.engine.execute(
            "INSERT INTO links BY NAME SELECT DISTINCT profile, connection, substr(profile, 5) AS source_id, "
            "substr(profile, 5) AS customer_id FROM temp.profile_keys WHERE profile IS NOT NULL"
        )
        self.engine.execute("DELETE FROM customers")
        self.engine.execute("INSERT INTO customers BY NAME SELECT DISTINCT customer_id FROM links")

    def _put(self, kind: type[Record], records: Iterable[Record]) -> None:
        for table, rows in to_arrow(kind, list(records)).items():
            with self.engine.register({"given": rows}):
                self.engine.execute(f"DELETE FROM {table} WHERE source_id IN (SELECT source_id FROM given)")
                self.engine.execute(f"INSERT INTO {table} BY NAME SELECT 'pos' AS connection, * FROM given")

    def relation(self, query: str, as_of: dt.datetime = TODAY, cutoff: dt.time = dt.time.min) -> list[tuple[Any, ...]]:
        """What a scorer's query over its relations gives."""
        with scoring_inputs(self.engine, as_of, ZONE, cutoff):
            return self.engine.rows(query)

    def traits(
        self, as_of: dt.datetime = TODAY, cutoff: dt.time = dt.time.min, also: Sequence[type[Scorer]] = (), **rules: Any
    ) -> dict[str, dict[str, Any]]:
        """The traits of every customer, by the retail scorer under these rules and by others that need it."""
        retail = Retail.Config.model_validate(rules)
        found: dict[str, dict[str, Any]] = {}
        with scoring_inputs(self.engine, as_of, ZONE, cutoff, Retail().valid_orders(retail)) as day:
            for kind in (Retail, *also):
                config = retail if kind is Retail else kind.Config()
                inputs = Inputs(as_of, day, config, self.engine.arrow, {"retail": retail})
                for row in self._scored(kind(), inputs):
                    found.setdefault(row.pop("customer_id"), {}).update(row)
        return found

    def _scored(self, scorer: Scorer, inputs: Inputs) -> list[dict[str, Any]]:
        for name, sql in scorer.tables(inputs).items():
            self._make(name, sql)
        for name, relation in scorer.population(inputs).items():
            self._make(name, relation)
        for name, sql in scorer.parts(inputs).items():
            self._make(name, sql)
        self._make(f"score_{scorer.name}", scorer.score(inputs))
        return self.engine.arrow(f"FROM score_{scorer.name} ORDER BY customer_id").to_pylist()

    def _make(self, name: str, relation: str | pa.Table) -> None:
        if isinstance(relation, str):
            self.engine.execute(f"CREATE TABLE scoring.inputs.{name} AS {relation}")
            return
        with self.engine.register({"given": relation}):
            self.engine.execute(f"CREATE TABLE scoring.inputs.{name} AS FROM given")

    def rfm(self, as_of: dt.datetime = TODAY, cutoff: dt.time = dt.time.min, **rfm: Any) -> dict[str, dict[str, Any]]:
        """The RFM traits of every buyer."""
        found = self.traits(as_of, cutoff, rfm=rfm)
        return {who: {name: row[name] for name in _RFM} for who, row in found.items() if row["rfm_r_days"] is not None}
