"""Targets ``points`` and ``stored_value``: increments of a member's account, which must not be done twice.

The interface has no key that would tell a repeat. The account is read before the change; a call whose answer is lost is
never made again: the account is read once more after a pause, and only if it has moved by just the amount was it done.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from hub.destination import Operation, Outcome
from hub.errors import DeferError, HubError, RetryError, RowError
from plugins.pos.pospal.api import Api
from plugins.pos.pospal.reading.common import Counter
from plugins.pos.pospal.values import amount, time_text
from plugins.pos.pospal.writing.common import Desk, done, invalid, never_left, number, refusal_of, unchanged, unknown

__all__ = ["AccountWriter", "Ledger"]


@dataclass(frozen=True)
class Ledger:
    """Which of a member's two accounts.

    Attributes:
        field: its name in a member.
        increment: parameter for the change.
        guard: parameter that forbids going below zero.
        step: smallest amount.
        limit: most one operation may move.
    """

    field: str
    increment: str
    guard: str
    step: Decimal
    limit: Decimal | None = None

    @classmethod
    def points(cls) -> Ledger:
        """Points (积分), with two decimals at most."""
        return cls("point", "pointIncrement", "validatePoint", Decimal("0.01"))

    @classmethod
    def stored_value(cls, limit: Decimal) -> Ledger:
        """Stored value (储值余额) in yuan."""
        return cls("balance", "balanceIncrement", "validateBalance", Decimal("0.01"), limit)


class AccountWriter:
    """Books increments, one after the other."""

    def __init__(self, desk: Desk, ledger: Ledger) -> None:
        self.desk = desk
        self.ledger = ledger

    def write(self, operations: Iterable[Operation]) -> Iterator[Outcome]:
        """Carry out each operation once.

        Raises:
            DeferError: the platform cannot be reached; the rest was not sent.
        """
        for operation in operations:
            try:
                yield self._carry_out(operation)
            except RowError as error:
                yield refusal_of(operation, error)
            except RetryError as error:
                raise DeferError("The platform cannot be reached.", code=error.code, context=error.context) from error

    def _carry_out(self, operation: Operation) -> Outcome:
        delta, target = operation.values.get("delta"), operation.values.get("balance")
        if (delta is None) == (target is None):
            return invalid(operation, "amount_unclear", "Map either `delta` or `balance`.")
        wanted = number(target if delta is None else delta)
        if wanted is None or wanted != wanted.quantize(self.ledger.step) or (delta is None and wanted < 0):
            return invalid(
                operation, "amount_invalid", "Map a number with two decimals at most, a balance not below 0."
            )
        counter, member = self.desk.member(operation.key)
        before = amount(member.get(self.ledger.field), self.ledger.field)
        change = wanted if delta is not None else wanted - before
        if not change:
            return unchanged(operation, "Nothing to add.")
        if self.ledger.limit is not None and abs(change) > self.ledger.limit:
            return invalid(operation, "amount_above_limit", f"More than {self.ledger.limit} (stored_value_limit).")
        return self._book(operation, counter, before, change)

    def _book(self, operation: Operation, counter: Counter, before: Decimal, change: Decimal) -> Outcome:
        other = "balanceIncrement" if self.ledger.increment == "pointIncrement" else "pointIncrement"
        body: dict[str, Any] = {
            "customerUid": int(operation.key),
            self.ledger.increment: float(change) if change % 1 else int(change),
            other: 0,
            "dataChangeTime": time_text(counter.runtime.now(), counter.zone),
            self.ledger.guard: 1,
        }
        try:
            counter.client.change(Api.INCREMENT, body, repeatable=False)
        except RetryError as error:
            if never_left(error):
                raise
            return self._after_silence(operation, error, before + change)
        return done(operation)

    def _after_silence(self, operation: Operation, error: RetryError, expected: Decimal) -> Outcome:
        runtime = self.desk.counters.runtime
        runtime.sleep(self.desk.config.writing.settle_seconds)
        try:
            _, member = self.desk.member(operation.key)
        except HubError as failure:
            runtime.log.warning("An unanswered change could not be looked up: %s", failure.code)
            return unknown(operation, error)
        return done(operation, code="read_back") if self._is(member, expected) else unknown(operation, error)

    def _is(self, member: Mapping[str, Any], expected: Decimal) -> bool:
        return amount(member.get(self.ledger.field), self.ledger.field) == expected
