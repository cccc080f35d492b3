"""What all targets share: who is meant, and outcomes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from decimal import Decimal
from typing import Any, Final

from hub.destination import Operation, Outcome, OutcomeStatus
from hub.errors import HubError, RetryError, RowError
from hub.http import fan_out
from plugins.youzan.values import flag

__all__ = [
    "OPERATE_SOURCE",
    "as_text",
    "done",
    "invalid",
    "one_by_one",
    "refusal_of",
    "rejected",
    "succeeded",
    "unchanged",
    "unknown",
    "user",
]

OPERATE_SOURCE: Final = "hub"
"""Echoed in pushed messages about what we did, which are then passed over."""
_YZ_OPEN_ID: Final = 5


def user(operation: Operation) -> dict[str, Any]:
    """Return the customer as the methods with numbered account types (family A) want it."""
    return {"account_type": _YZ_OPEN_ID, "account_id": operation.key}


def done(operation: Operation, remote_id: str | None = None, code: str = "") -> Outcome:
    """Say that it was done."""
    return Outcome(operation.id, OutcomeStatus.ACCEPTED, code=code, remote_id=remote_id)


def unchanged(operation: Operation, message: str, remote_id: str | None = None) -> Outcome:
    """Say that there was nothing to do."""
    return Outcome(operation.id, OutcomeStatus.UNCHANGED, message=message, remote_id=remote_id)


def invalid(operation: Operation, code: str, message: str) -> Outcome:
    """Say that a value cannot be sent."""
    return Outcome(operation.id, OutcomeStatus.INVALID, code, message)


def rejected(operation: Operation, code: str, message: str) -> Outcome:
    """Say that the platform refused."""
    return Outcome(operation.id, OutcomeStatus.REJECTED, code, message)


def unknown(operation: Operation, error: RetryError) -> Outcome:
    """Say that nobody knows: no answer came."""
    return Outcome(
        operation.id, OutcomeStatus.UNKNOWN, error.code, "No answer came; look_up tells what became of it."
    ).answered(error)


def refusal_of(operation: Operation, error: RowError) -> Outcome:
    """Turn the platform's refusal of one row into its outcome, with the platform's own code and words."""
    code, said = str(error.context.get("code") or error.code), str(error.context.get("said") or error.message)
    return rejected(operation, code, said).answered(error)


def one_by_one(
    carry_out: Callable[[Operation], Outcome], operations: Iterable[Operation], workers: int
) -> Iterator[Outcome]:
    """Carry out operations side by side; a refused row is its own outcome, anything worse ends the batch."""
    for result in fan_out(carry_out, operations, workers=workers):
        yield refusal_of(result.item, result.error) if result.error is not None else result.unwrap()


def succeeded(answer: Mapping[str, Any]) -> bool:
    """Say whether ``data`` reports success: true, or ``is_success`` which may be the word."""
    data = answer.get("data")
    if isinstance(data, Mapping) and "is_success" in data:
        return flag(data["is_success"])
    return data is not False


def refuse_unless_done(answer: Mapping[str, Any]) -> None:
    """Raise ``RowError`` where the envelope says success and the data says failure."""
    if not succeeded(answer):
        raise RowError("The platform says that it did not do it.", code="youzan_not_done")


def as_text(value: object) -> str:
    """Write a mapped value the way attributes hold it."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "是" if value else "否"
    if isinstance(value, list | tuple):
        return ",".join(map(as_text, value))
    if isinstance(value, Decimal):
        return format(value.normalize() if value == value.to_integral() else value, "f")
    return str(value)


def never_left(error: HubError) -> bool:
    """Say whether nothing of a write can have reached the platform."""
    return isinstance(error, RetryError) and not error.sent
