"""What several capabilities say of the same customers: base data and tags by twenties, the rest one by one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from threading import Lock
from typing import Any, Final

from hub.chunks import chunks
from hub.errors import RowError, StreamError
from hub.http import Unit
from hub.records import Customer
from hub.source import Page, Reject
from plugins.weimob.api import Api, Capability
from plugins.weimob.mapping.customers import CustomerFacts, merged_away, to_customer
from plugins.weimob.reading.common import Merchant, reject
from plugins.weimob.roster import Roster
from plugins.weimob.values import text

__all__ = ["People"]

_AT_ONCE: Final = 20
_EVERYTHING: Final = [1, 2, 3, 4]
"""``resultType``: basic, identity, ownership, custom fields."""
_CARD_DETAILS: Final = [1, 2, 3, 4, 6]
_CHANNELS: Final = [0, 1, 2]
"""公众号, 小程序, unionid."""


@dataclass(frozen=True, slots=True)
class _Found:
    """What twenty wids led to."""

    facts: Sequence[CustomerFacts]
    absent: Sequence[str]
    refused: Sequence[Reject]


class People:
    """Reads customers by their wids."""

    def __init__(self, merchant: Merchant, roster: Roster) -> None:
        self._merchant = merchant
        self._roster = roster
        self._notes: list[str] = []
        self._guard = Lock()

    def page(self, wids: Iterable[str]) -> Page:
        """Return the profiles of these customers; those the platform no longer knows are deletions, or merged.

        Raises:
            StreamError: customer/getList itself is not granted.
        """
        found, refused = self._merchant.side_by_side(self._of_twenty, list(chunks(dict.fromkeys(wids), _AT_ONCE)))
        del refused  # twenty wids at once are never refused as a whole: see _base
        facts = [each for _, part in found for each in part.facts]
        bos_id = self._merchant.config.bos_id
        page = Page.of(facts, lambda each: to_customer(each, bos_id), location=Api.CUSTOMERS.name)
        self._roster.note_seen(record.source_id for record in page.records)
        moved, gone = self._where_to([wid for _, part in found for wid in part.absent])
        self._roster.note_gone([*gone, *(record.source_id for record in moved)])
        rejects = [*page.rejects, *(each for _, part in found for each in part.refused)]
        with self._guard:
            notes, self._notes = self._notes, []
        return replace(page, records=[*page.records, *moved], deletions=gone, rejects=rejects, notes=notes)

    def _of_twenty(self, wids: Sequence[str]) -> _Found:
        rows, refused = self._base(wids)
        known = {str(row.get("wid")): row for row in rows}
        tags = self._tags(list(known))
        guides = self._roster.guides(known)
        facts = [self._facts(wid, row, tags.get(wid) or (), guides.get(wid)) for wid, row in known.items()]
        named = {str(each.source_id) for each in refused}
        return _Found(facts, [wid for wid in wids if wid not in known and wid not in named], refused)

    def _base(self, wids: Sequence[str]) -> tuple[list[Mapping[str, Any]], list[Reject]]:
        """Ask for twenty at once; where one of them makes the platform refuse, find it by halves."""
        asked = {"widList": [int(wid) for wid in wids], "resultType": _EVERYTHING, "vid": self._merchant.vid}
        try:
            data = self._merchant.client.ask(Api.CUSTOMERS, asked, unit=Unit.ROW) or {}
            return list(data.get("userBaseInfoList") or ()), []
        except RowError as error:
            if len(wids) == 1:
                return [], [reject(Api.CUSTOMERS.name, wids[0], error)]
        middle = len(wids) // 2
        (left, left_refused), (right, right_refused) = self._base(wids[:middle]), self._base(wids[middle:])
        return [*left, *right], [*left_refused, *right_refused]

    def _tags(self, wids: Sequence[str]) -> Mapping[str, Sequence[Mapping[str, Any]]]:
        if not self._merchant.config.customers.tags or not wids:
            return {}
        asked = {"widList": [int(wid) for wid in wids], "isFilterCrow": True, "vid": self._merchant.vid}
        data = self._extra(Api.TAGS_OF, asked)
        found = data.get("customerTagListMap")
        return {str(wid): rows or () for wid, rows in found.items()} if isinstance(found, Mapping) else {}

    def _facts(
        self, wid: str, row: Mapping[str, Any], tags: Sequence[Mapping[str, Any]], guide: str | None
    ) -> CustomerFacts:
        wanted, who = self._merchant.config.customers, {"wid": int(wid), "vid": self._merchant.vid}
        channels = self._channels(wid) if wanted.channels else {}
        cards = self._extra(Api.CARDS, {**who, "queryType": _CARD_DETAILS}) if wanted.cards else {}
        return CustomerFacts(
            base=row,
            channels=channels.get("userChannelInfoDtoList") or (),
            super_wid=text(channels.get("superWid")) or wid,
            cards=cards.get("list") or (),
            tags=tags,
            points=self._extra(Api.POINTS, who) if wanted.points else {},
            balance=self._extra(Api.BALANCE, who) if wanted.balance else {},
            guide=guide,
        )

    def _channels(self, wid: str) -> Mapping[str, Any]:
        config = self._merchant.config
        asked = {
            "bosId": int(config.bos_id), "wid": int(wid), "channelTypeList": _CHANNELS, "appId": config.customers.app_id, "pageSize": 50,
            "pageNum": 0, "queryType": 0, "needDistinct": True,
        }  # fmt: skip
        return self._extra(Api.CHANNELS, asked)

    def _extra(self, capability: Capability, asked: Mapping[str, Any]) -> Mapping[str, Any]:
        """Ask what may not be granted, and the person may not have; a bare array comes back as ``list``."""
        if self._merchant.lacks(capability):
            return {}
        try:
            data = self._merchant.client.ask(capability, asked, unit=Unit.ROW)
        except RowError:
            return {}
        except StreamError as error:
            with self._guard:
                self._notes += filter(None, [self._merchant.without(capability, error)])
            return {}
        if isinstance(data, list):
            return {"list": data}
        return data if isinstance(data, Mapping) else {}

    def _where_to(self, absent: Sequence[str]) -> tuple[list[Customer], list[str]]:
        """Tell those who were merged into another number from those who are gone."""
        moved: list[Customer] = []
        gone: list[str] = []
        for wid in absent:
            into = self._super_wid(wid)
            if into is not None and into != wid:
                moved.append(merged_away(wid, into, self._merchant.config.bos_id))
            else:
                gone.append(wid)
        return moved, gone

    def _super_wid(self, wid: str) -> str | None:
        data = self._extra(Api.SUPER_WID, {"bosId": int(self._merchant.config.bos_id), "wid": int(wid)})
        return text(data.get("superWid"))
