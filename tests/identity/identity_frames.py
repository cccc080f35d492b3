"""Small tables for the tests: profiles and identifiers written as one would say them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import pyarrow as pa

import identity

AT = dt.datetime(2026, 9, 1, tzinfo=dt.UTC)


WHY = '{"prior": -11.0, "name": 9.5, "birthday": 10.25, "city": -1.5}'


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


def dated(profile: str, kind: str, value: str, first: str, last: str, scope: str = "") -> dict[str, object]:
    times = {
        "first_seen": dt.datetime.fromisoformat(f"{first}T00:00+00:00"),
        "last_seen": dt.datetime.fromisoformat(f"{last}T00:00+00:00"),
    }
    return {"profile": profile, "kind": kind, "value": value, "scope": scope, "assurance": "typed_by_staff", **times}


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


@dataclass(frozen=True)
class Opinion:
    """A model whose every weight is written down: for what becomes of pairs, whoever scored them."""

    weights: tuple[tuple[str, str, float], ...]
    version: str = "opinion-1"
    blocks: tuple[tuple[str, ...], ...] = (("surname",),)

    def pairs(self, records: pa.Table, *, least_weight: float = 0.0, only: pa.Array | None = None) -> pa.Table:
        here = set(records["id"].to_pylist())
        wanted = here if only is None else set(only.to_pylist())
        rows = [
            {"left": min(a, b), "right": max(a, b), "weight": w, "probability": 2**w / (1 + 2**w), "why": WHY}
            for a, b, w in self.weights
            if {a, b} <= here and {a, b} & wanted and w >= least_weight
        ]
        return pa.Table.from_pylist(rows, schema=identity.PAIRS)
