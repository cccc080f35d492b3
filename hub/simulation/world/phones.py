"""Phone numbers: who holds which one when. All begin with 154, which no operator in mainland China has been given.

Numbers are whole numbers of eleven digits; a person's numbers follow from the person's number by a permutation, so
that no two people ever get the same one by accident.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa

from hub.simulation.world.arrays import DAY, NEVER, NOBODY, Bools, Columns, Ints
from hub.simulation.world.people import People
from hub.simulation.world.seeds import Part, key_of, permute_below, stream
from hub.simulation.world.setting import Setting
from hub.simulation.world.text import blank, fixed, numbers

__all__ = ["DEFAULT_PHONE", "FORMATS", "Phones", "draw_phones", "phone_text", "shop_phone", "staff_phone"]

_PREFIX: Final = 154
_CELL: Final = 10**8
#: The number that lazy staff type to get past the till's question.
DEFAULT_PHONE: Final = _PREFIX * _CELL
#: How a number is written: plain, or one of the ways people and programs decorate it.
FORMATS: Final = ("plain", "+86", "86", "0086", "spaces", "dashes", "full-width", "quote")
_PER_PERSON: Final = 4
_STAFF_FROM: Final = 50_000_000
_SHOPS_FROM: Final = 90_000_000
#: A number given up returns to sale after at least this many days.
FREEZE_DAYS: Final = 90
_CHANGE_SPAN: Final = 730


@dataclass(frozen=True)
class Phones(Columns):
    """One row per person: the number at first, the number after a change, and a second number (``NOBODY`` = none)."""

    first: Ints
    later: Ints
    changed_day: Ints
    other: Ints
    recycled_from: Ints

    @property
    def changed_second(self) -> Ints:
        """World second of the change; ``NEVER`` for people who keep their number."""
        return np.where(self.changed_day == NEVER, NEVER, np.minimum(self.changed_day, _CHANGE_SPAN) * DAY)


def _number(setting: Setting, slot: Ints) -> Ints:
    return DEFAULT_PHONE + 1 + permute_below(slot, _CELL - 1, key_of(setting.seed, "phone"))


def shop_phone(setting: Setting, shop: Ints) -> Ints:
    """The mobile number of a shop."""
    return _number(setting, shop + _SHOPS_FROM)


def staff_phone(setting: Setting, staff: Ints) -> Ints:
    """The mobile number of a guide."""
    return _number(setting, staff + _STAFF_FROM)


def draw_phones(setting: Setting, people: People, block: int) -> Phones:
    """Give every person of a block their numbers."""
    rows, slot = len(people), people.person * _PER_PERSON
    random = stream(setting.seed, Part.PHONES, block)
    changes = setting.difficulties.hits("changed_phone", setting.seed, rows, block)
    second = setting.difficulties.hits("second_phone", setting.seed, rows, block)
    changed_day = np.where(changes, random.integers(0, _CHANGE_SPAN, rows), NEVER)
    own = _number(setting, slot)
    donor = _donors(setting, people, changed_day, block)
    return Phones(
        first=np.where(donor == NOBODY, own, own[np.maximum(donor, 0)]),
        later=_number(setting, slot + 1),
        changed_day=changed_day,
        other=np.where(second, _number(setting, slot + 2), NOBODY),
        recycled_from=donor,
    )


def _donors(setting: Setting, people: People, changed_day: Ints, block: int) -> Ints:
    """For people with a recycled number, the row of its earlier holder: the latest comers get the numbers freed first."""
    wanted = setting.difficulties.hits("recycled_phone", setting.seed, len(people), block) & (people.arrival_day > 120)
    wanted &= changed_day == NEVER
    takers = np.flatnonzero(wanted)
    givers = np.flatnonzero(changed_day < NEVER)
    takers = takers[np.argsort(-people.arrival_day[takers], kind="stable")][: len(givers)]
    givers = givers[np.argsort(changed_day[givers], kind="stable")][: len(takers)]
    free = changed_day[givers] + FREEZE_DAYS <= people.arrival_day[takers]
    donor = np.full(len(people), NOBODY)
    donor[takers[free]] = givers[free]
    return donor


def phone_text(phone: Ints, style: Ints, masked: Bools) -> pa.StringArray:
    """Numbers as text, each in its own style (row of :data:`FORMATS`); masked ones as ``154****1234``; none as null."""
    valid = phone != NOBODY
    safe = np.where(valid, phone, DEFAULT_PHONE)
    head, middle, tail = numbers(safe // _CELL, 3), numbers(safe // 10**4 % 10**4, 4), numbers(safe % 10**4, 4)
    written = (
        fixed(head, middle, tail),
        fixed(b"+86", head, middle, tail),
        fixed(b"86", head, middle, tail),
        fixed(b"0086", head, middle, tail),
        fixed(head, b" ", middle, b" ", tail),
        fixed(head, b"-", middle, b"-", tail),
        None,
        fixed(b"'", head, middle, tail),
        fixed(head, b"****", tail),
    )
    choice = np.where(masked, len(FORMATS), style)
    return blank(_choose(written, choice, safe), valid)


def _choose(written: tuple[pa.StringArray | None, ...], choice: Ints, phone: Ints) -> pa.StringArray:
    """Per row the column that ``choice`` names; the full-width style is made for the rows that need it only."""
    wide = np.flatnonzero(choice == FORMATS.index("full-width"))
    columns = [column for column in written if column is not None]
    columns.append(pa.array([str(number).translate(_WIDE) for number in phone[wide].tolist()], pa.string()))
    rows = len(choice)
    place = {style: number for number, style in enumerate(index for index, column in enumerate(written) if column)}
    source = np.array([place.get(style, 0) for style in range(len(written))])[choice] * rows + np.arange(rows)
    source[wide] = (len(columns) - 1) * rows + np.arange(len(wide))
    return pa.chunked_array(columns).take(pa.array(source)).combine_chunks()


_WIDE: Final = {ord("0") + digit: ord("\uff10") + digit for digit in range(10)}
