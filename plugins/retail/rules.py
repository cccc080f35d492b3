"""A chain's rule set, ``[scores.retail]`` in ``hub.toml``: every cut point, window, weight and threshold in one place.

A rule set starts from the pack of its trade and carries a version that changes with any parameter, so that two numbers with
the same ``rule_version`` were worked out alike.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from itertools import pairwise
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from hub.scorer import ScorerConfig
from plugins.retail.packs import PACKS

__all__ = ["STAGES", "CareRules", "NeedRule", "RfmRules", "RuleSet", "Stages", "TeaRules"]

STAGES = ("prospect", "new", "repurchase", "active", "slipping", "sleeping", "lost", "revived", "exited")
"""Lifecycle stages; every customer is in exactly one."""

Trade = Literal[
    "retail", "tea", "restaurant", "convenience", "apparel", "mother_baby", "beauty", "flowers", "gym"
]  # fmt: skip
NotPurchase = Literal["training", "deposit", "wholesale", "staff", "points_only", "free"]
_ONE = 1e-9


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


def _together(faults: list[str]) -> None:
    """Raise all faults of a part at once."""
    if faults:
        raise ValueError("; ".join(faults))


class Stages(_Part):
    """How long a customer may stay away, in days since the last purchase day (table A-1).

    How ``active`` is meant is the ``basis``'s to say; a customer slips for ``slipping`` - ``active`` days whatever it is.
    """

    basis: Literal["silence", "season", "occasion"] = Field(
        default="silence",
        description="silence: active counts as it is. season: longer for who stayed away in the same days of last year too. "
        "occasion: until after the next occasion of one's own, active at most.",
    )
    occasion_days: int = Field(
        default=14, ge=0, description="Days after a purchase within which an occasion is what it was bought for."
    )
    occasion_grace: int = Field(default=30, ge=0, description="Days after the next own occasion that still are active.")
    new: int = Field(default=30, ge=1, description="Days since the first purchase within which a customer is new.")
    active: int = Field(default=60, ge=1, description="Silence up to which a customer is active.")
    slipping: int = Field(default=120, ge=1, description="Silence up to which a customer is slipping.")
    sleeping: int = Field(default=240, ge=1, description="Silence up to which a customer sleeps; beyond, lost.")
    revived: int = Field(default=30, ge=1, description="Days after a return from sleep within which it counts.")

    @model_validator(mode="after")
    def _rising(self) -> Self:
        limits = (self.active, self.slipping, self.sleeping)
        if any(left >= right for left, right in pairwise(limits)):
            raise ValueError(f"active, slipping and sleeping must rise, these do not: {', '.join(map(str, limits))}")
        if self.basis == "season" and self.active >= 364:
            raise ValueError(f"with the basis season, active must be below a year, not {self.active} days")
        return self


class RfmRules(_Part):
    """How recency, frequency and monetary value become scores, 1 being worst."""

    window_days: int = Field(default=365, ge=1, description="Days that frequency and value look back.")
    unit: Literal["days", "visits", "orders"] = Field(
        default="days", description="What frequency counts: purchase days, visits or orders."
    )
    value: Literal["total", "per_visit"] = Field(
        default="total", description="Monetary value: net value of the window, or per purchase day in it."
    )
    mode: Literal["fixed", "quantile"] = Field(
        default="fixed", description="fixed: cut points below; quantile: equal shares of the buyers, frozen per month."
    )
    bins: int = Field(default=5, ge=3, le=10, description="Scores in quantile mode.")
    recency_days: tuple[float, ...] = Field(
        default=(30, 60, 120, 240), description="Days since the last purchase up to which the score is 5, 4, 3, 2."
    )
    frequency: tuple[float, ...] = Field(
        default=(2, 3, 6, 12), description="Frequency from which the score is 2, 3, 4, 5."
    )
    monetary: tuple[float, ...] = Field(
        default=(100, 300, 800, 2000), description="Value from which the score is 2, 3, 4, 5."
    )

    @field_validator("recency_days", "frequency", "monetary")
    @classmethod
    def _rising(cls, value: tuple[float, ...]) -> tuple[float, ...]:
        faults = [] if 2 <= len(value) <= 9 else [f"give 2 to 9 cut points (3 to 10 scores), not {len(value)}"]
        if any(left >= right for left, right in pairwise(value)):
            faults.append("cut points must rise")
        _together(faults)
        return value

    def scores(self, measure: str) -> int:
        """Return the best score of a measure: its number of bins."""
        return self.bins if self.mode == "quantile" else len(getattr(self, measure)) + 1


class Weights(_Part):
    """Weights of recency, frequency and value in the lifecycle-weighted score; they add up to 1."""

    r: float = Field(ge=0, le=1)
    f: float = Field(ge=0, le=1)
    m: float = Field(ge=0, le=1)

    @model_validator(mode="after")
    def _one(self) -> Self:
        total = self.r + self.f + self.m
        if abs(total - 1) > _ONE:
            raise ValueError(f"weights must add up to 1, these add up to {total:g}")
        return self


def _weights(r: float, f: float, m: float) -> Any:
    return Field(default=Weights(r=r, f=f, m=m))


class StageWeights(_Part):
    """Weights by where a customer stands: in the first month recency says most, later value."""

    new: Weights = _weights(0.50, 0.20, 0.30)
    repurchase: Weights = _weights(0.30, 0.40, 0.30)
    active: Weights = _weights(0.25, 0.35, 0.40)
    away: Weights = _weights(0.60, 0.15, 0.25)
    """Slipping, sleeping and lost."""


class ValueRules(_Part):
    """Who is valuable, and when a valuable customer is about to leave; scores as shares of the best one."""

    high: int = Field(default=4, ge=2, description="Score from which R, F or M counts as high.")
    class8: int = Field(default=3, ge=2, description="Score from which R, F or M is high in the eight classes.")


class TeaRules(_Part):
    """The tea chain's seven segments (高频奶茶党 …)."""

    heavy_per_week: float = Field(default=3, gt=0, description="Visits a week from which a customer is heavy.")
    heavy_days: int = Field(default=28, ge=7, description="Days over which visits a week are averaged.")
    heavy_min_days: int = Field(default=14, ge=1, description="Days a customer must be known to be heavy.")
    recent_days: int = Field(default=30, ge=1, description="Days that the taster's visits are counted in.")
    taster_visits: int = Field(default=2, ge=1, description="Most visits of a taster.")
    sleeping_days: int = Field(default=60, ge=1, description="Silence from which a customer sleeps.")

    @model_validator(mode="after")
    def _possible(self) -> Self:
        faults = []
        if self.heavy_min_days > self.heavy_days:
            faults.append("heavy_min_days must not be above heavy_days")
        if self.sleeping_days <= self.recent_days:
            faults.append("sleeping_days must be above recent_days")
        _together(faults)
        return self


