"""The sections of ``hub.toml`` that are not a plugin's: their keys, defaults and meanings.

Import them from :mod:`hub.config`.
"""

from __future__ import annotations

import datetime as dt
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from hub.records import IdentifierKind
from hub.titles import Title

__all__ = ["HubSettings", "IdentitySettings", "KindSettings", "SegmentSettings", "TitleSettings"]


class Section(BaseModel):
    """What every section shares: an unknown key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class HubSettings(Section):
    """``[hub]``: where things are kept, and the chain's time and money."""

    home: str = Field(default=".hub", description="Folder for everything the hub keeps, relative to hub.toml.")
    store: str = Field(default="", description="SQLAlchemy URL of the store; SQLite in home unless given.")
    warehouse: str = Field(default="", description="Path of the DuckDB file; in home unless given.")
    packages: str = Field(default="", description="Folder or fsspec URL of the packages; in home unless given.")
    snapshots: str = Field(default="", description="Folder or fsspec URL of the snapshots; in home unless given.")
    timezone: str = Field(default="Asia/Shanghai", description="The chain's time zone (IANA name).")
    day_cutoff: dt.time = Field(default=dt.time.min, description="When the shop's day begins, e.g. 04:00.")
    currency: str = Field(default="CNY", pattern=r"^[A-Z]{3}$", description="ISO 4217 code.")
    batch_rows: int = Field(default=20_000, ge=1, description="Records sealed into one package.")
    memory_limit: str = Field(
        default="512MB", pattern=r"^\d+(\.\d+)?\s?(MB|GB|MiB|GiB)$", description="DuckDB's memory."
    )
    keep_snapshots: int = Field(default=7, ge=1, description="Snapshots kept by `hub publish`.")
    keep_days: int = Field(default=90, ge=1, description="Days that deliveries, rejects and runs are kept.")

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError) as error:
            raise ValueError("not a time zone; use an IANA name such as Asia/Shanghai") from error
        return value


class KindSettings(Section):
    """``[identity.kinds.KIND]``: limits of one kind of identifier."""

    max_profiles: int | None = Field(default=None, ge=1, description="A value on more profiles is nobody's.")
    max_names: int | None = Field(default=None, ge=1, description="A value under more full names is nobody's.")
    per_customer: int | None = Field(default=None, ge=1, description="So many values one customer may have per scope.")
    window_days: int | None = Field(default=None, ge=1, description="Only values first seen within so many days count.")


class IdentitySettings(Section):
    """``[identity]``: which values never identify anybody, and how big a customer may grow before a person looks."""

    blocked: tuple[str, ...] = Field(default=(), description="Values no customer is recognised by (the shop's phone).")
    trusted: dict[str, tuple[str, ...]] = Field(
        default_factory=dict, description="Kind of identifier to values that stay in use however many carry them."
    )
    max_profiles_per_customer: int = Field(
        default=20,
        ge=2,
        description="A customer of more profiles grows by asserted evidence only; the rest is reviewed.",
    )
    late_bridge: int = Field(
        default=4, ge=1, description="Two groups of so many profiles each are not joined by one weak link unreviewed."
    )
    tenure_gap_days: int = Field(
        default=90,
        ge=1,
        description="A phone that was silent for so long and returns under a new name has a new owner.",
    )
    composites: tuple[str, ...] = Field(
        default=("phone_mask+name", "name+birthday", "name+address"),
        description="Weak facts that count together.",
    )
    kinds: dict[str, KindSettings] = Field(default_factory=dict, description="Limits by kind of identifier.")
    sources: tuple[str, ...] = Field(
        default=(), description="Connections in order of trust: whose name, birthday and address holds."
    )
    link_model: str = Field(
        default="",
        description="Model for profiles that share no identifier, a file in hub.home; empty switches it off.",
    )
    likely_join: float = Field(default=12.0, description="Bits from which the model's pairs are joined.")
    likely_review: float = Field(default=6.0, description="Bits from which a pair waits for a person.")
    open_platform: dict[str, str] = Field(
        default_factory=dict, description="Connection name to WeChat open-platform account, the scope of unionids."
    )

    @model_validator(mode="after")
    def _review_before_joining(self) -> IdentitySettings:
        if self.likely_review > self.likely_join:
            raise ValueError("likely_review must not be above likely_join")
        return self

    @field_validator("composites")
    @classmethod
    def _known_composites(cls, values: tuple[str, ...]) -> tuple[str, ...]:
        known = ("phone_mask+name", "name+birthday", "name+address")
        if unknown := sorted(set(values) - set(known)):
            raise ValueError(f"{', '.join(unknown)} is none of {', '.join(known)}")
        return values

    @field_validator("trusted", "kinds")
    @classmethod
    def _known_kinds(cls, values: dict[str, Any]) -> dict[str, Any]:
        known = {kind.value for kind in IdentifierKind if kind is not IdentifierKind.PHONE_MASKED}
        if unknown := sorted(set(values) - known):
            raise ValueError(f"{', '.join(unknown)} is no kind of identifier; there are {', '.join(sorted(known))}")
        return values

    @field_validator("kinds")
    @classmethod
    def _windows_of_limits(cls, values: dict[str, KindSettings]) -> dict[str, KindSettings]:
        if not any(limits.window_days for limits in values.values()):
            return values
        from identity import DEFAULT_KINDS  # the engine is slow to load, and few chains ask for this

        limited = {kind.name for kind in DEFAULT_KINDS if kind.per_customer is not None}
        limited |= {name for name, limits in values.items() if limits.per_customer is not None}
        if idle := sorted(name for name, limits in values.items() if limits.window_days and name not in limited):
            raise ValueError(
                f"{', '.join(idle)}: window_days needs per_customer, how many values may be seen within it"
            )
        return values


class TitleSettings(Section):
    """A title in both languages."""

    zh: str
    en: str


class SegmentSettings(Section):
    """``[segments.NAME]``: a condition over traits."""

    where: str = Field(min_length=1, description="SQL condition over traits.")
    title: TitleSettings | str = Field(default="", description='"text" or { zh = "…", en = "…" }.')
    family: str = Field(default="", description="Segments of one family exclude each other.")
    description: str = Field(default="", description="What it is for.")

    def titled(self, name: str) -> Title:
        """Return the title, the segment's name standing in for a missing one."""
        if isinstance(self.title, TitleSettings):
            return Title(self.title.zh, self.title.en)
        return Title(self.title or name, self.title or name)
