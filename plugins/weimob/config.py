"""Settings of a Weimob connection."""

from __future__ import annotations

import datetime as dt
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, model_validator

from hub.runtime import Runtime
from hub.source import ConnectionConfig

__all__ = [
    "Authorisation",
    "BalanceSettings",
    "CouponSettings",
    "CustomerSettings",
    "OrderSettings",
    "PointsSettings",
    "SearchSettings",
    "TagSettings",
    "WeimobConfig",
    "data_folder",
]


def _digits(value: object) -> object:
    """Let ids be written as numbers in TOML."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


Id = Annotated[str, BeforeValidator(_digits), Field(pattern=r"^\d{1,20}$")]
"""One of the platform's numbers of up to 19 digits, kept as text."""


class Authorisation(StrEnum):
    """How the application is allowed to act for the shop."""

    CLIENT = "client_credentials"
    """自有型: the merchant's own application."""
    CODE = "authorization_code"
    """工具型: the merchant authorised the application; it lives by refresh tokens."""


class _Settings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class SearchSettings(_Settings):
    """Names of the columns of user/search. The platform's dictionary of them is shown in its console only."""

    wid: str = Field("wid", min_length=1, description="column with the customer's number")
    time: str = Field("becomeCustomerTime", description="column to cut the search by; empty: do not cut")
    most: int = Field(10_000, ge=100, description="rows that one search gives in all")


class CustomerSettings(_Settings):
    """How customers are found and what is asked of each."""

    since: dt.date = Field(dt.date(2015, 1, 1), description="first day on which a customer can have come")
    rescan_days: int = Field(7, ge=1, description="everybody is looked for again after so many days")
    search: SearchSettings = SearchSettings()
    buyers: bool = Field(default=True, description="find customers by the orders that changed")
    guides: bool = Field(default=True, description="find customers by the guides' lists")
    coupons: bool = Field(default=True, description="find customers by the coupons they hold")
    tags: bool = Field(default=True, description="ask for tags: one call per 20 customers")
    channels: bool = Field(default=True, description="ask for unionid and openids: one call per customer")
    app_id: str = Field("default", description="appid asked for with channels")
    cards: bool = Field(default=True, description="ask for cards, level and growth: one call per customer")
    points: bool = Field(default=True, description="ask for points: one call per customer")
    balance: bool = Field(default=False, description="ask for the stored value: one call per customer")


class OrderSettings(_Settings):
    """How orders and after-sales are read."""

    since: dt.date = Field(dt.date(2020, 1, 1), description="first day of the history to read")
    window_hours: int = Field(24, ge=1, le=720, description="length of one search; the platform takes 30 days at most")
    depth: int = Field(10_000, ge=100, description="most rows a search is paged through; it is halved beyond")
    overlap_minutes: int = Field(10, ge=1, description="how far back each run reads again")
    settle_seconds: int = Field(180, ge=0, description="what changed later than this ago is left to the next run")


class CouponSettings(_Settings):
    """How coupons are issued."""

    template_id: str = Field("", description="template to issue when a sync maps no template_id")


class TagSettings(_Settings):
    """How tags are written."""

    tag: str = Field(
        "客户中台", min_length=1, max_length=26, description="name of the tags that the hub keeps; made if missing"
    )
    names: dict[str, str] = Field(default_factory=dict, description="value's name by segment or field name")


class PointsSettings(_Settings):
    """How points and growth are written."""

    reason: str = Field("会员运营", min_length=1, max_length=50, description="reason shown to the customer")
    change_type: str = Field("107", description="changeType of points: 107 open platform, 111 marketing automation")
    growth_channel: int = Field(971, description="channelType of growth: 971 consumption")


class BalanceSettings(_Settings):
    """How stored value is written."""

    enabled: bool = Field(default=False, description="offer the target balance: it moves money")
    reason: str = Field("会员运营", min_length=1, max_length=50, description="reason shown to the customer")


class WeimobConfig(ConnectionConfig):
    """Settings of a Weimob connection."""

    client_id: str = Field(min_length=1, description="application id from the 微盟云 console")
    client_secret: SecretStr = Field(description="application secret from the 微盟云 console")
    bos_id: Id = Field(description="bosId of the merchant (商业操作系统ID)")
    vid: Id | None = Field(None, description="organisation node to act for; the root unless given")
    vid_type: int = Field(1, ge=1, description="vidType of that node: 1 group, 2 brand, 10 shop")
    product_instance_id: Id | None = Field(None, description="product instance; writing tags needs it")
    merchant_id: Id | None = Field(None, description="merchantId; writing tags needs it")
    base_url: str = Field("https://dopen.weimob.com", description="address of the gateway")
    authorisation: Authorisation = Field(
        Authorisation.CLIENT, description="client_credentials (自有型) or authorization_code (工具型)"
    )
    code: SecretStr | None = Field(None, description="authorisation code of a 工具型 application; good once")
    redirect_uri: str = Field("", description="callback address given with the code")
    refresh_token: SecretStr | None = Field(None, description="refresh token to begin with, instead of a code")
    calls_per_second: int = Field(10, ge=1, description="calls per second of the shop, all processes together")
    workers: int = Field(4, ge=1, le=32, description="calls at the same time")
    folder: str = Field(
        "", description="where messages and the roster of customers are kept; .hub/weimob/NAME unless given"
    )
    keep_days: int = Field(30, ge=1, description="pushed messages older than this are removed")
    customers: CustomerSettings = CustomerSettings()
    orders: OrderSettings = OrderSettings()
    coupons: CouponSettings = CouponSettings()
    tags: TagSettings = TagSettings()
    points: PointsSettings = PointsSettings()
    balance: BalanceSettings = BalanceSettings()
    membership_plan_id: Id | None = Field(None, description="card plan whose level and growth are written")
    levels: dict[str, str] = Field(default_factory=dict, description="levelId by the value a sync maps")
    attributes: dict[str, str] = Field(default_factory=dict, description="custom field's key by the field a sync maps")

    @model_validator(mode="after")
    def _can_begin(self) -> Self:
        if self.authorisation is Authorisation.CODE and not (self.code or self.refresh_token):
            raise ValueError("authorisation authorization_code needs `code` or `refresh_token` to begin with")
        return self


def data_folder(config: WeimobConfig, runtime: Runtime) -> Path:
    """Return the connection's own lasting folder, made when missing and readable by its owner only."""
    folder = runtime.path(config.folder or f".hub/weimob/{runtime.connection}")
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    return folder
