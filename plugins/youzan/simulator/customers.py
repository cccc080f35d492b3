"""Customers of the simulated platform, and their attributes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from hub.simulation.server import Call, Params, RefusalError, action
from plugins.youzan.simulator.filling import Filling
from plugins.youzan.simulator.gateway import api

__all__ = ["Customers"]

_LIST_DEPTH: Final = 10_000
_CHANNELS: Final = {
    "miniprogram": (102, "小程序"),
    "h5": (600, "浏览器"),
    "wecom": (1900, "企微"),
    "store_scan": (1000, "线下门店"),
}
_FAMILY_B: Final = {"YzOpenId": "open_id", "Mobile": "mobile"}
_FAMILY_A: Final = {5: "open_id", 2: "mobile"}
_SHOWN: Final = "status = 'active'"


class Customers(Filling):
    """Methods about customers."""

    attribute_names: frozenset[str] = frozenset({"RFM", "R分", "F分", "M分", "累计净消费", "客户分层"})
    """Custom fields (自定义资料项) that the shop has defined in its console."""

    # ---- who is meant ------------------------------------------------------------------------------------------------

    def customer(self, open_id: str, *, code: int = 141001107) -> dict[str, Any]:
        """Return a customer's row, or refuse."""
        row = self.db.row("SELECT * FROM customers WHERE open_id = ?", open_id)
        if row is None:
            raise RefusalError(code, "客户不存在")
        if row["status"] != "active":
            raise RefusalError(144100001 if code == 141001107 else code, "客户不存在或已注销")
        return dict(row)

    def user(self, params: Params, *, code: int) -> str:
        """Return the customer that family A of account types means: 5 yz_open_id, 2 mobile."""
        kind = _FAMILY_A.get(params.integer("account_type"))
        return self._known(kind, params.text("account_id"), code)

    def account(self, params: Params, *, code: int) -> str:
        """Return the customer that family B of account types means: YzOpenId, Mobile."""
        kind = _FAMILY_B.get(params.text("account_type", ""))
        return self._known(kind, params.text("account_id"), code)

    def _known(self, kind: str | None, value: str, code: int) -> str:
        if kind is None:
            raise RefusalError(141500101, "账号类型不支持")
        if kind == "mobile":
            value = str(
                self.db.value(
                    f"SELECT open_id FROM customers WHERE json_extract(body, '$.phone') = ? AND {_SHOWN}", value
                )
                or ""
            )
        return str(self.customer(value, code=code)["open_id"])

    # ---- lists -------------------------------------------------------------------------------------------------------

    @api("scrm.customer.list", "1.0.0", paged=True, group="customers")
    def customer_list(self, call: Call) -> object:
        """Search customers, newest first; ten thousand at most."""
        params = call.params
        number, size = (
            params.integer("page_no", 1, least=1, most=500),
            params.integer("page_size", 20, least=1, most=50),
        )
        if number * size > _LIST_DEPTH:
            raise RefusalError(142710032, "超过列表获取总数")
        where, values = self._made_within(params)
        tags = params.array("tag_ids", [], encoded=True)
        if tags:
            marks = ", ".join("?" * len(tags))
            where += f" AND open_id IN (SELECT open_id FROM customer_tags WHERE tag IN ({marks}))"
            values += [int(tag) for tag in tags]
        total = self.db.value(f"SELECT count(*) FROM customers WHERE {where}", *values)
        rows = self.db.rows(
            f"SELECT * FROM customers WHERE {where} ORDER BY created DESC, open_id LIMIT ? OFFSET ?",
            *values,
            size,
            (number - 1) * size,
        )
        records = [self._listed(call, dict(row)) for row in rows]
        return {"total": total, "page_no": number, "record_list": records}

    def _made_within(self, params: Params) -> tuple[str, list[Any]]:
        conditions, values = [_SHOWN], []
        begin, end = params.integer("created_at_start", None), params.integer("created_at_end", None)
        if begin is not None and end is not None:
            conditions.append("created BETWEEN ? AND ?")
            values = [self.list_time(begin), self.list_time(end)]
        return " AND ".join(conditions), values

    def list_time(self, value: int) -> float:
        """Read a time of customer.list: by its number of digits, unless the platform knows one unit only."""
        return self.read_epoch(value)

    def _listed(self, call: Call, row: Mapping[str, Any]) -> dict[str, Any]:
        body = json.loads(row["body"])
        phone = body["phone"] or ""
        return {
            "yz_open_id": row["open_id"], "name": self.hide(body["name"], call.caller.account), "show_name": body["nickname"] or "匿名用户",
            "mobile": self.hide(phone, call.caller.account), "gender": body["gender"], "is_member": 1, "points": self.points_of(row["open_id"]),
            "trade_count": body["orders"], "created_at": int(row["created"]), "created_member_at": int(row["created"]),
            "is_mobile_enable": bool(body["phone_verified"]),
        }  # fmt: skip

    @api("scrm.customer.search.customerlist", "1.0.0", paged=True, group="customers")
    def customer_scan(self, call: Call) -> object:
        """Scan all customers by cursor."""
        params = call.params
        size = params.integer("page_size", 20, least=1, most=300)
        conditions = [_SHOWN, "rowid > ?"]
        values: list[float] = [params.integer("index_id", 0)]
        for column, stem in (("created", "created_at"), ("updated", "updated_at")):
            begin, end = params.integer(f"{stem}_start", None), params.integer(f"{stem}_end", None)
            if begin is not None and end is not None:
                conditions.append(f"{column} BETWEEN ? AND ?")
                values += [begin / 1000, end / 1000]
        where = " AND ".join(conditions)
        rows = self.db.rows(f"SELECT rowid, * FROM customers WHERE {where} ORDER BY rowid LIMIT ?", *values, size)
        found = [
            {**self._listed(call, dict(row)), "is_member": True, "created_at": int(row["created"] * 1000)}
            for row in rows
        ]
        return {"total": len(found), "index_id": str(rows[-1]["rowid"]) if rows else "", "customer_list": found}

    # ---- one customer ------------------------------------------------------------------------------------------------

    @api("scrm.customer.detail.get", "1.0.1", group="customers")
    def customer_detail(self, call: Call) -> object:
        """Return the chosen blocks of one customer."""
        params = call.params
        open_id = params.text("yz_open_id", "")
        if not open_id:
            open_id = self.user(params.mapping("account_info", encoded=True), code=141001107)
        row = self.customer(open_id)
        wanted = params.text("fields", "user_base").split(",")
        blocks = {
            "user_base": self._base, "tags": self._tags, "benefit_cards": self._cards, "level": self._level, "benefit_level": self._level,
            "credit": self._credit, "behavior": self._behaviour, "prepaid": self._balance, "auth_info": self._auth,
        }  # fmt: skip
        answer: dict[str, Any] = {"yz_open_id": open_id}
        for block in wanted:
            if block.strip() in blocks:
                answer |= blocks[block.strip()](call, row, json.loads(row["body"]))
        return answer

    def _base(self, call: Call, row: Mapping[str, Any], body: Mapping[str, Any]) -> dict[str, Any]:
        shop = call.caller.account
        channel = _CHANNELS.get(body["source"], (0, "其他"))
        attributes = self.db.rows("SELECT name, value FROM attributes WHERE open_id = ? ORDER BY name", row["open_id"])
        return {
            "name": self.hide(body["name"], shop), "show_name": self.hide(body["nickname"], shop), "mobile": self.hide(body["phone"], shop),
            "mobile_country_code": "+86", "gender": body["gender"], "birthday": body["birthday"] or "", "remark": "",
            "latest_nickname": self.hide(body["nickname"], shop), "created_at": int(row["created"] * 1000),
            "updated_at": int(row["updated"] * 1000), "member_created_at": int(row["created"] * 1000),
            "province_name": body["province"] or "", "city_name": body["city"] or "", "county_name": body["district"] or "",
            "ascription_kdt_id": self.node_of(body["home_shop_id"]) if body["home_shop_id"] else 0,
            "customer_attrInfos": [{"name": each["name"], "value": each["value"]} for each in attributes],
            "source_channel": channel[0], "source_channel_desc": channel[1], "outer_card_no": body["card_no"] or "",
        }  # fmt: skip

    def _tags(self, call: Call, row: Mapping[str, Any], body: Mapping[str, Any]) -> dict[str, Any]:  # noqa: ARG002
        tags = self.db.rows(
            "SELECT t.id, t.name FROM customer_tags AS c JOIN tags AS t ON t.id = c.tag WHERE c.open_id = ? ORDER BY t.id",
            row["open_id"],
        )
        return {
            "tag_ids": [tag["id"] for tag in tags],
            "tags": [{"id": tag["id"], "name": tag["name"]} for tag in tags],
        }

    def _cards(self, call: Call, row: Mapping[str, Any], body: Mapping[str, Any]) -> dict[str, Any]:  # noqa: ARG002
        cards = self.db.rows("SELECT * FROM customer_cards WHERE open_id = ? AND state = 1", row["open_id"])
        return {
            "cards": [
                {"id": card["card_no"], "name": card["alias"], "level": 1, "begin_at": int(card["begins"] * 1000), "end_at": int(card["ends"] * 1000)}
                for card in cards
            ]
        }  # fmt: skip

    def _level(self, call: Call, row: Mapping[str, Any], body: Mapping[str, Any]) -> dict[str, Any]:  # noqa: ARG002
        level = self.level_of(row, body)
        if level is None:
            return {"level": "", "level_infos": []}
        info = {
            "level_type": 1,
            "level_value": level["rank"],
            "level_alias": level["alias"],
            "level_name": level["name"],
        }
        return {"level": f"V{level['rank']}", "level_infos": [info]}

    def level_of(self, row: Mapping[str, Any], body: Mapping[str, Any]) -> Any:
        """Return the customer's level: the one that was set, else the one earned."""
        if row["set_level"]:
            return self.db.row("SELECT * FROM levels WHERE alias = ?", row["set_level"])
        return self.db.row("SELECT * FROM levels WHERE code = ?", body["level_code"])

    def points_of(self, open_id: str) -> int:
        """Return a customer's points: what the world says, and what was booked through the API."""
        booked = self.db.value(
            "SELECT coalesce(sum(change), 0) FROM points_log WHERE open_id = ? AND entry LIKE 'hub-%'", open_id
        )
        return int(self.db.value("SELECT points FROM customers WHERE open_id = ?", open_id) or 0) + int(booked)

    def _credit(self, call: Call, row: Mapping[str, Any], body: Mapping[str, Any]) -> dict[str, Any]:  # noqa: ARG002
        return {"points": self.points_of(row["open_id"]), "total_consumer_points": 0}

    def _behaviour(self, call: Call, row: Mapping[str, Any], body: Mapping[str, Any]) -> dict[str, Any]:  # noqa: ARG002
        last = body["last_order_at"]
        return {
            "trade_count": body["orders"], "total_trade_amount": body["spent_fen"], "last_trade_at": int(last * 1000) if last else 0,
            "refund_count": 0,
        }  # fmt: skip

    def _balance(self, call: Call, row: Mapping[str, Any], body: Mapping[str, Any]) -> dict[str, Any]:  # noqa: ARG002
        return {"prepaid_balance": body["balance_fen"]}

    def _auth(self, call: Call, row: Mapping[str, Any], body: Mapping[str, Any]) -> dict[str, Any]:  # noqa: ARG002
        return {"auth_info": {"is_mobile_auth": bool(body["phone_verified"])}}

    @api("users.info.query", "1.0.1", group="users")
    def users_info_query(self, call: Call) -> object:
        """Return a person's WeChat identities."""
        if not isinstance(call.params.array("result_type_list", [0], encoded=True), list):
            raise RefusalError(141500101, "result_type_list 参数错误")
        row = self.customer(call.params.text("yz_open_id"))
        body = json.loads(row["body"])
        shop = call.caller.account
        primitive = {
            "yz_open_id": row["open_id"],
            "platform_type": 2,
            "nick_name": self.hide(body["nickname"], shop),
            "gender": body["gender"],
        }
        user = {
            "primitive_info": primitive,
            "mobile_info": {"countryCode": "+86", "mobile": self.hide(body["phone"], shop)},
            "platform_info": {"weixin_open_id": body["openid"] or ""},
            "wechat_info": {"wechat_type": 2, "is_fans": False, "union_id": body["unionid"] or ""},
        }
        return {"user_list": [user] if body["openid"] or body["unionid"] else []}

    @api("guide.relation.query.userId", "2.0.0", group="guides")
    def guide_of(self, call: Call) -> object:
        """Return the customer's belonging guide."""
        body = json.loads(self.customer(call.params.text("yz_open_id"))["body"])
        return {"staff_no": body["guide_id"]} if body["guide_id"] else {}

    @api("scrm.customerinfo.update", "1.0.0", write=True, group="crm")
    def customerinfo_update(self, call: Call) -> object:
        """Change a customer's data and attributes; an attribute must exist."""
        open_id = self.account(call.params.mapping("account", encoded=True), code=141502108)
        info = call.params.mapping("customer_info", encoded=True)
        gender = info.integer("gender", least=0, most=2)
        values = info.array("attribute_value_list", [])
        for each in values:
            if each.get("name") not in self.attribute_names:
                raise RefusalError(141502130, "资料项不存在")
            self.db.execute(
                "INSERT OR REPLACE INTO attributes VALUES (?, ?, ?)",
                open_id,
                each["name"],
                str(each.get("value") or ""),
            )
        self.db.execute("UPDATE customers SET body = json_set(body, '$.gender', ?) WHERE open_id = ?", gender, open_id)
        return True

    # ---- what people do ----------------------------------------------------------------------------------------------

    @action
    def log_off(self, params: Params) -> object:
        """A customer cancels the membership (注销)."""
        open_id = params.text("open_id")
        row = self.customer(open_id)
        self.db.execute(
            "UPDATE customers SET status = 'closed', updated = ? WHERE open_id = ?", self.present(), open_id
        )
        self.tell_customer({**json.loads(row["body"]), "status": "closed"})
        return {}

    @action
    def merge(self, params: Params) -> object:
        """Two accounts become one."""
        gone, stays = params.text("open_id"), params.text("into")
        row = self.customer(gone)
        self.db.execute("UPDATE customers SET status = 'merged', updated = ? WHERE open_id = ?", self.present(), gone)
        self.tell_customer({**json.loads(row["body"]), "status": "merged", "merged_into": stays})
        return {}
