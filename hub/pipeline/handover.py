"""Hand one batch to a destination: tried again while that does no harm, halved where it is refused as a whole.

Every row gets an outcome, also those the destination said nothing about:

* a refusal of the whole (``RowError``) is narrowed down by halves until each bad row is alone;
* a passing fault (``RetryError``) is tried again after a pause if nothing was sent, or if repeating is harmless;
* any other fault ends the sending, and is kept for the caller.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from hub.destination import Destination, Operation, Outcome, OutcomeStatus, Target
from hub.errors import AuthError, DeferError, HubError, PluginError, RetryError, RowError, StopError, StreamError
from hub.redaction import redact

__all__ = ["Handover", "unanswered"]

_TRIES = 3
"""How often one batch is handed over within a run; a destination's own client has repeated single calls before."""
_LONGEST_PAUSE = 60.0
"""Seconds: what asks for a longer pause is left to the next run."""
_RESPONSE = 2_000
"""Characters kept of an answer."""


@dataclass
class Handover:
    """Hands batches over.

    Attributes:
        destination: who receives.
        target: what of it is written.
        where: connection and target, for messages.
        secrets: the connection's secrets, kept out of every message.
        sleep: waits that many seconds.
        error: the fault that ended the sending.
    """

    destination: Destination
    target: Target
    where: str
    secrets: tuple[str, ...]
    sleep: Callable[[float], None]
    error: HubError | None = field(default=None, init=False)

    def send(self, operations: Sequence[Operation]) -> dict[str, Outcome]:
        """Hand a batch over until each row has an outcome; return them by operation id."""
        outcomes: dict[str, Outcome] = {}
        waiting = [list(operations)]
        tries = 0
        while waiting:
            part = waiting.pop()
            fault = self._call(part, outcomes)
            rest = [operation for operation in part if operation.id not in outcomes]
            again = self._later(part, outcomes)
            if isinstance(fault, RowError):
                waiting += self._refused_together(rest, fault, outcomes)
            elif (fault or again) and (pause := self._pause(fault, again, outcomes, tries)) is not None:
                tries += 1
                self.sleep(pause)
                waiting.append(_smaller([*(rest if fault else ()), *again], part))
            elif fault is not None:
                self.error = fault
                outcomes |= {one.id: self.unanswered(one) for one in rest}
                outcomes |= {one.id: _put_off(one, fault) for later in waiting for one in later}
                return outcomes
        missing = (operation for operation in operations if operation.id not in outcomes)
        return outcomes | {one.id: self.unanswered(one) for one in missing}

    def _call(self, part: Sequence[Operation], outcomes: dict[str, Outcome]) -> HubError | None:
        """Make one call; return the fault that ended it, if one did."""
        found = {one.operation_id: one for one in self.outcomes_of(part)}
        fault, self.error = self.error, None
        known = {operation.id for operation in part}
        outcomes |= {identifier: one for identifier, one in found.items() if identifier in known}
        return fault

    def outcomes_of(self, operations: Iterable[Operation]) -> Iterator[Outcome]:
        """Iterate the destination's outcomes of one call; a fault ends them and is kept in ``error``."""
        try:
            for outcome in self.destination.write(self.target, operations):
                yield self._checked(outcome)
        except HubError as error:
            self.error = error
        except Exception as error:  # noqa: BLE001 - whatever a plugin raises, the rows it left get an outcome
            self.error = PluginError(
                f"Writing to {self.where} failed inside the plugin: "
                f"{type(error).__name__}: {redact(str(error), self.secrets)}",
                code="plugin_failed",
                hint="Report this to the plugin's author, with the traceback of `hub push --debug`.",
            )

    def _checked(self, outcome: Outcome) -> Outcome:
        """Return an outcome fit to be kept; plugins are strangers."""
        if not isinstance(outcome, Outcome):
            raise TypeError(f"write() gave {type(outcome).__name__} instead of an Outcome")
        return _fit(replace(outcome, status=OutcomeStatus(outcome.status)), self.secrets)

    def _refused_together(
        self, rest: Sequence[Operation], fault: RowError, outcomes: dict[str, Outcome]
    ) -> list[list[Operation]]:
        """Halve what was refused as a whole; a row that is alone has the refusal as its outcome."""
        if len(rest) == 1:
            outcomes[rest[0].id] = _rejected(rest[0], fault, self.secrets)
        middle = (len(rest) + 1) // 2
        halves = [rest[:middle], rest[middle:]] if len(rest) > 1 else []
        return [_named(half) for half in reversed(halves)]

    def _later(self, part: Sequence[Operation], outcomes: dict[str, Outcome]) -> list[Operation]:
        """Rows the destination put off for a short while."""
        return [one for one in part if one.id in outcomes and _is_short(outcomes[one.id])]

    def _pause(
        self, fault: HubError | None, again: Sequence[Operation], outcomes: dict[str, Outcome], tries: int
    ) -> float | None:
        """Seconds after which to try again; None where that is left to a later run."""
        if tries + 1 >= _TRIES:
            return None
        asked = [outcomes[one.id].retry_after or 0.0 for one in again]
        if fault is not None:
            harmless = isinstance(fault, RetryError) and (not fault.sent or self.target.idempotent)
            if not harmless or not isinstance(fault, RetryError):
                return None
            asked.append(fault.retry_after or 0.0)
        pause = max(*asked, 2.0**tries) if asked else 2.0**tries
        if pause > _LONGEST_PAUSE:
            return None
        for one in again:
            del outcomes[one.id]
        return pause

    def unanswered(self, operation: Operation) -> Outcome:
        """Return the outcome of a row the destination said nothing about."""
        return unanswered(operation, self.error, self.secrets)


