"""Interfaces of shops, cashiers and goods."""

from __future__ import annotations

import json
from typing import Final

from hub.simulation.server import Call
from plugins.pos.pospal.simulator.filling import Filling
from plugins.pos.pospal.simulator.gateway import api

__all__ = ["Goods"]

_KIND: Final = "LAST_RESULT_MAX_ID"


class Goods(Filling):
    """What changes seldom."""

    @api("userOpenApi/queryAllUser", paged=True)
    def query_all_user(self, call: Call) -> object:
        """Give the chain's shops to the head office, and itself to a shop."""
        mine = self.shop_of(call)
        shops = self.world.now.view(self.view).table("shops").to_pylist() if self.world is not None else []
        known = {row["shop_id"]: row for row in shops}
        listed = self.shop_ids if mine == self.shop_ids[0] else [mine]
        rows = [
            {
                "id": place, "account": f"shop{place}", "company": known.get(shop, {}).get("name", shop), "industry": "餐饮",
                "tel": known.get(shop, {}).get("phone", ""), "email": "", "address": known.get(shop, {}).get("address", ""),
                "appId": self.app_of(shop), "number": shop,
            }
            for place, shop in enumerate(listed, 1)
            if place > self.position(call, _KIND)
        ]  # fmt: skip
        return self.page(rows[: self.page_size], len(listed))

    @api("cashierOpenApi/queryAllCashier")
    def query_all_cashier(self, call: Call) -> object:
        """Give the shop's cashiers."""
        rows = self.db.rows("SELECT * FROM cashiers WHERE shop = ? ORDER BY uid", self.shop_of(call))
        return [{"uid": int(row["uid"]), **json.loads(row["body"])} for row in rows]

    @api("productOpenApi/queryProductPages", paged=True)
    def query_product_pages(self, call: Call) -> object:
        """Give the goods."""
        sql = "SELECT * FROM products WHERE id > ? ORDER BY id LIMIT ?"
        rows = self.db.rows(sql, self.position(call, _KIND), self.page_size)
        return self.page(
            [{"uid": int(row["uid"]), **json.loads(row["body"])} for row in rows], rows[-1]["id"] if rows else 0
        )

    @api("productOpenApi/queryProductCategoryPages", paged=True)
    def query_product_category_pages(self, call: Call) -> object:
        """Give the categories."""
        sql = "SELECT * FROM categories WHERE id > ? ORDER BY id LIMIT ?"
        rows = self.db.rows(sql, self.position(call, _KIND), self.page_size)
        return self.page(
            [{"uid": int(row["uid"]), "parentUid": 0, "name": row["name"]} for row in rows],
            rows[-1]["id"] if rows else 0,
        )
