"""The difference between two versions of a table, as rows to delete and rows to append."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from identity.tables import SCHEMAS, text_keys
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


def differences(before: Mapping[str, pa.Table], after: Mapping[str, pa.Table]) -> dict[str, Change]:
    """The changes that turn the state tables ``before`` into ``after``, by name."""
    return {name: _difference(name, before[name], after[name]) for name in SCHEMAS}


def _difference(name: str, old: pa.Table, new: pa.Table) -> Change:
    key = list(KEYS[name])
    if old.num_rows == 0 or new.num_rows == 0:
        return Change(KEYS[name], old.select(key), new)
    known, wanted = text_keys(old, key), text_keys(new, key)
    place = pc.index_in(wanted, known)
    met, stays = np.zeros(old.num_rows, np.bool_), np.zeros(old.num_rows, np.bool_)
    met[np.asarray(place.drop_null())] = True
    if pc.any(pc.is_in(known.filter(pa.array(~met)), wanted)).as_py():
        return _difference_of_groups(name, old, new)  # a key that stands in several old rows was met at the first only
    same = pc.and_(pc.is_valid(place), _equal_rows(new, old.take(place)))
    stays[np.asarray(place.filter(same))] = True
    return Change(KEYS[name], old.filter(pa.array(~stays)).select(key), new.filter(pc.invert(same)))


def _difference_of_groups(name: str, old: pa.Table, new: pa.Table) -> Change:
    """The difference where a key stands in several rows: all rows of a key change together."""
    key, columns = list(KEYS[name]), new.column_names
    was, now = text_keys(old, columns), text_keys(new, columns)
    known, wanted = text_keys(old, key), text_keys(new, key)
    moved = pa.concat_arrays(
        [known.filter(pc.invert(pc.is_in(was, now))), wanted.filter(pc.invert(pc.is_in(now, was)))]
    )
    removed = old.filter(pc.is_in(known, moved)).select(key).group_by(key).aggregate([])
    return Change(KEYS[name], removed, new.filter(pc.is_in(wanted, moved)))


def _equal_rows(one: pa.Table, other: pa.Table) -> pa.Array:
    """Whether two tables of the same columns have the same in each row; null is the same as null."""
    same = pa.array(np.ones(one.num_rows, np.bool_))
    for left, right in zip(one.columns, other.columns, strict=True):
        both_null = pc.and_(pc.is_null(left), pc.is_null(right))
        same = pc.and_(same, pc.or_(pc.equal(left, right).fill_null(False), both_null))  # noqa: FBT003 - pyarrow's signature
    return same.combine_chunks() if isinstance(same, pa.ChunkedArray) else same


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
