"""From an identifier to its customers."""

from __future__ import annotations

from identity_frames import AT, identifiers, phone, profiles

import identity


def test_customers_are_found_by_what_a_person_would_write() -> None:
    people = profiles({"profile": "a", "name": "王芳"}, {"profile": "b", "name": "李强"}, "c")
    ids = identifiers(
        ("a", "phone", phone(1)),
        ("b", "phone", phone(1)),
        ("c", "card_no", "k-0001", "shop"),
        ("c", "email", "Ada@Example.com"),
        ("c", "phone", "154****0009"),
    )
    found = identity.resolve(people, ids, at=AT, new_ids=identity.sequential_ids())
    finder = identity.Finder(found.state)
    assert finder.customers("+86 154 1000 0001") == ["c1", "c2"]
    assert finder.customers(" K0001 ") == ["c3"]
    assert finder.customers("ada@example.com") == ["c3"]
    assert finder.customers("154****0009") == []
    assert finder.customers(phone(7)) == []
    assert identity.Finder(identity.State()).customers(phone(1)) == []
