"""Stand-ins that several processes can share: virtual time, and a token store in a file."""

from __future__ import annotations

import fcntl
import json
import multiprocessing
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from hub.http import StoredToken

# A fresh interpreter per process, as under Airflow's Celery executor; nothing is inherited by accident.
PROCESSES = multiprocessing.get_context("spawn")


class SharedClock:
    """Virtual time in shared memory. Sleeping moves it on for everybody; nobody ever really waits."""

    def __init__(self, start: float) -> None:
        self._now = PROCESSES.Value("d", start)

    def time(self) -> float:
        return float(self._now.value)

    def monotonic(self) -> float:
        return self.time()

    def sleep(self, seconds: float) -> None:
        wake = self.time() + seconds
        with self._now.get_lock():
            self._now.value = max(self._now.value, wake)


class FileTokenStore:
    """A token store in a folder: one JSON file per token and ``flock`` for turns."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def get(self, name: str) -> StoredToken | None:
        path = self._folder / f"{name}.json"
        return StoredToken(**json.loads(path.read_text())) if path.exists() else None

    def put(self, name: str, token: StoredToken, *, replaces: int) -> bool:
        stored = self.get(name)
        if (stored.version if stored else 0) != replaces:
            return False
        draft = self._folder / f"{name}.new"
        draft.write_text(json.dumps(asdict(token)))
        draft.replace(self._folder / f"{name}.json")
        return True

    @contextmanager
    def exclusive(self, name: str) -> Iterator[None]:
        with (self._folder / f"{name}.lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield


def run_processes(target: Callable[..., None], arguments: list[tuple[Any, ...]]) -> list[Any]:
    """Run ``target(results, *arguments)`` in one process per entry and return what each put into ``results``."""
    results = PROCESSES.Queue()
    processes = [PROCESSES.Process(target=target, args=(results, *given)) for given in arguments]
    for process in processes:
        process.start()
    gathered = [results.get(timeout=60) for _ in processes]
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [0] * len(processes)
    return gathered
