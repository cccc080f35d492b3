"""A little shop on a JSON file: what the tests of the command line read from and push to."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
from pydantic import Field, SecretStr

from hub.columns import to_arrow
from hub.destination import Destination, Operation, Outcome, OutcomeStatus, Target
from hub.errors import AuthError, RowError, StreamError
from hub.hookspecs import hookimpl
from hub.records import Customer, Identifier, IdentifierKind, Order, OrderLine
from hub.scorer import Inputs, Scorer, Trait, TraitFamily, TraitType
from hub.segments import Segment
from hub.source import Check, ConnectionConfig, CursorKind, Page, Source, Stream
from hub.titles import Title


class ShopConfig(ConnectionConfig):
    """Settings of a shop.

    Attributes:
        page_size: rows per page, as the shop's
            server hands them out.
    """

    file: str = Field(description="The shop's JSON file.")
    token: SecretStr = SecretStr("")
    page_size: int = 100
    noisy: bool = False


class Shop(Source):
    """Reads the file."""

    name = "shop"
    title = Title("小店", "Little shop")
    Config = ShopConfig

    def check(self) -> Sequence[Check]:
        path = self._path()
        return [Check("file can be read", path.is_file(), str(path.name))]

    def streams(self) -> Sequence[Stream]:
        return [
            Stream("customers", Customer, self._customers, CursorKind.ORDERED, Title("会员", "Members")),
            Stream("orders", Order, self._orders, CursorKind.ORDERED, Title("订单", "Orders")),
            Stream("bulk_orders", Order, self._bulk_orders, CursorKind.ORDERED),
        ]

    def _customers(self, state: Any) -> Iterator[Page]:
        if self.config.noisy:
            print("a plugin that prints")  # noqa: T201 - what a careless plugin does
        yield from self._pages("customers", state, to_customer)

    def _orders(self, state: Any) -> Iterator[Page]:
        if "orders" in self._read().get("refuses", ()):
            raise AuthError(f"The shop refuses the token {self.config.token.get_secret_value()}.")
        yield from self._pages("orders", state, to_order)

    def _bulk_orders(self, state: Any) -> Iterator[Page]:
        rows = [to_order(row) for row in self._read()["orders"] if "total" in row]
        if not state and rows:
            yield Page(tables=to_arrow(Order, rows), cursor={"done": True})

    def _pages(self, kind: str, state: Any, mapping: Any) -> Iterator[Page]:
        rows = self._read().get(kind, [])
        size = self.config.page_size
        for start in range(state.get("after", 0), len(rows), size):
            part = rows[start : start + size]
            yield Page.of(part, mapping, cursor={"after": start + len(part)}, location=f"shop.json/{kind}")

    def _read(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self._path().read_text(encoding="utf-8"))
        return found

    def _path(self) -> Path:
        return self.runtime.path(self.config.file)


def to_customer(row: dict[str, Any]) -> Customer:
    """Map a member."""
    phone = Identifier(kind=IdentifierKind.PHONE, value=row["phone"])
    member = Identifier(kind=IdentifierKind.MEMBER_NO, value=row["id"])
    cards = [Identifier(kind=IdentifierKind.CARD_NO, value=row["card"])] if "card" in row else []
    return Customer(
        source_id=row["id"],
        name=row["name"],
        identifiers=(member, phone, *cards),
        merged_into=row.get("merged_into"),
        extra={"备注": row.get("note", "")},
    )


def to_order(row: dict[str, Any]) -> Order:
    """Map an order."""
    if "total" not in row:
        raise RowError("The order has no total.", code="total_missing", context={"column": "total"})
    total = Decimal(row["total"])
    return Order(
        source_id=row["id"],
        ordered_at=dt.datetime.fromisoformat(row["at"]),
        customer_id=row.get("customer"),
        total_amount=total,
        lines=(OrderLine(name="茶", quantity=Decimal(2), net_amount=total),),
    )


class ShopTags(Destination):
    """Appends what it is told to a JSON-lines file; ``answers.json`` beside it says how it behaves."""

    name = "shop"
    title = Title("小店", "Little shop")
    Config = ShopConfig

    def check(self) -> Sequence[Check]:
        return [Check("tags can be written", ok=True)]

    def targets(self) -> Sequence[Target]:
        return [Target("tags", Title("标签", "Tags"), ("phone", "customer_id"), batch_size=10, description="Tags.")]

    def write(self, target: Target, operations: Iterable[Operation]) -> Iterator[Outcome]:
        folder = self.runtime.path(self.config.file).parent
        behaviour = folder / "behaviour"
        wanted = behaviour.read_text() if behaviour.exists() else "accept"
        if wanted == "gone":
            raise StreamError("The shop answered 410: it is gone.", code="endpoint_gone")
        for operation in operations:
            with (folder / "tags.jsonl").open("a", encoding="utf-8") as file:
                file.write(json.dumps({"key": operation.key, "kind": operation.kind}) + "\n")
            if wanted == "reject":
                yield Outcome(operation.id, OutcomeStatus.REJECTED, "frozen", "The member is frozen.")
            else:
                yield Outcome(operation.id, OutcomeStatus.ACCEPTED)


class Spending(Scorer):
    """What a customer has spent."""

    name = "spending"
    traits = (
        Trait(
            "spent",
            TraitType.AMOUNT,
            Title("累计消费", "Spent"),
            "CNY",
            "Sum of all orders.",
            "never bought",
            TraitFamily.SPENDING,
            ("orders.total_amount",),
        ),
        Trait("visits", TraitType.INTEGER, Title("到店次数", "Visits"), "", "Orders."),
    )

    def score(self, inputs: Inputs) -> str | pa.Table:
        return "SELECT customer_id, sum(net_amount) AS spent, count(*) AS visits FROM orders GROUP BY customer_id"


@hookimpl
def register_sources() -> Sequence[type[Source]]:
    return [Shop]


@hookimpl
def register_destinations() -> Sequence[type[Destination]]:
    return [ShopTags]


@hookimpl
def register_scorers() -> Sequence[type[Scorer]]:
    return [Spending]


@hookimpl
def register_segments() -> Sequence[Segment]:
    return [Segment("big_spenders", Title("高消费会员", "Big spenders"), "spent >= 100", description="The best ones.")]
