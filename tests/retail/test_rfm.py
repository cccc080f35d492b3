"""RFM: what counts as a purchase, on which day, for how much, and what score it makes."""

from __future__ import annotations

import datetime as dt
import random
from collections import Counter
from decimal import Decimal
from typing import Any

import pytest
from effort import examples
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from till import ZONE, Till, days_ago, order, refund

from hub.records import Identifier, IdentifierKind, OrderKind, OrderStatus
from plugins.retail.rfm import rfm_alone
from plugins.retail.rules import RfmRules


def at(text: str) -> dt.datetime:
    """An instant in the shops' time zone."""
    return dt.datetime.fromisoformat(text).replace(tzinfo=ZONE)


class TestWhatIsBought:
    """A purchase is a paid sale of a known customer of which something is left to pay for."""

    def test_the_plain_case(self, till: Till) -> None:
        till.take(order("1", "anna", "100", 40), order("2", "anna", "50.5", 10), order("3", "bo", "20", 3))
        scores = till.rfm()
        assert scores["anna"] == {
            "first_order_date": dt.date(2026, 2, 20),
            "last_order_date": dt.date(2026, 3, 22),
            "orders_life": 2,
            "net_value_life": Decimal("150.5"),
            "rfm_r_days": 10,
            "rfm_f": 2,
            "rfm_m": Decimal("150.5"),
            "rfm_r_score": 5,
            "rfm_f_score": 2,
            "rfm_m_score": 2,
            "rfm_code": "522",
        }
        assert scores["bo"]["rfm_code"] == "511"

    @pytest.mark.parametrize(
        "more",
        [
            {"status": OrderStatus.VOID},
            {"status": OrderStatus.OPEN},
            {"status": OrderStatus.REFUNDED},
            {"kind": OrderKind.DEPOSIT},
            {"kind": OrderKind.ADJUSTMENT},
            {"kind": OrderKind.WHOLESALE},
            {"kind": OrderKind.STAFF},
            {"deleted": True},
            {"flags": ("clock_suspect", "training")},
            {"total_amount": Decimal(0)},
            {"refunded_amount": Decimal(100)},
            {"customer_id": None},
        ],
    )
    def test_what_is_no_purchase(self, till: Till, more: dict[str, Any]) -> None:
        till.take(order("1", "anna", "100").model_copy(update=more))
        assert till.rfm() == {}

    def test_a_walk_in_with_a_card_is_a_customer(self, till: Till) -> None:
        card = Identifier(kind=IdentifierKind.CARD_NO, value="K1", scope="pos")
        till.take(order("1", None, "100", identifiers=(card,)), order("2", None, "30"))
        assert [scores["net_value_life"] for scores in till.rfm().values()] == [100]

    def test_delivery_is_no_value(self, till: Till) -> None:
        till.take(order("1", "anna", "106", freight_amount=Decimal(6)))
        assert till.rfm()["anna"]["rfm_m"] == 100

    def test_a_split_bill_is_one_visit(self, till: Till) -> None:
        till.take(order("1", "anna", "30", 3), order("2", "anna", "40", 3))
        assert (till.rfm()["anna"]["orders_life"], till.rfm()["anna"]["rfm_f"]) == (2, 1)


class TestRefunds:
    """They are booked on the original order, whenever they came; without one they stand by themselves."""

    def test_a_partial_refund_lowers_value_and_not_frequency(self, till: Till) -> None:
        till.take(order("1", "anna", "100", 10), refund("2", "1", "30"))
        scores = till.rfm()["anna"]
        assert (scores["rfm_m"], scores["net_value_life"], scores["rfm_f"], scores["orders_life"]) == (70, 70, 1, 1)
        assert scores["last_order_date"] == days_ago(10).date()

    def test_a_full_refund_of_the_only_order_makes_a_prospect_again(self, till: Till) -> None:
        till.take(order("1", "anna", "110", freight_amount=Decimal(10)), refund("2", "1", "60"), refund("3", "1", "40"))
        assert till.rfm() == {}

    def test_a_refund_outside_the_window_still_lowers_its_order(self, till: Till) -> None:
        till.take(order("1", "anna", "100", 6), order("2", "anna", "50", 400), refund("3", "2", "20", 2))
        scores = till.rfm()["anna"]
        assert (scores["rfm_m"], scores["net_value_life"]) == (100, 130)

    def test_the_day_of_a_refund_does_not_matter(self, till: Till) -> None:
        till.take(order("1", "anna", "100", 40), refund("2", "1", "30", 30))
        before = till.rfm()
        till.take(refund("2", "1", "30", 1))
        assert till.rfm() == before

    def test_without_an_original_it_stands_by_itself(self, till: Till) -> None:
        till.take(order("1", "anna", "100", 10), refund("2", None, "30", 5), refund("3", None, "5", 5, buyer="bo"))
        scores = till.rfm()
        assert (scores["anna"]["rfm_m"], scores["anna"]["orders_life"]) == (70, 1)
        assert scores["anna"]["last_order_date"] == days_ago(10).date()
        assert "bo" not in scores, "whoever only ever gave back bought nothing"

    def test_value_may_fall_below_zero_and_scores_lowest(self, till: Till) -> None:
        till.take(order("1", "anna", "100", 10), refund("2", None, "130", 5))
        assert (till.rfm()["anna"]["rfm_m"], till.rfm()["anna"]["rfm_m_score"]) == (-30, 1)

    def test_it_may_be_told_twice_and_counts_once(self, till: Till) -> None:
        """By the platform's own figure on the order, and as a ticket of its own."""
        till.take(
            order("1", "anna", "100", status=OrderStatus.PARTLY_REFUNDED, refunded_amount=Decimal(30)),
        )
        assert till.rfm()["anna"]["rfm_m"] == 70
        till.take(refund("2", "1", "30", status=OrderStatus.REFUNDED))
        assert till.rfm()["anna"]["rfm_m"] == 70

    def test_a_void_refund_is_none(self, till: Till) -> None:
        till.take(order("1", "anna", "100"), refund("2", "1", "30", status=OrderStatus.VOID))
        assert till.rfm()["anna"]["rfm_m"] == 100

    def test_one_after_as_of_is_not_known_yet(self, till: Till) -> None:
        till.take(order("1", "anna", "100", 10))
        before = till.rfm()
        gone = {"status": OrderStatus.REFUNDED, "refunded_amount": Decimal(100)}
        till.take(order("1", "anna", "100", 10, **gone), refund("2", "1", "100", -3))
        assert till.rfm() == before
        assert till.rfm(as_of=days_ago(-4)) == {}


