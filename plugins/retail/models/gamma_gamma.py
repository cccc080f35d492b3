"""What a purchase day is worth to come: the Gamma-Gamma model (Fader, Hardie, Lee 2005; note 025 of B. Hardie).

Values of one customer's purchases are gamma distributed (shape ``p``) around a scale that is gamma distributed over customers
(shape ``q``, rate ``v``). The mean of few purchases is drawn towards the mean of all, that of many is believed.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["GammaGamma", "fit_gamma_gamma"]

Floats = NDArray[np.float64]

_SMALLEST_Q = 1.0001
"""At q <= 1 the population has no mean, and the formula gives negative money."""


@dataclass(frozen=True)
class GammaGamma:
    """A fitted model; ``correlation`` is that of frequency and value, which the model takes to be independent."""

    p: float
    q: float
    v: float
    correlation: float = float("nan")

    def document(self) -> dict[str, Any]:
        """Return the parameters for a model file."""
        return asdict(self)

    @classmethod
    def of(cls, document: dict[str, Any]) -> GammaGamma:
        """Read back what :meth:`document` gave."""
        return cls(**document)

    @property
    def mean(self) -> float:
        """Expected value of somebody of whom nothing is known."""
        return self.p * self.v / (self.q - 1)

    def expected(self, purchases: Floats, value: Floats) -> Floats:
        """Return the expected value of a next purchase.

        Args:
            purchases: purchases that the mean was taken of; 0 where there are none.
            value: their mean; what is not above 0 counts as nothing known.
        """
        known = (purchases > 0) & (value > 0)
        count, mean = np.where(known, purchases, 0.0), np.where(known, value, 0.0)
        return np.asarray(self.p * (self.v + count * mean) / (self.p * count + self.q - 1))


def fit_gamma_gamma(purchases: Floats, value: Floats) -> GammaGamma:
    """Fit by maximum likelihood to customers with at least one purchase of a value above 0."""
    from scipy.optimize import minimize
    from scipy.special import gammaln

    used = (purchases > 0) & (value > 0)
    x, unit = purchases[used], float(np.mean(value[used]))
    m = value[used] / unit

    def loss(logs: Floats) -> float:
        p, q, v = np.exp(np.clip(logs, -10, 10))
        q = max(q, _SMALLEST_Q)
        px = p * x
        each = gammaln(px + q) - gammaln(px) - gammaln(q) + q * np.log(v) + (px - 1) * np.log(m) + px * np.log(x)
        return -float(np.mean(each - (px + q) * np.log(v + m * x)))

    first = minimize(loss, np.log([2.0, 3.0, 1.0]), method="L-BFGS-B", options={"ftol": 1e-12, "gtol": 1e-8})
    found = minimize(loss, first.x, method="Nelder-Mead", options={"xatol": 1e-6, "fatol": 1e-11, "maxfev": 600})
    p, q, v = (float(number) for number in np.exp(np.clip(found.x, -10, 10)))
    return GammaGamma(p, max(q, _SMALLEST_Q), v * unit, _correlation(x, m))


def _correlation(purchases: Floats, value: Floats) -> float:
    if len(purchases) < 2 or np.ptp(purchases) == 0 or np.ptp(value) == 0:
        return 0.0
    return float(np.corrcoef(purchases, value)[0, 1])
