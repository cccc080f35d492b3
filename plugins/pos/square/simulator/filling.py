"""The simulated chain's tills as Square's objects."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any, Final

from plugins.pos.square.simulator.account import Account, rfc

__all__ = ["Filling"]

Row = dict[str, Any]
_TENDERS: Final = {
    "cash": ("CASH", None), "bank_card": ("CARD", None), "wechat_pay": ("WALLET", "微信支付"), "alipay": ("WALLET", "支付宝"),
    "stored_value": ("OTHER", "储值"), "third_party_voucher": ("OTHER", "团购券"), "points": ("OTHER", "积分"),
}  # fmt: skip


class Filling(Account):
    """How the world gets into the account."""

    def catch_up(self, since: dt.datetime | None, state: Any) -> None:
        """Take over what the world has done since; groups stay."""
        view = state.view(self.view)
        for shop in view.table("shops").to_pylist():
            self.put("location", self._location(shop))
        news = {name: _news(view, name, since) for name in ("members", "orders", "refunds", "points")}
        for member in news["members"]:
            self._member(member)
        lines, tenders = (
            _by_order(view.table(name), [*news["orders"], *news["refunds"]]) for name in ("order_lines", "tenders")
        )
        for order in news["orders"]:
            self._order(order, lines[order["order_id"]], tenders[order["order_id"]])
        for refund in news["refunds"]:
            if refund["status"] == "success":
                self._refund(refund, lines[refund["order_id"]])
        for entry in news["points"]:
            self._points(entry)

    def _location(self, shop: Row) -> Row:
        address = {
            "address_line_1": shop["address"],
            "locality": shop["city"],
            "administrative_district_level_1": shop["province"],
        }
        return {
            "id": shop["shop_id"], "name": shop["name"], "address": address, "timezone": "Asia/Shanghai", "phone_number": shop["phone"],
            "status": "ACTIVE", "currency": self.currency, "type": "PHYSICAL", "created_at": rfc(shop["updated_at"]),
        }  # fmt: skip

    def _member(self, row: Row) -> None:
        if row["status"] != "active":
            if self.db.execute("DELETE FROM things WHERE kind = 'customer' AND id = ?", row["member_id"]):
                self.tell("customer.deleted", row["member_id"], {"customer": {"id": row["member_id"]}})
            return
        name = row["name"] or ""
        body = {
            "id": row["member_id"], "created_at": rfc(row["created_at"]), "updated_at": rfc(row["updated_at"]), "given_name": name[1:],
            "family_name": name[:1], "email_address": row["email"], "phone_number": row["phone"], "reference_id": row["card_no"],
            "birthday": row["birthday"], "creation_source": "THIRD_PARTY", "version": 1, "preferences": {"email_unsubscribed": False},
        }  # fmt: skip
        self.put("customer", {key: value for key, value in body.items() if value not in (None, "")})
        if row["phone"]:
            account = {
                "id": "LA" + row["member_id"], "program_id": "program-1", "balance": row["points"], "lifetime_points": row["points"],
                "customer_id": row["member_id"], "created_at": rfc(row["created_at"]), "updated_at": rfc(row["updated_at"]),
                "mapping": {"id": "LM" + row["member_id"], "phone_number": row["phone"]},
            }  # fmt: skip
            self.put("loyalty_account", account)

    def money(self, fen: int) -> Row:
        """Return an amount in minor units."""
        return {"amount": int(fen), "currency": self.currency}

    def _line(self, line: Row, quantity: int | None = None, net: int | None = None) -> Row:
        count = line["quantity"] if quantity is None else quantity
        total = line["net_fen"] if net is None else net
        gross = line["unit_fen"] * count
        return {
            "uid": line["line_id"], "catalog_object_id": line["sku_id"], "name": line["product_name"], "quantity": str(count),
            "item_type": "ITEM", "base_price_money": self.money(line["unit_fen"]), "gross_sales_money": self.money(gross),
            "total_discount_money": self.money(gross - total), "total_tax_money": self.money(0), "total_money": self.money(total),
            "modifiers": [
                {"uid": f"{line['line_id']}-{place}", "name": each["value"], "base_price_money": self.money(0), "total_price_money": self.money(0)}
                for place, each in enumerate(line["options"] or ())
            ],
        }  # fmt: skip

    def _order(self, row: Row, lines: Sequence[Row], tenders: Sequence[Row]) -> None:
        at, paid = rfc(row["ordered_at"]), row["paid_fen"]
        payments = [self._payment(row, each) for each in sorted(tenders, key=lambda each: each["tender_no"])]
        body = {
            "id": row["order_id"], "location_id": row["shop_id"], "source": {"name": "Point of Sale"}, "ticket_name": row["order_no"],
            "state": "CANCELED" if row["status"] == "void" else "COMPLETED", "created_at": at, "closed_at": at,
            "updated_at": rfc(row["updated_at"]), "customer_id": row["member_id"], "version": 1,
            "line_items": [self._line(line) for line in sorted(lines, key=lambda line: line["line_no"])],
            "tenders": [payment.pop("tender") for payment in payments], "total_money": self.money(paid),
            "total_tax_money": self.money(0), "total_discount_money": self.money(0), "total_tip_money": self.money(0),
            "total_service_charge_money": self.money(0), "rounding_adjustment": {"amount_money": self.money(row["rounding_fen"])},
        }  # fmt: skip
        self.put("order", {key: value for key, value in body.items() if value is not None})
        for payment in payments:
            self.put("payment", payment)
        self.tell_order("order.updated", body)

    def _payment(self, order: Row, row: Row) -> Row:
        uid = f"P{order['order_id']}{row['tender_no']}"
        kind, note = _TENDERS.get(row["tender"], ("OTHER", row["tender"]))
        at = rfc(row["paid_at"])
        tender = {"id": f"T{uid}", "location_id": order["shop_id"], "created_at": at, "type": kind, "payment_id": uid,
                  "amount_money": self.money(row["amount_fen"]), **({"note": note} if note else {})}  # fmt: skip
        return {
            "id": uid, "created_at": at, "updated_at": rfc(order["updated_at"]), "amount_money": self.money(row["amount_fen"]),
            "status": "COMPLETED", "source_type": kind, "location_id": order["shop_id"], "order_id": order["order_id"],
            "customer_id": order["member_id"], "team_member_id": order["guide_id"], "receipt_number": uid[-4:], "tender": tender,
        }  # fmt: skip

    def _refund(self, row: Row, lines: Sequence[Row]) -> None:
        at, amount = rfc(row["refunded_at"]), row["amount_fen"]
        back = [line for line in lines if row["whole"] or line["refunded_quantity"]] or list(lines[:1])
        counts = [line["quantity"] if row["whole"] else line["refunded_quantity"] or 1 for line in back]
        worth = [line["net_fen"] * count // max(line["quantity"], 1) for line, count in zip(back, counts, strict=True)]
        worth[-1] += amount - sum(worth)
        returned = []
        for line, count, net in zip(back, counts, worth, strict=True):
            shown = self._line(line, count, net)
            returned.append({**shown, "uid": f"R{shown['uid']}", "source_line_item_uid": shown["uid"]})
        order_id = f"R{row['refund_id']}"
        kind, note = _TENDERS.get(row["tender"], ("OTHER", row["tender"]))
        tender = {"id": f"T{order_id}", "type": kind, "amount_money": self.money(0), **({"note": note} if note else {})}
        refund = {
            "id": f"RF{row['refund_id']}", "location_id": row["shop_id"], "created_at": at, "updated_at": at, "status": "COMPLETED",
            "amount_money": self.money(amount), "reason": row["reason"], "order_id": order_id, "payment_id": f"P{row['order_id']}1",
        }  # fmt: skip
        self.put("refund", refund)
        body = {
            "id": order_id, "location_id": row["shop_id"], "state": "COMPLETED", "created_at": at, "updated_at": at, "closed_at": at,
            "customer_id": row["member_id"], "source": {"name": "Point of Sale"}, "total_money": self.money(0),
            "returns": [{"uid": f"U{order_id}", "source_order_id": row["order_id"], "return_line_items": returned}],
            "return_amounts": {"total_money": self.money(amount)}, "net_amounts": {"total_money": self.money(-amount)},
            "tenders": [tender], "refunds": [{**refund, "tender_id": tender["id"]}],
        }  # fmt: skip
        self.put("order", {key: value for key, value in body.items() if value is not None})

    def _points(self, row: Row) -> None:
        body = {
            "id": "LE" + row["entry_id"], "type": "ACCUMULATE_POINTS" if row["change"] >= 0 else "ADJUST_POINTS", "created_at": rfc(row["at"]),
            "loyalty_account_id": "LA" + row["member_id"], "source": "SQUARE",
        }  # fmt: skip
        detail = {"points": row["change"], "order_id": row["order_id"], "loyalty_program_id": "program-1"}
        self.put("event", {**body, body["type"].lower(): detail})


def _news(view: Any, table: str, since: dt.datetime | None) -> list[Row]:
    rows: list[Row] = view.table(table).to_pylist()
    if since is None:
        return rows
    column = "at" if table == "points" else "updated_at"
    return [row for row in rows if row[column] > since]


def _by_order(table: Any, wanted: Iterable[Row]) -> defaultdict[str, list[Row]]:
    ids = {row["order_id"] for row in wanted}
    found: defaultdict[str, list[Row]] = defaultdict(list)
    for row in table.to_pylist():
        if row["order_id"] in ids:
            found[row["order_id"]].append(row)
    return found