class TestDays:
    """A day is the shop's; windows end the day before as_of."""

    def test_today_is_never_counted(self, till: Till) -> None:
        till.take(order("1", "anna", "100", ordered_at=at("2026-04-01 00:00")), order("2", "bo", "1", 0.001))
        assert till.rfm() == {}
        till.take(order("1", "anna", "100", ordered_at=at("2026-03-31 23:59:59")))
        assert till.rfm()["anna"]["rfm_r_days"] == 1

    def test_the_same_day_gives_the_same_scores_at_any_hour(self, till: Till) -> None:
        till.take(order("1", "anna", "100", 10), order("2", "anna", "9", 0.01))
        assert till.rfm(at("2026-04-01 00:00")) == till.rfm(at("2026-04-01 23:59"))

    def test_the_window_has_just_so_many_days(self, till: Till) -> None:
        till.take(*(order(str(day), f"c{day}", "100", ordered_at=days_ago(day)) for day in (1, 7, 8)))
        scores = till.rfm(window_days=7)
        assert {name: found["rfm_f"] for name, found in scores.items()} == {"c1": 1, "c7": 1, "c8": 0}
        assert scores["c8"]["rfm_m"] == 0

    def test_after_midnight_belongs_to_the_evening_before(self, till: Till) -> None:
        till.take(
            order("1", "anna", "10", ordered_at=at("2026-03-31 20:00")),
            order("2", "anna", "10", ordered_at=at("2026-04-01 03:59")),
            order("3", "bo", "10", ordered_at=at("2026-04-01 04:00")),
        )
        scores = till.rfm(cutoff=dt.time(4))
        assert scores.keys() == {"anna"}
        assert (scores["anna"]["rfm_f"], scores["anna"]["rfm_m"]) == (1, 20)
        # At half past three on 2 April it is still the shops' 1 April.
        assert till.rfm(at("2026-04-02 03:30"), dt.time(4)) == scores
        assert till.rfm(at("2026-04-02 04:00"), dt.time(4)).keys() == {"anna", "bo"}

    def test_the_sources_own_business_date_counts(self, till: Till) -> None:
        till.take(order("1", "anna", "10", ordered_at=at("2026-04-01 01:00"), business_date=dt.date(2026, 3, 31)))
        assert till.rfm()["anna"]["rfm_r_days"] == 1

    def test_an_as_of_in_the_past_sees_the_past(self, till: Till) -> None:
        till.take(order("1", "anna", "100", 50), order("2", "anna", "40", 10), order("3", "bo", "5", 10))
        scores = till.rfm(days_ago(30))
        assert scores.keys() == {"anna"}
        assert (scores["anna"]["rfm_r_days"], scores["anna"]["rfm_m"]) == (20, 100)


