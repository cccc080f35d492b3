"""Settings of a webhook connection."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Annotated, Final
from urllib.parse import quote, urlsplit

import httpx
from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator

from hub.destination import OperationKind
from hub.source import ConnectionConfig
from plugins.webhook.guard import AllowList
from plugins.webhook.signing import read_signing_key

__all__ = ["ContentMode", "EventTypes", "WebhookConfig"]

_HEADER_NAME: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_OWN_HEADER: Final = re.compile(r"(?i)(webhook-|ce-|content-|host$|transfer-|connection$)")
_EventType = Annotated[str, Field(pattern=r"^[A-Za-z0-9_]+(\.[A-Za-z0-9_]+)*$", max_length=200)]


class ContentMode(StrEnum):
    """How one CloudEvent becomes one request (CloudEvents HTTP binding, §3)."""

    STRUCTURED = "structured"
    """The whole event is the JSON body, and therefore signed as a whole."""
    BINARY = "binary"
    """Attributes are ``ce-`` headers, the body is the data alone; the signature covers the body and the id only."""


class EventTypes(BaseModel):
    """Names of the events, dot separated; a reverse-DNS prefix is advised by CloudEvents.

    Attributes:
        create: a customer entered.
        update: a customer's values changed.
        delete: a customer left.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    create: _EventType = "customer.entered"
    update: _EventType = "customer.updated"
    delete: _EventType = "customer.left"

    def of(self, kind: OperationKind) -> str:
        """Return the event name of an operation that changes something."""
        return {
            OperationKind.CREATE: self.create,
            OperationKind.UPDATE: self.update,
            OperationKind.DELETE: self.delete,
        }[kind]


class WebhookConfig(ConnectionConfig):
    """Settings of a webhook connection.

    Attributes:
        url: where events go; ``https://`` unless ``allow_http``.
        secrets: keys that requests are signed with, ``whsec_`` or ``whsk_``; several while one replaces another.
        mode: of target ``events``: the event as body, signed as a whole, or attributes in headers and the data as body.
        event_types: names of the events.
        source: the events' ``source`` attribute, a URI reference; made from the connection's name if not given.
        batch_size: events per request of target ``batch``.
        concurrency: requests under way at once, target ``events``.
        timeout: seconds for connecting, sending and answering.
        tries: attempts within one push; later pushes go on.
        rate_per_minute: most requests per minute, shared by all processes.
        max_event_bytes: larger events are not sent; at most 20 KB is advised.
        max_batch_bytes: larger batches are split before they are sent.
        headers: sent with every request, e.g. ``Authorization``; kept out of every message.
        allow: hosts, addresses and networks that may be inside a private network.
        allow_http: permit ``http://``.
        ca_file: further certificate authorities, a PEM file.
        handshake: ask the endpoint for its consent when the connection is checked.
        origin: the DNS name the hub gives itself when it asks.
    """

    url: str = Field(examples=["https://crm.example.com/hooks/customers"])
    secrets: tuple[SecretStr, ...] = Field(min_length=1, examples=[["whsec_bm8gc2VjcmV0IGJ1dCBhbiBleGFtcGxl"]])
    mode: ContentMode = ContentMode.STRUCTURED
    event_types: EventTypes = EventTypes()
    source: str | None = None
    batch_size: int = Field(default=100, ge=1, le=1000)
    concurrency: int = Field(default=4, ge=1, le=32)
    timeout: float = Field(default=20.0, ge=15.0, le=30.0)
    tries: int = Field(default=3, ge=1, le=10)
    rate_per_minute: int | None = Field(default=None, ge=1)
    max_event_bytes: int = Field(default=65_536, ge=1_024)
    max_batch_bytes: int = Field(default=1_000_000, ge=1_024)
    headers: dict[str, SecretStr] = Field(default_factory=dict)
    allow: tuple[str, ...] = ()
    allow_http: bool = False
    ca_file: str | None = None
    handshake: bool = False
    origin: str | None = None

    @field_validator("secrets", mode="before")
    @classmethod
    def _one_or_several(cls, value: object) -> object:
        return (value,) if isinstance(value, str) else value

    @field_validator("secrets")
    @classmethod
    def _are_keys(cls, secrets: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
        for secret in secrets:
            read_signing_key(secret.get_secret_value())
        return secrets

    @field_validator("allow")
    @classmethod
    def _are_hosts_or_networks(cls, entries: tuple[str, ...]) -> tuple[str, ...]:
        AllowList.of(entries)
        return entries

    @field_validator("source")
    @classmethod
    def _is_reference(cls, source: str | None) -> str | None:
        if source is not None and not re.fullmatch(r"[!-~]+", source):
            raise ValueError("must be a URI reference without blanks, e.g. https://hub.example.com/vip")
        return source

    @field_validator("headers")
    @classmethod
    def _are_free_headers(cls, headers: dict[str, SecretStr]) -> dict[str, SecretStr]:
        for name in headers:
            if not _HEADER_NAME.fullmatch(name) or _OWN_HEADER.match(name):
                raise ValueError(f"{name!r} is not a header that can be set here")
        return headers

    @model_validator(mode="after")
    def _has_usable_url(self) -> WebhookConfig:
        parts = urlsplit(self.url)
        if parts.scheme not in {"http", "https"} or not parts.hostname or not _is_valid(self.url):
            raise ValueError("url must be an absolute https:// address")
        if parts.scheme == "http" and not self.allow_http:
            raise ValueError(
                "url must begin with https://; set allow_http = true for a receiver inside your own network"
            )
        if parts.username or parts.password or parts.fragment:
            raise ValueError("url must hold neither user:password@ nor a #fragment; put credentials into headers")
        if self.handshake and not self.origin:
            raise ValueError("handshake = true needs origin, the DNS name this hub announces itself with")
        return self

    def event_source(self, connection: str) -> str:
        """Return the ``source`` attribute: the configured one, else one made from the connection's name."""
        return self.source or f"urn:customer-hub:{quote(connection, safe='')}"

    def secret_values(self) -> tuple[str, ...]:
        """Return everything that must never be shown: secrets, header values, long path segments of the URL.

        Many receivers put an access token into the path; a segment of 16 characters or more is taken for one.
        """
        segments = [part for part in urlsplit(self.url).path.split("/") if len(part) >= 16]
        hidden = [*self.secrets, *self.headers.values()]
        return (*(secret.get_secret_value() for secret in hidden), *segments)


def _is_valid(url: str) -> bool:
    try:
        return httpx.URL(url).raw_host.isascii() and not re.search(r"\s", url)
    except httpx.InvalidURL:
        return False
