"""Interfaces of members and their accounts."""
# ruff: noqa: ARG002 - every interface takes the call

from __future__ import annotations

import json
from collections.abc import Sequence
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from hub.simulation.server import Call, Params, RefusalError, Trouble, TroubleError, action
from plugins.pos.pospal.simulator.filling import Filling
from plugins.pos.pospal.simulator.gateway import api
from plugins.pos.pospal.simulator.tickets import time_param

__all__ = ["Accounts"]

_KIND: Final = "LAST_RESULT_MAX_ID"
_FIELDS: Final = frozenset(
    ("name", "phone", "birthday", "qq", "email", "address", "discount", "onAccount", "expiryDate", "extInfo")
)
_MONTH: Final = 31


class Accounts(Filling):
    """Members (会员), levels, points, stored value."""

    def _visible(self, call: Call) -> Sequence[str]:
        """The shops whose members a key shows."""
        shop = self.shop_of(call)
        group = self.group_of(shop)
        return [each for each in self.shop_ids if each == shop or (group and self.group_of(each) == group)]

    @api("customerOpenApi/queryCustomerPages", paged=True)
    def query_customer_pages(self, call: Call) -> object:
        """Give all members the key shows, the deleted ones too."""
        shops = self._visible(call)
        rows = self.db.rows(
            f"SELECT * FROM members WHERE shop IN ({', '.join('?' * len(shops))}) AND id > ? ORDER BY id LIMIT ?",
            *shops, self.position(call, _KIND), self.page_size,
        )  # fmt: skip
        return self.page([_shown(row) for row in rows], rows[-1]["id"] if rows else 0)

    @api("customerOpenApi/queryByUid")
    def query_by_uid(self, call: Call) -> object:
        """Give one member."""
        return _shown(self._member(call, call.params.text("customerUid")))

    def _member(self, call: Call, uid: str) -> Any:
        row = self.db.row("SELECT * FROM members WHERE uid = ?", uid)
        if row is None or row["shop"] not in self._visible(call):
            raise RefusalError(1050, "指定会员不存在")
        return row

    @api("customerOpenApi/queryAllCustomerCategory")
    def query_all_customer_category(self, call: Call) -> object:
        """Give the levels."""
        rows = self.db.rows("SELECT name FROM levels ORDER BY rank")
        return [{"uid": self.number_of(f"level {row['name']}"), "name": row["name"], "discount": 100} for row in rows]

    @api("customerOpenApi/updateBaseInfo", write=True)
    def update_base_info(self, call: Call) -> object:
        """Change base data; a blank field stays as it is."""
        info = Params(call.params.mapping("customerInfo"))
        row = self._member(call, info.text("customerUid"))
        given = {key: value for key, value in info.items() if value not in (None, "")}
        changed = json.loads(row["changed"]) | {key: value for key, value in given.items() if key in _FIELDS}
        level = given.get("categoryName", row["level"])
        if self.db.value("SELECT 1 FROM levels WHERE name = ?", level) is None and "categoryName" in given:
            raise RefusalError(1051, "会员分类不存在")
        self.db.execute(
            "UPDATE members SET changed = ?, level = ?, remarks = ? WHERE uid = ?",
            changed, level, given.get("remarks", row["remarks"]), row["uid"],
        )  # fmt: skip
        return None

    @api("customerOpenApi/updateBalancePointByIncrement", write=True)
    def update_balance_point(self, call: Call) -> object:
        """Add to points and balance; nothing tells a repeat from a second change."""
        row = self._member(call, call.params.text("customerUid"))
        points, fen = (_hundredths(call, name) for name in ("pointIncrement", "balanceIncrement"))
        time_param(call, "dataChangeTime")
        point, balance = _point(row) + points, _balance(row) + fen
        if call.params.integer("validatePoint", 0) and point < 0:
            raise RefusalError(1052, "会员积分不足")
        if call.params.integer("validateBalance", 0) and balance < 0:
            raise RefusalError(1053, "会员余额不足")
        self.db.execute(
            "UPDATE members SET added_points = added_points + ?, added_fen = added_fen + ? WHERE uid = ?",
            points, fen, row["uid"],
        )  # fmt: skip
        at = call.params.text("dataChangeTime")
        self.db.execute(
            "INSERT INTO increments (customer, points, fen, at) VALUES (?, ?, ?, ?)", row["uid"], points, fen, at
        )
        return {
            "customerUid": int(row["uid"]), "balanceBeforeUpdate": _balance(row) / 100, "balanceAfterUpdate": balance / 100,
            "pointBeforeUpdate": _point(row) / 100, "pointAfterUpdate": point / 100, "updateDateTime": at,
        }  # fmt: skip

    @api("customerOpenApi/queryAllRechargeLogs", paged=True)
    def query_all_recharge_logs(self, call: Call) -> object:
        """Give the top-ups: the start is left out, the end taken in, 31 days at most."""
        start, end = time_param(call, "stateDate"), time_param(call, "endDate")
        if (end - start).days > _MONTH or end < start:
            raise RefusalError(1040, "查询的时间范围不能超过31天")
        rows = self.db.rows(
            "SELECT * FROM recharges WHERE shop = ? AND id > ? AND at > ? AND at <= ? ORDER BY id LIMIT ?",
            self.shop_of(call), self.position(call, _KIND), start.isoformat(" "), end.isoformat(" "), self.page_size,
        )  # fmt: skip
        return self.page([json.loads(row["body"]) for row in rows], rows[-1]["id"] if rows else 0)

    # ---- what happens at a till --------------------------------------------------------------------------------------

    @action
    def join(self, params: Params) -> object:
        """A member is made: ``shop`` and ``member`` with the platform's field names."""
        given = dict(params.mapping("member"))
        uid = str(given.pop("customerUid"))
        self.db.execute(
            "INSERT INTO members (uid, shop, point_fen, balance_fen, enable, level, remarks, body)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            uid, params.text("shop"), round(float(given.pop("point", 0)) * 100), round(float(given.pop("balance", 0)) * 100),
            int(given.pop("enable", 1)), str(given.pop("categoryName", "")), str(given.pop("remarks", "")), given,
        )  # fmt: skip
        self.tell("customer.new", params.text("shop"), {"customerUid": int(uid)})
        return {}

    @action
    def delete_member(self, params: Params) -> object:
        """A member is deleted: it stays in the list with ``enable`` −1."""
        return {"deleted": self.db.execute("UPDATE members SET enable = -1 WHERE uid = ?", params.text("uid"))}

    @action
    def top_up(self, params: Params) -> object:
        """A member tops up: ``shop`` and ``recharge`` with the platform's field names."""
        self.put_recharge(params.text("shop"), params.mapping("recharge"))
        return {}


def _point(row: Any) -> int:
    return int(row["point_fen"] + row["added_points"])


def _balance(row: Any) -> int:
    return int(row["balance_fen"] + row["added_fen"])


def _shown(row: Any) -> dict[str, Any]:
    body = json.loads(row["body"])
    changed = json.loads(row["changed"])
    details = {**(body.get("extInfo") or {}), **(changed.pop("extInfo", None) or {})}
    return {
        "customerUid": int(row["uid"]),
        **body,
        **changed,
        "categoryName": row["level"],
        "point": _point(row) / 100,
        "balance": _balance(row) / 100,
        "enable": row["enable"],
        "remarks": row["remarks"],
        "extInfo": details,
    }


def _hundredths(call: Call, name: str) -> int:
    try:
        return int(Decimal(call.params.text(name, "0")) * 100)
    except InvalidOperation:
        raise TroubleError(Trouble.PARAMETER_INVALID, "must be a number", field=name) from None
