"""What a day does to the demand: the season, the weekday, festivals, and the luck of the weather."""

from __future__ import annotations

from datetime import date
from typing import Final

import numpy as np

from hub.simulation.world.arrays import Floats, Ints
from hub.simulation.world.lunar import solar_date
from hub.simulation.world.profile import Festival
from hub.simulation.world.seeds import Part, stream
from hub.simulation.world.setting import PERIOD_DAYS, Setting

__all__ = ["day_weights", "days_of_period", "festival_days", "month_curve"]

_WEATHER: Final = 0.07


def days_of_period(period: int) -> Ints:
    """The world days of one four-week period."""
    return np.arange(period * PERIOD_DAYS, (period + 1) * PERIOD_DAYS, dtype=np.int64)


def festival_days(setting: Setting, festival: Festival, days: Ints) -> Ints:
    """For each world day the days left until the festival (0 = the day itself), or -1 beyond ``days_before``."""
    years = range(int(setting.calendar_parts(days[:1])[0][0]), int(setting.calendar_parts(days[-1:])[0][0]) + 2)
    left = np.full(len(days), -1, np.int64)
    for year in years:
        day = (
            solar_date(year, festival.month, festival.day)
            if festival.lunar
            else date(year, festival.month, festival.day)
        )
        away = (day - setting.start).days - days
        near = (away >= 0) & (away <= festival.days_before)
        left[near] = away[near]
    return left


def month_curve(setting: Setting, factors: Floats, days: Ints) -> Floats:
    """Monthly factors (last axis of 12) drawn as a smooth curve over world days, each month's value at its middle."""
    _, month, day = setting.calendar_parts(days)
    place = (month - 1) + (day - 15.5) / 30.5
    low = np.floor(place).astype(np.int64)
    share = place - low
    return np.asarray(factors[..., low % 12] * (1 - share) + factors[..., (low + 1) % 12] * share)


def day_weights(setting: Setting, period: int) -> Floats:
    """Demand factor of every rhythm on every day of a period, shape (rhythms, 28); about 1 on an average day."""
    days = days_of_period(period)
    profile = setting.profile
    weekdays = np.array([rhythm.weekdays for rhythm in profile.rhythms])
    weekdays /= weekdays.mean(axis=1, keepdims=True)
    factor = month_curve(setting, np.array(profile.month_factors) / np.mean(profile.month_factors), days)
    for festival in profile.festivals:
        left = festival_days(setting, festival, days)
        nearness = np.where(left < 0, 0.0, 1 - left / (festival.days_before + 1))
        factor = factor * festival.boost**nearness
    weather = stream(setting.seed, Part.CALENDAR, period).normal(-(_WEATHER**2) / 2, _WEATHER, PERIOD_DAYS)
    return np.asarray(weekdays[:, setting.weekday(days)] * factor * np.exp(weather))
