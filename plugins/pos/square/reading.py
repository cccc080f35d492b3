"""The streams: windows by time of change, and the last days again by time of sale."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from typing import Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from hub.http import TimeWindow, time_windows
from hub.records import Customer, Record
from hub.runtime import Runtime
from hub.source import Page, State
from plugins.pos.inbox import Inbox
from plugins.pos.square.api import Api, Endpoint
from plugins.pos.square.client import SquareClient
from plugins.pos.square.config import SquareConfig
from plugins.pos.square.mapping.orders import OrderContext, to_order
from plugins.pos.square.mapping.people import (
    to_customer,
    to_loyalty_profile,
    to_payment_event,
    to_points_event,
    to_refund_event,
    to_store,
)
from plugins.pos.square.values import moment, rfc3339, text

__all__ = ["Reader"]

_LOCATIONS_AT_ONCE: Final = 10
_ORDERS_AT_ONCE: Final = 100
_ORDER_PAGE, _CUSTOMER_PAGE, _PAYMENT_PAGE, _ACCOUNT_PAGE, _EVENT_PAGE = 500, 100, 100, 200, 30

_BY_CREATION: Final = {"field": "CREATED_AT", "order": "ASC"}

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Reader:
    """One seller's account and how to read it."""

    client: SquareClient
    config: SquareConfig
    runtime: Runtime
    inbox: Inbox | None = None

    # ---- what is known of the account --------------------------------------------------------------------------------

    @cached_property
    def locations(self) -> list[Row]:
        """The locations to read."""
        wanted = self.config.locations
        return [row for row in self.client.locations() if not wanted or row.get("id") in wanted]

    @cached_property
    def context(self) -> OrderContext:
        """What orders do not say themselves."""
        zones = {str(row["id"]): zone for row in self.locations if (zone := _zone(text(row.get("timezone"))))}
        return OrderContext(
            self.runtime.timezone, zones, self.config.stores, self.runtime.day_cutoff, self.config.payments
        )

    def _settled(self) -> dt.datetime:
        return self.runtime.now() - dt.timedelta(seconds=self.config.settle_seconds)

    def _windows(self, state: State) -> Iterator[TimeWindow]:
        """The windows of time of change that are due."""
        since = dt.datetime.combine(self.config.since, dt.time.min, self.runtime.timezone)
        if state.get("at"):
            since = dt.datetime.fromisoformat(state["at"])
        elif state.get("upto"):
            overlap = dt.timedelta(minutes=self.config.overlap_minutes)
            since = max(since, dt.datetime.fromisoformat(state["upto"]) - overlap)
        return time_windows(since, self._settled(), step=dt.timedelta(days=self.config.window_days))

    def _by_change(
        self,
        state: State,
        pages: Callable[[TimeWindow], Iterator[Page]],
    ) -> Iterator[Page]:
        """Give all windows that are due; the next run goes on behind the last one that was finished."""
        until = self._settled()
        for window in self._windows(state):
            yield from pages(window)
            yield Page(cursor={**state, "at": window.end.isoformat()})
        done = {key: value for key, value in state.items() if key != "at"}
        yield Page(cursor={**done, "upto": until.isoformat()})

    # ---- streams -----------------------------------------------------------------------------------------------------

    def customers(self, state: State) -> Iterator[Page]:
        """Give who was changed, and what events tell of who was deleted or merged.

        The list can be sorted by time of creation only, so a window is read whole.
        """
        base = dict(state)
        if (page := self._gone(base)) is not None:
            yield page
        groups = {
            str(row["id"]): str(row.get("name"))
            for found in self.client.pages(Api.GROUPS, {"limit": 50})
            for row in found.rows
        }

        def mapped(row: Row) -> Record:
            return to_customer(row, groups)

        def pages(window: TimeWindow) -> Iterator[Page]:
            changed = {"start_at": rfc3339(window.start), "end_at": rfc3339(window.end)}
            query = {"filter": {"updated_at": changed}, "sort": _BY_CREATION}
            return self._pages(Api.CUSTOMERS, {"query": query, "limit": _CUSTOMER_PAGE}, mapped)

        if base.get("upto"):
            yield from self._by_change(base, pages)
        else:
            yield from self._everybody(base, mapped)

    def _everybody(self, base: dict[str, Any], mapped: Callable[[Row], Record]) -> Iterator[Page]:
        """Give all customers, however old; a walk that was broken off goes on while its cursor lives."""
        base.setdefault("began", self._settled().isoformat())
        given = {"query": {"sort": _BY_CREATION}, "limit": _CUSTOMER_PAGE}
        for found in self.client.pages(Api.CUSTOMERS, given, start=base.get("page")):
            page = Page.of(found.rows, mapped, cursor={**base, "page": found.cursor}, location=Api.CUSTOMERS.path)
            yield page
        done = {key: value for key, value in base.items() if key not in {"began", "page"}}
        yield Page(cursor={**done, "upto": base["began"]})

    def orders(self, state: State) -> Iterator[Page]:
        """Give orders that events name, those that were changed, and again those of the last days by time of sale."""
        base = dict(state)
        yield from self._named(base)
        first = not base.get("upto")

        def pages(window: TimeWindow) -> Iterator[Page]:
            return self._orders("updated_at", "UPDATED_AT", window)

        yield from self._by_change(base, pages)
        if not first and self.config.late_hours:
            now = self.runtime.now()
            late = TimeWindow(now - dt.timedelta(hours=self.config.late_hours), now)
            yield from self._orders("created_at", "CREATED_AT", late)

    def _orders(self, field: str, sort: str, window: TimeWindow) -> Iterator[Page]:
        ids = [str(row["id"]) for row in self.locations]
        span = {"start_at": rfc3339(window.start), "end_at": rfc3339(window.end)}
        query = {"filter": {"date_time_filter": {field: span}}, "sort": {"sort_field": sort, "sort_order": "ASC"}}
        for chunk in _chunks(ids, _LOCATIONS_AT_ONCE):
            given = {"location_ids": chunk, "query": query, "limit": _ORDER_PAGE}
            yield from self._pages(Api.ORDERS, given, self._order)

    def _order(self, row: Row) -> Record:
        return to_order(row, self.context)

    def payments(self, state: State) -> Iterator[Page]:
        """Give payments as events."""
        return self._money(state, Api.PAYMENTS, lambda row: to_payment_event(row, self.config.stores))

    def refunds(self, state: State) -> Iterator[Page]:
        """Give refunded payments as events."""
        return self._money(state, Api.REFUNDS, lambda row: to_refund_event(row, self.config.stores))

    def _money(self, state: State, endpoint: Endpoint, mapping: Callable[[Row], Record]) -> Iterator[Page]:
        """Read location by location: without one named, Square gives those of the main location only."""

        def pages(window: TimeWindow) -> Iterator[Page]:
            for location in self.locations:
                given = {
                    "updated_at_begin_time": rfc3339(window.start), "updated_at_end_time": rfc3339(window.end),
                    "sort_field": "UPDATED_AT", "sort_order": "ASC", "location_id": location["id"], "limit": _PAYMENT_PAGE,
                }  # fmt: skip
                yield from self._pages(endpoint, given, mapping)

        return self._by_change(dict(state), pages)

    def loyalty_accounts(self, _state: State) -> Iterator[Page]:
        """Give all loyalty accounts."""
        return self._pages(Api.LOYALTY_ACCOUNTS, {"limit": _ACCOUNT_PAGE}, to_loyalty_profile)

    def points(self, state: State) -> Iterator[Page]:
        """Give loyalty events by time; they never change."""

        def pages(window: TimeWindow) -> Iterator[Page]:
            span = {"start_at": rfc3339(window.start), "end_at": rfc3339(window.end)}
            query = {"filter": {"date_time_filter": {"created_at": span}}}
            given = {"query": query, "limit": _EVENT_PAGE}
            return self._pages(Api.LOYALTY_EVENTS, given, lambda row: to_points_event(row, self.config.stores))

        return self._by_change(dict(state), pages)

    def stores(self, _state: State) -> Iterator[Page]:
        """Give the locations."""
        yield Page.of(self.locations, lambda row: to_store(row, self.config.stores), location="locations")

    # ---- pages and events --------------------------------------------------------------------------------------------

    def _pages(self, endpoint: Endpoint, given: Row, mapping: Callable[[Row], Record]) -> Iterator[Page]:
        for found in self.client.pages(endpoint, given):
            if found.rows:
                yield Page.of(found.rows, mapping, location=endpoint.path)

    def _events(self, base: dict[str, Any], kinds: tuple[str, ...]) -> list[dict[str, Any]]:
        if self.inbox is None:
            return []
        found, base["inbox"] = self.inbox.read(base.get("inbox") or {})
        return [event for event in found if event["type"] in kinds]

    def _gone(self, base: dict[str, Any]) -> Page | None:
        """Customers that were deleted; of a merge it is told who lives on."""
        events = self._events(base, ("customer.deleted", "customer.created"))
        into = {old: event["into"] for event in events for old in event["merged"]}
        gone = {event["thing"]: event["at"] for event in events if event["type"] == "customer.deleted"}
        gone |= {old: gone.get(old) for old in into}
        if not gone:
            return None
        records = [
            Customer(source_id=uid, deleted=True, merged_into=into.get(uid), updated_at=moment(at))
            for uid, at in gone.items()
            if uid
        ]
        return Page(records=records, cursor=dict(base))

    def _named(self, base: dict[str, Any]) -> Iterator[Page]:
        events = self._events(base, ("order.created", "order.updated"))
        ids = list(dict.fromkeys(event["thing"] for event in events if event["thing"]))
        for chunk in _chunks(ids, _ORDERS_AT_ONCE):
            rows = self.client.call(Api.ORDERS_BY_ID, {"order_ids": chunk}).get("orders") or ()
            yield Page.of(rows, self._order, location=Api.ORDERS_BY_ID.path)
        if ids:
            yield Page(cursor=dict(base))


def _zone(name: str | None) -> ZoneInfo | None:
    try:
        return ZoneInfo(name) if name else None
    except (ZoneInfoNotFoundError, ValueError):
        return None


def _chunks(items: Sequence[str], size: int) -> Iterator[list[str]]:
    iterator = iter(items)
    while chunk := list(islice(iterator, size)):
        yield chunk
