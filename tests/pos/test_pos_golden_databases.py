"""The golden tickets through each preset, from tables built after what is known of the systems' columns."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

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
from pos.pos_rig import Chain, stored

from hub.records import Customer, Order
from plugins.pos import database


@dataclass(frozen=True)
class System:
    """One kind of till: its tables, and what it has no place for."""

    schema: sa.MetaData
    rows: Rows
    shows: Callable[[Sequence[Ticket]], Sequence[Ticket]]
    lacks: tuple[str, ...]
    settings: str = ""
    number_of: Callable[[Order], str | None] = lambda order: order.number


SYSTEMS = {
    "ospos": System(OSPOS, ospos_rows, list, ("line_kinds", "sets", "options", "originals")),
    "unicenta": System(
        UNICENTA, unicenta_rows, reversed_instead_of_void, ("line_kinds", "sets", "options", "originals", "methods"),
        f'constants = {{ store_id = "{STORE}" }}', number_of=lambda order: f"T{order.number}",
    ),
    "siss": System(SISS, siss_rows, reversed_instead_of_void, ("sets", "options")),
}  # fmt: skip


@pytest.fixture
def chain_of(tmp_path: Path) -> Iterator[Callable[[str], Chain]]:
    opened: list[Chain] = []

    def make(name: str, more: str = "", url: str = "sqlite:///till.db") -> Chain:
        settings = f'url = "{url}"\nmapping = "{name}"\n{SYSTEMS[name].settings}\n{more}'
        opened.append(Chain(tmp_path, "pos.database", database, settings))
        return opened[-1]

    yield make
    for each in opened:
        each.close()


def put(engine: sa.Engine, system: System, read: int) -> Sequence[Ticket]:
    """Make the database as it stands at a read; what the till shows of the golden tickets."""
    shown = system.shows(tickets(read))
    fill(engine, system.schema, system.rows(shown))
    return [ticket for ticket in shown if ticket.place <= 24]


def compared(chain: Chain, system: System, shown: Sequence[Ticket]) -> list[str]:
    orders = stored(chain.hub, Order)
    return differences(
        orders, shown, customers=stored(chain.hub, Customer), lacks=system.lacks, number_of=system.number_of
    )


@pytest.mark.parametrize("name", SYSTEMS)
def test_the_golden_tickets_through_a_preset(name: str, chain_of: Callable[..., Chain], tmp_path: Path) -> None:
    system = SYSTEMS[name]
    engine = sa.create_engine(f"sqlite:///{tmp_path / 'till.db'}")
    shown = put(engine, system, 1)
    chain = chain_of(name, "page_tickets = 5")
    chain.read(FIRST_READ)
    assert "\n".join(compared(chain, system, shown)) == ""
    assert revenue(stored(chain.hub, Order)) == expected_revenue(1)
    shown = put(engine, system, 2)
    chain.read(SECOND_READ)
    assert "\n".join(compared(chain, system, shown)) == ""
    assert revenue(stored(chain.hub, Order)) == expected_revenue(2)
    engine.dispose()
