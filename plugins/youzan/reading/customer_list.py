"""The plain list of customers (customer.list): by the time they were made, ten thousand at most per window."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any, Final

from hub.http import TimeWindow, WindowedList
from plugins.youzan.api import Api
from plugins.youzan.config import TimeUnit
from plugins.youzan.reading.common import Shop, begin_of, windowed
from plugins.youzan.values import from_epoch, milliseconds, seconds

__all__ = ["CustomerList"]

_SIZE: Final = 50
_DEPTH: Final = 9_999
_SLACK: Final = dt.timedelta(days=1)


class CustomerList:
    """Asks for customers made within a window, optionally only for those with certain tags."""

    def __init__(self, shop: Shop, tag_ids: Sequence[int] = ()) -> None:
        self._shop = shop
        self._filter = {"tag_ids": list(tag_ids)} if tag_ids else {}

    def unit(self, until: dt.datetime) -> TimeUnit | None:
        """Return the unit in which the list wants its times; None when there is no customer to try it on.

        Youzan's pages contradict each other, and the wrong unit finds nobody.
        """
        wanted = self._shop.config.customers.created_at_unit
        if wanted is not TimeUnit.AUTO:
            return wanted
        whole = TimeWindow(begin_of(self._shop.config.customers.since), until)
        return next((unit for unit in (TimeUnit.SECONDS, TimeUnit.MILLISECONDS) if self._finds(unit, whole)), None)

    def _finds(self, unit: TimeUnit, window: TimeWindow) -> bool:
        _total, rows = self._ask(unit, window, 1, size=1)
        made = from_epoch(rows[0].get("created_at")) if rows else None
        return made is not None and window.start - _SLACK <= made <= window.end + _SLACK

    def windowed(self, unit: TimeUnit) -> WindowedList:
        """Return the list, to be read by windows."""
        return windowed(lambda window, number: self._ask(unit, window, number), _SIZE, _DEPTH)

    def _ask(self, unit: TimeUnit, window: TimeWindow, number: int, *, size: int = _SIZE) -> tuple[int, Sequence[Any]]:
        write = milliseconds if unit is TimeUnit.MILLISECONDS else seconds
        asked = {"created_at_start": write(window.start), "created_at_end": write(window.last()), **self._filter}
        data = (
            self._shop.client.ask(Api.CUSTOMER_LIST, {**asked, "page_no": number, "page_size": size}).get("data") or {}
        )
        return int(data.get("total") or 0), data.get("record_list") or ()
