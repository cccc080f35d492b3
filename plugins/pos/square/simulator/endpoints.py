"""The endpoints."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping, Sequence
from random import Random
from typing import Any, Final

from hub.simulation.server import Call, RefusalError, endpoint
from plugins.pos.square.simulator.account import rfc
from plugins.pos.square.simulator.filling import Filling

__all__ = ["Endpoints"]

Row = dict[str, Any]
_CURSOR_SECONDS: Final = 300.0


class Endpoints(Filling):
    """What can be called."""

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
