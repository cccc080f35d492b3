"""Join scored pairs into groups by average link: two groups become one when the *mean* weight over all their pairs says so.

A pair that was never scored counts as mild evidence against, so that a chain of lucky pairs does not make one person of
strangers. Components of strong pairs only, with nothing missing, are groups as they stand; the others are joined best pair of
groups first. Ties are broken by the records' order, never by the order of input.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from identity.graph import Numbers, components, smallest_members

__all__ = ["AverageLink", "Edges", "group_pairs"]


def group_pairs(
    ids: pa.Array,
    pairs: pa.Table,
    *,
    join_above: float = -1.0,
    unscored: float = -2.0,
    apart_by: Mapping[str, pa.Array] | None = None,
    largest: int = 50,
) -> pa.Array:
    """Group records.

    Args:
        ids: of all records, each once.
        pairs: as :data:`identity.PAIRS`, of those ids.
        join_above: mean weight in bits that joins two groups.
        unscored: weight of a pair that is not among ``pairs``.
        apart_by: columns parallel to ``ids``: two records with one value of a column are never in one group (one source
            that has every person once); null is no value.
        largest: a group grows no larger.

    Returns:
        For each id the first id, in order, of its group.
    """
    order = pc.sort_indices(ids).to_numpy()
    place = np.empty(len(ids), np.int32)
    place[order] = np.arange(len(ids), dtype=np.int32)
    left = place[pc.index_in(pairs["left"].combine_chunks(), ids).to_numpy()].astype(np.int32)
    right = place[pc.index_in(pairs["right"].combine_chunks(), ids).to_numpy()].astype(np.int32)
    weight = pairs["weight"].to_numpy()
    labels = smallest_members(components(left, right, len(ids)))
    exclusive = [
        column.dictionary_encode().indices.fill_null(-1).to_numpy()[order] for column in (apart_by or {}).values()
    ]
    groups = labels.copy()
    for members, edges in _unsettled(labels, left, right, weight, exclusive, join_above, largest):
        objects = _objection([{member: int(column[member]) for member in members} for column in exclusive], largest)
        found = AverageLink(members, edges, objects, join_above=join_above, unscored=unscored).groups()
        for member, group in found.items():
            groups[member] = group
    in_order = pc.take(ids, pa.array(order))
    return pc.take(in_order, pa.array(groups[place]))


Edges = dict[tuple[int, int], float]
"""Weight in bits by pair, the smaller number first."""


def _unsettled(
    labels: Numbers,
    left: Numbers,
    right: Numbers,
    weight: np.ndarray,
    exclusive: list[np.ndarray],
    join_above: float,
    largest: int,
) -> list[tuple[list[int], Edges]]:
    """Components that are not simply one group: a pair is missing or weak, a column forbids it, or they are too large."""
    size = np.bincount(labels, minlength=len(labels))
    edges = np.bincount(labels[left], weights=weight > join_above, minlength=len(labels))
    open_ = (size > 1) & ((edges < size * (size - 1) // 2) | (size > largest))
    for column in exclusive:
        known = column >= 0
        keys = np.stack([labels[known], column[known]], axis=1)
        values, counts = np.unique(keys, axis=0, return_counts=True)
        open_[values[counts > 1][:, 0]] = True
    found: dict[int, tuple[list[int], Edges]] = {int(label): ([], {}) for label in np.flatnonzero(open_)}
    for member in np.flatnonzero(open_[labels]):
        found[int(labels[member])][0].append(int(member))
    for row in np.flatnonzero(open_[labels[left]]):
        one, other = int(left[row]), int(right[row])
        found[int(labels[one])][1][min(one, other), max(one, other)] = float(weight[row])
    return list(found.values())


Objection = Callable[[Sequence[int], Sequence[int]], str | None]
"""Why two groups, given by their members, must not be joined; None if they may."""


def _objection(columns: list[dict[int, int]], largest: int) -> Objection:
    def objects(one: Sequence[int], other: Sequence[int]) -> str | None:
        if len(one) + len(other) > largest:
            return "too_large"
        for column in columns:
            if {column[member] for member in one} & {column[member] for member in other} - {-1}:
                return "limit"
        return None

    return objects


class AverageLink:
    """One component: a heap of pairs of groups by mean weight, refreshed as groups join.

    Args:
        members: numbers of what is grouped.
        edges: scored pairs of them.
        objects: what must not be joined.
        join_above: mean weight in bits that joins two groups.
        unscored: weight of a pair without an edge.
    """

    def __init__(
        self, members: Sequence[int], edges: Edges, objects: Objection, *, join_above: float, unscored: float
    ) -> None:
        self.join_above, self.unscored, self.objects = join_above, unscored, objects
        self.members = {member: [member] for member in members}
        self.sums: dict[int, dict[int, tuple[float, int]]] = {member: {} for member in members}
        for (one, other), weight in edges.items():
            self.sums[one][other] = self.sums[other][one] = (weight, 1)
        self.heap = [(-weight, one, other) for (one, other), weight in edges.items() if weight > join_above]
        heapq.heapify(self.heap)

    def groups(self) -> dict[int, int]:
        """Join what can be joined; return for every member the smallest member of its group."""
        while self.heap:
            weight, one, other = heapq.heappop(self.heap)
            current = one in self.members and other in self.members and -weight == self._mean(one, other)
            if current and self.objects(self.members[one], self.members[other]) is None:
                self._join(one, other)
        return {member: key for key, found in self.members.items() for member in found}

    def _mean(self, one: int, other: int) -> float:
        total, scored = self.sums[one][other]
        pairs = len(self.members[one]) * len(self.members[other])
        return (total + (pairs - scored) * self.unscored) / pairs

    def _join(self, one: int, other: int) -> None:
        into, away = min(one, other), max(one, other)
        self.members[into] += self.members.pop(away)
        theirs = self.sums.pop(away)
        mine = self.sums[into]
        mine.pop(away, None)
        for third, (total, scored) in theirs.items():
            if third == into:
                continue
            before = mine.get(third, (0.0, 0))
            mine[third] = self.sums[third][into] = (before[0] + total, before[1] + scored)
            del self.sums[third][away]
        for third in mine:
            if (mean := self._mean(into, third)) > self.join_above:
                heapq.heappush(self.heap, (-mean, min(into, third), max(into, third)))
