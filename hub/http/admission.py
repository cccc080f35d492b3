"""The door of a client: at most so many calls at once, and only within the rate budget."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from threading import BoundedSemaphore

from hub.http.budget import RateBudget
from hub.http.clock import Clock

__all__ = ["Admission", "LimitNotice", "ReadLimits", "limit_headers"]


@dataclass(frozen=True)
class LimitNotice:
    """What an answer's headers say of the budget: so many calls are left for so many seconds."""

    remaining: int
    seconds: float


ReadLimits = Callable[[Mapping[str, str]], LimitNotice | None]


def limit_headers(remaining: str = "x-ratelimit-remaining", reset: str = "x-ratelimit-reset") -> ReadLimits:
    """Build the reader of two headers: calls left, and seconds until the window begins anew."""

    def read(headers: Mapping[str, str]) -> LimitNotice | None:
        left, seconds = headers.get(remaining.lower(), ""), headers.get(reset.lower(), "")
        if not left.isdecimal() or not seconds.isdecimal():
            return None
        return LimitNotice(int(left), float(seconds))

    return read


class Admission:
    """Lets calls through.

    Args:
        concurrency: most calls under way at once, in this client.
        budget: the rate budget, or ``None`` for none.
        clock: measures and passes time.
        read_limits: reads the platform's own account of the budget from an answer's headers.
    """

    def __init__(
        self, concurrency: int, budget: RateBudget | None, clock: Clock, read_limits: ReadLimits | None = None
    ) -> None:
        if concurrency < 1:
            raise ValueError("concurrency must be at least 1")
        self._places = BoundedSemaphore(concurrency)
        self._budget = budget
        self._clock = clock
        self._read_limits = read_limits

    @contextmanager
    def enter(self, group: str | None, units: int) -> Iterator[float]:
        """Hold a place during one exchange; gives the seconds waited for it.

        A place is held only while a call is under way, not while waiting for the budget: a group whose budget is
        spent must not block the others. The budget is spent last, so that its record and the sending fall together.

        Raises:
            DeferError: the budget would not allow the call within its ``max_wait``.
        """
        started = self._clock.monotonic()
        self._places.acquire()
        try:
            if self._budget is not None:
                self._spend(self._budget, group, units)
            yield self._clock.monotonic() - started
        finally:
            self._places.release()

    def _spend(self, budget: RateBudget, group: str | None, units: int) -> None:
        waited = 0.0
        while not (decision := budget.try_acquire(group, units)).granted:
            budget.check_patience(decision, waited)
            self._places.release()
            try:
                self._clock.sleep(decision.wait)
            finally:
                self._places.acquire()
            waited += decision.wait

    def note_headers(self, headers: Mapping[str, str], group: str | None) -> None:
        """Take over the platform's own account of the budget, if its headers give one."""
        notice = self._read_limits(headers) if self._read_limits else None
        if notice is not None and self._budget is not None:
            self._budget.limit_to(notice.remaining, notice.seconds, group)

    def pause(self, seconds: float, group: str | None) -> None:
        """Stop this group (or, without one, the connection) for everybody who shares the budget."""
        if self._budget is not None:
            self._budget.pause(seconds, group)
