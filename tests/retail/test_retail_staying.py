"""Trades of seasons and occasions: how long a purchase lasts, and stages that agree with a replay day by day."""

from __future__ import annotations

import datetime as dt
from itertools import pairwise
from typing import Any

import pytest
from effort import examples
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from till import TODAY, Till, days_ago, order

from hub.columns import to_arrow
from hub.records import Customer, Event
from plugins.retail.rules import RuleSet, Stages

DAY = TODAY.date()
SEASON = Stages(new=20, active=60, slipping=100, sleeping=240, revived=20, basis="season")
OCCASION = Stages(new=20, active=120, slipping=150, sleeping=300, revived=20, basis="occasion", occasion_days=10, occasion_grace=15)  # fmt: skip


def season_stay(known: list[int], limits: Stages) -> int:
    """Days that the last of these purchases lasts where the trade has seasons."""
    last = known[-1]
    back = min(day for day in known if day > last - 365 + limits.active)
    return min(back + 365 - last, limits.sleeping) if known[0] <= last - 365 + limits.active else limits.active


def anniversary(day: dt.date, years: int) -> dt.date:
    leap = (day.month, day.day) == (2, 29) and (day.year + years) % 4
    return day.replace(year=day.year + years, day=28 if leap else day.day)


def occasion_stay(known: list[int], limits: Stages, occasions: list[int]) -> int:
    """Days that the last of these purchases lasts where one buys for occasions."""
    last = known[-1]
    begun = DAY + dt.timedelta(days=known[0])
    own = [*occasions, *((anniversary(begun, n) - DAY).days for n in range(6))]
    return min(*(day - last + limits.occasion_grace for day in own if day > last + limits.occasion_days), limits.active)


def stage(days: list[int], at: int, limits: Stages, stay: Any) -> str:
    """The stage on day ``at``, given the purchase days; only days before ``at`` are known."""
    known = [day for day in days if day < at]
    if not known:
        return "prospect"
    silence = at - known[-1]

    def slips(bought: list[int]) -> int:
        return min(stay(bought) + limits.slipping - limits.active, limits.sleeping)

    if at - known[0] <= limits.new:
        return "new"
    if silence > limits.sleeping:
        return "lost"
    if silence > slips(known):
        return "sleeping"
    if silence > stay(known):
        return "slipping"
    returns = [after for n, (before, after) in enumerate(pairwise(known)) if after - before > slips(known[: n + 1])]
    if returns and at - returns[-1] <= limits.revived:
        return "revived"
    return "repurchase" if len(known) in (2, 3) else "active"


def told(days: list[int], limits: Stages, stay: Any) -> tuple[str, dt.date, str]:
    """The stage, since when it holds, and the one before, by a replay of every day."""
    now, at = stage(days, 0, limits, stay), 0
    while stage(days, at - 1, limits, stay) == now:
        at -= 1
    return now, DAY + dt.timedelta(days=at), stage(days, at - 1, limits, stay)


def stages_of(found: dict[str, dict[str, Any]]) -> list[tuple[str, dt.date, str]]:
    """What the traits tell of each person, in the order of their numbers."""
    names = ("lifecycle_stage", "stage_since", "stage_prev")
    return [tuple(found[f"c{who}"][name] for name in names) for who in range(len(found))]


def bought(till: Till, people: list[list[int]]) -> None:
    till.take(*(order(f"{who}-{day}", f"c{who}", "10", -day) for who, days in enumerate(people) for day in days))


def born(till: Till, who: str, birthday: str, calendar: str = "solar") -> None:
    profile = Customer(source_id=who, birthday=birthday, birthday_calendar=calendar)  # type: ignore[arg-type]
    with till.engine.register({"given": to_arrow(Customer, [profile])["profiles"]}):
        till.engine.execute(f"DELETE FROM profiles WHERE source_id = '{who}'")
        till.engine.execute("INSERT INTO profiles BY NAME SELECT 'pos' AS connection, * FROM given")


histories = st.lists(st.lists(st.integers(-900, -1), min_size=1, max_size=8, unique=True).map(sorted), min_size=10, max_size=10)  # fmt: skip


