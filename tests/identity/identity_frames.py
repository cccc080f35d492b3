"""Small tables for the tests: profiles and identifiers written as one would say them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping

import pyarrow as pa

import identity

AT = dt.datetime(2026, 9, 1, tzinfo=dt.UTC)


def phone(number: int) -> str:
    """A phone number of the prefix 154, which nobody has."""
    return f"154{1_000_0000 + number:08d}"


def profiles(*rows: Mapping[str, object] | str) -> pa.Table:
    """Profiles; a plain string is a profile that says nothing else."""
    given = [{"profile": row} if isinstance(row, str) else dict(row) for row in rows]
    return pa.Table.from_pylist(given, schema=identity.PROFILES)


def identifiers(*rows: tuple[str, ...]) -> pa.Table:
    """Identifiers as (profile, kind, value), and where they matter scope and assurance."""
    names = ["profile", "kind", "value", "scope", "assurance"]
    given = [dict(zip(names, (*row, *("", "typed_by_staff")[len(row) - 3 :]), strict=True)) for row in rows]
    return pa.Table.from_pylist(given, schema=identity.IDENTIFIERS)


def constraints(*rows: tuple[str, str, str]) -> pa.Table:
    """Constraints as (rule, left, right)."""
    given = [{"rule": rule, "left": left, "right": right, "actor": "tester"} for rule, left, right in rows]
    return pa.Table.from_pylist(given, schema=identity.CONSTRAINTS)


def groups(table: pa.Table) -> set[frozenset[str]]:
    """The partition a membership table stands for."""
    members: dict[str, set[str]] = {}
    for row in table.to_pylist():
        members.setdefault(row["customer"], set()).add(row["profile"])
    return {frozenset(found) for found in members.values()}


def customers(table: pa.Table) -> dict[str, str]:
    """Profile to customer."""
    return dict(zip(table["profile"].to_pylist(), table["customer"].to_pylist(), strict=True))


def told(events: pa.Table) -> list[tuple[str, str, str | None, tuple[str, ...]]]:
    """Events as (event, customer, other, profiles), sorted."""
    rows = [(row["event"], row["customer"], row["other"], tuple(row["profiles"])) for row in events.to_pylist()]
    return sorted(rows, key=str)


def only(table: pa.Table, keys: Iterable[str]) -> pa.Table:
    """The rows of some profiles."""
    wanted = set(keys)
    return table.filter(pa.array([key in wanted for key in table["profile"].to_pylist()], pa.bool_()))
