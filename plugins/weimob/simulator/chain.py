"""Organisation, goods and guides of the simulated platform."""

from __future__ import annotations

import json
from typing import Any

from hub.simulation.server import Call, RefusalError
from plugins.weimob.api import Api
from plugins.weimob.simulator.filling import Filling
from plugins.weimob.simulator.gateway import api

__all__ = ["Chain"]


class Chain(Filling):
    """Capabilities about shops, guides and goods."""

    @api(Api.INFO)
    def info(self, call: Call) -> object:
        """Return the merchant."""
        return {"bosId": int(call.caller.account), "bosName": "样板茶", "bosLogo": "", "desc": ""}

    @api(Api.ROOT)
    def root(self, call: Call) -> object:
        """Return the root node."""
        del call
        return {"vid": self.root_vid}

    @api(Api.ORGANISATIONS, paged=True)
    def organisations(self, call: Call) -> object:
        """List nodes below a parent."""
        page, size = call.params.integer("pageNum", least=1), call.params.integer("pageSize", least=1, most=50)
        direct = call.params.integer("isDirect", 1)
        parent = call.params.integer("parentVid")
        nodes: list[dict[str, Any]] = []
        if parent == 0:
            nodes.append(
                {
                    "vid": self.root_vid,
                    "vidName": "样板茶总部",
                    "vidCode": "HQ",
                    "vidType": 1,
                    "vidStatus": 1,
                    "parentVid": 0,
                }
            )
        if parent == self.root_vid or not direct:
            for row in self.db.rows("SELECT * FROM shops ORDER BY vid"):
                body = json.loads(row["body"])
                nodes.append({
                    "vid": row["vid"], "vidName": body["name"], "vidCode": row["shop_id"], "vidType": 10,
                    "vidStatus": int(body["status"] == "open"), "parentVid": self.root_vid, "parentVidCode": "HQ",
                })  # fmt: skip
        start = (page - 1) * size
        return {"pageNum": page, "pageSize": size, "totalSize": len(nodes), "data": nodes[start : start + size]}

    @api(Api.ORGANISATION_DETAILS)
    def organisation_details(self, call: Call) -> object:
        """Return addresses of up to 50 nodes."""
        found = []
        for vid in call.params.array("vidList", most=50):
            row = self.db.row("SELECT body FROM shops WHERE vid = ?", int(vid))
            body = json.loads(row["body"]) if row else {}
            tels = [{"zone": "0086", "tel": body["phone"]}] if body.get("phone") else []
            found.append({
                "vid": int(vid), "provinceName": body.get("province"), "cityName": body.get("city"), "countyName": body.get("district"),
                "detailAddress": body.get("address"), "contactTels": tels,
            })  # fmt: skip
        return found

    @api(Api.GOODS, paged=True)
    def goods(self, call: Call) -> object:
        """List articles: at most 500 pages of 20."""
        call.params.mapping("basicInfo").integer("vid")
        page, size = (
            call.params.integer("pageNum", least=1, most=500),
            call.params.integer("pageSize", least=1, most=20),
        )
        query = call.params.mapping("queryParameter", encoded=True)
        begin, end = query.integer("startUpdateTime", 0), query.integer("endUpdateTime", 2**62)
        if end <= begin:
            raise RefusalError("30001", "结束时间必须大于开始时间")
        where = "updated BETWEEN ? AND ?"
        rows = self.db.rows(
            f"SELECT * FROM goods WHERE {where} ORDER BY updated DESC, goods_id LIMIT ? OFFSET ?",
            begin,
            end,
            size,
            (page - 1) * size,
        )
        found = []
        for row in rows:
            body, price = json.loads(row["body"]), f"{json.loads(row['body'])['price_fen'] / 100:.2f}"
            on_sale = body["status"] == "on_sale"
            found.append({
                "goodsId": row["goods_id"], "title": body["name"], "outerGoodsCode": body["product_id"], "goodsType": 1, "soldType": 1,
                "goodsPrice": {"minSalePrice": price, "maxSalePrice": price}, "isMultiSku": True, "isOnline": on_sale, "isCanSell": on_sale,
                "onlineTime": body["listed_at"], "createVid": self.root_vid,
            })  # fmt: skip
        total = self.db.value(f"SELECT count(*) FROM goods WHERE {where}", begin, end)
        return {"pageList": found, "pageNum": page, "pageSize": size, "totalCount": total}

    @api(Api.GUIDES, paged=True)
    def guides(self, call: Call) -> object:
        """List guides."""
        page, size = call.params.integer("pageNum", least=1), call.params.integer("pageSize", least=1, most=100)
        rows = self.db.rows("SELECT * FROM guides ORDER BY wid LIMIT ? OFFSET ?", size, (page - 1) * size)
        found = []
        for row in rows:
            body = json.loads(row["body"])
            found.append({
                "guiderWid": row["wid"], "guiderName": body["name"], "guiderPhone": body["phone"] or "", "jobNumber": body["job_number"],
                "guiderVid": row["vid"], "zone": "0086", "isUsed": bool(row["active"]),
            })  # fmt: skip
        return {"pageList": found, "totalCount": self.db.value("SELECT count(*) FROM guides")}

    @api(Api.GUIDE_CUSTOMERS, paged=True)
    def guide_customers(self, call: Call) -> object:
        """List the customers of a guide."""
        guide = call.params.mapping("queryParameter").integer("guiderWid")
        page, size = call.params.integer("pageNum", least=1), call.params.integer("pageSize", least=1, most=100)
        where = "guide = ? AND status = 'active'"
        rows = self.db.rows(
            f"SELECT * FROM customers WHERE {where} ORDER BY wid LIMIT ? OFFSET ?", guide, size, (page - 1) * size
        )
        found = [
            {"wid": row["wid"], "nickName": json.loads(row["body"])["nickname"] or "", "bindTime": row["created"]}
            for row in rows
        ]
        return {"pageList": found, "totalCount": self.db.value(f"SELECT count(*) FROM customers WHERE {where}", guide)}
