"""A shop whose members and tickets tests edit step by step, and what resolution makes of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from furnished import furnish
from toy import Feed, Toy, at

import identity
from hub.context import Hub
from hub.pipeline.ingest import ingest
from hub.pipeline.resolve import ResolveReport, resolve
from hub.records import Customer, Event, Identifier, IdentifierKind, Order, Record, Staff, Store
from hub.source import Page

FEEDS: dict[str, type[Record]] = {
    "members": Customer,
    "tickets": Order,
    "events": Event,
    "shops": Store,
    "staff": Staff,
}


def phone(number: int, **more: Any) -> Identifier:
    """A phone that belongs to nobody."""
    return Identifier(kind=IdentifierKind.PHONE, value=f"1540000{number:04}", **more)


def card(number: str) -> Identifier:
    """A membership card of the shop; its scope is left to the connection."""
    return Identifier(kind=IdentifierKind.CARD_NO, value=number)


def member(
    source_id: str, *identifiers: Identifier, name: str | None = None, minutes: float = 0, **more: Any
) -> Customer:
    """A profile as the shop knows it."""
    return Customer(source_id=source_id, name=name, identifiers=identifiers, updated_at=at(minutes), **more)


def ticket(
    source_id: str, *identifiers: Identifier, buyer: str | None = None, minutes: float = 0, **more: Any
) -> Order:
    """A ticket of one yuan."""
    return Order(
        source_id=source_id,
        ordered_at=at(0),
        updated_at=at(minutes),
        customer_id=buyer,
        identifiers=identifiers,
        total_amount=1,
        **more,
    )


@dataclass
class Street:
    """The shop and its hub.

    Attributes:
        hub: what resolves.
        toy: the platform.
        ids: where customers' ids come from: ``c1``, ``c2`` …
    """

    hub: Hub
    toy: Toy
    ids: identity.IdSource = field(default_factory=lambda: identity.sequential_ids("c", 1))

    @classmethod
    def open(cls, folder: Path, **settings: Any) -> Street:
        """A shop in which nothing has happened yet."""
        furnish(folder)
        feeds = {name: Feed(record, pages=[]) for name, record in FEEDS.items()}
        toy = Toy({"pos": feeds})
        return cls(toy.hub(folder, **settings), toy)

    def tell(self, *records: Record, gone: Iterable[str] = (), gone_tickets: Iterable[str] = ()) -> None:
        """Read these records, and that members or tickets are gone."""
        for name, kind in FEEDS.items():
            chosen = [record for record in records if isinstance(record, kind)]
            deletions = {"members": list(gone), "tickets": list(gone_tickets)}.get(name, [])
            if chosen or deletions:
                self.toy.feeds["pos"][name].pages.append(Page(records=chosen, deletions=deletions))  # type: ignore[attr-defined]
        report = ingest(self.hub)
        assert not report.failed
        assert report.load_error is None

    def resolve(self, *, full: bool = False) -> ResolveReport:
        """Resolve what changed, or everything."""
        return resolve(self.hub, full=full, new_ids=self.ids)

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """Rows of a query over the warehouse."""
        with self.hub.warehouse() as engine:
            return engine.rows(query)

    def groups(self) -> set[frozenset[str]]:
        """The profiles of each customer, by source id."""
        rows = self.rows("SELECT list(source_id) FROM links GROUP BY customer_id")
        return {frozenset(row[0]) for row in rows}

    def everything(self) -> dict[str, list[tuple[Any, ...]]]:
        """All that resolution has written."""
        tables = ("links", "customers", "customer_identifiers", "customer_fields", "customer_contacts")
        return {table: self.rows(f"FROM {table} ORDER BY ALL") for table in tables}
