"""Every difficulty can be switched on and off by itself, has its rate, and is in the documentation."""

import re
from collections import Counter
from dataclasses import fields
from math import sqrt
from pathlib import Path

import pyarrow.compute as pc
import pytest

from hub.simulation.world import Difficulties, World

DOCS = Path(__file__).parents[2] / "docs" / "simulated-chain.md"
TYPED = ("pos", "youzan", "weimob", "miniprogram")
NAMED = ("pos", "youzan", "weimob")
#: Difficulties of entries, and the platforms whose entries they befall.
ENTRIES = {
    "shop_phone": ("pos",),
    "staff_phone": ("pos",),
    "default_phone": ("pos",),
    "mistyped_phone": ("pos",),
    "formatted_phone": ("pos",),
    "missing_phone": NAMED,
    "masked_phone": NAMED,
    "missing_name": NAMED,
    "nickname": NAMED,
    "honorific": NAMED,
    "traditional": NAMED,
    "missing_birthday": NAMED,
    "birthday_without_year": NAMED,
    "placeholder_birthday": NAMED,
    "lunar_birthday": NAMED,
    "missing_gender": (*TYPED, "wecom"),
    "missing_unionid": ("wecom", "wechat", "miniprogram"),
    "closed_account": (*TYPED, "wecom", "wechat"),
}


def with_only(name: str, rate: float | None = None, people: int = 2_500, days: int = 40) -> World:
    difficulties = (
        Difficulties.only(name) if rate is None else Difficulties(**(Difficulties.none().rates() | {name: rate}))
    )
    return World.generate(people=people, seed=21, days=days, difficulties=difficulties)


def entries(world: World) -> list[dict]:
    return world.truth.profiles.to_pylist()


def near(share: float, rate: float, rows: int) -> bool:
    """Whether a measured share lies within four standard deviations of its rate."""
    return abs(share - rate) <= 4 * sqrt(rate * (1 - rate) / rows)


@pytest.mark.parametrize("name", ENTRIES)
def test_a_difficulty_of_entries_has_its_rate_and_comes_alone(name):
    rows = [row for row in entries(with_only(name)) if row["platform"] in ENTRIES[name]]
    marks = Counter(mark for row in rows for mark in row["difficulties"])
    assert set(marks) == {name}
    assert near(marks[name] / len(rows), getattr(Difficulties(), name), len(rows))


def test_without_difficulties_every_entry_is_clean():
    world = World.generate(people=1_000, seed=3, days=60, difficulties=Difficulties.none())
    assert not any(row["difficulties"] for row in entries(world))
    people = {row["person_id"]: row for row in world.truth.people.to_pylist()}
    owners = {row["member_id"]: people[row["person_id"]] for row in entries(world)}
    for platform in NAMED:
        for member in world.view(platform).table("members").to_pylist():
            owner = owners[member["member_id"]]
            assert member["name"] == owner["name"]
            assert member["phone"] == owner["phone"]
            assert member["birthday"] == owner["birthday"].isoformat()
            assert member["gender"] == owner["gender"]
    tickets = world.view("pos").table("orders").to_pylist()
    assert all(row["received_at"] == row["ordered_at"] and row["status"] != "void" for row in tickets)
    till_members = {row["person_id"] for row in entries(world) if row["platform"] == "pos"}
    buyers = {row["order_id"]: row["person_id"] for row in world.truth.orders.to_pylist()}
    known = [row for row in tickets if row["member_id"]]
    assert all(owners[row["member_id"]]["person_id"] == buyers[row["order_id"]] for row in known)
    assert len(known) / sum(buyers[row["order_id"]] in till_members for row in tickets) > 0.9


def members(world: World, platform: str) -> dict[str, dict]:
    return {row["member_id"]: row for row in world.view(platform).table("members").to_pylist()}


def marked(world: World, name: str, platform: str) -> list[dict]:
    """The member entries of a platform that carry the mark of a difficulty."""
    known = members(world, platform)
    return [
        known[row["member_id"]] for row in entries(world) if row["platform"] == platform and name in row["difficulties"]
    ]


@pytest.mark.parametrize(
    ("name", "column", "pattern"),
    [
        ("masked_phone", "phone", r"154\*{4}\d{4}"),
        ("default_phone", "phone", "15400000000"),
        ("honorific", "name", r"小..?|..?(先生|女士|小姐|哥|姐|总|老师)|...(先生|女士|小姐|老师)"),
        ("birthday_without_year", "birthday", r"\d\d-\d\d"),
        ("placeholder_birthday", "birthday", r"(1900|1970|1990|2000)-01-01"),
    ],
)
def test_a_difficult_entry_looks_as_described(name, column, pattern):
    rows = marked(with_only(name, rate=0.5, people=600, days=1), name, "pos")  # before anybody mends a name
    assert rows
    assert all(re.fullmatch(pattern, row[column]) for row in rows)


@pytest.mark.parametrize("name", ["missing_phone", "missing_name", "missing_birthday", "missing_unionid"])
def test_a_missing_entry_is_null(name):
    world = with_only(name, rate=1.0, people=300)
    column = name.removeprefix("missing_")
    assert world.view("youzan").table("members")[column].null_count == world.view("youzan").table("members").num_rows


