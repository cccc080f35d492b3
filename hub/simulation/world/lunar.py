"""The Chinese calendar from 1940 to 2040: festivals that move, and birthdays kept by the moon.

The table holds one number a year: bit 0–12 say which months have 30 days (else 29), bit 13–16 the month that is
followed by its leap twin (0 = none), bit 17 and up the days from 1 January to the lunar new year.
"""

from __future__ import annotations

import re
from datetime import date, timedelta
from functools import cache
from typing import Final

import numpy as np

from hub.simulation.world.arrays import Ints

__all__ = ["FIRST_YEAR", "LAST_YEAR", "lunar_month_day", "solar_date"]

FIRST_YEAR: Final = 1940
_YEARS: Final = tuple(
    int(word, 16)
    for word in re.findall(
        r"\S+",
        """
    4c052b 34ca5b 5a0aad 46056a 309b55 560ba4 400b49 2a5a93 500a95 38f52d 5e0536 480aad 34b5aa 5805b2 420ba5 2e7d4a
    540d4a 3d0a95 600a97 4c0556 36cab5 5a0ad5 4606d2 308ea5 560ea5 40064a 286c97 4e0a9b 3af55a 5e056a 480b69 34b752
    5a0b52 420b25 2c964b 520a4b 3d14ab 6002ad 4a05ad 36cb69 5c0da9 460d92 309d25 560d25 415a4d 640a56 4e02b6 38c5b5
    5e06d5 480ea9 34be92 5a0e92 440d26 2c6a56 500a57 3d14d6 62035a 4a06d5 36b6c9 5c0749 460693 2e952b 54052b 3e0a5b
    2a555a 4e056a 38fb55 600ba4 4a0b49 32ba93 580a95 42052d 2c8aad 500ab5 3d35aa 6205d2 4c0da5 36dd4a 5c0d4a 460c95
    30952e 540556 3e0ab5 2a55b2 5006d2 38cea5 5e0725 48064b 32ac97 560cab 42055a 2c6ad6 520b69 3d7752 620b52 4c0b25
    36da4b 5a0a4b 4404ab 2ea55b 5405ad
    """,
    )
)
LAST_YEAR: Final = FIRST_YEAR + len(_YEARS) - 1
_EPOCH: Final = date(1970, 1, 1)


def solar_date(year: int, month: int, day: int) -> date:
    """The common date of a lunar month and day (never of a leap month) in lunar ``year``.

    Raises:
        ValueError: the year is outside 1940–2040.
    """
    word = _word(year)
    leap = (word >> 13) & 15
    earlier = month - 1 + (1 if leap and month > leap else 0)
    days = sum(29 + ((word >> index) & 1) for index in range(earlier)) + day - 1
    return date(year, 1, 1) + timedelta(days=(word >> 17) + days)


def lunar_month_day(days: Ints) -> tuple[Ints, Ints]:
    """Lunar month (1–12, a leap month counts as its twin) and day of dates given as days since 1970-01-01."""
    starts, months = _month_starts()
    place = np.searchsorted(starts, days, side="right") - 1
    return months[place], days - starts[place] + 1


def _word(year: int) -> int:
    if not FIRST_YEAR <= year <= LAST_YEAR:
        raise ValueError(f"the lunar table covers {FIRST_YEAR} to {LAST_YEAR}, not {year}")
    return _YEARS[year - FIRST_YEAR]


@cache
def _month_starts() -> tuple[Ints, Ints]:
    """Start (days since 1970-01-01) and number of every lunar month of the table, in order."""
    starts: list[int] = []
    months: list[int] = []
    for offset, word in enumerate(_YEARS):
        leap = (word >> 13) & 15
        start = (date(FIRST_YEAR + offset, 1, 1) - _EPOCH).days + (word >> 17)
        for index in range(13 if leap else 12):
            starts.append(start)
            months.append(index if leap and index >= leap else index + 1)
            start += 29 + ((word >> index) & 1)
    return np.array(starts, np.int64), np.array(months, np.int64)
