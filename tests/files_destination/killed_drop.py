"""The work of a process that is killed: 25,000 rows into a file of the destination."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

from drop_rig import Rig, operation

from hub.destination import Operation

ROWS = 25_000


def work(base: Path, target: str, point: str) -> None:
    """Write every row to the target, or die at a point.

    Args:
        base: the rig's folder.
        target: name of the target.
        point: ``rows`` amid the rows, ``outcomes`` amid the outcomes, ``before-N`` or ``after-N`` the N-th file is put in its
            place; anything else for nowhere.
    """
    _die_at_replacing(point)
    destination = Rig(base).connect()
    found = next(entry for entry in destination.targets() if entry.name == target)
    for number, _ in enumerate(destination.write(found, _rows(point))):
        if point == "outcomes" and number == 100:
            _die()


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _rows(point: str) -> Iterator[Operation]:
    for number in range(1, ROWS + 1):
        if point == "rows" and number == 22_000:
            _die()
        yield operation(number, batch="batch-2", level="silver")


def _die_at_replacing(point: str) -> None:
    """Have the process, which is nobody else's, die when it puts a file in its place."""
    replace, steps = Path.replace, count()

    def noisy_replace(self: Path, target: Any) -> Path:
        step = next(steps)
        if point == f"before-{step}":
            _die()
        result = replace(self, target)
        if point == f"after-{step}":
            _die()
        return result

    Path.replace = noisy_replace  # type: ignore[method-assign]
