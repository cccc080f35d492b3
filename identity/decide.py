"""Which profiles are one person: from evidence in the workspace to groups.

Three passes, each joining groups of the one before. What a system asserts joins first. What people share (a phone)
joins those who agree on it: every value is split into *slots*, one per name, and only groups in one slot are joined.
Then components that break a rule, and only those, are taken apart again by :mod:`identity.agglomerate`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from identity.graph import Numbers, bipartite_components, components, smallest_members
from identity.limits import Limits
from identity.probable import join_probable
from identity.problems import Stage, solve_problems
from identity.rules import Rules
from identity.slots import make_slots
from identity.workspace import Workspace

__all__ = ["Decision", "decide"]


@dataclass(frozen=True, slots=True)
class Decision:
    """What was decided for the profiles numbered in table ``p``.

    Attributes:
        groups: for each profile the smallest profile of its customer.
        components: for each profile the smallest profile that any usable evidence connects it with.
    """

    groups: Numbers
    components: Numbers


def decide(work: Workspace, rules: Rules) -> Decision:
    """Decide over the numbered evidence, ``pair`` and ``forbidden`` of the workspace.

    Leaves ``refused`` behind: the joins that were refused between profiles that did end up apart.
    """
    limits = _limits(rules)
    _number_ties(work)
    profiles, values = work.count("p"), work.largest("v", "no") + 1
    joined = _arrays(work, "SELECT profile, value FROM l")
    connected = smallest_members(_connected(work, joined, profiles, values))
    asserted = _arrays(work, "SELECT l.profile, l.value FROM l WHERE l.space IN (SELECT no FROM space WHERE tier <= 1)")
    accounts = smallest_members(_connected(work, asserted, profiles, values, likely=False))
    groups = solve_problems(work, Stage.ASSERTED, np.arange(profiles, dtype=np.int32), accounts, limits)
    make_slots(work, groups, rules.tenure_gap_days)
    clusters = _join_slots(work, groups)
    shared = solve_problems(work, Stage.SHARED, groups, clusters, limits)
    final = join_probable(work, shared, rules, limits)
    refusals = work.table("FROM refusal")
    left, right = (refusals[side].to_numpy() for side in ("left", "right"))
    work.put(refused=refusals.filter(pa.array(final[left] != final[right])))
    work.drop("met", "slot", "group_name")
    return Decision(final, connected)


def _limits(rules: Rules) -> Limits:
    return Limits(
        per_customer={kind.name: kind.per_customer for kind in rules.kinds if kind.per_customer is not None},
        max_customer=rules.max_customer,
        late_bridge=rules.late_bridge,
        window_days={kind.name: kind.window_days for kind in rules.kinds if kind.window_days is not None},
    )


def _number_ties(work: Workspace) -> None:
    """What people, platforms and the link model say about pairs of profiles, as numbers."""
    work.make(
        "tie",
        """SELECT least(a.no, b.no) AS "left", greatest(a.no, b.no) AS "right", min(pair.tier) AS tier
           FROM pair JOIN p AS a ON a.profile = pair."left" JOIN p AS b ON b.profile = pair."right"
           WHERE a.no <> b.no GROUP BY ALL""",
    )
    work.make(
        "apart",
        """SELECT DISTINCT least(a.no, b.no) AS "left", greatest(a.no, b.no) AS "right"
           FROM forbidden JOIN p AS a ON a.profile = forbidden."left" JOIN p AS b ON b.profile = forbidden."right"
           WHERE a.no <> b.no""",
    )
    work.make(
        "probable",
        """SELECT least(a.no, b.no) AS "left", greatest(a.no, b.no) AS "right", pairs_now.weight
           FROM pairs_now JOIN p AS a ON a.profile = pairs_now."left" JOIN p AS b ON b.profile = pairs_now."right"
           WHERE a.no <> b.no""",
    )
    work.run(
        """CREATE OR REPLACE TEMP TABLE refusal
           ("left" INTEGER, "right" INTEGER, value INTEGER, rule VARCHAR, review BOOLEAN)"""
    )


def _arrays(work: Workspace, query: str) -> list[Numbers]:
    table = work.table(query)
    return [column.to_numpy().astype(np.int32, copy=False) for column in table.columns]


def _connected(work: Workspace, links: list[Numbers], profiles: int, values: int, *, likely: bool = True) -> Numbers:
    """Components over links, the ties that people and platforms made, and the pairs a link model found."""
    more = ' UNION ALL SELECT "left", "right" FROM probable' if likely else ""
    ties = _arrays(work, f'SELECT "left", "right" FROM tie{more}')
    if not len(ties[0]):
        return bipartite_components(links[0], links[1], profiles, values)
    left = np.concatenate([links[0], ties[0]])
    right = np.concatenate([links[1] + np.int32(profiles), ties[1]])
    return components(left, right, profiles + values)[:profiles]


def _join_slots(work: Workspace, groups: Numbers) -> Numbers:
    """Join the groups that stand in one slot of a shared value."""
    joined, slots = _arrays(work, 'SELECT "group", slot FROM slot WHERE slot <> "group"')
    return smallest_members(components(joined, slots, len(groups)))[groups]
