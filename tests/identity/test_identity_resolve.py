"""Who is joined with whom, and who is not: the rules by example."""

from __future__ import annotations

import datetime as dt

import pyarrow as pa
import pytest
from identity_frames import AT, constraints, customers, groups, identifiers, only, phone, profiles, told

import identity
from identity import Resolution, Rules, State


def resolve(people: pa.Table, ids: pa.Table, **options: object) -> Resolution:
    previous = options.get("previous", State())
    options.setdefault("new_ids", identity.sequential_ids(start=previous.customers.num_rows + 1))  # type: ignore[attr-defined]
    return identity.resolve(people, ids, at=AT, **options)  # type: ignore[arg-type]


def partition(people: pa.Table, ids: pa.Table, **options: object) -> set[frozenset[str]]:
    return groups(resolve(people, ids, **options).memberships)


def named(profile: str, name: str, **more: object) -> dict[str, object]:
    return {"profile": profile, "name": name, **more}


def test_one_account_in_two_systems_is_one_person() -> None:
    ids = identifiers(("yz:1", "unionid", "oAbc1", "brand"), ("mini:1", "unionid", "oAbc1", "brand"))
    assert partition(profiles("yz:1", "mini:1"), ids) == {frozenset({"yz:1", "mini:1"})}


def test_the_same_number_in_two_scopes_is_not_the_same_identifier() -> None:
    ids = identifiers(("a:1", "member_no", "1001", "chain-a"), ("b:1", "member_no", "1001", "chain-b"))
    assert len(partition(profiles("a:1", "b:1"), ids)) == 2


def test_account_ids_that_differ_by_case_are_two() -> None:
    ids = identifiers(("a:1", "openid", "oAbcd", "app"), ("a:2", "openid", "oabcd", "app"))
    assert len(partition(profiles("a:1", "a:2"), ids)) == 2


def test_a_phone_joins_whatever_its_spelling() -> None:
    ids = identifiers(("pos:1", "phone", phone(1)), ("yz:1", "phone", f"+86 {phone(1)}"))
    assert len(partition(profiles(named("pos:1", "王芳"), named("yz:1", "王芳")), ids)) == 1


def test_homophones_on_one_phone_are_one_person() -> None:
    ids = identifiers(("pos:1", "phone", phone(1)), ("yz:1", "phone", phone(1)))
    assert len(partition(profiles(named("pos:1", "李晗"), named("yz:1", "李涵")), ids)) == 1


def test_a_family_on_one_phone_stays_a_family() -> None:
    people = profiles(named("pos:1", "王芳"), named("pos:2", "王强"), named("yz:1", "王芳"))
    ids = identifiers(*((key, "phone", phone(1)) for key in ("pos:1", "pos:2", "yz:1")))
    found = resolve(people, ids)
    assert groups(found.memberships) == {frozenset({"pos:1", "yz:1"}), frozenset({"pos:2"})}
    assert [row["state"] for row in found.state.value_states.to_pylist()] == ["household"]
    assert [row["rule"] for row in found.state.refusals.to_pylist()] == ["names_differ"]


def test_a_title_goes_with_the_only_name_it_fits() -> None:
    people = profiles(named("pos:1", "王芳"), named("pos:2", "李强"), named("yz:1", "王女士"), named("wm:1", "陈先生"))
    ids = identifiers(*((key, "phone", phone(1)) for key in ("pos:1", "pos:2", "yz:1", "wm:1")))
    assert partition(people, ids) == {frozenset({"pos:1", "yz:1"}), frozenset({"pos:2"}), frozenset({"wm:1"})}


def test_a_title_of_the_wrong_gender_does_not_fit() -> None:
    people = profiles(named("pos:1", "王芳", gender="female"), named("yz:1", "王先生"))
    ids = identifiers(("pos:1", "phone", phone(1)), ("yz:1", "phone", phone(1)))
    assert len(partition(people, ids)) == 2


def test_an_exclusive_kind_keeps_two_people_apart_at_the_weakest_evidence() -> None:
    rules = Rules().with_kind("card_no", per_customer=1)
    people = profiles(named("pos:1", "王芳"), named("pos:2", "王芳"), named("yz:1", "王芳"))
    ids = identifiers(
        ("pos:1", "card_no", "A001", "chain"),
        ("pos:1", "unionid", "oAbc1", "brand"),
        ("yz:1", "unionid", "oAbc1", "brand"),
        ("yz:1", "phone", phone(1)),
        ("pos:2", "phone", phone(1)),
        ("pos:2", "card_no", "A002", "chain"),
    )
    found = resolve(people, ids, rules=rules)
    assert groups(found.memberships) == {frozenset({"pos:1", "yz:1"}), frozenset({"pos:2"})}
    assert found.report.refused == {"contradicted": 1, "limit": 1}


