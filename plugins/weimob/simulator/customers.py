"""Customers, cards and accounts of the simulated platform."""

from __future__ import annotations

import base64
import datetime as dt
import json
from collections.abc import Mapping
from typing import Any, Final

from hub.simulation.server import CHINA, Call, Params, RefusalError, action
from plugins.weimob.api import Api
from plugins.weimob.simulator.chain import Chain
from plugins.weimob.simulator.gateway import api

__all__ = ["Customers"]

_COLUMNS: Final = {"wid": "wid", "becomeCustomerTime": "created", "becomeMemberTime": "created"}
_TIMES: Final = frozenset({"becomeCustomerTime", "becomeMemberTime"})
_SHOWN: Final = frozenset({*_COLUMNS, "phone", "name", "nickName"})
_SIZES: Final = (10, 20, 50, 100)
_FIELDS: Final = frozenset({"rfm_code", "r_score", "net_value", "pet"})


class Customers(Chain):
    """Capabilities about customers."""

    field_keys: frozenset[str] = _FIELDS
    """Custom fields (自定义资料项) that the shop has defined."""

    def customer(self, wid: int) -> Any:
        """Return an active customer's row; None for others."""
        return self.db.row("SELECT * FROM customers WHERE wid = ? AND status = 'active'", wid)

    # ---- finding -----------------------------------------------------------------------------------------------------

    @api(Api.USER_SEARCH, paged=True)
    def user_search(self, call: Call) -> object:
        """Search users: the result is JSON inside a text, and a search goes ten thousand rows deep."""
        fields = call.params.array("fields")
        page, size = call.params.integer("pageNum", least=1), call.params.integer("pageSize")
        if size not in _SIZES:
            raise RefusalError("20011", "pageSize只支持10,20,50,100")
        if page * size > self.search_most:
            raise RefusalError("20012", f"最多查询{self.search_most}条数据")
        where, values = self._search_filter(
            [*fields, *(entry["field"] for entry in call.params.array("query", []))], call.params
        )
        rows = self.db.rows(
            f"SELECT * FROM customers WHERE {where} ORDER BY created DESC, wid LIMIT ? OFFSET ?",
            *values,
            size,
            (page - 1) * size,
        )
        found = [{name: self._column(name, row) for name in fields} for row in rows]
        answer: dict[str, Any] = {"result": json.dumps(found, ensure_ascii=False)}
        if page == 1 and call.params.integer("isReturnPageResult") == 1:
            answer["totalSize"] = self.db.value(f"SELECT count(*) FROM customers WHERE {where}", *values)
        return answer

    def _search_filter(self, names: list[str], params: Params) -> tuple[str, list[int]]:
        known = _SHOWN if self.search_by_time else _SHOWN - _TIMES
        for name in names:
            if name not in known:
                raise RefusalError("20013", f"字段{name}不支持查询")
        conditions, values = ["status = 'active'"], []
        for entry in params.array("query", []):
            low, _, high = str(entry["value"]).strip("[]").partition(",")
            column = _COLUMNS.get(entry["field"])
            if column is None:
                raise RefusalError("20013", f"字段{entry['field']}不支持查询")
            conditions.append(f"{column} BETWEEN ? AND ?")
            values += [int(low or 0), int(high or 2**62)]
        return " AND ".join(conditions), values

    def _column(self, name: str, row: Any) -> object:
        body = json.loads(row["body"])
        plain = {"phone": self.phone(body["phone"]), "name": body["name"], "nickName": body["nickname"]}
        return row[_COLUMNS[name]] if name in _COLUMNS else plain[name]

    def phone(self, number: str | None) -> str | None:
        """Return a phone number as the application sees it."""
        if not number:
            return number
        if self.encrypted:
            return base64.b64encode(f"{number}/{self.seed}".encode()).decode()
        return f"{number[:3]}****{number[-4:]}" if self.masked else number

    @api(Api.SUPER_WID)
    def super_wid(self, call: Call) -> object:
        """Return the number a wid goes by after merges; null if nobody has it."""
        wid = call.params.integer("wid")
        row = self.db.row("SELECT * FROM customers WHERE wid = ?", wid)
        while row is not None and row["into_wid"]:
            row = self.db.row("SELECT * FROM customers WHERE wid = ?", row["into_wid"])
        if row is None or row["status"] != "active":
            return None
        return {"bosId": call.params.integer("bosId"), "superWid": row["wid"]}

    @api(Api.CHANNELS)
    def channels(self, call: Call) -> object:
        """List the channel identities of a customer; pages begin at 0."""
        params = call.params
        wid, wanted = params.integer("wid"), [int(each) for each in params.array("channelTypeList")]
        params.text("appId"), params.integer("queryType"), params.integer("pageSize", most=100)
        row = self.customer(wid)
        if row is None:
            raise RefusalError("20404", "用户不存在")
        body, found = json.loads(row["body"]), []
        for channel, key, app in ((1, "openid", "wx0000000000000001"), (2, "unionid", "default")):
            if channel in wanted and body.get(key):
                found.append({"channelType": channel, "appId": app, "openId": body[key], "basicChannelInfo": None})
        return {"superWid": wid, "userChannelInfoDtoList": found if params.integer("pageNum") == 0 else []}

    # ---- details -----------------------------------------------------------------------------------------------------

    @api(Api.CUSTOMERS)
    def customer_list(self, call: Call) -> object:
        """Return up to twenty customers; unknown wids are left out."""
        call.params.array("resultType")
        found = []
        for wid in call.params.array("widList", most=20):
            row = self.customer(int(wid))
            if row is not None:
                found.append(self._base(row, json.loads(row["body"])))
        return {"userBaseInfoList": found}

    def _base(self, row: Any, body: Mapping[str, Any]) -> dict[str, Any]:
        level = row["set_level"] or self.level_of(body["level_code"])
        extends = [
            {"key": key, "value": value, "groupNum": 0, "fieldId": number}
            for number, (key, value) in enumerate(sorted(json.loads(row["fields"]).items()), 80)
        ]
        return {
            "wid": row["wid"], "name": body["name"], "nickname": body["nickname"], "avatarUrl": "", "phone": self.phone(body["phone"]),
            "email": body["email"], "birthday": _birthday(body["birthday"]), "gender": body["gender"] or 0, "status": 1, "sourceChannel": [1],
            "isFans": bool(body["openid"]), "isCustomer": True, "hasValidMemberCard": True, "becomeCustomerTime": row["created"],
            "becomeMemberTime": row["created"], "belongVid": self.vid_of(body["home_shop_id"]) if body["home_shop_id"] else 0,
            "belongVidBindTime": row["created"],
            "memberIdentifyInfoList": [{"membershipPlanId": int(self.credentials["membership_plan_id"]), "membershipType": 1, "levelId": level}],
            "extendInfoList": extends,
        }  # fmt: skip

    @api(Api.CUSTOMER_UPDATE, write=True)
    def customer_update(self, call: Call) -> object:
        """Set custom fields that exist."""
        call.params.integer("vid")
        row = self.customer(call.params.integer("wid"))
        if row is None:
            raise RefusalError("20404", "客户不存在")
        fields = dict(call.params.mapping("extMap", Params({})))
        if len(fields) > 25:
            raise RefusalError("20425", "extMap最多25个")
        unknown = sorted(fields.keys() - self.field_keys)
        if unknown:
            raise RefusalError("20426", f"自定义资料项{unknown[0]}不存在")
        whole = {**json.loads(row["fields"]), **fields}
        self.db.execute("UPDATE customers SET fields = ?, updated = ? WHERE wid = ?", whole, self.present(), row["wid"])
        return {"result": True}

    # ---- cards -------------------------------------------------------------------------------------------------------

    @api(Api.CARDS)
    def cards(self, call: Call) -> object:
        """Return a customer's cards: ``data`` is an array, growth is a text."""
        if not {1, 2} & set(call.params.array("queryType", [1, 2, 3, 4, 5])):
            raise RefusalError("20501", "queryType必须包含1或2")
        row = self.customer(call.params.integer("wid"))
        if row is None:
            return []
        body, plan = json.loads(row["body"]), int(self.credentials["membership_plan_id"])
        level = row["set_level"] or self.level_of(body["level_code"])
        name = self.db.value("SELECT name FROM levels WHERE level_id = ?", level)
        return [{
            "customCardNo": str(self.number_of(f"card {row['wid']}", 16)), "membershipPlanId": plan, "name": "样板会员卡", "cardType": 1,
            "levelId": level, "levelName": name, "growthValue": str(self.growth_of(row)), "status": 1,
            "obtainTime": self.text_time(row["created"]), "effectiveTime": row["created"], "expireTime": 0, "vid": self.root_vid,
            "wid": row["wid"], "membershipCardChannel": 1,
        }]  # fmt: skip

    def growth_of(self, row: Any) -> int:
        """Return a customer's growth: what was spent, and what was booked."""
        return int(json.loads(row["body"])["spent_fen"] // 100) + self.booked("growth", row["wid"])

    def booked(self, account: str, wid: int) -> int:
        """Return the sum of what the hub booked on an account."""
        return int(
            self.db.value("SELECT coalesce(sum(change), 0) FROM ledger WHERE account = ? AND wid = ?", account, wid)
        )

    @api(Api.CARD_PLANS)
    def card_plans(self, call: Call) -> object:
        """Return the card plans: ``data`` is an array."""
        call.params.array("queryType")
        levels = [
            {"levelId": row["level_id"], "levelName": row["name"], "sort": row["rank"]}
            for row in self.db.rows("SELECT * FROM levels ORDER BY rank")
        ]
        plan = int(self.credentials["membership_plan_id"])
        return [
            {
                "bosId": int(call.caller.account),
                "membershipPlanId": plan,
                "name": "样板会员卡",
                "cardType": 1,
                "status": 1,
                "levelInfos": levels,
            }
        ]

    @api(Api.CARD_UPDATE, write=True)
    def card_update(self, call: Call) -> object:
        """Set a card's level."""
        params = call.params
        row, level = self.customer(params.integer("wid")), params.integer("levelId")
        params.text("operatorName"), params.integer("operatorWid"), params.text("reason")
        if (
            params.integer("updateType") != 3
            or params.text("membershipPlanId") != self.credentials["membership_plan_id"]
        ):
            raise RefusalError("20502", "会员卡方案不存在")
        if row is None or not self.db.value("SELECT 1 FROM levels WHERE level_id = ?", level):
            raise RefusalError("20503", "客户或等级不存在")
        self.db.execute(
            "UPDATE customers SET set_level = ?, updated = ? WHERE wid = ?", level, self.present(), row["wid"]
        )
        return {"status": True}

    # ---- what happens in the shop ------------------------------------------------------------------------------------

    @action
    def copy_members(self, params: Params) -> object:
        """Make a large shop: many customers in the likeness of the shop's own, who came evenly spread over a time.

        Parameters: ``count``, ``start`` and ``end`` (Unix seconds), ``first`` (a number that keeps several lots apart).
        """
        count, first = params.integer("count", least=1), params.integer("first", 0)
        begin, end = int(params.number("start") * 1000), int(params.number("end") * 1000)
        bodies = [
            row["body"]
            for row in self.db.rows("SELECT body FROM customers WHERE status = 'active' ORDER BY wid LIMIT 100")
        ]
        models = [
            {**json.loads(body), "phone": None, "unionid": None, "openid": None, "card_no": None} for body in bodies
        ]
        self.db.load(
            "INSERT INTO customers (wid, created, updated, status, body) VALUES (?, ?, ?, 'active', ?)",
            (
                (
                    5_000_000_000_000_000_001 + first + n,
                    at := begin + (end - begin) * n // count,
                    at,
                    models[n % len(models)],
                )
                for n in range(count)
            ),
        )
        return {"first": 5_000_000_000_000_000_001 + first, "count": count}


def _birthday(text: str | None) -> int | None:
    """Return the day as the platform keeps it: milliseconds; one without year cannot be kept."""
    if not text or not text[:4].isdecimal():
        return None
    day = dt.datetime.fromisoformat(text).replace(tzinfo=CHINA)
    return int((day - dt.datetime(1970, 1, 1, tzinfo=dt.UTC)).total_seconds() * 1000)
