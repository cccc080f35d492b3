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

from identity.carried import Carried, Facts
from identity.claims import Claims
from identity.graph import Numbers
from identity.group_names import GroupNames
from identity.grouped import NOTHING, Grouped, Marks, Wide
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
    rival, opposed = find_rivals(met, names), find_opposed(carried, groups, met)
    claims = Claims(met, names, facts)
    likely = claims.likely_person(rival, opposed)
    other_born = claims.other_birthday(likely)
    who = np.where(other_born, NOTHING, likely)
    slot = _slots(met, who)
    refused = _refuse(met, slot, names, _Doubts(rival, opposed, other_born, ~claims.is_name(who)))
    return Slots(met, slot, names, refused)


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