@pytest.mark.parametrize(("days_between", "customers"), [(20, 2), (400, 1)])
def test_a_limit_with_a_window_counts_only_what_turned_up_within_it(days_between: int, customers: int) -> None:
    rules = Rules().with_kind("card_no", per_customer=1, window_days=30)
    people = profiles(named("pos:1", "王芳"), named("pos:2", "王芳"))
    first, second = AT - dt.timedelta(days=500), AT - dt.timedelta(days=500 - days_between)
    cards = [("pos:1", "C001", first), ("pos:2", "C002", second)]
    ids = pa.concat_tables(
        [
            identifiers(("pos:1", "phone", phone(1)), ("pos:2", "phone", phone(1))),
            pa.Table.from_pylist(
                [
                    {"profile": who, "kind": "card_no", "value": card, "scope": "chain", "first_seen": day}
                    for who, card, day in cards
                ],
                schema=identity.IDENTIFIERS,
            ),
        ]
    )
    assert resolve(people, ids, rules=rules).report.customers == customers


def test_a_window_without_a_limit_is_refused() -> None:
    with pytest.raises(identity.InvalidRulesError, match="window_days without a limit: phone"):
        Rules().with_kind("phone", window_days=30)


def test_nameless_profiles_do_not_bridge_two_names() -> None:
    people = profiles(named("pos:1", "王芳"), "wm:1", named("pos:2", "李强"))
    ids = identifiers(
        ("pos:1", "phone", phone(1)),
        ("wm:1", "phone", phone(1)),
        ("wm:1", "phone", phone(2)),
        ("pos:2", "phone", phone(2)),
    )
    assert partition(people, ids) == {frozenset({"pos:1", "wm:1"}), frozenset({"pos:2"})}


def test_a_masked_number_with_the_same_name_joins_the_only_number_it_can_be() -> None:
    people = profiles(named("pos:1", "王芳"), named("wm:1", "王方"), named("wm:2", "李强"))
    ids = identifiers(
        ("pos:1", "phone", phone(1)), ("wm:1", "phone", "154****0001"), ("wm:2", "phone_masked", "154****0001")
    )
    assert partition(people, ids) == {frozenset({"pos:1", "wm:1"}), frozenset({"wm:2"})}


def test_a_masked_number_that_could_be_two_joins_neither() -> None:
    people = profiles(named("pos:1", "王芳"), named("pos:2", "王芳"), named("wm:1", "王芳"))
    ids = identifiers(
        ("pos:1", "phone", "15411110001"), ("pos:2", "phone", "15422220001"), ("wm:1", "phone", "154****0001")
    )
    assert len(partition(people, ids)) == 3


def test_name_and_birthday_join_unless_something_speaks_against_it() -> None:
    people = profiles(
        named("pos:1", "王芳", birthday="1990-05-17"),
        named("wm:1", "王芳", birthday="1990年5月17日"),
        named("yz:1", "王芳", birthday="1990-05-18"),
        named("yz:2", "王芳", birthday="--05-17"),
    )
    assert partition(people, identifiers(("pos:1", "phone", phone(1)))) == {
        frozenset({"pos:1", "wm:1"}),
        frozenset({"yz:1"}),
        frozenset({"yz:2"}),
    }
    two = identifiers(("pos:1", "phone", phone(1)), ("wm:1", "phone", phone(2)))
    assert resolve(people, two).report.refused == {"contradicted": 1}
    assert len(partition(people, identifiers(), rules=Rules(composites=()))) == 4


def test_assured_birthdays_that_differ_keep_profiles_apart() -> None:
    rows = [
        {"profile": f"pos:{number}", "birthday": day, "birthday_assurance": "authorised"}
        for number, day in enumerate(["1990-05-17", "1961-02-03"])
    ]
    ids = identifiers(("pos:0", "phone", phone(1)), ("pos:1", "phone", phone(1)))
    assert len(partition(profiles(*rows), ids)) == 2


def test_two_big_groups_joined_by_one_phone_go_to_review() -> None:
    left, right = [f"a:{number}" for number in range(4)], [f"b:{number}" for number in range(4)]
    ids = identifiers(
        *((key, "card_no", "A001", "chain") for key in left),
        *((key, "card_no", "B001", "chain") for key in right),
        (left[0], "phone", phone(1)),
        (right[0], "phone", phone(1)),
    )
    found = resolve(profiles(*left, *right), ids)
    assert groups(found.memberships) == {frozenset(left), frozenset(right)}
    assert [(row["rule"], row["review"]) for row in found.state.refusals.to_pylist()] == [("late_bridge", True)]


def test_a_platforms_own_merge_joins() -> None:
    people = profiles({"profile": "yz:1", "merged_into": "yz:2"}, "yz:2")
    assert len(partition(people, identifiers())) == 1


