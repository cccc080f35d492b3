"""Target ``points``: add, take away or set a customer's points."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

from hub.destination import Operation, Outcome
from hub.http import Unit, numbered_pages
from plugins.youzan.answers import ALREADY_DONE
from plugins.youzan.api import Api
from plugins.youzan.values import seconds
from plugins.youzan.writing.common import done, invalid, refuse_unless_done, unchanged, user
from plugins.youzan.writing.once import OnceWriter

__all__ = ["PointsWriter"]

_LONGEST: Final = dt.timedelta(days=31)
_PAGE: Final = 50


class PointsWriter(OnceWriter):
    """Books points. ``biz_value`` is the operation's id: the platform books the same id once, and the ledger shows it."""

    def carry_out(self, operation: Operation) -> Outcome:
        """Book ``delta``, or set the ``balance``."""
        delta, balance = operation.values.get("delta"), operation.values.get("balance")
        if (delta is None) == (balance is None):
            return invalid(operation, "points_unclear", "Map either `delta` or `balance`.")
        points = _whole(balance if delta is None else delta)
        if points is None or (delta is None and points < 0):
            return invalid(operation, "points_not_whole", "Points must be a whole number, a balance not below zero.")
        if delta is not None and points == 0:
            return unchanged(operation, "Nothing to add.")
        request = {
            "user": user(operation),
            "points": abs(points),
            "reason": str(operation.values.get("reason") or self.shop.config.points.reason),
            "biz_value": operation.id,
        }
        return self._book(operation, request, points, is_set=delta is None)

    def _book(self, operation: Operation, request: Mapping[str, Any], points: int, *, is_set: bool) -> Outcome:
        method = Api.POINTS_SET if is_set else Api.POINTS_INCREASE if points > 0 else Api.POINTS_DECREASE
        body = dict(request) if is_set else {"params": dict(request)}
        answer = self.shop.client.change(method, body, repeatable=False)
        if answer.code == ALREADY_DONE:
            return done(operation, code="already_booked")
        refuse_unless_done(answer.data)
        return done(operation)

    def find(self, operation: Operation, since: dt.datetime) -> str | None:
        """Look for the operation's ``biz_value`` in the customer's points ledger (积分明细), a month at a time at most."""
        now = self.shop.runtime.now() + dt.timedelta(minutes=10)
        begin = max(since, now - _LONGEST)
        asked = {
            "user": user(operation),
            "begin_time": seconds(begin),
            "end_time": seconds(now),
            "type": 0,
            "page_size": _PAGE,
        }

        def fetch(page: int) -> Mapping[str, Any]:
            data: Mapping[str, Any] = (
                self.shop.client.ask(Api.POINTS_LOG, {**asked, "page": page}, unit=Unit.ROW).get("data") or {}
            )
            return data

        pages = numbered_pages(
            fetch,
            items=lambda data: data.get("items") or (),
            total=lambda data: (data.get("paginator") or {}).get("total_count"),
            size=_PAGE,
        )
        booked = any(str(item.get("biz_value")) == operation.id for data in pages for item in data["items"])
        return "" if booked else None


def _whole(value: object) -> int | None:
    if isinstance(value, bool) or not isinstance(value, int | Decimal | str):
        return None
    try:
        number = Decimal(value)
    except ArithmeticError:
        return None
    return int(number) if number.is_finite() and number == number.to_integral_value() else None
