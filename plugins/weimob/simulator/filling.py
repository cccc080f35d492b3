"""The simulated chain's part of Weimob in tables: filled once, brought up to date as the world's time goes on."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, Final

from plugins.weimob.simulator.gateway import Gateway

__all__ = ["Filling", "Row", "stamp"]

Row = dict[str, Any]

_STATUSES: Final = {"closed": 9, "paid": 3, "completed": 8, "part_refunded": 8, "refunded": 8, "void": 9}
_OWN_TAG: Final = "门店标签"


def stamp(value: dt.datetime | None) -> int | None:
    """Return a moment as epoch milliseconds."""
    return None if value is None else int(value.timestamp() * 1000)


class Filling(Gateway):
    """Tables and how the world gets into them."""

    tables: ClassVar[str] = """
    CREATE TABLE IF NOT EXISTS shops (vid INTEGER PRIMARY KEY, shop_id TEXT NOT NULL, body TEXT NOT NULL);
    CREATE TABLE IF NOT EXISTS guides (wid INTEGER PRIMARY KEY, vid INTEGER NOT NULL, active INTEGER NOT NULL, body TEXT NOT NULL);
    CREATE TABLE IF NOT EXISTS goods (goods_id INTEGER PRIMARY KEY, updated INTEGER NOT NULL, body TEXT NOT NULL);
    CREATE TABLE IF NOT EXISTS levels (level_id INTEGER PRIMARY KEY, code TEXT NOT NULL, rank INTEGER NOT NULL, name TEXT NOT NULL);
    CREATE TABLE IF NOT EXISTS customers (
      wid INTEGER PRIMARY KEY, created INTEGER NOT NULL, updated INTEGER NOT NULL, status TEXT NOT NULL, into_wid INTEGER,
      guide INTEGER, set_level INTEGER, fields TEXT NOT NULL DEFAULT '{}', body TEXT NOT NULL);
    CREATE INDEX IF NOT EXISTS customers_created ON customers (created);
    CREATE INDEX IF NOT EXISTS customers_guide ON customers (guide);
    CREATE TABLE IF NOT EXISTS tags (tag_id INTEGER PRIMARY KEY, name TEXT UNIQUE NOT NULL, type INTEGER NOT NULL);
    CREATE TABLE IF NOT EXISTS tag_values (attr_id INTEGER PRIMARY KEY, tag_id INTEGER NOT NULL, name TEXT NOT NULL, UNIQUE (tag_id, name));
    CREATE TABLE IF NOT EXISTS customer_tags (
      wid INTEGER, attr_id INTEGER, by_hub INTEGER NOT NULL DEFAULT 0, at INTEGER NOT NULL, PRIMARY KEY (wid, attr_id));
    CREATE TABLE IF NOT EXISTS ledger (
      number INTEGER PRIMARY KEY, account TEXT NOT NULL, wid INTEGER NOT NULL, change INTEGER NOT NULL, request TEXT NOT NULL,
      reason TEXT NOT NULL, at INTEGER NOT NULL);
    CREATE INDEX IF NOT EXISTS ledger_of ON ledger (account, wid);
    CREATE TABLE IF NOT EXISTS templates (
      template_id INTEGER PRIMARY KEY, name TEXT NOT NULL, stock INTEGER NOT NULL, per_user INTEGER NOT NULL, status INTEGER NOT NULL,
      body TEXT NOT NULL);
    CREATE TABLE IF NOT EXISTS coupons (
      number INTEGER PRIMARY KEY AUTOINCREMENT, code TEXT UNIQUE NOT NULL, template_id INTEGER NOT NULL, wid INTEGER NOT NULL,
      request TEXT NOT NULL DEFAULT '', taken INTEGER NOT NULL, expires INTEGER NOT NULL, used INTEGER, used_order TEXT,
      updated INTEGER NOT NULL);
    CREATE INDEX IF NOT EXISTS coupons_of ON coupons (template_id, number);
    CREATE TABLE IF NOT EXISTS orders (
      order_no INTEGER PRIMARY KEY, copy_of INTEGER, wid INTEGER, vid INTEGER NOT NULL, status INTEGER NOT NULL, created INTEGER NOT NULL,
      updated INTEGER NOT NULL, paid INTEGER, paid_fen INTEGER NOT NULL, body TEXT);
    CREATE INDEX IF NOT EXISTS orders_updated ON orders (updated);
    CREATE INDEX IF NOT EXISTS orders_created ON orders (created);
    CREATE TABLE IF NOT EXISTS rights (
      rights_id INTEGER PRIMARY KEY, order_no INTEGER NOT NULL, status INTEGER NOT NULL, created INTEGER NOT NULL,
      updated INTEGER NOT NULL, body TEXT NOT NULL);
    CREATE INDEX IF NOT EXISTS rights_updated ON rights (updated);
    """

    def goods_of(self, product_id: str) -> int:
        """Return the goodsId of an article."""
        return self.number_of(f"goods {product_id}")

    def level_of(self, code: str | None) -> int:
        """Return the levelId of a level of the chain."""
        return self.number_of(f"level {code}", 8)

    def template_of(self, code: str) -> int:
        """Return the id of a coupon template."""
        return self.number_of(f"template {code}", 8)

    def catch_up(self, since: dt.datetime | None, state: Any) -> None:
        """Take over what the world has done since; what was written to the platform stays."""
        view = state.view(self.view)
        self._chain(view)
        changed = {name: _news(view, name, since) for name in ("members", "orders", "refunds", "coupons")}
        self._customers(changed["members"])
        self._coupons(changed["coupons"])
        self._orders(view, changed["orders"])
        self._rights(view, changed["refunds"])
        if since is not None:
            self._tell(changed)

    def _chain(self, view: Any) -> None:
        tables = {
            name: view.table(name).to_pylist() for name in ("shops", "staff", "products", "levels", "coupon_templates")
        }
        self.db.load(
            "INSERT OR REPLACE INTO shops VALUES (?, ?, ?)",
            [(self.vid_of(row["shop_id"]), row["shop_id"], _plain(row)) for row in tables["shops"]],
        )
        self.db.load(
            "INSERT OR REPLACE INTO guides VALUES (?, ?, ?, ?)",
            [
                (self.guide_of(row["staff_id"]), self.vid_of(row["shop_id"]), int(row["left_at"] is None), _plain(row))
                for row in tables["staff"]
            ],
        )
        self.db.load(
            "INSERT OR REPLACE INTO goods VALUES (?, ?, ?)",
            [(self.goods_of(row["product_id"]), stamp(row["updated_at"]), _plain(row)) for row in tables["products"]],
        )
        self.db.load(
            "INSERT OR REPLACE INTO levels VALUES (?, ?, ?, ?)",
            [
                (self.level_of(row["level_code"]), row["level_code"], row["rank"], row["name"])
                for row in tables["levels"]
            ],
        )
        self.db.load(
            "INSERT OR IGNORE INTO templates VALUES (?, ?, 1000000, 1000, 1, ?)",
            [(self.template_of(row["template_code"]), row["name"], _plain(row)) for row in tables["coupon_templates"]],
        )

    def _customers(self, members: list[Row]) -> None:
        self.db.load(
            "INSERT INTO customers (wid, created, updated, status, into_wid, guide, body) VALUES (?, ?, ?, ?, ?, ?, ?)"
            " ON CONFLICT (wid) DO UPDATE SET updated = excluded.updated, status = excluded.status, into_wid = excluded.into_wid,"
            " guide = excluded.guide, body = excluded.body",
            [
                (
                    int(row["member_id"]), stamp(row["created_at"]), stamp(row["updated_at"]), row["status"],
                    int(row["merged_into"]) if row["merged_into"] else None,
                    self.guide_of(row["guide_id"]) if row["guide_id"] else None, _plain(row),
                )
                for row in members
            ],
        )  # fmt: skip
        for row in members:
            for name in row["tags"] or ():
                self.tag_customer(int(row["member_id"]), self.value_id(self.tag_id(_OWN_TAG), name))

    def tag_id(self, name: str, kind: int = 1) -> int:
        """Return the id of a tag, making it if there is none."""
        self.db.execute("INSERT OR IGNORE INTO tags VALUES (?, ?, ?)", self.number_of(f"tag {name}"), name, kind)
        return int(self.db.value("SELECT tag_id FROM tags WHERE name = ?", name))

    def value_id(self, tag: int, name: str) -> int:
        """Return the id of a tag's value, making it if there is none."""
        self.db.execute(
            "INSERT OR IGNORE INTO tag_values VALUES (?, ?, ?)", self.number_of(f"value {tag} {name}"), tag, name
        )
        return int(self.db.value("SELECT attr_id FROM tag_values WHERE tag_id = ? AND name = ?", tag, name))

    def tag_customer(self, wid: int, value: int, *, by_hub: bool = False) -> int:
        """Give a customer a value of a tag; return 1 if it is new."""
        return self.db.execute(
            "INSERT OR IGNORE INTO customer_tags VALUES (?, ?, ?, ?)", wid, value, int(by_hub), self.present()
        )

    def _coupons(self, coupons: list[Row]) -> None:
        self.db.load(
            "INSERT INTO coupons (code, template_id, wid, taken, expires, used, used_order, updated) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
            " ON CONFLICT (code) DO UPDATE SET used = excluded.used, used_order = excluded.used_order, updated = excluded.updated",
            [
                (
                    row["coupon_code"], self.template_of(row["template_code"]), int(row["member_id"]), stamp(row["taken_at"]),
                    stamp(row["expires_at"]), stamp(row["used_at"]), row["used_order_id"], stamp(row["updated_at"]),
                )
                for row in coupons
            ],
        )  # fmt: skip

    def _orders(self, view: Any, orders: list[Row]) -> None:
        lines, tenders = (_by_order(view.table(name), orders) for name in ("order_lines", "tenders"))
        self.db.load(
            "INSERT INTO orders VALUES (?, NULL, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (order_no) DO UPDATE SET wid = excluded.wid,"
            " status = excluded.status, updated = max(updated, excluded.updated), paid = excluded.paid, body = excluded.body",
            [
                (
                    int(row["order_id"]), int(row["member_id"]) if row["member_id"] else None, self.vid_of(row["shop_id"]),
                    _STATUSES[row["status"]], stamp(row["ordered_at"]), stamp(row["updated_at"]), stamp(row["paid_at"]), row["paid_fen"],
                    {
                        **_plain(row),
                        "lines": [_plain(each) for each in sorted(lines[row["order_id"]], key=lambda line: line["line_no"])],
                        "tenders": [_plain(each) for each in sorted(tenders[row["order_id"]], key=lambda tender: tender["tender_no"])],
                    },
                )
                for row in orders
            ],
        )  # fmt: skip

    def _rights(self, view: Any, refunds: list[Row]) -> None:
        lines = _by_order(view.table("order_lines"), refunds) if refunds else {}
        self.db.load(
            "INSERT INTO rights VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (rights_id)"
            " DO UPDATE SET status = excluded.status, updated = excluded.updated, body = excluded.body",
            [
                (
                    self.rights_of(row["refund_id"]), int(row["order_id"]), 6 if row["status"] == "success" else 1,
                    stamp(row["applied_at"]), stamp(row["updated_at"]),
                    {**_plain(row), "lines": [_plain(line) for line in lines[row["order_id"]]]},
                )
                for row in refunds
            ],
        )  # fmt: skip

    def rights_of(self, refund_id: str) -> int:
        """Return the platform's number of a refund of the world."""
        return self.number_of(f"rights {refund_id}")

    def _tell(self, changed: Mapping[str, list[Row]]) -> None:
        """Push what happened to those who have subscribed."""
        for row in changed["members"]:
            self._tell_customer(row)
        for row in changed["orders"]:
            body = {"orderNo": int(row["order_id"]), "orderStatus": _STATUSES[row["status"]], "updateType": 1}
            self.notify("weimob_shop.order", "statusUpdate", body)
        for row in changed["refunds"]:
            self.notify(
                "weimob_shop.rights",
                "statusUpdate",
                {"rightsId": self.rights_of(row["refund_id"]), "orderNo": int(row["order_id"])},
            )
        for row in changed["coupons"]:
            event = "consumeCoupon" if row["status"] == "used" else "receiveCoupon"
            body = {
                "code": row["coupon_code"],
                "couponTemplateId": self.template_of(row["template_code"]),
                "wid": int(row["member_id"]),
            }
            self.notify("weimob_crm.coupon", event, body)

    def _tell_customer(self, row: Row) -> None:
        wid = int(row["member_id"])
        if row["status"] == "merged":
            self.notify("bos.user", "widMerge", {"oldWid": wid, "wid": int(row["merged_into"])})
        elif row["status"] == "closed":
            self.notify("bos.user", "accountCancellationEvent", {"wid": wid})
        elif row["created_at"] == row["updated_at"]:
            self.notify("weimob_crm.customer", "create", {"widList": [wid], "membershipType": 1})
        else:
            self.notify("weimob_crm.customer", "update", {"wid": wid})


def _news(view: Any, table: str, since: dt.datetime | None) -> list[Row]:
    """Return the rows that are new or changed since a moment."""
    rows: list[Row] = view.table(table).to_pylist()
    return rows if since is None else [row for row in rows if row["updated_at"] > since]


def _by_order(table: Any, wanted: Iterable[Row]) -> defaultdict[str, list[Row]]:
    ids = {row["order_id"] for row in wanted}
    found: defaultdict[str, list[Row]] = defaultdict(list)
    for row in table.to_pylist():
        if row["order_id"] in ids:
            found[row["order_id"]].append(row)
    return found


def _plain(row: Mapping[str, Any]) -> Row:
    """Return a row with JSON values only: moments as milliseconds, days as text."""
    return {name: _plain_value(value) for name, value in row.items()}


def _plain_value(value: Any) -> Any:
    if isinstance(value, dt.datetime):
        return stamp(value)
    return value.isoformat() if isinstance(value, dt.date) else value
