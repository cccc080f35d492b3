"""Calls that are under way at the same time."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from hub.simulation.server.trouble import Trouble, TroubleError

__all__ = ["Crowd"]


class Crowd:
    """Counts calls under way by what they need for themselves."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inside: dict[str, int] = {}

    @contextmanager
    def joined(self, needs: Iterable[tuple[str, int]]) -> Iterator[TroubleError | None]:
        """Count a call in while it lasts; gives the trouble when somebody else leaves no room."""
        wanted = list(needs)
        with self._lock:
            full = [name for name, most in wanted if self._inside.get(name, 0) >= most]
            for name, _most in wanted:
                self._inside[name] = self._inside.get(name, 0) + 1
        try:
            yield TroubleError(Trouble.TOO_MANY_AT_ONCE, full[0]) if full else None
        finally:
            with self._lock:
                for name, _most in wanted:
                    self._inside[name] -= 1
                    if not self._inside[name]:
                        del self._inside[name]
