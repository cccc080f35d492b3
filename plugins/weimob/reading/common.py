"""What all streams share: where they read from, how far they have come, and the messages that wait."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final, TypeVar

from hub.errors import HubError, RowError, StreamError
from hub.http import WindowTooDeep, fan_out_apart, numbered_pages
from hub.redaction import redact
from hub.runtime import Runtime
from hub.source import Reject
from plugins.weimob.answers import is_forbidden
from plugins.weimob.api import Api, Capability
from plugins.weimob.client import WeimobClient
from plugins.weimob.config import WeimobConfig
from plugins.weimob.inbox import Inbox, Waiting
from plugins.weimob.messages import Message, Subject
from plugins.weimob.roster import Roster
from plugins.weimob.values import CHINA, text

__all__ = ["Caught", "Merchant", "begin_of", "moment", "pages_of", "reject", "rows_of", "stamp", "too_deep"]

READ_LAG: Final = dt.timedelta(seconds=30)
"""After a message the platform's read side may lag this long."""
_MESSAGES_AT_ONCE: Final = 100

T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True)
class Caught:
    """The things some waiting messages are about, each with its newest message, and the place behind them all."""

    messages: Mapping[str, Message]
    place: int


@dataclass
class Merchant:
    """One merchant (bos) and how to read it.

    Attributes:
        client: speaks to the gateway.
        config: the connection's settings.
        runtime: time, above all.
        inbox: pushed messages.
        roster: who is known.
    """

    client: WeimobClient
    config: WeimobConfig
    runtime: Runtime
    inbox: Inbox | None = None
    roster: Roster | None = None
    _silent: set[str] = field(default_factory=set)

    @cached_property
    def vid(self) -> int:
        """The organisation node to act for: the configured one, else the root."""
        if self.config.vid is not None:
            return int(self.config.vid)
        data = self.client.ask(Api.ROOT)
        found = text(data.get("vid")) if isinstance(data, Mapping) else text(data)
        if found is None:
            raise StreamError(
                "The platform does not name the merchant's root node.",
                code="weimob_node_missing",
                hint="Set vid in hub.toml: the 微盟 console shows it under 组织管理.",
            )
        return int(found)

    def settled(self) -> dt.datetime:
        """Return the moment up to which lists no longer grow, whatever the clocks and the read side's lag, in whole seconds."""
        now = self.runtime.now() - dt.timedelta(seconds=self.config.orders.settle_seconds)
        return now.astimezone(CHINA).replace(microsecond=0)

    def overlap(self) -> dt.timedelta:
        """How far back each run reads again."""
        return dt.timedelta(minutes=self.config.orders.overlap_minutes)

    def order_step(self) -> dt.timedelta:
        """Longest window in which orders and after-sales are searched."""
        return dt.timedelta(hours=self.config.orders.window_hours)

    def side_by_side(
        self, ask: Callable[[T], R], items: Iterable[T]
    ) -> tuple[list[tuple[T, R]], list[tuple[T, RowError]]]:
        """Make one call per item; return what came, and the items that were refused."""
        return fan_out_apart(ask, items, workers=self.config.workers)

    def caught(
        self, subject: Subject, place: int, wanted: Callable[[Waiting], bool] = lambda _: True
    ) -> Iterator[Caught]:
        """Give the waiting messages about one subject, a hundred at a time; the newest are left to lie."""
        if self.inbox is None:
            return
        until = self.runtime.now() - READ_LAG
        while waiting := self.inbox.after(place, until, _MESSAGES_AT_ONCE):
            place = waiting[-1].number
            mine = [each.message for each in waiting if each.message.subject is subject and wanted(each)]
            yield Caught({thing: message for message in mine for thing in message.things()}, place)

    def without(self, capability: Capability, error: StreamError) -> str:
        """Say once that something is read without a capability that was not applied for; any other error is raised."""
        if not is_forbidden(error):
            raise error
        if capability.name in self._silent:
            return ""
        self._silent.add(capability.name)
        return f"{capability.name} is not granted (能力 {capability.group}): read without it."

    def lacks(self, capability: Capability) -> bool:
        """Say whether this run has found a capability not granted."""
        return capability.name in self._silent


def pages_of(
    merchant: Merchant, capability: Capability, asked: Mapping[str, Any], *, size: int
) -> Iterator[list[Mapping[str, Any]]]:
    """Give the rows of a list that is read to its end by page number, page by page."""

    def fetch(number: int) -> Mapping[str, Any]:
        data = merchant.client.ask(capability, {**asked, "pageNum": number, "pageSize": size})
        return data if isinstance(data, Mapping) else {}

    for data in numbered_pages(fetch, items=rows_of, total=_total, size=size):
        yield rows_of(data)


def rows_of(data: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return a page's rows, under whichever name they stand."""
    for name in ("pageList", "data", "dataList", "itemList"):
        if isinstance(data.get(name), list):
            return list(data[name])
    return []


def _total(data: Mapping[str, Any]) -> int | None:
    found = text(data.get("totalCount")) or text(data.get("totalSize"))
    return int(found) if found is not None and found.isdecimal() else None


def too_deep(error: HubError, number: int, size: int) -> HubError | WindowTooDeep:
    """Judge the refusal of a page: where the first one of a window was given, a later one is refused for its depth.

    How deep a list may be paged is not documented for all of them.
    """
    shallow = number > 1 and isinstance(error, StreamError) and not is_forbidden(error)
    return WindowTooDeep((number - 1) * size) if shallow else error


def reject(where: str, source_id: str, error: RowError) -> Reject:
    """Describe something the platform refused to show."""
    said = str(error.context.get("said") or "")
    return Reject(f"{where}/{source_id}", error.code, redact(f"{error.message} {said}".strip()), source_id=source_id)


def begin_of(day: dt.date) -> dt.datetime:
    """Return the beginning of a day in China."""
    return dt.datetime.combine(day, dt.time.min, CHINA)


def moment(value: Any) -> dt.datetime | None:
    """Read an instant out of a cursor."""
    return dt.datetime.fromisoformat(value) if value else None


def stamp(value: dt.datetime) -> str:
    """Write an instant into a cursor."""
    return value.isoformat()
