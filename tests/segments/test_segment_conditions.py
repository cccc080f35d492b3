"""Conditions of segments: what may be written, and that nothing else gets through."""

from __future__ import annotations

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlglot import exp

from hub.segments import _ALLOWED, _FUNCTIONS, Segment, check_where, columns_used
from hub.titles import Title

TRAITS = ("days_since_order", "rfm_m_score", "tags", "name", "birthday", "orders_365d")

GOOD = [
    "rfm_m_score >= 4 AND days_since_order < 30",
    "NOT (rfm_m_score = 1 OR rfm_m_score IS NULL)",
    "days_since_order BETWEEN 30 AND 90",
    "name IN ('金卡', 'VIP') AND name NOT LIKE '测试%'",
    "array_contains(tags, 'vip') OR list_contains(tags, 'new')",
    "CASE WHEN orders_365d > 3 THEN true ELSE false END",
    "coalesce(orders_365d, 0) * 1.5 - 2 > abs(rfm_m_score)",
    "month(birthday) = 3 AND date_diff('day', birthday, DATE '2026-03-01') > 6570",
    "birthday + INTERVAL 1 YEAR > DATE '2026-03-01'",
    "CAST(name AS BIGINT) % 2 = 0 AND orders_365d // 2 = 1",
    "Rfm_M_Score IS DISTINCT FROM 3",
    "starts_with(lower(trim(name)), 'a') AND length(name) > 2",
    "name = 'it''s -- no comment; really'",
]

BAD = {
    "a sub-query": "orders_365d > (SELECT 1)",
    "a sub-query in IN": "name IN (SELECT name FROM profiles)",
    "EXISTS": "EXISTS (SELECT 1)",
    "a table function": "read_text('/etc/passwd') IS NOT NULL",
    "a table function called as a method": "name.read_text() = ''",
    "an environment variable": "getenv('HOME') = name",
    "a function nobody knows": "frobnicate(name)",
    "an aggregate": "sum(orders_365d) > 1",
    "an aggregate that sqlglot takes for an operator": "corr(orders_365d, rfm_m_score) > 0",
    "a window": "row_number() OVER () = 1",
    "two statements": "true; DROP TABLE customers",
    "a statement": "DROP TABLE customers",
    "a line comment": "rfm_m_score > 1 -- and nothing else",
    "a block comment": "rfm_m_score > 1 /* hm */",
    "a comment in front": "-- first\nrfm_m_score > 1",
    "a parameter": "rfm_m_score = $1",
    "a placeholder": "rfm_m_score = ?",
    "a star": "COLUMNS(*) > 1",
    "a lambda": "list_filter(tags, x -> x > 1) = tags",
    "another table's column": "profiles.phone = name",
    "an assignment": "rfm_m_score := 1",
    "the time of day": "birthday > now()",
    "chance": "random() > 0.5",
    "nothing": "",
    "half a condition": "rfm_m_score >",
    "a list of conditions": "rfm_m_score > 1, orders_365d > 1",
    "an open string": "name = 'open",
    "a very deep one": "(" * 5_000 + "rfm_m_score > 1" + ")" * 5_000,
}


@pytest.mark.parametrize("where", GOOD)
def test_traits_literals_operators_and_plain_functions_may_be_used(where: str) -> None:
    assert check_where(where, TRAITS) == []


@pytest.mark.parametrize("where", BAD.values(), ids=BAD.keys())
def test_everything_else_is_refused_with_a_reason(where: str) -> None:
    problems = check_where(where, TRAITS)
    assert problems
    assert all("\x1b" not in problem and "<class" not in problem for problem in problems)


def test_a_good_condition_runs_as_it_is_written() -> None:
    columns = "1 AS days_since_order, 2 AS rfm_m_score, ['vip'] AS tags, '12' AS name, DATE '1990-03-01' AS birthday, 4 AS orders_365d"
    with duckdb.connect() as connection:
        for where in GOOD:
            assert connection.execute(f"SELECT ({where})::BOOLEAN FROM (SELECT {columns})").fetchone() is not None


