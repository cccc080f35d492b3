"""The difference between two versions of a table, as rows to delete and rows to append."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import pyarrow as pa

from identity.tables import SCHEMAS
from identity.workspace import Workspace

__all__ = ["KEYS", "Change", "apply_change", "difference"]

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


def difference(name: str, old: pa.Table, new: pa.Table) -> Change:
    """The change that turns ``old`` into ``new``, two versions of the state table ``name``."""
    key = KEYS[name]
    if old.num_rows == 0:
        return Change(key, old.select(list(key)), new)
    columns = ", ".join(f'"{column}"' for column in key)
    with Workspace() as work:
        work.put(old=old, new=new)
        removed = work.table(f"SELECT DISTINCT {columns} FROM (FROM old EXCEPT FROM new)")
        added = work.table("FROM new EXCEPT FROM old", SCHEMAS[name])
    return Change(key, removed, added)


def apply_change(name: str, table: pa.Table, change: Change) -> pa.Table:
    """The table with the change made."""
    if change.is_empty:
        return table
    with Workspace() as work:
        work.put(old=table, removed=change.removed)
        match = " AND ".join(f'old."{column}" IS NOT DISTINCT FROM removed."{column}"' for column in change.key)
        kept = work.table(f"SELECT old.* FROM old ANTI JOIN removed ON {match}", SCHEMAS[name])
    return pa.concat_tables([kept, change.added])
