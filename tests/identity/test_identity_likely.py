"""What a link model adds to evidence, and what it may never do."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from identity_frames import AT, WHY, Opinion, constraints, groups, identifiers, phone, profiles

import identity
from identity import Resolution, Rules
from identity.likely import group_pairs, waterfall

PEOPLE = profiles(
    *({"profile": key, "name": name} for key, name in zip("abcd", ["王芳", "王芳", "王芳", "王强"], strict=True))
)


def resolved(*weights: tuple[str, str, float], ids: pa.Table | None = None, **more: object) -> Resolution:
    given_ids = identifiers() if ids is None else ids
    return identity.resolve(PEOPLE, given_ids, at=AT, model=Opinion(weights), new_ids=identity.sequential_ids(), **more)  # type: ignore[arg-type]


def partition(resolution: Resolution) -> set[frozenset[str]]:
    return groups(resolution.memberships)


def test_above_one_threshold_pairs_join_between_two_they_wait_below_nothing_happens() -> None:
    found = resolved(("a", "b", 15), ("b", "c", 8), ("c", "d", 3))
    assert partition(found) == {frozenset("ab"), frozenset("c"), frozenset("d")}
    asked = [(row["left"], row["right"], row["rule"], row["review"]) for row in found.state.refusals.to_pylist()]
    assert asked == [("b", "c", "likely", True)]
    assert found.report.review == 1


def test_without_a_model_evidence_stands_alone() -> None:
    found = identity.resolve(PEOPLE, identifiers(), at=AT)
    assert found.state.pairs.num_rows == 0
    assert len(partition(found)) == 4


def test_one_lucky_pair_does_not_chain_strangers() -> None:
    """a and c were never a pair: the mean of both pairs of {a, b} with c is what counts."""
    assert partition(resolved(("a", "b", 20), ("b", "c", 14))) == {frozenset("ab"), frozenset("c"), frozenset("d")}
    both = resolved(("a", "b", 20), ("b", "c", 14), ("a", "c", 13))
    assert partition(both) == {frozenset("abc"), frozenset("d")}


def test_two_pairs_between_the_same_groups_are_no_surer_than_their_mean() -> None:
    card = identifiers(("a", "card_no", "88000001", "till"), ("b", "card_no", "88000001", "till"))
    assert partition(resolved(("a", "c", 8), ("b", "c", 8), ids=card)) == {
        frozenset("ab"),
        frozenset("c"),
        frozenset("d"),
    }
    assert partition(resolved(("a", "c", 15), ("b", "c", 15), ids=card)) == {frozenset("abc"), frozenset("d")}


@pytest.mark.parametrize(
    ("ids", "rule"),
    [
        ([("a", "member_no", "10001", "chain"), ("b", "member_no", "10002", "chain")], "limit"),
        ([("a", "phone", phone(1)), ("b", "phone", phone(2))], "contradicted"),
    ],
)
def test_identifiers_that_contradict_forbid_whatever_the_model_says(ids: list[tuple[str, ...]], rule: str) -> None:
    rules = Rules().with_kind("member_no", per_customer=1)
    found = resolved(("a", "b", 40), ids=identifiers(*ids), rules=rules)
    assert frozenset("ab") not in partition(found)
    assert [row["rule"] for row in found.state.refusals.to_pylist()] == [rule]


def test_a_different_name_and_what_people_said_forbid() -> None:
    assert frozenset("ad") not in partition(resolved(("a", "d", 40)))
    apart = resolved(("a", "b", 40), constraints=constraints(("cannot_link", "a", "b")))
    assert frozenset("ab") not in partition(apart)


def test_the_model_s_part_is_explained_in_words() -> None:
    found = resolved(("a", "b", 15), ("b", "c", 8))
    text = identity.explain(found.state, "a", "b").words("en", detailed=True)
    assert "a trained model gives a and b a chance of 99.9% of being one person" in text
    assert "birthday speaks strongly for one person (+10.2 bits)" in text
    assert "city speaks slightly against (-1.5 bits)" in text
    assert "waits for review" in identity.explain(found.state, "a", "c").words("en")
    assert waterfall(WHY, "zh")[-1].startswith("合计 +7.2 比特")


def test_a_state_made_with_a_model_is_not_continued_without_it() -> None:
    first = resolved(("a", "b", 15))
    with pytest.raises(identity.InvalidInputError):
        identity.resolve(PEOPLE, identifiers(), at=AT, previous=first.state, changed=["a"])


weights = st.lists(
    st.tuples(st.sampled_from("abcdef"), st.sampled_from("abcdef"), st.sampled_from([7.0, 9.0, 13.0, 20.0])), max_size=8
)


@settings(max_examples=5, deadline=None)
@given(first=weights, second=weights, moved=st.sets(st.sampled_from("abcdef"), max_size=3), shared=st.booleans())
def test_a_part_looked_at_again_ends_where_a_look_at_everything_ends(
    first: list[tuple[str, str, float]], second: list[tuple[str, str, float]], moved: set[str], shared: bool
) -> None:
    """What the model says of a pair changes only when one of the two does."""
    people = profiles(*({"profile": key, "name": "王芳"} for key in "abcdef"))
    ids = identifiers(("a", "phone", phone(1)), ("f", "phone", phone(1 if shared else 2)))
    before, after = table(first), table(second)
    mixed = {pair: after.get(pair) if moved & set(pair) else before.get(pair) for pair in {*before, *after}}
    options = {"at": AT, "rules": Rules()}
    start = identity.resolve(people, ids, model=opinion(before), new_ids=identity.sequential_ids("x"), **options)  # type: ignore[arg-type]
    later = {**options, "model": opinion(mixed), "previous": start.state, "at": AT + dt.timedelta(days=1)}
    part = identity.resolve(people, ids, changed=sorted(moved), new_ids=identity.sequential_ids("n"), **later)  # type: ignore[arg-type]
    whole = identity.resolve(people, ids, new_ids=identity.sequential_ids("n"), **later)  # type: ignore[arg-type]
    assert groups(part.memberships) == groups(whole.memberships)
    for name in ("refusals", "pairs", "memberships"):
        assert rows(part, name) == rows(whole, name)


def table(weights: Sequence[tuple[str, str, float]]) -> dict[tuple[str, str], float]:
    return {(min(a, b), max(a, b)): w for a, b, w in weights if a != b}


def opinion(weights: dict[tuple[str, str], float | None]) -> Opinion:
    return Opinion(tuple((a, b, w) for (a, b), w in sorted(weights.items()) if w is not None))


def rows(resolution: Resolution, name: str) -> list[str]:
    return sorted(map(str, getattr(resolution.state, name).to_pylist()))


@settings(max_examples=25, deadline=None)
@given(st.permutations(range(8)), weights)
def test_grouping_does_not_depend_on_the_order_of_input(
    order: list[int], given_weights: list[tuple[str, str, float]]
) -> None:
    pairs = Opinion(tuple((a, b, w - 10) for (a, b), w in table(given_weights).items()))
    ids = pa.array(list("abcdefgh"))
    scored = pairs.pairs(pa.table({"id": ids}), least_weight=-99)
    found = group_pairs(ids, scored)
    shuffled = pc.take(ids, pa.array(order))
    turned = group_pairs(shuffled, scored.take(pa.array(reversed(range(scored.num_rows)), pa.int64())))
    assert dict(zip(shuffled.to_pylist(), turned.to_pylist(), strict=True)) == dict(
        zip(ids.to_pylist(), found.to_pylist(), strict=True)
    )
