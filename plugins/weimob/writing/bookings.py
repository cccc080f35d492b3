"""Targets ``points``, ``growth``, ``balance`` and ``coupon``: what must not be booked twice.

Each request carries the operation's id as its own number (``requestId``, ``eventId``), and the platform books a number once. So a
lost answer is asked for again with the same number, by this run or, after a kill, by the next; that it was booked before is a
success.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from typing import Any, Final

from hub.destination import Operation, Outcome
from hub.errors import ConfigError, RowError
from plugins.weimob.answers import failures, refuse_unless_done
from plugins.weimob.api import Api
from plugins.weimob.reading.common import Merchant
from plugins.weimob.values import text
from plugins.weimob.writing.common import (
    already_done,
    amount_of,
    as_text,
    done,
    first_failure,
    invalid,
    named_as_failed,
    needed,
    one_by_one,
    unchanged,
    whole,
)

__all__ = ["BalanceWriter", "BookingWriter", "CouponWriter", "GrowthWriter", "PointsWriter"]

_OPEN_PLATFORM: Final = "5"
"""``requestType``."""
_ADD, _SUBTRACT = "1", "2"
_MOST_POINTS: Final = 999_999_999
_COUPON_SCENE: Final = 945_000
_CENT: Final = Decimal("0.01")


class BookingWriter(ABC):
    """Books operations side by side, each once."""

    def __init__(self, merchant: Merchant) -> None:
        self.merchant = merchant

    def write(self, operations: Iterable[Operation]) -> Iterator[Outcome]:
        """Book each operation."""
        return one_by_one(self._carry_out, operations, self.merchant.config.workers)

    def _carry_out(self, operation: Operation) -> Outcome:
        try:
            return self.book(operation)
        except RowError as error:
            if already_done(error.context.get("said")):
                return done(operation, code="already_booked")
            raise

    @abstractmethod
    def book(self, operation: Operation) -> Outcome:
        """Book it; raise ``RowError`` for a refusal."""

    def judged(self, operation: Operation, data: object, remote_id: str | None) -> Outcome:
        """Return the outcome that an answer with errcode 0 means: failures hide inside ``data``."""
        failure = first_failure(failures(data))
        if failure is not None:
            code, said = failure
            if already_done(said):
                return done(operation, code="already_booked")
            return named_as_failed(operation, code, said)
        refuse_unless_done(data)
        return done(operation, remote_id)

    def who(self, operation: Operation) -> dict[str, Any]:
        """Return the customer as the accounts want it."""
        return {"vid": self.merchant.vid, "wid": int(operation.key)}

    def reason(self, operation: Operation, default: str) -> str:
        """Return the reason shown to the customer."""
        return as_text(operation.values.get("reason")) or default


class PointsWriter(BookingWriter):
    """Adds or takes points (积分)."""

    def book(self, operation: Operation) -> Outcome:
        """Book ``delta``."""
        points, settings = whole(operation.values.get("delta")), self.merchant.config.points
        if points is None or abs(points) > _MOST_POINTS:
            return invalid(operation, "points_not_whole", f"`delta` must be a whole number of at most {_MOST_POINTS}.")
        if points == 0:
            return unchanged(operation, "Nothing to add.")
        body = {
            "requestId": operation.id, "requestType": _OPEN_PLATFORM, "adjustType": _ADD if points > 0 else _SUBTRACT,
            "changePoint": str(abs(points)), "changeReason": self.reason(operation, settings.reason), "changeType": settings.change_type,
            "operatorWid": "0", "adjustPointInfoList": [self.who(operation)],
        }  # fmt: skip
        data = self.merchant.client.change(Api.POINTS_ADJUST, body, repeatable=True)
        return self.judged(operation, data, _from_list(data, "userTransId"))


class GrowthWriter(BookingWriter):
    """Adds or takes growth (成长值) of a card plan."""

    def book(self, operation: Operation) -> Outcome:
        """Book ``delta``."""
        growth, settings = whole(operation.values.get("delta")), self.merchant.config.points
        if growth is None:
            return invalid(operation, "growth_not_whole", "`delta` must be a whole number.")
        if growth == 0:
            return unchanged(operation, "Nothing to add.")
        plan = needed(self.merchant.config.membership_plan_id, "membership_plan_id", "Writing growth")
        body = {
            **self.who(operation), "membershipPlanId": plan, "changeGrowth": growth, "eventSource": 1, "eventType": "1",
            "eventId": operation.id, "reason": self.reason(operation, settings.reason), "operatorChannel": 0, "operatorWid": 0,
            "channelType": settings.growth_channel, "channelId": 0,
        }  # fmt: skip
        data = self.merchant.client.change(Api.GROWTH_ADJUST, body, repeatable=True)
        return self.judged(operation, data, text(data.get("growthBillId")) if isinstance(data, Mapping) else text(data))


class BalanceWriter(BookingWriter):
    """Adds or takes stored value (余额): principal by ``delta``, bonus by ``bonus``."""

    def book(self, operation: Operation) -> Outcome:
        """Book ``delta`` and ``bonus``, which must not point in two directions."""
        capital, bonus = (amount_of(operation.values.get(name, 0)) for name in ("delta", "bonus"))
        if capital is None or bonus is None or capital * bonus < 0 or {_cents(capital), _cents(bonus)} & {None}:
            message = "`delta` and `bonus` must be amounts in yuan with two decimals, both added or both taken."
            return invalid(operation, "amount_not_cents", message)
        if not capital and not bonus:
            return unchanged(operation, "Nothing to add.")
        body = {
            "requestId": operation.id, "requestType": _OPEN_PLATFORM, "adjustType": _ADD if capital + bonus > 0 else _SUBTRACT,
            "changCapitalAmount": _cents(abs(capital)), "changeGrantsAmount": _cents(abs(bonus)),
            "changeReason": self.reason(operation, self.merchant.config.balance.reason), "changeType": self.merchant.config.points.change_type,
            "operatorWid": "0", "adjustBalanceInfoList": [self.who(operation)],
        }  # fmt: skip
        data = self.merchant.client.change(Api.BALANCE_ADJUST, body, repeatable=True)
        return self.judged(operation, data, _from_list(data, "userTransId"))


class CouponWriter(BookingWriter):
    """Issues one coupon of a template."""

    def book(self, operation: Operation) -> Outcome:
        """Issue a coupon of ``template_id``."""
        template = as_text(operation.values.get("template_id")) or self.merchant.config.coupons.template_id
        if not template.isdecimal():
            raise ConfigError(
                "No coupon template is named.",
                code="weimob_template_missing",
                hint="Map `template_id` in the sync, or set coupons.template_id in the connection.",
            )
        body = {
            "wid": int(operation.key), "scene": _COUPON_SCENE, "vid": self.merchant.vid, "vidType": self.merchant.config.vid_type,
            "couponNums": [{"couponTemplateId": int(template), "num": 1, "requestId": operation.id}],
        }  # fmt: skip
        data = self.merchant.client.change(Api.COUPON_SEND, body, repeatable=True)
        results = (data or {}).get("couponResultList") or [{}]
        codes = results[0].get("codes") or ()
        return self.judged(operation, data, text(codes[0]) if codes else None)


def _from_list(data: object, key: str) -> str | None:
    entries = data.get("list") if isinstance(data, Mapping) else None
    return next((text(entry.get(key)) for entry in entries or ()), None)


def _cents(amount: Decimal) -> str | None:
    """Write an amount with two decimals; None where it has more."""
    rounded = amount.quantize(_CENT)
    return str(rounded) if rounded == amount else None
