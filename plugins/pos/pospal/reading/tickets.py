"""Stream ``tickets``: one shop's tickets by shop day, looked at again for what came late or was changed.

A ticket is listed by the till's own time, and comes when the shop is on line again. So each run reads the last days again,
and now and then the last month; a void shows in the same way, or is told by a pushed message.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from hub.errors import RowError
from hub.http import Unit
from hub.source import Page, Reject, State
from plugins.pos.pospal.api import Api
from plugins.pos.pospal.mapping.tickets import is_refund, to_order
from plugins.pos.pospal.messages import Subject
from plugins.pos.pospal.reading.common import Counter, day_windows, refused
from plugins.pos.pospal.values import id_of, text

__all__ = ["TicketReader"]

_CLOCK_SLACK: Final = dt.timedelta(minutes=10)
"""A ticket from further in the future was rung up at a till whose clock is wrong."""

Row = Mapping[str, Any]


@dataclass
class _Memory:
    """What is remembered from run to run of tickets that will be read again, by uid with the ticket's day.

    Attributes:
        links: the sale of each refund, empty where the platform knows none, so that it is asked for once.
        suspects: tickets that came before their time.
    """

    links: dict[str, list[str]] = field(default_factory=dict)
    suspects: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, state: State) -> _Memory:
        return cls(dict(state.get("links") or {}), dict(state.get("suspects") or {}))

    def without_older(self, day: str) -> _Memory:
        return _Memory(
            {uid: known for uid, known in self.links.items() if known[1] >= day},
            {uid: at for uid, at in self.suspects.items() if at >= day},
        )

    def state(self) -> dict[str, Any]:
        return {"links": self.links, "suspects": self.suspects}


@dataclass(frozen=True)
class _Plan:
    """A run's way through the days: where it is, where it ends, and when it began."""

    at: dt.datetime
    until: dt.datetime
    began: dt.datetime
    deep: bool
    page: Mapping[str, Any] | None = None

    def state(self) -> dict[str, Any]:
        times = {"at": self.at.isoformat(), "until": self.until.isoformat(), "began": self.began.isoformat()}
        return {**times, "deep": self.deep, "page": self.page}

    @classmethod
    def of(cls, state: Mapping[str, Any]) -> _Plan:
        at, until, began = (dt.datetime.fromisoformat(state[name]) for name in ("at", "until", "began"))
        return cls(at, until, began, bool(state["deep"]), state.get("page"))


class TicketReader:
    """Reads the tickets of one shop."""

    def __init__(self, counter: Counter) -> None:
        self.counter = counter
        self._settings = counter.config.tickets

    def read(self, state: State) -> Iterator[Page]:
        """Give what messages name, then the days that are due."""
        memory, base = _Memory.of(state), {key: state[key] for key in ("upto", "deep", "inbox", "plan") if key in state}
        yield from self._named(base, memory)
        plan = _Plan.of(base.pop("plan")) if base.get("plan") else self._plan(base)
        windows = day_windows(plan.at, plan.until, self._settings.window_days)
        for start, end in windows:
            plan = replace(plan, at=start)
            yield from self._window(base, memory, plan, end)
            plan = replace(plan, page=None)
        base["upto"] = plan.began.isoformat()
        if plan.deep:
            base["deep"] = plan.began.isoformat()
        oldest = (plan.began - dt.timedelta(days=self._settings.deep_days + 2)).date().isoformat()
        yield Page(cursor={**base, **memory.without_older(oldest).state()})

    def _plan(self, base: Mapping[str, Any]) -> _Plan:
        now, settings = self.counter.runtime.now(), self._settings
        until = self.counter.begin_of(now) + dt.timedelta(days=1 + settings.ahead_days)
        since = self.counter.since()
        if not base.get("upto"):
            return _Plan(since, until, now, deep=True)
        upto = dt.datetime.fromisoformat(base["upto"])
        last_deep = dt.datetime.fromisoformat(base.get("deep") or base["upto"])
        deep = now - last_deep >= dt.timedelta(days=settings.deep_every_days)
        back = max(settings.overlap_days, settings.deep_days) if deep else settings.overlap_days
        return _Plan(
            max(since, self.counter.begin_of(upto) - dt.timedelta(days=back)), max(until, since), now, deep=deep
        )

    def _window(self, base: State, memory: _Memory, plan: _Plan, end: dt.datetime) -> Iterator[Page]:
        begin_text, end_text = self.counter.window(plan.at, end)
        asked: dict[str, Any] = {"startTime": begin_text, "endTime": end_text}
        if self._settings.no_limit_flag:
            asked["noLimitTimeRange"] = 1
        for found in self.counter.client.pages(Api.TICKETS, asked, start=plan.page):
            if not found.rows:
                continue  # A day without a ticket is nothing to be kept.
            location = f"{self.counter.shop.id}/{begin_text}"
            page = self._page(found.rows, memory, location)
            behind = replace(plan, page=found.following) if found.following else replace(plan, at=end, page=None)
            yield replace(page, cursor={**base, **memory.state(), "plan": behind.state()})

    def _named(self, base: dict[str, Any], memory: _Memory) -> Iterator[Page]:
        """Read again the tickets that pushed messages name, whatever day they carry."""
        ours = frozenset({self.counter.shop.app_id})
        numbers, position = self.counter.messages(Subject.TICKET, base.get("inbox") or {}, ours)
        if self.counter.inbox is not None:
            base["inbox"] = position
        if not numbers:
            return
        rows: list[Row] = []
        rejects: list[Reject] = []
        for number in numbers:
            try:
                found = self.counter.client.ask(Api.TICKET, {"sn": number}, unit=Unit.ROW)
            except RowError as error:
                rejects.append(refused(f"{self.counter.shop.id}/ticket", number, error))
                continue
            rows += found if isinstance(found, list) else [found] if found else []
        page = self._page(rows, memory, f"{self.counter.shop.id}/messages")
        yield replace(page, rejects=[*page.rejects, *rejects], cursor={**base, **memory.state()})

    def _page(self, rows: Sequence[Row], memory: _Memory, location: str) -> Page:
        self._link(rows, memory)
        now = (self.counter.runtime.now() + _CLOCK_SLACK).astimezone(self.counter.zone).strftime("%Y-%m-%d %H:%M:%S")
        for row in rows:
            uid, at = id_of(row.get("uid")), text(row.get("datetime")) or ""
            if uid and at > now:
                memory.suspects.setdefault(uid, at[:10])
        context = replace(
            self.counter.context(),
            originals={uid: known[0] for uid, known in memory.links.items()},
            suspects=frozenset(memory.suspects),
        )
        return Page.of(rows, lambda row: to_order(row, context), location=location)

    def _link(self, rows: Sequence[Row], memory: _Memory) -> None:
        """Ask for the sale of every refund that has not been asked for."""
        if not self._settings.refund_links:
            return
        for row in rows:
            uid = id_of(row.get("uid"))
            if uid is None or not is_refund(row) or uid in memory.links:
                continue
            memory.links[uid] = [self._sale_of(uid), (text(row.get("datetime")) or "")[:10]]

    def _sale_of(self, refund: str) -> str:
        try:
            found = self.counter.client.ask(Api.SALE_OF_REFUND, {"refunTcketUid": int(refund)}, unit=Unit.ROW)
        except RowError:
            return ""  # An unlinked refund: the platform has no sale to show.
        sale = found[0] if isinstance(found, list) and found else found
        return (id_of(sale.get("uid")) or "") if isinstance(sale, Mapping) else ""
