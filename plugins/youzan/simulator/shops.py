"""Shops, staff and goods of the simulated platform."""

from __future__ import annotations

import json
from typing import Final

from hub.simulation.server import Call
from plugins.youzan.simulator.filling import Filling
from plugins.youzan.simulator.gateway import api

__all__ = ["Shops"]

_STORE: Final = 2001


class Shops(Filling):
    """Methods about shops, staff and goods."""

    @api("shop.get", "3.0.0", group="shops")
    def shop_get(self, call: Call) -> object:
        """Return the calling shop's name."""
        own = call.caller.account
        body = self.db.value("SELECT body FROM shops WHERE kdt_id = ?", own)
        return {"sid": own, "name": json.loads(body)["name"] if body else "样板茶总部", "logo": ""}

    @api("shop.chain.descendent.organization.list", "1.0.1", paged=True, group="shops")
    def organization_list(self, call: Call) -> object:
        """List the nodes of the chain."""
        page, size = call.params.integer("page_num", 1, least=1), call.params.integer("page_size", 20, least=1, most=50)
        rows = self.db.rows("SELECT * FROM shops ORDER BY shop_id LIMIT ? OFFSET ?", size, (page - 1) * size)
        nodes = []
        for row in rows:
            body = json.loads(row["body"])
            address = {
                "province": body["province"],
                "city": body["city"],
                "county": body["district"],
                "address": body["address"],
            }
            nodes.append({
                "kdt_id": int(row["kdt_id"]), "name": body["name"], "role": _STORE, "join_type": 1, "parent_kdt_id": int(self.root),
                "shop_address": address, "outer_id": row["shop_id"], "access_status": 1, "contact_mobile": body["phone"] or "",
            })  # fmt: skip
        return {"total": self.db.value("SELECT count(*) FROM shops"), "organization_list": nodes}

    @api("retail.open.chainstaff.querypage", "1.0.0", paged=True, group="staff")
    def chain_staff(self, call: Call) -> object:
        """List the staff of the chain."""
        return self._staff(call, most=20)

    @api("shop.single.staff.list.page", "1.0.0", paged=True, group="staff")
    def shop_staff(self, call: Call) -> object:
        """List the staff of one shop."""
        return self._staff(call, most=50)

    def _staff(self, call: Call, *, most: int) -> object:
        page, size = (
            call.params.integer("page_no", 1, least=1),
            call.params.integer("page_size", most, least=1, most=most),
        )
        rows = self.db.rows("SELECT * FROM staff ORDER BY staff_no LIMIT ? OFFSET ?", size, (page - 1) * size)
        people = []
        for row in rows:
            body = json.loads(row["body"])
            people.append({
                "staff_no": row["staff_no"], "name": body["name"], "mobile": body["phone"] or "", "kdt_id": int(row["kdt_id"]),
                "role_name": "店长" if body["is_manager"] else "导购", "status": "left" if body["left_at"] else "active",
            })  # fmt: skip
        return {"paginator": {"total_count": self.db.value("SELECT count(*) FROM staff")}, "staff_list": people}

    @api("item.base.search", "1.0.0", paged=True, group="items")
    def item_search(self, call: Call) -> object:
        """List goods of a channel; ``search_after`` goes on behind a page."""
        size = call.params.integer("page_size", 20, least=1, most=50)
        after = call.params.text("search_after", "")
        rows = self.db.rows(
            "SELECT * FROM items WHERE channel = ? AND channel_item_id > ? ORDER BY channel_item_id LIMIT ?",
            call.params.integer("channel", 0), after, size,
        )  # fmt: skip
        items = []
        for row in rows:
            body = json.loads(row["body"])
            items.append({
                "item_id": int(row["channel_item_id"]), "channel_item_id": int(row["channel_item_id"]), "title": body["name"],
                "price": body["price_fen"], "item_no": body["product_id"], "is_display": body["status"] == "on_sale",
                "created_time": self.text_time(body["listed_at"]), "update_time": self.text_time(body["updated_at"]),
                "category_name": body["category_code"],
            })  # fmt: skip
        return {"items": items, "search_after": rows[-1]["channel_item_id"] if rows else ""}
