"""Give decided groups their customer ids, so that an id goes on meaning the person it meant before.

The rule: a customer continues in the group that holds most of its profiles with asserted evidence, then most of its
profiles; where several customers meet in one group, the one with the better claim by the same measure continues, then
the oldest. The others are *merged into* it. Where a customer is split, the parts that do not continue it get back an id
their profiles held before, else a new one. Ids are random, never made from members, and never used for anybody else.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from itertools import count

import pyarrow as pa

from identity.errors import InvalidInputError
from identity.workspace import Workspace

__all__ = ["IdSource", "name_groups", "random_ids", "sequential_ids"]

IdSource = Callable[[int], Sequence[str]]
"""Gives so many ids that it never gave before."""


def random_ids(wanted: int) -> Sequence[str]:
    """Fresh random ids: "c" and 20 characters of 80 random bits."""
    digits = secrets.token_hex(10 * wanted)
    return [f"c{digits[start : start + 20]}" for start in range(0, len(digits), 20)]


def sequential_ids(prefix: str = "c", start: int = 1) -> IdSource:
    """An id source that counts, for tests and reproducible runs."""
    numbers = count(start)
    return lambda wanted: [f"{prefix}{next(numbers)}" for _ in range(wanted)]


def name_groups(work: Workspace, new_ids: IdSource) -> None:
    """Make table ``named`` (group, customer, origin) for all groups of ``decided`` (profile, group).

    ``origin`` is ``kept``, ``regained`` or ``new``.

    Args:
        work: with ``decided``, ``old_member`` (profile, customer), ``old_customer`` and ``old_history`` of the previous
            state, and the numbered evidence.
        new_ids: asked once, for as many ids as are needed; given out in the order of the groups' numbers.
    """
    work.make(
        "overlap",
        """SELECT decided."group", old.customer, count(*)::INTEGER AS profiles
           FROM decided JOIN old_member AS old USING (profile) GROUP BY ALL""",
    )
    work.make(
        "simple",
        """SELECT "group", customer FROM overlap
           QUALIFY count(*) OVER (PARTITION BY "group") = 1 AND count(*) OVER (PARTITION BY customer) = 1""",
    )
    work.put(contested=_contest(work, _CONTESTED))
    work.make("kept", "FROM simple UNION ALL FROM contested")
    work.make("unnamed", 'SELECT DISTINCT "group" FROM decided ANTI JOIN kept USING ("group")')
    work.put(regained=_contest(work, _FORMER))
    work.make("fresh", 'SELECT "group" FROM unnamed ANTI JOIN regained USING ("group") ORDER BY "group"')
    _name_fresh(work, new_ids)
    work.make(
        "named",
        """SELECT *, 'kept' AS origin FROM kept UNION ALL SELECT *, 'regained' FROM regained
           UNION ALL SELECT *, 'new' FROM issued""",
    )
    work.drop("overlap", "simple", "kept", "unnamed", "fresh")


_CONTESTED = """
    SELECT overlap."group", overlap.customer, any_value(overlap.profiles) AS profiles,
           count(DISTINCT decided.profile) FILTER (space.tier <= 1) AS anchors
    FROM (FROM overlap ANTI JOIN simple USING ("group", customer)) AS overlap
    JOIN decided ON decided."group" = overlap."group"
    JOIN old_member AS old ON old.profile = decided.profile AND old.customer = overlap.customer
    JOIN p ON p.profile = decided.profile LEFT JOIN l ON l.profile = p.no LEFT JOIN space ON space.no = l.space
    GROUP BY ALL"""
"""SQL: claims that compete; ``anchors`` counts the profiles that carry asserted evidence."""


_FORMER = """
    SELECT decided."group", old_history.customer, 0 AS anchors, count(DISTINCT profile)::INTEGER AS profiles
    FROM decided SEMI JOIN unnamed USING ("group") JOIN old_history USING (profile)
    JOIN old_customer AS c ON c.customer = old_history.customer AND c.state IN ('merged', 'retired')
    GROUP BY ALL"""
"""SQL: dead ids that profiles of unnamed groups once had."""


def _contest(work: Workspace, query: str) -> pa.Table:
    """Match groups and customers one to one, best claim first: the rows (group, customer) of the claims that win."""
    claims = work.table(
        f"""SELECT claim."group", customer FROM ({query}) AS claim JOIN old_customer USING (customer)
            ORDER BY anchors DESC, profiles DESC, born, customer, claim."group" """
    )
    customers = claims["customer"].combine_chunks().dictionary_encode().indices
    groups_taken: set[int] = set()
    customers_taken: set[int] = set()
    won = []
    for place, (group, customer) in enumerate(zip(claims["group"].to_pylist(), customers.to_pylist(), strict=True)):
        if group not in groups_taken and customer not in customers_taken:
            groups_taken.add(group)
            customers_taken.add(customer)
            won.append(place)
    return claims.take(pa.array(won, pa.int64()))


def _name_fresh(work: Workspace, new_ids: IdSource) -> None:
    groups = work.table('SELECT "group" FROM fresh ORDER BY "group"')["group"]
    ids = pa.array(new_ids(len(groups)), pa.string()) if len(groups) else pa.array([], pa.string())
    work.put(issued=pa.table({"group": groups, "customer": ids}))
    again = "(SELECT customer FROM issued GROUP BY customer HAVING count(*) > 1 UNION SELECT customer FROM issued SEMI JOIN old_customer USING (customer))"
    if work.count(again):
        raise InvalidInputError("The id source gave an id that was given before.", hint="Ids must never repeat.")
