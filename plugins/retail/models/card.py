"""What a model's card holds."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

import numpy as np

from plugins.retail.models.metrics import stability
from plugins.retail.models.silence import Silence, Taught

__all__ = ["card_of", "days_text", "drift_of"]


def days_text(day: int) -> str:
    """Return a day number as a date."""
    return (dt.date(1970, 1, 1) + dt.timedelta(days=day)).isoformat()


def card_of(
    purpose: Mapping[str, str],
    decision: str,
    window: Mapping[str, Any],
    rows: Mapping[str, int],
    results: Mapping[str, Any],
    details: Mapping[str, Any],
) -> dict[str, Any]:
    """Return a card; figures have six digits, so that it reads the same everywhere.

    Args:
        purpose: what it is for and not for.
        decision: whether it is used, and why.
        window: what it saw, and by which window it was judged.
        rows: how many customers and rows.
        results: figures of the judged window, with baselines.
        details: method, parameters, drift.
    """
    card = {
        **purpose,
        "decision": decision,
        "data": {**window, **rows},
        "results": results,
        **details,
        "libraries": _libraries(),
    }
    found: dict[str, Any] = _rounded(card)
    return found


def _rounded(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _rounded(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(item) for item in value]
    if isinstance(value, float | np.floating):
        return float(f"{value:.6g}") if np.isfinite(value) else None
    return int(value) if isinstance(value, np.integer) else value


def _libraries() -> dict[str, str]:
    import scipy
    import sklearn

    return {"numpy": np.__version__, "scipy": scipy.__version__, "scikit-learn": sklearn.__version__}


def drift_of(
    columns: tuple[str, ...], lessons: Taught, exam: Taught, judged: Silence, horizon: int
) -> dict[str, float]:
    """Return the population stability index of the features that have moved most since they were learnt from."""
    if not lessons.known or not len(exam.known[0]):
        return {}
    before = np.concatenate([judged.features(known, horizon) for known in lessons.known])
    now = judged.features(exam.known[0], horizon)
    found = {name: stability(before[:, j], now[:, j]) for j, name in enumerate(columns)}
    return dict(sorted(found.items(), key=lambda pair: -pair[1])[:6])
