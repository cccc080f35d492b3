"""How a till's words and signs are read: the part of a mapping that is not SQL."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["Clock", "LineWord", "TenderWord", "TicketWord", "Words"]

TicketWord = Literal[
    "sale", "refund", "exchange", "deposit", "adjustment", "wholesale", "staff", "void", "training", "open", "skip"
]
"""What a word in a ticket's ``kind`` or ``status`` may mean; ``skip`` leaves the ticket out."""
LineWord = Literal[
    "item",
    "set",
    "component",
    "modifier",
    "gift",
    "service",
    "deposit",
    "adjustment",
    "refund",
    "discount",
    "rounding",
    "skip",
]
"""What a word in a line's ``kind`` may mean; ``discount`` is spread over the other lines, ``skip`` is left out."""
TenderWord = Literal[
    "cash", "card", "wechat", "alipay", "stored_value", "points", "coupon", "gift_card", "credit", "other", "rounding",
    "skip",
]  # fmt: skip
"""What a payment's word may mean; ``rounding`` is 抹零 that the till books as a payment."""


class Words(BaseModel):
    """What a till's words mean. A word counts if it is the cell's text, in any case; canonical words need no entry.

    Attributes:
        tickets: words of a ticket's ``kind``.
        statuses: words of its ``status``.
        lines: words of a line's ``kind``.
        tenders: words of a payment's ``method``; if none is the whole text, the first that occurs in it counts.
        tender_kinds: words of a payment's ``kind``: ``refund`` makes it negative, ``skip`` leaves it out.
        rounding_below: where the till books no 抹零, what was paid less or more than the lines come to, if it is below this.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    tickets: Mapping[str, TicketWord] = Field(default_factory=dict)
    statuses: Mapping[str, TicketWord] = Field(default_factory=dict)
    lines: Mapping[str, LineWord] = Field(default_factory=dict)
    tenders: Mapping[str, TenderWord] = Field(default_factory=dict)
    tender_kinds: Mapping[str, Literal["sale", "refund", "skip"]] = Field(default_factory=dict)
    rounding_below: Decimal = Field(default=Decimal(0), ge=0)


@dataclass(frozen=True)
class Clock:
    """What times mean.

    Attributes:
        zone: the shop's.
        written: zone of times without an offset, where it is not the shop's (a database in UTC).
        day_cutoff: when the shop's day begins.
        now: the present instant; tickets later than ten minutes from now have a wrong clock.
        scope: within what member and card numbers are unique.
        currency: of tickets that name none.
        decimals: places that computed amounts are rounded to.
    """

    zone: ZoneInfo
    day_cutoff: dt.time
    now: dt.datetime
    scope: str
    currency: str = "CNY"
    decimals: int = 2
    written: ZoneInfo | None = None

    @property
    def source_zone(self) -> str:
        """Name of the zone that times without an offset are in."""
        return (self.written or self.zone).key
