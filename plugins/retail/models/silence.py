"""How likely a customer stays away: the model behind early warning and the next purchase.

A logistic regression per horizon on log features, beside them what MBG/NBD expects. Its probability is that of *no purchase day in
the next n days*. Where there is too little history to learn from, MBG/NBD's own answer to the same question is used.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from plugins.retail.models.btyd import Btyd, Kind, fit_btyd
from plugins.retail.models.daily import Daily
from plugins.retail.models.features import FEATURES, Snapshot, snapshot
from plugins.retail.models.keeping import Refused
from plugins.retail.models.linear import Line, fit_logistic, level_shift
from plugins.retail.models.metrics import calibration
from plugins.retail.models.threads import one_at_a_time
from plugins.retail.models.windows import Windows

__all__ = ["Bases", "Silence", "Taught", "examined", "fit_base", "learn_silence", "levelled", "recalibrated", "taught"]

Floats = NDArray[np.float64]

COLUMNS = (*FEATURES, "model_silence", "model_alive")
FEWEST_CUSTOMERS, FEWEST_REPEATERS = 1000, 200
"""Below these MBG/NBD's forecast of the chain is off by more than seven per cent, so that none is given."""
_POORLY_CALIBRATED = 0.05


@dataclass(frozen=True)
class Silence:
    """A fitted model.

    Attributes:
        btyd: MBG/NBD of the same chain.
        unit: mean net value of a purchase day where it was learnt.
        within: customers count whose last purchase day is at most so many days ago.
        lines: logistic regression per horizon; None where MBG/NBD answers.
    """

    btyd: Btyd
    unit: float
    within: int
    lines: dict[int, Line | None]

    def document(self) -> dict[str, Any]:
        """Return the numbers for a model file."""
        lines = {str(days): line.document() if line else None for days, line in self.lines.items()}
        return {"btyd": self.btyd.document(), "unit": self.unit, "within": self.within, "lines": lines}

    @classmethod
    def of(cls, document: dict[str, Any]) -> Silence:
        """Read back what :meth:`document` gave."""
        lines = {int(days): Line.of(line) if line else None for days, line in document["lines"].items()}
        return cls(Btyd.of(document["btyd"]), document["unit"], document["within"], lines)

    @property
    def method(self) -> str:
        """``logistic``, or ``mbg_nbd`` where some horizon could not be learnt."""
        return "logistic" if all(self.lines.values()) else "mbg_nbd"

    def silent(self, known: Snapshot) -> dict[int, Floats]:
        """Return the probability of no purchase within each horizon; never larger for a longer one."""
        found: dict[int, Floats] = {}
        bound = np.ones(len(known))
        for days in sorted(self.lines):
            line = self.lines[days]
            own = line.probability(self.features(known, days)) if line else self.btyd.silent(known.histories, days / 7)
            found[days] = bound = np.minimum(own, bound)
        return found

    def features(self, known: Snapshot, days: int) -> Floats:
        """Return the columns :data:`COLUMNS` for one horizon."""
        silent = np.clip(self.btyd.silent(known.histories, days / 7), 1e-4, 1 - 1e-4)
        alive = np.clip(self.btyd.alive(known.histories), 1e-4, 1 - 1e-4)
        return np.column_stack([known.features, np.log(silent / (1 - silent)), np.log(alive / (1 - alive))])


@dataclass(frozen=True)
class Taught:
    """What a model is taught or judged by: customers at some days and whether they then stayed away."""

    known: tuple[Snapshot, ...]
    silent: dict[int, NDArray[np.bool_]]


def fit_base(daily: Daily, today: int) -> tuple[Btyd, float] | Refused:
    """Return MBG/NBD and the mean value of a purchase day of what was known at a day, or why there is too little for it."""
    _, known = daily.histories(today)
    repeaters = int((known.repeats > 0).sum())
    if len(known) < FEWEST_CUSTOMERS or repeaters < FEWEST_REPEATERS:
        return Refused(
            f"too little data: {len(known)} buyers and {repeaters} repeat buyers, "
            f"{FEWEST_CUSTOMERS} and {FEWEST_REPEATERS} needed"
        )
    values = daily.before(today).value
    return fit_btyd(Kind.MBG, known), max(float(values.mean()), 1e-9)


