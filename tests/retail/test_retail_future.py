"""Scores through a whole hub: what comes after as_of changes no byte, and what is left out is counted."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from toy import Feed, Toy, member

import plugins.retail
from hub.context import Hub, open_hub
from hub.pipeline.ingest import ingest
from hub.pipeline.resolve import resolve
from hub.pipeline.score import score
from hub.records import Customer, Event, Feedback, Order, OrderKind, OrderLine, OrderStatus, Product
from hub.source import Page

AS_OF = dt.datetime(2026, 4, 1, 10, 0, tzinfo=dt.timezone(dt.timedelta(hours=8)))
PEOPLE, PRODUCTS = 60, 12


def _moment(days: float) -> dt.datetime:
    return AS_OF + dt.timedelta(days=float(days))


def _order(number: str, who: int, days: float, product: int, **more: Any) -> Order:
    line = OrderLine(
        product_id=f"P{product}", name=f"Tea {product}", quantity=Decimal(1), net_amount=Decimal(20 + product)
    )
    settings: dict[str, Any] = {"total_amount": Decimal(20 + product), **more}
    return Order(source_id=number, customer_id=f"m{who}", ordered_at=_moment(days), lines=(line,), **settings)


def _business(name: str, first: float, last: float, count: int) -> dict[str, list[Any]]:
    """So many orders between two days from as_of, with refunds, views, coupons and answers among them."""
    draw = np.random.default_rng(len(name))
    days = np.sort(draw.uniform(first, last, count)).tolist()
    whose, what = draw.integers(0, PEOPLE, count).tolist(), draw.integers(0, PRODUCTS, count).tolist()
    drawn = list(zip(range(count), whose, days, what, strict=True))
    orders = [_order(f"{name}{n}", who, day, product) for n, who, day, product in drawn]
    kinds = ("product.viewed", "coupon.used", "points.changed", "message.opened")
    events = [
        Event(source_id=f"{name}e{n}", type=kinds[n % 4], customer_id=f"m{who}", occurred_at=_moment(day), subject_id=f"P{product}", amount=Decimal(n % 7 - 3))
        for n, who, day, product in drawn[::3]
    ]  # fmt: skip
    answers = [
        Feedback(source_id=f"{name}f{n}", type="nps", customer_id=f"m{who}", occurred_at=_moment(day), score=Decimal(n % 11))
        for n, who, day, _ in drawn[::9]
    ]  # fmt: skip
    return {"orders": orders, "events": events, "answers": answers}


@pytest.fixture(scope="module")
def toy() -> Toy:
    """A chain of sixty members with half a year of business."""
    past = _business("past", -180, -1, 600)
    kinds = {"orders": Order, "events": Event, "answers": Feedback}
    feeds = {name: Feed(kinds[name], [Page(records=records)]) for name, records in past.items()}
    feeds["members"] = Feed(Customer, [Page(records=[member(f"m{n}", f"Member {n}") for n in range(PEOPLE)])])
    goods = [Product(source_id=f"P{n}", name=f"Tea {n}", category=f"C{n % 3}") for n in range(PRODUCTS)]
    feeds["goods"] = Feed(Product, [Page(records=goods)])
    return Toy({"pos": feeds})


@pytest.fixture(scope="module")
def hub(toy: Toy, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    found = toy.plugins
    found.manager.register(plugins.retail, name="retail")
    config = toy.config(tmp_path_factory.mktemp("future"), timezone="Asia/Shanghai")
    config.write_text(config.read_text() + '\n[scores.retail]\ntrade = "tea"\n')
    with open_hub(config, plugins=found) as opened:
        yield opened


def _give(toy: Toy, stream: str, records: list[Any]) -> None:
    """Let the platform have more, on a page of its own."""
    feeds = toy.feeds["pos"]
    feeds[stream] = replace(feeds[stream], pages=[*feeds[stream].pages, Page(records=records)])


def _scored(hub: Hub, as_of: dt.datetime = AS_OF) -> dict[str, bytes]:
    """Every trait of everybody as of the same instant, as bytes."""
    for stage in (ingest, resolve):
        stage(hub)
    with hub.warehouse() as engine:
        engine.execute("DELETE FROM _progress WHERE stage = 'score_basis'")
    score(hub, as_of)
    return _traits(hub)


def _traits(hub: Hub) -> dict[str, bytes]:
    with hub.warehouse() as engine:
        table = engine.arrow("FROM traits ORDER BY customer_id")
    return {name: repr(table[name].to_pylist()).encode() for name in table.column_names}


def test_sixty_days_of_later_business_change_no_byte_of_an_earlier_score(hub: Hub, toy: Toy) -> None:
    before = _scored(hub)
    later = _business("later", 0, 60, 400)
    later["orders"] += [
        _order(f"back{n}", n, 20 + n, 0, kind=OrderKind.REFUND, original_id=f"past{n}", total_amount=Decimal(-5))
        for n in range(20)
    ]
    for name, records in later.items():
        _give(toy, name, records)
    after = _scored(hub)
    assert [name for name, values in before.items() if after[name] != values] == []
    assert after.keys() == before.keys()
    with hub.warehouse() as engine:
        assert engine.value("SELECT count(*) FROM orders") == 600 + 400 + 20
        assert engine.value("SELECT count(*) FROM traits WHERE n_purchases > 0") == PEOPLE


def test_looking_at_changed_customers_only_gives_what_looking_at_everybody_gives(hub: Hub, toy: Toy) -> None:
    # What is shared by all (the chain's averages, like customers) is the month's and the week's: new orders are of this week.
    as_of = _moment(14)
    _scored(hub, as_of)
    _give(toy, "orders", [_order(f"more{n}", n, 13, n) for n in range(5)])
    for stage in (ingest, resolve):
        stage(hub)
    assert score(hub, as_of).scored == 5
    some = _traits(hub)
    everybody = _scored(hub, as_of)
    assert [name for name, values in everybody.items() if some[name] != values] == []


def test_orders_that_no_score_counts_are_told_by_reason(hub: Hub, toy: Toy) -> None:
    odd = [
        _order("odd0", 0, -3, 1, status=OrderStatus.VOID),
        _order("odd1", 0, -3, 1, status=OrderStatus.OPEN),
        _order("odd2", 0, -3, 1, flags=("training",)),
        _order("odd3", 0, -3, 1, kind=OrderKind.DEPOSIT),
        _order("odd4", 0, -3, 1, kind=OrderKind.WHOLESALE),
        _order("odd5", 0, -3, 1, kind=OrderKind.STAFF),
        _order("odd6", 0, -3, 1, total_amount=Decimal(0)),
        _order("odd7", 0, -3, 1),
        _order("odd8", 0, -2, 1, kind=OrderKind.REFUND, original_id="odd7", total_amount=Decimal(-21)),
        _order("odd9", 0, -3, 1, status=OrderStatus.REFUNDED),
        Order(source_id="odd10", ordered_at=_moment(-3), total_amount=Decimal(30)),
        _order("odd11", 0, 3, 1, status=OrderStatus.VOID),
    ]
    _give(toy, "orders", odd)
    for stage in (ingest, resolve):
        stage(hub)
    with hub.warehouse() as engine:
        engine.execute("DELETE FROM _progress WHERE stage = 'score_basis'")
    told = {
        "void": 1,
        "open": 1,
        "training": 1,
        "deposit": 1,
        "wholesale": 1,
        "staff": 1,
        "free": 1,
        "refunded": 2,
        "walk_in": 1,
    }
    assert score(hub, AS_OF).left_out == told
    counts = hub.store.runs.latest()["score", ""].counts
    assert {name: counts[f"orders_left_out_{name}"] for name in told} == told
