"""Interfaces of coupons, in both families."""

from __future__ import annotations

import datetime as dt
import re
from typing import Any, Final

from hub.simulation.server import Call, RefusalError
from plugins.pos.pospal.simulator.filling import Filling
from plugins.pos.pospal.simulator.gateway import api
from plugins.pos.pospal.simulator.tickets import time_param

__all__ = ["Coupons"]

_CODE: Final = re.compile(r"[A-Za-z0-9]{1,50}")
_LONGEST: Final = dt.timedelta(days=5)
_MAX, _MIN = "LAST_RESULT_MAX_ID", "LAST_RESULT_MIN_ID"
_NEWEST: Final = 2**62


class Coupons(Filling):
    """Coupons (优惠券)."""

    @api("promotionOpenApi/queryCouponPromotions", v2="promotionOpenApi/queryCouponPromotions")
    def query_coupon_promotions(self, call: Call) -> object:
        """Give the rules."""
        return [
            {
                "promotionCouponUid": int(row["uid"]),
                "name": row["name"],
                "enable": 1,
                "createUserAppId": call.caller.account,
            }
            for row in self.db.rows("SELECT * FROM coupon_rules ORDER BY uid")
        ]

    @api("promotionOpenApi/addCouponcode", v2="promotionOpenApi/promotion/addCouponcode", write=True)
    def add_couponcode(self, call: Call) -> object:
        """Give a member a coupon with the caller's own code, which may be used once."""
        rule, code = call.params.text("promotionCouponUid"), call.params.text("code")
        customer = call.params.text("customerUid", "0")
        row = self.db.row("SELECT * FROM coupon_rules WHERE uid = ?", rule)
        if row is None:
            raise RefusalError(1060, "优惠券规则不存在")
        if not _CODE.fullmatch(code):
            raise RefusalError(1061, "优惠券号只能是英文或数字，长度不能超过50")
        if self.db.value("SELECT 1 FROM coupons WHERE code = ?", code):
            raise RefusalError(1062, "优惠券号已存在")
        if customer != "0" and self.db.value("SELECT 1 FROM members WHERE uid = ?", customer) is None:
            raise RefusalError(1050, "指定会员不存在")
        self.db.execute(
            "INSERT INTO coupons (rule, code, customer, shop, by_hub) VALUES (?, ?, ?, ?, 1)",
            rule, code, customer, self.shop_of(call),
        )  # fmt: skip
        until = self.clock.now() + dt.timedelta(days=int(row["days"]))
        return {"codeExpiredDate": until.date().isoformat()}

    @api("promotionOpenApi/queryCustomerCouponCodePage", v2="promotionOpenApi/queryCustomerCouponCodePage", paged=True)
    def query_customer_coupon_codes(self, call: Call) -> object:
        """Give a member's coupons, newest first."""
        before = self.position(call, _MIN) or _NEWEST
        rows = self.db.rows(
            "SELECT * FROM coupons WHERE customer = ? AND id < ? ORDER BY id DESC LIMIT ?",
            call.params.text("customerUid"), before, self.page_size,
        )  # fmt: skip
        return self.page([_shown(row) for row in rows], rows[-1]["id"] if rows else 0, _MIN)

    @api("promotionOpenApi/queryUsedPromotionCode", v2="promotionOpenApi/queryUsedPromotionCode", paged=True)
    def query_used_promotion_code(self, call: Call) -> object:
        """Give used coupons, newest first: the start is taken in, the end left out, five days at most."""
        start, end = time_param(call, "startTime"), time_param(call, "excludeEndTime")
        if end - start > _LONGEST or end < start:
            raise RefusalError(1040, "查询的时间范围不能超过5天")
        before = self.position(call, _MIN) or _NEWEST
        rows = self.db.rows(
            "SELECT * FROM coupons WHERE shop = ? AND used >= ? AND used < ? AND id < ? ORDER BY id DESC LIMIT ?",
            self.shop_of(call), start.isoformat(" "), end.isoformat(" "), before, self.page_size,
        )  # fmt: skip
        return self.page([_shown(row) for row in rows], rows[-1]["id"] if rows else 0, _MIN)


def _shown(row: Any) -> dict[str, Any]:
    return {
        "code": row["code"], "promotionCouponUid": int(row["rule"]), "customerUid": int(row["customer"] or 0),
        "state": int(row["used"] is not None), "usedDateTime": row["used"], "ticketUid": int(row["ticket"] or 0),
    }  # fmt: skip
