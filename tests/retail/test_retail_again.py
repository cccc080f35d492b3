"""A second run on one business day looks at changed customers only and gives what a full run gives, on a simulated chain."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import pytest

from hub.columns import to_arrow
from hub.context import Hub, open_hub
from hub.demo import open_demo
from hub.pipeline.ingest import ingest
from hub.pipeline.resolve import resolve
from hub.pipeline.score import score
from hub.records import Identifier, IdentifierKind, Order, OrderKind


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A chain of some months behind one platform, read and resolved."""
    folder = tmp_path_factory.mktemp("again") / "chain"
    with open_demo(folder, people=220, days=60, only=("youzan",)) as running, running.hub() as opened:
        ingest(opened)
        resolve(opened)
        yield opened


def everybody(hub: Hub, as_of: dt.datetime) -> dict[tuple[str, str], Any]:
    """The traits of a run that looks at all customers."""
    with hub.warehouse() as engine:
        engine.execute("DELETE FROM _progress WHERE stage = 'score_basis'")
    report = score(hub, as_of)
    assert report.scored == report.customers
    return traits(hub)


def traits(hub: Hub) -> dict[tuple[str, str], Any]:
    """What is known of each customer, by customer and trait.

    What is learnt of everybody is of the last run that scored all, and the facts changed here are older than it: what sells best
    (``reco_*``), and how many customers are missing to learn from (``*_method``), show from the next such run on.
    """
    with hub.warehouse() as engine:
        rows = engine.arrow("FROM traits ORDER BY customer_id").to_pylist()
    return {
        (row["customer_id"], name): value
        for row in rows
        for name, value in row.items()
        if not name.startswith("reco_") and not name.endswith("_method")
    }


def put(hub: Hub, *orders: Order) -> None:
    """Orders as a load leaves them, in place of those with the same number."""
    with hub.warehouse() as engine:
        for table, rows in to_arrow(Order, list(orders)).items():
            with engine.register({"given": rows}):
                engine.execute(
                    f"DELETE FROM {table} WHERE connection = 'youzan' AND source_id IN (SELECT source_id FROM given)"
                )
                more = ", hash(g) AS row_hash, 1 AS changed_seq" if table == "orders" else ""
                engine.execute(f"INSERT INTO {table} BY NAME SELECT 'youzan' AS connection{more}, g.* FROM given AS g")


def test_changed_orders_refunds_and_buyers_are_noticed_and_nothing_else_is_looked_at(hub: Hub) -> None:
    as_of = hub.now()
    everybody(hub, as_of)
    assert score(hub, as_of).scored == 0
    with hub.warehouse() as engine:
        buyers = engine.rows(
            """SELECT o.customer_id, o.source_id, o.ordered_at, o.total_amount FROM orders AS o JOIN links AS l
               ON l.connection = o.connection AND l.source_id = o.customer_id
               WHERE o.kind = 'sale' AND o.status IN ('paid', 'fulfilled') AND o.total_amount > 5
               ORDER BY o.ordered_at DESC, o.source_id LIMIT 40"""
        )
    who = list({buyer: (number, when, amount) for buyer, number, when, amount in buyers}.items())
    (anna, _), (bo, (sold, _, _)), (cy, (moved, moved_at, moved_amount)) = who[0], who[1], who[2]
    day = dt.timedelta(days=1)
    put(
        hub,
        Order(source_id="new", customer_id=anna, ordered_at=as_of - 2 * day, total_amount=31),
        # A refund that names no buyer lowers the order of whoever bought.
        Order(source_id="back", ordered_at=as_of - day, total_amount=-1, kind=OrderKind.REFUND, original_id=sold),
        Order(source_id=moved, customer_id=anna, ordered_at=moved_at, total_amount=moved_amount),
    )
    report = score(hub, as_of)
    with hub.warehouse() as engine:
        touched = engine.value(
            "SELECT count(DISTINCT customer_id) FROM links WHERE connection = 'youzan' AND source_id IN (?, ?, ?)",
            [anna, bo, cy],
        )
    assert report.scored == touched
    assert traits(hub) == everybody(hub, as_of)


def test_what_a_card_says_of_a_walk_in_counts(hub: Hub) -> None:
    as_of = hub.now()
    card = Identifier(kind=IdentifierKind.CARD_NO, value="K-1", scope="youzan")
    put(hub, Order(source_id="walk", ordered_at=as_of - dt.timedelta(days=3), total_amount=20, identifiers=(card,)))
    with hub.warehouse() as engine:
        profile = "youzan:~card_no:youzan:K-1"
        engine.execute(
            "INSERT INTO links BY NAME SELECT ? AS profile, 'youzan' AS connection, substr(?, 8) AS source_id, 'card' AS customer_id",
            [profile, profile],
        )
        engine.execute("INSERT INTO customers (customer_id) VALUES ('card')")
    everybody(hub, as_of)
    put(hub, Order(source_id="walk", ordered_at=as_of - dt.timedelta(days=9), total_amount=25, identifiers=(card,)))
    assert score(hub, as_of).scored == 1
    found = traits(hub)
    assert found == everybody(hub, as_of)
    with hub.warehouse() as engine:
        assert engine.rows("SELECT n_purchases, net_value_life FROM traits WHERE customer_id = 'card'") == [(1, 25)]


def test_a_hub_without_facts_scores_nobody(tmp_path: Path) -> None:
    (tmp_path / "hub.toml").write_text("", encoding="utf-8")
    with open_hub(tmp_path / "hub.toml") as empty:
        assert score(empty).scored == 0
