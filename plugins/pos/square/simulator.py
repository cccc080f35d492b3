"""A local copy of Square's API, serving the tills of the simulated chain as a seller's account."""

from __future__ import annotations

import datetime as dt
import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from random import Random
from typing import Any, ClassVar, Final

import httpx

from hub.simulation.server import (
    Call,
    Caller,
    Code,
    Limit,
    Params,
    RefusalError,
    Reply,
    Simulator,
    Trouble,
    TroubleError,
    action,
    endpoint,
)
from hub.simulation.server.pushes import Push, PushRequest, Subscription
from hub.titles import Title
from plugins.pos.square.events import signature

__all__ = ["SquareSimulator"]

Row = dict[str, Any]
_CURSOR_SECONDS: Final = 300.0
_TENDERS: Final = {
    "cash": ("CASH", None), "bank_card": ("CARD", None), "wechat_pay": ("WALLET", "微信支付"), "alipay": ("WALLET", "支付宝"),
    "stored_value": ("OTHER", "储值"), "third_party_voucher": ("OTHER", "团购券"), "points": ("OTHER", "积分"),
}  # fmt: skip
_CATEGORY: Final = {401: "AUTHENTICATION_ERROR", 403: "AUTHENTICATION_ERROR", 429: "RATE_LIMIT_ERROR", 500: "API_ERROR"}


