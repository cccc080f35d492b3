"""The last pass of a decision: what a link model takes for one person, where nothing else speaks and nothing forbids.

The groups that evidence has made are joined by average link over the model's pairs. Exclusive identifiers, differing names
and birthdays and what people said forbid; a join that contacts or logins contradict, or that the model is not sure enough of,
is left to a person.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from identity.carried import Carried, Facts, days
from identity.graph import Numbers, components
from identity.grouped import NOTHING, Grouped, Marks
from identity.likely.grouping import AverageLink, Edges
from identity.limits import Held, Limits, merged
from identity.refusals import REFUSALS, refusals
from identity.rules import Rules
from identity.ties import Probable, Ties

__all__ = ["join_probable"]

UNSCORED = -2.0
"""Bits that a pair of groups weighs which the model never saw: mild evidence against."""


@dataclass(slots=True)
class _Facts:
    size: int = 1
    surnames: set[str] = field(default_factory=set)
    sounds: set[str] = field(default_factory=set)
    birthdays: set[str] = field(default_factory=set)
    limited: dict[tuple[str, str], Held] = field(default_factory=dict)
    carries: set[tuple[str, str]] = field(default_factory=set)
    apart: set[int] = field(default_factory=set)


def join_probable(
    probable: Probable, carried: Carried, ties: Ties, facts: Facts, clusters: Numbers, rules: Rules, limits: Limits
) -> tuple[Numbers, pa.Table]:
    """Join the clusters that pairs of profiles are probably one person of.

    Args:
        probable: the pairs a model found.
        carried: who carries what.
        ties: what people said.
        facts: what profiles say.
        clusters: for each profile its cluster so far.
        rules: thresholds.
        limits: what keeps groups apart.

    Returns:
        For each profile its cluster, named by the smallest profile in it; and the joins that were refused.
    """
    edges = _edges(probable, clusters)
    if not edges:
        return clusters, REFUSALS.empty_table()
    judge = _Judge(
        _facts(carried, ties, facts, clusters, sorted({cluster for pair in edges for cluster in pair})), limits
    )
    target = np.arange(len(clusters), dtype=np.int32)
    for members, own in _parts(edges, len(clusters)):
        link = AverageLink(members, own, judge.objection, join_above=rules.likely_join, unscored=UNSCORED)
        for member, group in link.groups().items():
            target[member] = group
    return target[clusters], _refused(edges, target, judge, rules)


def _edges(probable: Probable, clusters: Numbers) -> Edges:
    """The mean weight of the pairs between two clusters, by these."""
    one, other = clusters[probable.left], clusters[probable.right]
    apart = one != other
    one, other = np.minimum(one, other)[apart], np.maximum(one, other)[apart]
    pairs = Grouped(one, other)
    weight = pairs.total(probable.weight[apart]) / pairs.sizes()
    heads = pairs.heads
    return dict(zip(zip(one[heads].tolist(), other[heads].tolist(), strict=True), weight.tolist(), strict=True))


def _parts(edges: Edges, nodes: int) -> list[tuple[list[int], Edges]]:
    left = np.array([one for one, _ in edges], np.int32)
    right = np.array([other for _, other in edges], np.int32)
    labels = components(left, right, nodes)
    found: dict[int, tuple[set[int], Edges]] = {}
    for (one, other), weight in edges.items():
        members, own = found.setdefault(int(labels[one]), (set(), {}))
        members |= {one, other}
        own[one, other] = weight
    return [(sorted(members), own) for members, own in found.values()]


class _Judge:
    def __init__(self, facts: dict[int, _Facts], limits: Limits) -> None:
        self.facts = facts
        self.limits = limits

    def objection(self, left: Sequence[int], right: Sequence[int]) -> str | None:
        """The rule that keeps two groups of clusters apart."""
        one, other = self._together(left), self._together(right)
        if one.apart & set(right) or other.apart & set(left):
            return "cannot_link"
        for what, values in one.limited.items():
            if what in other.limited and self.limits.too_many(what[0], values, other.limited[what]):
                return "limit"
        if not _names_agree(one, other):
            return "names_differ"
        if one.birthdays and other.birthdays and not one.birthdays & other.birthdays:
            return "birthdays_differ"
        if one.carries & other.carries:
            return "contradicted"
        if one.size + other.size > self.limits.max_customer:
            return "too_large"
        return "late_bridge" if min(one.size, other.size) >= self.limits.late_bridge else None

    def _together(self, members: Sequence[int]) -> _Facts:
        if len(members) == 1:
            return self.facts[members[0]]
        whole = _Facts(size=0)
        for member in members:
            fact = self.facts[member]
            whole.size += fact.size
            whole.surnames |= fact.surnames
            whole.sounds |= fact.sounds
            whole.birthdays |= fact.birthdays
            whole.carries |= fact.carries
            whole.apart |= fact.apart
            for what, values in fact.limited.items():
                whole.limited[what] = merged(whole.limited.get(what, {}), values)
        return whole


def _names_agree(one: _Facts, other: _Facts) -> bool:
    """Whether some full name of each sounds alike, give or take a letter (n and l, in and ing): else they may be family."""
    if one.surnames and other.surnames and not one.surnames & other.surnames:
        return False
    pairs = [(mine, theirs) for mine in one.sounds for theirs in other.sounds]
    return not pairs or any(_one_slip(mine, theirs) for mine, theirs in pairs)


def _one_slip(one: str, other: str) -> bool:
    """Whether at most one letter was added, left out or changed."""
    if one == other:
        return True
    short, long = sorted((one, other), key=len)
    same = next((place for place, letter in enumerate(short) if letter != long[place]), len(short))
    return short[same + (len(short) == len(long)) :] == long[same + 1 :]


def _facts(carried: Carried, ties: Ties, facts: Facts, clusters: Numbers, wanted: list[int]) -> dict[int, _Facts]:
    near = np.zeros(len(clusters), np.bool_)
    near[wanted] = True
    near = near[clusters]
    sizes = np.bincount(clusters, minlength=len(clusters))
    found = {cluster: _Facts(size=int(sizes[cluster])) for cluster in wanted}
    for codes, texts, name in (
        (facts.surname, facts.surnames, "surnames"),
        (facts.sound, facts.sounds, "sounds"),
        (facts.birthday, facts.birthdays, "birthdays"),
    ):
        rows = np.flatnonzero(near & (codes != NOTHING))
        heads = rows[Grouped(clusters[rows], codes[rows]).heads]
        said = texts.take(pa.array(codes[heads])).to_pylist()
        for cluster, text in zip(clusters[heads].tolist(), said, strict=True):
            getattr(found[cluster], name).add(text)
    _add_carried(found, carried, clusters, near)
    both = near[ties.apart_left] & near[ties.apart_right]
    for one, other in zip(
        clusters[ties.apart_left[both]].tolist(), clusters[ties.apart_right[both]].tolist(), strict=True
    ):
        found[one].apart.add(other)
        found[other].apart.add(one)
    return found


def _add_carried(found: dict[int, _Facts], carried: Carried, clusters: Numbers, near: Marks) -> None:
    """Which identifiers clusters have: those of limited kinds by value, with the day each was first seen."""
    spaces = carried.spaces
    rows = np.flatnonzero(spaces.telling[carried.space] & near[carried.profile])
    cluster, space, value = clusters[carried.profile[rows]], carried.space[rows], carried.value[rows]
    held = Grouped(cluster, space, value)
    heads, first = held.heads, days(held.smallest(carried.first_seen[rows]))
    for one, where, what, day in zip(
        cluster[heads].tolist(), space[heads].tolist(), value[heads].tolist(), first, strict=True
    ):
        name = spaces.names[where]
        if spaces.per_customer[where] != NOTHING:
            found[one].limited[name] = merged(found[one].limited.get(name, {}), {what: day})
        found[one].carries.add(name)


def _refused(edges: Edges, target: Numbers, judge: _Judge, rules: Rules) -> pa.Table:
    """What was likely enough to look at and did not join: a person decides, unless something forbids it."""
    members: dict[int, list[int]] = {}
    for cluster in sorted({cluster for pair in edges for cluster in pair}):
        members.setdefault(int(target[cluster]), []).append(cluster)
    rows = []
    for (one, other), weight in edges.items():
        if target[one] == target[other] or weight < rules.likely_review:
            continue
        rule = judge.objection(members[int(target[one])], members[int(target[other])]) or "likely"
        asks = rule in {"likely", "late_bridge", "too_large"} or (rule == "contradicted" and weight > rules.likely_join)
        rows.append((one, other, NOTHING, rule, asks))
    return refusals(*([row[place] for row in rows] for place in range(5)))
