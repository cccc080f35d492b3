"""Settings of a Square connection."""

from __future__ import annotations

import datetime as dt

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from hub.records import TenderMethod
from hub.source import ConnectionConfig

__all__ = ["SquareConfig"]


class _Settings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class GroupSettings(_Settings):
    """How customer groups are written."""

    prefix: str = Field("CDP ", max_length=50, description="what all groups of the hub begin with")
    names: dict[str, str] = Field(default_factory=dict, description="group name by segment or field name")


class InboxSettings(_Settings):
    """Where webhook events are kept, and how they are signed."""

    folder: str = Field(min_length=1, description="folder of the event files, relative to hub.toml")
    signature_key: SecretStr = Field(description="signature key of the webhook subscription")
    url: str = Field(pattern=r"^https?://", description="notification URL, exactly as in the subscription")
    keep_days: int = Field(30, ge=1, description="event files older than this are removed by the receiver")


class SquareConfig(ConnectionConfig):
    """Settings of a Square connection."""

    access_token: SecretStr = Field(description="access token of the application")
    base_url: str = Field("https://connect.squareup.com", description="address of the API")
    version: dt.date = Field(dt.date(2025, 8, 20), description="Square-Version: the API's date of release to speak")
    locations: tuple[str, ...] = Field((), description="ids of the locations to read; all of them when empty")
    stores: dict[str, str] = Field(default_factory=dict, description="the chain's own number of a shop by location id")
    since: dt.date = Field(dt.date(2010, 1, 1), description="first day of the history to read")
    window_days: int = Field(90, ge=1, description="days per query while the history is read")
    overlap_minutes: int = Field(10, ge=1, description="how far back each run reads again by time of change")
    late_hours: int = Field(
        96, ge=0, description="how far back each run reads again by time of sale: sales made off line"
    )
    settle_seconds: int = Field(60, ge=0, description="what changed later than this ago is left to the next run")
    calls_per_second: int = Field(10, ge=1, description="calls per second; Square publishes no limit")
    payments: dict[str, TenderMethod] = Field(
        default_factory=dict, description="kind of payment by the note or type of a tender"
    )
    groups: GroupSettings = GroupSettings()
    inbox: InboxSettings | None = Field(None, description="take webhook events from this folder")
