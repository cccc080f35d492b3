"""Settings of a Pospal connection."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, field_validator, model_validator

from hub.records import TenderMethod
from hub.source import ConnectionConfig

__all__ = ["CodeMeaning", "PospalConfig", "ShopSettings"]

Texts = Annotated[str, BeforeValidator(lambda value: str(value) if type(value) is int else value)]
"""Text that may be written as a number in TOML."""


class CodeMeaning(StrEnum):
    """What an error code of the platform means; it publishes no list of them."""

    KEY = "key"
    """The shop's key is refused."""
    PERMISSION = "permission"
    """The shop may not use this interface."""
    QUOTA = "quota"
    """The day's calls are used up."""
    BUSY = "busy"
    """Passing: try again."""
    REFUSED = "refused"
    """This call is refused for good."""


class _Settings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class ShopSettings(_Settings):
    """One shop: Pospal gives every shop an address and a key of its own."""

    id: Texts = Field(min_length=1, max_length=64, description="the chain's own number of the shop; orders carry it")
    app_id: str = Field(min_length=1, description="appId of the shop")
    app_key: SecretStr = Field(description="appKey of the shop")
    base_url: str = Field("", description="address with the area, up to openapi/v1; the connection's unless given")
    v2_base_url: str = Field("", description="address of the V2 interface, up to openinterface; used for coupons")
    member_group: str = Field("", description="shops with the same word here share their members; empty: none of them")
    headquarters: bool = Field(default=False, description="whether its key lists the chain's shops")

    @field_validator("app_key", mode="before")
    @classmethod
    def _digits_stay_text(cls, value: object) -> object:
        if isinstance(value, int | float):
            raise ValueError("put the key in quotes: it is a text of digits")  # noqa: TRY004 - pydantic wants a ValueError
        return value


class TicketSettings(_Settings):
    """How tickets and top-ups are read."""

    since: dt.date = Field(dt.date(2020, 1, 1), description="first day of the history to read")
    window_days: int = Field(1, ge=1, le=31, description="days per query")
    no_limit_flag: bool = Field(
        default=False, description="send noLimitTimeRange, which lets a query span more than a day"
    )
    overlap_days: int = Field(3, ge=0, description="days each run reads again, for late and changed tickets")
    deep_days: int = Field(31, ge=0, description="days that are read again now and then")
    deep_every_days: int = Field(7, ge=1, description="how often deep_days are read again")
    ahead_days: int = Field(1, ge=0, le=31, description="days ahead that are asked for, for tills whose clock is fast")
    refund_links: bool = Field(default=True, description="ask for the sale of each refund: one call per new refund")


class MemberSettings(_Settings):
    """How members are read."""

    rescan_hours: float = Field(
        12, ge=0, description="all members are read again after so long: no query gives the changed"
    )
    official_account: str = Field("", description="appid of the WeChat official account, for openids of type 0")
    mini_program: str = Field("", description="appid of the mini-program, for openids of type 1")


class WriteSettings(_Settings):
    """How things are written."""

    settle_seconds: float = Field(6.0, ge=0, description="pause before an unanswered change is looked up")
    remark_head: str = Field(
        "标签", min_length=1, max_length=10, description="first word of the hub's part of a remark"
    )
    tag_names: dict[str, str] = Field(default_factory=dict, description="word by segment name")
    coupon_uid: Texts = Field("", description="coupon rule to issue from when a sync maps no coupon_uid")
    stored_value_limit: Decimal | None = Field(
        None, gt=0, description="most yuan one operation may add to or take from a balance; without it there is no such target"
    )  # fmt: skip


class InboxSettings(_Settings):
    """Where pushed messages are kept."""

    folder: str = Field(min_length=1, description="folder of the message files, relative to hub.toml")
    keep_days: int = Field(30, ge=1, description="message files older than this are removed by the receiver")


class PospalConfig(ConnectionConfig):
    """Settings of a Pospal connection."""

    shops: tuple[ShopSettings, ...] = Field(min_length=1, description="the shops, each with its key")
    base_url: str = Field("", description="address for shops that give none")
    calls_per_second: int = Field(3, ge=1, description="calls per second of each shop")
    calls_per_day: int = Field(3000, ge=1, description="calls per day of each shop (China time)")
    pay_methods: dict[str, TenderMethod] = Field(
        default_factory=dict, description="kind of payment by the name or code a shop gives it"
    )
    error_codes: dict[str, CodeMeaning] = Field(default_factory=dict, description="what error codes mean")
    tickets: TicketSettings = TicketSettings()
    members: MemberSettings = MemberSettings()
    writing: WriteSettings = WriteSettings()
    inbox: InboxSettings | None = Field(None, description="read pushed messages from this folder")

    @model_validator(mode="after")
    def _shops_are_told_apart(self) -> Self:
        problems = [
            f"{name} {value!r} is given twice"
            for name, values in (("id", [s.id for s in self.shops]), ("app_id", [s.app_id for s in self.shops]))
            for value, count in Counter(values).items()
            if count > 1
        ]
        if not self.base_url:
            problems += [f"shop {shop.id!r} has no base_url" for shop in self.shops if not shop.base_url]
        if self.tickets.window_days > 1 and not self.tickets.no_limit_flag:
            problems.append("tickets.window_days above 1 needs tickets.no_limit_flag")
        if problems:
            raise ValueError("; ".join(problems))
        return self

    @property
    def leaders(self) -> tuple[ShopSettings, ...]:
        """One shop for each set of members: of a group the first, and every shop without a group."""
        found: dict[str, ShopSettings] = {}
        for shop in self.shops:
            found.setdefault(f"group {shop.member_group}" if shop.member_group else f"shop {shop.id}", shop)
        return tuple(found.values())

    @property
    def head_office(self) -> ShopSettings | None:
        """The shop whose key lists the others."""
        return next((shop for shop in self.shops if shop.headquarters), None)

    def shop_of_app(self, app_id: str | None) -> str | None:
        """Return the id of the shop with an appId."""
        return next((shop.id for shop in self.shops if shop.app_id == app_id), None)
