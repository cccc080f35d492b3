"""Early warning: fitting and judging the churn model, and its card."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hub.models import Model
from plugins.retail.models.btyd import Btyd
from plugins.retail.models.card import card_of, days_text, drift_of
from plugins.retail.models.daily import Daily
from plugins.retail.models.keeping import Fitted, Refused, on_one_thread
from plugins.retail.models.metrics import auc, auc_error, probability_metrics
from plugins.retail.models.silence import (
    COLUMNS,
    Bases,
    Silence,
    Taught,
    examined,
    learn_silence,
    levelled,
    recalibrated,
    taught,
)
from plugins.retail.models.windows import Windows, windows

__all__ = ["fit_silence"]

Floats = NDArray[np.float64]

_CHALLENGED = 60_000
"""Rows that the tree and the boosted trees learn from at most."""


@on_one_thread
def fit_silence(
    bases: Bases, today: int, horizons: tuple[int, ...], within: int, used: Model | None, purpose: dict[str, str]
) -> Fitted | Refused:
    """Fit a model of staying away for a day and judge it by the last window that has ended.

    The model that is judged learns from what had ended when that window began; the one that is used learns from that window too.

    Args:
        bases: purchase days of the customers to learn from.
        today: day it is fitted for.
        horizons: days ahead.
        within: only customers whose last purchase day is at most so many days ago.
        used: the model in use, to be compared with.
        purpose: what the card says that it is for and not for.
    """
    daily = bases.daily.before(today)
    final_base = bases.at(today)
    if isinstance(final_base, Refused):
        return final_base
    spans = windows(daily.first_day, today, max(horizons))
    if spans is None:
        return _unlearnt(final_base, horizons, within, purpose, daily, today)
    base = bases.at(spans.judged)
    if isinstance(base, Refused):
        return _unlearnt(final_base, horizons, within, purpose, daily, today)
    lessons = taught(daily, spans.earlier, horizons, within, base[1])
    judged = levelled(learn_silence(base, lessons, horizons, within), daily, spans.earlier, spans.judged)
    exam = examined(daily, spans, horizons, within, base[1])
    model = learn_silence(final_base, taught(daily, spans.all, horizons, within, final_base[1]), horizons, within)
    model = levelled(recalibrated(model, judged, exam), daily, spans.all, today)
    return _judged(model, judged, lessons, exam, spans, used, purpose, daily)


def _unlearnt(
    base: tuple[Btyd, float], horizons: tuple[int, ...], within: int, purpose: dict[str, str], daily: Daily, today: int
) -> Fitted:
    """A model that has no labels to learn from yet: MBG/NBD answers."""
    model = Silence(base[0], base[1], within, dict.fromkeys(horizons))
    decision = f"in use: MBG/NBD alone, as the history is shorter than three times {max(horizons)} days"
    window = {"first_day": days_text(daily.first_day), "fitted_for": days_text(today)}
    card = card_of(purpose, decision, window, {"customers": daily.customers}, {}, {})
    return Fitted(model.document(), card, good=True)


def _judged(
    model: Silence,
    judged: Silence,
    lessons: Taught,
    exam: Taught,
    spans: Windows,
    used: Model | None,
    purpose: dict[str, str],
    daily: Daily,
) -> Fitted:
    horizon = max(model.lines)
    known, silent = exam.known[0], exam.silent[horizon]
    enough = len(silent) > 0 and 0 < silent.mean() < 1
    results = _results(judged, exam) if enough else {}
    good, decision = True, "in use: the first of its recipe"
    if enough and used is not None:
        before = auc(Silence.of(dict(used.payload)).silent(known)[horizon], silent)
        now = results[f"{horizon}_days"]["auc"]
        good = now >= before - auc_error(before, int(silent.sum()), int((~silent).sum()))
        words = "not worse than" if good else "worse than"
        decision = f"{'in use' if good else 'kept, not used'}: AUC {now:.3f}, {words} {before:.3f} of {used.version}"
    window = {
        "first_day": days_text(daily.first_day),
        "learnt_from": [days_text(cut) for cut in spans.all],
        "judged_at": days_text(spans.judged),
        "fitted_for": days_text(spans.today),
    }
    rows = {"customers": daily.customers, "rows_learnt": len(lessons.silent[horizon]), "rows_judged": len(silent)}
    challengers = _challengers(judged, lessons, exam, horizon) if enough and lessons.known else {}
    details = {
        "method": model.method,
        "challengers": challengers,
        "weights": _weights(model, horizon),
        "mbg_nbd": {key: value for key, value in model.btyd.document().items() if key in ("r", "alpha", "a", "b")},
        "drift": drift_of(COLUMNS, lessons, exam, judged, horizon),
    }
    return Fitted(model.document(), card_of(purpose, decision, window, rows, results, details), good)


def _results(judged: Silence, exam: Taught) -> dict[str, Any]:
    predicted = judged.silent(exam.known[0])
    results = {}
    for days, probability in predicted.items():
        silent = exam.silent[days]
        if not 0 < silent.mean() < 1:
            continue
        known = exam.known[0]
        results[f"{days}_days"] = {
            **probability_metrics(probability, silent),
            "auc_recency": auc(known.recency, silent),
            "auc_mbg_nbd": auc(judged.btyd.silent(known.histories, days / 7), silent),
            "auc_not_alive": auc(1 - judged.btyd.alive(known.histories), silent),
        }
    return results


def _challengers(judged: Silence, lessons: Taught, exam: Taught, horizon: int) -> dict[str, Any]:
    """A tree whose rules can be read, and boosted trees: what a stronger method would give."""
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.tree import DecisionTreeClassifier, export_text

    features = np.concatenate([judged.features(known, horizon) for known in lessons.known])
    label = lessons.silent[horizon]
    if not 0 < label.mean() < 1:
        return {}
    chosen = np.linspace(0, len(label) - 1, min(len(label), _CHALLENGED)).astype(int)
    seen = judged.features(exam.known[0], horizon)
    tree = DecisionTreeClassifier(max_depth=5, min_samples_leaf=max(len(chosen) // 100, 10), random_state=0)
    boosted = HistGradientBoostingClassifier(max_iter=100, learning_rate=0.06, max_leaf_nodes=15, random_state=0, early_stopping=False)  # fmt: skip
    found = {
        name: auc(kind.fit(features[chosen], label[chosen]).predict_proba(seen)[:, 1], exam.silent[horizon])
        for name, kind in (("tree", tree), ("boosting", boosted))
    }
    rules = export_text(tree, feature_names=list(COLUMNS), max_depth=3, show_weights=False, decimals=2)
    return {"auc_tree": found["tree"], "auc_boosting": found["boosting"], "tree_rules": rules}


def _weights(model: Silence, horizon: int) -> dict[str, float]:
    """Standardised coefficients, the strongest first: above 0 makes staying away more likely."""
    line = model.lines[horizon]
    return line.weights() if line else {}
