"""How good a prediction was: the figures on a model's card."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["amount_metrics", "auc", "auc_error", "calibration", "concordance", "probability_metrics", "stability"]

Floats = NDArray[np.float64]

_BINS = 10


def auc(score: Floats, happened: NDArray[np.bool_]) -> float:
    """Return the chance that one to whom it happened has a higher score than one to whom it did not; ties count half."""
    from scipy.stats import rankdata

    yes, no = int(happened.sum()), int((~happened).sum())
    if not yes or not no:
        return float("nan")
    return float((rankdata(score)[happened].sum() - yes * (yes + 1) / 2) / (yes * no))


def auc_error(value: float, yes: int, no: int) -> float:
    """Return the standard error of an AUC (Hanley and McNeil 1982)."""
    q1, q2 = value / (2 - value), 2 * value * value / (1 + value)
    return float(np.sqrt((value * (1 - value) + (yes - 1) * (q1 - value**2) + (no - 1) * (q2 - value**2)) / (yes * no)))


def calibration(probability: Floats, happened: NDArray[np.bool_]) -> tuple[float, list[dict[str, float]]]:
    """Return the expected calibration error over ten bins of equal size, and the bins."""
    order = np.argsort(probability, kind="stable")
    bins = [part for part in np.array_split(order, _BINS) if len(part)]
    rows = [
        {"n": len(part), "predicted": float(probability[part].mean()), "happened": float(happened[part].mean())}
        for part in bins
    ]
    return sum(row["n"] * abs(row["predicted"] - row["happened"]) for row in rows) / len(order), rows


def probability_metrics(probability: Floats, happened: NDArray[np.bool_]) -> dict[str, Any]:
    """Return AUC with its standard error, Brier score, calibration error and line, lift of the highest tenth."""
    area = auc(probability, happened)
    error, bins = calibration(probability, happened)
    slope, intercept = _calibration_line(probability, happened)
    highest = np.argsort(-probability, kind="stable")[: max(len(probability) // 10, 1)]
    base = float(happened.mean())
    return {
        "n": len(happened),
        "base_rate": base,
        "mean_predicted": float(probability.mean()),
        "auc": area,
        "auc_error": auc_error(area, int(happened.sum()), int((~happened).sum())),
        "brier": float(np.mean((probability - happened) ** 2)),
        "calibration_error": error,
        "calibration_slope": slope,
        "calibration_intercept": intercept,
        "lift_highest_tenth": float(happened[highest].mean()) / base if base else float("nan"),
        "calibration": bins,
    }


def _calibration_line(probability: Floats, happened: NDArray[np.bool_]) -> tuple[float, float]:
    from sklearn.linear_model import LogisticRegression

    held = np.clip(probability, 1e-6, 1 - 1e-6)
    fitted = LogisticRegression(C=1e6).fit(np.log(held / (1 - held))[:, None], happened)
    return float(fitted.coef_[0, 0]), float(fitted.intercept_[0])


def amount_metrics(predicted: Floats, actual: Floats) -> dict[str, float]:
    """Return mean absolute and root mean squared error, error of the total, rank correlation, share caught by the best tenth."""
    from scipy.stats import spearmanr

    best = np.argsort(-predicted, kind="stable")[: max(len(predicted) // 10, 1)]
    total = float(actual.sum())
    ranks = float(spearmanr(predicted, actual).statistic) if np.ptp(predicted) and np.ptp(actual) else float("nan")
    return {
        "n": len(actual),
        "mae": float(np.abs(predicted - actual).mean()),
        "rmse": float(np.sqrt(np.mean((predicted - actual) ** 2))),
        "total_error": float(predicted.sum() / total - 1) if total else float("nan"),
        "rank_correlation": ranks,
        "best_tenth_share": float(actual[best].sum() / total) if total else float("nan"),
    }


def concordance(predicted: Floats, wait: Floats, seen: NDArray[np.bool_], pairs: int = 400_000) -> float:
    """Return Harrell's C: the share of comparable pairs in which who was predicted earlier came earlier.

    Args:
        predicted: predicted wait; infinite is later than any.
        wait: the wait, or how long it was watched.
        seen: whether the end of the wait was seen.
        pairs: how many pairs are drawn, with a fixed seed.
    """
    draw = np.random.default_rng(0)
    left, right = draw.integers(0, len(wait), (2, pairs))
    earlier = np.where(wait[left] <= wait[right], left, right)
    later = left + right - earlier
    usable = seen[earlier] & (wait[earlier] < wait[later])
    a, b = predicted[earlier[usable]], predicted[later[usable]]
    return float(np.mean((a < b) + 0.5 * (a == b))) if usable.any() else float("nan")


def stability(before: Floats, now: Floats) -> float:
    """Return the population stability index of a feature: above 0.1 it has moved, above 0.25 it is another population."""
    edges = np.unique(np.quantile(before, np.linspace(0, 1, _BINS + 1)[1:-1]))
    shares = [np.bincount(np.searchsorted(edges, one), minlength=len(edges) + 1) / len(one) for one in (before, now)]
    old, new = (np.maximum(share, 1e-4) for share in shares)
    return float(np.sum((new - old) * np.log(new / old)))