class PreferenceRules(_Part):
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


class LoyaltyRules(_Part):
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
        if abs(total - 1) > _ONE:
            raise ValueError(f"regularity, tenure, breadth, referrals and nps must add up to 1, not {total:g}")
        return self


class ExitRules(_Part):
    """When leaving is natural, or certain, whatever the silence; 0 switches a rule off."""

    child_months: int = Field(default=0, ge=0, description="Age of the youngest child at which the range is outgrown.")
    card_expired_days: int = Field(default=0, ge=0, description="Days after a card's last day that a customer is lost.")


class EngagementRules(_Part):
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


class NeedRule(_Part):
    """A need group: products that stand for one another when something runs out (洗发水, 猫粮, 咖啡豆 …)."""

    name: str = Field(min_length=1, description="Key of the group.")
    words: tuple[str, ...] = Field(
        min_length=1, description="A product whose category or name holds one belongs to it."
    )
    days_per_unit: float = Field(gt=0, description="Days that one unit usually lasts; own purchases correct it.")


class CareRules(_Part):
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
        _together([f"need {name!r} stands twice" for name in dict.fromkeys(names) if names.count(name) > 1])
        return value


class OrderRules(_Part):
    """Which orders are no purchases (有效订单); void, open, fully refunded ones and adjustments never are."""

    leave_out: tuple[NotPurchase, ...] = Field(
        default=("training", "deposit", "wholesale", "staff", "points_only", "free"),
        description="Kinds that do not count: training tickets, top-ups and gift-card sales, wholesale, staff purchases, "
        "tickets that points alone paid for, free ones.",
    )
    leave_out_channels: tuple[str, ...] = Field(default=(), description="Channels whose orders do not count.")


