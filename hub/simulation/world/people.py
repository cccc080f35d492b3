"""The people: who they are, when they come and go, and what they like. The truth that no platform ever shows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from hub.simulation.world.arrays import HOUR, NEVER, Bools, Columns, Floats, Ints
from hub.simulation.world.chain import Chain
from hub.simulation.world.names import draw_names, draw_nicknames
from hub.simulation.world.profile import Behaviour
from hub.simulation.world.seeds import Part, stream
from hub.simulation.world.setting import BLOCK, Setting

__all__ = ["NO_LIMIT", "People", "draw_people"]

#: A purchase quota that is never used up.
NO_LIMIT: Final = NEVER
_HOUSEHOLD_SIZES: Final = (0.42, 0.28, 0.18, 0.12)
_DAYS_PER_WEEK: Final = 7.0


@dataclass(frozen=True)
class People(Columns):
    """One row per person of a block.

    Attributes:
        person: number in the whole world.
        gender: 1 male, 2 female.
        surname, given, second, nickname: see :mod:`hub.simulation.world.names`.
        birthday: days since 1970-01-01.
        household: row of the first member; the same for all who live together.
        home, work: shops near home and work.
        street: number that stands for the address.
        arrival_day, first_second: world day of the first purchase, and the second of that day.
        already: customer before the world begins.
        rate: visits a day while alive, on an average day (0 = never buys).
        death_day: first day of having left for good; ``NEVER`` where drop-out is by purchases or absent.
        quota: purchases until leaving; ``NO_LIMIT`` where drop-out is by lifetime.
        rhythm: row of the profile's rhythms. usual_hour: hour of the shop's day this person likes.
        frequent: whether the rate is at or above half the mean.
        coupon_prone: chance to use a coupon at hand.
        response: effect of a marketing push on the rate in its window, as a factor less one.
        stored_value: pays with a stored balance. tender: usual way to pay.
        satisfaction: -1 … 1, moves survey answers and reviews.
        digital: -1 … 1, how much at home online; moves on which platforms somebody is.
    """

    person: Ints
    gender: Ints
    surname: Ints
    given: Ints
    second: Ints
    nickname: Ints
    other_nickname: Ints
    birthday: Ints
    household: Ints
    household_size: Ints
    home: Ints
    work: Ints
    street: Ints
    arrival_day: Ints
    first_second: Ints
    already: Bools
    rate: Floats
    death_day: Ints
    quota: Ints
    rhythm: Ints
    usual_hour: Floats
    frequent: Bools
    coupon_prone: Floats
    response: Floats
    stored_value: Bools
    tender: Ints
    satisfaction: Floats
    digital: Floats


def draw_people(chain: Chain, block: int) -> People:
    """The people of one block; equal calls give equal people."""
    setting = chain.setting
    rows = setting.block_size(block)
    random = stream(setting.seed, Part.PEOPLE, block)
    gender = np.where(random.random(rows) < 0.36, 1, 2)
    household, size = _households(random, rows)
    surname, given, second = draw_names(random, gender)
    children = (household != np.arange(rows)) & (random.random(rows) < 0.55)
    surname = np.where(children, surname[household], surname)
    home = random.choice(len(chain.shops), rows, p=chain.shops.draw)[household]
    return People(
        person=np.arange(rows) + block * BLOCK,
        gender=gender,
        surname=surname,
        given=given,
        second=second,
        nickname=draw_nicknames(random, rows),
        other_nickname=draw_nicknames(random, rows),
        birthday=_birthdays(random, setting, rows),
        household=household,
        household_size=size,
        home=home,
        work=random.choice(len(chain.shops), rows, p=chain.shops.draw),
        street=random.integers(0, 1_000_000, rows)[household],
        **_habits(setting, block, rows),
    )


def _households(random: np.random.Generator, rows: int) -> tuple[Ints, Ints]:
    """First row of each person's household, and its size. Households stand together."""
    drawn = random.choice(len(_HOUSEHOLD_SIZES), rows, p=_HOUSEHOLD_SIZES) + 1
    head = np.repeat(np.cumsum(drawn) - drawn, drawn)[:rows]
    return head, np.bincount(head, minlength=rows)[head]


