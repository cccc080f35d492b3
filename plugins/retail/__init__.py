"""Scores and segments for store chains: recency, frequency, monetary value (RFM)."""

from __future__ import annotations

from collections.abc import Sequence

from hub.hookspecs import hookimpl
from hub.scorer import Scorer
from hub.segments import Segment
from plugins.retail.rfm import Rfm
from plugins.retail.segments import RFM_SEGMENTS

hub_api = 1


@hookimpl
def register_scorers() -> Sequence[type[Scorer]]:
    """Offer the RFM scorer."""
    return [Rfm]


@hookimpl
def register_segments() -> Sequence[Segment]:
    """Offer the RFM segments."""
    return RFM_SEGMENTS
