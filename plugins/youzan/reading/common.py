"""What all streams share: where they read from, how far they have come, and the messages that wait."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from hub.chunks import chunks
from hub.errors import HubError, RowError, StreamError
from hub.http import TimeWindow, WindowedList, WindowTooDeep, fan_out_apart
from hub.redaction import redact
from hub.runtime import Runtime
from hub.source import Reject
from plugins.youzan.answers import NO_PERMISSION, TOO_DEEP
from plugins.youzan.client import YouzanClient
from plugins.youzan.config import YouzanConfig
from plugins.youzan.messages import Message, Subject
from plugins.youzan.spool import Position, Spool, Waiting
from plugins.youzan.values import CHINA

__all__ = ["Caught", "Shop", "begin_of", "is_forbidden", "moment", "stamp", "windowed"]

READ_LAG: Final = dt.timedelta(seconds=30)
"""After a message the platform's read side may lag this long."""
_MESSAGES_AT_ONCE: Final = 100

T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True)
class Caught:
    """The things some waiting messages are about, each with its newest message, and the position behind them all."""

    messages: Mapping[str, Message]
    position: Position


@dataclass(frozen=True)
class Shop:
    """One shop and how to read it.

    Attributes:
        client: speaks to the gateway with the shop's token.
        config: the connection's settings.
        runtime: time, above all.
        spool: pushed messages, if they are received.
    """

    client: YouzanClient
    config: YouzanConfig
    runtime: Runtime
    spool: Spool | None = None

    @property
    def kdt_id(self) -> str:
        """The head office: customers are unique within it."""
        return self.config.kdt_id

    def settled(self) -> dt.datetime:
        """Return the moment up to which lists no longer grow, whatever the clocks and the read side's lag, in whole seconds."""
        now = self.runtime.now() - dt.timedelta(seconds=self.config.orders.settle_seconds)
        return now.astimezone(CHINA).replace(microsecond=0)

    def overlap(self) -> dt.timedelta:
        """How far back each run reads again."""
        return dt.timedelta(minutes=self.config.orders.overlap_minutes)

    def side_by_side(
        self, ask: Callable[[T], R], items: Iterable[T]
    ) -> tuple[list[tuple[T, R]], list[tuple[T, RowError]]]:
        """Make one detail call per item; return what came, and the items that were refused."""
        return fan_out_apart(ask, items, workers=self.config.workers)

    def caught(
        self, subject: Subject, position: Position, wanted: Callable[[Waiting], bool] = lambda _: True
    ) -> Iterator[Caught]:
        """Give the waiting messages about one subject, a hundred at a time; the newest are left to lie."""
        if self.spool is None:
            return
        waiting = self.spool.read(position, self.runtime.now() - READ_LAG)
        for chunk in chunks(waiting, _MESSAGES_AT_ONCE):
            messages: dict[str, Message] = {}
            for each in chunk:
                if each.message.subject is subject and not each.message.is_own_echo and wanted(each):
                    _keep_newest(messages, each.message)
            yield Caught(messages, chunk[-1].position)


def _keep_newest(messages: dict[str, Message], message: Message) -> None:
    """Of several messages about one thing, which may come in any order, the highest version counts."""
    for thing in message.things():
        if thing not in messages or messages[thing].version <= message.version:
            messages[thing] = message


def windowed(fetch: Callable[[TimeWindow, int], tuple[int, Sequence[Any]]], size: int, depth: int) -> WindowedList:
    """Return a list to be read by windows; see :class:`hub.http.WindowedList`."""

    def ask(window: TimeWindow, number: int) -> tuple[int, Sequence[Any]]:
        try:
            return fetch(window, number)
        except StreamError as error:
            # Old notes tell of shallower lists than the present pages do: narrower windows then.
            if number > 1 and error.context.get("code") in TOO_DEEP:
                raise WindowTooDeep(number * size) from None
            raise

    return WindowedList(ask, size, depth)


def reject(where: str, source_id: str, error: RowError) -> Reject:
    """Describe something the platform refused to show."""
    said = str(error.context.get("said") or "")
    return Reject(f"{where}/{source_id}", error.code, redact(f"{error.message} {said}".strip()), source_id=source_id)


def is_forbidden(error: HubError) -> bool:
    """Say whether the application lacks the capability package of the method."""
    return error.code == NO_PERMISSION


def begin_of(day: dt.date) -> dt.datetime:
    """Return the beginning of a day in China."""
    return dt.datetime.combine(day, dt.time.min, CHINA)


def moment(value: Any) -> dt.datetime | None:
    """Read an instant out of a cursor."""
    return dt.datetime.fromisoformat(value) if value else None


def stamp(value: dt.datetime) -> str:
    """Write an instant into a cursor."""
    return value.isoformat()