def test_people_can_join_what_rules_would_not_and_part_what_rules_would_join() -> None:
    people = profiles(named("pos:1", "王芳"), named("pos:2", "李强"), "yz:1", "yz:2")
    ids = identifiers(("yz:1", "unionid", "oAbc1", "brand"), ("yz:2", "unionid", "oAbc1", "brand"))
    wishes = constraints(("must_link", "pos:1", "pos:2"), ("cannot_link", "yz:1", "yz:2"))
    assert partition(people, ids, constraints=wishes) == {
        frozenset({"pos:1", "pos:2"}),
        frozenset({"yz:1"}),
        frozenset({"yz:2"}),
    }


def test_cannot_link_wins_over_must_link() -> None:
    wishes = constraints(("must_link", "pos:1", "pos:2"), ("cannot_link", "pos:2", "pos:1"))
    found = resolve(profiles("pos:1", "pos:2"), identifiers(), constraints=wishes)
    assert found.report.customers == 2
    assert found.report.refused == {"cannot_link": 1}


def test_rows_that_cannot_be_used_are_counted_not_raised() -> None:
    ids = identifiers(
        ("pos:1", "phone", "no phone"),
        ("pos:1", "phone", ""),
        ("pos:1", "openid", "oAbc1"),
        ("pos:1", "shoe_size", "42"),
        ("pos:9", "phone", phone(1)),
    )
    assert resolve(profiles("pos:1"), ids).report.ignored == {
        "empty": 1,
        "invalid": 1,
        "unknown_kind": 1,
        "unknown_profile": 1,
        "unscoped": 1,
    }


def test_malformed_calls_are_refused() -> None:
    with pytest.raises(identity.InvalidInputError, match="two rows"):
        resolve(profiles("pos:1", "pos:1"), identifiers())
    with pytest.raises(identity.InvalidInputError, match="'profile'"):
        resolve(pa.table({"name": ["王芳"]}), identifiers())
    with pytest.raises(identity.InvalidInputError, match="other rules"):
        resolve(profiles("pos:1"), identifiers(), changed=["pos:1"])
    with pytest.raises(identity.InvalidInputError, match="must_link or cannot_link"):
        resolve(profiles("pos:1"), identifiers(), constraints=constraints(("never", "a", "b")))
    with pytest.raises(identity.InvalidRulesError, match="priority"):
        Rules().with_kind("phone", priority=1)


# --- ids over time -----------------------------------------------------------------------------------------------------

PEOPLE = profiles("pos:1", "pos:2", "yz:1", "yz:2")
APART = identifiers(
    ("pos:1", "card_no", "A001", "chain"),
    ("yz:1", "card_no", "A001", "chain"),
    ("pos:2", "card_no", "A002", "chain"),
    ("yz:2", "card_no", "A002", "chain"),
)
TOGETHER = pa.concat_tables(
    [APART, identifiers(("yz:1", "unionid", "oAbc1", "brand"), ("yz:2", "unionid", "oAbc1", "brand"))]
)


def test_nothing_changed_means_no_events_and_nothing_to_write() -> None:
    first = resolve(PEOPLE, APART)
    again = resolve(PEOPLE, APART, previous=first.state)
    assert again.events.num_rows == 0
    assert all(change.is_empty for change in again.changes.values())


def test_a_merge_keeps_the_older_id_and_the_other_leads_to_it() -> None:
    first = resolve(PEOPLE, APART)
    merged = resolve(PEOPLE, TOGETHER, previous=first.state)
    assert told(merged.events) == [("merged", "c1", "c2", ("pos:2", "yz:2"))]
    assert merged.events["reason"].to_pylist() == ["unionid"]
    assert set(customers(merged.memberships).values()) == {"c1"}
    assert identity.live_customers(merged.state, ["c1", "c2"]) == {"c1": ["c1"], "c2": ["c1"]}


def test_when_the_reason_is_gone_the_old_ids_come_back() -> None:
    first = resolve(PEOPLE, APART)
    merged = resolve(PEOPLE, TOGETHER, previous=first.state)
    parted = resolve(PEOPLE, APART, previous=merged.state)
    assert told(parted.events) == [("unmerged", "c2", "c1", ("pos:2", "yz:2"))]
    assert customers(parted.memberships) == customers(first.memberships)
    assert identity.live_customers(parted.state, ["c2"]) == {"c2": ["c2"]}


def test_a_split_gives_the_smaller_part_a_new_id() -> None:
    people, ids = (
        profiles("a:1", "a:2", "a:3"),
        identifiers(*((f"a:{n}", "card_no", "A001", "chain") for n in (1, 2, 3))),
    )
    first = resolve(people, ids)
    parted = resolve(people, only(ids, ["a:1", "a:2"]), previous=first.state, new_ids=identity.sequential_ids("new"))
    assert told(parted.events) == [("split", "new1", "c1", ("a:3",))]


