"""Parts of a chain's rule set about what customers like, need, celebrate and have earned."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

__all__ = [
    "ONE", "CareRules", "EngagementRules", "ExitRules", "LevelRule", "LevelRules", "LoyaltyRules", "NeedRule", "Part",
    "PreferenceRules", "together",
]  # fmt: skip

ONE = 1e-9
"""How far weights may be from adding up to 1."""


class Part(BaseModel):
    """What every part of a rule set shares: no unknown settings, no changes."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def together(faults: list[str]) -> None:
    """Raise all faults of a part at once."""
    if faults:
        raise ValueError("; ".join(faults))


class PreferenceRules(Part):
    """When a share of what somebody buys is a preference."""

    half_life_days: int = Field(default=90, ge=1, description="Age at which a purchase counts half.")
    prior: float = Field(default=3, gt=0, description="Purchases' worth of the chain's average mixed in.")
    index: float = Field(default=120, ge=100, description="Index (share / chain's share × 100) of a preference.")
    min_purchases: int = Field(default=3, ge=1, description="Purchases of a thing below which nothing is preferred.")
    habit_share: float = Field(default=0.5, gt=0, le=1, description="Share of visits that makes a habit.")
    habit_visits: int = Field(default=5, ge=1, description="Visits below which there is no habit.")
    sizes: str = Field(
        default=r"\d?X{0,3}[SML]|均码|FREE|(超大|特大|大|中|小)[杯份]|\d{2,3}(/\d{2,3}[A-H]?)?(码|CM|ML)?|\d{2}[A-H]",
        description="Regular expression of choices that are sizes, in capital letters; all others are tastes.",
    )
    styles: tuple[str, ...] = Field(
        default=(), description="Words of styles; a product is of those in its tags, category or name."
    )
    price_bands: tuple[float, ...] = Field(
        default=(),
        description="List prices from which a product's band is middle, high; none: thirds of its category's products.",
    )
    omni_days: int = Field(default=180, ge=1, description="Days within which two channels make omnichannel.")

    @field_validator("sizes")
    @classmethod
    def _expression(cls, value: str) -> str:
        try:
            re.compile(value)
        except re.error as error:
            raise ValueError(f"no regular expression: {error}") from error
        return value

    @field_validator("price_bands")
    @classmethod
    def _two(cls, value: tuple[float, ...]) -> tuple[float, ...]:
        if value and (len(value) != 2 or not 0 < value[0] < value[1]):
            raise ValueError("give two rising prices, or none")
        return value


class LoyaltyRules(Part):
    """Weights of the parts of the loyalty index; they add up to 1."""

    regularity: float = Field(default=0.35, ge=0, le=1)
    tenure: float = Field(default=0.25, ge=0, le=1)
    breadth: float = Field(default=0.15, ge=0, le=1)
    referrals: float = Field(default=0.10, ge=0, le=1)
    nps: float = Field(default=0.15, ge=0, le=1)
    tenure_days: int = Field(default=730, ge=1, description="Days as a buyer that count full.")
    referrals_full: int = Field(default=3, ge=1, description="Referrals that count full.")

    @model_validator(mode="after")
    def _one(self) -> Self:
        total = self.regularity + self.tenure + self.breadth + self.referrals + self.nps
        if abs(total - 1) > ONE:
            raise ValueError(f"regularity, tenure, breadth, referrals and nps must add up to 1, not {total:g}")
        return self


class ExitRules(Part):
    """When leaving is natural, or certain, whatever the silence; 0 switches a rule off."""

    child_months: int = Field(default=0, ge=0, description="Age of the youngest child at which the range is outgrown.")
    card_expired_days: int = Field(default=0, ge=0, description="Days after a card's last day that a customer is lost.")


class EngagementRules(Part):
    """Occasions, referrals, advocacy, tiers of spending, control group, reminders."""

    occasion_days: int = Field(default=7, ge=0, description="Days ahead within which an occasion is due.")
    family_dates: tuple[str, ...] = Field(default=(), description="Event types whose properties hold a family date.")
    advocacy_days: int = Field(default=180, ge=1, description="Days that advocacy looks back.")
    kol_referrals: int = Field(default=2, ge=1, description="Referrals from which a loyal customer is a KOC candidate.")
    spend_bands: tuple[float, ...] = Field(
        default=(100, 500, 2000), description="Yearly net value from which the spending band is medium, high, top."
    )
    second_purchase_days: int = Field(default=30, ge=2, description="Days after the first purchase to win the second.")
    closing_days: int = Field(default=10, ge=1, description="Last days of that window.")
    browse_days: int = Field(default=14, ge=1, description="Days that views without purchase are remembered.")
    reminder_share: float = Field(default=0.9, gt=0, le=1, description="Share of the usage time before a reminder.")
    holdout_share: float = Field(default=0.05, ge=0, lt=1, description="Share of customers that get no marketing.")
    holdout_salt: str = Field(default="holdout", description="Changed, another control group is drawn.")
    young_below: int = Field(default=30, ge=1, description="Years of age below which a customer counts as young.")
    rivals: tuple[str, ...] = Field(default=(), description="Words that tell of a rival in what customers write.")
    level_near: float = Field(default=0.10, gt=0, le=1, description="Share of a level's threshold that is a small gap.")

    @field_validator("spend_bands")
    @classmethod
    def _rising(cls, value: tuple[float, ...]) -> tuple[float, ...]:
        if len(value) != 3 or any(left >= right for left, right in pairwise(value)):
            raise ValueError("give three rising amounts")
        return value


class NeedRule(Part):
    """A need group: products that stand for one another when something runs out (洗发水, 猫粮, 咖啡豆 …)."""

    name: str = Field(min_length=1, description="Key of the group.")
    words: tuple[str, ...] = Field(
        min_length=1, description="A product whose category or name holds one belongs to it."
    )
    days_per_unit: float = Field(gt=0, description="Days that one unit usually lasts; own purchases correct it.")


class CareRules(Part):
    """What runs out, and topics of care."""

    needs: tuple[NeedRule, ...] = Field(default=(), description="Need groups; of two that fit, the first one counts.")
    window_days: int = Field(default=14, ge=1, description="Days after the reminder date that a need stays due.")
    training_weeks: int = Field(
        default=0, ge=0, description="Weeks of training care after the first purchase; 0: none."
    )
    season_days: int = Field(default=0, ge=0, description="Days of season care at a season's beginning; 0: none.")

    @field_validator("needs")
    @classmethod
    def _apart(cls, value: tuple[NeedRule, ...]) -> tuple[NeedRule, ...]:
        names = [need.name for need in value]
        together([f"need {name!r} stands twice" for name in dict.fromkeys(names) if names.count(name) > 1])
        return value


class LevelRule(Part):
    """A membership level by what it takes to be in it."""

    level: str = Field(min_length=1)
    from_value: float = Field(ge=0, description="Net value of the qualifying period from which the level is held.")


class LevelRules(Part):
    """How levels are earned, for gap and downgrade date; empty: not worked out."""

    ladder: tuple[LevelRule, ...] = ()
    period_days: int = Field(default=365, ge=1, description="Days of net value that qualify.")

    @field_validator("ladder")
    @classmethod
    def _rising(cls, value: tuple[LevelRule, ...]) -> tuple[LevelRule, ...]:
        if any(left.from_value >= right.from_value for left, right in pairwise(value)):
            raise ValueError("levels must rise")
        return value
