"""Numbers in place of texts: profiles, values and the spaces in which values mean the same.

Texts are compared once, here; whatever decides works on numbers. The numbers live for one run.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from identity.carried import Carried, Facts, Spaces
from identity.changes import KEYS
from identity.graph import Numbers
from identity.grouped import NOTHING
from identity.tables import text_keys

__all__ = ["Evidence", "Values", "drop_blocked", "number_evidence", "number_values"]

COUNTED = pa.array(["key", "blocked"])
"""Statuses of links whose value could link, or could if it were not blocked."""

_Codes = NDArray[np.int64]


@dataclass(frozen=True)
class Values:
    """Links whose value could link, by numbers.

    Attributes:
        rows: which of the links these are.
        space: for each the number of its kind and scope.
        value: for each the number of its value.
        spaces: (kind, scope) by number.
        table: (space, value, carriers, pattern) by number; ``carriers`` counts links, ``pattern`` says that a rule blocks its like.
    """

    rows: _Codes
    space: _Codes
    value: _Codes
    spaces: pa.Table
    table: pa.Table


@dataclass(frozen=True)
class Evidence:
    """What a decision is made from.

    Attributes:
        profiles: the keys, by number; these rise with the keys.
        facts: what the profiles say.
        merged_into: for each profile the one that its platform merged it into; ``NOTHING`` for none.
        carried: who carries what.
        values: what the numbers of values mean.
    """

    profiles: pa.Array
    facts: Facts
    merged_into: Numbers
    carried: Carried
    values: Values


def number_evidence(kinds: pa.Table, profiles: pa.Table, links: pa.Table) -> Evidence:
    """Number profiles and what they carry.

    Args:
        kinds: table ``kind``, see :func:`identity.evidence.load_kinds`.
        profiles: rows of :data:`identity.SCHEMAS` ``profiles``, each profile once.
        links: rows of ``links``; one of a profile that is not among the given ones carries nothing.
    """
    # The values are numbered beside the profiles: each has a core.
    with ThreadPoolExecutor(max_workers=1) as pool:
        counting = pool.submit(number_values, links)
        keys = profiles["profile"].combine_chunks()
        order = pc.array_sort_indices(keys)
        keys = keys.take(order)
        facts = Facts.of(profiles, np.asarray(order))
        carrier = pc.index_in(links["profile"], keys)
    values = counting.result()
    known = np.asarray(carrier.is_valid())[values.rows]
    rows = pa.array(values.rows[known])
    carried = Carried.of(
        profile=np.asarray(carrier.take(rows), np.int32),
        value=values.value[known].astype(np.int32),
        space=values.space[known].astype(np.int32),
        links=links.select(["assurance", "first_seen", "last_seen"]).take(rows),
        spaces=Spaces.of(values.spaces, kinds),
    )
    return Evidence(keys, facts, _merged_into(profiles, keys), carried, values)


def _merged_into(profiles: pa.Table, keys: pa.Array) -> Numbers:
    merged = profiles.filter(profiles["merged_into"].is_valid())
    into = np.full(len(keys), NOTHING, np.int32)
    if merged.num_rows:
        into[np.asarray(pc.index_in(merged["profile"], keys))] = pc.index_in(merged["merged_into"], keys).fill_null(
            NOTHING
        )
    return into


def number_values(links: pa.Table) -> Values:
    """Number the values of links, rows of :data:`identity.SCHEMAS` ``links``."""
    (kind, kinds), (scope, scopes), (value, texts) = (_codes(links[name]) for name in ("kind", "scope", "value"))
    rows = np.flatnonzero(pc.is_in(links["status"], COUNTED))
    space, spaces = _distinct(kind[rows] * len(scopes) + scope[rows])
    number, pairs = _distinct(space * len(texts) + value[rows])
    of_space, of_text = np.divmod(pairs, max(len(texts), 1))
    of_kind, of_scope = np.divmod(spaces, max(len(scopes), 1))
    blocked = np.asarray(pc.equal(links["status"], "blocked"))[rows]
    return Values(
        rows=rows,
        space=space,
        value=number,
        spaces=pa.table(
            {
                "kind": kinds.take(pa.array(of_kind)),
                "scope": scopes.take(pa.array(of_scope)),
            }
        ),
        table=pa.table(
            {
                "space": pa.array(of_space.astype(np.int32)),
                "value": texts.take(pa.array(of_text)),
                "carriers": pa.array(np.bincount(number, minlength=len(pairs))),
                "pattern": pa.array(np.bincount(number[blocked], minlength=len(pairs)) > 0),
            }
        ),
    )


def _codes(column: pa.ChunkedArray) -> tuple[_Codes, pa.Array]:
    """A column's texts by number, and the texts; all chunks share them."""
    encoded = column.dictionary_encode()
    if not encoded.num_chunks:
        return np.zeros(0, np.int64), pa.array([], pa.string())
    # Arrow numbers the chunks of one column alike; to make their dictionaries one again takes eight times as long.
    if not all(chunk.dictionary.equals(encoded.chunk(0).dictionary) for chunk in encoded.chunks):
        encoded = encoded.unify_dictionaries()
    numbers = np.concatenate([np.asarray(chunk.indices) for chunk in encoded.chunks])
    return numbers.astype(np.int64), encoded.chunk(0).dictionary


def _distinct(codes: _Codes) -> tuple[_Codes, _Codes]:
    """Numbers without gaps in place of codes, and the code of each."""
    encoded = pa.array(codes).dictionary_encode()
    return encoded.indices.to_numpy().astype(np.int64), encoded.dictionary.to_numpy()


def drop_blocked(evidence: Evidence, states: pa.Table) -> Evidence:
    """The evidence without the links whose value some states block.

    Args:
        evidence: as it was numbered.
        states: rows of :data:`identity.SCHEMAS` ``value_states``.
    """
    values, carried = evidence.values, evidence.carried
    blocked = states.filter(pc.equal(states["state"], "blocked"))
    # The texts of blocked values are few: only values that have one are looked at as a whole.
    doubtful = np.flatnonzero(pc.is_in(values.table["value"], blocked["value"].combine_chunks()))
    rows = values.table.take(pa.array(doubtful))
    named = values.spaces.take(rows["space"]).append_column("value", rows["value"])
    key = KEYS["value_states"]
    free = np.ones(values.table.num_rows, np.bool_)
    free[doubtful[np.asarray(pc.is_in(text_keys(named, key), text_keys(blocked, key)), np.bool_)]] = False
    return evidence if free.all() else replace(evidence, carried=carried.where(free[carried.value]))
