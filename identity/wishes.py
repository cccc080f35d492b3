"""What people decide, as constraints: take apart, put together.

Constraints name profiles, not customers: customers come and go, profiles stay what they are.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from itertools import product

import pyarrow as pa

from identity.errors import InvalidInputError
from identity.tables import CONSTRAINTS

__all__ = ["merge", "unmerge"]


def merge(profiles: Iterable[str], *, actor: str, reason: str, at: dt.datetime) -> pa.Table:
    """Must-links that hold some profiles together, whatever rules say.

    Args:
        profiles: at least two keys.
        actor: who decided.
        reason: why, in the decider's words; shown in explanations.
        at: when.

    Raises:
        InvalidInputError: fewer than two profiles.
    """
    first, *rest = sorted(set(profiles)) or [""]
    if not rest:
        raise InvalidInputError("A merge needs at least two profiles.")
    return _rows("must_link", ((first, other) for other in rest), actor, reason, at)


def unmerge(
    profiles: Iterable[str], from_profiles: Iterable[str], *, actor: str, reason: str, at: dt.datetime
) -> pa.Table:
    """Cannot-links that keep every profile of one side apart from every profile of the other, for good.

    Args:
        profiles: keys of one side.
        from_profiles: keys of the other.
        actor: who decided.
        reason: why, in the decider's words; shown in explanations.
        at: when.

    Raises:
        InvalidInputError: a side is empty, or a profile stands on both.
    """
    one, other = set(profiles), set(from_profiles)
    if not one or not other or one & other:
        raise InvalidInputError("An unmerge needs two sides without a common profile.")
    return _rows("cannot_link", product(sorted(one), sorted(other)), actor, reason, at)


def _rows(rule: str, pairs: Iterable[tuple[str, str]], actor: str, reason: str, at: dt.datetime) -> pa.Table:
    rows = [
        {"rule": rule, "left": left, "right": right, "actor": actor, "reason": reason, "at": at}
        for left, right in pairs
    ]
    return pa.Table.from_pylist(rows, schema=CONSTRAINTS)
