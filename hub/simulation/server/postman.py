"""A thread that sends a started simulator's messages when they fall due in real time."""

from __future__ import annotations

import threading
from collections.abc import Callable

from hub.simulation.server.clock import Clock
from hub.simulation.server.pushes import PushSender

__all__ = ["Postman"]


class Postman:
    """Sends what is due, sleeps until the next message is due or new ones come, and stops at once when told."""

    def __init__(self, pushes: PushSender, clock: Clock, failed: Callable[[Exception], None]) -> None:
        self._pushes = pushes
        self._clock = clock
        self._failed = failed
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="simulator-postman", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """Finish the message under way and stop; the rest stays queued."""
        self._stopping = True
        self._pushes.news.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stopping:
            self._pushes.news.clear()
            try:
                self._pushes.deliver_due()
            except Exception as error:  # noqa: BLE001 - kept by the simulator and raised at its end
                self._failed(error)
                return
            due = self._pushes.next_due()
            self._pushes.news.wait(None if due is None else max(due - self._clock.time(), 0.0))
