"""Rows by the text in a column, found by hash."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

import identity
from identity import State
from identity.lookup import Lookup
from identity.tables import pick

TEXTS = st.lists(st.none() | st.text("ab", max_size=3), max_size=30)


@given(TEXTS, st.lists(st.text("ab", max_size=3), unique=True))
def test_the_rows_are_those_that_reading_every_text_finds(texts: list[str | None], values: list[str]) -> None:
    table = pa.table({"no": range(len(texts)), "text": pa.chunked_array([texts[:7], texts[7:]], pa.string())})
    wanted = pa.array(values, pa.string())
    lookup = Lookup()
    for _ in range(2):
        assert lookup.rows(table, "table.text", "text", wanted) == pick(table, "text", wanted)


def test_a_large_state_answers_questions_asked_at_once_and_again() -> None:
    keys = [f"pos:{number}" for number in range(250_000)]
    members = pa.table({"profile": keys, "customer": keys, "component": keys}, schema=identity.SCHEMAS["memberships"])
    state = State(memberships=members)
    wanted = pa.array(["pos:7", "pos:249999", "nobody"])
    for _ in range(2):
        one, other = state.find(("memberships", "profile", wanted), ("memberships", "component", wanted))
        assert one.equals(other)
        assert one["profile"].to_pylist() == ["pos:7", "pos:249999"]


def test_several_threads_may_ask() -> None:
    table = pa.table({"text": [f"t{number % 1_000}" for number in range(20_000)]})
    lookup = Lookup()

    def count(number: int) -> int:
        return lookup.rows(table, "table.text", "text", pa.array([f"t{number}"])).num_rows

    with ThreadPoolExecutor(max_workers=4) as pool:
        assert list(pool.map(count, range(50))) == [20] * 50


def test_texts_of_one_hash_are_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    def alike(_: Lookup, texts: pa.Array | pa.ChunkedArray) -> np.ndarray:
        return np.full(len(texts), 7, np.uint64)

    monkeypatch.setattr(Lookup, "_hashes", alike)
    table = pa.table({"text": ["a", "b", None, "a"], "no": [1, 2, 3, 4]})
    found = Lookup().rows(table, "table.text", "text", pa.array(["a"]))
    assert found["no"].to_pylist() == [1, 4]
