"""Stream ``coupons``: coupons taken and used, as events.

The codes of a template are walked from the last one read. When an older one was used is told by pushed messages, and by walking
all of them again every ``rescan_days``.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from hub.chunks import chunks
from hub.errors import RowError
from hub.http import Unit
from hub.records import Event
from hub.source import Page, Reject, State, reject_of
from plugins.weimob.api import Api
from plugins.weimob.mapping.catalogue import coupon_events
from plugins.weimob.messages import Message, Subject
from plugins.weimob.reading.common import Merchant, moment, pages_of, reject, rows_of, stamp
from plugins.weimob.values import text

__all__ = ["CouponReader", "coupon_holders"]

_SIZE: Final = 50


def _templates(merchant: Merchant) -> list[Mapping[str, Any]]:
    asked = {"vid": merchant.vid}
    found = [row for rows in pages_of(merchant, Api.COUPON_TEMPLATES, asked, size=_SIZE) for row in rows]
    return sorted(found, key=lambda row: int(text(row.get("couponTemplateId")) or 0))


def _codes(merchant: Merchant, template: str, start: Any) -> Iterator[tuple[Sequence[Mapping[str, Any]], Any]]:
    """Give the coupons of a template behind a place, each page with the place behind it."""
    while True:
        asked = {"param": {"couponTemplateId": int(template)}, "mode": 1, "pageNum": 1, "pageSize": _SIZE}
        data = merchant.client.ask(Api.COUPON_CODES, asked if start is None else {**asked, "startId": start}) or {}
        rows, after = rows_of(data), data.get("nextStartId")
        place = start if after in (None, "", 0, "0") else after
        if rows:
            yield rows, place
        if len(rows) < _SIZE or place == start:
            return
        start = place


def coupon_holders(merchant: Merchant) -> Iterator[Sequence[str]]:
    """Give the wids of everybody who holds a coupon, page by page."""
    for template in _templates(merchant):
        for rows, _ in _codes(merchant, str(template["couponTemplateId"]), None):
            yield [wid for row in rows if (wid := text(row.get("wid")))]


class CouponReader:
    """Reads coupons; the cursor is the place within each template, the last walk through all, and the place in the inbox."""

    def __init__(self, merchant: Merchant) -> None:
        self._merchant = merchant

    def read(self, state: State) -> Iterator[Page]:
        """Give what was taken and used since the state."""
        kept = dict(state)
        until, scanned = self._merchant.settled(), moment(kept.get("scanned"))
        if scanned is None or until - scanned >= dt.timedelta(days=self._merchant.config.customers.rescan_days):
            kept |= {"scanned": stamp(until), "places": {}}
        places = dict(kept["places"])
        templates = {
            str(row["couponTemplateId"]): row for row in _templates(self._merchant) if row.get("couponTemplateId")
        }
        for number, template in templates.items():
            for rows, place in _codes(self._merchant, number, places.get(number)):
                places[number] = place
                yield replace(self._events(rows, template), cursor={**kept, "places": dict(places)})
        kept["places"] = places
        yield Page(cursor=dict(kept))
        yield from self._from_messages(kept, templates)

    def _events(self, rows: Sequence[Mapping[str, Any]], template: Mapping[str, Any]) -> Page:
        events: list[Event] = []
        rejects: list[Reject] = []
        for position, row in enumerate(rows):
            try:
                events += coupon_events(row, template, self._merchant.config.bos_id)
            except (RowError, ValueError) as error:
                rejects.append(reject_of(error, row, f"{Api.COUPON_CODES.name}#{position}"))
        return Page(records=list({event.source_id: event for event in events}.values()), rejects=rejects)

    def _from_messages(self, kept: dict[str, Any], templates: Mapping[str, Mapping[str, Any]]) -> Iterator[Page]:
        for caught in self._merchant.caught(Subject.COUPON, int(kept.get("inbox") or 0)):
            kept["inbox"] = caught.place
            pages = [self._told(part, templates) for part in chunks(caught.messages.items(), _SIZE)]
            yield from pages[:-1]
            yield replace(pages[-1] if pages else Page(), cursor=dict(kept))

    def _told(self, items: Sequence[tuple[str, Message]], templates: Mapping[str, Mapping[str, Any]]) -> Page:
        found, refused = self._merchant.side_by_side(self._coupon, items)
        pages = [self._events(rows, templates.get(_template(item[1]), {})) for item, rows in found]
        rejects = [reject(Api.COUPON_CODES.name, item[0], error) for item, error in refused]
        return Page(
            records=[record for page in pages for record in page.records],
            rejects=[*(each for page in pages for each in page.rejects), *rejects],
        )

    def _coupon(self, item: tuple[str, Message]) -> Sequence[Mapping[str, Any]]:
        code, message = item
        param = {"couponTemplateId": int(_template(message) or 0), "code": code}
        asked = {"param": param, "mode": 1, "pageNum": 1, "pageSize": _SIZE}
        data = self._merchant.client.ask(Api.COUPON_CODES, asked, unit=Unit.ROW) or {}
        return [row for row in rows_of(data) if text(row.get("code")) == code]


def _template(message: Message) -> str:
    return text(message.body.get("couponTemplateId")) or ""
