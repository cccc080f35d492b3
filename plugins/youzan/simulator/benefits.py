"""Levels, benefit cards and points of the simulated platform."""

from __future__ import annotations

import json
from typing import Any, Final

from hub.simulation.server import Call, Params, RefusalError
from plugins.youzan.simulator.customers import Customers
from plugins.youzan.simulator.gateway import api

__all__ = ["Benefits"]

_MONTH: Final = 31 * 86_400.0
_YEAR: Final = 366 * 86_400.0
_REPEAT_MEMORY: Final = 92 * 86_400.0
_MISSING: Final = 141503101


class Benefits(Customers):
    """Methods about levels, cards and points."""

    card_aliases: frozenset[str] = frozenset({"Y9benefitcard1"})
    """Benefit cards (权益卡) that the shop has defined."""

    # ---- levels ------------------------------------------------------------------------------------------------------

    @api("scrm.level.list", "3.0.0", group="levels")
    def level_list(self, call: Call) -> object:
        """List the free or the paid levels."""
        if call.params.integer("level_type", 1) != 1:
            return {"level_details": []}
        rows = self.db.rows("SELECT * FROM levels ORDER BY rank")
        return {"level_details": [
            {"level_alias": row["alias"], "level_id": row["rank"], "name": row["name"], "level_type": 1, "level_value": row["rank"],
             "is_enabled": True, "min_growth": row["min_growth"]}
            for row in rows
        ]}  # fmt: skip

    @api("scrm.level.get.userlevel", "1.0.0", group="levels")
    def user_level(self, call: Call) -> object:
        """Return a customer's level."""
        row = self.customer(self.user(call.params.mapping("user", encoded=True), code=_MISSING))
        level = self.level_of(row, json.loads(row["body"]))
        return (
            {"level_alias": level["alias"], "level_name": level["name"], "status": 1, "level_value": level["rank"]}
            if level
            else {}
        )

    @api("scrm.customer.level.set", "4.0.0", write=True, group="levels")
    def level_set(self, call: Call) -> object:
        """Set a customer's free level."""
        params = call.params.mapping("params", encoded=True)
        open_id = self.user(params.mapping("user", encoded=True), code=_MISSING)
        alias = params.text("level_alias")
        if not self.db.value("SELECT 1 FROM levels WHERE alias = ?", alias):
            raise RefusalError(141505101, "等级不存在")
        self.db.execute(
            "UPDATE customers SET set_level = ?, updated = ? WHERE open_id = ?", alias, self.present(), open_id
        )
        return {"is_success": True}

    # ---- benefit cards -----------------------------------------------------------------------------------------------

    @api("scrm.customer.card.grant", "4.0.0", write=True, group="cards")
    def card_grant(self, call: Call) -> object:
        """Give a customer a card."""
        params = call.params.mapping("params", encoded=True)
        open_id = self.user(params.mapping("user", encoded=True), code=_MISSING)
        alias = params.text("card_alias")
        if alias not in self.card_aliases:
            raise RefusalError(142001001, "权益卡不存在")
        number = str(self.number_of(f"card {open_id} {self.db.value('SELECT count(*) FROM customer_cards')}", 16))
        self.db.execute(
            "INSERT INTO customer_cards VALUES (?, ?, ?, ?, ?, 1)", number, open_id, alias,
            params.integer("term_start_at", int(self.present() * 1000)) / 1000, params.integer("term_end_at", 0) / 1000,
        )  # fmt: skip
        self.notify("SCRM_CUSTOMER_CARD", open_id, {"card_alias": alias, "card_no": number, "yz_open_id": open_id})
        return {"is_success": True, "card_no": number, "validate_url": ""}

    @api("scrm.customer.card.list", "4.0.0", group="cards")
    def card_list(self, call: Call) -> object:
        """Return a customer's cards."""
        params = call.params.mapping("params", encoded=True)
        open_id = self.user(params.mapping("user", encoded=True), code=_MISSING)
        page = params.integer("page_no", 1, least=1)
        rows = self.db.rows(
            "SELECT * FROM customer_cards WHERE open_id = ? ORDER BY card_no LIMIT 20 OFFSET ?",
            open_id,
            (page - 1) * 20,
        )
        return {"items": [
            {"card_alias": row["alias"], "card_no": row["card_no"], "card_state": row["state"], "card_start_time": int(row["begins"] * 1000),
             "card_end_time": int(row["ends"] * 1000)}
            for row in rows
        ]}  # fmt: skip

    @api("scrm.customer.card.delete", "4.0.0", write=True, group="cards")
    def card_delete(self, call: Call) -> object:
        """Take a card back."""
        params = call.params.mapping("params", encoded=True)
        open_id = self.user(params.mapping("user", encoded=True), code=_MISSING)
        changed = self.db.execute(
            "UPDATE customer_cards SET state = 5 WHERE open_id = ? AND ? IN (card_no, alias) AND state = 1",
            open_id, params.text("card_no", "") or params.text("card_alias", ""),
        )  # fmt: skip
        if not changed:
            raise RefusalError(142001002, "客户没有该权益卡")
        return {"is_success": True}

    # ---- points ------------------------------------------------------------------------------------------------------

    @api("crm.customer.points.get", "1.0.0", group="points")
    def points_get(self, call: Call) -> object:
        """Return a customer's points."""
        return {"point": self.points_of(self.user(call.params.mapping("user", encoded=True), code=_MISSING))}

    @api("crm.customer.points.increase", "4.0.0", write=True, group="points")
    def points_increase(self, call: Call) -> object:
        """Add points, once for each account, ``biz_value`` and ``biz_token``."""
        return self._book(call, call.params.mapping("params", encoded=True), 1)

    @api("crm.customer.points.decrease", "4.0.0", write=True, group="points")
    def points_decrease(self, call: Call) -> object:
        """Take points away."""
        return self._book(call, call.params.mapping("params", encoded=True), -1)

    @api("crm.customer.points.sync", "4.0.0", write=True, group="points")
    def points_sync(self, call: Call) -> object:
        """Set the balance."""
        self.require_head_office(call, 142100002)
        open_id = self._owner(call.params)
        self._once(call.params, open_id)
        return self._write(call.params, open_id, call.params.integer("points", least=0) - self.points_of(open_id))

    def _book(self, call: Call, params: Params, sign: int) -> object:
        self.require_head_office(call, 142100002)
        open_id, points = self._owner(params), params.integer("points", least=1)
        self._once(params, open_id)
        if sign < 0 and self.points_of(open_id) < points:
            raise RefusalError(142100105, "积分余额不足")
        return self._write(params, open_id, sign * points)

    def _owner(self, params: Params) -> str:
        if not params.text("reason", ""):
            raise RefusalError(141503112, "积分变动原因不能为空")
        return self.user(params.mapping("user", encoded=True), code=_MISSING)

    def _once(self, params: Params, open_id: str) -> None:
        if not (key := params.text("biz_value", "")):
            return
        key = f"{open_id}/{key}/{params.text('biz_token', '')}"
        done = self.db.done("points", key)
        if done is not None and self.clock.time() - done < _REPEAT_MEMORY:
            raise RefusalError(142100106, "重复操作")
        if done is None:
            self.db.mark_done("points", key, self.clock.time())

    def _write(self, params: Params, open_id: str, change: int) -> object:
        total = self.points_of(open_id) + change
        entry = f"hub-{self.db.value('SELECT count(*) FROM points_log')}"
        self.db.execute(
            "INSERT INTO points_log (entry, open_id, change, current, reason, biz_value, at) VALUES (?, ?, ?, ?, ?, ?, ?)",
            entry, open_id, change, total, params.text("reason"), params.text("biz_value", ""), self.present(),
        )  # fmt: skip
        self.notify(
            "POINTS",
            open_id,
            {"amount": change, "total": total, "yz_open_id": open_id, "biz_value": params.text("biz_value", "")},
        )
        return {"is_success": "true"}

    @api("crm.customer.points.changelog.search", "4.0.2", paged=True, group="points")
    def points_log(self, call: Call) -> object:
        """Return a customer's points ledger, newest first, of at most 31 days."""
        params = call.params
        open_id = self.user(params.mapping("user", encoded=True), code=_MISSING)
        page, size = params.integer("page", 1, least=1), params.integer("page_size", 20, least=1, most=50)
        begin, end = self.read_epoch(params.integer("begin_time")), self.read_epoch(params.integer("end_time"))
        if not 0 <= end - begin <= _MONTH or begin < self.present() - _YEAR:
            raise RefusalError(141500101, "时间范围不合法")
        where, values = "open_id = ? AND at BETWEEN ? AND ?", [open_id, begin, end]
        rows = self.db.rows(
            f"SELECT * FROM points_log WHERE {where} ORDER BY number DESC LIMIT ? OFFSET ?",
            *values,
            size,
            (page - 1) * size,
        )
        total = self.db.value(f"SELECT count(*) FROM points_log WHERE {where}", *values)
        return {
            "paginator": {"page": page, "page_size": size, "total_count": total},
            "items": [_entry(row) for row in rows],
        }


def _entry(row: Any) -> dict[str, Any]:
    return {
        "amount": row["change"], "current": row["current"], "description": row["reason"], "created_at": int(row["at"]), "expired_at": 0,
        "biz_value": row["biz_value"],
    }  # fmt: skip
