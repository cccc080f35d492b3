"""Target ``coupon``: issue one coupon of an activity to a customer."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from typing import Any, Final

from hub.destination import Operation, Outcome
from hub.errors import ConfigError
from hub.http import Unit, numbered_pages
from plugins.youzan.api import Api
from plugins.youzan.reading.common import Shop
from plugins.youzan.values import from_epoch, text
from plugins.youzan.writing.common import as_text, done, rejected, unchanged
from plugins.youzan.writing.once import OnceWriter

__all__ = ["CouponWriter"]

_PAGE: Final = 200
_BY_API: Final = "carmen"
"""``send_source`` of coupons that an application issued."""
_RUNNING: Final = "0"


class CouponWriter(OnceWriter):
    """Issues coupons. The method has no idempotency key, so that what a customer holds is looked at before and after."""

    def __init__(self, shop: Shop) -> None:
        super().__init__(shop)
        self._stock: dict[str, int] = {}
        self._ended: dict[str, str] = {}

    def carry_out(self, operation: Operation) -> Outcome:
        """Issue a coupon unless the customer has had one of the activity."""
        activity = self._activity(operation)
        self._look_at(activity)
        if activity in self._ended:
            return rejected(operation, "coupon_activity_over", self._ended[activity])
        if self._stock[activity] <= 0:
            return rejected(operation, "coupon_out_of_stock", "The activity has no coupons left (库存不足).")
        if self.shop.config.coupons.one_per_customer:
            held = next(self._held(operation, activity), None)
            if held is not None:
                return unchanged(operation, "The customer has had a coupon of this activity.", _coupon_id(held))
        body = {"activity_id": activity, "yz_open_id": operation.key}
        answer = self.shop.client.change(Api.COUPON_SEND, body, repeatable=False)
        self._stock[activity] -= 1
        return done(operation, _coupon_id(answer.data.get("data") or {}))

    def _activity(self, operation: Operation) -> str:
        activity = as_text(operation.values.get("activity_id")) or self.shop.config.coupons.activity_id
        if not activity:
            raise ConfigError(
                "No coupon activity is named.",
                hint="Map `activity_id` in the sync, or set coupons.activity_id in the connection.",
            )
        return activity

    def _look_at(self, activity: str) -> None:
        """Ask once per run whether the activity runs and how many coupons are left."""
        if activity in self._stock or activity in self._ended:
            return
        data = self.shop.client.ask(Api.COUPON_ACTIVITY, {"activity_id": activity}).get("data") or {}
        self._stock[activity] = int(data.get("send_stock_qty") or 0)
        if str(data.get("status", _RUNNING)) != _RUNNING:
            self._ended[activity] = "The activity has ended, is under review or void."

    def _held(self, operation: Operation, activity: str) -> Iterator[Mapping[str, Any]]:
        def fetch(page: int) -> Mapping[str, Any]:
            asked = {
                "yz_open_id": operation.key,
                "activity_type_group": 1,
                "status": 0,
                "page_num": page,
                "page_size": _PAGE,
            }
            return self.shop.client.ask(Api.COUPONS_OF, asked, unit=Unit.ROW)

        pages = numbered_pages(
            fetch, items=lambda answer: answer.get("data") or (), total=lambda answer: answer.get("total"), size=_PAGE
        )
        for answer in pages:
            yield from (voucher for voucher in answer["data"] if text(voucher.get("activity_id")) == activity)

    def find(self, operation: Operation, since: dt.datetime) -> str | None:
        """Look for a coupon of the activity that an application issued to the customer since then."""
        for voucher in self._held(operation, self._activity(operation)):
            sent = from_epoch(voucher.get("send_at"))
            if voucher.get("send_source") == _BY_API and sent is not None and sent >= since:
                return _coupon_id(voucher) or ""
        return None


def _coupon_id(voucher: Mapping[str, Any]) -> str | None:
    return text((voucher.get("voucher_identity") or {}).get("coupon_id"))
