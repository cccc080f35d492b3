"""Points, growth, stored value and coupons of the simulated platform: each booking carries a number and is done once."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any, Final

from hub.simulation.server import Call, Params, RefusalError
from plugins.weimob.api import Api
from plugins.weimob.simulator.customers import Customers
from plugins.weimob.simulator.gateway import api

__all__ = ["Accounts"]

_DAY: Final = 86_400_000
_SCENE: Final = 945_000


class Accounts(Customers):
    """Capabilities about what a customer owns."""

    # ---- points and stored value -------------------------------------------------------------------------------------

    @api(Api.POINTS)
    def points_get(self, call: Call) -> object:
        """Return a customer's points, as texts."""
        row = self._owner(call.params)
        total = self._points_of(row)
        return {
            "acctStatus": "A",
            "availablePoint": str(total),
            "totalPoint": str(total),
            "frozenPoint": "0",
            "totalIssuePoint": str(total),
        }

    @api(Api.BALANCE)
    def balance_get(self, call: Call) -> object:
        """Return a customer's stored value, in yuan as texts."""
        amount = f"{self._balance_of(self._owner(call.params)) / 100:.2f}"
        return {"availableAmount": amount, "totalAmount": amount, "frozenAmount": "0.00", "totalCapitalAmount": amount}

    def _owner(self, params: Params) -> Any:
        params.integer("vid")
        row = self.customer(params.integer("wid"))
        if row is None:
            raise RefusalError("20404", "客户不存在")
        return row

    def _points_of(self, row: Any) -> int:
        return int(json.loads(row["body"])["points"]) + self.booked("points", row["wid"])

    def _balance_of(self, row: Any) -> int:
        return int(json.loads(row["body"])["balance_fen"]) + self.booked("balance", row["wid"])

    @api(Api.POINTS_ADJUST, write=True)
    def points_adjust(self, call: Call) -> object:
        """Book points of up to twenty customers, once per request number."""
        params = call.params
        change = params.integer("changePoint", least=1, most=999_999_999) * self._sign(params)
        params.text("changeReason"), params.text("changeType")
        return self._adjust(params, "points", "adjustPointInfoList", change)

    @api(Api.BALANCE_ADJUST, write=True)
    def balance_adjust(self, call: Call) -> object:
        """Book stored value, once per request number."""
        params = call.params
        yuan = Decimal(params.text("changCapitalAmount", "0")) + Decimal(params.text("changeGrantsAmount", "0"))
        return self._adjust(params, "balance", "adjustBalanceInfoList", int(yuan * 100) * self._sign(params))

    @staticmethod
    def _sign(params: Params) -> int:
        kind = params.text("adjustType")
        if kind not in ("1", "2"):
            raise RefusalError("30101", "adjustType错误")
        return 1 if kind == "1" else -1

    def _adjust(self, params: Params, account: str, name: str, change: int) -> object:
        request, kind = params.text("requestId"), params.text("requestType")
        if kind != "5":
            raise RefusalError("30102", "requestType错误")
        entries = params.array(name, most=20)

        def work() -> dict[str, Any]:
            found = [
                self._book(account, Params(entry), change, request, params.text("changeReason", ""))
                for entry in entries
            ]
            return {"result": all(entry["status"] == 0 for entry in found), "list": found}

        return self.once(account, f"{request}/{kind}", work)

    def _book(self, account: str, entry: Params, change: int, request: str, reason: str) -> dict[str, Any]:
        wid = entry.integer("wid")
        entry.integer("vid")
        row = self.customer(wid)
        if row is None:
            return {"wid": wid, "status": 9, "message": "客户不存在", "userTransId": ""}
        held = self._points_of(row) if account == "points" else self._balance_of(row)
        if held + change < 0:
            return {
                "wid": wid,
                "status": 9,
                "message": "积分不足" if account == "points" else "余额不足",
                "userTransId": "",
            }
        number = self._write(account, wid, change, request, reason)
        topic, event = (
            ("weimob_crm.point.change", "pointChange")
            if account == "points"
            else ("weimob_crm.balance.change", "balanceChange")
        )
        self.notify(topic, event, {"wid": wid, "changPoint": change, "bizUniqueId": request})
        return {"wid": wid, "status": 0, "message": "", "userTransId": str(number)}

    def _write(self, account: str, wid: int, change: int, request: str, reason: str) -> int:
        return self.db.insert(
            "INSERT INTO ledger (account, wid, change, request, reason, at) VALUES (?, ?, ?, ?, ?, ?)",
            account, wid, change, request, reason, self.present(),
        )  # fmt: skip

    @api(Api.GROWTH_ADJUST, write=True)
    def growth_adjust(self, call: Call) -> object:
        """Book growth, once per event number."""
        params = call.params
        row, change, event = self._owner(params), params.integer("changeGrowth"), params.text("eventId")
        for name in ("eventSource", "operatorChannel", "operatorWid", "channelType", "channelId"):
            params.integer(name)
        reason = params.text("reason")
        if params.text("membershipPlanId") != self.credentials["membership_plan_id"]:
            raise RefusalError("20502", "会员卡方案不存在")
        if self.growth_of(row) + change < 0:
            raise RefusalError("20510", "成长值不足")
        return self.once(
            "growth", event, lambda: {"growthBillId": self._write("growth", row["wid"], change, event, reason)}
        )

    # ---- coupons -----------------------------------------------------------------------------------------------------

    @api(Api.COUPON_TEMPLATES, paged=True)
    def templates(self, call: Call) -> object:
        """List coupon templates."""
        page, size = call.params.integer("pageNum", least=1), call.params.integer("pageSize", least=1, most=100)
        rows = self.db.rows("SELECT * FROM templates ORDER BY template_id LIMIT ? OFFSET ?", size, (page - 1) * size)
        found = [
            {
                "couponTemplateId": row["template_id"], "name": row["name"], "couponType": 1, "status": row["status"], "stock": row["stock"],
                "cashTicketAmt": f"{json.loads(row['body'])['off_fen'] / 100:.2f}", "userTakeLimit": row["per_user"],
            }
            for row in rows
        ]  # fmt: skip
        return {
            "pageList": found,
            "pageNum": page,
            "pageSize": size,
            "totalCount": self.db.value("SELECT count(*) FROM templates"),
        }

    @api(Api.COUPON_CODES, paged=True)
    def coupon_codes(self, call: Call) -> object:
        """Scroll through the coupons of a template, or look one up by its code."""
        wanted, size = call.params.mapping("param"), call.params.integer("pageSize", least=1, most=100)
        where, values = (
            ["template_id = ?", "number > ?"],
            [wanted.integer("couponTemplateId"), call.params.integer("startId", 0)],
        )
        rows = self.db.rows(f"SELECT * FROM coupons WHERE {' AND '.join(where)} ORDER BY number", *values)
        if code := wanted.text("code", ""):
            rows = [row for row in rows if row["code"] == code]
        found = [
            {
                "code": row["code"], "wid": row["wid"], "status": 2 if row["used"] else 1, "usedTime": row["used"], "publishTime": row["taken"],
                "orderNo": row["used_order"], "updateTime": row["updated"], "usedStoreId": None,
            }
            for row in rows[:size]
        ]  # fmt: skip
        return {"pageList": found, "nextStartId": rows[:size][-1]["number"] if found else None, "totalCount": len(rows)}

    @api(Api.COUPON_SEND, write=True)
    def receive(self, call: Call) -> object:
        """Give one customer coupons; failures stand inside ``data``, with errcode 0."""
        params = call.params
        if params.integer("scene") != _SCENE:
            raise RefusalError("30201", "scene错误")
        params.integer("vid"), params.integer("vidType")
        wid = params.integer("wid")
        results = [self._give(wid, Params(entry)) for entry in params.array("couponNums")]
        good = sum(1 for result in results if result["isSuccess"])
        status = 1 if good == len(results) else 2 if good else 3
        return {"couponResultList": results, "successCount": good, "failedCount": len(results) - good, "status": status}

    def _give(self, wid: int, wish: Params) -> dict[str, Any]:
        template, request = wish.integer("couponTemplateId"), wish.text("requestId", longest=64)
        wish.integer("num", least=1, most=1)
        row = self.db.row("SELECT * FROM templates WHERE template_id = ?", template)
        head = {"couponTemplateId": template, "name": row["name"] if row else "", "wid": wid}
        refused = self._why_not(row, wid, template)
        if refused and self.db.done("coupons", request) is None:
            return {
                **head,
                "isSuccess": False,
                "failureNum": 1,
                "errCode": "30210",
                "errMsg": refused,
                "codes": [],
                "canReceive": False,
            }
        return self.once(
            "coupons", request, lambda: {**head, "isSuccess": True, "failureNum": 0, "errCode": "", "errMsg": "",
                                         "codes": [self._issue(wid, row, request)], "canReceive": True},
        )  # fmt: skip

    def _why_not(self, row: Any, wid: int, template: int) -> str:
        if row is None or row["status"] != 1:
            return "优惠券模板不存在或已停用"
        if self.customer(wid) is None:
            return "客户不存在"
        if row["stock"] <= 0:
            return "优惠券库存不足"
        held = self.db.value("SELECT count(*) FROM coupons WHERE template_id = ? AND wid = ?", template, wid)
        return "超过每人限领数量" if held >= row["per_user"] else ""

    def _issue(self, wid: int, template: Any, request: str) -> int:
        now, number = self.present(), template["template_id"]
        self.db.execute("UPDATE templates SET stock = stock - 1 WHERE template_id = ?", number)
        code = self.number_of(f"code {request}", 12)
        ends = now + json.loads(template["body"])["valid_days"] * _DAY
        self.db.execute(
            "INSERT INTO coupons (code, template_id, wid, request, taken, expires, updated) VALUES (?, ?, ?, ?, ?, ?, ?)",
            str(code), number, wid, request, now, ends, now,
        )  # fmt: skip
        self.notify("weimob_crm.coupon", "receiveCoupon", {"wid": wid, "code": str(code), "couponTemplateId": number})
        return code
