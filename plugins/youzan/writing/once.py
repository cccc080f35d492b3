"""What targets share whose operations must not be done twice: points and coupons.

A call whose answer is lost is never made again. The platform's own ledger is looked at after a pause: what stands there was done.
What does not is reported as unknown, and can be looked up again later.
"""

from __future__ import annotations

import datetime as dt
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from typing import Final

from hub.destination import Operation, Outcome, OutcomeStatus
from hub.errors import DeferError, HubError, RetryError, RowError
from plugins.youzan.reading.common import Shop
from plugins.youzan.writing.common import done, never_left, refusal_of, unknown

__all__ = ["OnceWriter"]

_CLOCK_SLACK: Final = dt.timedelta(minutes=10)


class OnceWriter(ABC):
    """Carries out operations one after the other: one change per customer at a time."""

    def __init__(self, shop: Shop) -> None:
        self.shop = shop

    def write(self, operations: Iterable[Operation]) -> Iterator[Outcome]:
        """Carry out each operation once.

        Raises:
            DeferError: the platform cannot be reached; the rest was not sent.
        """
        for operation in operations:
            since = self.shop.runtime.now()
            try:
                yield self.carry_out(operation)
            except RowError as error:
                yield refusal_of(operation, error)
            except RetryError as error:
                if never_left(error):
                    raise DeferError(
                        "The platform cannot be reached.", code=error.code, context=error.context
                    ) from error
                yield self._after_silence(operation, error, since)

    def _after_silence(self, operation: Operation, error: RetryError, since: dt.datetime) -> Outcome:
        # The platform may still be at work: it gives up after five seconds.
        self.shop.runtime.sleep(self.shop.config.points.settle_seconds)
        try:
            found = self.find(operation, since - _CLOCK_SLACK)
        except HubError as failure:
            self.shop.runtime.log.warning("An unanswered change could not be looked up: %s", failure.code)
            found = None
        return unknown(operation, error) if found is None else done(operation, found or None, code="read_back")

    def look_up(self, operations: Iterable[Operation], since: dt.datetime) -> Iterator[Outcome]:
        """Tell what became of operations whose outcome is unknown.

        Args:
            operations: as they were sent.
            since: a moment before they were sent.

        Returns:
            ``accepted`` for what stands in the platform's ledger; ``deferred`` with code ``not_booked`` for what does not: it
            was not done and may be sent again.
        """
        for operation in operations:
            found = self.find(operation, since - _CLOCK_SLACK)
            yield not_booked(operation) if found is None else done(operation, found or None, code="read_back")

    @abstractmethod
    def carry_out(self, operation: Operation) -> Outcome:
        """Do it; raise ``RowError`` for a refusal and ``RetryError`` where no answer came."""

    @abstractmethod
    def find(self, operation: Operation, since: dt.datetime) -> str | None:
        """Look the operation up in the platform's ledger: its id there or ``""``; None if it is not there."""


def not_booked(operation: Operation) -> Outcome:
    """Say that it was not done and may be sent again."""
    return Outcome(
        operation.id, OutcomeStatus.DEFERRED, "not_booked", "The platform's ledger does not have it: it was not done."
    )
