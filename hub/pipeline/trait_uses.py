"""What becomes of a trait: the segments that are made of it, and the syncs that send it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from hub.segments import Segment, check_where, columns_used
from hub.sync_settings import FieldSettings, SyncSettings

__all__ = ["TraitUse", "trait_uses"]

_MEMBERSHIP = "segment:"


@dataclass(frozen=True)
class TraitUse:
    """Where a trait goes.

    Attributes:
        segments: segments whose condition reads it.
        pushed: syncs that send its value.
        pushed_as_segment: syncs that send the membership of such a segment, or select by one or by the trait.
    """

    segments: tuple[str, ...] = ()
    pushed: tuple[str, ...] = ()
    pushed_as_segment: tuple[str, ...] = ()


def trait_uses(
    names: frozenset[str], segments: Mapping[str, Segment], syncs: Mapping[str, SyncSettings]
) -> dict[str, TraitUse]:
    """Return the use of every trait.

    Args:
        names: the traits.
        segments: all segments; one whose condition cannot be used reads nothing.
        syncs: all syncs.
    """
    read = {name: _read(segment.where) for name, segment in segments.items()}
    sent = {name: {one for field in sync.fields.values() for one in field.reads} for name, sync in syncs.items()}
    told = {name: _selected(sync) | _membership(sync, frozenset(segments)) for name, sync in syncs.items()}
    found = {}
    for trait in names:
        made = tuple(name for name, columns in read.items() if trait in columns)
        by_segment = tuple(
            name for name in syncs if trait not in sent[name] and (trait in told[name] or told[name] & set(made))
        )
        found[trait] = TraitUse(made, tuple(name for name in syncs if trait in sent[name]), by_segment)
    return found


def _read(where: str) -> set[str]:
    return set() if not where or check_where(where, None) else columns_used(where)


def _selected(sync: SyncSettings) -> set[str]:
    """Segments and traits that decide whom a sync is about."""
    limit = {sync.limit.by, sync.limit.per} - {""} if sync.limit else set()
    return {*sync.segments, *sync.exclude, *sync.priority, *_read(sync.where), *limit}


def _membership(sync: SyncSettings, segments: frozenset[str]) -> set[str]:
    """Segments whose membership a sync sends: those it names, or all of them."""

    def of(field: FieldSettings) -> set[str]:
        names = {one.removeprefix(_MEMBERSHIP) for one in field.reads if one.startswith(_MEMBERSHIP)}
        return names | (set(sync.segments) or set(segments) if "segments" in field.reads else set())

    return {name for field in sync.fields.values() for name in of(field)}
