"""Settings of a ``pos.poslog`` connection."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Annotated
from zoneinfo import ZoneInfo

from pydantic import Field, SecretStr, field_validator

from hub.source import ConnectionConfig
from plugins.pos.tickets.rules import TenderWord

__all__ = ["PoslogConfig"]


class PoslogConfig(ConnectionConfig):
    """POSLog files in one folder.

    Attributes:
        url: a folder, a file or a glob (``drops/*.xml``), local or any fsspec URL; ``.xml`` and ``.xml.gz`` in a folder.
        options: what the file system's driver needs; every text is treated as a secret.
        tenders: words of ``TenderType`` or ``TenderID`` and what they mean, before the usual ones.
        timezone: of times without an offset; the hub's if not given.
        day_cutoff: when the shop's day begins, for transactions without ``BusinessDayDate``; the hub's if not given.
        scope: within what loyalty and customer numbers are unique; the connection's name if not given.
        settle_seconds: leave a file alone until it has not been written to for this long.
        page_tickets: transactions per page; up to three pages are held in memory.
        forget_after_days: how long a file that is gone from the folder is remembered.
    """

    url: str = Field(min_length=1)
    options: dict[str, SecretStr | bool | int | float] = Field(default_factory=dict)
    tenders: Mapping[str, TenderWord] = Field(default_factory=dict)
    timezone: str | None = None
    day_cutoff: dt.time | None = None
    scope: str | None = None
    settle_seconds: Annotated[float, Field(ge=0)] = 30
    page_tickets: Annotated[int, Field(ge=1, le=200_000)] = 10_000
    forget_after_days: Annotated[int, Field(ge=1)] = 180

    @field_validator("timezone")
    @classmethod
    def _known_timezone(cls, value: str | None) -> str | None:
        try:
            return ZoneInfo(value).key if value else None
        except (KeyError, ValueError, OSError):
            raise ValueError(f"there is no time zone {value!r}; use a name such as 'Asia/Shanghai'") from None