def unanswered(operation: Operation, error: HubError | None, secrets: tuple[str, ...]) -> Outcome:
    """Return the outcome of a row without an answer, given the fault that ended the call."""
    if error is None:
        return Outcome(operation.id, OutcomeStatus.UNKNOWN, "no_outcome", "The plugin gave no outcome for this row.")
    if isinstance(error, RowError):
        return _rejected(operation, error, secrets)
    status = OutcomeStatus.DEFERRED if _says_not_sent(error) else OutcomeStatus.UNKNOWN
    return _fit(Outcome(operation.id, status, error.code, error.message).answered(error), secrets)


def _rejected(operation: Operation, error: RowError, secrets: tuple[str, ...]) -> Outcome:
    return _fit(Outcome(operation.id, OutcomeStatus.REJECTED, error.code, error.message).answered(error), secrets)


def _fit(outcome: Outcome, secrets: tuple[str, ...]) -> Outcome:
    """Return an outcome without secrets and personal data."""
    code, message, response = (redact(text, secrets) for text in (outcome.code, outcome.message, outcome.response))
    return replace(outcome, code=code, message=message, response=response[:_RESPONSE])


def _put_off(operation: Operation, error: HubError) -> Outcome:
    return Outcome(operation.id, OutcomeStatus.DEFERRED, error.code, "Not sent: the sync stopped before this row.")


def _says_not_sent(error: HubError) -> bool:
    """Whether an error says of the rows without an outcome that they were not carried out."""
    if isinstance(error, RetryError):
        return not error.sent
    return isinstance(error, DeferError | AuthError | StreamError | StopError) and not isinstance(error, PluginError)


def _is_short(outcome: Outcome) -> bool:
    wait = outcome.retry_after
    return outcome.status is OutcomeStatus.DEFERRED and wait is not None and wait <= _LONGEST_PAUSE


def _smaller(operations: list[Operation], part: Sequence[Operation]) -> list[Operation]:
    return operations if len(operations) == len(part) else _named(operations)


def _named(operations: Sequence[Operation]) -> list[Operation]:
    """Give rows that travel together a batch id of their own, the same whenever just they do."""
    digest = hashlib.sha256("\n".join(one.id for one in operations).encode()).hexdigest()
    return [replace(one, batch_id=f"b{digest[:32]}") for one in operations]