class TestScores:
    """From cut points, or from equal shares of the buyers."""

    @pytest.mark.parametrize(
        ("days", "score"), [(1, 5), (30, 5), (31, 4), (60, 4), (61, 3), (120, 3), (121, 2), (240, 2), (241, 1)]
    )
    def test_recency_cut_points_include_their_day(self, till: Till, days: int, score: int) -> None:
        till.take(order("1", "anna", "1", days))
        assert till.rfm()["anna"]["rfm_r_score"] == score

    @pytest.mark.parametrize(
        ("amount", "score"), [("99.99", 1), ("100", 2), ("299.99", 2), ("300", 3), ("800", 4), ("2000", 5)]
    )
    def test_value_cut_points_include_their_amount(self, till: Till, amount: str, score: int) -> None:
        till.take(order("1", "anna", amount))
        assert till.rfm()["anna"]["rfm_m_score"] == score

    @pytest.mark.parametrize(("visits", "score"), [(1, 1), (2, 2), (3, 3), (5, 3), (6, 4), (11, 4), (12, 5)])
    def test_frequency_cut_points_include_their_number(self, till: Till, visits: int, score: int) -> None:
        till.take(*(order(str(day), "anna", "1", day) for day in range(1, visits + 1)))
        assert till.rfm()["anna"]["rfm_f_score"] == score

    def test_quantiles_make_five_equal_shares(self, till: Till) -> None:
        till.take(*(order(str(n), f"c{n:02}", str(n + 1), n + 1) for n in range(50)))
        scores = till.rfm(mode="quantile")
        assert Counter(found["rfm_m_score"] for found in scores.values()) == dict.fromkeys(range(1, 6), 10)
        assert (scores["c00"]["rfm_code"], scores["c49"]["rfm_code"]) == ("511", "115")

    def test_cut_points_must_rise(self) -> None:
        with pytest.raises(ValidationError, match="must rise"):
            RfmRules(monetary=(100, 100, 800, 2000))


purchases = st.lists(
    st.tuples(st.sampled_from(["anna", "bo", "cy", "di"]), st.integers(1, 400), st.integers(-50, 3000)), max_size=12
)
FEW = settings(max_examples=examples(6), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def tickets(bought: list[tuple[str, int, int]], first: int = 0, shift: int = 0) -> list[Any]:
    """Tickets of these purchases; negative amounts are refunds without original."""
    return [
        order(str(n), buyer, str(amount), days + shift, kind=OrderKind.SALE if amount > 0 else OrderKind.REFUND)
        for n, (buyer, days, amount) in enumerate(bought, start=first)
    ]


@FEW
@given(bought=purchases, future=purchases)
def test_nothing_after_as_of_changes_a_score(till: Till, bought: Any, future: Any) -> None:
    till.empty()
    till.take(*tickets(bought))
    before = till.rfm(mode="quantile")
    till.take(*tickets(future, first=100, shift=-400))
    assert till.rfm(mode="quantile") == before


@FEW
@given(bought=purchases, seed=st.integers(0, 9))
def test_the_order_of_the_rows_changes_nothing_and_neither_does_the_currency_in_quantiles(
    till: Till, bought: Any, seed: int
) -> None:
    till.empty()
    till.take(*tickets(bought))
    before = till.rfm(mode="quantile")
    shuffled = tickets([(buyer, days, amount * 100) for buyer, days, amount in bought])
    random.Random(seed).shuffle(shuffled)
    till.empty()
    till.take(*shuffled)
    after = till.rfm(mode="quantile")
    assert {name: found["rfm_code"] for name, found in after.items()} == {
        name: found["rfm_code"] for name, found in before.items()
    }


@FEW
@given(bought=purchases)
def test_quantile_scores_rise_with_what_they_measure(till: Till, bought: Any) -> None:
    till.empty()
    till.take(*tickets(bought))
    scores = list(till.rfm(mode="quantile").values())
    for measure, score, sign in (
        ("rfm_r_days", "rfm_r_score", -1),
        ("rfm_f", "rfm_f_score", 1),
        ("rfm_m", "rfm_m_score", 1),
    ):
        ranked = sorted(scores, key=lambda found: sign * found[measure])
        assert [found[score] for found in ranked] == sorted(found[score] for found in ranked)
        assert all(1 <= found[score] <= 5 for found in ranked)
        groups = {found[measure]: found[score] for found in ranked}
        assert all(groups[found[measure]] == found[score] for found in ranked), "equal values, equal scores"


def test_the_scoring_views_leave_nothing_behind(till: Till) -> None:
    till.take(order("1", "anna", "100"))
    assert till.relation("SELECT count(*) FROM orders") == [(1,)]
    assert till.engine.rows("SELECT count(*) FROM duckdb_databases() WHERE database_name = 'scoring'") == [(0,)]


def test_rfm_alone_gives_what_the_scorer_gives(till: Till) -> None:
    till.take(*tickets([("anna", 3, 50), ("anna", 90, 700), ("bo", 400, 20), ("bo", 2, -5), ("cy", 30, 3000)]))
    rows = till.relation(rfm_alone(RfmRules(), "DATE '2026-04-01'") + " ORDER BY customer_id")
    scored = till.rfm()
    names = ("rfm_r_days", "rfm_f", "rfm_m", "rfm_r_score", "rfm_f_score", "rfm_m_score")
    assert rows == [(who, *(found[name] for name in names)) for who, found in scored.items()]
