"""Evidence as numbers: profiles, values and who carries what, so that decisions join integers instead of texts.

Texts are made numbers by Arrow's dictionaries, one pass per column: a join on the texts would hash them again, with all the
tables it joins in memory.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from identity.workspace import Workspace

__all__ = ["drop_blocked", "number_evidence", "number_values"]

COUNTED = pa.array(["key", "blocked"])
"""Statuses of links whose value could link, or could if it were not blocked."""

_Codes = NDArray[np.int64]


@dataclass(frozen=True)
class _Numbered:
    """Links whose value could link, by numbers.

    Attributes:
        rows: which of the links these are.
        space: for each the number of its kind and scope.
        value: for each the number of its value.
        spaces: (no, kind, scope).
        values: (no, space, value, carriers, pattern).
    """

    rows: _Codes
    space: _Codes
    value: _Codes
    spaces: pa.Table
    values: pa.Table


def number_evidence(work: Workspace) -> None:
    """Make the numbered tables from ``profile``, ``kind`` and the links that were put as ``link``.

    ``p`` (no, profile, …): profiles, numbered from 0 in the order of their keys; ``numbered_profile``: these, in that order.
    ``space`` (no, kind, scope, tier, priority, per_customer, account): where values mean the same.
    ``v`` (no, kind, scope, value, carriers, pattern): values that could link.
    ``l`` (profile, value, space, assurance, first_seen, last_seen): who carries what.
    """
    links = work.given("link")
    # Arrow numbers the values while the database numbers the profiles.
    with ThreadPoolExecutor(max_workers=1) as pool:
        counting = pool.submit(_numbered, links)
        work.make("p", _PROFILES)
        keys = work.table("SELECT profile FROM p ORDER BY no")["profile"].combine_chunks()
        carrier = pc.index_in(links["profile"], keys)
    work.put(numbered_profile=pa.table({"profile": keys}))
    numbered = counting.result()
    _keep_values(work, numbered, "v")
    work.make(
        "space",
        """SELECT spaces.*, kind.tier, kind.priority, kind.per_customer, kind.account
           FROM v_spaces AS spaces JOIN kind USING (kind)""",
    )
    carried = {
        "profile": carrier.take(pa.array(numbered.rows)),
        "value": pa.array(numbered.value.astype(np.int32)),
        "space": pa.array(numbered.space.astype(np.int32)),
        **{name: links[name].take(pa.array(numbered.rows)) for name in ("assurance", "first_seen", "last_seen")},
    }
    work.put(carried_arrow=pa.table(carried))
    # A link of a profile that is not among the given ones carries nothing.
    work.make("l", "FROM carried_arrow WHERE profile IS NOT NULL")
    work.forget("carried_arrow")


_PROFILES = """
    SELECT (row_number() OVER (ORDER BY profile) - 1)::INTEGER AS no, profile, sound, surname, name_kind,
           coalesce(gender, title_gender) AS gender,
           CASE WHEN birthday_rank >= 4 AND NOT lunar AND birthday[1] <> '-' THEN birthday END AS birthday,
           CASE WHEN NOT lunar THEN birthday END AS born
    FROM profile"""


def number_values(work: Workspace, links: pa.Table, target: str) -> pa.Table:
    """Number the values of some links.

    Args:
        work: gets relation ``target``, as ``v`` of :func:`number_evidence`.
        links: rows of :data:`identity.SCHEMAS` ``links``.
        target: what the relation is to be called.

    Returns:
        For each link whose value could link its ``value``, by number, and its ``profile``.
    """
    numbered = _numbered(links)
    _keep_values(work, numbered, target)
    profiles = links["profile"].take(pa.array(numbered.rows))
    return pa.table({"value": pa.array(numbered.value), "profile": profiles})


def _numbered(links: pa.Table) -> _Numbered:
    (kind, kinds), (scope, scopes), (value, texts) = (_codes(links[name]) for name in ("kind", "scope", "value"))
    rows = np.flatnonzero(pc.is_in(links["status"], COUNTED))
    space, spaces = _distinct(kind[rows] * len(scopes) + scope[rows])
    number, pairs = _distinct(space * len(texts) + value[rows])
    of_space, of_text = np.divmod(pairs, max(len(texts), 1))
    of_kind, of_scope = np.divmod(spaces, max(len(scopes), 1))
    blocked = np.asarray(pc.equal(links["status"], "blocked"))[rows]
    return _Numbered(
        rows=rows,
        space=space,
        value=number,
        spaces=pa.table(
            {
                "no": pa.array(np.arange(len(spaces), dtype=np.int32)),
                "kind": kinds.take(pa.array(of_kind)),
                "scope": scopes.take(pa.array(of_scope)),
            }
        ),
        values=pa.table(
            {
                "no": pa.array(np.arange(len(pairs), dtype=np.int32)),
                "space": pa.array(of_space.astype(np.int32)),
                "value": texts.take(pa.array(of_text)),
                "carriers": pa.array(np.bincount(number, minlength=len(pairs))),
                "pattern": pa.array(np.bincount(number[blocked], minlength=len(pairs)) > 0),
            }
        ),
    )


def _codes(column: pa.ChunkedArray) -> tuple[_Codes, pa.Array]:
    """A column's texts by number, and the texts; all chunks share them."""
    encoded = column.dictionary_encode().unify_dictionaries()
    if not encoded.num_chunks:
        return np.zeros(0, np.int64), pa.array([], pa.string())
    numbers = np.concatenate([np.asarray(chunk.indices) for chunk in encoded.chunks])
    return numbers.astype(np.int64), encoded.chunk(0).dictionary


def _distinct(codes: _Codes) -> tuple[_Codes, _Codes]:
    """Numbers without gaps in place of codes, and the code of each."""
    encoded = pa.array(codes).dictionary_encode()
    return encoded.indices.to_numpy().astype(np.int64), encoded.dictionary.to_numpy()


def _keep_values(work: Workspace, numbered: _Numbered, target: str) -> None:
    """The texts stay where Arrow has them: no table of the database repeats them."""
    work.put(**{f"{target}_spaces": numbered.spaces, f"{target}_arrow": numbered.values})
    work.view(
        target,
        f"""SELECT found.no, spaces.kind, spaces.scope, found.value, found.carriers, found.pattern
            FROM {target}_arrow AS found JOIN {target}_spaces AS spaces ON spaces.no = found.space""",
    )


def drop_blocked(work: Workspace) -> None:
    """Take the values that ``value_state`` blocks out of ``v`` and ``l``."""
    values = work.given("v_arrow")
    texts = work.table("SELECT value FROM value_state WHERE state = 'blocked'")["value"].combine_chunks()
    work.put(v_doubtful=values.filter(pc.is_in(values["value"], texts)))
    blocked = work.table(
        """SELECT found.no FROM v_doubtful AS found JOIN v_spaces AS spaces ON spaces.no = found.space
           SEMI JOIN (FROM value_state WHERE state = 'blocked') AS state
           ON state.kind = spaces.kind AND state.scope = spaces.scope AND state.value = found.value"""
    )["no"]
    if len(blocked):
        work.put(blocked_no=pa.table({"no": blocked}))
        work.put(v_arrow=values.filter(pc.invert(pc.is_in(values["no"], blocked.combine_chunks()))))
        work.run("DELETE FROM l WHERE value IN (FROM blocked_no)")