def test_formatted_phones_hold_the_right_number_in_another_dress():
    world = with_only("formatted_phone", rate=1.0, people=600)
    owners = {row["person_id"]: row["phone"] for row in world.truth.people.to_pylist()}
    dressed = {row["member_id"]: owners[row["person_id"]] for row in entries(world) if row["platform"] == "pos"}
    wide = {0xFF10 + digit: 48 + digit for digit in range(10)}
    for member_id, row in members(world, "pos").items():
        digits = re.sub(r"\D", "", row["phone"].translate(wide))
        assert row["phone"] != dressed[member_id]
        assert digits.endswith(dressed[member_id])


def test_homophones_and_traditional_names_differ_from_the_true_name_but_not_in_length():
    for name in ("homophone", "traditional"):
        world = with_only(name, rate=1.0, people=600)
        people = {row["person_id"]: row["name"] for row in world.truth.people.to_pylist()}
        true = {row["member_id"]: people[row["person_id"]] for row in entries(world) if row["platform"] == "pos"}
        written = {row["member_id"]: row["name"] for row in marked(world, name, "pos")}
        assert sum(true[key] != value for key, value in written.items()) > len(written) / 2
        assert all(len(true[key]) == len(value) for key, value in written.items())


def test_a_lunar_birthday_is_some_weeks_before_the_true_one():
    world = with_only("lunar_birthday", rate=1.0, people=600)
    people = {row["person_id"]: row["birthday"] for row in world.truth.people.to_pylist()}
    true = {row["member_id"]: people[row["person_id"]] for row in entries(world) if row["platform"] == "pos"}
    for member_id, row in members(world, "pos").items():
        year, month, day = map(int, row["birthday"].split("-"))
        born = true[member_id]
        days = (born.month - month) % 12 * 30.4 + born.day - day
        assert year == born.year
        assert 15 <= days <= 55


def test_families_share_the_number_of_one_of_them():
    world = with_only("household_phone", rate=1.0, people=600)
    people = {row["person_id"]: row for row in world.truth.people.to_pylist()}
    rows = [row for row in entries(world) if "household_phone" in row["difficulties"] and row["platform"] == "pos"]
    till = members(world, "pos")
    assert rows
    for row in rows:
        assert row["household_id"] != row["person_id"]
        head = people.get(row["household_id"])
        assert head is None or till[row["member_id"]]["phone"] == head["phone"]


def test_a_recycled_number_belongs_to_nobody_for_90_days():
    world = World.generate(
        people=4_000, seed=21, days=700, difficulties=Difficulties.only("recycled_phone", "changed_phone")
    )
    people = {row["person_id"]: row for row in world.truth.people.to_pylist()}
    again = [row for row in people.values() if row["recycled_from"] is not None]
    assert again
    for row in again:
        donor = people.get(row["recycled_from"])
        assert donor is None or row["phone"] == donor["earlier_phone"]
    late = [row for row in people.values() if row["arrived_at"] is None or (row["arrived_at"] - world.start).days > 120]
    assert near(len(again) / len(late), Difficulties().recycled_phone, len(late))


def test_people_who_change_their_number_leave_the_old_one_behind():
    world = with_only("changed_phone", rate=1.0, people=400, days=729)
    people = {row["person_id"]: row for row in world.truth.people.to_pylist()}
    till = members(world, "pos")
    numbers = Counter(
        "new" if till[row["member_id"]]["phone"] == people[row["person_id"]]["phone"] else "old"
        for row in entries(world)
        if row["platform"] == "pos"
    )
    assert numbers["old"] > numbers["new"] / 4
    assert numbers["new"] > 0


def test_staff_type_the_shops_number_and_their_own():
    world = with_only("shop_phone", rate=1.0, people=300)
    shops = set(world.view("pos").table("shops")["phone"].to_pylist())
    phones = Counter(row["phone"] for row in members(world, "pos").values())
    assert sum(count for phone, count in phones.items() if phone in shops) > 0.8 * sum(phones.values())
    assert len(phones) <= world.setting.shops


def test_two_wechat_accounts_give_one_person_two_unionids():
    world = with_only("two_wechats", rate=1.0, people=400)
    per_person: dict[int, set[str]] = {}
    for row in entries(world):
        if row["wechat"]:
            per_person.setdefault(row["person_id"], set()).add(row["wechat"])
    assert max(map(len, per_person.values())) == 2
    assert sum(len(ids) == 2 for ids in per_person.values()) > len(per_person) / 3


def test_duplicate_memberships_and_their_merging():
    world = with_only("duplicate_membership", rate=0.5, people=2_000, days=300)
    count = Counter((row["platform"], row["person_id"]) for row in entries(world))
    for platform in NAMED:
        owners = [number for (where, _), number in count.items() if where == platform]
        assert set(owners) == {1, 2}
        assert 0.2 < owners.count(2) / len(owners) < 0.5  # the second one follows the first after months
    assert all(number == 1 for (where, _), number in count.items() if where in ("wecom", "wechat", "miniprogram"))
    assert pc.all(pc.is_null(world.view("weimob").table("members")["merged_at"])).as_py()