def rfc(value: dt.datetime) -> str:
    """Write a moment as the API does."""
    return value.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class SquareSimulator(Simulator):
    """Square, with the shops of the simulated chain as locations.

    Args:
        world: the simulated chain.
        denied: names of endpoints the token has no scope for.
        page_size: most rows per page; smaller than asked for where it is smaller.
        currency: currency of all amounts.
    """

    name = "pos.square"
    title = Title("Square 收银", "Square")
    view = "pos"
    in_demo = False
    tables = """
    CREATE TABLE IF NOT EXISTS things (
      kind TEXT, id TEXT, created TEXT NOT NULL, updated TEXT NOT NULL, location TEXT NOT NULL DEFAULT '', body TEXT NOT NULL,
      PRIMARY KEY (kind, id));
    CREATE INDEX IF NOT EXISTS things_updated ON things (kind, updated, id);
    CREATE INDEX IF NOT EXISTS things_created ON things (kind, created, id);
    CREATE TABLE IF NOT EXISTS customer_groups (customer TEXT, grp TEXT, PRIMARY KEY (customer, grp));
    """
    codes: ClassVar = {
        Trouble.NO_SUCH_ENDPOINT: Code("NOT_FOUND", "API endpoint for URL path not found.", 404),
        Trouble.WRONG_METHOD: Code("METHOD_NOT_ALLOWED", "Use {detail}.", 405),
        Trouble.BODY_MALFORMED: Code("EXPECTED_JSON_BODY", "{detail}", 400),
        Trouble.PARAMETER_MISSING: Code("MISSING_REQUIRED_PARAMETER", "Missing required parameter {field}.", 400),
        Trouble.PARAMETER_INVALID: Code("INVALID_VALUE", "{field}: {detail}", 400),
        Trouble.TOKEN_MISSING: Code("UNAUTHORIZED", "This request could not be authorized.", 401),
        Trouble.TOKEN_UNKNOWN: Code("UNAUTHORIZED", "This request could not be authorized.", 401),
        Trouble.NOT_PERMITTED: Code(
            "INSUFFICIENT_SCOPES", "The merchant has not given your application {detail}.", 403
        ),
        Trouble.RATE_LIMITED: Code("RATE_LIMITED", "Too many requests.", 429),
        Trouble.CURSOR_INVALID: Code("INVALID_CURSOR", "The cursor is invalid: {detail}.", 400),
        Trouble.BUSY: Code("SERVICE_UNAVAILABLE", "Service unavailable.", 503),
    }
    push_retries = (60.0, 300.0, 3600.0)

    def __init__(
        self,
        world: Any = None,
        *,
        denied: Iterable[str] = (),
        page_size: int = 1000,
        currency: str = "CNY",
        limit: Limit | None = None,
        **base: Any,
    ) -> None:
        self.denied = set(denied)
        self.page_size = page_size
        self.currency = currency
        self.limits = [limit] if limit else []
        super().__init__(world, **base)

    # ---- who calls, and the envelope ---------------------------------------------------------------------------------

    def make_credentials(self) -> dict[str, str]:
        """Return the access token."""
        return {"access_token": "EAAA" + self.secret("token", length=40)}

    @property
    def webhook_key(self) -> str:
        """The signature key of webhook subscriptions."""
        return self.secret("webhook", length=22)

    def authenticate(self, call: Call) -> Caller:
        """Check the token, and that a version is named."""
        token = self.token_of(call)
        if token != self.credentials["access_token"]:
            raise TroubleError(Trouble.TOKEN_UNKNOWN)
        try:
            dt.date.fromisoformat(call.headers.get("square-version", ""))
        except ValueError:
            raise RefusalError("INVALID_SQUARE_VERSION_FORMAT", "Square-Version: YYYY-MM-DD", status=400) from None
        return Caller("seller", token="")

    def authorise(self, call: Call) -> None:
        """Refuse what the token has no scope for."""
        if call.endpoint is not None and call.endpoint.name in self.denied:
            raise TroubleError(Trouble.NOT_PERMITTED, call.endpoint.name)

    def error_reply(self, call: Call, refusal: RefusalError) -> Reply:  # noqa: ARG002
        """Return a refusal in Square's list of errors."""
        category = _CATEGORY.get(refusal.status, "INVALID_REQUEST_ERROR" if refusal.status < 500 else "API_ERROR")
        error = {"category": category, "code": refusal.code, "detail": refusal.message}
        return Reply.json({"errors": [error]}, status=refusal.status)

    def connection(self, base_url: str) -> dict[str, object]:
        """Return a connection that is quick: the simulator allows more calls than the platform."""
        since = {"since": self.world.start.date().isoformat()} if self.world is not None else {}
        return {"base_url": base_url, **self.credentials, "calls_per_second": 1000, "settle_seconds": 0, **since}

    def syncs(self, connection: str) -> str:
        """Return a sync that makes sense here: segments as customer groups."""
        return f"""
[syncs.{connection}_groups]
to = "{connection}"
target = "group"
key = "profile"
segments = ["rfm_champions", "rfm_at_risk"]
fields = {{ groups = "segments" }}
"""

    def received(self) -> Mapping[str, int]:
        """Return counts of what was written to the platform."""
        return {"customers in groups": int(self.db.value("SELECT count(*) FROM customer_groups"))}

    # ---- the world ---------------------------------------------------------------------------------------------------

    def put(self, kind: str, body: Mapping[str, Any], *, location: str = "") -> None:
        """Add or replace an object; ``created_at`` and ``updated_at`` are its own."""
        created = str(body.get("created_at") or rfc(self.clock.now()))
        updated = str(body.get("updated_at") or created)
        place = location or str(body.get("location_id") or "")
        self.db.execute(
            "INSERT INTO things VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (kind, id) DO UPDATE SET updated = excluded.updated,"
            " body = excluded.body",
            kind, body["id"], created, updated, place, dict(body),
        )  # fmt: skip

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

    # ---- endpoints ---------------------------------------------------------------------------------------------------

    def _list(
        self,
        call: Call,
        kind: str,
        key: str,
        *,
        most: int,
        where: str = "",
        values: Sequence[object] = (),
        order: str = "created",
    ) -> Row:
        """Give a page of objects, and a cursor bound to the query if there is more."""
        size = min(call.params.integer("limit", most, least=1, most=most), self.page_size)
        column, _, direction = order.partition(" ")
        later = "<" if direction == "DESC" else ">"
        query = {name: value for name, value in call.params.items() if name != "cursor"}
        place: list[str] = []
        if cursor := call.params.text("cursor", ""):
            place = self.cursors.open(cursor, query=query)
        after = f"AND ({column}, id) {later} (?, ?)" if place else ""
        rows = self.db.rows(
            f"SELECT * FROM things WHERE kind = ? {where} {after} ORDER BY {column} {direction}, id {direction} LIMIT ?",
            kind, *values, *place, size + 1,
        )  # fmt: skip
        shown = rows[:size]
        answer: Row = {key: [self._shown(kind, row) for row in shown]} if shown else {}
        if len(rows) > size:
            last = [shown[-1][column], shown[-1]["id"]]
            answer["cursor"] = self.cursors.seal(last, query=query, lifetime=_CURSOR_SECONDS)
        return answer

    def _shown(self, kind: str, row: Any) -> Row:
        body: Row = json.loads(row["body"])
        if kind == "customer":
            groups = self.db.rows("SELECT grp FROM customer_groups WHERE customer = ? ORDER BY grp", row["id"])
            return {**body, **({"group_ids": [str(each[0]) for each in groups]} if groups else {})}
        return body

    def _one(self, kind: str, uid: str) -> Row:
        row = self.db.row("SELECT * FROM things WHERE kind = ? AND id = ?", kind, uid)
        if row is None:
            raise RefusalError("NOT_FOUND", f"Resource not found: {kind}.", status=404)
        return self._shown(kind, row)

    @endpoint("GET", "/v2/locations", name="locations")
    def list_locations(self, call: Call) -> object:
        """Give the locations."""
        return self._list(call, "location", "locations", most=1000)

    @endpoint("GET", "/v2/customers", name="customers.list", paged=True)
    def list_customers(self, call: Call) -> object:
        """Give all customers."""
        return self._list(call, "customer", "customers", most=100)

    @endpoint("POST", "/v2/customers/search", name="customers.search", paged=True)
    def search_customers(self, call: Call) -> object:
        """Give customers by time of change or group."""
        chosen = _query(call).get("filter") or {}
        where, values = _span(chosen.get("updated_at"), "updated")
        wanted = (chosen.get("group_ids") or {}).get("any") or []
        if wanted:
            marks = ", ".join("?" * len(wanted))
            where += f" AND id IN (SELECT customer FROM customer_groups WHERE grp IN ({marks}))"
            values += wanted
        return self._list(call, "customer", "customers", most=100, where=where, values=values)

    @endpoint("GET", "/v2/customers/groups", name="groups.list", paged=True)
    def list_groups(self, call: Call) -> object:
        """Give the groups."""
        return self._list(call, "group", "groups", most=50)

    @endpoint("POST", "/v2/customers/groups", name="groups.create", write=True)
    def create_group(self, call: Call) -> object:
        """Make a group; the same idempotency key gives the same group."""
        key = call.params.text("idempotency_key", "")
        if key and (known := self.db.done("group", key)):
            return known
        given = call.params.mapping("group")
        now = rfc(self.clock.now())
        number = self.db.value("SELECT count(*) FROM things WHERE kind = 'group'")
        group = {
            "id": self.secret(f"group {number}", length=20).upper(),
            "name": given["name"],
            "created_at": now,
            "updated_at": now,
        }
        self.put("group", group)
        if key:
            self.db.mark_done("group", key, {"group": group})
        return {"group": group}

    @endpoint("GET", "/v2/customers/segments", name="segments.list", paged=True)
    def list_segments(self, call: Call) -> object:
        """Give the segments: none."""
        return self._list(call, "segment", "segments", most=50)

    @endpoint("GET", "/v2/customers/{customer_id}", name="customers.get")
    def get_customer(self, call: Call) -> object:
        """Give one customer."""
        return {"customer": self._one("customer", call.path_values["customer_id"])}

    @endpoint("PUT", "/v2/customers/{customer_id}/groups/{group_id}", name="groups.add", write=True)
    def add_to_group(self, call: Call) -> object:
        """Put a customer into a group."""
        customer, group = call.path_values["customer_id"], call.path_values["group_id"]
        self._one("customer", customer)
        self._one("group", group)
        self.db.execute("INSERT OR IGNORE INTO customer_groups VALUES (?, ?)", customer, group)
        return {}

    @endpoint("DELETE", "/v2/customers/{customer_id}/groups/{group_id}", name="groups.remove", write=True)
    def remove_from_group(self, call: Call) -> object:
        """Take a customer out of a group."""
        customer, group = call.path_values["customer_id"], call.path_values["group_id"]
        self._one("customer", customer)
        self.db.execute("DELETE FROM customer_groups WHERE customer = ? AND grp = ?", customer, group)
        return {}

    @endpoint("POST", "/v2/orders/search", name="orders.search", paged=True)
    def search_orders(self, call: Call) -> object:
        """Give orders of at most ten locations; the sort has to go by the field that is filtered."""
        locations = call.params.array("location_ids", most=10)
        query = _query(call)
        times = ((query.get("filter") or {}).get("date_time_filter")) or {}
        sort = query.get("sort") or {}
        if times and str(sort.get("sort_field", "")).lower() not in times:
            raise RefusalError("BAD_REQUEST", "sort_field must match the date_time_filter.", status=400)
        field = next(iter(times), "created_at").removesuffix("_at")
        column = "updated" if field == "updated" else "created"
        where, values = _span(times.get(f"{field}_at"), column)
        where += f" AND location IN ({', '.join('?' * len(locations))})"
        order = f"{column} {'ASC' if sort.get('sort_order') == 'ASC' else 'DESC'}"
        return self._list(call, "order", "orders", most=1000, where=where, values=[*values, *locations], order=order)

    @endpoint("POST", "/v2/orders/batch-retrieve", name="orders.batch")
    def batch_retrieve(self, call: Call) -> object:
        """Give orders by id; those that are not there are left out."""
        ids = call.params.array("order_ids", most=100)
        marks = ", ".join("?" * len(ids))
        rows = self.db.rows(f"SELECT * FROM things WHERE kind = 'order' AND id IN ({marks}) ORDER BY id", *ids)
        return {"orders": [self._shown("order", row) for row in rows]}

    @endpoint("GET", "/v2/orders/{order_id}", name="orders.get")
    def get_order(self, call: Call) -> object:
        """Give one order."""
        return {"order": self._one("order", call.path_values["order_id"])}

    @endpoint("GET", "/v2/payments", name="payments.list", paged=True)
    def list_payments(self, call: Call) -> object:
        """Give payments, of the main location where none is named."""
        main = self.db.value("SELECT id FROM things WHERE kind = 'location' ORDER BY created, id")
        return self._by_time(call, "payment", "payments", call.params.text("location_id", main))

    @endpoint("GET", "/v2/refunds", name="refunds.list", paged=True)
    def list_refunds(self, call: Call) -> object:
        """Give refunds."""
        return self._by_time(call, "refund", "refunds", call.params.text("location_id", ""))

    def _by_time(self, call: Call, kind: str, key: str, location: str | None) -> Row:
        span = {
            "start_at": call.params.text("updated_at_begin_time", "") or None,
            "end_at": call.params.text("updated_at_end_time", "") or None,
        }
        where, values = _span(span, "updated")
        if location:
            where, values = f"{where} AND location = ?", [*values, location]
        order = "updated" if call.params.text("sort_field", "") == "UPDATED_AT" else "created"
        direction = "ASC" if call.params.text("sort_order", "DESC") == "ASC" else "DESC"
        return self._list(call, kind, key, most=100, where=where, values=values, order=f"{order} {direction}")

    @endpoint("POST", "/v2/loyalty/accounts/search", name="loyalty.accounts", paged=True)
    def search_loyalty_accounts(self, call: Call) -> object:
        """Give loyalty accounts."""
        return self._list(call, "loyalty_account", "loyalty_accounts", most=200)

    @endpoint("POST", "/v2/loyalty/events/search", name="loyalty.events", paged=True)
    def search_loyalty_events(self, call: Call) -> object:
        """Give loyalty events, newest first."""
        chosen = _query(call).get("filter") or {}
        where, values = _span((chosen.get("date_time_filter") or {}).get("created_at"), "created")
        return self._list(call, "event", "events", most=30, where=where, values=values, order="created DESC")

    def shift_page(self, call: Call, draw: Random) -> None:  # noqa: ARG002
        """Somebody opens an order and saves it unchanged: it has a new time of change."""
        row = self.db.row(
            "SELECT id, body FROM things WHERE kind = 'order' ORDER BY id LIMIT 1 OFFSET ?", draw.randrange(50)
        )
        if row is not None:
            now = rfc(self.clock.now())
            self.put("order", {**json.loads(row["body"]), "updated_at": now})

    # ---- webhooks ----------------------------------------------------------------------------------------------------

    @action
    def subscribe(self, params: Params) -> object:
        """A webhook subscription is made for ``url``."""
        self.pushes.subscribe("seller", params.text("url"))
        return {"signature_key": self.webhook_key}

    def tell(self, kind: str, uid: str, held: Mapping[str, Any]) -> None:
        """Queue an event."""
        self.pushes.publish(kind, {"type": kind.split(".")[0], "id": uid, "object": dict(held)}, account="seller")

    def tell_order(self, kind: str, order: Mapping[str, Any]) -> None:
        """Queue an event about an order: a stub, the order has to be fetched."""
        stub = {name: order.get(name) for name in ("version", "location_id", "state", "created_at", "updated_at")}
        self.tell(kind, str(order["id"]), {kind.replace(".", "_"): {"order_id": order["id"], **stub}})

    def push_request(self, push: Push, subscription: Subscription) -> PushRequest:
        """Return an event signed with the subscription's key."""
        created = rfc(dt.datetime.fromtimestamp(push.created, dt.UTC))
        body = {
            "merchant_id": "M1",
            "type": push.topic,
            "event_id": push.message_id,
            "created_at": created,
            "data": push.data,
        }
        raw = json.dumps(body, ensure_ascii=False).encode()
        signed = signature(self.webhook_key, subscription.url, raw)
        return PushRequest(raw, {"content-type": "application/json", "x-square-hmacsha256-signature": signed})

    def push_accepted(self, response: httpx.Response) -> bool:
        """Say whether the receiver has acknowledged."""
        return response.is_success


def _query(call: Call) -> Mapping[str, Any]:
    found: Mapping[str, Any] | None = call.params.mapping("query", None)
    return found or {}


def _span(given: Mapping[str, Any] | None, column: str) -> tuple[str, list[object]]:
    """A time range as SQL; milliseconds are dropped, as whole seconds are kept."""
    where, values = "", []
    for name, sign in (("start_at", ">="), ("end_at", "<")):
        if given and given.get(name):
            where += f" AND {column} {sign} ?"
            values.append(rfc(dt.datetime.fromisoformat(str(given[name]))))
    return where, list(values)


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
