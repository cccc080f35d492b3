"""Stream ``customers``: found by the deep scan where the account may use it, else by several lists that complete each other.

The deep scan (customerlist) knows when a customer changed. The plain list knows only when one was made; what changed is then
found by the messages that were pushed, by the buyers of changed orders, and by reading everybody again now and then.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, Final

from hub.errors import StreamError
from hub.http import cursor_pages, lists_of, time_windows
from hub.source import Page, State
from plugins.youzan.api import Api
from plugins.youzan.config import Scan, TimeUnit
from plugins.youzan.mapping.trades import buyer_of
from plugins.youzan.messages import Message, Subject
from plugins.youzan.reading.common import Shop, begin_of, is_forbidden, moment, stamp
from plugins.youzan.reading.customer_list import CustomerList
from plugins.youzan.reading.people import People
from plugins.youzan.reading.trades import trade_list
from plugins.youzan.values import milliseconds

__all__ = ["CustomerReader"]

_SCAN_SIZE: Final = 300
_STEP: Final = dt.timedelta(days=90)


class CustomerReader:
    """Reads a head office's customers."""

    def __init__(self, shop: Shop) -> None:
        self._shop = shop
        self._people = People(shop)
        self._list = CustomerList(shop)

    def read(self, state: State) -> Iterator[Page]:
        """Give the customers that are new or changed since the state."""
        kept = dict(state)
        wanted = self._shop.config.customers.scan
        if wanted is Scan.LIST or not self._may_scan(kept, wanted):
            yield from self._read_lists(kept)
        else:
            yield from self._read_scan(kept)
        yield from self._read_messages(kept)

    # ---- the deep scan -----------------------------------------------------------------------------------------------

    def _may_scan(self, state: dict[str, Any], wanted: Scan) -> bool:
        """Try the deep scan; an account without it is asked for no more than one call a run."""
        try:
            self._scan_page(None, {"page_size": 1})
        except StreamError as error:
            if wanted is Scan.CURSOR or not is_forbidden(error):
                raise
            state.pop("scan", None)
            return False
        return True

    def _read_scan(self, state: dict[str, Any]) -> Iterator[Page]:
        scan = dict(state.get("scan") or {})
        if "until" not in scan:
            scan = {"since": scan.get("since"), "until": stamp(self._shop.settled())}
        for data in self._scan_pages(scan):
            rows = data.get("customer_list") or ()
            scan["index_id"] = data.get("index_id")
            page = self._people.page(str(row["yz_open_id"]) for row in rows if row.get("yz_open_id"))
            yield replace(page, cursor={**state, "scan": dict(scan)})
        state["scan"] = {"since": scan["until"]}
        yield Page(cursor=dict(state))

    def _scan_pages(self, scan: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
        asked: dict[str, Any] = {"page_size": _SCAN_SIZE}
        if since := moment(scan["since"]):
            asked |= {
                "updated_at_start": milliseconds(since - self._shop.overlap()),
                "updated_at_end": milliseconds(moment(scan["until"]) or since),
            }

        def is_last(data: Mapping[str, Any]) -> bool:
            # Whether a short or an empty page ends the scan is not told: either does.
            return len(data.get("customer_list") or ()) < _SCAN_SIZE

        yield from cursor_pages(
            lambda cursor: self._scan_page(cursor, asked),
            next_cursor=lambda data: data.get("index_id"),
            is_last=is_last,
            start=scan.get("index_id"),
        )

    def _scan_page(self, cursor: Any, asked: Mapping[str, Any]) -> Mapping[str, Any]:
        body = dict(asked) if cursor is None else {**asked, "index_id": cursor}
        data = self._shop.client.ask(Api.CUSTOMER_SCAN, body).get("data")
        return data if isinstance(data, Mapping) else {}

    # ---- the plain list ----------------------------------------------------------------------------------------------

    def _read_lists(self, state: dict[str, Any]) -> Iterator[Page]:
        until = self._shop.settled()
        self._begin_anew_when_due(state, until)
        yield Page(cursor=dict(state), notes=self._learn_unit(state, until))
        yield from self._new_customers(state, until)
        yield from self._buyers(state, until)

    def _begin_anew_when_due(self, state: dict[str, Any], until: dt.datetime) -> None:
        scanned = moment(state.get("scanned"))
        if scanned is None or until - scanned >= dt.timedelta(days=self._shop.config.customers.rescan_days):
            state["created"] = stamp(begin_of(self._shop.config.customers.since))
            state["scanned"] = stamp(until)
        state.setdefault("bought", stamp(until))

    def _learn_unit(self, state: dict[str, Any], until: dt.datetime) -> list[str]:
        """Keep in the state in which unit the list wants its times; tell when it is not the one its page names."""
        if "unit" in state:
            return []
        unit = self._list.unit(until)
        if unit is None:
            return []
        state["unit"] = unit.value
        told = unit is TimeUnit.MILLISECONDS and self._shop.config.customers.created_at_unit is TimeUnit.AUTO
        return ["customer.list takes milliseconds here, not seconds as its page says."] if told else []

    def _new_customers(self, state: dict[str, Any], until: dt.datetime) -> Iterator[Page]:
        created = moment(state["created"]) or begin_of(self._shop.config.customers.since)
        unit = TimeUnit(state.get("unit", TimeUnit.SECONDS.value))
        for listed in lists_of(
            self._list.windowed(unit), time_windows(created, until, step=_STEP, overlap=self._shop.overlap())
        ):
            if listed.finished is not None:
                state["created"] = stamp(listed.finished.end)
            page = self._people.page(str(row["yz_open_id"]) for row in listed.rows if row.get("yz_open_id"))
            yield replace(page, cursor=dict(state)) if listed.finished is not None else page

    def _buyers(self, state: dict[str, Any], until: dt.datetime) -> Iterator[Page]:
        """Read the customers of changed orders again: their points, level and totals have moved."""
        bought = moment(state["bought"]) or until
        if not self._shop.config.customers.buyers or bought >= until:
            return
        for listed in lists_of(
            trade_list(self._shop), time_windows(bought, until, step=_STEP, overlap=self._shop.overlap())
        ):
            if listed.finished is not None:
                state["bought"] = stamp(listed.finished.end)
            page = self._people.page(filter(None, map(buyer_of, listed.rows)))
            yield replace(page, cursor=dict(state)) if listed.finished is not None else page
        state["bought"] = stamp(until)
        yield Page(cursor=dict(state))

    # ---- pushed messages ---------------------------------------------------------------------------------------------

    def _read_messages(self, state: dict[str, Any]) -> Iterator[Page]:
        for caught in self._shop.caught(Subject.CUSTOMER, state.get("inbox") or {}):
            state["inbox"] = dict(caught.position)
            page = self._people.page(caught.messages)
            left = [open_id for open_id, message in caught.messages.items() if _has_logged_off(message)]
            yield replace(page, deletions=list(dict.fromkeys([*page.deletions, *left])), cursor=dict(state))


def _has_logged_off(message: Message) -> bool:
    return message.body.get("is_log_off") in (True, 1, "1", "true")
