"""Segments: a name and a SQL boolean expression over customer traits, checked before it ever runs.

``where`` is written in the DuckDB dialect and may use traits, literals, operators and a list of plain functions. Sub-queries,
other tables, statements and functions with side effects are refused, so that a segment from a plugin or a colleague cannot
read or change anything but what it is about.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from hub.titles import Title

__all__ = ["Segment", "check_where", "columns_used"]

_NAME = re.compile(r"^[a-z][a-z0-9_-]{0,62}$")


@dataclass(frozen=True, slots=True)
class Segment:
    """A set of customers, defined by a condition on their traits.

    Attributes:
        name: unique; lower-case letters, digits, ``-`` and ``_``; also the name of its flag at destinations.
        title: name for people.
        where: SQL condition over traits, e.g. ``rfm_r_score >= 4 AND rfm_m_score >= 4``.
        family: segments of one family exclude each other (checked after segmenting).
        description: what it is for.
    """

    name: str
    title: Title
    where: str
    family: str = ""
    description: str = ""

    def problems(self, columns: Iterable[str]) -> list[str]:
        """Return everything wrong with the segment, given the columns that exist."""
        found = [] if _NAME.match(self.name) else [f"name {self.name!r}: use lower-case letters, digits, - and _."]
        return found + check_where(self.where, columns)


# What a condition may be made of. An allow-list: sqlglot knows hundreds of functions, read_csv among them.
_PLAIN: tuple[type[exp.Expr], ...] = (
    exp.Array,
    exp.Boolean,
    exp.Column,
    exp.DataType,
    exp.DataTypeParam,
    exp.Identifier,
    exp.Interval,
    exp.Literal,
    exp.Null,
    exp.Paren,
    exp.Tuple,
    exp.Var,
)
# Named one by one: sqlglot's Binary and Unary have functions among their kinds.
_OPERATORS: tuple[type[exp.Expr], ...] = (
    exp.Add,
    exp.Between,
    exp.Div,
    exp.DPipe,
    exp.EQ,
    exp.Escape,
    exp.GT,
    exp.GTE,
    exp.ILike,
    exp.In,
    exp.IntDiv,
    exp.Is,
    exp.Like,
    exp.LT,
    exp.LTE,
    exp.Mod,
    exp.Mul,
    exp.NEQ,
    exp.Neg,
    exp.Not,
    exp.NullSafeEQ,
    exp.NullSafeNEQ,
    exp.Sub,
)
_FUNCTIONS: dict[str, tuple[type[exp.Expr], ...]] = {
    "abs": (exp.Abs,),
    "and, or, not": (exp.And, exp.Or, exp.Xor),
    "array_contains": (exp.ArrayContains,),
    "case": (exp.Case, exp.If),
    "cast": (exp.Cast, exp.TryCast),
    "ceil": (exp.Ceil,),
    "coalesce": (exp.Coalesce,),
    "contains": (exp.Contains,),
    "date_diff": (exp.DateDiff,),
    "day": (exp.Day,),
    "dayofweek": (exp.DayOfWeek,),
    "floor": (exp.Floor,),
    "greatest": (exp.Greatest,),
    "least": (exp.Least,),
    "length": (exp.Length,),
    "lower": (exp.Lower,),
    "month": (exp.Month,),
    "nullif": (exp.Nullif,),
    "regexp_matches": (exp.RegexpLike,),
    "round": (exp.Round,),
    "starts_with": (exp.StartsWith,),
    "trim": (exp.Trim,),
    "upper": (exp.Upper,),
    "year": (exp.Year,),
}
# The exact kinds, not what sqlglot derives from them: Sub-queries are conditions too, JSON_CAST is a Cast.
_ALLOWED = frozenset(_PLAIN + _OPERATORS + tuple(kind for kinds in _FUNCTIONS.values() for kind in kinds))


def check_where(where: str, columns: Iterable[str] | None) -> list[str]:
    """Return everything wrong with a condition; an empty list means it is safe and every column exists.

    Args:
        where: the condition.
        columns: the traits there are; None where that is not known yet, which leaves their names unchecked.
    """
    try:
        tree = sqlglot.parse_one(where, dialect="duckdb", into=exp.Condition)
    except SqlglotError as error:
        return [f"where {where!r} is not a SQL condition: {_first_line(error)}"]
    except RecursionError:
        return ["where is nested too deeply."]
    known = {column.lower(): column for column in columns} if columns is not None else None
    # Only the outermost fault of a branch is told: what stands inside a refused sub-query is refused with it.
    found = [_refuse_comments(tree)]
    found += [_refuse(node) for node in tree.walk(prune=lambda node: _refuse(node) is not None)]
    found += [_unknown(column, known) for column in tree.find_all(exp.Column)]
    return list(dict.fromkeys(problem for problem in found if problem))


def _first_line(error: SqlglotError) -> str:
    # Where in the text it is comes in terminal colours, and a failed type's name says nothing to the reader.
    text = re.sub(r"\x1b\[[0-9;]*m", "", str(error)).splitlines()[0]
    return "it must be one whole expression." if "into <class" in text else text


def _refuse_comments(tree: exp.Expr) -> str | None:
    """A comment would swallow whatever SQL the condition is put into."""
    return (
        "write no comment in where; description is the place for it." if any(n.comments for n in tree.walk()) else None
    )


def _refuse(node: exp.Expr) -> str | None:
    if type(node) in _ALLOWED:
        return None
    functions = ", ".join(_FUNCTIONS)
    return f"{_shown(node)!r} is not allowed: use traits, literals, operators and these functions: {functions}."


def _shown(node: exp.Expr) -> str:
    try:
        return node.sql("duckdb")
    except Exception:  # noqa: BLE001 - sqlglot cannot write some calls with too few arguments; a name will do
        return node.key


def _unknown(column: exp.Column, known: Mapping[str, str] | None) -> str | None:
    if column.table:
        return f"{column.sql('duckdb')!r}: write the trait's name without a table."
    if known is None or column.name.lower() in known:
        return None
    near = difflib.get_close_matches(column.name.lower(), known, n=1)
    hint = f"did you mean {known[near[0]]!r}?" if near else "`hub traits` lists what there is."
    return f"unknown trait {column.name!r}; {hint}"


def columns_used(where: str) -> set[str]:
    """Return the names of the traits a checked condition reads."""
    tree = sqlglot.parse_one(where, dialect="duckdb", into=exp.Condition)
    return {column.name for column in tree.find_all(exp.Column)}
