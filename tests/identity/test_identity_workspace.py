"""Named tables, and SQL over them."""

from __future__ import annotations

import pyarrow as pa

from identity.workspace import Workspace


def test_sql_sees_what_stands_under_a_name_now() -> None:
    with Workspace() as work:
        work.put(number=pa.table({"n": [1, 2]}))
        assert work.count("number") == 2
        work.put(number=pa.table({"n": [5]}), other=pa.table({"n": [5, 6]}))
        assert work.table("SELECT n FROM number SEMI JOIN other USING (n)")["n"].to_pylist() == [5]


def test_a_table_comes_out_as_it_was_put() -> None:
    table = pa.table({"n": [1, 2]})
    with Workspace() as work:
        work.put(number=table)
        assert work.given("number") is table


def test_a_query_is_cast_to_the_schema_that_is_asked_for() -> None:
    with Workspace() as work:
        work.make("pair", "SELECT 1 AS a, 'x' AS b")
        found = work.table("FROM pair", pa.schema([("b", pa.string()), ("a", pa.int8())]))
    assert found.schema == pa.schema([("b", pa.string()), ("a", pa.int8())])
    assert found.to_pylist() == [{"b": "x", "a": 1}]
