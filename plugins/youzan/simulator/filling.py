"""The simulated chain's part of Youzan in tables: filled once, brought up to date as the world's time goes on."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from hub.simulation.server import DIGITS
from plugins.youzan.simulator.notices import Notices

__all__ = ["Filling"]

Row = dict[str, Any]

_STATUSES = {
    "closed": "TRADE_CLOSED", "paid": "WAIT_SELLER_SEND_GOODS", "completed": "TRADE_SUCCESS", "part_refunded": "TRADE_SUCCESS",
    "refunded": "TRADE_CLOSED", "void": "TRADE_CLOSED",
}  # fmt: skip
_CLOSING = {"closed": 1, "refunded": 2, "void": 5}
_REFUND_STATES = {"part_refunded": 2, "refunded": 12}


def stamp(value: dt.datetime | None) -> float | None:
    """Return a moment as Unix seconds, whole as the platform counts them."""
    return None if value is None else float(int(value.timestamp()))


class Filling(Notices):
    """Tables and how the world gets into them."""

    tables: ClassVar[str] = """
    CREATE TABLE IF NOT EXISTS shops (kdt_id TEXT PRIMARY KEY, shop_id TEXT NOT NULL, body TEXT NOT NULL);
    CREATE TABLE IF NOT EXISTS staff (staff_no TEXT PRIMARY KEY, kdt_id TEXT NOT NULL, body TEXT NOT NULL);
    CREATE TABLE IF NOT EXISTS items (channel_item_id TEXT PRIMARY KEY, channel INTEGER NOT NULL, body TEXT NOT NULL);
    CREATE TABLE IF NOT EXISTS levels (alias TEXT PRIMARY KEY, rank INTEGER NOT NULL, code TEXT NOT NULL, name TEXT NOT NULL,
      min_growth INTEGER NOT NULL);
    CREATE TABLE IF NOT EXISTS customers (
      open_id TEXT PRIMARY KEY, created REAL NOT NULL, updated REAL NOT NULL, status TEXT NOT NULL, points INTEGER NOT NULL,
      set_level TEXT, body TEXT NOT NULL);
    CREATE INDEX IF NOT EXISTS customers_created ON customers (created);
    CREATE INDEX IF NOT EXISTS customers_updated ON customers (updated);
    CREATE TABLE IF NOT EXISTS attributes (open_id TEXT, name TEXT, value TEXT NOT NULL, PRIMARY KEY (open_id, name));
    CREATE TABLE IF NOT EXISTS tag_groups (id INTEGER PRIMARY KEY, name TEXT UNIQUE NOT NULL, rule INTEGER NOT NULL);
    CREATE TABLE IF NOT EXISTS tags (id INTEGER PRIMARY KEY, category INTEGER NOT NULL, name TEXT NOT NULL, UNIQUE (category, name));
    CREATE TABLE IF NOT EXISTS customer_tags (open_id TEXT, tag INTEGER, by_hub INTEGER NOT NULL DEFAULT 0, PRIMARY KEY (open_id, tag));
    CREATE TABLE IF NOT EXISTS points_log (
      number INTEGER PRIMARY KEY, entry TEXT UNIQUE NOT NULL, open_id TEXT NOT NULL, change INTEGER NOT NULL, current INTEGER NOT NULL,
      reason TEXT NOT NULL, biz_value TEXT NOT NULL DEFAULT '', at REAL NOT NULL);
    CREATE INDEX IF NOT EXISTS points_of ON points_log (open_id, at);
    CREATE TABLE IF NOT EXISTS customer_cards (
      card_no TEXT PRIMARY KEY, open_id TEXT NOT NULL, alias TEXT NOT NULL, begins REAL NOT NULL, ends REAL NOT NULL, state INTEGER NOT NULL);
    CREATE TABLE IF NOT EXISTS activities (id INTEGER PRIMARY KEY, title TEXT NOT NULL, body TEXT NOT NULL, stock INTEGER NOT NULL);
    CREATE TABLE IF NOT EXISTS vouchers (
      coupon_id INTEGER PRIMARY KEY, activity INTEGER NOT NULL, open_id TEXT NOT NULL, code TEXT UNIQUE NOT NULL, source TEXT NOT NULL,
      sent REAL NOT NULL, ends REAL NOT NULL, used REAL, used_tid TEXT);
    CREATE INDEX IF NOT EXISTS vouchers_of ON vouchers (open_id);
    CREATE INDEX IF NOT EXISTS vouchers_sent ON vouchers (activity, sent);
    CREATE TABLE IF NOT EXISTS trades (
      tid TEXT PRIMARY KEY, copy_of TEXT, open_id TEXT, node INTEGER NOT NULL, status TEXT NOT NULL, created REAL NOT NULL,
      updated REAL NOT NULL, visible REAL NOT NULL, paid REAL, success REAL, paid_fen INTEGER NOT NULL, memo TEXT NOT NULL DEFAULT '',
      body TEXT);
    CREATE INDEX IF NOT EXISTS trades_updated ON trades (updated);
    CREATE INDEX IF NOT EXISTS trades_created ON trades (created);
    CREATE TABLE IF NOT EXISTS refunds (
      refund_id TEXT PRIMARY KEY, tid TEXT NOT NULL, node INTEGER NOT NULL, status TEXT NOT NULL, created REAL NOT NULL,
      updated REAL NOT NULL, body TEXT NOT NULL);
    CREATE INDEX IF NOT EXISTS refunds_updated ON refunds (updated);
    CREATE INDEX IF NOT EXISTS refunds_of ON refunds (tid);
    """

    def number_of(self, label: str, digits: int = 10) -> int:
        """Return the platform's number for a thing of the world; of 19 digits it does not fit into a double."""
        return int("1" + self.secret(label, length=digits - 1, alphabet=DIGITS))

    def item_of(self, product_id: str, channel: int = 0) -> int:
        """Return the item id that order lines carry."""
        return self.number_of(f"item {product_id} {channel}", 19)

    def activity_of(self, template: str) -> int:
        """Return the id of a coupon activity."""
        return self.number_of(f"activity {template}", 8)

    def catch_up(self, since: dt.datetime | None, state: Any) -> None:
        """Take over what the world has done since; what was written to the platform stays."""
        view = state.view(self.view)
        self._shops(view)
        self._goods(view)
        changed = {name: _news(view, name, since) for name in ("members", "orders", "refunds", "coupons", "points")}
        self._customers(changed["members"])
        self._points(changed["points"])
        self._coupons(changed["coupons"])
        self._trades(view, changed["orders"])
        self._refunds(view, changed["refunds"])
        if since is not None:
            self._tell(changed)

    def _shops(self, view: Any) -> None:
        shops = view.table("shops").to_pylist()
        self.db.load(
            "INSERT OR REPLACE INTO shops VALUES (?, ?, ?)",
            [(str(self.node_of(row["shop_id"])), row["shop_id"], _plain(row)) for row in shops],
        )
        staff = view.table("staff").to_pylist()
        self.db.load(
            "INSERT OR REPLACE INTO staff VALUES (?, ?, ?)",
            [(row["staff_id"], str(self.node_of(row["shop_id"])), _plain(row)) for row in staff],
        )

    def _goods(self, view: Any) -> None:
        products = view.table("products").to_pylist()
        self.db.load(
            "INSERT OR REPLACE INTO items VALUES (?, ?, ?)",
            [(str(self.item_of(row["product_id"])), 0, _plain(row)) for row in products],
        )
        self.db.load(
            "INSERT OR REPLACE INTO levels VALUES (?, ?, ?, ?, ?)",
            [
                (
                    "Y" + self.secret(f"level {row['level_code']}", length=13),
                    row["rank"],
                    row["level_code"],
                    row["name"],
                    row["from_fen"],
                )
                for row in view.table("levels").to_pylist()
            ],
        )
        self.db.load(
            "INSERT OR IGNORE INTO activities VALUES (?, ?, ?, ?)",
            [
                (self.activity_of(row["template_code"]), row["name"], _plain(row), 1_000_000)
                for row in view.table("coupon_templates").to_pylist()
            ],
        )

    def _customers(self, members: list[Row]) -> None:
        self.db.load(
            "INSERT INTO customers (open_id, created, updated, status, points, body) VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (open_id)"
            " DO UPDATE SET updated = excluded.updated, status = excluded.status, points = excluded.points, body = excluded.body",
            [
                (
                    row["member_id"],
                    stamp(row["created_at"]),
                    stamp(row["updated_at"]),
                    row["status"],
                    row["points"],
                    _plain(row),
                )
                for row in members
            ],
        )
        for row in members:
            for tag in row["tags"] or ():
                self.tag_customer(row["member_id"], self.tag_id(tag, 0))

    def tag_id(self, name: str, category: int) -> int:
        """Return the id of a tag, making it if there is none."""
        self.db.execute("INSERT OR IGNORE INTO tags (category, name) VALUES (?, ?)", category, name)
        return int(self.db.value("SELECT id FROM tags WHERE category = ? AND name = ?", category, name))

    def tag_customer(self, open_id: str, tag: int, *, by_hub: bool = False) -> int:
        """Give a customer a tag; return 1 if it is new."""
        return self.db.execute("INSERT OR IGNORE INTO customer_tags VALUES (?, ?, ?)", open_id, tag, int(by_hub))

    def _points(self, entries: list[Row]) -> None:
        self.db.load(
            "INSERT OR IGNORE INTO points_log (entry, open_id, change, current, reason, at) VALUES (?, ?, ?, ?, ?, ?)",
            [
                (row["entry_id"], row["member_id"], row["change"], row["balance"], row["reason"], stamp(row["at"]))
                for row in entries
            ],
        )

    def _coupons(self, coupons: list[Row]) -> None:
        self.db.load(
            "INSERT INTO vouchers VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (coupon_id)"
            " DO UPDATE SET used = excluded.used, used_tid = excluded.used_tid",
            [
                (
                    self.number_of(f"voucher {row['coupon_code']}"), self.activity_of(row["template_code"]), row["member_id"],
                    row["coupon_code"], row["source"], stamp(row["taken_at"]), stamp(row["expires_at"]), stamp(row["used_at"]),
                    row["used_order_id"],
                )
                for row in coupons
            ],
        )  # fmt: skip

    def _trades(self, view: Any, orders: list[Row]) -> None:
        lines, tenders = (_by_order(view.table(name), orders) for name in ("order_lines", "tenders"))
        self.db.load(
            "INSERT INTO trades (tid, open_id, node, status, created, updated, visible, paid, success, paid_fen, body)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (tid) DO UPDATE SET status = excluded.status,"
            " updated = max(updated, excluded.updated), visible = excluded.visible, paid = excluded.paid, success = excluded.success,"
            " body = excluded.body",
            [self._trade(row, lines[row["order_id"]], tenders[row["order_id"]]) for row in orders],
        )

    def _trade(self, row: Row, lines: list[Row], tenders: list[Row]) -> tuple[Any, ...]:
        updated = stamp(row["updated_at"]) or 0.0
        status = _STATUSES[row["status"]]
        body = {
            **_plain(row),
            "lines": [_plain(line) for line in sorted(lines, key=lambda line: line["line_no"])],
            "tenders": [_plain(tender) for tender in sorted(tenders, key=lambda tender: tender["tender_no"])],
            "close_type": _CLOSING.get(row["status"], 0),
            "refund_state": _REFUND_STATES.get(row["status"], 0),
        }
        return (
            row["order_id"], row["member_id"], self.node_of(row["shop_id"]), status, stamp(row["ordered_at"]), updated,
            updated + self.read_lag, stamp(row["paid_at"]), stamp(row["completed_at"]), row["paid_fen"], body,
        )  # fmt: skip

    def _refunds(self, view: Any, refunds: list[Row]) -> None:
        if not refunds:
            return
        lines = _by_order(view.table("order_lines"), refunds)
        self.db.load(
            "INSERT INTO refunds VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (refund_id)"
            " DO UPDATE SET status = excluded.status, updated = excluded.updated, body = excluded.body",
            [
                (
                    row["refund_id"], row["order_id"], self.node_of(row["shop_id"]),
                    "SUCCESS" if row["status"] == "success" else "WAIT_SELLER_AGREE", stamp(row["applied_at"]), stamp(row["updated_at"]),
                    {**_plain(row), "lines": [_plain(line) for line in lines[row["order_id"]]]},
                )
                for row in refunds
            ],
        )  # fmt: skip

    def _tell(self, changed: Mapping[str, list[Row]]) -> None:
        """Push what happened to those who have subscribed."""
        for row in changed["members"]:
            self.tell_customer(row)
        for row in changed["orders"]:
            kind = "trade_TradeClose" if _STATUSES[row["status"]] == "TRADE_CLOSED" else "trade_TradePaid"
            self.notify(kind, row["order_id"], {"tid": row["order_id"]}, node=self.node_of(row["shop_id"]))
        for row in changed["refunds"]:
            kind = "youzan_trade_RefundSuccess" if row["status"] == "success" else "youzan_trade_RefundCreated"
            self.notify(kind, row["refund_id"], {"tid": row["order_id"], "refund_id": row["refund_id"]})
        for row in changed["coupons"]:
            coupon = self.number_of(f"voucher {row['coupon_code']}")
            status = "CONSUME" if row["status"] == "used" else "TAKE"
            self.notify("COUPON_CUSTOMER_PROMOTION", str(coupon), {"id": str(coupon)}, status=status)

    def tell_customer(self, row: Row) -> None:
        """Push that a customer was made, changed, left or was merged."""
        open_id = row["member_id"]
        if row["status"] == "merged":
            msg = {"sourceYzOpenId": open_id, "targetYzOpenId": row["merged_into"]}
            self.notify("OPEN_PUSH_SCRM_MEMBER_MERGE", open_id, msg)
            return
        status = "CUSTOMER_CREATED" if row["created_at"] == row["updated_at"] else "CUSTOMER_UPDATED"
        gone = row["status"] == "closed"
        self.notify("SCRM_CUSTOMER_EVENT", open_id, {"yz_open_id": open_id, "is_log_off": gone}, status=status)


def _news(view: Any, table: str, since: dt.datetime | None) -> list[Row]:
    """Return the rows that are new or changed since a moment."""
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


def _plain(row: Mapping[str, Any]) -> Row:
    """Return a row with JSON values only: moments as Unix seconds, days as text."""
    return {name: _plain_value(value) for name, value in row.items()}


def _plain_value(value: Any) -> Any:
    if isinstance(value, dt.datetime):
        return stamp(value)
    return value.isoformat() if isinstance(value, dt.date) else value
