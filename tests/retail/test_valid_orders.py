"""Which orders are purchases: each exclusion is a switch of the rule set, and what is left out is counted by reason."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from till import TODAY, ZONE, Till, order, refund

from hub.records import Order, OrderKind, OrderLine, OrderStatus, Tender, TenderMethod
from hub.warehouse.engine import DuckDBEngine
from hub.warehouse.inputs import scoring_inputs
from hub.warehouse.left_out import LEFT_OUT, orders_left_out
from hub.warehouse.people import create_views
from hub.warehouse.schema import prepare
from plugins.retail.rules import OrderRules, RuleSet
from plugins.retail.scorer import Retail

SWITCHES = OrderRules().leave_out


def by_points(number: str, amount: str, points: str) -> Order:
    rest = Decimal(amount) - Decimal(points)
    tenders = [Tender(method=TenderMethod.POINTS, amount=Decimal(points))]
    if rest:
        tenders.append(Tender(method=TenderMethod.CASH, amount=rest))
    return order(number, "anna", amount, tenders=tuple(tenders))


ODD = {
    "training": order("training", "anna", "20", flags=("training",)),
    "deposit": order("deposit", "anna", "300", kind=OrderKind.DEPOSIT),
    "wholesale": order("wholesale", "anna", "5000", kind=OrderKind.WHOLESALE),
    "staff": order("staff", "anna", "12", kind=OrderKind.STAFF),
    "points_only": by_points("points", "25", "25"),
    "free": order("free", "anna", "0"),
}


def counted(till: Till, **rules: Any) -> int | None:
    found: int | None = till.traits(orders=rules)["anna"]["orders_life"]
    return found


def left_out(till: Till, **rules: Any) -> dict[str, int]:
    valid = Retail().valid_orders(RuleSet.model_validate({"orders": rules}))
    with scoring_inputs(till.engine, TODAY, ZONE, dt.time.min, valid) as day:
        return orders_left_out(till.engine, day, ZONE, dt.time.min, valid)


@pytest.mark.parametrize("reason", SWITCHES)
def test_an_exclusion_can_be_switched_off_and_is_no_longer_reported(till: Till, reason: str) -> None:
    till.take(*ODD.values())
    assert counted(till) is None
    assert left_out(till) == dict.fromkeys(ODD, 1)
    others = tuple(name for name in SWITCHES if name != reason)
    assert counted(till, leave_out=others) == 1
    assert left_out(till, leave_out=others) == dict.fromkeys((name for name in ODD if name != reason), 1)


def test_paying_partly_with_points_is_a_purchase(till: Till) -> None:
    till.take(by_points("1", "25", "24"))
    assert counted(till) == 1


def test_a_gift_taken_for_points_without_money_is_a_redemption(till: Till) -> None:
    till.take(order("1", "anna", "0", points_used=Decimal(500)))
    assert left_out(till) == {"points_only": 1}


def test_orders_of_a_channel_can_be_left_out(till: Till) -> None:
    till.take(order("1", "anna", "20", channel="group_buy"), order("2", "anna", "20"))
    assert counted(till) == 2
    assert counted(till, leave_out_channels=("group_buy",)) == 1
    assert left_out(till, leave_out_channels=("group_buy",)) == {"channel": 1}


def bottle(amount: str) -> tuple[OrderLine, ...]:
    return (OrderLine(kind="deposit", name="押金", quantity=Decimal(1), net_amount=Decimal(amount)),)


def test_a_deposit_on_a_ticket_is_no_value_and_its_return_takes_none_away(till: Till) -> None:
    till.take(order("1", "anna", "35", lines=bottle("5")))
    assert till.traits()["anna"]["net_value_life"] == 30
    till.take(refund("2", "1", "5", lines=bottle("-5")))
    assert till.traits()["anna"]["net_value_life"] == 30
    till.take(refund("3", "1", "30"))
    assert counted(till) is None


def test_a_ticket_with_nothing_but_a_deposit_is_a_deposit(till: Till) -> None:
    till.take(order("1", "anna", "5", lines=bottle("5")))
    assert counted(till) is None
    assert left_out(till) == {"deposit": 1}


def test_another_switch_is_another_version_of_the_rules() -> None:
    assert RuleSet.model_validate({"orders": {"leave_out": ["free"]}}).version != RuleSet().version


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Any:
    engine = DuckDBEngine(None, tmp_path_factory.mktemp("valid"))
    prepare(engine)
    create_views(engine, {})
    yield engine
    engine.close()


@settings(max_examples=25, deadline=None)
@given(
    drawn=st.lists(
        st.tuples(
            st.sampled_from(list(OrderKind)), st.sampled_from(list(OrderStatus)), st.sampled_from(["0", "10", "25"]),
            st.sampled_from(["0", "10", "25"]), st.booleans(), st.sampled_from([None, "anna", "bo"]), st.booleans(),
        ),
        max_size=12,
    ),
    leave_out=st.sets(st.sampled_from(SWITCHES)),
)  # fmt: skip
def test_every_order_is_counted_once_a_purchase_or_under_one_reason(
    engine: DuckDBEngine, drawn: list[Any], leave_out: set[str]
) -> None:
    till = Till(engine)
    till.empty()
    till.take(*(
        order(str(n), who, amount, kind=kind, status=status, refunded_amount=Decimal(refunded), flags=("training",) if training else (),
              points_used=Decimal(9) if points else None, original_id="0" if kind is OrderKind.REFUND else None)
        for n, (kind, status, amount, refunded, training, who, points) in enumerate(drawn)
    ))  # fmt: skip
    told = left_out(till, leave_out=sorted(leave_out))
    assert told.keys() <= LEFT_OUT.keys()
    assert not told.keys() & (set(SWITCHES) - leave_out)
    purchases = sum(row["orders_life"] or 0 for row in till.traits(orders={"leave_out": sorted(leave_out)}).values())
    # Refunds are no reason; one that is void, open or of training is left out as such.
    refunds = sum(
        kind is OrderKind.REFUND and status not in (OrderStatus.VOID, OrderStatus.OPEN) and not (training and "training" in leave_out)
        for kind, status, _, _, training, _, _ in drawn
    )  # fmt: skip
    assert purchases + sum(told.values()) + refunds == len(drawn)
