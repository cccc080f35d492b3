"""Whose of the people on one phone: split every shared value into slots, one per person it seems to stand for.

Groups that asserted evidence has made meet on a value. Those of one sounded name share a slot. A surname with a title
(王女士) goes with the only full name it fits. A group without a name goes with the only name there is, unless a login
of its own speaks for a second person, or a birthday that cannot be that person's; where nothing decides it stays apart, as
a candidate.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from identity.carried import Carried, Facts
from identity.graph import Numbers
from identity.group_names import GroupNames
from identity.grouped import NOTHING, Grouped, Marks, Wide, matches
from identity.meeting import Met, find_opposed, find_rivals, meet
from identity.refusals import refusals

__all__ = ["Slots", "make_slots"]


@dataclass(frozen=True, slots=True)
class Slots:
    """Who stands where on the values that groups share.

    Attributes:
        met: the groups on every such value.
        slot: for each of its rows the slot, named by the smallest group in it, so that a slot of its own is ``slot == group``.
        names: what groups are called.
        refused: the joins between the slots of a value, see :func:`identity.refusals.refusals`.
    """

    met: Met
    slot: Numbers
    names: GroupNames
    refused: pa.Table


def make_slots(carried: Carried, facts: Facts, groups: Numbers, tenure_gap_days: int) -> Slots:
    """Split every contact value that two or more groups share.

    Args:
        carried: who carries what.
        facts: of the profiles.
        groups: for each profile its group, named by the smallest profile.
        tenure_gap_days: see :class:`identity.Rules`.
    """
    names = GroupNames.of(facts, groups)
    met = meet(carried, groups, names, tenure_gap_days)
    rival = find_rivals(met, names)
    opposed = find_opposed(carried, groups, met)
    who = _likely_person(met, names, facts, rival, opposed)
    other_born = _other_birthday(met, names, facts, who)
    who[other_born] = NOTHING
    slot = _slots(met, who)
    refused = _refuse(met, slot, names, _Doubts(rival, opposed, other_born, (who < 0) | (who >= len(facts.sounds))))
    return Slots(met, slot, names, refused)


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


def _likely_person(met: Met, names: GroupNames, facts: Facts, rival: Marks, opposed: Marks) -> Wide:
    """For each group on a value who it seems to be: the code of a sound, above those a code for somebody without a full name,
    or ``NOTHING``."""
    place = Grouped(met.value, met.tenure).of
    count = int(place.max(initial=-1)) + 1
    known = _Known.on(place, met, names)
    sound, surname = names.sound[met.group], names.surname[met.group]
    titles, only_title = _titles(place, surname, (sound == NOTHING) & ~rival, count)
    there = np.bincount(known.place, minlength=count)
    only_name = np.full(count, NOTHING, np.int32)
    only_name[known.place[there[known.place] == 1]] = known.sound[there[known.place] == 1]
    fits, fitting = _fitting(place, met, names, known)
    untold, titled = sound == NOTHING, surname != NOTHING
    nameless = there[place] == 0

    span = len(facts.surnames) + 1
    somebody = len(facts.sounds) + met.tenure.astype(np.int64) * span
    who = np.where(untold, NOTHING, sound).astype(np.int64)
    fit = untold & titled & (fits == 1)
    who[fit] = fitting[fit]
    fit = untold & titled & (fits != 1) & nameless
    who[fit] = (somebody + np.where(titles[place] == 1, 0, surname + 1))[fit]
    fit = untold & ~titled & nameless & (titles[place] <= 1)
    who[fit] = somebody[fit]
    goes = _begins(only_name, only_title, facts) | (titles == 0)
    fit = untold & ~titled & ((there == 1) & goes)[place]
    who[fit] = only_name[place[fit]]
    who[opposed | (untold & rival)] = NOTHING
    return who


def _titles(place: Wide, surname: Numbers, telling: Marks, count: int) -> tuple[Wide, Numbers]:
    """For each place how many surnames the groups without a full name give there, and the only or the first one."""
    rows = np.flatnonzero(telling & (surname != NOTHING))
    heads = rows[Grouped(place[rows], surname[rows]).heads]
    first = np.full(count, NOTHING, np.int32)
    first[place[heads][::-1]] = surname[heads][::-1]  # the last to be written is the smallest
    return np.bincount(place[heads], minlength=count), first


def _fitting(place: Wide, met: Met, names: GroupNames, known: _Known) -> tuple[Wide, Numbers]:
    """For each surname with a title how many full names of its place it fits, and the first of them."""
    surname, gender = names.surname[met.group], names.gender[met.group]
    rows = np.flatnonzero((names.sound[met.group] == NOTHING) & (surname != NOTHING))
    span = int(max(surname.max(initial=0), known.surname.max(initial=0))) + 1
    one, other = matches(place[rows] * span + surname[rows], known.place * span + known.surname)
    mine, theirs = gender[rows[one]], known.gender[other]
    agree = (mine == theirs) | (mine == NOTHING) | (theirs == NOTHING)
    one, other = rows[one[agree]], other[agree]
    first = np.full(len(surname), NOTHING, np.int32)
    found = Grouped(one)
    first[one[found.heads]] = found.smallest(known.sound[other])
    return np.bincount(one, minlength=len(surname)), first


def _begins(sound: Numbers, surname: Numbers, facts: Facts) -> Marks:
    """Whether the name of each place begins with the surname that titles give there."""
    both = np.flatnonzero((sound != NOTHING) & (surname != NOTHING))
    pairs = Grouped(sound[both], surname[both])
    heads = both[pairs.heads]
    told = zip(_texts(facts.sounds, sound[heads]), _texts(facts.surnames, surname[heads]), strict=True)
    begins = np.zeros(len(sound), np.bool_)
    begins[both] = np.array([name.startswith(f"{title} ") for name, title in told], np.bool_)[pairs.of]
    return begins


def _texts(texts: pa.Array, codes: Numbers) -> list[str]:
    return list(texts.take(pa.array(codes)).to_pylist())


def _other_birthday(met: Met, names: GroupNames, facts: Facts, who: Wide) -> Marks:
    """Groups without a full name that say nothing of the name, but that they are somebody else: by their birthday.

    Two birthdays cannot be one person's much as :func:`identity.normalise.birthdays_agree` says; a year is easily mistyped, and a
    day of the other calendar is 20 to 50 days off.
    """
    place = Grouped(met.value, met.tenure).of
    known = _Known.on(place, met, names)
    rows = np.flatnonzero((names.sound[met.group] == NOTHING) & (who >= 0) & (who < len(facts.sounds)))
    owners = Grouped(known.place, known.sound)
    span = len(facts.sounds) + 1
    one, other = matches(place[rows] * span + who[rows], (known.place * span + known.sound)[owners.heads])
    mine, theirs = names.born[met.group[rows[one]]], owners.only(known.born)[other]
    other_born = np.zeros(len(who), np.bool_)
    other_born[rows[one]] = _cannot_be_one(mine, theirs, facts.birthdays)
    return other_born


def _cannot_be_one(one: Numbers, other: Numbers, birthdays: pa.Array) -> Marks:
    said = np.flatnonzero((one != NOTHING) & (other != NOTHING))
    found = np.zeros(len(one), np.bool_)
    if not len(said):
        return found
    codes, place = np.unique(np.concatenate([one[said], other[said]]), return_inverse=True)
    a, b = np.split(place, 2)
    texts = birthdays.take(pa.array(codes))
    yearless = np.asarray(pc.starts_with(texts, "-"), np.bool_)
    in_2000 = pc.binary_join_element_wise("2000-", pc.utf8_slice_codeunits(texts, -5), "")
    day = np.asarray(in_2000.cast(pa.date32()).cast(pa.int32()))  # a leap year has all days
    dated = np.asarray(pc.if_else(pa.array(yearless), in_2000, texts).cast(pa.date32()).cast(pa.int32()))
    apart = np.abs(np.where(yearless[a] | yearless[b], day[a] - day[b], dated[a] - dated[b]))
    found[said] = (day[a] != day[b]) & ~((apart >= 20) & (apart <= 50))
    return found


def _slots(met: Met, who: Wide) -> Numbers:
    """For each group on a value the smallest of those who are the same person; who is nobody known stays alone."""
    alone = int(who.max(initial=-1)) + 1 + met.group
    same = Grouped(met.value, np.where(who == NOTHING, alone, who))
    return np.asarray(same.smallest(met.group)[same.of], np.int32)


@dataclass(frozen=True, slots=True)
class _Doubts:
    """What speaks against each group on a value."""

    rival: Marks
    opposed: Marks
    other_born: Marks
    nameless: Marks


def _refuse(met: Met, slot: Numbers, names: GroupNames, doubts: _Doubts) -> pa.Table:
    """Between the biggest slot of a value, one with a name if there is any, and each other one."""
    parts = Grouped(met.value, slot)
    value, own = met.value[parts.heads], slot[parts.heads]
    tenure, nameless = parts.smallest(met.tenure), parts.any(doubts.nameless)
    values = Grouped(value)
    first = values.first_by(nameless, -parts.total(names.size[met.group]), own)[values.of]
    rule = np.select(
        [
            parts.any(doubts.opposed),
            tenure != tenure[first],
            parts.any(doubts.rival & (met.group == slot)),
            parts.any(doubts.other_born),
            nameless | nameless[first],
        ],
        [0, 1, 2, 3, 4],
        5,
    )
    rest = np.flatnonzero(own != own[first])
    left, right = np.minimum(own, own[first])[rest], np.maximum(own, own[first])[rest]
    return refusals(left, right, value[rest], _RULES.take(pa.array(rule[rest])))


_RULES = pa.array(["contradicted", "other_owner", "other_account", "birthdays_differ", "unclear_owner", "names_differ"])
