"""Settings of a WeCom connection."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator

from hub.runtime import Runtime
from hub.source import ConnectionConfig
from plugins.wecom.crypto import CallbackCrypto

__all__ = [
    "BELONGING",
    "CallbackSettings",
    "MessageSettings",
    "RemarkSettings",
    "StaffChoice",
    "TagSettings",
    "WecomConfig",
    "data_folder",
]

BELONGING: Final = "belonging"
"""The guide that the customer belongs to (归属导购)."""

StaffChoice = Literal["belonging", "all"] | Annotated[tuple[str, ...], Field(min_length=1)]
"""Whose relation with the customer is written: the belonging guide's, everybody's, or that of the named staff."""

_TagName = Annotated[str, Field(min_length=1, max_length=30)]


class _Settings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class CallbackSettings(_Settings):
    """``[connections.NAME.callback]``: what the admin console shows under 接收消息服务器."""

    token: SecretStr = Field(description="Token: at most 32 letters and digits.")
    aes_key: SecretStr = Field(description="EncodingAESKey: 43 letters and digits.")

    @model_validator(mode="after")
    def _has_usable_key(self) -> CallbackSettings:
        self.crypto("")
        return self

    def crypto(self, corp_id: str) -> CallbackCrypto:
        """Return the cipher of this corp's callbacks."""
        return CallbackCrypto(self.token.get_secret_value(), self.aes_key.get_secret_value(), corp_id)


class TagSettings(_Settings):
    """``[connections.NAME.tags]``: where target ``tag`` puts segments."""

    group: _TagName = Field(
        default="客户分群", description="Tag group (标签组) that belongs to the hub; made when missing."
    )
    names: dict[str, _TagName] = Field(
        default_factory=dict, description="Segment or value = name of its tag; the segment's own name unless given."
    )
    staff: StaffChoice = Field(default="all", description="Whose relations are marked: belonging, all, or userids.")


class RemarkSettings(_Settings):
    """``[connections.NAME.remark]``: how target ``remark`` writes into what guides have written."""

    marks: Annotated[str, Field(min_length=2, max_length=2)] = Field(
        default="〖〗", description="Two characters around the hub's own section; text outside is never changed."
    )
    mobiles: bool = Field(default=False, description="Whether `phone` may be added to the phones guides have noted.")
    staff: StaffChoice = Field(default=BELONGING, description="Whose remarks are written: belonging, all, or userids.")

    @field_validator("marks")
    @classmethod
    def _are_two(cls, marks: str) -> str:
        if marks[0] == marks[1]:
            raise ValueError("the two marks must differ")
        return marks


class MessageSettings(_Settings):
    """``[connections.NAME.message]``: the 企业群发 task that target ``message`` creates."""

    text: str = Field(default="", description="Text where a sync maps no `text`; at most 4000 bytes.")
    attachments: tuple[dict[str, Any], ...] = Field(
        default=(), max_length=9, description="Attachments as the platform's documentation of 企业群发 has them."
    )
    allow_select: bool = Field(default=False, description="Whether the guide may choose among the recipients.")
    sender: str = Field(default="", description="Userid of the guide who sends; the platform chooses unless given.")
    per_day: int = Field(default=1, ge=1, description="Most messages per customer and day of China, from this hub.")
    per_month: int | None = Field(
        default=None, ge=1, description="Most messages per customer and month; the number of its days unless given."
    )
    wait_seconds: float = Field(
        default=0.0, ge=0.0, description="How long a push waits for guides to press send before it reports."
    )

    @field_validator("text")
    @classmethod
    def _fits(cls, text: str) -> str:
        if len(text.encode()) > 4000:
            raise ValueError("must have at most 4000 bytes")
        return text


class WecomConfig(ConnectionConfig):
    """Settings of a WeCom connection: one self-built app (自建应用) of one corp."""

    corp_id: str = Field(min_length=1, description="企业ID, under 我的企业.")
    secret: SecretStr = Field(description="Secret of the self-built app (自建应用).")
    base_url: str = Field(default="https://qyapi.weixin.qq.com", description="Where the API is.")
    folder: str = Field(
        default="",
        description="Folder for callbacks, digests and tag ids; .hub/wecom/NAME beside hub.toml unless given.",
    )
    calls_per_second: int = Field(
        default=20, ge=1, le=41, description="Most calls per second and API; above 41 the hourly limit is too small."
    )
    concurrency: int = Field(default=4, ge=1, le=16, description="Calls under way at once.")
    callback: CallbackSettings | None = Field(default=None, description="Receive events; without it, only reading.")
    full_read_hours: float = Field(
        default=24.0,
        ge=0.0,
        description="With callbacks: hours between full reads of the customers; in between only named ones are read.",
    )
    stats_days: int = Field(default=30, ge=1, le=180, description="Days of contact statistics that a first read takes.")
    tags: TagSettings = Field(default_factory=TagSettings, description="Settings of target `tag`.")
    remark: RemarkSettings = Field(default_factory=RemarkSettings, description="Settings of target `remark`.")
    message: MessageSettings = Field(default_factory=MessageSettings, description="Settings of target `message`.")

    @property
    def account(self) -> str:
        """Name of what the platform counts and gives tokens to: this app of this corp."""
        app = hashlib.sha256(self.secret.get_secret_value().encode()).hexdigest()[:12]
        return f"wecom/{self.corp_id}/{app}"


def data_folder(config: WecomConfig, runtime: Runtime) -> Path:
    """Return the connection's own lasting folder, made when missing and readable by its owner only."""
    folder = runtime.path(config.folder or f".hub/wecom/{runtime.connection}")
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    return folder
