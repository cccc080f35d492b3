"""Values are judged before they join anybody."""

from __future__ import annotations

import pyarrow as pa
import pytest
from identity_frames import AT, identifiers, phone, profiles

import identity
from identity import Resolution, Rules


def resolve(people: pa.Table, ids: pa.Table, **options: object) -> Resolution:
    return identity.resolve(people, ids, at=AT, **options)


def crowd(size: int) -> tuple[pa.Table, pa.Table]:
    """A phone that ``size`` nameless profiles carry."""
    keys = [f"pos:{number}" for number in range(size)]
    return profiles(*keys), identifiers(*((key, "phone", phone(1)) for key in keys))


def with_names(*names: str) -> tuple[pa.Table, pa.Table]:
    """A phone that profiles of some names carry."""
    people = profiles(*({"profile": f"pos:{number}", "name": name} for number, name in enumerate(names)))
    return people, identifiers(*((key, "phone", phone(1)) for key in people["profile"].to_pylist()))


@pytest.mark.parametrize("value", ["13800138000", "15400000000", "null", "-", "154****0001", "021-12345678"])
def test_values_that_are_nobodys_join_nobody(value: str) -> None:
    ids = identifiers(("pos:1", "phone", value), ("pos:2", "phone", value))
    assert resolve(profiles("pos:1", "pos:2"), ids).report.customers == 2


@pytest.mark.parametrize("which", ["blocked", "own"])
def test_numbers_of_shops_and_staff_join_nobody(which: str) -> None:
    rules = Rules(**{which: {"phone": frozenset({phone(9)})}})
    ids = identifiers(("pos:1", "phone", phone(9)), ("pos:2", "phone", f"+86{phone(9)}"))
    found = resolve(profiles("pos:1", "pos:2"), ids, rules=rules)
    assert found.report.customers == 2
    assert found.report.blocked == {"listed": 1}


def test_a_value_that_is_listed_for_one_kind_joins_in_another() -> None:
    rules = Rules(blocked={"openid": frozenset({"oAbc1"})})
    ids = identifiers(*((key, kind, "oAbc1", "app") for key in ("pos:1", "pos:2") for kind in ("openid", "wid")))
    found = resolve(profiles("pos:1", "pos:2"), ids, rules=rules)
    assert (found.report.customers, found.report.blocked) == (1, {"listed": 1})


def test_a_crowded_value_is_blocked_and_stays_so_until_the_crowd_is_half() -> None:
    rules = Rules().with_kind("phone", max_profiles=4)
    crowded = resolve(*crowd(5), rules=rules)
    assert crowded.report.customers == 5
    hovering = resolve(*crowd(4), rules=rules, previous=crowded.state)
    assert hovering.report.customers == 4
    gone = resolve(*crowd(2), rules=rules, previous=hovering.state)
    assert gone.report.customers == 1
    assert resolve(*crowd(4), rules=rules).report.customers == 1


def test_a_value_with_many_names_is_a_shops_until_half_of_them_are_left() -> None:
    rules = Rules().with_kind("phone", max_names=4)
    shop = resolve(*with_names("王芳", "李强", "陈静", "刘洋", "张伟"), rules=rules)
    assert shop.report.blocked == {"too_many_names": 1}
    fewer = resolve(*with_names("王芳", "李强", "陈静"), rules=rules, previous=shop.state)
    assert fewer.report.blocked == {"too_many_names": 1}
    family = resolve(*with_names("王芳", "李强"), rules=rules, previous=fewer.state)
    assert family.report.blocked == {}
    assert resolve(*with_names("王芳", "李强", "陈静"), rules=rules).report.blocked == {}


def test_a_block_for_its_names_does_not_halve_how_many_profiles_a_value_may_have() -> None:
    rules = Rules().with_kind("phone", max_names=2, max_profiles=5)
    shop = resolve(*with_names("王芳", "李强", "陈静"), rules=rules)
    assert shop.report.blocked == {"too_many_names": 1}
    assert resolve(*with_names(*["王芳"] * 4), rules=rules, previous=shop.state).report.customers == 1


def test_a_trusted_value_is_not_blocked_by_its_crowd() -> None:
    rules = Rules(trusted={"phone": frozenset({phone(1)})}).with_kind("phone", max_profiles=4)
    assert resolve(*crowd(5), rules=rules).report.customers == 1


def test_a_trusted_value_that_is_listed_too_is_blocked() -> None:
    values = {"phone": frozenset({phone(1)})}
    assert resolve(*crowd(2), rules=Rules(trusted=values, blocked=values)).report.blocked == {"listed": 1}
