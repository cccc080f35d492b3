"""The numbered evidence as arrays: who carries what, and what profiles say of their owners."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from identity.graph import Numbers
from identity.grouped import NOTHING, Marks, Wide
from identity.rules import Tier

__all__ = ["AUTHORISED", "DAY", "NEVER", "Carried", "Facts", "Spaces", "days"]

AUTHORISED = 4
"""Rank of an assurance that proves possession: issued, or confirmed by the person."""

NEVER = np.iinfo(np.int64).max
"""A time that is not known; sorts last."""


@dataclass(frozen=True, slots=True)
class Spaces:
    """Where values mean the same: a kind in a scope; by the space's number.

    Attributes:
        names: kind and scope.
        tier, priority: of the kind.
        per_customer: values one customer may hold; ``NOTHING`` for any number.
        account: whether it is a login.
    """

    names: list[tuple[str, str]]
    tier: Numbers
    priority: Numbers
    per_customer: Numbers
    account: Marks

    @property
    def telling(self) -> Marks:
        """Whether two different values speak for two people."""
        alone = self.account | (self.tier == Tier.CONTACT) | (self.per_customer != NOTHING)
        return np.asarray(alone & (self.tier < Tier.COMPOSITE), np.bool_)

    @classmethod
    def of(cls, spaces: pa.Table, kinds: pa.Table) -> Spaces:
        """From (kind, scope) in the order of their numbers, and the relation ``kind``."""
        mine = kinds.take(pc.index_in(spaces["kind"], kinds["kind"].combine_chunks()))
        tier, priority, per_customer = (_codes(mine[name]) for name in ("tier", "priority", "per_customer"))
        names = list(zip(spaces["kind"].to_pylist(), spaces["scope"].to_pylist(), strict=True))
        return cls(names, tier, priority, per_customer, np.asarray(mine["account"], np.bool_))


@dataclass(frozen=True, slots=True)
class Carried:
    """Links of numbered profiles to numbered values; one row each.

    Attributes:
        profile, value, space: by number.
        assurance: rank.
        first_seen: microseconds since 1970; ``NEVER`` where not known.
        last_seen: likewise, that of the first time where only this is known; ``-NEVER`` where neither is.
        spaces: what the spaces are.
    """

    profile: Numbers
    value: Numbers
    space: Numbers
    assurance: Numbers
    first_seen: Wide
    last_seen: Wide
    spaces: Spaces

    @classmethod
    def of(cls, *, profile: Numbers, value: Numbers, space: Numbers, links: pa.Table, spaces: Spaces) -> Carried:
        """From the numbers, and columns ``assurance``, ``first_seen`` and ``last_seen`` of the same links."""
        last = pc.coalesce(links["last_seen"], links["first_seen"])
        times = _times(links["first_seen"], NEVER), _times(last, -NEVER)
        return cls(profile, value, space, _codes(links["assurance"]), *times, spaces)

    def where(self, marks: Marks) -> Carried:
        """The links that are marked."""
        numbers = (self.profile[marks], self.value[marks], self.space[marks], self.assurance[marks])
        return Carried(*numbers, self.first_seen[marks], self.last_seen[marks], self.spaces)

    @property
    def tier(self) -> Numbers:
        """For each link the tier of its kind."""
        return self.spaces.tier[self.space]


def days(times: Wide) -> list[int | None]:
    """The day of each time of :attr:`Carried.first_seen`, counted from 1970-01-01; None where not known."""
    return [None if time == NEVER else time // DAY for time in times.tolist()]


DAY = 86_400_000_000
"""Microseconds of a day."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What profiles say of their owners: codes by the profile's number, ``NOTHING`` where it says nothing.

    Attributes:
        full: whether it has a full name.
        sound, surname: of a full name; of a title the surname alone.
        gender: likewise.
        birthday: an assured date of birth.
        born: any birthday of the solar calendar, with or without a year.
        sounds, surnames, birthdays: the texts by code, in order; ``born`` is one of the last, too.
    """

    full: Marks
    sound: Numbers
    surname: Numbers
    gender: Numbers
    birthday: Numbers
    born: Numbers
    sounds: pa.Array
    surnames: pa.Array
    birthdays: pa.Array

    @classmethod
    def of(cls, profiles: pa.Table, order: Wide) -> Facts:
        """From rows of :data:`identity.SCHEMAS` ``profiles``; ``order``: the row of each number."""
        full, titled = (_marks(pc.equal(profiles["name_kind"], kind)) for kind in ("full", "title"))
        solar = _marks(pc.invert(profiles["lunar"]))
        assured = solar & _marks(pc.greater_equal(profiles["birthday_rank"], AUTHORISED))
        dated = assured & ~_marks(pc.starts_with(profiles["birthday"], "-"))
        gender, _ = _coded(pc.coalesce(profiles["gender"], profiles["title_gender"]))
        (sound, sounds), (surname, surnames), (birthday, birthdays) = (
            _coded(profiles[name]) for name in ("sound", "surname", "birthday")
        )
        return cls(
            full=full[order],
            sound=_where(full, sound)[order],
            surname=_where(full | titled, surname)[order],
            gender=gender[order],
            birthday=_where(dated, birthday)[order],
            born=_where(solar, birthday)[order],
            sounds=sounds,
            surnames=surnames,
            birthdays=birthdays,
        )


def _marks(column: pa.ChunkedArray) -> Marks:
    return np.asarray(column.fill_null(False), np.bool_)  # noqa: FBT003 - pyarrow's signature


def _where(marks: Marks, codes: Numbers) -> Numbers:
    return np.where(marks, codes, np.int32(NOTHING))


def _coded(column: pa.ChunkedArray) -> tuple[Numbers, pa.Array]:
    """A column's texts by codes that sort as they do, and the texts in order."""
    encoded = column.combine_chunks().dictionary_encode()
    order = pc.array_sort_indices(encoded.dictionary)
    place = np.empty(len(order), np.int32)
    place[np.asarray(order)] = np.arange(len(order), dtype=np.int32)
    return _codes(pa.array(place).take(encoded.indices)), encoded.dictionary.take(order)


def _codes(column: pa.Array | pa.ChunkedArray) -> Numbers:
    return np.asarray(column.cast(pa.int32()).fill_null(NOTHING), np.int32)


def _times(column: pa.ChunkedArray, unknown: int) -> Wide:
    return np.asarray(column.cast(pa.int64()).fill_null(unknown), np.int64)
