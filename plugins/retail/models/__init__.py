"""Scores that are learnt: lifetime value, early warning, next purchase, recommendations, groups of like customers.

The fits need scikit-learn (`pip install customer-hub[models]`); without it these scorers are not offered.
"""

from __future__ import annotations

from importlib.util import find_spec

from hub.scorer import Scorer
from hub.segments import Segment

__all__ = ["model_scorers", "model_segments"]


def model_scorers() -> list[type[Scorer]]:
    """Return the learning scorers; none where scikit-learn is not installed."""
    if find_spec("sklearn") is None:
        return []
    from plugins.retail.models.at_risk import AtRisk
    from plugins.retail.models.clusters import Clusters
    from plugins.retail.models.forecast import Forecast
    from plugins.retail.models.recommend import Recommend

    return [Forecast, Recommend, Clusters, AtRisk]


def model_segments() -> tuple[Segment, ...]:
    """Return the segments of what is learnt; none where scikit-learn is not installed."""
    if find_spec("sklearn") is None:
        return ()
    from plugins.retail.models.segments import MODEL_SEGMENTS

    return MODEL_SEGMENTS
