"""The difference between two versions of a table, as rows to delete and rows to append."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from types import MappingProxyType

import pyarrow as pa
import pyarrow.compute as pc

from identity.tables import SCHEMAS
from identity.workspace import Workspace

__all__ = ["KEYS", "Change", "apply_changes", "differences"]

KEYS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "profiles": ("profile",),
        "links": ("profile", "kind", "scope", "value", "status"),
        "value_states": ("kind", "scope", "value"),
        "memberships": ("profile",),
        "customers": ("customer",),
        "history": ("profile", "customer", "at"),
        "refusals": ("left", "right", "kind", "scope", "value", "rule"),
        "pairs": ("left", "right"),
        "constraints": ("rule", "left", "right"),
    }
)
"""The columns that name a row of each state table."""


@dataclass(frozen=True, slots=True)
class Change:
    """How to bring a stored table up to date: delete the rows whose key stands in ``removed``, append ``added``."""

    key: tuple[str, ...]
    removed: pa.Table
    added: pa.Table

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to write."""
        return not (len(self.removed) or len(self.added))


_SMALL = 500_000
"""Rows of all tables below which they are compared side by side; more would be in memory all at once."""


def differences(before: Mapping[str, pa.Table], after: Mapping[str, pa.Table]) -> dict[str, Change]:
    """The changes that turn the state tables ``before`` into ``after``, by name."""
    small = sum(table.num_rows for side in (before, after) for table in side.values()) < _SMALL
    with Workspace() as work, ThreadPoolExecutor(max_workers=2 if small else 1) as pool:
        found = pool.map(lambda name: _difference(work, name, before[name], after[name]), SCHEMAS)
        return dict(zip(SCHEMAS, found, strict=True))


def _difference(work: Workspace, name: str, old: pa.Table, new: pa.Table) -> Change:
    key = list(KEYS[name])
    if old.num_rows == 0 or old.equals(new):
        return Change(KEYS[name], old.slice(0, 0).select(key), new if old.num_rows == 0 else new.slice(0, 0))
    with work.beside() as own:
        own.put(old=old, new=new)
        alone = own.table(_ALONE)
    removed = alone.filter(pc.invert(alone["is_new"])).select(key)
    added = alone.filter(alone["is_new"]).select(SCHEMAS[name].names).cast(SCHEMAS[name])
    return Change(KEYS[name], removed.group_by(key).aggregate([]), added)


_ALONE = """
    SELECT * EXCLUDE (is_new), any_value(is_new) AS is_new
    FROM (SELECT *, true AS is_new FROM new UNION ALL SELECT *, false FROM old)
    GROUP BY ALL HAVING min(is_new) = max(is_new)"""
"""SQL: the rows that stand on one side only."""


def apply_changes(tables: Mapping[str, pa.Table], changes: Mapping[str, Change]) -> dict[str, pa.Table]:
    """The state tables with the changes made."""
    with Workspace() as work:
        return {name: _apply(work, name, table, changes[name]) for name, table in tables.items()}


def _apply(work: Workspace, name: str, table: pa.Table, change: Change) -> pa.Table:
    if not change.removed.num_rows:
        return pa.concat_tables([table, change.added]) if change.added.num_rows else table
    work.put(old=table, removed=change.removed)
    match = " AND ".join(f'old."{column}" IS NOT DISTINCT FROM removed."{column}"' for column in change.key)
    kept = work.table(f"SELECT old.* FROM old ANTI JOIN removed ON {match}", SCHEMAS[name])
    return pa.concat_tables([kept, change.added])
