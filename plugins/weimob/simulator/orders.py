"""Orders and after-sales of the simulated platform."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from random import Random
from typing import Any, Final

from hub.simulation.server import Call, Params, RefusalError, action
from plugins.weimob.api import Api
from plugins.weimob.simulator.gateway import api
from plugins.weimob.simulator.tags import Tags

__all__ = ["Orders"]

_MONTH: Final = 30 * 86_400_000
_BY_TYPE: Final = {0: "created", 1: "updated", 2: "paid"}
_PAY_TYPES: Final = {"wechat_pay": "微信支付", "alipay": "支付宝", "cash": "现金", "bank_card": "银行卡"}
_BALANCE, _COUPON, _PROMOTION = 42, 6, 1


class Orders(Tags):
    """Capabilities about orders."""

    @api(Api.ORDERS, paged=True, group="orders")
    def order_search(self, call: Call) -> object:
        """Search orders by a time span of at most thirty days."""
        page, size, where, values, column = self._span(call.params)
        rows = self.db.rows(
            f"SELECT * FROM orders WHERE {where} ORDER BY {column} DESC, order_no DESC LIMIT ? OFFSET ?",
            *values,
            size,
            (page - 1) * size,
        )
        total = self.db.value(f"SELECT count(*) FROM orders WHERE {where}", *values)
        domains = self._domains(call.params)
        return {
            "pageList": [self._render(row, domains) for row in rows],
            "pageNum": page,
            "pageSize": size,
            "totalCount": total,
        }

    def _span(self, params: Params) -> tuple[int, int, str, list[int], str]:
        page, size = params.integer("pageNum", least=1), params.integer("pageSize", least=1, most=100)
        if page * size > self.depth:
            raise RefusalError("50011", f"最多查询{self.depth}条数据")
        time = params.mapping("queryParameter").mapping("queryTime")
        begin, end = time.integer("startTime"), time.integer("endTime")
        column = _BY_TYPE.get(time.integer("type"))
        if column is None or end < begin:
            raise RefusalError("50012", "查询时间错误")
        if end - begin > _MONTH:
            raise RefusalError("50013", "查询时间跨度不能超过30天")
        return page, size, f"{column} BETWEEN ? AND ?", [begin, end], column

    @staticmethod
    def _domains(params: Params) -> set[int]:
        query = params.mapping("queryParameter", Params({}))
        return {int(each) for each in (params.array("orderDomains", []) or query.array("orderDomains", []))}

    @api(Api.ORDER, group="orders")
    def order_detail(self, call: Call) -> object:
        """Return one order."""
        row = self.db.row("SELECT * FROM orders WHERE order_no = ?", call.params.integer("orderNo"))
        if row is None:
            raise RefusalError("50404", "订单不存在")
        return self._render(row, self._domains(call.params))

    def _body(self, row: Any) -> Mapping[str, Any]:
        text = row["body"] or self.db.value("SELECT body FROM orders WHERE order_no = ?", row["copy_of"])
        found: Mapping[str, Any] = json.loads(text)
        return found

    def _render(self, row: Any, domains: set[int]) -> dict[str, Any]:
        body = self._body(row)
        paid = row["paid"] is not None
        stored = sum(each["amount_fen"] for each in body["tenders"] if each["tender"] == "stored_value") if paid else 0
        shares = _spread(stored, [line["net_fen"] for line in body["lines"]])
        base = {
            "orderNo": row["order_no"], "orderStatus": row["status"], "payStatus": 2 if paid else 0, "orderType": 1, "orderSource": 0,
            "channelType": 1, "bizSourceType": 1, "deliveryType": 1 if body["fulfilment"] == "delivery" else 2, "createTime": row["created"],
            "payTime": row["paid"], "updateTime": row["updated"], "isDeleted": 0, "thirdOrderNo": body["external_no"] or "",
        }  # fmt: skip
        info: dict[str, Any] = {
            "orderBaseInfo": base,
            "buyerInfo": {"wid": row["wid"] or 0, "userNickName": "", "buyerRemark": ""},
            "payInfo": self._pay(row, body, stored),
            "discountInfos": _discounts(body, stored),
            "merchantInfo": {
                "bosId": int(self.credentials["bos_id"]), "merchantId": int(self.credentials["merchant_id"]), "vid": self.root_vid,
                "processVid": row["vid"], "productInstanceId": int(self.credentials["product_instance_id"]),
            },
            "guideInfo": {"guiderWid": self.guide_of(body["guide_id"])} if body["guide_id"] else None,
            "cancelInfo": {"cancelType": 1, "reason": "超时未支付"} if row["status"] == 9 else None,
        }  # fmt: skip
        if 1 in domains:
            info["items"] = [self._item(row, line, share) for line, share in zip(body["lines"], shares, strict=True)]
        if 2 in domains:
            info["orderFulfill"] = {
                "fulfillStatus": 5 if row["status"] == 8 else 0,
                "receiverInfo": {"name": "样**", "phone": "154****0000"},
            }
        found: dict[str, Any] = {"orderInfo": info, "fulfillOrderList": []}
        if 3 in domains:
            rights = self.db.rows("SELECT * FROM rights WHERE order_no = ?", row["order_no"])
            found["rightsInfos"] = [
                {"rightsId": each["rights_id"], "rightsStatus": 2 if each["status"] == 6 else 1} for each in rights
            ]
        return found

    def _pay(self, row: Any, body: Mapping[str, Any], stored: int) -> dict[str, Any]:
        freight, total = body["delivery_fen"], body["goods_fen"] + body["delivery_fen"]
        due = body["paid_fen"] - stored
        paid_at = row["paid"]
        items = [
            {
                "payId": row["order_no"] + number, "payType": _PAY_TYPES.get(each["tender"], each["tender"]), "payTime": paid_at,
                "tradeId": f"{row['order_no']}{number}", "channelTrxNo": f"42{row['order_no']}{number}",
                "payItemExtInfo": {"amount": _yuan(each["amount_fen"])},
            }
            for number, each in enumerate(body["tenders"])
            if each["tender"] != "stored_value"
        ]  # fmt: skip
        return {
            "totalAmount": _yuan(total), "totalDiscountAmount": _yuan(total - due), "shouldPayAmount": _yuan(due),
            "payAmount": _yuan(due if paid_at else 0), "payItems": items if paid_at else [],
            "amountInfos": [{"type": 1, "amount": _yuan(body["goods_fen"])}, {"type": 250, "amount": _yuan(freight)}],
        }  # fmt: skip

    def _item(self, row: Any, line: Mapping[str, Any], stored: int) -> dict[str, Any]:
        number = (
            int(line["line_id"])
            if row["copy_of"] is None
            else self.number_of(f"line {row['order_no']} {line['line_no']}")
        )
        due = line["net_fen"] - stored
        return {
            "itemId": number, "goodsId": self.goods_of(line["product_id"]), "goodsCode": line["product_id"], "goodsTitle": line["product_name"],
            "skuId": self.number_of(f"sku {line['sku_id']}"), "skuCode": line["sku_id"], "skuNum": str(line["quantity"]),
            "salePrice": _yuan(line["unit_fen"]), "skuAttrInfo": ";".join(each["value"] for each in line["options"] or ()),
            "payInfo": {
                "payAmount": _yuan(due), "shouldPayAmount": _yuan(due), "totalAmount": _yuan(line["goods_fen"]),
                "totalDiscountAmount": _yuan(line["goods_fen"] - due),
            },
            "discountInfos": [{"discountType": _BALANCE, "discountAmount": _yuan(stored)}] if stored else [],
            "itemBizExt": {"outerGoodsId": line["product_id"]},
        }  # fmt: skip

    # ---- after-sales -------------------------------------------------------------------------------------------------

    @api(Api.RIGHTS, paged=True, group="rights")
    def rights_search(self, call: Call) -> object:
        """Search after-sales by a time span."""
        page, size, where, values, column = self._span(call.params)
        rows = self.db.rows(
            f"SELECT * FROM rights WHERE {where} ORDER BY {column} DESC, rights_id LIMIT ? OFFSET ?",
            *values,
            size,
            (page - 1) * size,
        )
        total = self.db.value(f"SELECT count(*) FROM rights WHERE {where}", *values)
        return {"pageList": [self._right(row) for row in rows], "pageNum": page, "pageSize": size, "totalCount": total}

    @api(Api.RIGHT, group="rights")
    def rights_detail(self, call: Call) -> object:
        """Return one after-sale."""
        row = self.db.row("SELECT * FROM rights WHERE rights_id = ?", call.params.integer("rightsId"))
        if row is None:
            raise RefusalError("50405", "售后单不存在")
        return {"rightsInfo": self._right(row)}

    def _right(self, row: Any) -> dict[str, Any]:
        body, amount = json.loads(row["body"]), json.loads(row["body"])["amount_fen"]
        order = self.db.row("SELECT * FROM orders WHERE order_no = ?", row["order_no"])
        lines = [line for line in body["lines"] if body["whole"] or line["refunded_quantity"]] or body["lines"][:1]
        goods = min(amount, sum(line["net_fen"] for line in lines))
        shares = _spread(goods, [line["net_fen"] for line in lines])
        items = [
            {
                "rightsItemId": int(line["line_id"]) // 2, "orderItemId": int(line["line_id"]),
                "applyNum": line["refunded_quantity"] or line["quantity"],
                "goodsInfo": {"goodsId": self.goods_of(line["product_id"]), "skuId": self.number_of(f"sku {line['sku_id']}"), "goodsTitle": line["product_name"]},
                "refundDetail": {"applyAmount": _yuan(share), "refundAmount": _yuan(share)},
            }
            for line, share in zip(lines, shares, strict=True)
        ]  # fmt: skip
        return {
            "rightsOrder": {
                "rightsId": row["rights_id"], "createTime": row["created"], "updateTime": row["updated"], "rightsStatus": row["status"],
                "rightsType": 2, "rightsSource": 1, "refundType": 1, "currency": "CNY",
            },
            "buyerInfo": {"wid": order["wid"] if order else 0, "userNickName": ""},
            "originOrder": {"orderNo": row["order_no"], "payType": body["tender"]}, "rightsItems": items,
            "refundDetail": {"applyAmount": _yuan(amount), "refundAmount": _yuan(amount)}, "rightsReason": body["reason"],
            "merchantInfo": {"vid": self.root_vid, "processVid": order["vid"] if order else self.root_vid},
        }  # fmt: skip

    # ---- what happens in the shop ------------------------------------------------------------------------------------

    def shift_page(self, call: Call, draw: Random) -> None:
        """Somebody touches an order, an after-sale or a customer while the list is read; in lists by time of change it moves."""
        group = call.endpoint.group if call.endpoint else ""
        table, key = {"orders": ("orders", "order_no"), "rights": ("rights", "rights_id")}.get(
            group, ("customers", "wid")
        )
        count = self.db.value(f"SELECT count(*) FROM {table}")
        if count:
            chosen = self.db.value(f"SELECT {key} FROM {table} ORDER BY {key} LIMIT 1 OFFSET ?", draw.randrange(count))
            self.db.execute(f"UPDATE {table} SET updated = ? WHERE {key} = ?", self.present(), chosen)

    @action
    def finish_order(self, params: Params) -> object:
        """The buyer confirms: the order is done now."""
        number = params.integer("orderNo")
        self.db.execute("UPDATE orders SET status = 8, updated = ? WHERE order_no = ?", self.present(), number)
        return {"receivers": self.notify("weimob_shop.order", "statusUpdate", {"orderNo": number, "orderStatus": 8})}

    @action
    def copy_orders(self, params: Params) -> object:
        """Make a busy season: many orders in the likeness of the shop's own, evenly spread over a time.

        Parameters: ``count``, ``start`` and ``end`` (Unix seconds), ``series`` (a number up to 9 that keeps several series
        apart), ``buyers`` (wids that buy in turn, instead of the models' own).
        """
        count, series = params.integer("count", least=1), params.integer("series", 1, most=9)
        begin, end = int(params.number("start") * 1000), int(params.number("end") * 1000)
        models = self.db.rows("SELECT * FROM orders WHERE status = 8 AND copy_of IS NULL ORDER BY order_no")
        buyers: Sequence[int] = [int(wid) for wid in params.array("buyers", [])]
        self.db.load(
            "INSERT INTO orders VALUES (?, ?, ?, ?, 8, ?, ?, ?, ?, NULL)",
            (
                self._copy(
                    models[n % len(models)],
                    begin + (end - begin) * n // count,
                    n,
                    series,
                    buyers[n % len(buyers)] if buyers else None,
                )
                for n in range(count)
            ),
        )
        return {"orders": count}

    @staticmethod
    def _copy(model: Any, at: int, number: int, series: int, buyer: int | None) -> tuple[Any, ...]:
        order = 7_000_000_000_000_000_001 + series * 10**17 + number
        return (order, model["order_no"], buyer or model["wid"], model["vid"], at, at, at, model["paid_fen"])


def _yuan(fen: int) -> str:
    sign, fen = ("-", -fen) if fen < 0 else ("", fen)
    return f"{sign}{fen // 100}.{fen % 100:02d}"


def _discounts(body: Mapping[str, Any], stored: int) -> list[dict[str, Any]]:
    found = []
    if body["promotion_fen"]:
        found.append(
            {
                "discountType": _PROMOTION,
                "discountId": 1,
                "name": body["promotion"] or "",
                "discountAmount": _yuan(body["promotion_fen"]),
            }
        )
    if body["coupon_fen"]:
        found.append(
            {
                "discountType": _COUPON,
                "discountId": body["coupon_code"],
                "name": "",
                "discountAmount": _yuan(body["coupon_fen"]),
            }
        )
    if stored:
        found.append({"discountType": _BALANCE, "discountId": 0, "name": "余额", "discountAmount": _yuan(stored)})
    return found


def _spread(amount: int, weights: list[int]) -> list[int]:
    """Divide an amount by weights, to the fen; the heaviest takes what rounding leaves."""
    whole = sum(weights)
    if not whole or not amount:
        return [0] * len(weights)
    shares = [amount * weight // whole for weight in weights]
    shares[weights.index(max(weights))] += amount - sum(shares)
    return shares
