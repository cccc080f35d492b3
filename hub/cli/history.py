"""What the commands that look back share: finding a run by the beginning of its id, counts in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from hub.errors import ConfigError
from hub.show.screen import text_of

if TYPE_CHECKING:
    from hub.context import Hub

__all__ = ["counts_text", "run_id_of", "short"]

_SHORT = 8
_LOOK_BACK = 5_000


def short(identifier: str) -> str:
    """Return as much of a run's id as tells it apart."""
    return identifier[:_SHORT]


def run_id_of(hub: Hub, given: str | None) -> str | None:
    """Return the full id of the run that a beginning names.

    Raises:
        ConfigError: no run begins so, or more than one does.
    """
    if given is None:
        return None
    found = {run.id for run in hub.store.runs.list(limit=_LOOK_BACK) if run.id.startswith(given)}
    if len(found) == 1:
        return found.pop()
    problem = "No run's id begins with" if not found else "More than one run's id begins with"
    raise ConfigError(f"{problem} {given!r}.", code="run_unknown", hint="`hub runs` lists the runs with their ids.")


def counts_text(counts: Mapping[str, Any]) -> str:
    """Return counts as words, zeros left out: ``records 1,200, rejects 2``."""
    return ", ".join(f"{name} {text_of(count)}" for name, count in counts.items() if count)
