"""Stream ``members``: everybody, read anew every some hours, because no query gives those who changed."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from hub.errors import RowError
from hub.http import Unit
from hub.source import Page, Reject, State
from plugins.pos.pospal.api import Api
from plugins.pos.pospal.mapping.members import MemberContext, is_deleted, to_customer
from plugins.pos.pospal.messages import Subject
from plugins.pos.pospal.reading.common import Counter, refused
from plugins.pos.pospal.values import id_of

__all__ = ["MemberReader"]


class MemberReader:
    """Reads the members that one shop's key shows: the shop's own, or those of its group."""

    def __init__(self, counter: Counter) -> None:
        self.counter = counter
        self._context = MemberContext(counter.config, counter.shop, counter.zone)

    def read(self, state: State) -> Iterator[Page]:
        """Give those whom messages name, then everybody if that is due or was broken off."""
        base = dict(state)
        yield from self._named(base)
        began = base.get("began")
        if began is None and not self._is_due(base.get("scanned")):
            return
        now = self.counter.runtime.now().isoformat()
        base["began"] = began or now
        for found in self.counter.client.pages(Api.MEMBERS, start=base.get("page")):
            base["page"] = found.following
            if found.following is None:
                base = {key: value for key, value in base.items() if key not in {"page", "began"}}
                base["scanned"] = began or now
            yield replace(self._page(found.rows, f"{self.counter.shop.id}/members"), cursor=dict(base))

    def _is_due(self, scanned: str | None) -> bool:
        if scanned is None:
            return True
        age = self.counter.runtime.now() - dt.datetime.fromisoformat(scanned)
        return age >= dt.timedelta(hours=self.counter.config.members.rescan_hours)

    def _named(self, base: dict[str, Any]) -> Iterator[Page]:
        ours = frozenset(self._apps())
        uids, position = self.counter.messages(Subject.MEMBER, base.get("inbox") or {}, ours)
        if self.counter.inbox is not None:
            base["inbox"] = position
        if not uids:
            return
        rows: list[Mapping[str, Any]] = []
        rejects: list[Reject] = []
        for uid in uids:
            try:
                rows.append(self.counter.client.ask(Api.MEMBER, {"customerUid": int(uid)}, unit=Unit.ROW) or {})
            except (RowError, ValueError) as error:
                told = error if isinstance(error, RowError) else RowError("The id is no number.", code="id_missing")
                rejects.append(refused(f"{self.counter.shop.id}/member", uid, told))
        page = self._page(rows, f"{self.counter.shop.id}/messages")
        yield replace(page, rejects=[*page.rejects, *rejects], cursor=dict(base))

    def _apps(self) -> Iterator[str]:
        group = self.counter.shop.member_group
        for shop in self.counter.config.shops:
            if shop.id == self.counter.shop.id or (group and shop.member_group == group):
                yield shop.app_id

    def _page(self, rows: Sequence[Mapping[str, Any]], location: str) -> Page:
        gone = [uid for row in rows if is_deleted(row) and (uid := id_of(row.get("customerUid")))]
        present = [row for row in rows if not is_deleted(row)]
        return replace(Page.of(present, lambda row: to_customer(row, self._context), location=location), deletions=gone)
