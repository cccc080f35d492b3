"""Who each group on a shared value seems to be: by its full name, by the only one that fits, or somebody without a name."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from identity.carried import Facts
from identity.graph import Numbers
from identity.group_names import GroupNames
from identity.grouped import NOTHING, Grouped, Marks, Wide, matches
from identity.meeting import Met

__all__ = ["Claims"]


@dataclass(frozen=True, slots=True)
class _Known:
    """The full names on the values, one row each; ``place`` is a value in one owner's time."""

    place: Wide
    sound: Numbers
    surname: Numbers
    gender: Numbers
    born: Numbers

    @classmethod
    def on(cls, place: Wide, met: Met, names: GroupNames) -> _Known:
        rows = np.flatnonzero(names.sound[met.group] != NOTHING)
        group = met.group[rows]
        said = Grouped(place[rows], names.sound[group], names.surname[group])
        heads = group[said.heads]
        return cls(
            place=place[rows[said.heads]],
            sound=names.sound[heads],
            surname=names.surname[heads],
            gender=said.only(names.gender[group]),
            born=said.only(names.born[group]),
        )


class Claims:
    """What the groups on shared values say of who they are.

    Args:
        met: the groups on every value.
        names: what they are called.
        facts: what the codes of ``names`` mean.
    """

    def __init__(self, met: Met, names: GroupNames, facts: Facts) -> None:
        self.facts = facts
        self.tenure = met.tenure
        self.sound, self.surname, self.gender, self.born = (
            column[met.group] for column in (names.sound, names.surname, names.gender, names.born)
        )
        self.place = Grouped(met.value, met.tenure).of
        self.places = int(self.place.max(initial=-1)) + 1
        self.known = _Known.on(self.place, met, names)

    def is_name(self, who: Wide) -> Marks:
        """Whether codes of :meth:`likely_person` are those of a full name."""
        return np.asarray((who >= 0) & (who < len(self.facts.sounds)))

    def likely_person(self, rival: Marks, opposed: Marks) -> Wide:
        """For each group on a value who it seems to be: the code of a sound, above those a code for somebody whose full name
        nobody there says, or ``NOTHING``.

        Args:
            rival: groups that another has a better claim than.
            opposed: groups on a value that does not stand for one person.
        """
        untold, titled = self.sound == NOTHING, self.surname != NOTHING
        titles, only_title = self._titles(untold & titled & ~rival)
        names = np.bincount(self.known.place, minlength=self.places)
        only_name = self._only_name(names)
        fits, fitting = self._fitting()
        goes = _begins(only_name, only_title, self.facts) | (titles == 0)
        unnamed = (names == 0)[self.place]
        return np.select(
            [
                opposed | (untold & rival),
                ~untold,
                titled & (fits == 1),
                titled & unnamed,
                ~titled & unnamed & (titles[self.place] <= 1),
                ~titled & ((names == 1) & goes)[self.place],
            ],
            [
                NOTHING,
                self.sound,
                fitting,
                self._somebody() + np.where(titles[self.place] == 1, 0, self.surname + 1),
                self._somebody(),
                only_name[self.place],
            ],
            NOTHING,
        )

    def _somebody(self) -> Wide:
        """For each group the code of somebody in its owner's time; the codes that follow are for each surname."""
        return np.asarray(len(self.facts.sounds) + self.tenure.astype(np.int64) * (len(self.facts.surnames) + 1))

    def _only_name(self, names: Wide) -> Numbers:
        """For each place the full name there, if there is one only."""
        found = np.full(self.places, NOTHING, np.int32)
        alone = names[self.known.place] == 1
        found[self.known.place[alone]] = self.known.sound[alone]
        return found

    def _titles(self, telling: Marks) -> tuple[Wide, Numbers]:
        """For each place how many surnames the groups without a full name give there, and the only or the first one."""
        rows = np.flatnonzero(telling)
        heads = rows[Grouped(self.place[rows], self.surname[rows]).heads]
        first = np.full(self.places, NOTHING, np.int32)
        first[self.place[heads][::-1]] = self.surname[heads][::-1]  # the last to be written is the smallest
        return np.bincount(self.place[heads], minlength=self.places), first

    def _fitting(self) -> tuple[Wide, Numbers]:
        """For each surname with a title how many full names of its place it fits, and the first of them."""
        rows, known = np.flatnonzero((self.sound == NOTHING) & (self.surname != NOTHING)), self.known
        span = len(self.facts.surnames)
        one, other = matches(self.place[rows] * span + self.surname[rows], known.place * span + known.surname)
        mine, theirs = self.gender[rows[one]], known.gender[other]
        agree = (mine == theirs) | (mine == NOTHING) | (theirs == NOTHING)
        one, other = rows[one[agree]], other[agree]
        first, found = np.full(len(self.sound), NOTHING, np.int32), Grouped(one)
        first[one[found.heads]] = found.smallest(known.sound[other])
        return np.bincount(one, minlength=len(self.sound)), first

    def other_birthday(self, who: Wide) -> Marks:
        """Groups that say nothing of the name, but that they are somebody else: their birthday cannot be that of ``who``."""
        rows = np.flatnonzero((self.sound == NOTHING) & self.is_name(who))
        owners, span = Grouped(self.known.place, self.known.sound), len(self.facts.sounds)
        one, other = matches(
            self.place[rows] * span + who[rows], (self.known.place * span + self.known.sound)[owners.heads]
        )
        other_born = np.zeros(len(who), np.bool_)
        other_born[rows[one]] = _cannot_be_one(
            self.born[rows[one]], owners.only(self.known.born)[other], self.facts.birthdays
        )
        return other_born


def _begins(sound: Numbers, surname: Numbers, facts: Facts) -> Marks:
    """Whether the name of each place begins with the surname that titles give there."""
    both = np.flatnonzero((sound != NOTHING) & (surname != NOTHING))
    pairs = Grouped(sound[both], surname[both])
    names, titles = (
        texts.take(pa.array(codes[both[pairs.heads]])).to_pylist()
        for texts, codes in ((facts.sounds, sound), (facts.surnames, surname))
    )
    begins = np.zeros(len(sound), np.bool_)
    told = [name.startswith(f"{title} ") for name, title in zip(names, titles, strict=True)]
    begins[both] = np.array(told, np.bool_)[pairs.of]
    return begins


def _cannot_be_one(one: Numbers, other: Numbers, birthdays: pa.Array) -> Marks:
    """Whether two birthdays cannot be one person's, much as :func:`identity.normalise.birthdays_agree` says.

    A year is easily mistyped, and a day of the other calendar is 20 to 50 days off.
    """
    said = np.flatnonzero((one != NOTHING) & (other != NOTHING))
    codes, place = np.unique(np.concatenate([one[said], other[said]]), return_inverse=True)
    texts = birthdays.take(pa.array(codes))
    yearless = np.asarray(pc.starts_with(texts, "-"), np.bool_)
    in_2000 = pc.binary_join_element_wise("2000-", pc.utf8_slice_codeunits(texts, -5), "")
    day = np.asarray(in_2000.cast(pa.date32()).cast(pa.int32()))  # a leap year has all days
    dated = np.asarray(pc.if_else(pa.array(yearless), in_2000, texts).cast(pa.date32()).cast(pa.int32()))
    a, b = np.split(place, 2)
    apart = np.abs(np.where(yearless[a] | yearless[b], day[a] - day[b], dated[a] - dated[b]))
    found = np.zeros(len(one), np.bool_)
    found[said] = (day[a] != day[b]) & ~((apart >= 20) & (apart <= 50))
    return found
