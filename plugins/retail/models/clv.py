"""Customer lifetime value of the next twelve months: visits to come times what a visit is worth.

The average of two estimates that err in different directions: MBG/NBD visits × Gamma-Gamma value, and a regression with log link
(Poisson for visits, Tweedie for value) on what customers did in the longest window that has ended. Where that window is shorter than
a year it is stretched by the ratio that MBG/NBD expects between the two.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hub.models import Model
from plugins.retail.models.btyd import Btyd
from plugins.retail.models.card import card_of, days_text
from plugins.retail.models.daily import Daily
from plugins.retail.models.features import FEATURES, Snapshot, snapshot
from plugins.retail.models.gamma_gamma import GammaGamma, fit_gamma_gamma
from plugins.retail.models.keeping import Fitted, Refused, on_one_thread
from plugins.retail.models.linear import Line, fit_log_link
from plugins.retail.models.metrics import amount_metrics
from plugins.retail.models.season import NO_SEASON, Season, season_of
from plugins.retail.models.silence import FEWEST_CUSTOMERS, Bases
from plugins.retail.models.windows import Windows, windows

__all__ = ["YEAR", "Forecast", "Value", "fit_value", "tier_cuts", "tiers"]

Floats = NDArray[np.float64]

YEAR = 365
_WINDOWS = (365, 182, 91, 56, 28)
"""Label windows tried, the longest first."""
COLUMNS = (*FEATURES, "model_visits")
_COUNTS, _MONEY = 1.0, 1.5
_BANDS = 20
_FEWEST_IN_BAND = 50
_SMALLEST_DRIFT = 0.1
_LARGEST_REPAIR = 1.5


@dataclass(frozen=True)
class Forecast:
    """What is expected of each customer; ``low`` and ``high`` are NaN where no window could be learnt from."""

    visits: Floats
    value: Floats
    low: Floats
    high: Floats


@dataclass(frozen=True)
class Value:
    """A fitted model.

    Attributes:
        btyd, gamma: MBG/NBD and Gamma-Gamma.
        unit: mean net value of a purchase day where it was learnt.
        window: days of the labels; 0 where there were none.
        visits, money: the regressions; None without labels.
        visits_repair, money_repair: factors for a level that drifts, see :func:`_repair`.
        season: how much is bought at what time of the year; the regressions know none.
        bands: predicted value (in units) of customers of the judged window in rising bands, with the lowest and highest tenth of
            what came, as shares of the prediction.
        cuts: expected value of the next twelve months from which somebody is in tier A, B, C, on the day of the fit.
    """

    btyd: Btyd
    gamma: GammaGamma
    unit: float
    window: int = 0
    visits: Line | None = None
    money: Line | None = None
    visits_repair: float = 1.0
    money_repair: float = 1.0
    bands: tuple[tuple[float, float, float], ...] = ()
    season: Season = NO_SEASON
    cuts: tuple[float, ...] = ()

    def document(self) -> dict[str, Any]:
        """Return the numbers for a model file."""
        return {
            "btyd": self.btyd.document(),
            "gamma": self.gamma.document(),
            "unit": self.unit,
            "window": self.window,
            "visits": self.visits.document() if self.visits else None,
            "money": self.money.document() if self.money else None,
            "visits_repair": self.visits_repair,
            "money_repair": self.money_repair,
            "bands": [list(band) for band in self.bands],
            "season": asdict(self.season),
            "cuts": list(self.cuts),
        }

    @classmethod
    def of(cls, document: dict[str, Any]) -> Value:
        """Read back what :meth:`document` gave."""
        lines = {name: Line.of(document[name]) if document[name] else None for name in ("visits", "money")}
        bands = tuple((band[0], band[1], band[2]) for band in document["bands"])
        btyd, gamma = Btyd.of(document["btyd"]), GammaGamma.of(document["gamma"])
        season = Season(document["season"]["begin"], tuple(document["season"]["index"]))
        return cls(
            **{
                **document,
                **lines,
                "bands": bands,
                "btyd": btyd,
                "gamma": gamma,
                "season": season,
                "cuts": tuple(document["cuts"]),
            }
        )

    @property
    def method(self) -> str:
        """How the values come about."""
        if self.visits is None or self.money is None:
            return "mbg_nbd"
        learnt = "regression" if self.btyd.degenerate else "mbg_nbd+regression"
        return learnt if self.window == YEAR else f"{learnt}, {self.window} d stretched"

    def base(self, known: Snapshot, days: int) -> tuple[Floats, Floats]:
        """Return visits and value of the next days by MBG/NBD and Gamma-Gamma alone."""
        visits = self.btyd.expected(known.histories, days / 7)
        return visits, visits * self.gamma.expected(known.count, known.mean_value)

    def features(self, known: Snapshot, visits: Floats) -> Floats:
        """Return the columns :data:`COLUMNS`."""
        return np.column_stack([known.features, np.log(np.maximum(visits, 1e-3))])

    def in_window(self, known: Snapshot) -> tuple[Floats, Floats]:
        """Return visits and value expected in a window as long as the labels', level not repaired, of no season."""
        visits, money = self.base(known, self.window)
        if self.visits is None or self.money is None:
            return visits, money
        features = self.features(known, visits)
        own_visits, own_money = self.visits.amount(features), self.money.amount(features) * self.unit
        # Where MBG/NBD finds that nobody leaves, its visits are a shrunken past rate, which still helps; money built on it does not.
        return (visits + own_visits) / 2, own_money if self.btyd.degenerate else (money + own_money) / 2

    def expected(self, known: Snapshot, today: int, days: int = YEAR) -> Forecast:
        """Return what is expected of each customer in the days from ``today`` on, never below 0."""
        nothing = np.full(len(known), np.nan)
        if self.visits is None:
            visits, money = self.base(known, days)
            return Forecast(visits, money, nothing, nothing)
        visits, money = self.in_window(known)
        visits, money = visits * self.visits_repair, money * self.money_repair
        low, high = self._interval(money)
        stretch = self._stretch(known, days) * self.season.factor(today, days)
        return Forecast(visits * stretch, money * stretch, low * stretch, high * stretch)

    def _stretch(self, known: Snapshot, days: int) -> Floats:
        if days == self.window:
            return np.ones(len(known))
        if self.btyd.degenerate:
            return np.full(len(known), days / self.window)
        short = self.btyd.expected(known.histories, self.window / 7)
        longer = self.btyd.expected(known.histories, days / 7)
        return np.asarray(np.divide(longer, short, out=np.full(len(known), days / self.window), where=short > 1e-9))

    def _interval(self, money: Floats) -> tuple[Floats, Floats]:
        """Lowest and highest tenth of what came to customers of a like prediction; the expected value lies between."""
        if not self.bands:
            nothing = np.full(len(money), np.nan)
            return nothing, nothing
        centre, low, high = np.array(self.bands).T
        place = np.log(np.maximum(money / self.unit, 1e-9))
        below, above = (np.interp(place, np.log(np.maximum(centre, 1e-9)), share) for share in (low, high))
        return np.minimum(money * below, money), np.maximum(money * above, money)


