"""What a change reaches, by example; that it reaches enough always, the properties tell."""

from __future__ import annotations

from identity_frames import AT, groups, identifiers, profiles

import identity


def test_a_profile_that_another_was_merged_into_before_it_was_known_joins_it_when_it_turns_up() -> None:
    waiting = profiles({"profile": "weimob:31", "merged_into": "weimob:32"})
    first = identity.resolve(waiting, identifiers(), at=AT)
    found = identity.resolve(profiles("weimob:32"), identifiers(), at=AT, previous=first.state, changed=["weimob:32"])
    assert groups(found.memberships) == {frozenset({"weimob:31", "weimob:32"})}


def test_when_it_is_gone_again_the_other_is_alone() -> None:
    both = profiles({"profile": "weimob:31", "merged_into": "weimob:32"}, "weimob:32")
    first = identity.resolve(both, identifiers(), at=AT)
    found = identity.resolve(profiles(), identifiers(), at=AT, previous=first.state, changed=["weimob:32"])
    assert groups(found.memberships) == {frozenset({"weimob:31"})}
