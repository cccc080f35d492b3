"""Outcomes of rows that are written relation by relation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from hub.destination import Operation, OperationKind, Outcome, OutcomeStatus
from hub.errors import HubError, RowError
from hub.redaction import redact
from plugins.wecom.errors import NO_RELATION, code_of

__all__ = ["GUIDE", "combined", "guide_of", "invalid", "rejected", "unreachable"]

GUIDE: Final = "guide"
"""Name of the mapped value that holds the belonging guide's userid; written nowhere."""

_PASSING: Final = frozenset({"40068", "41110", "45035", "6000"})
"""The tag library changed under our hands, or somebody edited the same relation: a later run finds it settled."""
_GONE: Final = frozenset({*NO_RELATION, "40096", "wecom_no_relation", "60111", "41054"})


def guide_of(operation: Operation) -> str | None:
    """Return the belonging guide that the sync has mapped, if it has."""
    value = operation.values.get(GUIDE)
    return str(value) if value else None


def invalid(operation: Operation, code: str, reason: str) -> Outcome:
    """Return the outcome of a row that cannot be sent as it is."""
    return Outcome(operation.id, OutcomeStatus.INVALID, code, redact(f"{reason[:1].upper()}{reason[1:]}."))


def rejected(operation: Operation, error: HubError) -> Outcome:
    """Return the outcome of a row that the platform refused."""
    code = code_of(error)
    status = OutcomeStatus.DEFERRED if code in _PASSING else OutcomeStatus.REJECTED
    return Outcome(operation.id, status, code, redact(f"{error.message} {error.hint}".strip())).answered(error)


def unreachable(operation: Operation, error: RowError) -> Outcome:
    """Return the outcome for a customer nobody follows: nothing is there to be removed, nothing can be written."""
    if operation.kind is OperationKind.DELETE and code_of(error) in _GONE:
        return Outcome(operation.id, OutcomeStatus.UNCHANGED)
    return rejected(operation, error)


def combined(operation: Operation, relations: Sequence[bool | RowError]) -> Outcome:
    """Return a row's outcome from those of its relations.

    Args:
        operation: the row.
        relations: for each relation whether it was changed, or why it was refused.

    Returns:
        ``accepted`` or ``unchanged`` if every relation that still exists is as wanted; else the first refusal.
    """
    errors = [result for result in relations if isinstance(result, RowError)]
    serious = [error for error in errors if code_of(error) not in _GONE]
    if serious:
        return rejected(operation, serious[0])
    if len(errors) == len(relations):
        gone = errors[0] if errors else RowError("None of the chosen staff follows this customer.", code="wecom_no_relation", hint="See the staff setting of this target.")  # fmt: skip
        return unreachable(operation, gone)
    status = OutcomeStatus.ACCEPTED if any(result is True for result in relations) else OutcomeStatus.UNCHANGED
    note = f"{len(errors)} of {len(relations)} relations have ended meanwhile." if errors else ""
    return Outcome(operation.id, status, "partly_gone" if errors else "", note)
