"""What groups of profiles are called: one name, gender and birthday for each."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from identity.carried import Facts
from identity.graph import Numbers
from identity.grouped import NOTHING, Grouped, Wide

__all__ = ["GroupNames"]


@dataclass(frozen=True, slots=True)
class GroupNames:
    """What groups say of their owners: codes of :class:`identity.carried.Facts`, by the number of the group's smallest profile.

    Attributes:
        size: how many profiles a group has.
        sound, surname: of its most frequent full name, then the first in order; the surname of its titles if it has none.
        gender, birthday, born: what all its profiles that say anything agree on.
    """

    size: Numbers
    sound: Numbers
    surname: Numbers
    gender: Numbers
    birthday: Numbers
    born: Numbers

    @classmethod
    def of(cls, facts: Facts, groups: Numbers) -> GroupNames:
        """Name every group; most are one profile, and say what it says.

        Args:
            facts: of the profiles.
            groups: for each profile its group, named by the smallest profile.
        """
        size = np.bincount(groups, minlength=len(groups)).astype(np.int32)
        sound, surname, gender, birthday, born = (
            column.copy() for column in (facts.sound, facts.surname, facts.gender, facts.birthday, facts.born)
        )
        rows = np.flatnonzero(size[groups] > 1)
        together = Grouped(groups[rows])
        heads = groups[rows[together.heads]]
        for column in (gender, birthday, born):
            column[heads] = together.only(column[rows])
        sound[heads] = surname[heads] = NOTHING
        for named in (~facts.full, facts.full):  # a full name speaks louder than a title
            _take_most_frequent(facts, groups, rows[named[rows]], sound, surname)
        return cls(size, sound, surname, gender, birthday, born)


def _take_most_frequent(facts: Facts, groups: Numbers, rows: Wide, sound: Numbers, surname: Numbers) -> None:
    """Give the groups of some profiles the name that most of these have."""
    rows = rows[facts.surname[rows] != NOTHING]
    names = Grouped(groups[rows], facts.sound[rows], facts.surname[rows])
    heads = rows[names.heads]
    best = heads[Grouped(groups[heads]).first_by(-names.sizes(), facts.sound[heads], facts.surname[heads])]
    sound[groups[best]], surname[groups[best]] = facts.sound[best], facts.surname[best]
