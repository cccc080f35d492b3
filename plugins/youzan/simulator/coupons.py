"""Coupons of the simulated platform."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from hub.simulation.server import Call, Params, RefusalError, action
from plugins.youzan.simulator.customers import Customers
from plugins.youzan.simulator.gateway import TopLevel, api

__all__ = ["Coupons"]

_DAY: Final = 86_400.0
_BY_API: Final = "carmen"
_COUPONS: Final = 105


class Coupons(Customers):
    """Methods about coupons."""

    @api("ump.manage.activity.find", "1.0.0", paged=True, group="coupons")
    def activity_find(self, call: Call) -> object:
        """List marketing activities of one kind."""
        wanted = call.params.mapping("request", encoded=True)
        page, size = wanted.integer("page_no", 1, least=1), wanted.integer("page_size", 20, least=1, most=50)
        if wanted.integer("ump_type") != _COUPONS:
            return []
        rows = self.db.rows("SELECT * FROM activities ORDER BY id LIMIT ? OFFSET ?", size, (page - 1) * size)
        return [{"activity_id": row["id"], "title": row["title"], "ump_type": _COUPONS} for row in rows]

    @api("ump.voucheractivity.detail.query", "3.0.4", group="coupons")
    def activity_detail(self, call: Call) -> object:
        """Return one coupon activity."""
        row = self._activity(call.params.integer("activity_id"))
        body = json.loads(row["body"])
        taken = self.db.value("SELECT count(*) FROM vouchers WHERE activity = ?", row["id"])
        return {
            "id": row["id"], "kdt_id": int(self.root), "title": row["title"], "status": 0, "send_stock_qty": row["stock"], "taken_qty": taken,
            "preferential_mode": 1, "value": body["off_fen"], "relative_valid_time_duration": body["valid_days"],
        }  # fmt: skip

    def _activity(self, identifier: int) -> Any:
        row = self.db.row("SELECT * FROM activities WHERE id = ?", identifier)
        if row is None:
            raise RefusalError(160510001, "活动不存在")
        return row

    @api("ump.voucheractivity.send", "3.0.1", write=True, group="coupons")
    def send(self, call: Call) -> object:
        """Give one person a coupon: every call gives one more."""
        activity = self._activity(call.params.integer("activity_id"))
        open_id = str(self.customer(call.params.text("yz_open_id"), code=160510002)["open_id"])
        if activity["stock"] <= 0:
            raise RefusalError(160510003, "优惠券库存不足")
        self.db.execute("UPDATE activities SET stock = stock - 1 WHERE id = ?", activity["id"])
        now = float(int(self.present()))
        count = self.db.value("SELECT count(*) FROM vouchers")
        coupon, code = self.number_of(f"sent {count}"), f"ZAN{self.number_of(f'code {count}')}"
        ends = now + json.loads(activity["body"])["valid_days"] * _DAY
        self.db.execute(
            "INSERT INTO vouchers VALUES (?, ?, ?, ?, ?, ?, ?, NULL, NULL)",
            coupon,
            activity["id"],
            open_id,
            code,
            _BY_API,
            now,
            ends,
        )
        self.notify(
            "COUPON_CUSTOMER_PROMOTION",
            str(coupon),
            {"id": str(coupon), "coupon_group_id": activity["id"]},
            status="TAKE",
        )
        row = self.db.row("SELECT * FROM vouchers WHERE coupon_id = ?", coupon)
        return {
            **self._voucher(dict(row or {})),
            "send_kdt_id": int(self.root),
            "sent_at": int(now * 1000),
            "status": 1,
        }

    def _voucher(self, row: Mapping[str, Any]) -> dict[str, Any]:
        return {
            "voucher_identity": {"coupon_id": row["coupon_id"], "coupon_type": 0}, "kdt_id": int(self.root), "activity_id": row["activity"],
            "user_identity": {"yz_open_id": row["open_id"], "has_bound_mobile": True}, "preferential_mode": 1, "verify_code": row["code"],
            "send_source": row["source"], "send_at": int(row["sent"] * 1000), "valid_start_time": int(row["sent"] * 1000),
            "valid_end_time": int(row["ends"] * 1000), "verified_at": int((row["used"] or 0) * 1000),
            "verified_in_order_nos": [row["used_tid"]] if row["used_tid"] else [],
        }  # fmt: skip

    @api("ump.voucher.query", "3.0.0", paged=True, group="coupons")
    def voucher_query(self, call: Call) -> object:
        """Return what a person holds; paging stands beside ``data``."""
        page, size = (
            call.params.integer("page_num", 1, least=1),
            call.params.integer("page_size", 20, least=1, most=200),
        )
        open_id = call.params.text("yz_open_id")
        rows = self.db.rows(
            "SELECT * FROM vouchers WHERE open_id = ? ORDER BY sent DESC, coupon_id LIMIT ? OFFSET ?",
            open_id,
            size,
            (page - 1) * size,
        )
        total = self.db.value("SELECT count(*) FROM vouchers WHERE open_id = ?", open_id)
        return TopLevel(total=total, page_num=page, page_size=size, data=[self._voucher(dict(row)) for row in rows])

    @api("ump.voucher.query.detail", "1.0.1", group="coupons")
    def voucher_detail(self, call: Call) -> object:
        """Return one coupon."""
        row = self.db.row("SELECT * FROM vouchers WHERE coupon_id = ?", call.params.integer("coupon_id"))
        if row is None:
            raise RefusalError(160510004, "优惠券不存在")
        status = 2 if row["used"] else 1
        return {**self._voucher(dict(row)), "status": status, "used_order_no": row["used_tid"] or ""}

    @api("ump.coupon.consume.fetchlogs.get", "3.0.2", paged=True, group="coupons")
    def fetch_logs(self, call: Call) -> object:
        """Return who took an activity's coupons."""
        params = call.params
        page, size = params.integer("page_no", least=1), params.integer("page_size", least=1, most=50)
        conditions = ["activity = ?"]
        values: list[float] = [params.integer("coupon_group_id")]
        begin, end = params.text("start_taked", ""), params.text("end_taked", "")
        if begin and end:
            conditions.append("sent BETWEEN ? AND ?")
            values += [self.read_time(begin, "start_taked"), self.read_time(end, "end_taked")]
        where = " AND ".join(conditions)
        rows = self.db.rows(
            f"SELECT * FROM vouchers WHERE {where} ORDER BY sent, coupon_id LIMIT ? OFFSET ?",
            *values,
            size,
            (page - 1) * size,
        )
        total = self.db.value(f"SELECT count(*) FROM vouchers WHERE {where}", *values)
        return {"total_results": total, "fetchlogs": [self._log(dict(row)) for row in rows]}

    def _log(self, row: Mapping[str, Any]) -> dict[str, Any]:
        return {
            "title": "", "mobile": "", "yz_open_id": row["open_id"], "is_used": row["used"] is not None, "used_at": self.text_time(row["used"]),
            "taked_at": self.text_time(row["sent"]), "created_at": self.text_time(row["sent"]), "used_in_order_no": row["used_tid"] or "",
            "sub_order_no": [], "promocard_id": row["coupon_id"], "promocode_id": None, "receive_source": row["source"],
            "send_kdt_id": int(self.root),
        }  # fmt: skip

    @action
    def use_voucher(self, params: Params) -> object:
        """A customer uses a coupon."""
        coupon, tid = params.integer("coupon_id"), params.text("tid", "")
        self.db.execute(
            "UPDATE vouchers SET used = ?, used_tid = ? WHERE coupon_id = ?", float(int(self.present())), tid, coupon
        )
        msg = {"id": str(coupon), "order_no": tid}
        return {"receivers": self.notify("COUPON_CUSTOMER_PROMOTION", str(coupon), msg, status="CONSUME")}
