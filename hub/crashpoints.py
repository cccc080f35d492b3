"""Named places at which a test may kill the process, to prove that a restart ends in the same state.

``HUB_CRASH_AT=ingest.sealed`` kills at the first pass, ``HUB_CRASH_AT=ingest.sealed:3`` at the third. Without the variable
a crash point costs one comparison.
"""

from __future__ import annotations

import os
import signal

__all__ = ["CRASH_POINTS", "crash_point"]

CRASH_POINTS = (
    "ingest.written",
    "ingest.sealed",
    "load.begun",
    "load.merged",
    "load.committed",
    "push.planned",
    "push.sealed",
    "push.intended",
    "push.sent",
    "push.decided",
)
"""Every commit point of ingest and push, in order."""

_wanted, _, _pass = os.environ.get("HUB_CRASH_AT", "").partition(":")
_left = int(_pass or 1)


def crash_point(name: str) -> None:
    """Kill this process without any clean-up if the environment says so; else do nothing."""
    global _left
    if name == _wanted:
        _left -= 1
        if _left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
