"""Settings of the learning scorers: ``[scores.forecast]``, ``[scores.recommend]``, ``[scores.clusters]``."""

from __future__ import annotations

from pydantic import Field, field_validator

from hub.scorer import ScorerConfig

__all__ = ["ClustersConfig", "ForecastConfig", "RecommendConfig"]


class ForecastConfig(ScorerConfig):
    """How customers' value, loss and next purchase are forecast."""

    sample: int = Field(default=20_000, ge=2_000, description="Customers that models learn from at most.")
    active_days: int | None = Field(
        default=None, ge=1, description="Early warning is for customers who bought so many days ago at most; the rule set's active limit if not given."
    )  # fmt: skip
    churn_bands: tuple[float, float] = Field(
        default=(0.33, 0.66), description="Churn probability from which the band is medium, high."
    )
    alert_cooldown_days: int = Field(
        default=30, ge=0, description="Days after an alert closed without another one of the same customer."
    )
    budget_rate: float = Field(
        default=0.10, ge=0, le=1, description="Share of the expected margin that keeping a customer may cost."
    )
    margin: float = Field(default=0.60, gt=0, le=1, description="Gross margin as a share of net value.")

    @field_validator("churn_bands")
    @classmethod
    def _rising(cls, value: tuple[float, float]) -> tuple[float, float]:
        if not 0 < value[0] < value[1] < 1:
            raise ValueError("the two limits must rise, between 0 and 1")
        return value


class RecommendConfig(ScorerConfig):
    """Which products are recommended."""

    listed: int = Field(default=5, ge=1, le=20, description="Products in each of the two lists.")
    lookback_days: int = Field(default=365, ge=30, description="Purchases older than that are not looked at.")
    own_share: float = Field(
        default=0.5, ge=0, le=1, description="Weight of own purchases against those of like customers."
    )
    likes: int = Field(default=1_000, ge=100, le=10_000, description="Customers that others are compared with at most.")
    neighbours: int = Field(default=50, ge=10, description="Like customers whose purchases count.")
    half_life_days: int = Field(default=90, ge=1, description="Age at which a purchase counts half.")


class ClustersConfig(ScorerConfig):
    """How customers are grouped by what they are like."""

    sample: int = Field(default=20_000, ge=1_000, description="Customers that groups are found in at most.")
    fewest: int = Field(default=3, ge=2, le=12, description="Fewest groups tried.")
    most: int = Field(default=8, ge=2, le=12, description="Most groups tried.")