@settings(max_examples=examples(4), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(people=histories)
def test_stages_by_season_agree_with_a_replay_of_every_day(till: Till, people: list[list[int]]) -> None:
    till.empty()
    bought(till, people)
    found = till.traits(stages=SEASON.model_dump())
    replayed = [told(days, SEASON, lambda known: season_stay(known, SEASON)) for days in people]
    assert stages_of(found) == replayed


@settings(max_examples=examples(4), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(people=histories)
def test_stages_by_occasion_agree_with_a_replay_of_every_day(till: Till, people: list[list[int]]) -> None:
    till.empty()
    for who in range(0, len(people), 2):
        born(till, f"c{who}", f"1990-{who + 1:02}-17")
    bought(till, people)
    found = till.traits(stages=OCCASION.model_dump())
    replayed = []
    for who, days in enumerate(people):
        own = [(dt.date(year, who + 1, 17) - DAY).days for year in range(2022, 2029)] if who % 2 == 0 else []
        replayed.append(told(days, OCCASION, lambda known, own=own: occasion_stay(known, OCCASION, own)))
    assert stages_of(found) == replayed


def ago(day: str) -> float:
    return float((DAY - dt.date.fromisoformat(day)).days)


@pytest.mark.parametrize(
    ("days", "expected"),
    [
        # A coat each November: spring was empty last year too.
        (["2024-11-20", "2025-11-10"], "repurchase"),
        # Spring and autumn: the spring purchase of last year (10 March) has not come again.
        (["2024-10-15", "2025-03-10", "2025-10-20"], "slipping"),
        # The same, but last spring's purchase was on 10 April: there is time.
        (["2024-10-15", "2025-04-10", "2025-10-20"], "repurchase"),
        # All year round: staying away for 130 days is new.
        (["2024-10-15", "2025-01-10", "2025-03-25", "2025-07-01", "2025-11-20"], "slipping"),
        # Known for less than a year: nothing is known of her spring.
        (["2025-06-01", "2025-11-10"], "slipping"),
    ],
)
def test_whoever_never_buys_in_this_season_does_not_slip_in_it(till: Till, days: list[str], expected: str) -> None:
    till.take(*(order(day, "anna", "500", ago(day)) for day in days))
    assert till.traits(trade="apparel")["anna"]["lifecycle_stage"] == expected


class TestFlowers:
    """Bought for occasions."""

    def test_active_until_thirty_days_after_the_next_own_occasion(self, till: Till) -> None:
        born(till, "anna", "1990-02-28")
        born(till, "bo", "1990-03-05")
        till.take(*(order(f"{who}{day}", who, "200", ago(day)) for who in ("anna", "bo") for day in ("2025-05-20", "2025-06-01")))  # fmt: skip
        found = till.traits(trade="flowers")
        assert {who: row["lifecycle_stage"] for who, row in found.items()} == {"anna": "slipping", "bo": "repurchase"}
        # Slipping begins 31 days after the birthday and lasts 90 days.
        assert found["anna"]["stage_since"] == dt.date(2026, 3, 31)
        assert found["anna"]["days_to_sleeping"] == 90 - 1

    def test_an_occasion_right_after_the_purchase_is_what_it_was_bought_for(self, till: Till) -> None:
        born(till, "anna", "1990-02-10")
        till.take(order("1", "anna", "200", ago("2025-02-05")), order("2", "anna", "200", ago("2026-02-05")))
        assert till.traits(trade="flowers")["anna"]["lifecycle_stage"] == "repurchase"

    def test_a_date_of_the_family_and_a_lunar_birthday_are_occasions_too(self, till: Till) -> None:
        # 正月初八 of 2026 is 24 February.
        born(till, "bo", "1990-01-08", "lunar")
        wedding = {"date": "2015-02-20", "name": "wedding"}
        family = Event(source_id="w", type="date.declared", customer_id="anna", occurred_at=days_ago(300), properties=wedding)  # fmt: skip
        till.take(*(order(who, who, "200", ago("2025-06-01")) for who in ("anna", "bo", "cy")), family)
        rules = {"trade": "flowers", "engagement": {"family_dates": ["date.declared"]}}
        found = till.traits(**rules)
        assert {who: row["lifecycle_stage"] for who, row in found.items()} == {"anna": "slipping", "bo": "slipping", "cy": "active"}  # fmt: skip

    def test_without_a_date_the_day_of_the_purchase_comes_around(self, till: Till) -> None:
        till.take(order("1", "anna", "200", 395), order("2", "bo", "200", 396))
        found = till.traits(trade="flowers")
        assert (found["anna"]["lifecycle_stage"], found["bo"]["lifecycle_stage"]) == ("active", "slipping")


def test_a_season_needs_limits_within_a_year() -> None:
    with pytest.raises(ValueError, match="below a year"):
        RuleSet.model_validate({"stages": {"basis": "season", "active": 370, "slipping": 400, "sleeping": 500}})
