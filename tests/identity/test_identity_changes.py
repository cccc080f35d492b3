"""What changed between two versions of a table: deleting and appending it turns one into the other."""

from __future__ import annotations

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

import identity
from identity.changes import apply_changes, differences
from identity.tables import empty

SCHEMA = identity.SCHEMAS["refusals"]
SIDES = st.sampled_from(["p:1", "p:2"])
ROW = st.tuples(SIDES, SIDES, st.sampled_from([None, "phone"]), st.none(), st.none(), st.just("limit"), st.booleans())


def tables(rows: list[tuple[object, ...]]) -> dict[str, pa.Table]:
    refusals = pa.Table.from_pylist([dict(zip(SCHEMA.names, row, strict=True)) for row in rows], schema=SCHEMA)
    return {**{name: empty(name) for name in identity.SCHEMAS}, "refusals": refusals}


def rows_of(table: pa.Table) -> set[str]:
    """A table is a set of rows: one that is said twice says nothing more."""
    return {str(row) for row in table.to_pylist()}


@given(st.lists(ROW, max_size=8), st.lists(ROW, max_size=8))
def test_the_changes_turn_one_version_into_the_other_even_where_a_key_stands_twice(
    one: list[tuple[object, ...]], other: list[tuple[object, ...]]
) -> None:
    before, after = tables(one), tables(other)
    found = apply_changes(before, differences(before, after))
    assert rows_of(found["refusals"]) == rows_of(after["refusals"])


@given(st.lists(ROW, max_size=8), st.randoms(use_true_random=False))
def test_another_order_is_no_change(rows: list[tuple[object, ...]], order: object) -> None:
    shuffled = list(rows)
    order.shuffle(shuffled)  # type: ignore[attr-defined]
    changes = differences(tables(rows), tables(shuffled))
    assert all(change.is_empty for change in changes.values())