@on_one_thread
def fit_value(bases: Bases, today: int, used: Model | None, purpose: dict[str, str]) -> Fitted | Refused:
    """Fit the model for a day and judge it by the last window that has ended.

    Args:
        bases: purchase days of the customers to learn from.
        today: day it is fitted for.
        used: the model in use, to be compared with.
        purpose: what the card says that it is for and not for.
    """
    daily = bases.daily.before(today)
    found = _base(bases, today)
    if isinstance(found, Refused):
        return found
    spans = next((one for days in _WINDOWS if (one := windows(daily.first_day, today, days))), None)
    early = _base(bases, spans.judged) if spans else None
    if spans is None or early is None or isinstance(early, Refused):
        return _unlearnt(found, daily, today, purpose)
    judged = _learnt(early, daily, spans.earlier, spans.horizon)
    model = _learnt(found, daily, spans.all, spans.horizon)
    if judged.visits is None or model.visits is None:
        return _unlearnt(found, daily, today, purpose)
    return _judged(model, judged, bases, spans, used, purpose)


def _base(bases: Bases, today: int) -> Value | Refused:
    """MBG/NBD and Gamma-Gamma of what was known at a day."""
    base = bases.at(today)
    if isinstance(base, Refused):
        return base
    before = bases.daily.before(today)
    days, value = before.days_of().astype(np.float64), before.value_of()
    mean = np.divide(value, days, out=np.zeros(len(days)), where=days > 0)
    if int((mean > 0).sum()) < FEWEST_CUSTOMERS:
        return Refused(
            f"too little data: {int((mean > 0).sum())} buyers with a value above 0, {FEWEST_CUSTOMERS} needed"
        )
    return Value(base[0], fit_gamma_gamma(days, mean), base[1])


