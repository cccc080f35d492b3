"""The simulated chain's tills in tables: filled once, brought up to date as the world's time goes on."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, Final

from hub.simulation.server import CHINA, DIGITS
from plugins.pos.pospal.simulator.gateway import Gateway

__all__ = ["PAY_CODES", "Filling", "time_of"]

Row = dict[str, Any]

PAY_CODES: Final = {
    "cash": ("payCode_1", "现金"),
    "stored_value": ("payCode_2", "储值卡"),
    "bank_card": ("payCode_3", "银联卡"),
    "alipay": ("payCode_11", "支付宝"),
    "wechat_pay": ("payCode_13", "微信支付"),
    "third_party_voucher": ("payCode_101", "美团团购券"),
    "points": ("payCode_5", "积分抵现"),
}
"""Code and name by the world's word. Codes above 100 are a merchant's own."""


def time_of(value: dt.datetime) -> str:
    """Write a moment as the platform does."""
    return value.astimezone(CHINA).strftime("%Y-%m-%d %H:%M:%S")


def yuan(fen: int) -> float:
    """Write an amount as the platform does."""
    return fen / 100


class Filling(Gateway):
    """Tables and how the world gets into them."""

    tables: ClassVar[str] = """
    CREATE TABLE IF NOT EXISTS members (
      id INTEGER PRIMARY KEY AUTOINCREMENT, uid TEXT UNIQUE NOT NULL, shop TEXT NOT NULL, point_fen INTEGER NOT NULL,
      balance_fen INTEGER NOT NULL, added_points INTEGER NOT NULL DEFAULT 0, added_fen INTEGER NOT NULL DEFAULT 0,
      enable INTEGER NOT NULL, level TEXT, remarks TEXT NOT NULL DEFAULT '', changed TEXT NOT NULL DEFAULT '{}', body TEXT NOT NULL);
    CREATE INDEX IF NOT EXISTS members_shop ON members (shop, id);
    CREATE TABLE IF NOT EXISTS tickets (
      id INTEGER PRIMARY KEY AUTOINCREMENT, uid TEXT UNIQUE NOT NULL, sn TEXT NOT NULL, shop TEXT NOT NULL, at TEXT NOT NULL,
      invalid INTEGER NOT NULL, customer TEXT, sale TEXT, body TEXT NOT NULL);
    CREATE INDEX IF NOT EXISTS tickets_shop ON tickets (shop, id);
    CREATE INDEX IF NOT EXISTS tickets_sn ON tickets (sn);
    CREATE INDEX IF NOT EXISTS tickets_sale ON tickets (sale);
    CREATE TABLE IF NOT EXISTS recharges (
      id INTEGER PRIMARY KEY AUTOINCREMENT, uid TEXT UNIQUE NOT NULL, shop TEXT NOT NULL, at TEXT NOT NULL, body TEXT NOT NULL);
    CREATE TABLE IF NOT EXISTS increments (
      id INTEGER PRIMARY KEY AUTOINCREMENT, customer TEXT NOT NULL, points INTEGER NOT NULL, fen INTEGER NOT NULL, at TEXT NOT NULL);
    CREATE TABLE IF NOT EXISTS coupon_rules (uid TEXT PRIMARY KEY, name TEXT NOT NULL, days INTEGER NOT NULL);
    CREATE TABLE IF NOT EXISTS coupons (
      id INTEGER PRIMARY KEY AUTOINCREMENT, rule TEXT NOT NULL, code TEXT UNIQUE NOT NULL, customer TEXT, shop TEXT NOT NULL,
      used TEXT, ticket TEXT, by_hub INTEGER NOT NULL DEFAULT 0);
    CREATE TABLE IF NOT EXISTS products (id INTEGER PRIMARY KEY AUTOINCREMENT, uid TEXT UNIQUE NOT NULL, body TEXT NOT NULL);
    CREATE TABLE IF NOT EXISTS categories (id INTEGER PRIMARY KEY AUTOINCREMENT, uid TEXT UNIQUE NOT NULL, name TEXT NOT NULL);
    CREATE TABLE IF NOT EXISTS cashiers (uid TEXT PRIMARY KEY, shop TEXT NOT NULL, body TEXT NOT NULL);
    CREATE TABLE IF NOT EXISTS levels (name TEXT PRIMARY KEY, rank INTEGER NOT NULL);
    """

    def number_of(self, label: str) -> int:
        """Return the platform's 18-digit number for a thing of the world; it does not fit into a double."""
        return int("3" + self.secret(label, length=17, alphabet=DIGITS))

    def catch_up(self, since: dt.datetime | None, state: Any) -> None:
        """Take over what the world has done since; what was written to the platform stays."""
        view = state.view(self.view)
        self.shop_ids += [shop for shop in view.table("shops")["shop_id"].to_pylist() if shop not in self.shop_ids]
        self._chain(view)
        news = {name: _news(view, name, since) for name in ("members", "orders", "refunds", "coupons", "stored_value")}
        self._members(view, news["members"])
        lines, tenders = (
            _by_order(view.table(name), [*news["orders"], *news["refunds"]]) for name in ("order_lines", "tenders")
        )
        told = since is not None
        for order in sorted(news["orders"], key=lambda row: row["received_at"]):
            self._order(order, lines[order["order_id"]], tenders[order["order_id"]], told=told)
        for refund in sorted(news["refunds"], key=lambda row: row["refund_id"]):
            if refund["status"] == "success":
                self._refund(refund, lines[refund["order_id"]], told=told)
        self._top_ups(news["stored_value"], told=told)
        self._coupons(news["coupons"])

    def _chain(self, view: Any) -> None:
        tables = {
            name: view.table(name).to_pylist()
            for name in ("staff", "products", "skus", "categories", "levels", "coupon_templates")
        }
        self.db.load(
            "INSERT OR IGNORE INTO cashiers VALUES (?, ?, ?)",
            [
                (
                    str(self.number_of(f"cashier {row['staff_id']}")),
                    row["shop_id"],
                    {
                        "jobNumber": row["job_number"],
                        "name": row["name"],
                        "tel": row["phone"],
                        "enable": int(row["status"] == "active"),
                    },
                )
                for row in tables["staff"]
            ],
        )
        self.db.load(
            "INSERT OR IGNORE INTO categories (uid, name) VALUES (?, ?)",
            [
                (str(self.number_of(f"category {row['category_code']}")), row["title_zh"])
                for row in tables["categories"]
            ],
        )
        self._products(tables["products"], tables["skus"])
        self.db.load(
            "INSERT OR IGNORE INTO levels VALUES (?, ?)", [(row["name"], row["rank"]) for row in tables["levels"]]
        )
        self.db.load(
            "INSERT OR IGNORE INTO coupon_rules VALUES (?, ?, ?)",
            [
                (str(self.number_of(f"rule {row['template_code']}")), row["name"], row["valid_days"])
                for row in tables["coupon_templates"]
            ],
        )

    def _products(self, products: list[Row], skus: list[Row]) -> None:
        of = {row["product_id"]: row for row in products}
        bodies = [
            (
                str(self.number_of(f"product {sku['sku_id']}")),
                {
                    "name": sku["name"], "barcode": sku["barcode"], "sellPrice": yuan(sku["price_fen"]),
                    "buyPrice": yuan(of[sku["product_id"]]["cost_fen"]), "enable": int(of[sku["product_id"]]["status"] == "on_sale"),
                    "categoryUid": self.number_of(f"category {of[sku['product_id']]['category_code']}"), "stock": 100.0,
                    "customerPrice": yuan(sku["price_fen"]), "isCustomerDiscount": 1, "pinyin": "",
                },
            )
            for sku in skus
        ]  # fmt: skip
        self.db.load(
            "INSERT INTO products (uid, body) VALUES (?, ?) ON CONFLICT (uid) DO UPDATE SET body = excluded.body",
            bodies,
        )

    def _members(self, view: Any, members: list[Row]) -> None:
        levels = {row["level_code"]: row["name"] for row in view.table("levels").to_pylist()}
        known = {str(row[0]) for row in self.db.rows("SELECT uid FROM members")}
        self.db.load(
            "INSERT INTO members (uid, shop, point_fen, balance_fen, enable, level, body) VALUES (?, ?, ?, ?, ?, ?, ?)"
            " ON CONFLICT (uid) DO UPDATE SET point_fen = excluded.point_fen, balance_fen = excluded.balance_fen,"
            " enable = excluded.enable, body = excluded.body",
            [
                (
                    row["member_id"], row["home_shop_id"], row["points"] * 100, row["balance_fen"],
                    1 if row["status"] == "active" else -1, levels.get(row["level_code"], ""), self._member_body(row),
                )
                for row in members
            ],
        )  # fmt: skip
        for row in members:
            if row["member_id"] not in known:
                self.tell("customer.new", row["home_shop_id"], {"customerUid": int(row["member_id"])})

    def _member_body(self, row: Row) -> Row:
        wechat = [
            {"openId": value, "openIdType": kind}
            for value, kind in ((row["openid"], 0), (row["unionid"], 1000))
            if value
        ]
        return {
            "number": row["card_no"],
            "name": row["name"] or "",
            "discount": 100,
            "phone": row["phone"] or "",
            "birthday": row["birthday"] or "",
            "qq": "",
            "email": row["email"] or "",
            "address": "",
            "createdDate": time_of(row["created_at"]),
            "onAccount": 0,
            "password": self.secret(f"password {row['member_id']}"),
            "expiryDate": None,
            "createStoreAppIdOrAccount": self.app_of(row["home_shop_id"]),
            "department": "",
            "weixinOpenIds": wechat,
            "extInfo": {"sex": {1: 1, 2: 0}.get(row["gender"]), "nickName": row["nickname"] or "", "creditLimit": 0},
        }

    def _order(self, row: Row, lines: list[Row], tenders: list[Row], *, told: bool) -> None:
        items = [self._item(line) for line in sorted(lines, key=lambda line: line["line_no"])]
        payments = [
            {"code": PAY_CODES[each["tender"]][0], "amount": yuan(each["amount_fen"])}
            for each in sorted(tenders, key=lambda each: each["tender_no"])
        ]
        cashier = self.number_of(f"cashier {row['guide_id']}") if row["guide_id"] else 0
        ticket = {
            "uid": int(row["order_id"]), "sn": row["order_no"], "datetime": time_of(row["ordered_at"]), "ticketType": "SELL",
            "invalid": int(row["status"] == "void"), "totalAmount": yuan(row["paid_fen"]), "totalProfit": 0.0, "discount": 100,
            "rounding": yuan(-row["rounding_fen"]), "customerUid": int(row["member_id"] or 0), "cashierUid": cashier,
            "remark": {"staff_purchase": "员工购买", "wholesale": "批发", "test": "测试"}.get(row["kind"], ""),
            "externalOrderNo": row["external_no"] or "", "payments": payments, "items": items,
        }  # fmt: skip
        self.put_ticket(row["shop_id"], ticket, told=told)

    def _item(self, line: Row, quantity: int | None = None, net_fen: int | None = None) -> Row:
        count = line["quantity"] if quantity is None else quantity
        return {
            "name": line["product_name"], "sellPrice": yuan(line["unit_fen"]), "quantity": count, "discount": 100,
            "totalAmount": yuan(line["net_fen"] if net_fen is None else net_fen),
            "productUid": self.number_of(f"product {line['sku_id']}"), "productBarcode": "", "isWeighing": 0,
            "ticketitemattributes": [
                {"attributeName": each["name"], "attributeValue": each["value"]} for each in line["options"] or ()
            ],
            "discountDetails": [], "saleGuiderList": [],
        }  # fmt: skip

    def _refund(self, row: Row, lines: list[Row], *, told: bool) -> None:
        sale = self.db.row("SELECT sn, body FROM tickets WHERE uid = ?", row["order_id"])
        if sale is None:
            return
        back = [line for line in lines if row["whole"] or line["refunded_quantity"]] or lines[:1]
        shares = _shares(row["amount_fen"], back, whole=row["whole"])
        items = [
            self._item(line, line["quantity"] if row["whole"] else line["refunded_quantity"] or 1, share)
            for line, share in zip(back, shares, strict=True)
        ]
        ticket = {
            "uid": self.number_of(f"refund {row['refund_id']}"), "sn": f"{sale['sn']}9", "datetime": time_of(row["refunded_at"]),
            "ticketType": "SELL_RETURN", "invalid": 0, "totalAmount": yuan(row["amount_fen"]), "totalProfit": 0.0, "discount": 100,
            "rounding": 0.0, "customerUid": int(row["member_id"] or 0), "cashierUid": 0, "remark": row["reason"],
            "externalOrderNo": "", "payments": [{"code": PAY_CODES[row["tender"]][0], "amount": yuan(row["amount_fen"])}],
            "items": items,
        }  # fmt: skip
        self.put_ticket(row["shop_id"], ticket, sale=row["order_id"], told=told)

    def put_ticket(
        self, shop_id: str, ticket: Mapping[str, Any], *, sale: str | None = None, told: bool = True
    ) -> None:
        """Take in a ticket from a till; one that is known already keeps its place in the list."""
        body = dict(ticket)
        uid, customer = str(body.pop("uid")), str(body.pop("customerUid", 0) or 0)
        invalid = int(body.pop("invalid", 0))
        before = self.db.value("SELECT invalid FROM tickets WHERE uid = ?", uid)
        self.db.execute(
            "INSERT INTO tickets (uid, sn, shop, at, invalid, customer, sale, body) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
            " ON CONFLICT (uid) DO UPDATE SET invalid = excluded.invalid, customer = excluded.customer, body = excluded.body",
            uid, body["sn"], shop_id, body["datetime"], invalid, customer, sale, body,
        )  # fmt: skip
        if told and (before is None or (invalid and not before)):
            message = {"sn": body["sn"], "customerUid": int(customer), "ticketType": body["ticketType"]}
            self.tell("ticket.reverse" if invalid else "ticket.new", shop_id, message)

    def _top_ups(self, entries: list[Row], *, told: bool) -> None:
        for row in entries:
            if row["reason"] != "top_up":
                continue
            member = self.db.row("SELECT shop FROM members WHERE uid = ?", row["member_id"])
            shop = member["shop"] if member else self.shop_ids[0]
            paid = row["change_fen"] - row["bonus_fen"]
            body = {
                "rechargeStoreAppId": self.app_of(shop), "rechargeStoreAccount": shop, "customerUid": int(row["member_id"]),
                "cashierUid": 0, "rechargeMoney": yuan(paid), "giftMoney": yuan(row["bonus_fen"]), "datetime": time_of(row["at"]),
                "uid": self.number_of(f"recharge {row['entry_id']}"), "payMethod": "微信支付", "payMethodCode": "payCode_13", "remark": "",
            }  # fmt: skip
            self.put_recharge(shop, body, told=told)

    def put_recharge(self, shop_id: str, body: Mapping[str, Any], *, told: bool = True) -> None:
        """Take in a top-up."""
        self.db.execute(
            "INSERT OR IGNORE INTO recharges (uid, shop, at, body) VALUES (?, ?, ?, ?)",
            str(body["uid"]), shop_id, body["datetime"], dict(body),
        )  # fmt: skip
        if told:
            self.tell("customer.recharge", shop_id, {"customerUid": body["customerUid"]})

    def _coupons(self, coupons: list[Row]) -> None:
        for row in coupons:
            order = self.db.row("SELECT shop, at FROM tickets WHERE uid = ?", row["used_order_id"] or "")
            member = self.db.row("SELECT shop FROM members WHERE uid = ?", row["member_id"])
            shop = order["shop"] if order else member["shop"] if member else self.shop_ids[0]
            used = time_of(row["used_at"]) if row["used_at"] else None
            self.db.execute(
                "INSERT INTO coupons (rule, code, customer, shop, used, ticket) VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (code)"
                " DO UPDATE SET used = excluded.used, ticket = excluded.ticket, shop = excluded.shop",
                str(self.number_of(f"rule {row['template_code']}")), row["coupon_code"], row["member_id"], shop, used,
                row["used_order_id"],
            )  # fmt: skip


def _shares(amount: int, lines: list[Row], *, whole: bool) -> list[int]:
    """Divide a refund among the lines that came back; the last one takes what is left."""
    worth = [
        line["net_fen"] if whole else line["net_fen"] * (line["refunded_quantity"] or 1) // max(line["quantity"], 1)
        for line in lines
    ]
    return [*worth[:-1], amount - sum(worth[:-1])]


def _news(view: Any, table: str, since: dt.datetime | None) -> list[Row]:
    rows: list[Row] = view.table(table).to_pylist()
    if since is None:
        return rows
    column = "at" if table == "stored_value" else "updated_at"
    return [row for row in rows if row[column] > since]


def _by_order(table: Any, wanted: Iterable[Row]) -> defaultdict[str, list[Row]]:
    ids = {row["order_id"] for row in wanted}
    found: defaultdict[str, list[Row]] = defaultdict(list)
    for row in table.to_pylist():
        if row["order_id"] in ids:
            found[row["order_id"]].append(row)
    return found
