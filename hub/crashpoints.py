"""Named places at which a test may kill the process, to prove that a restart ends in the same state.

``HUB_CRASH_AT=ingest.sealed`` kills at the first pass, ``HUB_CRASH_AT=ingest.sealed:3`` at the third; several are separated
by commas. With ``HUB_CRASH_ONCE=FOLDER`` only one of all processes dies at each place: for those that start again by
themselves. Without the first variable a crash point costs one look-up in an empty dictionary.
"""

from __future__ import annotations

import os
import signal
from pathlib import Path

__all__ = ["CRASH_POINTS", "crash_point"]

CRASH_POINTS = (
    "ingest.written",
    "ingest.sealed",
    "load.begun",
    "load.merged",
    "load.committed",
    "forget.noted",
    "forget.connections",
    "forget.rewritten",
    "forget.moved",
    "forget.packages",
    "forget.facts",
    "forget.resolved",
    "forget.warehouse",
    "forget.snapshots",
    "forget.store",
    "push.planned",
    "push.sealed",
    "push.intended",
    "push.sent",
    "push.decided",
)
"""Every commit point of ingest, forgetting and push, in order."""


def _wanted(text: str) -> dict[str, int]:
    entries = [entry.partition(":") for entry in text.split(",") if entry]
    return {name: int(times or 1) for name, _, times in entries}


_left = _wanted(os.environ.get("HUB_CRASH_AT", ""))
_once = os.environ.get("HUB_CRASH_ONCE", "")


def crash_point(name: str) -> None:
    """Kill this process without any clean-up if the environment says so; else do nothing."""
    if name not in _left:
        return
    _left[name] -= 1
    if _left[name] == 0 and _is_first(name):
        os.kill(os.getpid(), signal.SIGKILL)


def _is_first(name: str) -> bool:
    """Whether no other process has died here, where only one shall."""
    if not _once:
        return True
    try:
        (Path(_once) / name).touch(exist_ok=False)
    except FileExistsError:
        return False
    return True
