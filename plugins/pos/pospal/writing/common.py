"""What all targets share: where a member is found, and outcomes."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from hub.destination import Operation, Outcome, OutcomeStatus
from hub.errors import HubError, RetryError, RowError
from hub.http import Unit
from plugins.pos.pospal.api import Api
from plugins.pos.pospal.config import PospalConfig
from plugins.pos.pospal.reading.common import Counter
from plugins.pos.pospal.source import Counters

__all__ = [
    "Desk",
    "as_text",
    "done",
    "invalid",
    "never_left",
    "number",
    "refusal_of",
    "rejected",
    "unchanged",
    "unknown",
]


class Desk:
    """Finds members: a shop's key shows only the members of the shop or of its group."""

    def __init__(self, counters: Counters) -> None:
        self._counters = counters
        self._home: dict[str, str] = {}

    @property
    def config(self) -> PospalConfig:
        """The connection's settings."""
        return self._counters.config

    @property
    def counters(self) -> Counters:
        """The shops."""
        return self._counters

    def member(self, uid: str) -> tuple[Counter, Mapping[str, Any]]:
        """Return a member as it is now, and the counter it was found at.

        Raises:
            RowError: no key shows such a member (``member_unknown``).
        """
        if not uid.isdecimal():
            raise RowError("The key is no customerUid.", code="member_unknown")
        leaders = sorted(self.config.leaders, key=lambda shop: shop.id != self._home.get(uid))
        for shop in leaders:
            counter = self._counters.of(shop)
            try:
                found = counter.client.ask(Api.MEMBER, {"customerUid": int(uid)}, unit=Unit.ROW)
            except RowError:
                continue
            if found:
                self._home[uid] = shop.id
                return counter, found
        raise RowError("No shop's key shows a member with this customerUid.", code="member_unknown")


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
    """Say that nobody knows: no answer came, and the member's account does not tell."""
    return Outcome(
        operation.id, OutcomeStatus.UNKNOWN, error.code, "No answer came; look at the member in Pospal."
    ).answered(error)


def refusal_of(operation: Operation, error: RowError) -> Outcome:
    """Turn the platform's refusal of one row into its outcome, with the platform's own code and words."""
    code, said = str(error.context.get("code") or error.code), str(error.context.get("said") or error.message)
    return rejected(operation, code, said).answered(error)


def never_left(error: HubError) -> bool:
    """Say whether nothing of a write can have reached the platform."""
    return isinstance(error, RetryError) and not error.sent


def number(value: object) -> Decimal | None:
    """Read a mapped number; None if it is none."""
    if isinstance(value, bool) or not isinstance(value, int | Decimal | str):
        return None
    try:
        found = Decimal(value)
    except InvalidOperation:
        return None
    return found if found.is_finite() else None


def as_text(value: object) -> str:
    """Write a mapped value as a text field holds it."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "是" if value else "否"
    if isinstance(value, list | tuple):
        return ",".join(map(as_text, value))
    if isinstance(value, Decimal):
        return format(value.normalize() if value == value.to_integral() else value, "f")
    return str(value)
