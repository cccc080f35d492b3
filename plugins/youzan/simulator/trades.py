"""Trades and refunds of the simulated platform."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import partial
from random import Random
from typing import Any, Final

from hub.simulation.server import Call, Params, RefusalError, action
from plugins.youzan.simulator.filling import Filling
from plugins.youzan.simulator.gateway import api
from plugins.youzan.simulator.render import Scene, line_id, order_promotion, render_trade, spread

__all__ = ["Trades"]

_MONTHS: Final = 93 * 86_400.0
_WEEK: Final = 7 * 86_400.0
_REFUND_DEPTH: Final = 3_000
_PAY_WAYS: Final = {"wechat_pay": "微信支付", "alipay": "支付宝", "stored_value": "储值卡", "cash": "现金"}
_FILTERS: Final = (("created", "start_created", "end_created"), ("updated", "start_update", "end_update"),
                   ("success", "start_success", "end_success"), ("paid", "start_pay", "end_pay"))  # fmt: skip


class Trades(Filling):
    """Methods about trades and refunds."""

    def scene(self, call: Call) -> Scene:
        """Return what rendering needs, as the calling shop sees it."""
        shops = {row["shop_id"]: json.loads(row["body"]) for row in self.db.rows("SELECT shop_id, body FROM shops")}
        return Scene(
            root=int(self.root),
            hide=partial(self.hide, kdt_id=call.caller.account),
            time=self.text_time,
            item=self.item_of,
            voucher=lambda code: self.number_of(f"voucher {code}"),
            shop=shops.__getitem__,
        )

    @api("trades.sold.get", "4.0.4", paged=True, group="trades")
    def trades_sold_get(self, call: Call) -> object:
        """List trades by any pairs of times, newest first by the last pair given."""
        number, size = call.params.integer("page_no", 1, least=1), call.params.integer("page_size", 20, least=1)
        if size > self.per_page:
            raise RefusalError(5000, f"每页最多显示{self.per_page}条数据", data={"full_order_info_list": []})
        if number * size > self.depth:
            raise RefusalError(5000, "查询的数据条数超过限制", data={"full_order_info_list": []})
        where, values, order = self._trade_filter(call)
        total = self.db.value(f"SELECT count(*) FROM trades WHERE {where}", *values)
        rows = self.db.rows(
            f"SELECT * FROM trades WHERE {where} ORDER BY {order} DESC, tid LIMIT ? OFFSET ?",
            *values,
            size,
            (number - 1) * size,
        )
        scene = self.scene(call)
        found = [
            {"full_order_info": render_trade(row, self._body(row), scene, detail=False)} for row in map(dict, rows)
        ]
        return {"total_results": total, "full_order_info_list": found}

    def _trade_filter(self, call: Call) -> tuple[str, list[Any], str]:
        params = call.params
        conditions, values, order = ["visible <= ?"], [self.present()], "created"
        for column, first, last in _FILTERS:
            begin, end = params.text(first, ""), params.text(last, "")
            if begin and end:  # an unpaired one is ignored
                start, stop = self._span(begin, end, first)
                conditions.append(f"{column} BETWEEN ? AND ?")
                values += [start, stop]
                order = column
        for column, name in (("tid", "tid"), ("status", "status"), ("open_id", "yz_open_id"), ("node", "node_kdt_id")):
            if params.text(name, ""):
                conditions.append(f"{column} = ?")
                values.append(params[name])
        if call.caller.account != self.root:
            conditions.append("node = ?")
            values.append(int(call.caller.account))
        return " AND ".join(conditions), values, order

    def _span(self, begin: str, end: str, field: str) -> tuple[float, float]:
        start, stop = self.read_time(begin, field), self.read_time(end, field)
        if start > stop:
            raise RefusalError(5000, "开始时间不能大于结束时间", data={"full_order_info_list": []})
        if stop - start > _MONTHS:
            raise RefusalError(5000, "时间跨度不能超过3个月", data={"full_order_info_list": []})
        if stop > self.present() + _WEEK:
            raise RefusalError(106000003, "结束时间不能大于当前时间7天")
        return start, stop

    def _body(self, row: Mapping[str, Any]) -> Mapping[str, Any]:
        body = row["body"] or self.db.value("SELECT body FROM trades WHERE tid = ?", row["copy_of"])
        found: Mapping[str, Any] = json.loads(body)
        return found

    @api("trade.get", "4.0.2", group="trades")
    def trade_get(self, call: Call) -> object:
        """Return one trade with promotions and refunds."""
        tid = call.params.text("tid", "")
        if not tid[:1].isalpha():
            raise RefusalError(106000004, "订单号不合法")
        row = self.db.row("SELECT * FROM trades WHERE tid = ? AND visible <= ?", tid, self.present())
        if row is None or call.caller.account not in (self.root, str(row["node"])):
            raise RefusalError(5000, "trade not found")
        trade, body, scene = dict(row), self._body(dict(row)), self.scene(call)
        return {
            "full_order_info": render_trade(trade, body, scene, detail=True),
            "order_promotion": order_promotion(trade, body, scene),
            "refund_order": [
                {
                    "refund_id": refund["refund_id"], "refund_type": 1, "refund_state": 60 if refund["status"] == "SUCCESS" else 1,
                    "refund_fee": f"{json.loads(refund['body'])['amount_fen'] / 100:.2f}",
                }
                for refund in self.db.rows("SELECT * FROM refunds WHERE tid = ?", tid)
            ],
            "delivery_order": [],
        }  # fmt: skip

    @api("trade.memo.update", "3.0.0", write=True, group="trades")
    def trade_memo_update(self, call: Call) -> object:
        """Change the seller's memo: the trade's time of change stays; answers in the old shape."""
        tid = call.params.text("tid", "")
        if not self.db.execute("UPDATE trades SET memo = ? WHERE tid = ?", call.params.text("memo", ""), tid):
            raise RefusalError(50000, "订单不存在")
        self.notify("trade_TradeMemoModified", tid, {"tid": tid})
        return {"is_success": True}

    @api("trade.refund.search", "3.0.1", paged=True, group="refunds")
    def trade_refund_search(self, call: Call) -> object:
        """List refunds; times are epoch seconds."""
        params = call.params
        number, size = (
            params.integer("page_no", 1, least=1, most=100),
            params.integer("page_size", 20, least=1, most=100),
        )
        if number * size > _REFUND_DEPTH:
            raise RefusalError(103010052, "分页参数超限")
        conditions, values = ["updated <= ?"], [self.present()]
        for column, stem in (("created", "create_time"), ("updated", "update_time")):
            begin, end = params.integer(f"{stem}_start", 0), params.integer(f"{stem}_end", 0)
            if begin and end:
                conditions.append(f"{column} BETWEEN ? AND ?")
                values += [float(begin), float(end)]
        for column, name in (("tid", "tid"), ("refund_id", "refund_id"), ("status", "status"), ("node", "node_kdt_id")):
            if params.text(name, ""):
                conditions.append(f"{column} = ?")
                values.append(params[name])
        if call.caller.account != self.root:
            conditions.append("node = ?")
            values.append(float(call.caller.account))
        where = " AND ".join(conditions)
        rows = self.db.rows(
            f"SELECT * FROM refunds WHERE {where} ORDER BY updated DESC, refund_id LIMIT ? OFFSET ?",
            *values,
            size,
            (number - 1) * size,
        )
        total = self.db.value(f"SELECT count(*) FROM refunds WHERE {where}", *values)
        return {"total": total, "refunds": [self._refund_head(dict(row)) for row in rows]}

    def _refund_head(self, row: Mapping[str, Any]) -> dict[str, Any]:
        body = json.loads(row["body"])
        return {
            "refund_id": row["refund_id"], "tid": row["tid"], "status": row["status"], "kdt_id": row["node"], "node_kdt_id": row["node"],
            "return_goods": False, "reason": 1, "refund_fee": f"{body['amount_fen'] / 100:.2f}", "created": self.text_time(row["created"]),
            "modified": self.text_time(row["updated"]), "refund_type": "REFUND_ONLY", "cs_status": 1, "delivery_status": 2,
        }  # fmt: skip

    @api("trade.refund.get", "3.0.1", group="refunds")
    def trade_refund_get(self, call: Call) -> object:
        """Return one refund with its goods."""
        row = self.db.row("SELECT * FROM refunds WHERE refund_id = ?", call.params.text("refund_id"))
        if row is None or call.caller.account not in (self.root, str(row["node"])):
            raise RefusalError(103011024, "退款单不存在")
        trade = self.db.row("SELECT * FROM trades WHERE tid = ?", row["tid"])
        if trade is None:
            raise RefusalError(103010054, "订单不存在")
        refund, order = json.loads(row["body"]), self._body(dict(trade))
        postage = min(order["delivery_fen"], refund["amount_fen"]) if refund["whole"] else 0
        lines = [line for line in refund["lines"] if refund["whole"] or line["refunded_quantity"]] or refund["lines"][
            :1
        ]
        shares = spread(refund["amount_fen"] - postage, [line["net_fen"] for line in lines])
        head = self._refund_head(dict(row))
        return {
            **head, "version": int(row["updated"]), "demand": 1, "demand_desc": "仅退款", "desc": refund["reason"],
            "oid": line_id(dict(trade), lines[0]), "item_num": lines[0]["quantity"], "refund_postage": f"{postage / 100:.2f}",
            "refund_fund_desc": refund["tender"],
            "refund_success_time": self.text_time(refund["refunded_at"]) or None,
            "refund_order_item": [
                {"oid": line_id(dict(trade), line), "item_num": line["refunded_quantity"] or line["quantity"], "refund_fee": share}
                for line, share in zip(lines, shares, strict=True)
            ],
            "refund_fund_list": [{"refund_fee": refund["amount_fen"], "pay_way": 1, "pay_way_desc": _PAY_WAYS.get(refund["tender"], refund["tender"]), "status": "SUCCESS"}],
        }  # fmt: skip

    def shift_page(self, call: Call, draw: Random) -> None:
        """Somebody touches a trade, a refund or a customer while the list is read: it moves to the front."""
        table, key = {"trades": ("trades", "tid"), "refunds": ("refunds", "refund_id")}.get(
            call.endpoint.group if call.endpoint else "", ("customers", "open_id")
        )
        count = self.db.value(f"SELECT count(*) FROM {table}")
        if not count:
            return
        chosen = self.db.value(f"SELECT {key} FROM {table} ORDER BY {key} LIMIT 1 OFFSET ?", draw.randrange(count))
        self.db.execute(f"UPDATE {table} SET updated = ? WHERE {key} = ?", float(int(self.present())), chosen)

    # ---- what happens in the shop ------------------------------------------------------------------------------------

    @action
    def complete_trade(self, params: Params) -> object:
        """The buyer confirms: the trade is done now."""
        now, tid = float(int(self.present())), params.text("tid")
        self.db.execute(
            "UPDATE trades SET status = 'TRADE_SUCCESS', success = ?, updated = ?, visible = ? WHERE tid = ?",
            now, now, now + self.read_lag, tid,
        )  # fmt: skip
        return {"receivers": self.notify("trade_TradeSuccess", tid, {"tid": tid})}

    @action
    def refund_trade(self, params: Params) -> object:
        """The shop gives all the money of a trade back."""
        now, tid = float(int(self.present())), params.text("tid")
        row = self.db.row("SELECT * FROM trades WHERE tid = ?", tid)
        if row is None:
            raise RefusalError(50000, "订单不存在")
        body = {**self._body(dict(row)), "refund_state": 12, "close_type": 2}
        self.db.execute(
            "UPDATE trades SET status = 'TRADE_CLOSED', updated = ?, visible = ?, body = ? WHERE tid = ?",
            now,
            now + self.read_lag,
            body,
            tid,
        )
        refund_id = f"{self.text_time(now).translate(str.maketrans('', '', '- :'))}{self.number_of(f'refund {tid}')}"
        refund = {
            "amount_fen": row["paid_fen"], "whole": True, "reason": "协商一致", "tender": "微信", "refunded_at": now, "lines": body["lines"],
        }  # fmt: skip
        self.db.execute(
            "INSERT INTO refunds VALUES (?, ?, ?, 'SUCCESS', ?, ?, ?)", refund_id, tid, row["node"], now, now, refund
        )
        self.notify(
            "youzan_trade_RefundSuccess", refund_id, {"tid": tid, "refund_id": refund_id, "refund_type": "REFUND_ONLY"}
        )
        return {"refund_id": refund_id}

    @action
    def copy_trades(self, params: Params) -> object:
        """Make a busy season: many trades in the likeness of the shop's own, evenly spread over a time.

        Parameters: ``count``, ``start`` and ``end`` (Unix seconds), ``series`` (a word that keeps several series apart).
        """
        count, begin, end = params.integer("count", least=1), params.number("start"), params.number("end")
        series = self.number_of(f"series {params.text('series', 'a')}", 4)
        models = self.db.rows("SELECT * FROM trades WHERE status = 'TRADE_SUCCESS' AND copy_of IS NULL ORDER BY tid")
        step = (end - begin) / count
        self.db.load(
            "INSERT INTO trades VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, '', NULL)",
            (self._copy(models[n % len(models)], int(begin + n * step), f"{series}{n:06d}") for n in range(count)),
        )
        return {"trades": count}

    def _copy(self, model: Any, at: int, number: str) -> tuple[Any, ...]:
        tid = f"E{self.text_time(at)}".translate(str.maketrans("", "", "- :")) + number.zfill(9)
        return (
            tid, model["tid"], model["open_id"], model["node"], model["status"], float(at), float(at), at + self.read_lag, float(at),
            float(at), model["paid_fen"],
        )  # fmt: skip
