"""What is refused is told the same way in whatever order it came in."""

from __future__ import annotations

from itertools import permutations

import pytest
from identity_frames import AT, groups, identifiers, phone, profiles

import identity

TWO_EMAILS = [(profile, "email", f"{name}@shop.invalid") for profile in ("a:1", "b:1") for name in ("anna", "bella")]


@pytest.mark.parametrize("order", list(permutations(range(4))))
def test_of_two_equal_values_the_first_by_its_text_is_named(order: tuple[int, ...]) -> None:
    people = profiles(*({"profile": key, "name": "李海波"} for key in ("a:1", "a:2", "b:1")))
    card = [(key, "card_no", "A001", "chain") for key in ("a:1", "a:2")]
    links = identifiers(*(TWO_EMAILS[place] for place in order), *card)
    found = identity.resolve(people, links, at=AT, rules=identity.Rules(max_customer=2))
    assert len(groups(found.memberships)) == 2
    (refused,) = found.state.refusals.to_pylist()
    assert refused["rule"] == "too_large"
    assert refused["value"] == "anna@shop.invalid"


def test_a_value_that_only_one_profile_is_left_with_need_not_stay_blocked() -> None:
    rules = identity.Rules().with_kind("phone", max_names=1)
    people = profiles({"profile": "a:1", "name": "李海波"}, {"profile": "b:1", "name": "王小明"})
    links = identifiers(("a:1", "phone", phone(1)), ("b:1", "phone", phone(1)))
    first = identity.resolve(people, links, at=AT, rules=rules)
    assert first.report.blocked == {"too_many_names": 1}
    left = identity.resolve(
        people.slice(0, 1), links.slice(0, 1), at=AT, rules=rules, previous=first.state, changed=["b:1"]
    )
    assert left.report.blocked == {}
    assert left.state.value_states.num_rows == 0


def test_no_limit_parts_whom_a_person_joined_but_it_parts_whom_a_platform_did() -> None:
    rules = identity.Rules().with_kind("card_no", per_customer=1)
    links = identifiers(("a:1", "card_no", "A001", "chain"), ("b:1", "card_no", "B001", "chain"))
    people = profiles("a:1", "b:1")
    decided = identity.merge(["a:1", "b:1"], actor="li", reason="same person", at=AT)
    by_hand = identity.resolve(people, links, at=AT, rules=rules, constraints=decided)
    assert len(groups(by_hand.memberships)) == 1
    merged = profiles({"profile": "a:1", "merged_into": "b:1"}, "b:1")
    by_platform = identity.resolve(merged, links, at=AT, rules=rules)
    assert len(groups(by_platform.memberships)) == 2
    assert by_platform.report.refused == {"limit": 1}