class Bases:
    """Purchase days, with MBG/NBD of each day it is asked for: several models look from the same days, maybe at the same time."""

    def __init__(self, daily: Daily) -> None:
        self.daily = daily
        self._found = one_at_a_time(lambda today: fit_base(daily, today))

    def at(self, today: int) -> tuple[Btyd, float] | Refused:
        """Return :func:`fit_base` of a day."""
        return self._found(today)


def taught(
    daily: Daily, cuts: tuple[int, ...], horizons: tuple[int, ...], within: int, unit: float, memory: int | None = None
) -> Taught:
    """Return snapshots of those who bought within ``within`` days, and whether they then stayed away for each horizon.

    Args:
        daily: purchase days.
        cuts: days to look from.
        horizons: days ahead.
        within: only customers whose last purchase day is at most so many days ago.
        unit: mean net value of a purchase day.
        memory: purchases longer ago than that are not looked at; all of them by default.
    """
    snapshots, silent = [], {days: [np.zeros(0, np.bool_)] for days in horizons}
    for cut in cuts:
        known = _lately(daily, cut, within, unit, memory)
        snapshots.append(known)
        for days in horizons:
            came = np.bincount(daily.within(cut, cut + days).customer, minlength=daily.customers)
            silent[days].append(came[known.who] == 0)
    return Taught(tuple(snapshots), {days: np.concatenate(parts) for days, parts in silent.items()})


def _lately(daily: Daily, cut: int, within: int, unit: float, memory: int | None) -> Snapshot:
    who = np.flatnonzero(np.bincount(daily.within(cut - within, cut).customer, minlength=daily.customers))
    known = daily.before(cut) if memory is None else daily.within(cut - memory, cut)
    return snapshot(known.of(who), cut, unit)


def learn_silence(base: tuple[Btyd, float], lessons: Taught, horizons: tuple[int, ...], within: int) -> Silence:
    """Fit a line per horizon; None stands for one where either outcome is too rare to learn from."""
    empty = Silence(base[0], base[1], within, dict.fromkeys(horizons))
    if not lessons.known:
        return empty
    lines = {}
    for days in horizons:
        features = np.concatenate([empty.features(known, days) for known in lessons.known])
        lines[days] = fit_logistic(COLUMNS, features, lessons.silent[days])
    return replace(empty, lines=lines)


def levelled(model: Silence, daily: Daily, cuts: tuple[int, ...], today: int) -> Silence:
    """Return a model whose mean probability at ``today`` is that of one that looks no further back than every lesson could.

    A young chain's histories grow: today's customers look more settled than those of the lessons did, only because more is known of
    them, and a line over whole histories takes that for loyalty. Who is likelier to stay away than whom is best told by whole
    histories, how many will by equally long ones.

    Args:
        model: fitted to the lessons of ``cuts``.
        daily: purchase days; those from ``today`` on are not looked at.
        cuts: the days it looked from.
        today: the day it is used from.
    """
    if not cuts or not any(model.lines.values()):
        return model
    memory = max(model.within, min(cuts) - daily.first_day)
    horizons = tuple(model.lines)
    lessons = taught(daily, cuts, horizons, model.within, model.unit, memory)
    even = learn_silence((model.btyd, model.unit), lessons, horizons, model.within)
    whole, equal = (_lately(daily, today, model.within, model.unit, back) for back in (None, memory))
    lines = dict(model.lines)
    for days, line in model.lines.items():
        other = even.lines[days]
        if line is not None and other is not None and len(whole):
            mean = float(other.probability(even.features(equal, days)).mean())
            shift = level_shift(line.value(model.features(whole, days)), mean)
            lines[days] = line.recalibrated(1.0, shift)
    return replace(model, lines=lines)


def recalibrated(model: Silence, judged: Silence, exam: Taught) -> Silence:
    """Return a model whose lines got slope and shift where the judged one's probabilities were off by more than 0.05."""
    lines = dict(model.lines)
    for days, line in model.lines.items():
        judge = judged.lines[days]
        if line is None or judge is None or not exam.known or not 0 < exam.silent[days].mean() < 1:
            continue
        features = np.concatenate([judged.features(known, days) for known in exam.known])
        if calibration(judge.probability(features), exam.silent[days])[0] > _POORLY_CALIBRATED:
            lines[days] = line.recalibrated(*judge.calibration(features, exam.silent[days]))
    return replace(model, lines=lines)


def examined(daily: Daily, spans: Windows, horizons: tuple[int, ...], within: int, unit: float) -> Taught:
    """Return the last window that has ended."""
    return taught(daily, (spans.judged,), horizons, within, unit)
