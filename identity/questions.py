"""Which refused joins are a question to a person: among them new evidence against what a person decided.

Who takes two people apart has seen the evidence of that day. Evidence that turns up later may be right: a second card that
both use, a new phone. It joins nobody, but it is no reason to be silent either.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from identity.decide import Decision
from identity.grouped import NOTHING, Grouped
from identity.numbering import Evidence
from identity.tables import SCHEMAS, State
from identity.workspace import Workspace

__all__ = ["refused_rows"]


def refused_rows(work: Workspace, evidence: Evidence, decision: Decision, before: State, *, whole: bool) -> pa.Table:
    """What was refused to the end, as rows of :data:`identity.SCHEMAS` ``refusals``; one per pair of profiles, value and rule.

    A refusal for a decision that the run before knew is a question, unless the same value was refused between the same two
    sides then without being one. It stays a question until the decision is made anew or withdrawn.

    Args:
        work: with ``wish``, ``previous_constraints``, and in an incremental run ``near_refusal``.
        evidence: what was decided from.
        decision: what was decided.
        before: the previous state.
        whole: whether the run is a full one.
    """
    refused = _named(evidence, decision.refused)
    wishes = work.given("wish")
    if not pc.any(pc.equal(wishes["rule"], "cannot_link"), min_count=0).as_py():
        return refused
    if whole:
        work.put(near_refusal=before.refusals)
    work.put(refused_now=refused, decided=pa.table({"profile": evidence.profiles, "group": decision.groups}))
    work.make("kept_apart", _KEPT_APART)
    work.make(
        "answered",
        f"SELECT {_SIDES}, kind, scope, value FROM near_refusal AS r {_DECIDED} WHERE rule = 'cannot_link' AND NOT review",
    )
    same = " AND ".join(
        f"answered.{name} IS NOT DISTINCT FROM r.{name}" for name in ("one", "other", "kind", "scope", "value")
    )
    return work.table(
        f"""SELECT r."left", r."right", r.kind, r.scope, r.value, r.rule,
                   r.review OR (kept_apart.known IS NOT NULL AND kept_apart.known AND answered.one IS NULL) AS review
            FROM (SELECT r.*, {_SIDES} FROM refused_now AS r {_DECIDED}) AS r
            LEFT JOIN kept_apart ON r.rule = 'cannot_link' AND kept_apart.one = r.one AND kept_apart.other = r.other
            LEFT JOIN (SELECT DISTINCT * FROM answered) AS answered ON {same}""",
        SCHEMAS["refusals"],
    )


def _named(evidence: Evidence, refused: pa.Table) -> pa.Table:
    """Rows of :data:`identity.refusals.REFUSALS` by keys and texts."""
    rules = refused["rule"].combine_chunks().dictionary_encode()
    left, right, value = (np.asarray(refused[name], np.int32) for name in ("left", "right", "value"))
    same = Grouped(left, right, value, np.asarray(rules.indices, np.int32))
    rows, values = same.heads, evidence.values
    of_value = pa.array(value[rows], mask=value[rows] == NOTHING)
    space = values.table["space"].take(of_value)
    columns = {
        "left": evidence.profiles.take(pa.array(left[rows])),
        "right": evidence.profiles.take(pa.array(right[rows])),
        "kind": values.spaces["kind"].take(space),
        "scope": values.spaces["scope"].take(space),
        "value": values.table["value"].take(of_value),
        "rule": rules.dictionary.take(rules.indices.take(pa.array(rows))),
        "review": pa.array(same.any(np.asarray(refused["review"], np.bool_))),
    }
    return pa.table(columns, SCHEMAS["refusals"])


_DECIDED = 'JOIN decided AS a ON a.profile = r."left" JOIN decided AS b ON b.profile = r."right"'
_SIDES = 'least(a."group", b."group") AS one, greatest(a."group", b."group") AS other'

# Instants as numbers: DuckDB would hand a filter on an instant to Arrow as a Python object, which needs pytz.
_KEPT_APART = f"""
    SELECT {_SIDES}, bool_and(past.rule IS NOT NULL) AS known
    FROM wish AS r {_DECIDED}
    LEFT JOIN previous_constraints AS past ON past.rule = r.rule AND past."left" = r."left" AND past."right" = r."right"
     AND epoch_us(past."at") IS NOT DISTINCT FROM epoch_us(r."at")
    WHERE r.rule = 'cannot_link' GROUP BY ALL"""
"""Pairs of groups that a person keeps apart, and whether all those decisions were known to the run before."""
