"""Which profiles are one person: from numbered evidence to groups.

Three passes, each joining groups of the one before. What a system asserts joins first. What people share (a phone)
joins those who agree on it: every value is split into *slots*, one per name, and only groups in one slot are joined.
Then components that break a rule, and only those, are taken apart again by :mod:`identity.agglomerate`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from identity.carried import Carried
from identity.graph import Numbers, bipartite_components, components, smallest_members
from identity.grouped import Marks
from identity.limits import Limits
from identity.numbering import Evidence
from identity.probable import join_probable
from identity.problems import solve_problems
from identity.rules import Rules, Tier
from identity.slots import Slots, make_slots
from identity.stages import Asserted, Shared
from identity.ties import Probable, Ties

__all__ = ["Decision", "decide"]


@dataclass(frozen=True, slots=True)
class Decision:
    """What was decided for numbered profiles.

    Attributes:
        groups: for each profile the smallest profile of its customer.
        components: for each profile the smallest profile that any usable evidence connects it with.
        refused: the joins that were refused between profiles that did end up apart, as :data:`identity.refusals.REFUSALS`.
    """

    groups: Numbers
    components: Numbers
    refused: pa.Table


def decide(evidence: Evidence, wishes: pa.Table, pairs: pa.Table, rules: Rules) -> Decision:
    """Decide which profiles are one person.

    Args:
        evidence: numbered, without what is blocked.
        wishes: what people decided, as :data:`identity.CONSTRAINTS`.
        pairs: what a link model takes for one person, as :data:`identity.tables.PAIRS`.
        rules: the owner's.
    """
    limits = _limits(rules)
    facts, carried = evidence.facts, evidence.carried
    ties = Ties.of(evidence.profiles, evidence.merged_into, wishes)
    probable = Probable.of(evidence.profiles, pairs)
    nodes = len(evidence.profiles), int(carried.value.max(initial=-1)) + 1
    everything = np.ones(len(carried.value), np.bool_)
    connected = smallest_members(_connected(carried, everything, nodes, ties, probable))
    accounts = smallest_members(_connected(carried, carried.tier <= Tier.ASSERTED, nodes, ties))
    groups, over = solve_problems(
        Asserted(carried, ties), evidence, ties, np.arange(nodes[0], dtype=np.int32), accounts, limits
    )
    slots = make_slots(carried, facts, groups, rules.tenure_gap_days)
    clusters = _join_slots(slots, groups)
    shared, doubtful = solve_problems(Shared(slots, evidence), evidence, ties, groups, clusters, limits)
    final, unlikely = join_probable(probable, carried, ties, facts, shared, rules, limits)
    refused = pa.concat_tables([over, slots.refused, doubtful, unlikely])
    left, right = (refused[side].to_numpy() for side in ("left", "right"))
    return Decision(final, connected, refused.filter(pa.array(final[left] != final[right])))


def _limits(rules: Rules) -> Limits:
    return Limits(
        per_customer={kind.name: kind.per_customer for kind in rules.kinds if kind.per_customer is not None},
        max_customer=rules.max_customer,
        late_bridge=rules.late_bridge,
        window_days={kind.name: kind.window_days for kind in rules.kinds if kind.window_days is not None},
    )


def _connected(carried: Carried, which: Marks, nodes: tuple[int, int], *pairs: Ties | Probable) -> Numbers:
    """Components of profiles over some links and the pairs that somebody takes for one person."""
    profiles, values = nodes
    left, right = carried.profile[which], carried.value[which]
    if not any(len(one.left) for one in pairs):
        return bipartite_components(left, right, profiles, values)
    left = np.concatenate([left, *(one.left for one in pairs)])
    right = np.concatenate([right + np.int32(profiles), *(one.right for one in pairs)])
    return components(left, right, profiles + values)[:profiles]


def _join_slots(slots: Slots, groups: Numbers) -> Numbers:
    """Join the groups that stand in one slot of a shared value."""
    other = slots.slot != slots.met.group
    return smallest_members(components(slots.met.group[other], slots.slot[other], len(groups)))[groups]
