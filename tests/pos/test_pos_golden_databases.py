"""The golden tickets through each preset, from tables built after what is known of the systems' columns."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from pos.golden_tickets import FIRST_READ, SECOND_READ, STORE, Ticket, differences, expected_revenue, revenue, tickets
from pos.pos_databases import (
    OSPOS,
    SISS,
    UNICENTA,
    Rows,
    fill,
    ospos_rows,
    reversed_instead_of_void,
    siss_rows,
    unicenta_rows,
)
from pos.pos_rig import Chain, Direct, stored

from hub.records import Customer, Order
from plugins.pos import database
from plugins.pos.database.source import DatabaseSource


@dataclass(frozen=True)
class System:
    """One kind of till: its tables, and what it has no place for."""

    schema: sa.MetaData
    rows: Rows
    shows: Callable[[Sequence[Ticket]], Sequence[Ticket]]
    lacks: tuple[str, ...]
    settings: Mapping[str, Any] = field(default_factory=dict)
    number_of: Callable[[Order], str | None] = lambda order: order.number


SYSTEMS = {
    "ospos": System(OSPOS, ospos_rows, list, ("line_kinds", "sets", "options", "originals")),
    "unicenta": System(
        UNICENTA, unicenta_rows, reversed_instead_of_void, ("line_kinds", "sets", "options", "originals", "methods"),
        {"constants": {"store_id": STORE}}, number_of=lambda order: f"T{order.number}",
    ),
    "siss": System(SISS, siss_rows, reversed_instead_of_void, ("sets", "options")),
}  # fmt: skip


def put(engine: sa.Engine, system: System, read: int) -> Sequence[Ticket]:
    """Make the database as it stands at a read; what the till shows of the golden tickets."""
    shown = system.shows(tickets(read))
    fill(engine, system.schema, system.rows(shown))
    return [ticket for ticket in shown if ticket.place <= 24]


def compared(till: Direct, system: System, shown: Sequence[Ticket]) -> str:
    orders, customers = till.records["orders"].values(), till.records["customers"].values()
    return "\n".join(differences(orders, shown, customers=customers, lacks=system.lacks, number_of=system.number_of))


def till_of(name: str, folder: Path, **settings: Any) -> Direct:
    given = {"url": "sqlite:///till.db", "mapping": name, **SYSTEMS[name].settings, **settings}
    return Direct(folder, DatabaseSource, **given)


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[sa.Engine]:
    engine = sa.create_engine(f"sqlite:///{tmp_path / 'till.db'}")
    yield engine
    engine.dispose()


def read_twice(till: Direct, system: System, engine: sa.Engine) -> None:
    """Both reads of the acceptance set, compared to the fen."""
    for read, at in ((1, FIRST_READ), (2, SECOND_READ)):
        shown = put(engine, system, read)
        till.read(at, "customers")
        till.read(at)
        assert compared(till, system, shown) == ""
        assert revenue(till.records["orders"].values()) == expected_revenue(read)
    till.close()


@pytest.mark.parametrize("name", SYSTEMS)
def test_the_golden_tickets_through_a_preset(name: str, engine: sa.Engine, tmp_path: Path) -> None:
    read_twice(till_of(name, tmp_path), SYSTEMS[name], engine)


@pytest.mark.parametrize("name", SYSTEMS)
def test_small_pages_make_no_difference(name: str, engine: sa.Engine, tmp_path: Path) -> None:
    read_twice(till_of(name, tmp_path, page_tickets=5, fetch_rows=3), SYSTEMS[name], engine)


def test_a_whole_hub_stores_the_golden_tickets_of_a_database(engine: sa.Engine, tmp_path: Path) -> None:
    system = SYSTEMS["siss"]
    chain = Chain(tmp_path, "pos.database", database, 'url = "sqlite:///till.db"\nmapping = "siss"')
    for read, at in ((1, FIRST_READ), (2, SECOND_READ)):
        shown = put(engine, system, read)
        chain.read(at)
        orders = stored(chain.hub, Order)
        assert differences(orders, shown, customers=stored(chain.hub, Customer), lacks=system.lacks) == []
        assert revenue(orders) == expected_revenue(read)
    chain.close()
