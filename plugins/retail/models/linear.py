"""Straight-line models of log features, fitted by scikit-learn and kept as numbers.

Logistic regression for probabilities, Poisson and Tweedie regression (log link) for counts and money. A log-transformed label with
plain back-transformation would lose half of all money and more; a log link does not.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Line", "fit_log_link", "fit_logistic", "level_shift", "sigmoid"]

Floats = NDArray[np.float64]

_EDGE = 0.002
"""Features are held within this quantile of what was learnt from, and one minus it: a line is not trusted outside."""
_REACH = float(np.log(2))
"""How far beyond what was learnt from the features of a count may go. They are logarithms, so this is twice as much: histories
grow, and the most frequent customers of today come oftener than any did in the windows learnt from."""
_LARGEST_SHIFT = 10.0
_FEWEST = 100
"""Positives and negatives that a probability needs to be learnt from."""


def sigmoid(x: Floats) -> Floats:
    """Return the probability of a logit."""
    return np.asarray(0.5 * (1 + np.tanh(x / 2)))


@dataclass(frozen=True)
class Line:
    """A fitted line: intercept + Σ coefficient · (feature - mean) / scale, features held within low … high."""

    columns: tuple[str, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    mean: tuple[float, ...]
    scale: tuple[float, ...]
    coefficient: tuple[float, ...]
    intercept: float
    slope: float = 1.0
    shift: float = 0.0
    """Recalibration: shift + slope · line."""

    def document(self) -> dict[str, Any]:
        """Return the numbers for a model file."""
        return {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(self).items()}

    @classmethod
    def of(cls, document: dict[str, Any]) -> Line:
        """Read back what :meth:`document` gave."""
        numbers: dict[str, Any] = {
            key: tuple(value) if isinstance(value, list) else value for key, value in document.items()
        }
        return cls(**numbers)

    def value(self, features: Floats) -> Floats:
        """Return the line's value per row; each row's follows from that row alone, to the last digit."""
        total = np.full(len(features), self.intercept)
        for j in range(len(self.columns)):
            total += self.contribution(features[:, j], j)
        return np.asarray(self.shift + self.slope * total)

    def contribution(self, values: Floats, j: int) -> Floats:
        """Return what one feature adds."""
        held = np.clip(values, self.low[j], self.high[j])
        return np.asarray(self.coefficient[j] * (held - self.mean[j]) / self.scale[j])

    def probability(self, features: Floats) -> Floats:
        """Return the probability per row, for a logistic regression."""
        return sigmoid(self.value(features))

    def amount(self, features: Floats) -> Floats:
        """Return the expected count or value per row, for a regression with log link."""
        return np.exp(self.value(features))

    def calibration(self, features: Floats, happened: NDArray[np.bool_]) -> tuple[float, float]:
        """Return slope and shift that fit the line to what happened later (Platt)."""
        from sklearn.linear_model import LogisticRegression

        fitted = LogisticRegression(C=1e6).fit(self.value(features)[:, None], happened)
        return float(fitted.coef_[0, 0]), float(fitted.intercept_[0])

    def weights(self) -> dict[str, float]:
        """Return the standardised coefficients by name, the strongest first."""
        pairs = zip(self.columns, self.coefficient, strict=True)
        return {name: round(value, 4) for name, value in sorted(pairs, key=lambda pair: -abs(pair[1]))}

    def recalibrated(self, slope: float, shift: float) -> Line:
        """Return the line shift + slope · what this one gives."""
        return replace(self, slope=slope * self.slope, shift=shift + slope * self.shift)


def level_shift(values: Floats, mean: float) -> float:
    """Return what must be added to logits so that the mean of their probabilities is ``mean``.

    Args:
        values: logits, at least one.
        mean: above 0 and below 1.
    """
    from scipy.optimize import brentq

    def missed(shift: float) -> float:
        return float(sigmoid(values + shift).mean()) - mean

    if missed(-_LARGEST_SHIFT) >= 0 or missed(_LARGEST_SHIFT) <= 0:
        return 0.0
    return float(brentq(missed, -_LARGEST_SHIFT, _LARGEST_SHIFT, xtol=1e-9))


def fit_logistic(columns: tuple[str, ...], features: Floats, happened: NDArray[np.bool_]) -> Line | None:
    """Fit a logistic regression on unweighted rows; None where there are fewer than 100 of either outcome."""
    from sklearn.linear_model import LogisticRegression

    if min(int(happened.sum()), int((~happened).sum())) < _FEWEST:
        return None
    return _fitted(
        columns, features, happened, LogisticRegression(C=1.0, max_iter=1000, tol=1e-8, solver="newton-cholesky")
    )


def fit_log_link(columns: tuple[str, ...], features: Floats, amount: Floats, power: float) -> Line | None:
    """Fit a regression with log link; None where fewer than 100 amounts are above 0, or fewer than 100 are 0.

    Args:
        columns: names of the features.
        features: one row per observation.
        amount: counts or values, none below 0; of the order of 1.
        power: 1 for counts (Poisson), 1.5 for money (Tweedie).
    """
    from sklearn.linear_model import TweedieRegressor

    if min(int((amount > 0).sum()), int((amount <= 0).sum())) < _FEWEST:
        return None
    model = TweedieRegressor(power=power, link="log", alpha=1e-3, solver="newton-cholesky", max_iter=300, tol=1e-6)
    # Money is heavy-tailed, counts are not: an extreme count is a customer who comes often, and comes often again.
    return _fitted(columns, features, amount, model, *((0.0, _REACH) if power == 1 else (_EDGE, 0.0)))


def _fitted(
    columns: tuple[str, ...], features: Floats, label: Any, model: Any, edge: float = _EDGE, reach: float = 0.0
) -> Line:
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    low, high = np.quantile(features, [edge, 1 - edge], axis=0)
    pipeline = make_pipeline(StandardScaler(), model).fit(np.clip(features, low, high), label)
    scaler = pipeline[0]
    low, high = low - reach, high + reach
    low, high, mean, scale, weights = (
        tuple(map(float, one)) for one in (low, high, scaler.mean_, scaler.scale_, np.ravel(pipeline[-1].coef_))
    )
    return Line(columns, low, high, mean, scale, weights, float(np.ravel(pipeline[-1].intercept_)[0]))
