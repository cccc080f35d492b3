"""Find the clusters that break a rule, and have each taken apart."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from identity.agglomerate import Bond, Refusal, Unit, agglomerate
from identity.carried import Carried, days
from identity.graph import Numbers
from identity.grouped import NOTHING, Grouped, Marks
from identity.limits import Limits
from identity.numbering import Evidence, Values
from identity.refusals import REFUSALS, refusals
from identity.stages import Bonds, Joined, Stage
from identity.ties import Ties

__all__ = ["solve_problems"]

REVIEWED = frozenset({"too_large", "late_bridge"})
"""Refusals a person should look at: the evidence is good, but joining would be a big step."""


def solve_problems(
    stage: Stage, evidence: Evidence, ties: Ties, units: Numbers, clusters: Numbers, limits: Limits
) -> tuple[Numbers, pa.Table]:
    """Take the clusters apart that break a rule.

    Args:
        stage: which rules count, and what bonds.
        evidence: who carries what.
        ties: what people said.
        units: for each profile the unit it belongs to, which stays whole.
        clusters: for each profile the cluster its unit was joined into.
        limits: the numbers of the rules.

    Returns:
        For each profile its cluster, named by the smallest profile in it; and the joins that were refused.
    """
    carried, joined = evidence.carried, Joined.of(units, clusters)
    broken = np.zeros(len(units), np.bool_)
    for found in (_over_limit(carried, joined), _kept_apart(ties, joined), stage.problems(joined, limits)):
        broken[found] = True
    if not broken.any():
        return clusters, REFUSALS.empty_table()
    target = np.arange(len(units), dtype=np.int32)
    refused: list[Refusal] = []
    bonds = stage.bonds(joined, broken)
    values = _in_order(evidence.values, bonds.value)
    for members, own in _problems(stage, carried, ties, joined, broken, _by_cluster(bonds, values)):
        verdict = agglomerate(members, own, limits)
        for key, group in verdict.groups.items():
            target[key] = group
        refused.extend(verdict.refusals)
    return np.where(broken[clusters], target[units], clusters).astype(np.int32), _table(refused, values)


def _over_limit(carried: Carried, joined: Joined) -> Numbers:
    """Clusters that hold more values of a kind than one customer may."""
    limited = carried.spaces.per_customer != NOTHING
    rows = np.flatnonzero(limited[carried.space] & joined.joined[carried.profile])
    held = Grouped(joined.clusters[carried.profile[rows]], carried.space[rows])
    # Counting distinct values is dear: first those are left out that have few enough whatever they are.
    most = carried.spaces.per_customer[carried.space[rows[held.heads]]]
    rows = rows[(held.sizes() > most)[held.of]]
    profile, space = carried.profile[rows], carried.space[rows]
    held = Grouped(joined.clusters[profile], space)
    most = carried.spaces.per_customer[space[held.heads]]
    over = (held.distinct(carried.value[rows]) > most) & held.differ(joined.units[profile])
    return joined.clusters[profile[held.heads[over]]]


def _kept_apart(ties: Ties, joined: Joined) -> Numbers:
    """Clusters with units of which people said that they are not one."""
    left, right = ties.apart_left, ties.apart_right
    clusters, units = joined.clusters, joined.units
    return np.asarray(clusters[left[(clusters[left] == clusters[right]) & (units[left] != units[right])]])


def _problems(
    stage: Stage, carried: Carried, ties: Ties, joined: Joined, broken: Marks, bonds: Mapping[int, list[Bond]]
) -> Iterator[tuple[list[Unit], list[Bond]]]:
    """Every broken cluster with its units and bonds."""
    limited, apart = _limited(carried, joined, broken), _apart(ties, joined, broken)
    members: dict[int, list[Unit]] = {}
    heads = joined.heads[broken[joined.clusters[joined.heads]]]
    for cluster, key in zip(joined.clusters[heads].tolist(), heads.tolist(), strict=True):
        unit = stage.unit(key, limited=limited.get(key, {}), apart_from=frozenset(apart.get(key, ())))
        members.setdefault(cluster, []).append(unit)
    for cluster, units in members.items():
        yield units, bonds.get(cluster, [])


def _in_order(values: Values, numbers: Numbers) -> Numbers:
    """Some values in the order of their texts: numbers alone would choose between equal bonds by the order of input."""
    known = np.unique(numbers[numbers != NOTHING])
    rows = values.table.take(pa.array(known))
    texts = pa.table({"value": rows["value"], "scope": values.spaces["scope"].take(rows["space"])})
    return np.asarray(known[np.asarray(pc.sort_indices(texts, [("value", "ascending"), ("scope", "ascending")]))])


def _by_cluster(bonds: Bonds, values: Numbers) -> dict[int, list[Bond]]:
    """The bonds of each cluster; the value of each is its place in ``values``."""
    *columns, numbers = bonds.columns()
    order = np.argsort(values)
    place = np.where(numbers == NOTHING, NOTHING, np.append(order, 0)[np.searchsorted(values[order], numbers)])
    found: dict[int, list[Bond]] = {}
    for cluster, *bond in zip(*(column.tolist() for column in (*columns, place)), strict=True):
        found.setdefault(cluster, []).append(Bond(*bond))
    return found


def _limited(
    carried: Carried, joined: Joined, broken: Marks
) -> dict[int, dict[tuple[str, str], dict[int, int | None]]]:
    """The values of limited kinds that units of broken clusters hold, with the day each was first seen."""
    per_customer = carried.spaces.per_customer != NOTHING
    rows = np.flatnonzero(per_customer[carried.space] & (joined.joined & broken[joined.clusters])[carried.profile])
    unit, space, value = joined.units[carried.profile[rows]], carried.space[rows], carried.value[rows]
    held = Grouped(unit, space, value)
    heads, first = held.heads, days(held.smallest(carried.first_seen[rows]))
    found: dict[int, dict[tuple[str, str], dict[int, int | None]]] = {}
    for key, where, what, day in zip(
        unit[heads].tolist(), space[heads].tolist(), value[heads].tolist(), first, strict=True
    ):
        found.setdefault(key, {}).setdefault(carried.spaces.names[where], {})[what] = day
    return found


def _apart(ties: Ties, joined: Joined, broken: Marks) -> dict[int, set[int]]:
    """The units that people keep apart from each unit of a broken cluster."""
    left, right = joined.units[ties.apart_left], joined.units[ties.apart_right]
    same = joined.clusters[left] == joined.clusters[right]
    rows = np.flatnonzero(broken[joined.clusters[left]] & same & (left != right))
    found: dict[int, set[int]] = {}
    for one, other in zip(left[rows].tolist(), right[rows].tolist(), strict=True):
        found.setdefault(one, set()).add(other)
        found.setdefault(other, set()).add(one)
    return found


def _table(refused: Sequence[Refusal], values: Numbers) -> pa.Table:
    """Rows of :data:`identity.refusals.REFUSALS`; the value of a bond is its place in ``values``."""
    return refusals(
        [one.bond.left for one in refused],
        [one.bond.right for one in refused],
        [NOTHING if one.bond.value == NOTHING else values[one.bond.value] for one in refused],
        [one.rule for one in refused],
        [one.rule in REVIEWED for one in refused],
    )
