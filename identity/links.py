"""Identifiers as the sources give them, made links: which profile carries which value, of which kind and in which scope.

Rows that cannot be used are left out and counted by reason, never raised.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from identity.grouped import NOTHING, Marks
from identity.normalise.bulk import STATUSES, normal_values
from identity.normalise.text import Status
from identity.rules import ASSURANCE_RANK, MASKED_KIND, PHONE_KIND

__all__ = ["assurance_ranks", "merge_links", "read_links"]

_USABLE = pa.array([status.value for status in (Status.KEY, Status.MASKED, Status.LANDLINE, Status.BLOCKED)])
_REASONS = ("unknown_profile", Status.EMPTY.value, Status.INVALID.value, Status.UNSCOPED.value)


def read_links(kinds: pa.Table, profiles: pa.Array, identifiers: pa.Table) -> tuple[pa.Table, dict[str, int]]:
    """Make links of identifiers: one for each value of a profile.

    Args:
        kinds: see :func:`identity.evidence.load_kinds`.
        profiles: the keys of the profiles there are, each once.
        identifiers: rows of :data:`identity.IDENTIFIERS`.

    Returns:
        Rows of :data:`identity.SCHEMAS` ``links`` with a column ``place`` more, the place of the profile among ``profiles``; and
        how many identifiers were left out, by reason.
    """
    kinds = kinds.filter(kinds["normaliser"].is_valid()).combine_chunks()
    of_kind = _kinds(identifiers["kind"], kinds["kind"])
    ignored = {"unknown_kind": int(np.count_nonzero(of_kind == NOTHING))}
    if ignored["unknown_kind"]:
        identifiers, of_kind = identifiers.filter(pa.array(of_kind != NOTHING)), of_kind[of_kind != NOTHING]
    value, status = normal_values(kinds["normaliser"].take(pa.array(of_kind)), identifiers["value"])
    scoped = np.asarray(kinds["scoped"], np.bool_)[of_kind]
    scope = pc.if_else(pa.array(scoped), pc.ascii_trim(pc.coalesce(identifiers["scope"], ""), " "), "")
    place = np.asarray(pc.index_in(identifiers["profile"], profiles).fill_null(NOTHING))
    reason = _why_not(place, status, scoped & np.asarray(pc.equal(scope, ""), np.bool_))
    ignored |= {name: int(np.count_nonzero(reason == code)) for code, name in enumerate(_REASONS)}
    links = pa.table(
        {
            "profile": identifiers["profile"],
            "kind": kinds["kind"].take(pa.array(of_kind)),
            "scope": scope,
            "value": value,
            "status": STATUSES.take(pa.array(status)),
            "assurance": assurance_ranks(identifiers["assurance"]).fill_null(1),
            "first_seen": identifiers["first_seen"],
            "last_seen": identifiers["last_seen"],
            "place": pa.array(place),
        }
    )
    kept = reason == NOTHING
    once = _once(links.filter(pa.array(kept)), place[kept].astype(np.int64) * kinds.num_rows + of_kind[kept])
    return once, {name: count for name, count in sorted(ignored.items()) if count}


def assurance_ranks(column: pa.ChunkedArray) -> pa.Array:
    """The rank of each assurance; null for one that is none."""
    places = pc.index_in(column.combine_chunks(), pa.array(list(ASSURANCE_RANK)))
    return pa.array(list(ASSURANCE_RANK.values()), pa.int8()).take(places)


def _kinds(given: pa.ChunkedArray, names: pa.ChunkedArray) -> NDArray[np.int32]:
    """For each kind its place among the names; a masked phone is a phone."""
    known = names.to_pylist()
    phone = known.index(PHONE_KIND) if PHONE_KIND in known else NOTHING
    places = np.array([*range(len(known)), phone, NOTHING], np.int32)
    found = pc.index_in(given, pa.array([*known, MASKED_KIND])).fill_null(len(known) + 1)
    return np.asarray(places[np.asarray(found)])


def _why_not(place: NDArray[np.integer], status: NDArray[np.int8], unscoped: Marks) -> NDArray[np.integer]:
    """For each identifier why it cannot be used, as a place in the reasons; ``NOTHING`` for one that can."""
    usable = np.asarray(pc.is_in(STATUSES, _USABLE))
    empty = np.asarray(pc.equal(STATUSES, Status.EMPTY.value))
    bad = ~usable[status]
    return np.select([place == NOTHING, bad & empty[status], bad, unscoped], [0, 1, 2, 3], NOTHING)


def _once(links: pa.Table, profile_and_kind: NDArray[np.int64]) -> pa.Table:
    """Each value of a profile once, with all that its rows say.

    Comparing texts is dear, and nearly all profiles carry one value of a kind: only the others are compared.
    """
    groups = pa.array(profile_and_kind).dictionary_encode().indices.to_numpy()
    several = np.bincount(groups)[groups] > 1
    if not several.any():
        return links
    return pa.concat_tables([links.filter(pa.array(~several)), merge_links(links.filter(pa.array(several)))])


def merge_links(links: pa.Table) -> pa.Table:
    """Links that differ at most in assurance and times as one: the best assurance, the first and the last time of all."""
    said = {"assurance": "max", "first_seen": "min", "last_seen": "max"}
    same = [name for name in links.column_names if name not in said]
    merged = links.group_by(same, use_threads=False).aggregate(list(said.items()))
    return merged.rename_columns([*same, *said]).select(links.column_names)
