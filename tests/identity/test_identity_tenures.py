"""Numbers are handed on: who had a phone first, who has it now, and who says so."""

from __future__ import annotations

import pyarrow as pa
from identity_frames import AT, dated, groups, identifiers, phone, profiles

import identity


def resolved(people: pa.Table, links: pa.Table) -> identity.Resolution:
    return identity.resolve(people, links, at=AT)


def carried(*rows: dict[str, object]) -> pa.Table:
    return pa.Table.from_pylist(list(rows), schema=identity.IDENTIFIERS)


def named(profile: str, name: str) -> dict[str, object]:
    return {"profile": profile, "name": name}


def test_a_recycled_number_does_not_hand_its_nameless_profiles_to_the_new_owner() -> None:
    links = carried(
        dated("pos:old", "phone", phone(1), "2023-01-01", "2023-06-01"),
        dated("wm:old", "phone", phone(1), "2023-02-01", "2023-05-01"),
        dated("pos:new", "phone", phone(1), "2024-03-01", "2024-09-01"),
        dated("wm:new", "phone", phone(1), "2024-04-01", "2024-08-01"),
    )
    people = profiles(named("pos:old", "王芳"), "wm:old", named("pos:new", "李强"), "wm:new")
    assert groups(resolved(people, links).memberships) == {
        frozenset({"pos:old", "wm:old"}),
        frozenset({"pos:new", "wm:new"}),
    }


def test_a_login_on_a_number_long_silent_is_a_new_owner() -> None:
    links = carried(
        dated("mini:1", "phone", phone(1), "2023-01-01", "2023-06-01"),
        dated("mini:1", "unionid", "oAbc1", "2023-01-01", "2023-06-01", "brand"),
        dated("mini:2", "phone", phone(1), "2024-03-01", "2024-09-01"),
        dated("mini:2", "unionid", "oAbc2", "2024-03-01", "2024-09-01", "brand"),
        dated("wm:2", "phone", phone(1), "2024-05-01", "2024-09-01"),
    )
    found = resolved(profiles("mini:1", "mini:2", "wm:2"), links)
    assert groups(found.memberships) == {frozenset({"mini:1"}), frozenset({"mini:2", "wm:2"})}
    assert found.report.refused == {"other_owner": 1}


def test_a_number_is_silent_only_when_all_who_came_before_are() -> None:
    links = carried(
        dated("pos:1", "phone", phone(1), "2020-01-01", "2024-08-01"),
        dated("pos:2", "phone", phone(1), "2021-01-01", "2021-02-01"),
        dated("pos:3", "phone", phone(1), "2024-03-01", "2024-09-01"),
    )
    people = profiles(named("pos:1", "王芳"), named("pos:2", "赵敏"), named("pos:3", "李强"))
    assert resolved(people, links).report.refused == {"names_differ": 2}


def test_where_a_date_is_not_known_nobody_is_a_later_owner() -> None:
    links = carried(
        dated("pos:1", "phone", phone(1), "2020-01-01", "2020-02-01"),
        dated("pos:2", "phone", phone(1), "2024-03-01", "2024-09-01"),
        {**dated("pos:3", "phone", phone(1), "2024-03-01", "2024-09-01"), "first_seen": None},
    )
    people = profiles(named("pos:1", "王芳"), named("pos:2", "李强"), named("pos:3", "赵敏"))
    assert resolved(people, links).report.refused == {"names_differ": 2}


def test_who_has_a_name_has_the_better_claim_than_a_proven_login_without_one() -> None:
    links = identifiers(
        ("crm:1", "phone", phone(1)),
        ("mini:1", "phone", phone(1)),
        ("mini:1", "unionid", "oAbc1", "brand"),
        ("mini:2", "phone", phone(1), "", "authorised"),
        ("mini:2", "unionid", "oAbc2", "brand"),
    )
    people = profiles(named("crm:1", "李强"), named("mini:1", "王芳"), "mini:2")
    found = resolved(people, links)
    assert len(groups(found.memberships)) == 3
    assert found.report.refused == {"names_differ": 1, "unclear_owner": 1}
