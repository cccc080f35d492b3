"""Interfaces of tickets, and what happens at a till."""
# ruff: noqa: ARG002 - every interface takes the call

from __future__ import annotations

import datetime as dt
import json
from random import Random
from typing import Any, Final

from hub.simulation.server import Call, Params, RefusalError, Trouble, TroubleError, action
from plugins.pos.pospal.simulator.filling import PAY_CODES, Filling
from plugins.pos.pospal.simulator.gateway import api

__all__ = ["Tickets", "time_param"]

_KIND: Final = "LAST_RESULT_MAX_ID"
_DAY: Final = dt.timedelta(days=1)


def time_param(call: Call, name: str) -> dt.datetime:
    """Read ``yyyy-MM-dd HH:mm:ss``.

    Raises:
        TroubleError: it is something else.
    """
    try:
        return dt.datetime.strptime(call.params.text(name), "%Y-%m-%d %H:%M:%S")  # noqa: DTZ007 - the shop's own time
    except ValueError:
        raise TroubleError(Trouble.PARAMETER_INVALID, "yyyy-MM-dd HH:mm:ss", field=name) from None


class Tickets(Filling):
    """Tickets (单据)."""

    @api("ticketOpenApi/queryTicketPages", paged=True)
    def query_ticket_pages(self, call: Call) -> object:
        """Give the tickets of the shop by till time, a day at most unless the undocumented flag is sent."""
        start, end = time_param(call, "startTime"), time_param(call, "endTime")
        free = call.params.integer("noLimitTimeRange", 0) == 1
        if end < start or (not free and end - start > _DAY):
            raise RefusalError(1040, "查询的时间范围不能超过1天")
        low, high = {"end": (">", "<="), "start": (">=", "<"), "both": (">=", "<=")}[self.bounds]
        rows = self.db.rows(
            f"SELECT * FROM tickets WHERE shop = ? AND id > ? AND at {low} ? AND at {high} ? ORDER BY id LIMIT ?",
            self.shop_of(call),
            self.position(call, _KIND),
            start.isoformat(" "),
            end.isoformat(" "),
            self.page_size,
        )
        return self.page([self._shown(row) for row in rows], rows[-1]["id"] if rows else 0)

    @api("ticketOpenApi/queryTicketBySn")
    def query_ticket_by_sn(self, call: Call) -> object:
        """Give one ticket."""
        sql = "SELECT * FROM tickets WHERE sn = ? AND shop = ?"
        row = self.db.row(sql, call.params.text("sn"), self.shop_of(call))
        if row is None:
            raise RefusalError(1041, "单据不存在")
        return self._shown(row)

    @api("ticketOpenApi/querySellTicketByRefunTicketUid")
    def query_sale_of_refund(self, call: Call) -> object:
        """Give the sale that a refund belongs to."""
        sql = "SELECT s.* FROM tickets AS r JOIN tickets AS s ON s.uid = r.sale WHERE r.uid = ?"
        row = self.db.row(sql, call.params.text("refunTcketUid"))
        if row is None:
            raise RefusalError(1041, "未找到原销售单据")
        return self._shown(row)

    @api("ticketOpenApi/queryAllPayMethod")
    def query_all_pay_method(self, call: Call) -> object:
        """Give the shop's methods of payment."""
        return [{"code": code, "name": name} for code, name in PAY_CODES.values()]

    def _shown(self, row: Any) -> dict[str, Any]:
        body = json.loads(row["body"])
        if body["ticketType"] == "SELL_RETURN" and self.return_sign == "-":
            body = _negative(body)
        items = body.pop("items", [])
        return {
            "uid": int(row["uid"]),
            **body,
            "invalid": row["invalid"],
            "customerUid": int(row["customer"] or 0),
            self.item_key: items,
        }

    # ---- what happens at a till --------------------------------------------------------------------------------------

    @action
    def ring_up(self, params: Params) -> object:
        """A ticket reaches the platform: ``shop``, ``ticket``, and for a linked refund the ``sale``'s uid."""
        self.put_ticket(params.text("shop"), params.mapping("ticket"), sale=params.text("sale", None))
        return {}

    @action
    def reverse(self, params: Params) -> object:
        """A ticket is reversed (反结账): it stays in the list as invalid."""
        row = self.db.row("SELECT * FROM tickets WHERE uid = ?", params.text("uid"))
        if row is None:
            raise TroubleError(Trouble.PARAMETER_INVALID, "no such ticket", field="uid")
        self.db.execute("UPDATE tickets SET invalid = 1 WHERE uid = ?", row["uid"])
        message = {"sn": row["sn"], "customerUid": int(row["customer"] or 0), "ticketType": "SELL"}
        self.tell("ticket.reverse", row["shop"], message)
        return {}

    def shift_page(self, call: Call, draw: Random) -> None:
        """A till uploads a ticket anew: it moves to the end of the list."""
        last = int(self.db.value("SELECT coalesce(max(id), 0) FROM tickets"))
        row = self.db.row("SELECT id FROM tickets ORDER BY id LIMIT 1 OFFSET ?", draw.randrange(max(last, 1)))
        if row is not None and row["id"] != last:
            self.db.execute("UPDATE tickets SET id = ? WHERE id = ?", last + 1, row["id"])


def _negative(body: dict[str, Any]) -> dict[str, Any]:
    items = [
        {**item, "quantity": -item["quantity"], "totalAmount": -item["totalAmount"]} for item in body.get("items") or ()
    ]
    payments = [{**each, "amount": -each["amount"]} for each in body.get("payments") or ()]
    total, rounding = -body["totalAmount"], -body.get("rounding", 0)
    return {**body, "items": items, "payments": payments, "totalAmount": total, "rounding": rounding}