def test_a_misspelt_trait_is_told_with_the_nearest_one() -> None:
    assert check_where("rfm_m_scor > 1", TRAITS) == ["unknown trait 'rfm_m_scor'; did you mean 'rfm_m_score'?"]


def test_every_problem_is_told_at_once() -> None:
    problems = check_where("rfm_m_scor > 1 AND now() > birthday AND orders > 2", TRAITS)
    assert len(problems) == 3


def test_the_traits_a_condition_reads_are_known() -> None:
    assert columns_used("rfm_m_score > 1 AND (name = 'x' OR rfm_m_score IS NULL)") == {"rfm_m_score", "name"}


def test_a_segment_s_name_is_checked_with_its_condition() -> None:
    problems = Segment("Top Customers", Title("高价值", "Top"), "nope > 1").problems(TRAITS)
    assert len(problems) == 2


def _all_kinds(base: type[exp.Expr]) -> set[type[exp.Expr]]:
    return {base, *(kind for child in base.__subclasses__() for kind in _all_kinds(child))}


ALL_FUNCTIONS = sorted(_all_kinds(exp.Func), key=lambda kind: kind.__name__)
LISTED = {kind for kinds in _FUNCTIONS.values() for kind in kinds}


def test_no_function_sqlglot_knows_is_allowed_unless_it_is_listed() -> None:
    plain = {exp.Array}
    assert {kind.__name__ for kind in ALL_FUNCTIONS if kind in _ALLOWED} == {kind.__name__ for kind in LISTED | plain}


def _duckdb_functions() -> list[str]:
    with duckdb.connect() as connection:
        rows = connection.execute("SELECT DISTINCT function_name FROM duckdb_functions()").fetchall()
    return sorted(name for (name,) in rows if name.replace("_", "").isalnum())


HARMLESS = {
    # What DuckDB and sqlglot call the listed functions by other names.
    "abs", "array_contains", "array_has", "ceil", "char_length", "character_length", "ceiling", "contains", "date_diff", "datediff", "day", "dayofmonth",
    "dayofweek", "floor", "greatest", "ifnull", "lcase", "least", "len", "length", "list_contains", "list_has", "lower", "ltrim",
    "month", "nullif", "regexp_matches", "round", "rtrim", "starts_with", "trim", "ucase", "upper", "year",
    # Operators that DuckDB lists under a name.
    "add", "divide", "mod", "multiply", "subtract", "list_value",
}  # fmt: skip


@pytest.mark.parametrize("arguments", ["", "name", "name, 'x'", "name, 'x', 3"])
def test_no_function_duckdb_knows_gets_through_unless_it_is_harmless(arguments: str) -> None:
    passed = {name for name in _duckdb_functions() if check_where(f"{name}({arguments}) = 1", TRAITS) == []}
    assert passed <= HARMLESS


FRAMES = (
    "({}) = 1",
    "coalesce({}, 1) > 0",
    "name = 'x' AND ({}) > 1",
    "CASE WHEN {} THEN true ELSE false END",
    "CASE WHEN name = 'x' THEN {} END",
    "name IN ({}, 'x')",
    "rfm_m_score BETWEEN 1 AND {}",
    "CAST({} AS BIGINT) > 1",
    "NOT {}",
    "[{}, 1] = tags",
    "-({}) < abs(rfm_m_score)",
    "({})::VARCHAR LIKE 'a%'",
    "if({}, 1, 2) = 1",
)
FORBIDDEN = [name for name in _duckdb_functions() if check_where(f"{name}(name) = 1", TRAITS)] + ["frobnicate"]


@settings(max_examples=300, deadline=None)
@given(
    name=st.sampled_from(FORBIDDEN),
    arguments=st.sampled_from(["", "name", "rfm_m_score, 1", "'x', 'y', 3"]),
    frames=st.lists(st.sampled_from(FRAMES), max_size=3),
)
def test_a_forbidden_function_is_found_however_deep_it_stands(name: str, arguments: str, frames: list[str]) -> None:
    where = f"{name}({arguments})"
    if check_where(f"{where} = 1", TRAITS) == []:
        assert name in HARMLESS
        return
    for frame in frames:
        where = frame.format(where)
    assert check_where(where, TRAITS)
