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

from identity.graph import Numbers, components
from identity.likely.grouping import AverageLink, Edges
from identity.limits import Held, Limits, merged
from identity.rules import Rules
from identity.workspace import Workspace

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


def join_probable(work: Workspace, clusters: Numbers, rules: Rules, limits: Limits) -> Numbers:
    """Join the clusters that the pairs of table ``probable`` ("left", "right", weight) take for one person.

    Args:
        work: with ``p``, ``l``, ``space``, ``apart`` and ``probable``; refusals are added to ``refusal``.
        clusters: for each profile its cluster so far.
        rules: thresholds.
        limits: what keeps groups apart.

    Returns:
        For each profile its cluster, named by the smallest profile in it.
    """
    if not work.count("probable"):
        return clusters
    work.put(clusters_arrow=pa.table({"profile": np.arange(len(clusters), dtype=np.int32), "cluster": clusters}))
    work.make("settled", "FROM clusters_arrow")
    rows = work.connection.execute(
        """SELECT least(a.cluster, b.cluster) AS one, greatest(a.cluster, b.cluster) AS other, avg(weight) AS weight
           FROM probable JOIN settled AS a ON a.profile = probable."left" JOIN settled AS b ON b.profile = probable."right"
           WHERE a.cluster <> b.cluster GROUP BY ALL ORDER BY ALL"""
    ).fetchall()
    if not rows:
        return clusters
    edges: Edges = {(one, other): weight for one, other, weight in rows}
    judge = _Judge(_facts(work, edges), limits)
    target = np.arange(len(clusters), dtype=np.int32)
    for members, own in _parts(edges, len(clusters)):
        link = AverageLink(members, own, judge.objection, join_above=rules.likely_join, unscored=UNSCORED)
        for member, group in link.groups().items():
            target[member] = group
    _refuse(work, edges, target, judge, rules)
    return target[clusters]


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


def _facts(work: Workspace, edges: Edges) -> dict[int, _Facts]:
    wanted = sorted({cluster for pair in edges for cluster in pair})
    work.put(wanted_arrow=pa.table({"cluster": pa.array(wanted, pa.int32())}))
    work.make("near", "SELECT settled.* FROM settled SEMI JOIN wanted_arrow USING (cluster)")
    facts = {cluster: _Facts() for cluster in wanted}
    run = work.connection.execute
    for cluster, size, surnames, sounds, birthdays in run(
        """SELECT near.cluster, count(*), list(DISTINCT p.surname) FILTER (p.surname IS NOT NULL),
                  list(DISTINCT p.sound) FILTER (p.sound IS NOT NULL),
                  list(DISTINCT p.birthday) FILTER (p.birthday IS NOT NULL)
           FROM near JOIN p ON p.no = near.profile GROUP BY near.cluster"""
    ).fetchall():
        facts[cluster].size = size
        facts[cluster].surnames = set(surnames or ())
        facts[cluster].sounds = set(sounds or ())
        facts[cluster].birthdays = set(birthdays or ())
    for cluster, kind, scope, value, limited, day in run(
        """SELECT near.cluster, space.kind, space.scope, l.value, space.per_customer IS NOT NULL,
                  epoch(min(l.first_seen))::BIGINT // 86400
           FROM near JOIN l ON l.profile = near.profile JOIN space ON space.no = l.space
           WHERE space.tier < 3 AND (space.account OR space.tier = 2 OR space.per_customer IS NOT NULL) GROUP BY ALL"""
    ).fetchall():
        if limited:
            held = facts[cluster].limited.get((kind, scope), {})
            facts[cluster].limited[kind, scope] = merged(held, {value: day})
        facts[cluster].carries.add((kind, scope))
    for one, other in run(
        """SELECT a.cluster, b.cluster FROM apart JOIN near AS a ON a.profile = apart."left"
           JOIN near AS b ON b.profile = apart."right" """
    ).fetchall():
        facts[one].apart.add(other)
        facts[other].apart.add(one)
    return facts


def _refuse(work: Workspace, edges: Edges, target: Numbers, judge: _Judge, rules: Rules) -> None:
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
        rows.append((one, other, -1, rule, asks))
    table = pa.table(
        {
            "left": pa.array([row[0] for row in rows], pa.int32()),
            "right": pa.array([row[1] for row in rows], pa.int32()),
            "value": pa.array([row[2] for row in rows], pa.int32()),
            "rule": pa.array([row[3] for row in rows], pa.string()),
            "review": pa.array([row[4] for row in rows], pa.bool_()),
        }
    )
    work.put(unlikely_arrow=table)
    work.run("INSERT INTO refusal FROM unlikely_arrow")
