"""Progress on a terminal: one bar or spinner per task, gone when the command has its answer."""

from __future__ import annotations

import sys
import threading
from typing import TYPE_CHECKING

from hub.progress import Progress, SilentProgress

if TYPE_CHECKING:
    from rich.progress import Progress as Bars
    from rich.progress import TaskID

__all__ = ["TerminalProgress", "progress_for"]


def progress_for(stream: object) -> TerminalProgress | SilentProgress:
    """Return bars for a terminal, silence for a pipe, a file or a scheduler's log."""
    isatty = getattr(stream, "isatty", None)
    return TerminalProgress() if isatty is not None and isatty() else SilentProgress()


class TerminalProgress(Progress):
    """Draws on standard error; several threads may report."""

    def __init__(self) -> None:
        self._bars: Bars | None = None
        self._tasks: dict[str, TaskID] = {}
        self._lock = threading.Lock()

    def start(self, task: str, total: int | None = None) -> None:
        """Show a bar when ``total`` is known, a spinner with a count when it is not."""
        with self._lock:
            bars = self._bars or self._begin()
            self._tasks[task] = bars.add_task(task, total=total, count=_count(0, total))

    def advance(self, task: str, steps: int = 1) -> None:
        """Move a task on."""
        with self._lock:
            if self._bars is not None and task in self._tasks:
                shown = self._tasks[task]
                self._bars.advance(shown, steps)
                state = next(one for one in self._bars.tasks if one.id == shown)
                self._bars.update(shown, count=_count(int(state.completed), state.total))

    def finish(self, task: str) -> None:
        """Take a task away; its figures are in the command's answer."""
        with self._lock:
            if self._bars is not None and task in self._tasks:
                self._bars.remove_task(self._tasks.pop(task))

    def close(self) -> None:
        """Take everything away, so that the answer begins on a clean line."""
        with self._lock:
            if self._bars is not None:
                self._bars.stop()
            self._bars = None
            self._tasks.clear()

    def _begin(self) -> Bars:
        from rich.console import Console
        from rich.progress import BarColumn, SpinnerColumn, TextColumn, TimeElapsedColumn
        from rich.progress import Progress as Bars

        columns = (
            SpinnerColumn(),
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=24),
            TextColumn("{task.fields[count]}"),
            TimeElapsedColumn(),
        )
        # Standard output is left alone: it may be a pipe that a program reads.
        console = Console(file=sys.stderr)
        self._bars = Bars(*columns, console=console, transient=True, redirect_stdout=False)
        self._bars.start()
        return self._bars


def _count(done: int, total: float | None) -> str:
    """How far a task is: ``1,200``, or ``3/40`` when the end is known; nothing before its first step."""
    if total is not None:
        return f"{done:,}/{int(total):,}"
    return f"{done:,}" if done else ""
