"""Name a process so that others on the same machine can tell whether it still lives."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

__all__ = ["has_ended", "this_process"]

_START_TIME = 19
"""Place of a process's start time in ``/proc/PID/stat`` behind the command's closing bracket; see proc(5)."""


def this_process() -> str:
    """Return machine, process namespace, number and start of this process; empty where ``/proc`` does not tell."""
    place, started = _place(), _started(os.getpid())
    return f"{place} {os.getpid()} {started}" if place and started else ""


def has_ended(process: str) -> bool:
    """Whether a process named by :func:`this_process` is known to be over.

    A process of another machine or container, or one without a name, may be alive for all that is known here.
    """
    place, _, rest = process.partition(" ")
    number, _, started = rest.partition(" ")
    if not place or place != _place() or not number.isdigit():
        return False
    # The number may belong to another process by now, which then started at another time.
    return _started(int(number)) != started


@cache
def _place() -> str:
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{boot}/{Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return ""


def _started(number: int) -> str:
    try:
        stat = Path(f"/proc/{number}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    fields = stat.rpartition(")")[2].split()
    # A zombie has ended; only its parent has not noticed yet.
    return "" if fields[0] in "ZX" else fields[_START_TIME]