def _birthdays(random: np.random.Generator, setting: Setting, rows: int) -> Ints:
    """Birthdays of people of 16 to 65 at the world's start, most of them young."""
    age = 16 + 49 * random.beta(1.5, 3.5, rows)
    return setting.epoch_day - np.rint(age * 365.25).astype(np.int64)


def _habits(setting: Setting, block: int, rows: int) -> dict[str, Any]:
    behaviour, profile = setting.behaviour, setting.profile
    random = stream(setting.seed, Part.PEOPLE, block, 1)
    rate = random.gamma(behaviour.rate_shape, behaviour.weekly_visits / behaviour.rate_shape / _DAYS_PER_WEEK, rows)
    frequent = rate >= behaviour.weekly_visits / _DAYS_PER_WEEK / 2
    rate[random.random(rows) < behaviour.never_buys] = 0.0
    rhythm = random.choice(len(profile.rhythms), rows, p=[entry.share for entry in profile.rhythms])
    prone = random.beta(1.6, 2.4, rows)
    return {
        **_lifetimes(behaviour, random, rate),
        "first_second": profile.opens * HOUR + random.integers(0, (profile.closes - profile.opens) * HOUR, rows),
        "rate": rate,
        "rhythm": rhythm,
        "usual_hour": _usual_hours(setting, random, rhythm),
        "frequent": frequent,
        "coupon_prone": prone,
        "response": _responses(behaviour, random, frequent, prone),
        "stored_value": random.random(rows) < behaviour.stored_value_share,
        "tender": random.choice(4, rows, p=(0.66, 0.24, 0.06, 0.04)),
        "satisfaction": np.clip(random.normal(0.25, 0.45, rows), -1, 1),
        "digital": np.clip(random.normal(0.0, 0.45, rows), -1, 1),
    }


def _lifetimes(behaviour: Behaviour, random: np.random.Generator, rate: Floats) -> dict[str, Ints | Bools]:
    """Arrival and departure. All models draw the same numbers, so that choosing another moves nothing else."""
    rows = len(rate)
    already = random.random(rows) < behaviour.already_customers
    arrival = np.where(already, 0, 1 + np.floor(random.exponential(behaviour.arrival_days, rows))).astype(np.int64)
    hazard = random.gamma(behaviour.lifetime_shape, 1.0, rows) * behaviour.lifetime_days
    stays = random.exponential(1.0, rows) * behaviour.lifetime_days**2 * (behaviour.lifetime_shape - 1) / hazard
    leaves_at_once = (random.random(rows) < behaviour.one_time_share) & ~already
    chance = np.maximum(random.beta(behaviour.dropout_a, behaviour.dropout_b, rows), 1e-6)
    purchases = np.ceil(np.log1p(-random.random(rows)) / np.log1p(-chance)).astype(np.int64)
    death, quota = np.full(rows, NEVER), np.full(rows, NO_LIMIT)
    if behaviour.dropout == "exponential":
        death = arrival + 1 + np.floor(stays).astype(np.int64)
        death = np.where(leaves_at_once, arrival + 1, death)
    elif behaviour.dropout == "geometric":
        quota = np.where(leaves_at_once, 1, np.maximum(purchases, 1))
    return {"already": already, "arrival_day": arrival, "death_day": death, "quota": quota}


def _usual_hours(setting: Setting, random: np.random.Generator, rhythm: Ints) -> Floats:
    """An hour of the shop's day per person, drawn from the hours of their rhythm."""
    draw = random.random(len(rhythm))
    hours = np.zeros(len(rhythm))
    for row, entry in enumerate(setting.profile.rhythms):
        share = np.cumsum(entry.hours) / np.sum(entry.hours)
        mine = rhythm == row
        hours[mine] = np.searchsorted(share, draw[mine], side="right")
    return np.asarray(setting.profile.opens + hours + random.random(len(rhythm)))


def _responses(behaviour: Behaviour, random: np.random.Generator, frequent: Bools, prone: Floats) -> Floats:
    """Who likes coupons responds more; who comes often anyway responds less, and some are put off."""
    centre = behaviour.response_mean + behaviour.response_spread * (1.2 * (prone - 0.4) / 0.22 - 0.6 * frequent) / 1.6
    noise = random.normal(0.0, behaviour.response_spread * 0.55, len(prone))
    return np.asarray(np.clip(centre + noise, -0.6, 3.0))