def _labels(daily: Daily, known: Snapshot, cut: int, days: int) -> tuple[Floats, Floats]:
    """Visits and net value of the days from a cut on; a value below 0 (goods given back) counts as nothing."""
    after = daily.within(cut, cut + days)
    return after.days_of()[known.who].astype(np.float64), np.maximum(after.value_of()[known.who], 0)


def _learnt(base: Value, daily: Daily, cuts: tuple[int, ...], days: int) -> Value:
    """Add the regressions, if there is enough to learn from; labels are freed of their season first."""
    season = season_of(daily, max(cuts, default=0) + days)
    features, visits, money = [], [], []
    for cut in cuts:
        known = snapshot(daily, cut, base.unit)
        came, spent = _labels(daily, known, cut, days)
        features.append(base.features(known, base.btyd.expected(known.histories, days / 7)))
        factor = season.factor(cut, days)
        visits.append(came / factor)
        money.append(spent / base.unit / factor)
    if not features:
        return base
    rows = np.concatenate(features)
    counts = fit_log_link(COLUMNS, rows, np.concatenate(visits), _COUNTS)
    amounts = fit_log_link(COLUMNS, rows, np.concatenate(money), _MONEY)
    if counts is None or amounts is None:
        return base
    return replace(base, window=days, visits=counts, money=amounts, season=season)


def _unlearnt(model: Value, daily: Daily, today: int, purpose: dict[str, str]) -> Fitted:
    decision = "in use: MBG/NBD × Gamma-Gamma alone, as there is no window to learn from yet"
    window = {"first_day": days_text(daily.first_day), "fitted_for": days_text(today)}
    card = card_of(purpose, decision, window, {"customers": daily.customers}, {}, _parameters(model))
    return Fitted(_with_cuts(model, daily, today).document(), card, good=True)


def _judged(
    model: Value, judged: Value, bases: Bases, spans: Windows, used: Model | None, purpose: dict[str, str]
) -> Fitted:
    daily = bases.daily.before(spans.today)
    known = snapshot(daily, spans.judged, judged.unit)
    came, spent = _labels(daily, known, spans.judged, spans.horizon)
    visits, money = _of_season(judged, known, spans.judged)
    base_visits, base_money = judged.base(known, spans.horizon)
    before = _window_before(bases, spans)
    model = replace(
        model,
        visits_repair=_repair(_ratio(came, visits), before[0]),
        money_repair=_repair(_ratio(spent, money), before[1]),
        bands=_bands(money / judged.unit, spent / judged.unit),
    )
    good, decision = True, "in use: the first of its recipe"
    if used is not None and (held := Value.of(dict(used.payload))).window == spans.horizon:
        own = _of_season(held, snapshot(daily, spans.judged, held.unit), spans.judged)[1]
        good = _not_worse(money, own, spent)
        words = "not worse than" if good else "worse than"
        decision = f"{'in use' if good else 'kept, not used'}: {words} {used.version} on the judged window"
    results = {
        "visits": {**amount_metrics(visits, came), "rmse_mbg_nbd": amount_metrics(base_visits, came)["rmse"]},
        "value": {**amount_metrics(money, spent), "rmse_mbg_nbd": amount_metrics(base_money, spent)["rmse"]},
    }
    window = {
        "first_day": days_text(daily.first_day),
        "label_days": spans.horizon,
        "learnt_from": [days_text(cut) for cut in spans.all],
        "judged_at": days_text(spans.judged),
        "fitted_for": days_text(spans.today),
    }
    rows = {"customers": daily.customers, "customers_judged": len(known)}
    card = card_of(purpose, decision, window, rows, results, _parameters(model))
    return Fitted(_with_cuts(model, daily, spans.today).document(), card, good)


def _window_before(bases: Bases, spans: Windows) -> tuple[float, float]:
    """Actual over predicted totals of the window before the judged one; 1 where the history does not reach that far."""
    daily = bases.daily.before(spans.today)
    earlier = windows(daily.first_day, spans.judged, spans.horizon)
    base = _base(bases, earlier.judged) if earlier else None
    if earlier is None or base is None or isinstance(base, Refused):
        return 1.0, 1.0
    model = _learnt(base, daily, earlier.earlier, spans.horizon)
    if model.visits is None:
        return 1.0, 1.0
    known = snapshot(daily, earlier.judged, model.unit)
    predicted = _of_season(model, known, earlier.judged)
    pairs = zip(_labels(daily, known, earlier.judged, spans.horizon), predicted, strict=True)
    visits, money = (_ratio(actual, predicted) for actual, predicted in pairs)
    return visits, money


