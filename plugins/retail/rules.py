"""A chain's rule set, ``[scores.retail]`` in ``hub.toml``: every cut point, window, weight and threshold in one place.

A rule set starts from the pack of its trade and carries a version that changes with any parameter, so that two numbers with
the same ``rule_version`` were worked out alike.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from itertools import pairwise
from typing import Any, Literal, Self

from pydantic import Field, ValidationError, field_validator, model_validator

from hub.scorer import ScorerConfig
from plugins.retail.packs import PACKS
from plugins.retail.rule_parts import (
    ONE,
    CareRules,
    EngagementRules,
    ExitRules,
    LevelRules,
    LoyaltyRules,
    NeedRule,
    Part,
    PreferenceRules,
    together,
)  # fmt: skip

__all__ = [
    "MEASURES", "STAGES", "CareRules", "EngagementRules", "ExitRules", "LevelRules", "NeedRule", "OrderRules", "PreferenceRules", "RfmRules",
    "RuleSet", "ShopRules", "Stages", "TeaRules", "Weights", "in_slot", "literal",
]  # fmt: skip

STAGES = ("prospect", "new", "repurchase", "active", "slipping", "sleeping", "lost", "revived", "exited")
"""Lifecycle stages; every customer is in exactly one."""

Trade = Literal[
    "retail", "tea", "restaurant", "convenience", "apparel", "mother_baby", "beauty", "flowers", "gym"
]  # fmt: skip
NotPurchase = Literal["training", "deposit", "wholesale", "staff", "points_only", "free"]


MEASURES: Mapping[str, tuple[Literal["r", "f", "m"], str]] = {
    "recency_days": ("r", "rfm_r_days"),
    "frequency": ("f", "rfm_f"),
    "monetary": ("m", "rfm_m"),
}
"""Rule with the cut points: letter of the score, trait that is measured."""


class Stages(Part):
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


class RfmRules(Part):
    """How recency, frequency and monetary value become scores, 1 being worst."""

    window_days: int = Field(default=365, ge=1, description="Days that frequency and value look back.")
    unit: Literal["days", "visits", "orders"] = Field(
        default="days", description="What frequency counts: purchase days, visits or orders."
    )
    value: Literal["total", "per_visit", "margin"] = Field(
        default="total", description="Monetary value: net value of the window, per purchase day in it, or gross margin."
    )
    margin: float = Field(
        default=0.60, gt=0, le=1, description="Gross margin, as a share of net value, of lines whose cost nobody tells."
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

    names: dict[Literal["r", "f", "m"], tuple[str, ...]] = Field(
        default={}, description="Names of the scores of r, f or m, the worst first; as many as there are scores."
    )

    @field_validator("recency_days", "frequency", "monetary")
    @classmethod
    def _rising(cls, value: tuple[float, ...]) -> tuple[float, ...]:
        faults = [] if 2 <= len(value) <= 9 else [f"give 2 to 9 cut points (3 to 10 scores), not {len(value)}"]
        if any(left >= right for left, right in pairwise(value)):
            faults.append("cut points must rise")
        together(faults)
        return value

    @model_validator(mode="after")
    def _all_named(self) -> Self:
        faults = []
        for measure in ("recency_days", "frequency", "monetary"):
            names = self.names.get(MEASURES[measure][0])
            if names is not None and len(names) != self.scores(measure):
                faults.append(f"{measure} has {self.scores(measure)} scores, and {len(names)} names are given")
        together(faults)
        return self

    def scores(self, measure: str) -> int:
        """Return the best score of a measure: its number of bins."""
        return self.bins if self.mode == "quantile" else len(getattr(self, measure)) + 1


class Weights(Part):
    """Weights of recency, frequency and value in the lifecycle-weighted score; they add up to 1."""

    r: float = Field(ge=0, le=1)
    f: float = Field(ge=0, le=1)
    m: float = Field(ge=0, le=1)

    @model_validator(mode="after")
    def _one(self) -> Self:
        total = self.r + self.f + self.m
        if abs(total - 1) > ONE:
            raise ValueError(f"weights must add up to 1, these add up to {total:g}")
        return self


def _weights(r: float, f: float, m: float) -> Any:
    return Field(default=Weights(r=r, f=f, m=m))


class StageWeights(Part):
    """Weights by where a customer stands: in the first month recency says most, later value."""

    new: Weights = _weights(0.50, 0.20, 0.30)
    repurchase: Weights = _weights(0.30, 0.40, 0.30)
    active: Weights = _weights(0.25, 0.35, 0.40)
    away: Weights = _weights(0.60, 0.15, 0.25)
    """Slipping, sleeping and lost."""


class ValueRules(Part):
    """Who is valuable, and when a valuable customer is about to leave; scores as shares of the best one."""

    high: int = Field(default=4, ge=2, description="Score from which R, F or M counts as high.")
    class8: int = Field(default=3, ge=2, description="Score from which R, F or M is high in the eight classes.")
    class8_by: Literal["score", "mean"] = Field(
        default="score",
        description="What is high in the eight classes: the score, or to be no worse than the mean of the buyers, frozen per month.",
    )


_SHORTEST_MONTH = 28


class TeaRules(Part):
    """The tea chain's seven segments (高频奶茶党 …)."""

    heavy_per_week: float = Field(default=3, gt=0, description="Visits a week from which a customer is heavy.")
    heavy_days: int = Field(default=28, ge=7, description="Days over which visits a week are averaged.")
    heavy_min_days: int = Field(default=14, ge=1, description="Days a customer must be known to be heavy.")
    recent_days: int = Field(default=30, ge=1, description="Days that the taster's visits are counted in.")
    taster_visits: int = Field(default=2, ge=1, description="Most visits of a taster.")
    sleeping_days: int = Field(default=60, ge=1, description="Silence from which a customer sleeps.")
    sleeping_months: int | None = Field(
        default=None, ge=1, description="Calendar months of silence from which a customer sleeps, instead of days."
    )

    @model_validator(mode="after")
    def _possible(self) -> Self:
        faults = []
        if self.heavy_min_days > self.heavy_days:
            faults.append("heavy_min_days must not be above heavy_days")
        if self.sleeping_months is None and self.sleeping_days <= self.recent_days:
            faults.append("sleeping_days must be above recent_days")
        if self.sleeping_months is not None and self.sleeping_months * _SHORTEST_MONTH <= self.recent_days:
            faults.append(f"sleeping_months of {_SHORTEST_MONTH} days must be above recent_days")
        together(faults)
        return self


