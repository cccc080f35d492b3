"""Stream ``coupons``: coupons taken and used, as events.

The log of an activity can be asked by the time a coupon was taken only. Uses of older coupons are found by looking at the coupons
of the last weeks again, and by pushed messages.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from hub.errors import RowError
from hub.http import Unit, numbered_pages, pages_until_empty
from hub.records import Event
from hub.source import Page, Reject, State, reject_of
from plugins.youzan.api import Api
from plugins.youzan.mapping.coupons import log_events, voucher_events
from plugins.youzan.messages import Message, Subject
from plugins.youzan.reading.common import Shop, begin_of, moment, reject, stamp
from plugins.youzan.values import from_epoch, text, to_text

__all__ = ["CouponReader"]

_SIZE: Final = 50
_COUPONS: Final = 105
"""``ump_type`` of coupon activities."""
_BY_TIME: Final = 2


class CouponReader:
    """Reads coupons, activity by activity; the cursor is the moment, the activity within the run, and the place in the inbox."""

    def __init__(self, shop: Shop) -> None:
        self._shop = shop

    def read(self, state: State) -> Iterator[Page]:
        """Give what was taken and used since the state."""
        kept = dict(state)
        until = moment(kept.get("until")) or self._shop.settled()
        done = str(kept.get("activity") or "")
        for activity in sorted(self._activities(), key=_order):
            if done and _order(activity) <= _order(done):
                continue
            yield from self._logs(activity, moment(kept.get("since")), until)
            kept |= {"activity": activity, "until": stamp(until)}
            yield Page(cursor=dict(kept))
        kept = {"since": stamp(until), "inbox": kept.get("inbox") or {}}
        yield Page(cursor=dict(kept))
        for caught in self._shop.caught(Subject.COUPON, kept["inbox"]):
            kept["inbox"] = dict(caught.position)
            yield replace(self._told(caught.messages), cursor=dict(kept))

    def _activities(self) -> set[str]:
        def fetch(offset: int) -> Sequence[Any]:
            page = {"ump_type": _COUPONS, "page_no": offset // _SIZE + 1, "page_size": _SIZE}
            data = self._shop.client.ask(Api.COUPON_ACTIVITIES, {"request": page}).get("data")
            return data if isinstance(data, list) else (data or {}).get("items") or ()

        found: set[str] = set()
        for rows in pages_until_empty(fetch, items=lambda rows: rows):
            found |= {identifier for row in rows if (identifier := text(row.get("activity_id")) or text(row.get("id")))}
            if len(rows) < _SIZE:
                break
        return found

    def _logs(self, activity: str, since: dt.datetime | None, until: dt.datetime) -> Iterator[Page]:
        settings = self._shop.config.coupons
        begin = (
            since - dt.timedelta(days=settings.lookback_days) - self._shop.overlap()
            if since
            else begin_of(settings.since)
        )
        asked = {
            "coupon_group_id": activity,
            "start_taked": to_text(begin),
            "end_taked": to_text(until),
            "order_type": _BY_TIME,
        }

        def fetch(number: int) -> Mapping[str, Any]:
            data = self._shop.client.ask(Api.COUPON_LOG, {**asked, "page_no": number, "page_size": _SIZE}).get("data")
            return data if isinstance(data, Mapping) else {}

        pages = numbered_pages(
            fetch,
            items=lambda data: data.get("fetchlogs") or (),
            total=lambda data: data.get("total_results"),
            size=_SIZE,
        )
        for data in pages:
            yield self._events(activity, data["fetchlogs"])

    def _events(self, activity: str, logs: Sequence[Mapping[str, Any]]) -> Page:
        events: list[Event] = []
        rejects: list[Reject] = []
        for position, log in enumerate(logs):
            try:
                events += log_events(log, activity, self._shop.kdt_id)
            except (RowError, ValueError) as error:
                rejects.append(reject_of(error, log, f"coupon.consume.fetchlogs.get#{position}"))
        return Page(records=list({event.source_id: event for event in events}.values()), rejects=rejects)

    def _told(self, messages: Mapping[str, Message]) -> Page:
        found, refused = self._shop.side_by_side(self._voucher, list(messages))
        events: list[Event] = []
        for coupon, voucher in found:
            message = messages[coupon]
            used_at = from_epoch(message.version) if message.status == "CONSUME" else None
            events += voucher_events(voucher, used_at, self._shop.kdt_id)
        return Page(
            records=events, rejects=[reject("voucher.query.detail", coupon, error) for coupon, error in refused]
        )

    def _voucher(self, coupon: str) -> Mapping[str, Any]:
        asked = {"coupon_id": coupon, "coupon_type": 0}
        return self._shop.client.ask(Api.COUPON_DETAIL, asked, unit=Unit.ROW).get("data") or {}


def _order(activity: str) -> tuple[int, str]:
    """Sort ids as numbers, whatever their length."""
    return len(activity), activity
