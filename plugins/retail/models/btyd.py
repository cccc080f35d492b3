"""Buy till you die: how often customers will come, and whether they still are customers.

Two models of the same family, told apart by when a customer may leave:

* BG/NBD (Fader, Hardie, Lee, Marketing Science 24(2), 2005): after each repeat purchase. Somebody who bought once is alive
  for certain.
* MBG/NBD (Batislam, Denizel, Filiztekin 2007): also after the first purchase.

While alive, purchases are a Poisson process whose rate is gamma distributed over customers (shape ``r``, rate ``alpha``); the
chance to leave after a purchase is beta distributed (``a``, ``b``). A customer is known by three numbers: ``repeats`` x,
``last`` t_x (time from the first to the last purchase) and ``age`` T (time from the first purchase to the end of what was
observed). Time is in weeks here, but any unit does.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Btyd", "Histories", "Kind", "fit_btyd"]

Floats = NDArray[np.float64]

_CHUNK = 100_000
"""Customers worked on at a time, so that memory does not grow with their number."""
_TERMS = 1000
_LARGEST_LOG = 600.0
_NEAR_ONE = 1e-4
"""The expected number of purchases has removable singularities: at a = 1, and at a + b = 1 for BG/NBD."""


class Kind(StrEnum):
    """Which of the two models."""

    BG = "bg_nbd"
    MBG = "mbg_nbd"


@dataclass(frozen=True)
class Histories:
    """What is known of customers: repeat purchases, time of the last one and age, in weeks."""

    repeats: Floats
    last: Floats
    age: Floats

    def __len__(self) -> int:
        return len(self.repeats)

    def part(self, chosen: Any) -> Histories:
        """Return some of them, by mask, slice or index."""
        return Histories(self.repeats[chosen], self.last[chosen], self.age[chosen])


@dataclass(frozen=True)
class Btyd:
    """A fitted model.

    Attributes:
        kind: which model.
        r, alpha: shape and rate of the gamma distribution of purchase rates.
        a, b: parameters of the beta distribution of the chance to leave.
        log_likelihood: per customer, at the fit.
        customers: how many it was fitted to.
    """

    kind: Kind
    r: float
    alpha: float
    a: float
    b: float
    log_likelihood: float = float("nan")
    customers: int = 0

    @property
    def degenerate(self) -> bool:
        """Nobody ever leaves, says the fit: a sign that it found the edge of its parameters and no customers' life."""
        return self.a / (self.a + self.b) < 0.005 or self.b > 200

    def document(self) -> dict[str, Any]:
        """Return the parameters for a model file."""
        return asdict(self)

    @classmethod
    def of(cls, document: dict[str, Any]) -> Btyd:
        """Read back what :meth:`document` gave."""
        return cls(**{**document, "kind": Kind(document["kind"])})

    def _dead_odds(self, known: Histories) -> Floats:
        """Odds of being gone against being alive at the end of the observation."""
        x, tx, age = known.repeats, known.last, known.age
        ratio = np.exp(np.minimum((self.r + x) * (np.log(self.alpha + age) - np.log(self.alpha + tx)), _LARGEST_LOG))
        if self.kind is Kind.BG:
            return np.asarray(np.where(x > 0, self.a / (self.b + np.maximum(x, 1) - 1) * ratio, 0.0))
        return np.asarray(self.a / (self.b + x) * ratio)

    def alive(self, known: Histories) -> Floats:
        """Return the probability that each is still a customer."""
        return np.asarray(1 / (1 + self._dead_odds(known)))

    def silent(self, known: Histories, weeks: float) -> Floats:
        """Return the probability of no purchase in the next ``weeks``: 1 - P(alive) (1 - ((α+T)/(α+T+t))^(r+x))."""
        waits = np.exp(
            (self.r + known.repeats) * (np.log(self.alpha + known.age) - np.log(self.alpha + known.age + weeks))
        )
        return np.asarray(1 - self.alive(known) * (1 - waits))

    def next_purchase(self, known: Histories, share: float) -> Floats:
        """Return the weeks after which a purchase has come with probability ``share``; infinite where it never reaches that."""
        alive = self.alive(known)
        with np.errstate(divide="ignore", over="ignore"):
            left = np.where(alive > share, 1 - share / alive, np.nan)
            wait = (self.alpha + known.age) * np.expm1(-np.log(left) / (self.r + known.repeats))
        return np.asarray(np.where(np.isnan(left), np.inf, wait))

    def expected(self, known: Histories, weeks: float) -> Floats:
        """Return the expected number of purchases in the next ``weeks``, never negative."""
        parts = [self._expected(known.part(slice(i, i + _CHUNK)), weeks) for i in range(0, len(known), _CHUNK)]
        return np.concatenate(parts) if parts else np.zeros(0)

    def _expected(self, known: Histories, weeks: float) -> Floats:
        x, age = known.repeats, known.age
        a = self.a if abs(self.a - 1) > _NEAR_ONE else 1 + _NEAR_ONE
        third = a + self.b + x - (1 if self.kind is Kind.BG else 0)
        third = np.where(np.abs(third) > _NEAR_ONE, third, _NEAR_ONE)
        z = weeks / (self.alpha + age + weeks)
        # The paper's series has parameters that grow with x; by Euler's transformation its product with ((α+T)/(α+T+t))^(r+x)
        # has two that do not.
        product = (1 - z) ** (a - 1) * _hyp2f1(third - self.r - x, a - 1, third, z)
        count = third / (a - 1) * (1 - product)
        return np.asarray(np.maximum(count / (1 + self._dead_odds(known)), 0.0))


