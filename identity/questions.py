"""Which refused joins are a question to a person: among them new evidence against what a person decided.

Who takes two people apart has seen the evidence of that day. Evidence that turns up later may be right: a second card that
both use, a new phone. It joins nobody, but it is no reason to be silent either.
"""

from __future__ import annotations

from identity.tables import State
from identity.workspace import Workspace

__all__ = ["refused_rows"]

_REFUSED = """
    SELECT a.profile AS "left", b.profile AS "right", v.kind, v.scope, v.value, refused.rule, bool_or(refused.review) AS review
    FROM refused JOIN p AS a ON a.no = refused."left" JOIN p AS b ON b.no = refused."right"
    LEFT JOIN (FROM v WHERE no IN (SELECT value FROM refused)) AS v ON v.no = refused.value
    GROUP BY ALL"""


def refused_rows(work: Workspace, before: State, *, whole: bool) -> str:
    """SQL: what was refused to the end; one per pair of profiles, value and rule.

    A refusal for a decision that the run before knew is a question, unless the same value was refused between the same two
    sides then without being one. It stays a question until the decision is made anew or withdrawn.

    Args:
        work: with ``refused``, ``decided`` (profile, group), ``wish``, ``previous_constraints``, and in an incremental run
            ``near_refusal``.
        before: the previous state.
        whole: whether the run is a full one.
    """
    if not work.count("(FROM wish WHERE rule = 'cannot_link')"):
        return _REFUSED
    if whole:
        work.put(near_refusal=before.refusals)
    work.make("kept_apart", _KEPT_APART)
    work.make("refused_now", _REFUSED)
    work.make(
        "answered",
        f"SELECT {_SIDES}, kind, scope, value FROM near_refusal AS r {_DECIDED} WHERE rule = 'cannot_link' AND NOT review",
    )
    same = " AND ".join(
        f"answered.{name} IS NOT DISTINCT FROM r.{name}" for name in ("one", "other", "kind", "scope", "value")
    )
    return f"""
        SELECT r."left", r."right", r.kind, r.scope, r.value, r.rule,
               r.review OR (kept_apart.known IS NOT NULL AND kept_apart.known AND answered.one IS NULL) AS review
        FROM (SELECT r.*, {_SIDES} FROM refused_now AS r {_DECIDED}) AS r
        LEFT JOIN kept_apart ON r.rule = 'cannot_link' AND kept_apart.one = r.one AND kept_apart.other = r.other
        LEFT JOIN (SELECT DISTINCT * FROM answered) AS answered ON {same}"""


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
