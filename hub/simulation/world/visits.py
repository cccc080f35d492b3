"""Visits: who comes when. A Poisson process per person, with seasons, drop-out and the effect of marketing.

The rates are gamma distributed and the lifetimes exponential mixtures (Pareto/NBD; Schmittlein, Morrison and Colombo
1987) or geometric in the number of purchases (MBG/NBD; Batislam, Denizel and Filiztekin 2007), so that the usual
models of repeat buying can be fitted and their parameters compared with the truth.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from hub.simulation.world.arrays import DAY, HOUR, Bools, Columns, Floats, Ints, rank_within
from hub.simulation.world.block import Block
from hub.simulation.world.calendar import day_weights
from hub.simulation.world.campaigns import Sends, treated_in
from hub.simulation.world.people import NO_LIMIT, People
from hub.simulation.world.profile import ChainProfile
from hub.simulation.world.seeds import Part
from hub.simulation.world.setting import PERIOD_DAYS, Setting

__all__ = ["Visits", "draw_visits"]

_USUAL_HOUR: Final = 0.45
_HOUR_SPREAD: Final = 0.8


@dataclass(frozen=True)
class Visits(Columns):
    """One row per visit: who, on which world day, at which world second, and whether marketing brought it about."""

    person: Ints
    day: Ints
    at: Ints
    caused: Bools


class _Clock:
    """The demand of one period as running totals per rhythm, so that days can be drawn by inverting them."""

    def __init__(self, setting: Setting, period: int) -> None:
        weights = day_weights(setting, period)
        self.start = period * PERIOD_DAYS
        self.totals = np.concatenate([np.zeros((len(weights), 1)), np.cumsum(weights, axis=1)], axis=1)
        self._step = float(self.totals.max()) + 1.0
        self._rungs = (self.totals[:, 1:] + np.arange(len(weights))[:, None] * self._step).ravel()

    def until(self, rhythm: Ints, day: Ints) -> Floats:
        """Demand from the period's start to the morning of each world day (cut to the period)."""
        return np.asarray(self.totals[rhythm, np.clip(day - self.start, 0, PERIOD_DAYS)])

    def day_of(self, rhythm: Ints, total: Floats) -> Ints:
        """The world day on which the demand reaches each total."""
        place = np.searchsorted(self._rungs, total + rhythm * self._step, side="right") - rhythm * PERIOD_DAYS
        return np.asarray(self.start + np.clip(place, 0, PERIOD_DAYS - 1))


def draw_visits(block: Block, sends: Sends, bought: Ints, period: int) -> Visits:
    """All visits of one period, in order of time.

    Args:
        block: whose people visit.
        sends: the period's campaigns.
        bought: purchases of each person before this period; raised in place.
        period: four weeks.
    """
    people = block.people
    random = block.stream(Part.VISITS, period)
    clock = _Clock(block.setting, period)
    begin = people.arrival_day + ~people.already
    parts = [_usual(random, clock, people, begin), _first(people, period)]
    for number, campaign in enumerate(block.profile.campaigns):
        window = clock.start + campaign.day + np.array([0, campaign.window_days])
        treated = treated_in(sends, number, len(people))
        parts[0] = _put_off(random, parts[0], people, treated, window)
        parts.append(_brought(random, clock, people, np.where(treated, begin, PERIOD_DAYS * (period + 1)), window))
    visits = Visits.concat(parts)
    second = _seconds(block.profile, random, people, visits)
    visits = Visits(visits.person, visits.day, visits.day * DAY + second, visits.caused)
    visits = visits.take(np.argsort(visits.at, kind="stable"))
    visits = _within_quota(people, visits, bought)
    bought += np.bincount(visits.person, minlength=len(people))
    return visits


def _poisson(
    random: np.random.Generator, clock: _Clock, people: People, factor: Floats, start: Ints, end: Ints
) -> tuple[Ints, Ints]:
    """Person and day of Poisson events at ``factor`` times each person's rate between two days."""
    low = clock.until(people.rhythm, start)
    high = np.maximum(clock.until(people.rhythm, np.minimum(end, people.death_day)), low)
    count = random.poisson(people.rate * factor * (high - low))
    person = np.repeat(np.arange(len(people)), count)
    total = low[person] + random.random(len(person)) * (high - low)[person]
    return person, clock.day_of(people.rhythm[person], total)


def _visits(person: Ints, day: Ints, *, caused: bool) -> Visits:
    return Visits(person, day, day * DAY, np.full(len(person), caused))


def _usual(random: np.random.Generator, clock: _Clock, people: People, begin: Ints) -> Visits:
    everyone = np.ones(len(people))
    return _visits(
        *_poisson(random, clock, people, everyone, begin, np.full(len(people), clock.start + PERIOD_DAYS)), caused=False
    )


def _first(people: People, period: int) -> Visits:
    """The first purchase of those who arrive in this period: with it they become customers."""
    arrives = (people.arrival_day // PERIOD_DAYS == period) & ~people.already & (people.rate > 0)
    person = np.flatnonzero(arrives)
    return _visits(person, people.arrival_day[person], caused=False)


def _put_off(random: np.random.Generator, visits: Visits, people: People, treated: Bools, window: Ints) -> Visits:
    """Drop visits in the window of people whom the push annoys."""
    inside = (visits.day >= window[0]) & (visits.day < window[1]) & treated[visits.person]
    return visits.take(~(inside & (random.random(len(visits)) < -people.response[visits.person])))


def _brought(random: np.random.Generator, clock: _Clock, people: People, begin: Ints, window: Ints) -> Visits:
    """Extra visits in the window of treated people who like the push."""
    start = np.maximum(begin, window[0])
    person, day = _poisson(
        random, clock, people, np.maximum(people.response, 0.0), start, np.full(len(people), window[1])
    )
    return _visits(person, day, caused=True)


def _seconds(profile: ChainProfile, random: np.random.Generator, people: People, visits: Visits) -> Ints:
    """The second of the business day: the usual hour of the person, or any hour of their rhythm."""
    rows = len(visits)
    ladders = np.array([np.cumsum(entry.hours) / np.sum(entry.hours) for entry in profile.rhythms])
    ladders[:, -1] = 1.0
    width = ladders.shape[1]
    rhythm = people.rhythm[visits.person]
    rungs = (ladders + np.arange(len(ladders))[:, None]).ravel()
    hour = np.searchsorted(rungs, random.random(rows) + rhythm, side="right") - rhythm * width
    any_hour = profile.opens + hour + random.random(rows)
    usual = people.usual_hour[visits.person] + random.normal(0.0, _HOUR_SPREAD, rows)
    drawn = np.where(random.random(rows) < _USUAL_HOUR, usual, any_hour)
    drawn = np.clip(
        drawn, profile.opens + random.random(rows) / 4, profile.night_closes - random.random(rows) / 4 - 0.01
    )
    arrival = (visits.day == people.arrival_day[visits.person]) & ~people.already[visits.person]
    return np.where(arrival, people.first_second[visits.person], (drawn * HOUR).astype(np.int64))


def _within_quota(people: People, visits: Visits, bought: Ints) -> Visits:
    """Where drop-out is by purchases, keep no more than each person has left."""
    if np.all(people.quota == NO_LIMIT):
        return visits
    number = bought[visits.person] + rank_within(visits.person)
    return visits.take(number < people.quota[visits.person])
