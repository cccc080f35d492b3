"""Settings of a WeChat connection."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator

from hub.runtime import Runtime
from hub.source import ConnectionConfig
from plugins.wechat.crypto import MessageCrypto

__all__ = ["AccountKind", "MessageSettings", "PushSettings", "TagSettings", "WechatConfig", "data_folder"]


class AccountKind(StrEnum):
    """What kind of account an appid is."""

    OFFICIAL_ACCOUNT = "official_account"
    """公众号 (a verified service or subscription account)."""
    MINIPROGRAM = "miniprogram"
    """小程序."""


class _Settings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class PushSettings(_Settings):
    """``[connections.NAME.push]``: what the console shows under 消息推送 or 服务器配置."""

    token: SecretStr = Field(description="Token: 3 to 32 letters and digits.")
    aes_key: SecretStr = Field(default=SecretStr(""), description="EncodingAESKey; none in the plain mode (明文模式).")

    @model_validator(mode="after")
    def _is_usable(self) -> PushSettings:
        self.crypto("")
        return self

    def crypto(self, appid: str) -> MessageCrypto:
        """Return the cipher of this account's messages."""
        return MessageCrypto(self.token.get_secret_value(), self.aes_key.get_secret_value(), appid)


class TagSettings(_Settings):
    """``[connections.NAME.tags]``: which tags belong to the hub."""

    prefix: Annotated[str, Field(min_length=1, max_length=10)] = Field(
        default="CDP·", description="What the names of the hub's own tags begin with; other tags are never touched."
    )
    names: dict[str, Annotated[str, Field(min_length=1, max_length=30)]] = Field(
        default_factory=dict, description="Segment or value = name of its tag, without the prefix."
    )


class MessageSettings(_Settings):
    """``[connections.NAME.message]``: the subscription message (订阅消息) that target ``subscribe_message`` sends."""

    template_id: str = Field(default="", description="Template where a sync maps no `template_id`.")
    page: str = Field(default="", description="Page of the mini-program that the card opens.")
    fields: dict[str, str] = Field(
        default_factory=dict, description="Field of the template = text, where a sync maps no value of that name."
    )
    miniprogram_state: Literal["developer", "trial", "formal"] = Field(
        default="formal", description="Which version of the mini-program the card opens."
    )
    lang: Literal["zh_CN", "en_US", "zh_HK", "zh_TW"] = Field(default="zh_CN", description="Language of the card.")
    miniprogram_appid: str = Field(
        default="", description="Official accounts: the mini-program that `page` is in; a web page unless given."
    )


class WechatConfig(ConnectionConfig):
    """Settings of a WeChat connection: one appid."""

    kind: AccountKind = Field(default=AccountKind.OFFICIAL_ACCOUNT, description="official_account or miniprogram.")
    appid: str = Field(pattern=r"^wx[0-9A-Za-z]{16}$", description="AppID (开发者ID).")
    secret: SecretStr = Field(description="AppSecret.")
    base_url: str = Field(default="https://api.weixin.qq.com", description="Where the API is.")
    folder: str = Field(
        default="",
        description="Folder for what was sent and who logged in; .hub/wechat/NAME beside hub.toml unless given.",
    )
    calls_per_second: int = Field(default=20, ge=1, le=100, description="Most calls per second and API.")
    concurrency: int = Field(default=4, ge=1, le=16, description="Calls under way at once.")
    metrics_days: int = Field(default=30, ge=1, le=365, description="Days of statistics that a first read takes.")
    push: PushSettings | None = Field(default=None, description="Receive pushed messages.")
    tags: TagSettings = Field(default_factory=TagSettings, description="Settings of target `tag`.")
    message: MessageSettings = Field(
        default_factory=MessageSettings, description="Settings of target `subscribe_message`."
    )

    @property
    def account(self) -> str:
        """Name of what the platform counts and gives tokens to."""
        return f"wechat/{self.appid}"

    @property
    def is_official(self) -> bool:
        """Whether it is an official account."""
        return self.kind is AccountKind.OFFICIAL_ACCOUNT


def data_folder(config: WechatConfig, runtime: Runtime) -> Path:
    """Return the connection's own lasting folder, made when missing and readable by its owner only."""
    folder = runtime.path(config.folder or f".hub/wechat/{runtime.connection}")
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    return folder