def test_new_and_removed_profiles_are_told() -> None:
    first = resolve(profiles("pos:1", "pos:2"), APART)
    grown = resolve(PEOPLE, APART, previous=first.state)
    assert told(grown.events) == [("assigned", "c1", None, ("yz:1",)), ("assigned", "c2", None, ("yz:2",))]
    shrunk = resolve(profiles("pos:1", "yz:1"), APART, previous=grown.state)
    assert told(shrunk.events) == [("removed", "c2", None, ("pos:2", "yz:2")), ("retired", "c2", None, ())]
    back = resolve(PEOPLE, APART, previous=shrunk.state)
    assert customers(back.memberships) == customers(grown.memberships)


def test_an_unmerge_survives_the_next_run_and_new_bridges() -> None:
    first = resolve(PEOPLE, TOGETHER)
    wishes = constraints(*(("cannot_link", a, b) for a in ("pos:1", "yz:1") for b in ("pos:2", "yz:2")))
    parted = resolve(PEOPLE, TOGETHER, previous=first.state, constraints=wishes)
    assert len(groups(parted.memberships)) == 2
    bridge = pa.concat_tables([TOGETHER, identifiers(("x:1", "unionid", "oAbc1", "brand"), ("x:1", "phone", phone(1)))])
    again = resolve(pa.concat_tables([PEOPLE, profiles("x:1")]), bridge, previous=parted.state)
    assert customers(again.memberships)["pos:1"] != customers(again.memberships)["pos:2"]


def asked(found: Resolution) -> list[tuple[str, str]]:
    """What waits for a person although somebody decided: the rule and the value."""
    return [(row["rule"], row["value"]) for row in found.state.refusals.to_pylist() if row["review"]]


def test_new_evidence_against_a_decision_asks_until_it_is_decided_anew() -> None:
    people, ids = profiles("pos:1", "yz:1"), identifiers(("pos:1", "phone", phone(1)), ("yz:1", "phone", phone(1)))
    wishes = constraints(("cannot_link", "pos:1", "yz:1"))
    parted = resolve(people, ids, previous=resolve(people, ids).state, constraints=wishes)
    assert asked(parted) == [], "who decided has seen the phone"
    assert asked(resolve(people, ids, previous=parted.state)) == []
    card = [("pos:1", "card_no", "C77001", "a"), ("yz:1", "card_no", "C77001", "a")]
    more = pa.concat_tables([ids, identifiers(*card)])
    found = resolve(people, more, previous=parted.state)
    assert asked(found) == [("cannot_link", "C77001")]
    assert len(groups(found.memberships)) == 2
    part = resolve(people, more, previous=parted.state, changed=["pos:1", "yz:1"])
    assert part.state.refusals.sort_by("value").equals(found.state.refusals.sort_by("value"))
    assert asked(resolve(people, more, previous=found.state)) == asked(found), "it waits until somebody answers"
    later = AT + dt.timedelta(days=1)
    again = wishes.set_column(5, "at", pa.array([later], identity.CONSTRAINTS.field("at").type))
    settled = resolve(people, more, previous=found.state, constraints=again, changed=[])
    assert asked(settled) == []
    assert asked(resolve(people, more, previous=settled.state)) == []


def test_a_newcomer_who_bridges_a_decision_is_asked_about() -> None:
    first = resolve(PEOPLE, TOGETHER)
    wishes = constraints(*(("cannot_link", a, b) for a in ("pos:1", "yz:1") for b in ("pos:2", "yz:2")))
    parted = resolve(PEOPLE, TOGETHER, previous=first.state, constraints=wishes)
    more = identifiers(
        ("x:1", "unionid", "oAbc1", "brand"), ("x:1", "card_no", "C9001", "a"), ("yz:2", "card_no", "C9001", "a")
    )
    bridged = resolve(
        pa.concat_tables([PEOPLE, profiles("x:1")]), pa.concat_tables([TOGETHER, more]), previous=parted.state
    )
    assert asked(parted) == []
    assert len(asked(bridged)) == 1


def test_an_id_source_that_repeats_itself_is_refused() -> None:
    first = resolve(profiles("pos:1"), identifiers())
    with pytest.raises(identity.InvalidInputError, match="id source"):
        resolve(profiles("pos:1", "pos:2"), identifiers(), previous=first.state, new_ids=identity.sequential_ids())


def test_a_state_survives_its_files(tmp_path: object) -> None:
    first = resolve(PEOPLE, APART)
    first.state.save(tmp_path)  # type: ignore[arg-type]
    loaded = State.load(tmp_path)  # type: ignore[arg-type]
    assert resolve(PEOPLE, APART, previous=loaded).events.num_rows == 0
    with pytest.raises(identity.InvalidInputError, match=r"profiles\.parquet"):
        State.load(tmp_path / "nowhere")  # type: ignore[operator]
