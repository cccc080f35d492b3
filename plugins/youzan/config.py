"""Settings of a Youzan connection."""

from __future__ import annotations

import datetime as dt
from enum import StrEnum
from typing import Annotated, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, model_validator

from hub.source import ConnectionConfig

__all__ = [
    "Authorisation",
    "CardSettings",
    "CouponSettings",
    "CustomerSettings",
    "Details",
    "InboxSettings",
    "OrderSettings",
    "PointsSettings",
    "Scan",
    "TagSettings",
    "TagStyle",
    "TimeUnit",
    "YouzanConfig",
]


def _digits(value: object) -> object:
    """Let ids be written as numbers in TOML."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


ShopId = Annotated[str, BeforeValidator(_digits), Field(pattern=r"^\d{1,20}$")]
"""A shop's ``kdt_id``."""


class Authorisation(StrEnum):
    """How the application is allowed to act for the shop."""

    SILENT = "silent"
    """自用型: the merchant's own application."""
    CODE = "code"
    """工具型: the owner authorised the application; it lives by rotating refresh tokens."""


class Scan(StrEnum):
    """Which API finds customers."""

    AUTO = "auto"
    """``cursor`` if the account may use it, else ``list``."""
    CURSOR = "cursor"
    LIST = "list"


class TimeUnit(StrEnum):
    """Unit of the times in a request of ``customer.list``; Youzan's pages contradict each other."""

    AUTO = "auto"
    SECONDS = "seconds"
    MILLISECONDS = "milliseconds"


class Details(StrEnum):
    """For which orders ``trade.get`` is called (one call each)."""

    NEEDED = "needed"
    """Those with a discount or with several means of payment: only the detail names coupons and balances used."""
    ALWAYS = "always"
    NEVER = "never"


class TagStyle(StrEnum):
    """Which of Youzan's two tag systems is written."""

    GROUP = "group"
    """标签组: tags of one group, which the hub keeps for itself."""
    NAME = "name"
    """Tags without a group, told by a prefix."""


class _Settings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class CustomerSettings(_Settings):
    """How customers are read."""

    scan: Scan = Field(
        Scan.AUTO, description="which API finds customers: auto, cursor (needs 店铺客户信息同步) or list"
    )
    since: dt.date = Field(dt.date(2012, 11, 1), description="first day on which a customer can have been made")
    created_at_unit: TimeUnit = Field(TimeUnit.AUTO, description="unit of times asked for in customer.list")
    rescan_days: int = Field(7, ge=1, description="with list: all customers are read again after so many days")
    buyers: bool = Field(default=True, description="with list: customers of changed orders are read again")
    unionid: bool = Field(default=True, description="ask for the WeChat unionid: one more call per changed customer")
    guides: bool = Field(default=True, description="ask for the belonging guide: one more call per changed customer")


class OrderSettings(_Settings):
    """How orders and refunds are read."""

    since: dt.date = Field(dt.date(2020, 1, 1), description="first day of the history to read")
    details: Details = Field(Details.NEEDED, description="orders whose detail is read: needed, always or never")
    overlap_minutes: int = Field(10, ge=1, description="how far back each run reads again")
    settle_seconds: int = Field(180, ge=0, description="what changed later than this ago is left to the next run")


class CouponSettings(_Settings):
    """How coupons are read and issued."""

    since: dt.date = Field(dt.date(2020, 1, 1), description="first day of the history to read")
    lookback_days: int = Field(
        30, ge=0, description="coupons taken within so many days are looked at again for their use"
    )
    activity_id: str = Field("", description="activity to issue from when a sync maps no activity_id")
    one_per_customer: bool = Field(
        default=True, description="issue nothing to somebody who ever held a coupon of the activity"
    )


class TagSettings(_Settings):
    """How tags are written."""

    style: TagStyle = Field(TagStyle.GROUP, description="group or name")
    group: str = Field(
        "客户中台", min_length=1, max_length=30, description="tag group that the hub keeps; made if missing"
    )
    prefix: str = Field("CDP·", max_length=20, description="with style name: what all tags of the hub begin with")
    names: dict[str, str] = Field(default_factory=dict, description="tag name by segment or field name")


class PointsSettings(_Settings):
    """How points are written."""

    reason: str = Field("会员运营", min_length=1, max_length=50, description="reason shown to the customer")
    settle_seconds: float = Field(
        6.0, ge=0, description="pause before an unanswered change is looked up; the platform gives up after 5 s"
    )


class CardSettings(_Settings):
    """How benefit cards are granted."""

    alias: str = Field("", description="card to grant when a sync maps no card_alias")
    valid_days: int = Field(365, ge=1, description="how long a granted card is good")


class InboxSettings(_Settings):
    """Where pushed messages are kept."""

    folder: str = Field(min_length=1, description="folder of the message files, relative to hub.toml")
    keep_days: int = Field(30, ge=1, description="message files older than this are removed by the receiver")


class YouzanConfig(ConnectionConfig):
    """Settings of a Youzan connection."""

    client_id: str = Field(min_length=1, description="application id from the 有赞云 console")
    client_secret: SecretStr = Field(description="application secret from the 有赞云 console")
    kdt_id: ShopId = Field(description="shop id; of a chain the head office's")
    nodes: tuple[ShopId, ...] = Field(
        (), description="shops whose orders and refunds are read with tokens of their own"
    )
    base_url: str = Field("https://open.youzanyun.com", description="address of the gateway")
    authorisation: Authorisation = Field(Authorisation.SILENT, description="silent (自用型) or code (工具型)")
    code: SecretStr | None = Field(None, description="authorisation code of a 工具型 application; good for two minutes")
    redirect_uri: str = Field("", description="callback address given with the code")
    refresh_token: SecretStr | None = Field(None, description="refresh token to begin with, instead of a code")
    calls_per_second: int = Field(10, ge=1, description="calls per second of the application, all shops together")
    tag_calls_per_second: int = Field(4, ge=1, description="calls per second of the ungrouped tag API")
    calls_per_day: int | None = Field(
        None, ge=1, description="calls per day (China time), to spare the monthly package"
    )
    workers: int = Field(4, ge=1, le=32, description="detail calls at the same time")
    customers: CustomerSettings = CustomerSettings()
    orders: OrderSettings = OrderSettings()
    coupons: CouponSettings = CouponSettings()
    tags: TagSettings = TagSettings()
    points: PointsSettings = PointsSettings()
    card: CardSettings = CardSettings()
    levels: dict[str, str] = Field(default_factory=dict, description="level alias by the value a sync maps")
    attributes: dict[str, str] = Field(default_factory=dict, description="attribute name by the field a sync maps")
    inbox: InboxSettings | None = Field(None, description="read pushed messages from this folder")

    @model_validator(mode="after")
    def _can_begin(self) -> Self:
        if self.authorisation is Authorisation.CODE and not (self.code or self.refresh_token):
            raise ValueError("authorisation code needs `code` or `refresh_token` to begin with")
        return self
