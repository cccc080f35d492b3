"""A changed mapping: which rows it touches, and which may stay as they are.

The mapping of a sync's last push is kept. When it differs from today's, the values of both are worked out over the same
snapshot: a row that was in agreement under the old one is sent again only if a field that is still mapped has another value,
or a new field has come. A field that was only taken out deletes nothing at the destination.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from hub.pipeline.push_values import Mapper, field_problems
from hub.sync_settings import FieldSettings, SyncSettings

__all__ = ["MappingChange", "dumped", "mapping_change"]


@dataclass(frozen=True)
class MappingChange:
    """How a mapping differs from that of the last push.

    Attributes:
        added, changed, removed: names of fields.
        before: SQL of the values under the old mapping.
        kept: SQL of those of them that are still mapped.
    """

    added: tuple[str, ...]
    changed: tuple[str, ...]
    removed: tuple[str, ...]
    before: str
    kept: str

    def note(self, touched: int) -> str:
        """Tell what has changed and how many rows are sent again because of it."""
        parts = {"new": self.added, "changed": self.changed, "taken out": self.removed}
        told = "; ".join(f"{words}: {', '.join(names)}" for words, names in parts.items() if names)
        return f"The mapping has changed since the last push ({told}); {touched:,} rows are sent again because of it."


def dumped(sync: SyncSettings) -> dict[str, object]:
    """Return a sync's mapping as JSON types, to be kept."""
    return {name: field.model_dump(mode="json", by_alias=True) for name, field in sorted(sync.fields.items())}


def mapping_change(
    sync: SyncSettings, before: Mapping[str, object] | None, columns: Mapping[str, str], segments: Iterable[str]
) -> MappingChange | None:
    """Compare a sync's mapping with that of its last push.

    Args:
        sync: the settings of today.
        before: the mapping that was kept; None before the first push.
        columns: columns of customers and traits.
        segments: names of all segments.

    Returns:
        None when nothing has changed, or when the old values cannot be worked out any more.
    """
    if before is None or before == dumped(sync):
        return None
    old = {name: FieldSettings.model_validate(field) for name, field in before.items()}
    if any(field_problems(field, columns, segments) for field in old.values()):
        return None
    kept = {name: field for name, field in old.items() if name in sync.fields}
    return MappingChange(
        added=tuple(sorted(sync.fields.keys() - old.keys())),
        changed=tuple(sorted(name for name, field in kept.items() if field != sync.fields[name])),
        removed=tuple(sorted(old.keys() - sync.fields.keys())),
        before=Mapper(sync.model_copy(update={"fields": old}), columns).values(),
        kept=Mapper(sync.model_copy(update={"fields": kept}), columns).values(),
    )
