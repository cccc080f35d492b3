"""Where groups of profiles meet: on every contact value that several share, one owner's time after the other."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from identity.carried import AUTHORISED, DAY, NEVER, Carried
from identity.graph import Numbers
from identity.group_names import GroupNames
from identity.grouped import NOTHING, Grouped, Marks, Wide, matches
from identity.rules import Tier

__all__ = ["Met", "find_opposed", "find_rivals", "meet"]


@dataclass(frozen=True, slots=True)
class _Logins:
    """The logins of groups on values, one row for each system; ``row`` is that of the group on the value."""

    row: Wide
    space: Numbers


@dataclass(frozen=True, slots=True)
class Met:
    """The groups on every contact value that two or more groups share, ordered by value and group.

    Attributes:
        value, group: by number.
        space: the value's.
        tier: of the value's kind.
        assurance: the highest rank with which the group carries it.
        first_seen: when the group was first seen to carry it.
        logins: the logins the groups have.
        tenure: the owner in whose time the group stands, numbered from 0 by time.
    """

    value: Numbers
    group: Numbers
    space: Numbers
    tier: Numbers
    assurance: Numbers
    first_seen: Wide
    logins: _Logins
    tenure: Numbers


def meet(carried: Carried, groups: Numbers, names: GroupNames, tenure_gap_days: int) -> Met:
    """Find where groups meet, and in whose time.

    Args:
        carried: who carries what.
        groups: for each profile its group.
        names: what groups are called.
        tenure_gap_days: see :class:`identity.Rules`.
    """
    several = np.bincount(carried.value)[carried.value] > 1
    rows = np.flatnonzero(several & (carried.tier >= Tier.CONTACT))
    on = Grouped(carried.value[rows], groups[carried.profile[rows]])
    value = carried.value[rows[on.heads]]
    shared = np.bincount(value)[value] > 1
    group = groups[carried.profile[rows[on.heads]]][shared]
    space = carried.space[rows[on.heads]][shared]
    value = value[shared]
    first_seen, last_seen = on.smallest(carried.first_seen[rows])[shared], on.largest(carried.last_seen[rows])[shared]
    logins = _find_logins(carried, groups, group)
    return Met(
        value=value,
        group=group,
        space=space,
        tier=carried.spaces.tier[space],
        assurance=on.largest(carried.assurance[rows])[shared],
        first_seen=first_seen,
        logins=logins,
        tenure=_tenures(
            value, names.sound[group], first_seen, last_seen, _later(logins, value, first_seen), tenure_gap_days
        ),
    )


def _find_logins(carried: Carried, groups: Numbers, group: Numbers) -> _Logins:
    here = np.zeros(len(groups), np.bool_)
    here[group] = True
    rows = np.flatnonzero(carried.spaces.account[carried.space] & here[groups[carried.profile]])
    heads = rows[Grouped(groups[carried.profile[rows]], carried.space[rows]).heads]
    one, other = matches(group, groups[carried.profile[heads]])
    return _Logins(one, carried.space[heads[other]])


def _later(logins: _Logins, value: Numbers, first_seen: Wide) -> Marks:
    """Whether each group on a value has a login of a system of which the value knew another one before."""
    systems = Grouped(value[logins.row], logins.space)
    later = np.ones(len(logins.row), np.bool_)
    # Rows of a value stand in the order of their groups.
    later[systems.first_by(first_seen[logins.row], logins.row)] = False
    found = np.zeros(len(value), np.bool_)
    found[logins.row[later]] = True
    return found


def _tenures(
    value: Numbers, sound: Numbers, first_seen: Wide, last_seen: Wide, later_login: Marks, gap_days: int
) -> Numbers:
    """The owners a value had one after the other, numbered from 0, by the groups of their time.

    A new tenure begins with a group that has a name, or a login, that the value did not know before, after a silence of
    all who came before.
    """
    order = np.lexsort((first_seen, value))  # stable: then by group
    value, sound, first = value[order], sound[order], first_seen[order]
    owners = Grouped(value)
    begins = np.zeros(len(value), np.bool_)
    begins[owners.heads] = True
    silent_since = _latest_before(value, last_seen[order])
    dated = ~owners.any(first == NEVER)[owners.of]
    silent = begins | (first - np.where(begins, 0, silent_since) >= gap_days * DAY)
    new_name = np.zeros(len(value), np.bool_)
    new_name[Grouped(value, sound).heads] = True
    starts = dated & silent & np.where(sound != NOTHING, new_name, later_login[order])
    count: Wide = np.cumsum(starts)
    before: Wide = (count - starts)[owners.heads][owners.of]
    tenure = np.empty(len(value), np.int32)
    tenure[order] = count - before
    return tenure


def _latest_before(value: Numbers, times: Wide) -> Wide:
    """The latest time of the rows of a value that come before each; rows of a value stand together."""
    latest, step = times.copy(), 1
    longest = int(Grouped(value).sizes().max(initial=0))
    while step < longest:
        same = value[step:] == value[:-step]
        latest[step:] = np.where(same, np.maximum(latest[step:], latest[:-step]), latest[step:])
        step *= 2
    return np.roll(latest, 1)


def find_rivals(met: Met, names: GroupNames) -> Marks:
    """Groups that meet another login of the same system in their tenure and have no better claim."""
    row, group = met.logins.row, met.group[met.logins.row]
    unnamed = names.sound[group] == NOTHING
    unproven = met.assurance[row] < AUTHORISED
    systems = Grouped(met.value[row], met.tenure[row], met.logins.space)
    best = systems.first_by(unnamed, unproven, met.first_seen[row], group)[systems.of]
    rival = np.zeros(len(met.value), np.bool_)
    rival[row[(group != group[best]) & unproven]] = True
    return rival


def find_opposed(carried: Carried, groups: Numbers, met: Met) -> Marks:
    """Groups on composite values whose carriers have different identifiers of one kind: not one person."""
    weak = np.flatnonzero(met.tier == Tier.COMPOSITE)
    here = np.zeros(len(groups), np.bool_)
    here[met.group[weak]] = True
    rows = np.flatnonzero(carried.spaces.telling[carried.space] & here[groups[carried.profile]])
    one, other = matches(met.group[weak], groups[carried.profile[rows]])
    value, group, rows = met.value[weak[one]], met.group[weak[one]], rows[other]
    held = Grouped(value, carried.space[rows])
    against = value[held.heads[held.differ(group) & held.differ(carried.value[rows])]]
    opposed = np.zeros(int(met.value.max(initial=-1)) + 1, np.bool_)
    opposed[against] = True
    return opposed[met.value]