def _hyp2f1(first: Floats, second: float, third: Floats, z: Floats) -> Floats:
    """Gauss's function; summed up where SciPy's overflows, which is where it converges fast: with large third parameters."""
    from scipy.special import hyp2f1

    found = np.asarray(hyp2f1(first, second, third, z), np.float64)
    lost = ~np.isfinite(found)
    if lost.any():
        a, c, at = first[lost], third[lost], z[lost]
        term, total = np.ones(len(a)), np.ones(len(a))
        for k in range(_TERMS):
            term = term * (a + k) * (second + k) / ((c + k) * (k + 1)) * at
            total += term
        found[lost] = total
    return found


def fit_btyd(kind: Kind, known: Histories) -> Btyd:
    """Fit by maximum likelihood; customers with the same history are counted once, with their number as weight.

    Args:
        kind: which model.
        known: at least one customer.
    """
    from scipy.optimize import minimize

    rows, counts = np.unique(np.column_stack([known.repeats, known.last, known.age]), axis=0, return_counts=True)
    likelihood = _Likelihood(kind, Histories(rows[:, 0], rows[:, 1], rows[:, 2]), counts / counts.sum())
    scale = max(float(rows[:, 2].max()) / 10, 1e-9)
    starts = ([0.5, scale, 1.0, 2.0], [1.0, scale, 0.3, 3.0])
    options = {"ftol": 1e-13, "gtol": 1e-9, "maxiter": 500}
    bounds = [(-9.0, 9.0 + shift) for shift in (0.0, np.log(scale), 0.0, 0.0)]
    fits: list[Btyd] = []
    for start in starts:
        found = minimize(likelihood.loss, np.log(start), jac=True, method="L-BFGS-B", bounds=bounds, options=options)
        r, alpha, a, b = (float(value) for value in np.exp(found.x))
        fits.append(Btyd(kind, r, alpha, a, b, -float(found.fun), len(known)))
        if not fits[-1].degenerate:
            break
    return max(fits, key=lambda one: one.log_likelihood)


class _Likelihood:
    """Log-likelihood of distinct histories, equation (6) of the 2005 paper and its counterpart for MBG/NBD, with gradient.

    Beta and gamma functions depend on the number of purchases only, of which there are few different ones.
    """

    def __init__(self, kind: Kind, known: Histories, weights: Floats) -> None:
        self.known, self.weights = known, weights
        self.stayed = 0 if kind is Kind.BG else 1
        self.counts, self.place = np.unique(known.repeats, return_inverse=True)

    def loss(self, logs: Floats) -> tuple[float, Floats]:
        """Return minus the mean log-likelihood and its gradient, by the logarithms of r, alpha, a, b."""
        from scipy.special import betaln, gammaln, psi

        r, alpha, a, b = np.exp(logs)
        x, shape = self.counts, r + self.known.repeats
        leavers = x + self.stayed
        back = np.maximum(leavers, 1) - 1
        with_end, with_last = alpha + self.known.age, alpha + self.known.last
        common = gammaln(r + x) - gammaln(r) + r * np.log(alpha) - betaln(a, b)
        alive = (common + betaln(a, b + leavers))[self.place] - shape * np.log(with_end)
        gone = (common + np.where(leavers > 0, betaln(a + 1, b + back), -np.inf))[self.place] - shape * np.log(
            with_last
        )
        each = np.logaddexp(alive, gone)
        left = np.exp(gone - each)
        total = psi(a + b + leavers)
        slopes = np.array(
            [
                self._mean((psi(r + x) - psi(r) + np.log(alpha))[self.place] - self._mixed(left, np.log(with_end), np.log(with_last))),
                r / alpha - self._mean(self._mixed(left, shape / with_end, shape / with_last)),
                psi(a + b) - psi(a) + self._mean(self._mixed(left, (psi(a) - total)[self.place], (psi(a + 1) - total)[self.place])),
                psi(a + b) - psi(b) + self._mean(self._mixed(left, (psi(b + leavers) - total)[self.place], (psi(b + back) - total)[self.place])),
            ]
        )  # fmt: skip
        return -self._mean(each), -slopes * np.exp(logs)

    def _mean(self, values: Floats) -> float:
        return float(self.weights @ values)

    @staticmethod
    def _mixed(left: Floats, alive: Floats, gone: Floats) -> Floats:
        return (1 - left) * alive + left * gone