def tickets(world: World) -> list[tuple[dict, dict]]:
    """Till tickets with the truth about them."""
    truth = {row["order_id"]: row for row in world.truth.orders.to_pylist() if row["platform"] == "pos"}
    return [(row, truth[row["order_id"]]) for row in world.view("pos").table("orders").to_pylist()]


#: What shows a difficulty of tickets, and among which tickets its rate counts.
TICKETS = {
    "late_ticket": (lambda row, truth: row["received_at"] > truth["happened_at"], lambda row, truth: True),
    "duplicate_ticket": (lambda row, truth: truth["repeats_order_id"] is not None, lambda row, truth: True),
    "void_ticket": (lambda row, truth: row["status"] == "void", lambda row, truth: truth["kind"] == "sale"),
    "wrong_clock": (lambda row, truth: row["ordered_at"] != truth["happened_at"], lambda row, truth: True),
}


@pytest.mark.parametrize("name", TICKETS)
def test_a_difficulty_of_tickets_has_its_rate(name):
    shows, counts = TICKETS[name]
    world = with_only(name, rate=0.2)
    rows = [pair for pair in tickets(world.later(days=5)) if pair[1]["happened_at"] < world.end and counts(*pair)]
    hits = sum(shows(*pair) for pair in rows)
    rows_before = len(rows) - hits if name == "duplicate_ticket" else len(rows)
    assert near(hits / rows_before, 0.2, rows_before)


def test_unpaid_orders_are_closed_and_placed_again():
    world = with_only("unpaid_order", rate=0.3, people=4_000)
    truth = world.truth.orders.to_pylist()
    repeats = {row["order_id"]: row["repeats_order_id"] for row in truth if row["repeats_order_id"]}
    orders = {row["order_id"]: row for row in world.view("miniprogram").table("orders").to_pylist()}
    closed = [row for row in orders.values() if row["status"] == "closed"]
    assert closed
    for row in closed:
        paid = orders[repeats[row["order_id"]]]
        assert row["paid_at"] is None
        assert row["ordered_at"] < paid["ordered_at"]
        assert row["goods_fen"] == paid["goods_fen"]
    assert near(len(closed) / (len(orders) - len(closed)), 0.3, len(orders) - len(closed))


def wrong_cards(name: str) -> tuple[int, int, int]:
    """Tickets with a member, of those under somebody else's card, and the most tickets of one card."""
    world = with_only(name, rate=0.5)
    owners = {row["member_id"]: row["person_id"] for row in entries(world) if row["platform"] == "pos"}
    known = [(row, truth) for row, truth in tickets(world) if row["member_id"]]
    wrong = [row["member_id"] for row, truth in known if owners[row["member_id"]] != truth["person_id"]]
    return len(known), len(wrong), Counter(wrong).most_common(1)[0][1]


def test_families_share_cards_and_cashiers_use_their_own():
    known, family, _ = wrong_cards("shared_card")
    assert 0.05 < family / known < 0.4
    known, cashier, most = wrong_cards("staff_card")
    assert cashier > 0
    assert most > 20


def test_cards_that_are_not_shown_leave_walk_ins():
    shown, hidden = (
        sum(row["member_id"] is None for row, _ in tickets(with_only("card_not_shown", rate=rate, people=600)))
        for rate in (0.0, 1.0)
    )
    assert hidden == len(tickets(with_only("card_not_shown", rate=1.0, people=600)))
    assert shown < hidden * 0.8


def test_deliveries_go_to_others_at_the_given_rate():
    world = with_only("other_receiver", rate=0.4, people=6_000)
    people = {row["person_id"]: row["name"] for row in world.truth.people.to_pylist()}
    buyers = {
        row["order_id"]: people[row["person_id"]]
        for row in world.truth.orders.to_pylist()
        if row["person_id"] is not None
    }
    delivered = [
        row for row in world.view("miniprogram").table("orders").to_pylist() if row["fulfilment"] == "delivery"
    ]
    others = sum(row["receiver_name"] != buyers[row["order_id"]] for row in delivered)
    assert near(others / len(delivered), 0.4, len(delivered))


def test_a_rate_outside_its_bounds_is_refused_by_name():
    with pytest.raises(ValueError, match=r"rate of nickname must lie between 0 and 1, not at 1\.5"):
        Difficulties(nickname=1.5)


def test_the_documentation_lists_every_difficulty_with_its_rate():
    rows = re.findall(r"^\| `(\w+)` \| ([\d.]+) \| (.+?) \| (.+?) \|$", DOCS.read_text(encoding="utf-8"), re.MULTILINE)
    listed = [(name, float(rate), share_of, happens) for name, rate, share_of, happens in rows]
    assert listed == [(entry.name, entry.rate, entry.share_of, entry.happens) for entry in Difficulties().catalogue()]
    assert len(listed) == len(fields(Difficulties))
