"""Grouping whole numbers in array code, against plain Python."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from identity.grouped import NOTHING, Grouped, matches
from identity.numbering import number_values
from identity.tables import SCHEMAS

HUGE = 2**31 - 1
keys = st.sampled_from([NOTHING, 0, 1, 5, HUGE])
rows = st.lists(st.tuples(keys, keys, keys, st.integers(NOTHING, 3)), max_size=12)


def _columns(given: list[tuple[int, ...]]) -> list[np.ndarray]:
    return list(np.array(given, np.int32).reshape(len(given), 4).T)


@given(rows)
def test_groups_hold_the_rows_of_equal_keys_in_the_order_of_these(given: list[tuple[int, ...]]) -> None:
    *three, code = _columns(given)
    grouped = Grouped(*three)
    expected = defaultdict(list)
    for row, (*key, _) in enumerate(given):
        expected[tuple(key)].append(row)
    groups = [expected[key] for key in sorted(expected)]
    assert [part.tolist() for part in np.split(grouped.order, grouped.starts[1:])] == (groups or [[]])
    assert len(grouped) == len(groups)
    assert grouped.sizes().tolist() == [len(group) for group in groups]
    assert grouped.heads.tolist() == [group[0] for group in groups]
    assert all(grouped.of[row] == number for number, group in enumerate(groups) for row in group)
    codes = [[given[row][3] for row in group] for group in groups]
    assert grouped.smallest(code).tolist() == [min(group) for group in codes]
    assert grouped.largest(code).tolist() == [max(group) for group in codes]
    assert grouped.total(code).tolist() == [sum(group) for group in codes]
    assert grouped.distinct(code).tolist() == [len(set(group)) for group in codes]
    assert grouped.any(code > 1).tolist() == [any(one > 1 for one in group) for group in codes]


@given(rows)
def test_what_a_group_does_not_say_is_no_code(given: list[tuple[int, ...]]) -> None:
    first, *_, code = _columns(given)
    grouped = Grouped(first)
    said = defaultdict(set)
    for key, *_, one in given:
        said[key] |= {one} - {NOTHING}
    known = [said[key] for key in sorted(said)]
    assert grouped.smallest_known(code).tolist() == [min(codes, default=NOTHING) for codes in known]
    assert grouped.only(code).tolist() == [next(iter(codes)) if len(codes) == 1 else NOTHING for codes in known]
    assert grouped.differ(code).tolist() == [len(codes) > 1 for codes in known]


@given(rows)
def test_the_first_row_by_some_columns_is_that_of_a_sort(given: list[tuple[int, ...]]) -> None:
    first, second, third, code = _columns(given)
    found = Grouped(first).first_by(code, -second, third).tolist()
    best = {}
    for row in sorted(range(len(given)), key=lambda row: (given[row][3], -given[row][1], given[row][2], row)):
        best.setdefault(given[row][0], row)
    assert found == [best[key] for key in sorted(best)]


@given(rows)
def test_pairs_and_matches_are_all_rows_that_have_the_same_number(given: list[tuple[int, ...]]) -> None:
    left, right, *_ = _columns(given)
    one, other = Grouped(left).pairs()
    everywhere = range(len(given))
    assert sorted(zip(one.tolist(), other.tolist(), strict=True)) == [
        (a, b) for a in everywhere for b in everywhere if left[a] == left[b]
    ]
    one, other = matches(left, right)
    assert sorted(zip(one.tolist(), other.tolist(), strict=True)) == [
        (a, b) for a in everywhere for b in everywhere if left[a] == right[b]
    ]


def test_values_are_numbered_alike_in_all_chunks_even_where_each_brings_a_dictionary_of_its_own() -> None:
    def links(values: list[str]) -> dict[str, pa.Array]:
        rows = len(values)
        given = {"kind": ["phone"] * rows, "scope": [""] * rows, "value": values, "status": ["key"] * rows}
        return {name: pa.array(column).dictionary_encode() for name, column in given.items()}

    parts = [pa.table(links(values)) for values in (["a", "b"], ["b", "c", "a"])]
    chunked = pa.concat_tables(parts)
    assert chunked["value"].num_chunks == 2
    chunked = chunked.set_column(3, "status", chunked["status"].cast(pa.string()))
    values = number_values(chunked)
    texts = values.table["value"].to_pylist()
    assert [texts[number] for number in values.value] == ["a", "b", "b", "c", "a"]
    assert values.table["carriers"].to_pylist() == [2, 2, 1]


def test_no_links_have_no_values() -> None:
    values = number_values(SCHEMAS["links"].empty_table())
    assert not len(values.value)
    assert not values.table.num_rows