class OrderRules(Part):
    """Which orders are no purchases (有效订单); void, open, fully refunded ones and adjustments never are."""

    leave_out: tuple[NotPurchase, ...] = Field(
        default=("training", "deposit", "wholesale", "staff", "points_only", "free"),
        description="Kinds that do not count: training tickets, top-ups and gift-card sales, wholesale, staff purchases, "
        "tickets that points alone paid for, free ones.",
    )
    leave_out_channels: tuple[str, ...] = Field(default=(), description="Channels whose orders do not count.")


class ShopRules(Part):
    """What differs for the customers of some shops: a brand of its own, another trade."""

    name: str = Field(min_length=1, max_length=40, description="Name of these rules.")
    stores: tuple[str, ...] = Field(
        min_length=1, description="Ids of the shops whose customers (归属门店) they hold for."
    )
    trade: Trade | None = Field(default=None, description="Pack to start from; else the chain's own rules.")
    stages: dict[str, Any] = Field(default={}, description="Settings of that section that differ.")
    rfm: dict[str, Any] = Field(default={}, description="Likewise.")
    weights: dict[str, Any] = Field(default={}, description="Likewise.")
    value: dict[str, Any] = Field(default={}, description="Likewise.")
    tea: dict[str, Any] = Field(default={}, description="Likewise.")
    exit: dict[str, Any] = Field(default={}, description="Likewise.")


_BY_SHOP = ("stages", "rfm", "weights", "value", "tea", "exit")
"""Sections that shops may have of their own; the others hold for the chain."""


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
    shops: tuple[ShopRules, ...] = Field(default=(), description="Rules of some shops' customers, where they differ.")

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
        together(faults[:5])
        return value

    @model_validator(mode="after")
    def _shops_possible(self) -> Self:
        stores = [store for shop in self.shops for store in shop.stores]
        faults = [f"shop {store} stands in several rules" for store in dict.fromkeys(stores) if stores.count(store) > 1]
        for shop in self.shops:
            try:
                self.of_shops(shop)
            except ValidationError as error:
                told = (".".join(map(str, fault["loc"])) + ": " + fault["msg"] for fault in error.errors())
                faults += [f"rules {shop.name}: {one}" for one in told]
        together(faults)
        return self

    def of_shops(self, shop: ShopRules) -> RuleSet:
        """Return the whole rule set of some shops' customers.

        Raises:
            ValidationError: what differs does not fit.
        """
        given = self.model_dump(mode="json", exclude={"shops"})
        if shop.trade:
            pack = PACKS[shop.trade]
            given = {key: value for key, value in given.items() if key not in _BY_SHOP}
            given |= {"trade": shop.trade, **{key: pack[key] for key in _BY_SHOP if key in pack}}
        return RuleSet.model_validate(_laid_over(given, shop.model_dump(include=set(_BY_SHOP))) | {"name": shop.name})

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
