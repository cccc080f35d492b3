"""Real processes for tests that kill them: forked from a server that has imported the hub already, so that each is cheap."""

from __future__ import annotations

import importlib
import multiprocessing
import os
import signal
import sys
from collections.abc import Callable
from multiprocessing.process import BaseProcess
from multiprocessing.synchronize import Event
from types import FrameType
from typing import Any

import hub.crashpoints

KILLED = -signal.SIGKILL
_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(
    [
        "processes",
        "toy",
        "hub.pipeline.run",
        "plugins.files.destination",
        "plugins.webhook.destination",
        # What libraries import only when they are first used; DuckDB looks for pandas.
        "pandas",
        "sqlalchemy.dialects.sqlite.pysqlite",
        "sqlglot.dialects.duckdb",
    ]
)


def start(work: Callable[..., None], *arguments: Any, **environment: str) -> BaseProcess:
    """Start a process that does ``work(*arguments)`` with these environment variables set."""
    process = _FORKS.Process(target=_work, args=(work, arguments, environment))
    process.start()
    return process


def event() -> Event:
    """Return an event that may be handed to a started process."""
    return _FORKS.Event()


def run(work: Callable[..., None], *arguments: Any, **environment: str) -> int:
    """Do ``work(*arguments)`` in a process of its own and return how that ended: 0, 1, or ``KILLED``."""
    process = start(work, *arguments, **environment)
    process.join(120)
    assert process.exitcode is not None, "the process did not end"
    return process.exitcode


def _work(work: Callable[..., None], arguments: tuple[Any, ...], environment: dict[str, str]) -> None:
    os.environ.update(environment)
    importlib.reload(hub.crashpoints)  # it reads the environment when it is imported
    if "KILL_AFTER_CALLS" in environment:
        _kill_after(int(environment["KILL_AFTER_CALLS"]))
    work(*arguments)


def _kill_after(calls: int) -> None:
    """Kill this process at the given number of Python calls: any instant at all, yet the same one each time."""
    left = calls

    def count(_frame: FrameType, event: str, _argument: Any) -> None:
        nonlocal left
        if event == "call":
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.setprofile(count)


def calls_of(work: Callable[..., None], *arguments: Any) -> int:
    """Do the work here and return how many Python calls it took."""
    calls = 0

    def count(_frame: FrameType, event: str, _argument: Any) -> None:
        nonlocal calls
        calls += event == "call"

    sys.setprofile(count)
    try:
        work(*arguments)
    finally:
        sys.setprofile(None)
    return calls
