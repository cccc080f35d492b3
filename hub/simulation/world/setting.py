"""What a world is made from: how many people, which seed, which trade, from when. Nothing else goes in."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

from hub.simulation.world.arrays import DAY, Ints
from hub.simulation.world.difficulties import Difficulties
from hub.simulation.world.profile import Behaviour, ChainProfile

__all__ = ["BLOCK", "PERIOD_DAYS", "ZONE", "Setting"]

#: The chain's time zone. Mainland China has had no daylight saving time since 1991, so that local days have 24 hours.
ZONE: Final = ZoneInfo("Asia/Shanghai")
#: People are generated in blocks of this many; memory grows with the block, not with the population.
BLOCK: Final = 50_000
#: Time is generated in periods of four weeks, always whole, and cut at the moment asked for.
PERIOD_DAYS: Final = 28
_MAX_PEOPLE: Final = 5_000_000
_FIRST_START: Final = date(2000, 1, 1)
_LAST_DAY: Final = date(2040, 1, 1)
_UTC_OFFSET: Final = 8 * 3600


@dataclass(frozen=True)
class Setting:
    """Everything a world depends on. Two worlds with equal settings are equal to the byte.

    Attributes:
        people: people of the catchment, customers or not yet (200 to 5 000 000).
        seed: any whole number from 0.
        start: first day of the world, local time.
        profile: the trade.
        difficulties: rates of what makes identity hard.
        shops: number of shops.
    """

    people: int
    seed: int
    start: date
    profile: ChainProfile
    difficulties: Difficulties
    shops: int

    def __post_init__(self) -> None:
        """Check the limits.

        Raises:
            ValueError: a value is out of range; the message says which and what is accepted.
        """
        if not 200 <= self.people <= _MAX_PEOPLE:
            raise ValueError(f"people must lie between 200 and {_MAX_PEOPLE}, not at {self.people}")
        if self.seed < 0:
            raise ValueError(f"seed must be 0 or more, not {self.seed}")
        if not 2 <= self.shops <= 5_000:
            raise ValueError(f"shops must lie between 2 and 5000, not at {self.shops}")
        if not _FIRST_START <= self.start < _LAST_DAY:
            raise ValueError(f"start must lie between {_FIRST_START} and {_LAST_DAY}, not at {self.start}")

    @property
    def behaviour(self) -> Behaviour:
        """How the people of this trade buy."""
        return self.profile.behaviour

    @property
    def blocks(self) -> int:
        """Number of blocks of people."""
        return -(-self.people // BLOCK)

    def block_size(self, block: int) -> int:
        """Number of people in one block."""
        return min(BLOCK, self.people - block * BLOCK)

    def seconds(self, moment: datetime) -> int:
        """A moment in seconds since the world's first midnight.

        Raises:
            ValueError: the moment has no time zone, or lies before the world's start or after 2039.
        """
        if moment.tzinfo is None:
            raise ValueError("the moment needs a time zone, for example ZoneInfo('Asia/Shanghai')")
        if not self.moment(0) <= moment < datetime.combine(_LAST_DAY, datetime.min.time(), ZONE):
            raise ValueError(f"the world runs from {self.start} to {_LAST_DAY}; {moment.isoformat()} lies outside")
        return int((moment - self.moment(0)).total_seconds())

    def moment(self, seconds: int) -> datetime:
        """The moment ``seconds`` after the world's first midnight, in the chain's time zone."""
        return datetime.combine(self.start, datetime.min.time(), ZONE) + timedelta(seconds=seconds)

    def epoch_seconds(self, seconds: Ints) -> Ints:
        """World seconds as Unix time."""
        return seconds + (self.epoch_day * DAY - _UTC_OFFSET)

    @property
    def epoch_day(self) -> int:
        """The world's first day as days since 1970-01-01."""
        return (self.start - date(1970, 1, 1)).days

    def weekday(self, days: Ints) -> Ints:
        """Weekday of world days, Monday 0."""
        return (days + self.epoch_day + 3) % 7

    def calendar_parts(self, days: Ints) -> tuple[Ints, Ints, Ints]:
        """Year, month (1–12) and day of world days."""
        stamps: npt.NDArray[np.datetime64] = (days + self.epoch_day).astype("datetime64[D]")
        months = stamps.astype("datetime64[M]")
        number = months.astype(np.int64)
        return number // 12 + 1970, number % 12 + 1, (stamps - months).astype(np.int64) + 1

    def with_behaviour(self, behaviour: Behaviour) -> Setting:
        """The same world with other habits."""
        return replace(self, profile=replace(self.profile, behaviour=behaviour))