def _of_season(model: Value, known: Snapshot, day: int) -> tuple[Floats, Floats]:
    """Visits and value expected in the label window that begins at a day."""
    visits, money = model.in_window(known)
    factor = model.season.factor(day, model.window)
    return visits * factor, money * factor


def _ratio(actual: Floats, predicted: Floats) -> float:
    return float(actual.sum() / predicted.sum()) if predicted.sum() > 0 and actual.sum() > 0 else 1.0


def _repair(now: float, before: float) -> float:
    """Return the factor for a level that drifts: half of the smaller error, on a logarithmic scale.

    Only where the last two windows erred in the same direction by a tenth or more. One that erred alone is a season, and repairing the next window
    by it would make that worse.

    Args:
        now: actual over predicted total of the judged window.
        before: the same of the window before it.
    """
    errors = np.log([now, before])
    if errors[0] * errors[1] <= 0 or np.abs(errors).min() < _SMALLEST_DRIFT:
        return 1.0
    smaller = errors[np.argmin(np.abs(errors))] / 2
    return float(np.clip(np.exp(smaller), 1 / _LARGEST_REPAIR, _LARGEST_REPAIR))


def _bands(predicted: Floats, actual: Floats) -> tuple[tuple[float, float, float], ...]:
    """Shares of the prediction that the lowest and highest tenth got, by bands of the prediction."""
    order = np.argsort(predicted, kind="stable")
    parts = np.array_split(order, max(min(_BANDS, len(order) // _FEWEST_IN_BAND), 1))
    found = []
    for part in parts:
        centre = float(predicted[part].mean())
        low, high = np.quantile(actual[part], [0.1, 0.9])
        found.append((centre, float(low) / max(centre, 1e-9), float(high) / max(centre, 1e-9)))
    return tuple(found)


def _not_worse(now: Floats, before: Floats, actual: Floats) -> bool:
    """Squared errors, paired by customer, are not larger by more than one standard error."""
    difference = (now - actual) ** 2 - (before - actual) ** 2
    return bool(difference.mean() <= difference.std() / np.sqrt(len(difference)))


def _parameters(model: Value) -> dict[str, Any]:
    warnings = []
    if model.btyd.degenerate:
        warnings.append("MBG/NBD found that nobody ever leaves; the value is the regression's alone")
    if abs(model.gamma.correlation) > 0.3:
        warnings.append(
            f"frequency and value go together ({model.gamma.correlation:.2f}), which Gamma-Gamma does not allow for"
        )
    if model.window < YEAR and not model.season.index:
        warnings.append("less than two years of history: the season is not in the forecast")
    return {
        "method": model.method,
        "mbg_nbd": model.btyd.document(),
        "gamma_gamma": model.gamma.document(),
        "level_repair": {"visits": model.visits_repair, "value": model.money_repair},
        "weights": {"visits": model.visits.weights(), "value": model.money.weights()}
        if model.visits and model.money
        else {},
        "season": [round(one, 4) for one in model.season.index],
        "warnings": warnings,
    }


def tier_cuts(value: Floats) -> tuple[float, ...]:
    """Return the least value of tiers A, B and C: the best customers who hold half of all predicted value, the next 30 %, 15 %.

    Equal values are in the same tier.
    """
    ranked = np.sort(np.round(value, 2))[::-1]
    before = np.cumsum(ranked) - ranked
    first = np.searchsorted(-ranked, -ranked, side="left")
    share = before[first] / max(float(ranked.sum()), 1e-12)
    return tuple(float(ranked[share < limit].min(initial=np.inf)) for limit in (0.5, 0.8, 0.95))


def tiers(value: Floats, cuts: tuple[float, ...]) -> NDArray[np.int64]:
    """Return 0 … 3 for tier A … D by the least values of A, B and C."""
    return np.asarray(np.sum([np.round(value, 2) < cut for cut in cuts], axis=0), np.int64)


def _with_cuts(model: Value, daily: Daily, today: int) -> Value:
    known = snapshot(daily, today, model.unit)
    return replace(model, cuts=tier_cuts(model.expected(known, today).value))
