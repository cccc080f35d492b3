"""Properties that hold whatever the numbers: repeatable, blind to the future, additive, indifferent to the currency."""

from __future__ import annotations

import csv
import datetime as dt
import random
from collections import defaultdict
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from till import TODAY, ZONE, Till, days_ago, order, refund

from hub.records import Feedback, Order, OrderKind, OrderLine, OrderStatus, Tender, TenderMethod
from hub.scorer import Scorer
from plugins.retail.member import Member
from plugins.retail.scorer import Retail
from plugins.retail.taste import Taste

UCI = Path(__file__).parents[2] / "examples/uci/online_retail_excerpt.csv"
SCORERS: list[type[Scorer]] = [Retail, Taste, Member]
OTHERS = (Taste, Member)
Traits = dict[str, dict[str, Any]]


def uci() -> list[Order]:
    """The excerpt of the UCI Online Retail file as tickets, its last day being the day before TODAY; cancellations as refunds."""
    bills = defaultdict(list)
    with UCI.open(encoding="utf-8") as lines:
        for row in csv.DictReader(lines):
            if row["CustomerID"]:
                bills[row["InvoiceNo"], row["CustomerID"], row["InvoiceDate"]].append(row)
    last = max(dt.datetime.fromisoformat(when) for _, _, when in bills)
    shift = TODAY.replace(tzinfo=None) - last - dt.timedelta(days=1)
    return [
        ticket(number, who, dt.datetime.fromisoformat(when) + shift, rows)
        for (number, who, when), rows in bills.items()
    ]


def ticket(number: str, who: str, when: dt.datetime, rows: list[dict[str, str]]) -> Order:
    lines = tuple(
        OrderLine(
            product_id=row["StockCode"],
            name=row["Description"].strip() or None,
            quantity=Decimal(row["Quantity"]),
            net_amount=Decimal(row["Quantity"]) * Decimal(row["UnitPrice"]),
        )
        for row in rows
    )
    total = sum((line.net_amount for line in lines), Decimal(0))
    return Order(
        source_id=number,
        customer_id=who,
        ordered_at=when.replace(tzinfo=ZONE),
        kind=OrderKind.SALE if total >= 0 else OrderKind.REFUND,
        total_amount=total,
        lines=lines,
    )


def chain(chance: random.Random, people: int = 40) -> list[Order]:
    """Tickets of a made-up tea shop."""
    menu = [(f"茶{n}", "tea" if n % 3 else "coffee", Decimal(10 + n)) for n in range(9)]
    tickets = []
    for who in range(people):
        favourite = chance.randrange(9)
        for number in range(chance.choice((0, 1, 1, 3, 8, 20))):
            name, category, price = menu[favourite if chance.random() < 0.7 else chance.randrange(9)]
            size = chance.randint(1, 3)
            line = OrderLine(product_id=name, name=name, category=category, quantity=Decimal(size), net_amount=price * size, options=(chance.choice(("少糖", "全糖")),))  # fmt: skip
            paid = Tender(method=chance.choice((TenderMethod.WECHAT, TenderMethod.STORED_VALUE)), amount=price * size)
            tickets.append(order(f"{who}-{number}", f"p{who}", str(price * size), chance.uniform(0.5, 200), lines=(line,), tenders=(paid,), channel=chance.choice(("store", "miniprogram")), discount_amount=Decimal(chance.randint(0, 3))))  # fmt: skip
    return tickets


def scored(till: Till, also: tuple[type[Scorer], ...] = (), **settings: Any) -> Traits:
    """The traits of the rule set, and those of other scorers."""
    return till.traits(also=also, **settings)


@pytest.fixture(params=["uci", "chain"])
def facts(request: pytest.FixtureRequest) -> list[Order]:
    return uci() if request.param == "uci" else chain(random.Random(11))


