"""What all streams share: one shop and how to read it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from zoneinfo import ZoneInfo

from hub.errors import HubError, RowError
from hub.redaction import redact
from hub.runtime import Runtime
from hub.source import Reject
from plugins.pos.pospal.answers import NO_PERMISSION
from plugins.pos.pospal.api import Api
from plugins.pos.pospal.client import PospalClient
from plugins.pos.pospal.config import PospalConfig, ShopSettings
from plugins.pos.pospal.inbox import MessageBox
from plugins.pos.pospal.mapping.payments import PayMethods
from plugins.pos.pospal.mapping.tickets import TicketContext
from plugins.pos.pospal.messages import Message, Subject
from plugins.pos.pospal.values import local, time_text

__all__ = ["Counter", "day_windows", "refused"]

_SECOND = dt.timedelta(seconds=1)


@dataclass(frozen=True)
class Counter:
    """One shop's counter.

    Attributes:
        shop: the shop and its key.
        client: speaks with its interface.
        config: the connection's settings.
        runtime: time, above all.
        inbox: pushed messages, if they are received.
    """

    shop: ShopSettings
    client: PospalClient
    config: PospalConfig
    runtime: Runtime
    inbox: MessageBox | None = None

    @property
    def zone(self) -> ZoneInfo:
        """The shops' time zone."""
        return self.runtime.timezone

    @cached_property
    def methods(self) -> PayMethods:
        """The shop's methods of payment, asked for once; without the right to ask, codes stand for themselves."""
        try:
            rows = self.client.ask(Api.PAY_METHODS) or ()
        except HubError as error:
            if error.code != NO_PERMISSION:
                raise
            rows = ()
        return PayMethods.of(rows, self.config.pay_methods)

    def context(self) -> TicketContext:
        """Return what tickets of this shop do not say themselves."""
        return TicketContext(
            self.shop.id, self.zone, self.runtime.day_cutoff, self.runtime.currency, methods=self.methods
        )

    def begin_of(self, moment: dt.datetime) -> dt.datetime:
        """Return the beginning of the shop's day that a moment lies in."""
        cutoff = self.runtime.day_cutoff
        here = moment.astimezone(self.zone)
        day = here.date() if here.time() >= cutoff else here.date() - dt.timedelta(days=1)
        return local(day, cutoff, self.zone)

    def since(self) -> dt.datetime:
        """Return the beginning of the history to read."""
        return local(self.config.tickets.since, self.runtime.day_cutoff, self.zone)

    def window(self, start: dt.datetime, end: dt.datetime) -> tuple[str, str]:
        """Return the two times to ask with so that everything from ``start`` to just before ``end`` is given.

        It is not documented everywhere which ends count; a second earlier at both is right for every reading.
        """
        return time_text(start - _SECOND, self.zone), time_text(end - _SECOND, self.zone)

    def messages(
        self, subject: Subject, position: Mapping[str, Any], app_ids: frozenset[str]
    ) -> tuple[list[str], dict[str, Any]]:
        """Return the things that pushed messages name since a position, each once, and the new position."""
        if self.inbox is None:
            return [], dict(position)
        found, reached = self.inbox.read(position)

        def concerns(message: Message) -> bool:
            return message.subject is subject and message.app_id in app_ids

        return list(dict.fromkeys(message.thing for message in found if concerns(message))), reached


def day_windows(start: dt.datetime, until: dt.datetime, days: int) -> Iterator[tuple[dt.datetime, dt.datetime]]:
    """Cut a period into windows of whole shop days, oldest first; the last one ends where its day does."""
    at = start
    while at < until:
        end = at + dt.timedelta(days=days)
        yield at, end
        at = end


def refused(where: str, thing: str, error: RowError) -> Reject:
    """Describe something the platform refused to show."""
    said = str(error.context.get("said") or "")
    return Reject(f"{where}/{thing}", error.code, redact(f"{error.message} {said}".strip()), source_id=thing)
