"""Which customer goes on where groups meet or part, and what is told of it."""

from __future__ import annotations

import datetime as dt

import pyarrow as pa
from identity_frames import AT, customers, identifiers, phone, profiles, told

import identity


def named(**names: str) -> list[dict[str, object]]:
    return [{"profile": f"pos:{key}", "name": name} for key, name in names.items()]


def test_a_customer_goes_on_with_the_evidence_that_a_system_asserts_before_the_number_of_profiles() -> None:
    links = identifiers(*((f"pos:{key}", "phone", phone(1)) for key in "abc"), ("pos:a", "card_no", "88000001", "till"))
    ids = identity.sequential_ids()
    first = identity.resolve(profiles(*named(a="王芳", b="王芳", c="王芳")), links, at=AT, new_ids=ids)
    assert customers(first.memberships) == {"pos:a": "c1", "pos:b": "c1", "pos:c": "c1"}
    parted = identity.resolve(
        profiles(*named(a="李强", b="王芳", c="王芳")), links, at=AT, new_ids=ids, previous=first.state
    )
    assert customers(parted.memberships) == {"pos:a": "c1", "pos:b": "c2", "pos:c": "c2"}


def test_of_two_equal_customers_the_older_goes_on_whatever_its_id() -> None:
    ids = iter(["z", "a"])
    people = profiles(*named(a="王芳", b="王芳"))
    apart = identifiers(("pos:a", "phone", phone(1)), ("pos:b", "phone", phone(2)))
    first = identity.resolve(people, apart, at=AT, new_ids=lambda wanted: [next(ids) for _ in range(wanted)])
    assert customers(first.memberships) == {"pos:a": "z", "pos:b": "a"}
    together = identifiers(("pos:a", "phone", phone(1)), ("pos:b", "phone", phone(1)))
    merged = identity.resolve(people, together, at=AT, previous=first.state)
    assert customers(merged.memberships) == {"pos:a": "z", "pos:b": "z"}
    assert told(merged.events) == [("merged", "z", "a", ("pos:b",))]


CARDS = {
    **dict.fromkeys("abc", "88000001"),
    **dict.fromkeys("def", "88000002"),
    **dict.fromkeys("hi", "88000003"),
}


def by_card(**cards: str) -> pa.Table:
    return identifiers(*((f"pos:{key}", "card_no", card, "till") for key, card in cards.items()))


def keys(letters: str) -> list[str]:
    return [f"pos:{letter}" for letter in letters]


def resolved(cards: dict[str, str], previous: identity.State | None = None, **options: object) -> identity.Resolution:
    people = profiles(*keys("".join(cards)))
    return identity.resolve(people, by_card(**cards), previous=previous, **{"at": AT, **options})  # type: ignore[arg-type]


def test_who_joins_a_customer_that_was_split_off_is_assigned_to_it() -> None:
    ids = identity.sequential_ids()
    first = resolved(dict.fromkeys("abc", CARDS["a"]), new_ids=ids)
    parted = resolved({"a": CARDS["a"], "b": CARDS["a"], "c": CARDS["d"], "d": CARDS["d"]}, first.state, new_ids=ids)
    assert told(parted.events) == [("assigned", "c2", None, ("pos:d",)), ("split", "c2", "c1", ("pos:c",))]


def test_a_customer_that_ends_in_two_is_merged_into_the_one_with_most_of_it() -> None:
    ids = identity.sequential_ids()
    first = resolved(CARDS, new_ids=ids)
    assert set(customers(first.memberships).values()) == {"c1", "c2", "c3"}
    scattered = {**CARDS, "a": CARDS["d"], "b": CARDS["d"], "c": CARDS["h"], "g": CARDS["d"]}
    found = resolved(scattered, first.state, new_ids=ids)
    assert told(found.events) == [
        ("assigned", "c2", None, ("pos:g",)),
        ("merged", "c2", "c1", ("pos:a", "pos:b")),
        ("reassigned", "c3", "c1", ("pos:c",)),
    ]


def test_the_reason_of_a_merge_is_not_what_the_moved_have_in_common_among_themselves() -> None:
    people, cards = profiles(*keys("abcde")), by_card(**{key: CARDS[key] for key in "abcde"})
    phones = [("pos:a", "phone", phone(1)), ("pos:d", "phone", phone(1))]
    first = identity.resolve(people, cards, at=AT, new_ids=identity.sequential_ids())
    links = pa.concat_tables([cards, identifiers(*phones)])
    merged = identity.resolve(people, links, at=AT, previous=first.state)
    assert told(merged.events) == [("merged", "c1", "c2", ("pos:d", "pos:e"))]
    assert merged.events["reason"].to_pylist() == ["phone"]


def test_a_customer_that_comes_back_lives_since_then() -> None:
    apart = {"a": CARDS["a"], "b": CARDS["d"]}
    first = resolved(apart, new_ids=identity.sequential_ids())
    merged = resolved({"a": CARDS["a"], "b": CARDS["a"]}, first.state, at=AT + dt.timedelta(days=1))
    parted = resolved(apart, merged.state, at=AT + dt.timedelta(days=2))
    since = {row["customer"]: (row["state"], (row["at"] - AT).days) for row in parted.state.customers.to_pylist()}
    assert since == {"c1": ("live", 0), "c2": ("live", 2)}