class TestRepeatable:
    """The same facts give the same traits."""

    def test_the_order_of_the_rows_changes_nothing(self, till: Till, facts: list[Order]) -> None:
        till.take(*facts)
        before = scored(till, OTHERS)
        till.empty()
        shuffled = random.Random(1).sample(facts, len(facts))
        till.take(*shuffled[: len(facts) // 2])
        till.take(*shuffled[len(facts) // 2 :])
        assert scored(till, OTHERS) == before

    def test_the_number_of_threads_changes_nothing(self, till: Till) -> None:
        till.take(*chain(random.Random(2)))
        found = []
        for threads in (1, 2):
            till.engine.execute(f"SET threads = {threads}")
            found.append(scored(till, OTHERS))
        till.engine.execute("SET threads = 1")
        assert found[0] == found[1]

    def test_sixty_days_of_later_orders_change_no_trait(self, till: Till, facts: list[Order]) -> None:
        till.take(*facts)
        before = scored(till, OTHERS)
        later = [
            one.model_copy(update={"source_id": f"later-{one.source_id}", "ordered_at": one.ordered_at + dt.timedelta(days=1 + n % 60 + (TODAY - one.ordered_at).days)})
            for n, one in enumerate(facts)
        ]  # fmt: skip
        till.take(*later, *(refund(f"back-{one.source_id}", one.source_id, "5", -2, one.customer_id) for one in facts))
        assert scored(till, OTHERS) == before

    def test_a_late_fact_changes_only_its_customer(self, till: Till) -> None:
        till.take(*chain(random.Random(4)))
        before = scored(till)
        till.take(order("late", "p7", "33", 20))
        after = scored(till)
        assert {who for who in after if after[who] != before.get(who)} == {"p7"}


class TestRefunds:
    """A full refund of the only order makes a prospect again; when a refund came never matters."""

    def test_a_full_refund_of_the_only_order_makes_a_prospect_again(self, till: Till) -> None:
        till.take(order("1", "anna", "100"), refund("2", "1", "100"))
        row = scored(till)["anna"]
        assert (row["lifecycle_stage"], row["tea_segment"], row["value_layer"]) == ("prospect",) * 3
        assert row["rfm_code"] is None

    def test_moving_a_refunds_date_changes_no_trait(self, till: Till, facts: list[Order]) -> None:
        sale = next(one for one in facts if one.kind is OrderKind.SALE and one.total_amount > 2)
        till.take(*facts, refund("back", sale.source_id, "1", 1, sale.customer_id))
        before = scored(till)
        early = min(max((TODAY - sale.ordered_at).days - 1, 1), 150)
        till.take(refund("back", sale.source_id, "1", early, sale.customer_id))
        assert scored(till) == before


class TestMerging:
    """A merged customer is scored like one who had all orders of both; unmerging restores both."""

    def test_merge_and_unmerge(self, till: Till) -> None:
        tickets = chain(random.Random(8), people=12)
        till.take(*tickets)
        apart = scored(till, OTHERS)
        till.engine.execute("UPDATE links SET customer_id = 'p1' WHERE customer_id = 'p2'")
        till.engine.execute("DELETE FROM customers WHERE customer_id = 'p2'")
        merged = scored(till, OTHERS)
        till.empty()
        till.take(*(one.model_copy(update={"customer_id": "p1"}) if one.customer_id == "p2" else one for one in tickets))  # fmt: skip
        assert merged == scored(till, OTHERS)
        till.empty()
        till.take(*tickets)
        assert scored(till, OTHERS) == apart


class TestUnits:
    """Another currency unit changes amounts and nothing else; another calendar year moves dates and nothing else."""

    def test_a_hundredfold_currency_scales_amounts_and_leaves_quantile_scores(
        self, till: Till, facts: list[Order]
    ) -> None:
        rules = {"rfm": {"mode": "quantile"}, "engagement": {"spend_bands": (100, 500, 2000)}}
        till.take(*facts)
        before = scored(till, **rules)
        till.empty()
        till.take(*(dear(one) for one in facts))
        after = scored(till, **rules)
        same = ("rfm_r_score", "rfm_f_score", "rfm_m_score", "rfm_code", "rfm_value", "value_layer", "rfm_class8",
                "lifecycle_stage", "stage_since", "tea_segment", "basket_cv", "discount_share", "gap_ratio")  # fmt: skip
        for who, row in before.items():
            assert {name: after[who][name] for name in same} == {name: row[name] for name in same}
            if row["rfm_m"] is not None:
                assert after[who]["rfm_m"] == 100 * row["rfm_m"]
                assert after[who]["net_value_life"] == 100 * row["net_value_life"]

    def test_moving_all_dates_and_as_of_together_moves_dates_only(self, till: Till, facts: list[Order]) -> None:
        till.take(*facts)
        before = scored(till)
        shift = dt.timedelta(days=28)  # weekdays and the day of as_of within its week stay
        till.empty()
        till.take(*(one.model_copy(update={"ordered_at": one.ordered_at + shift}) for one in facts))
        after = scored(till, as_of=TODAY + shift)
        for who, row in before.items():
            moved = {name: value + shift if isinstance(value, dt.date) else value for name, value in row.items()}
            assert after[who] == moved


def dear(one: Order) -> Order:
    amounts = ("total_amount", "discount_amount", "refunded_amount")
    return one.model_copy(update={name: getattr(one, name) * 100 for name in amounts})


class TestViews:
    """Belonging adds up to the chain; selling does not, and never says more buyers than there are."""

    def test_customers_of_all_shops_are_the_chain_in_the_belonging_view(self, till: Till) -> None:
        tickets = [one.model_copy(update={"store_id": f"S{n % 3}"}) for n, one in enumerate(chain(random.Random(6)))]
        till.take(*tickets)
        buyers = {who: row for who, row in scored(till).items() if row["orders_life"]}
        till.engine.execute(
            "UPDATE customers SET belonging_store_id = 'S' || (hash(customer_id) % 2) WHERE customer_id <> 'p3'"
        )
        belonging = till.engine.rows("SELECT coalesce(belonging_store_id, 'unassigned'), customer_id FROM customers")
        by_shop: dict[str, list[str]] = defaultdict(list)
        for shop, who in belonging:
            if who in buyers:
                by_shop[shop].append(who)
        total = sum((row["net_value_life"] for row in buyers.values()), Decimal(0))
        assert sum(len(members) for members in by_shop.values()) == len(buyers)
        assert (
            sum((buyers[who]["net_value_life"] for members in by_shop.values() for who in members), Decimal(0)) == total
        )
        selling = till.relation(
            "SELECT store_id, count(DISTINCT customer_id), sum(net_amount) FROM orders GROUP BY ALL"
        )
        assert sum(count for _, count, _ in selling) >= len(buyers)
        assert sum(amount for _, _, amount in selling) == total


DEGENERATE: dict[str, list[Any]] = {
    "an empty chain": [],
    "one customer who never bought": [order("1", "anna", "0")],
    "one order": [order("1", "anna", "25", 3)],
    "all alike": [order(str(n), f"c{n}", "10", 5) for n in range(6)],
    "one day of history": [order(str(n), f"c{n % 3}", "10", 1) for n in range(6)],
    "only one-time buyers": [order(str(n), f"c{n}", str(n + 1), n + 1) for n in range(6)],
    "nothing left after refunds": [order("1", "anna", "10", 9), refund("2", None, "30", 3)],
    "only a refund": [refund("1", None, "30", 3)],
    "a feedback without an order": [
        Feedback(source_id="1", type="nps", occurred_at=days_ago(3), customer_id="anna", score=Decimal(9))
    ],
}


@pytest.mark.parametrize("mode", ["fixed", "quantile"])
@pytest.mark.parametrize("facts", DEGENERATE.values(), ids=DEGENERATE)
def test_degenerate_chains_give_defined_traits_and_honest_nulls(till: Till, facts: list[Any], mode: str) -> None:
    till.take(*facts)
    rules = {"trade": "mother_baby", "rfm": {"mode": mode}, "levels": {"ladder": [{"level": "银", "from_value": 0}, {"level": "金", "from_value": 20}]}}  # fmt: skip
    kinds = SCORERS if mode == "fixed" else [Retail]
    found = scored(till, tuple(kinds[1:]), **rules)
    assert found.keys() == {who for (who,) in till.engine.rows("SELECT customer_id FROM customers")}
    declared = {trait.name: trait for kind in kinds for trait in kind.traits}
    for row in found.values():
        assert row.keys() >= declared.keys()
        nulls = {name for name in declared if row[name] is None}
        assert all(declared[name].null_rule != "never" for name in nulls), "what is said never to be empty is not"


def test_the_control_group_is_a_fixed_lot_until_the_salt_changes(till: Till) -> None:
    till.take(*(order(str(n), f"c{n}", "10", 5) for n in range(400)))
    first = {who for who, row in scored(till).items() if row["global_holdout"]}
    assert 5 <= len(first) <= 40
    assert first == {who for who, row in scored(till).items() if row["global_holdout"]}
    other = scored(till, engagement={"holdout_salt": "next", "holdout_share": 0.05})
    assert first != {who for who, row in other.items() if row["global_holdout"]}


def test_no_trait_is_declared_twice() -> None:
    names = [trait.name for kind in SCORERS for trait in kind.traits]
    assert len(names) == len(set(names))


def test_a_voided_and_a_test_ticket_are_no_purchase_for_any_trait(till: Till) -> None:
    till.take(order("1", "anna", "10", status=OrderStatus.VOID), order("2", "anna", "10", flags=("training",)))
    assert scored(till)["anna"]["lifecycle_stage"] == "prospect"
