"""What all targets share: values, and outcomes."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any, Final

from hub.destination import Operation, Outcome, OutcomeStatus
from hub.errors import ConfigError, RowError
from hub.http import fan_out
from plugins.weimob.values import text

__all__ = [
    "already_done",
    "amount_of",
    "as_text",
    "done",
    "first_failure",
    "invalid",
    "named_as_failed",
    "needed",
    "one_by_one",
    "refusal_of",
    "rejected",
    "unchanged",
    "whole",
]

_REPEATED: Final = ("重复", "已处理", "已存在", "已发放", "duplicate", "幂等")
"""Words with which a request number that was used before is refused; no page tells the code."""


def done(operation: Operation, remote_id: str | None = None, code: str = "") -> Outcome:
    """Say that it was done."""
    return Outcome(operation.id, OutcomeStatus.ACCEPTED, code=code, remote_id=remote_id)


def unchanged(operation: Operation, message: str) -> Outcome:
    """Say that there was nothing to do."""
    return Outcome(operation.id, OutcomeStatus.UNCHANGED, message=message)


def invalid(operation: Operation, code: str, message: str) -> Outcome:
    """Say that a value cannot be sent."""
    return Outcome(operation.id, OutcomeStatus.INVALID, code, message)


def rejected(operation: Operation, code: str, message: str) -> Outcome:
    """Say that the platform refused."""
    return Outcome(operation.id, OutcomeStatus.REJECTED, code, message)


def named_as_failed(operation: Operation, code: str, said: str) -> Outcome:
    """Turn the failure that an answer with errcode 0 names for one row into its outcome."""
    response = json.dumps({"code": code, "said": said}, ensure_ascii=False)
    return replace(rejected(operation, code, said), response=response)


def refusal_of(operation: Operation, error: RowError) -> Outcome:
    """Turn the platform's refusal of one row into its outcome, with the platform's own code and words."""
    code, said = str(error.context.get("code") or error.code), str(error.context.get("said") or error.message)
    return rejected(operation, code, said).answered(error)


def already_done(said: object) -> bool:
    """Say whether a refusal means that the same request number was booked before."""
    words = str(said or "").lower()
    return any(word in words for word in _REPEATED)


def one_by_one(
    carry_out: Callable[[Operation], Outcome], operations: Iterable[Operation], workers: int
) -> Iterator[Outcome]:
    """Carry out operations side by side; a refused row is its own outcome, anything worse ends the batch."""
    for result in fan_out(carry_out, operations, workers=workers):
        yield refusal_of(result.item, result.error) if result.error is not None else result.unwrap()


def needed(value: str | None, setting: str, why: str) -> int:
    """Return a configured number.

    Raises:
        ConfigError: it is not set (``weimob_setting_missing``).
    """
    if value is None:
        raise ConfigError(
            f"{why} needs {setting}.",
            code="weimob_setting_missing",
            hint=f"Set {setting} in the connection; the plugin's README says where the console shows it.",
        )
    return int(value)


def whole(value: object) -> int | None:
    """Return a mapped value as a whole number, None where it is none."""
    found = amount_of(value)
    return int(found) if found is not None and found == found.to_integral_value() else None


def amount_of(value: object) -> Decimal | None:
    """Return a mapped value as a number, None where it is none."""
    if isinstance(value, bool) or not isinstance(value, int | Decimal | str):
        return None
    try:
        found = Decimal(value)
    except ArithmeticError:
        return None
    return found if found.is_finite() else None


def as_text(value: object) -> str:
    """Write a mapped value the way custom fields and tags hold it."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "是" if value else "否"
    if isinstance(value, list | tuple):
        return ",".join(map(as_text, value))
    if isinstance(value, Decimal):
        return format(value.normalize() if value == value.to_integral() else value, "f")
    return str(value)


def first_failure(entries: Iterable[Mapping[str, Any]]) -> tuple[str, str] | None:
    """Return code and words of the first partial failure, None where there is none."""
    for entry in entries:
        code = next((found for key in ("errCode", "code") if (found := text(entry.get(key)))), "weimob_not_done")
        said = next(
            (found for key in ("errorMessage", "errMsg", "message", "reason") if (found := text(entry.get(key)))), ""
        )
        return code, said or "The platform says that it did not do it."
    return None
