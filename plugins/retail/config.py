"""Settings of the RFM scorer, ``[scores.rfm]`` in ``hub.toml``."""

from __future__ import annotations

from itertools import pairwise
from typing import Literal

from pydantic import Field, field_validator

from hub.scorer import ScorerConfig

__all__ = ["RfmConfig"]


class RfmConfig(ScorerConfig):
    """How recency, frequency and monetary value become scores from 1 (worst) to 5 (best)."""

    window_days: int = Field(default=365, ge=1, description="Days that frequency and value look back.")
    mode: Literal["fixed", "quantile"] = Field(
        default="fixed", description="fixed: cut points below; quantile: five equal shares of the buyers."
    )
    recency_days: tuple[float, float, float, float] = Field(
        default=(30, 60, 120, 240), description="Days since the last purchase up to which the score is 5, 4, 3, 2."
    )
    frequency: tuple[float, float, float, float] = Field(
        default=(2, 3, 6, 12), description="Purchase days in the window from which the score is 2, 3, 4, 5."
    )
    monetary: tuple[float, float, float, float] = Field(
        default=(100, 300, 800, 2000), description="Net value in the window from which the score is 2, 3, 4, 5."
    )

    @field_validator("recency_days", "frequency", "monetary")
    @classmethod
    def _rising(cls, value: tuple[float, ...]) -> tuple[float, ...]:
        if any(left >= right for left, right in pairwise(value)):
            raise ValueError("cut points must rise")
        return value
