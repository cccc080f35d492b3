"""Scores and segments for store chains."""

from __future__ import annotations

from collections.abc import Sequence

from hub.hookspecs import hookimpl
from hub.scorer import Scorer
from hub.segments import Segment
from plugins.retail.scorer import Retail
from plugins.retail.segments import SEGMENTS

hub_api = 1


@hookimpl
def register_scorers() -> Sequence[type[Scorer]]:
    """Offer the scorers."""
    return [Retail]


@hookimpl
def register_segments() -> Sequence[Segment]:
    """Offer the segments."""
    return SEGMENTS
