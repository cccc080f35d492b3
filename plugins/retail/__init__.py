"""Scores and segments for store chains."""

from __future__ import annotations

from collections.abc import Sequence

from hub.hookspecs import hookimpl
from hub.scorer import Scorer
from hub.segments import Segment
from plugins.retail.care import Care
from plugins.retail.member import Member
from plugins.retail.models import model_scorers, model_segments
from plugins.retail.scorer import Retail
from plugins.retail.segments import AT_RISK_BY_RULE, SEGMENTS
from plugins.retail.signals import Signals
from plugins.retail.taste import Taste

hub_api = 1


@hookimpl
def register_scorers() -> Sequence[type[Scorer]]:
    """Offer the scorers."""
    return [Retail, Taste, Member, Care, Signals, *model_scorers()]


@hookimpl
def register_segments() -> Sequence[Segment]:
    """Offer the segments."""
    return [*SEGMENTS, *(model_segments() or (AT_RISK_BY_RULE,))]
