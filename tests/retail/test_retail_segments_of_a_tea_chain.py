"""The tea chain's seven segments, and that every ready-made family is a partition of all customers."""

from __future__ import annotations

import random
from collections import Counter, defaultdict

import pyarrow as pa
import pytest
from till import Till, order

from hub.records import Order
from plugins.retail.segments import SEGMENTS


def visits(who: str, *days: int) -> list[Order]:
    return [order(f"{who}-{day}", who, "20", day) for day in days]


@pytest.mark.parametrize(
    ("days", "expected"),
    [
        ([60], "sleeping"),
        ([300, 59], "slipping"),
        ([59], "slipping"),
        ([31], "slipping"),
        ([30], "new"),
        ([1], "new"),
        ([40, 30], "taster"),
        ([40, 30, 2], "taster"),
        ([40, 30, 10, 2], "regular"),
        ([20, 2], "taster"),
        ([*range(1, 25, 2), 100], "heavy"),  # 12 visits in 28 days: 3 a week
        ([*range(1, 23, 2), 100], "regular"),  # 11
        ([*range(1, 14, 2), 14], "heavy"),  # known for 14 days, 8 visits
        ([*range(1, 13)], "regular"),  # every day, but known for 12 days only
    ],
)
def test_the_tea_segment_of_a_customer(till: Till, days: list[int], expected: str) -> None:
    till.take(*visits("anna", *days))
    assert till.traits(trade="tea")["anna"]["tea_segment"] == expected


def test_whoever_never_bought_is_a_prospect(till: Till) -> None:
    till.take(order("1", "anna", "0", 3))
    assert till.traits(trade="tea")["anna"]["tea_segment"] == "prospect"


def test_two_orders_within_two_hours_are_one_visit_and_three_hours_apart_two(till: Till) -> None:
    hour = 1 / 24
    till.take(order("1", "anna", "10", 5), order("2", "anna", "10", 5 - hour), order("3", "anna", "10", 5 - 2.9 * hour))
    till.take(order("4", "bo", "10", 5), order("5", "bo", "10", 5 - 3 * hour), order("6", "bo", "9", 5, store_id="B"))
    found = till.traits()
    assert (found["anna"]["visits_life"], found["anna"]["n_purchases"]) == (1, 1)
    assert (found["bo"]["visits_life"], found["bo"]["orders_life"], found["bo"]["n_purchases"]) == (3, 3, 1)


@pytest.mark.parametrize("trade", ["tea", "mother_baby"])
def test_every_customer_is_in_exactly_one_segment_of_each_family(till: Till, trade: str) -> None:
    till.take(*tickets_of(random.Random(5), people=150))
    found = till.traits(trade=trade)
    rules_only = [one for one in SEGMENTS if one.family]
    with till.engine.register({"given": table_of(found)}):
        cases = ", ".join(f"CASE WHEN {one.where} THEN '{one.family}:{one.name}' END" for one in rules_only)
        rows = till.engine.rows(f"SELECT list_filter([{cases}], lambda s: s IS NOT NULL) FROM given")
    seen: dict[str, Counter[str]] = defaultdict(Counter)
    for (names,) in rows:
        families = Counter(name.split(":")[0] for name in names)
        assert families == dict.fromkeys({one.family for one in rules_only}, 1)
        for name in names:
            seen[name.split(":")[0]][name] += 1
    assert all(sum(counts.values()) == len(found) for counts in seen.values())
    assert len(seen["tea"]) >= 5
    assert len(seen["lifecycle"]) >= 6


def tickets_of(chance: random.Random, people: int) -> list[Order]:
    """Tickets of people who came often or seldom, lately or long ago; everybody also took something free."""
    tickets = []
    for who in range(people):
        last = int(10 ** chance.uniform(0, 2.9))
        days = {last + int(chance.expovariate(1 / 12)) for _ in range(chance.choice((0, 1, 2, 5, 12, 25)))}
        tickets += [order(f"{who}-{day}", f"c{who}", str(chance.randint(5, 900)), day) for day in days]
        tickets.append(order(f"{who}-free", f"c{who}", "0", 3))
    return tickets


def table_of(found: dict[str, dict[str, object]]) -> pa.Table:
    return pa.Table.from_pylist([{"customer_id": who, **row} for who, row in found.items()])
