"""Whether a sync can be planned: its mode and key are the target's, its values and conditions can be worked out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from hub.destination import Mode, Target
from hub.errors import ConfigError, Problem
from hub.pipeline.push_report import PlanCounts
from hub.pipeline.push_values import field_problems
from hub.segments import check_where
from hub.sync_settings import SyncSettings
from hub.warehouse.engine import quoted

__all__ = ["cannot_plan", "check_sync", "shrinks"]

_FEW = 100
"""Removals that are never too many: a small sync may lose most of its rows in a day."""


def check_sync(name: str, sync: SyncSettings, target: Target, columns: Mapping[str, str], segments: set[str]) -> None:
    """Make sure that a sync can be planned.

    Args:
        name: the sync's name.
        sync: its settings.
        target: the target it names.
        columns: columns of customers and traits in the snapshot.
        segments: names of all segments.

    Raises:
        ConfigError: with every problem found.
    """
    problems = [
        *_mode_problems(sync, target),
        *((f"fields.{title}", problem) for title, field in sync.fields.items()
          for problem in field_problems(field, columns, segments)),
        *(("where", problem) for problem in (check_where(sync.where, columns) if sync.where else ())),
        *_limit_problems(sync, columns),
        *(("fields", f"the target needs a value named {needed!r}.") for needed in target.required
          if needed not in sync.fields and not sync.sync_mode.removes_selected),
    ]  # fmt: skip
    if problems:
        raise cannot_plan(name, problems)


def cannot_plan(name: str, problems: Iterable[tuple[str, str]]) -> ConfigError:
    """Return the error about a sync with these problems: key below the sync, and what is wrong with it."""
    found = [Problem("hub.toml", f"syncs.{name}.{key}", text) for key, text in problems]
    return ConfigError(f"Sync {name} cannot be planned.", problems=found)


def _mode_problems(sync: SyncSettings, target: Target) -> Iterator[tuple[str, str]]:
    mode = sync.sync_mode
    if mode.needs not in target.modes or (target.whole_set and mode is not Mode.MIRROR):
        yield (
            "mode",
            f"{sync.mode!r} is not offered by target {target.name}; it takes {', '.join(sorted(target.modes))}.",
        )
    if sync.workers > 1 and not target.parallel:
        yield "workers", f"target {target.name} takes one batch at a time; leave it at 1."
    if sync.key not in target.keys:
        yield "key", f"{sync.key!r} is no key of target {target.name}; it takes {', '.join(target.keys)}."


def _limit_problems(sync: SyncSettings, columns: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    if sync.limit is not None:
        for key, column in (("by", sync.limit.by), ("per", sync.limit.per)):
            if column:
                yield from ((f"limit.{key}", text) for text in check_where(f"{quoted(column)} IS NULL", columns))


def shrinks(sync: SyncSettings, counts: PlanCounts) -> str:
    """Say why a plan removes too much to be sent unseen, or nothing: a source that came up empty must not empty a platform.

    Args:
        sync: its settings.
        counts: what the plan holds.
    """
    there = counts.delete + counts.update + counts.unchanged + counts.waiting + counts.given_up
    if sync.sync_mode is not Mode.MIRROR or counts.delete <= max(_FEW, there * sync.max_removed_share):
        return ""
    return f"{counts.delete:,} of {there:,} rows would be removed, more than max_removed_share ({sync.max_removed_share:g}) allows."