class LevelRule(_Part):
    """A membership level by what it takes to be in it."""

    level: str = Field(min_length=1)
    from_value: float = Field(ge=0, description="Net value of the qualifying period from which the level is held.")


class LevelRules(_Part):
    """How levels are earned, for gap and downgrade date; empty: not worked out."""

    ladder: tuple[LevelRule, ...] = ()
    period_days: int = Field(default=365, ge=1, description="Days of net value that qualify.")

    @field_validator("ladder")
    @classmethod
    def _rising(cls, value: tuple[LevelRule, ...]) -> tuple[LevelRule, ...]:
        if any(left.from_value >= right.from_value for left, right in pairwise(value)):
            raise ValueError("levels must rise")
        return value


class RuleSet(ScorerConfig):
    """All rules of a chain. ``trade`` picks the pack; whatever else is written here wins over it."""

    trade: Trade = Field(default="retail", description="Rule pack the chain starts from.")
    name: str = Field(default="", max_length=40, description="Name of the rule set; the trade unless given.")
    orders: OrderRules = OrderRules()
    stages: Stages = Stages()
    rfm: RfmRules = RfmRules()
    weights: StageWeights = StageWeights()
    value: ValueRules = ValueRules()
    tea: TeaRules = TeaRules()
    preference: PreferenceRules = PreferenceRules()
    loyalty: LoyaltyRules = LoyaltyRules()
    exit: ExitRules = ExitRules()
    engagement: EngagementRules = EngagementRules()
    care: CareRules = CareRules()
    levels: LevelRules = LevelRules()
    slots: dict[str, tuple[int, int]] = Field(
        default={"morning": (5, 11), "noon": (11, 14), "afternoon": (14, 18), "evening": (18, 22), "night": (22, 5)},
        description="Parts of the day: name = [from hour, to hour), local time; may run over midnight.",
    )
    visit_minutes: int = Field(default=120, ge=0, description="Orders at one shop within this time are one visit.")

    @model_validator(mode="before")
    @classmethod
    def _with_pack(cls, given: Any) -> Any:
        if not isinstance(given, Mapping):
            return given
        return _laid_over(PACKS.get(str(given.get("trade", "retail")), {}), given)

    @field_validator("slots")
    @classmethod
    def _whole_day(cls, value: dict[str, tuple[int, int]]) -> dict[str, tuple[int, int]]:
        covered = [sum(in_slot(hour, span) for span in value.values()) for hour in range(24)]
        faults = [f"hour {hour} is in {times} slots" for hour, times in enumerate(covered) if times != 1]
        _together(faults[:5])
        return value

    @property
    def version(self) -> str:
        """Name and fingerprint: ``tea@1f3a9c02``; another parameter makes another version."""
        text = json.dumps(self.model_dump(mode="json", exclude={"name"}), sort_keys=True, separators=(",", ":"))
        return f"{self.name or self.trade}@{hashlib.sha256(text.encode()).hexdigest()[:8]}"


def literal(text: str) -> str:
    """Return a text of the rules as SQL."""
    return "'" + text.replace("'", "''") + "'"


def in_slot(hour: int, span: tuple[int, int]) -> bool:
    """Say whether an hour lies in a part of the day that may run over midnight."""
    start, end = span
    return start <= hour < end if start < end else hour >= start or hour < end


def _laid_over(pack: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the pack with what is given in its place; ``slots`` are one whole and not mixed."""
    merged = {**pack, **given}
    for key, value in given.items():
        below = pack.get(key)
        if key != "slots" and isinstance(value, Mapping) and isinstance(below, Mapping):
            merged[key] = {**below, **value}
    return merged
