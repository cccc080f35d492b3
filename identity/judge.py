"""Judge values before joining anything: whose is a phone that fourteen profiles carry?

What counts is not the number of profiles, one loyal customer has many, but how many people they speak for: a number in
fourteen profiles with nine names is a shop's, one in fourteen profiles with one name is a person's.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from identity.changes import KEYS
from identity.graph import Numbers
from identity.grouped import NOTHING, Grouped, Marks, Wide
from identity.numbering import Values
from identity.tables import SCHEMAS, text_keys
from identity.workspace import Workspace

__all__ = ["judge_values"]


def judge_values(work: Workspace, values: Values, value: NDArray[np.integer], sound: Numbers) -> pa.Table:
    """The state of every value that is not simply one person's, as rows of :data:`identity.SCHEMAS` ``value_states``.

    States: ``blocked`` (never links; reason ``pattern``, ``listed``, ``too_many_profiles`` or ``too_many_names``) and
    ``household`` (links those who agree; reason ``several_names``).

    A value blocked for its counts before (table ``past_state``) stays blocked until they fall to half the limit.

    Args:
        work: with tables ``kind``, ``listed_blocked``, ``listed_trusted`` and ``past_state``.
        values: the values to judge.
        value: for each profile that carries a value, the number of the value.
        sound: likewise a code of the sound of the profile's name; ``NOTHING`` without a name.
    """
    names = _count_names(value, sound, values.table.num_rows)
    rows = pa.array(np.flatnonzero(_doubtful(work, values, names)))
    few = values.table.take(rows)
    counted = pa.table(
        {
            **{name: values.spaces[name].take(few["space"]) for name in ("kind", "scope")},
            "value": few["value"],
            "pattern": few["pattern"],
            "profiles": few["carriers"].cast(pa.int32()),
            "names": pa.array(names).take(rows).cast(pa.int32()),
        }
    )
    reason = _reasons(work, counted)
    blocked = reason != NOTHING
    states = {
        "state": pa.array(["household", "blocked"]).take(pa.array(blocked.astype(np.int8))),
        "reason": _REASONS.take(pa.array(np.where(blocked, reason, len(_REASONS) - 1))),
    }
    schema = SCHEMAS["value_states"]
    judged = pa.table([states[name] if name in states else counted[name] for name in schema.names], schema=schema)
    return judged.filter(pa.array(blocked | (np.asarray(counted["names"]) > 1)))


def _count_names(value: NDArray[np.integer], sound: Numbers, count: int) -> Wide:
    """For each value how many names its carriers have.

    Counting what is distinct is dear, and nearly all values know one name: only the others are counted.
    """
    named = sound != NOTHING
    value, sound = value[named], sound[named]
    last, first = np.full(count, NOTHING, sound.dtype), np.full(count, np.iinfo(sound.dtype).max)
    np.maximum.at(last, value, sound)
    np.minimum.at(first, value, sound)
    names: Wide = np.asarray(last != NOTHING, np.int64)
    several = np.flatnonzero((first < last)[value])
    carried = Grouped(value[several])
    names[value[several[carried.heads]]] = carried.distinct(sound[several])
    return names


def _doubtful(work: Workspace, values: Values, names: Wide) -> Marks:
    """The values that may have a state: judging the others would find nothing."""
    kinds, table = work.given("kind"), values.table
    most = kinds["max_profiles"].take(pc.index_in(values.spaces["kind"], kinds["kind"].combine_chunks()))
    many = np.asarray(most)[np.asarray(table["space"])]
    carriers = np.asarray(table["carriers"])
    listed, past = (
        np.asarray(pc.is_in(table["value"], work.given(name)["value"].combine_chunks()), np.bool_)
        for name in ("listed_blocked", "past_state")
    )
    # A value of one profile joins nobody: it need not stay blocked.
    return np.asarray(
        (names > 1) | (carriers > many) | listed | (past & (carriers > 1)) | np.asarray(table["pattern"], np.bool_)
    )


_REASONS = pa.array(["listed", "pattern", "too_many_profiles", "too_many_names", "several_names"])
"""By code; the last one blocks nothing."""


def _reasons(work: Workspace, counted: pa.Table) -> Wide:
    """For each value why it is blocked, as a place in the reasons; ``NOTHING`` for one that is not."""
    kinds, past = work.given("kind"), work.given("past_state")
    mine = kinds.take(pc.index_in(counted["kind"], kinds["kind"].combine_chunks()))
    key = KEYS["value_states"]
    before = past["reason"].take(pc.index_in(text_keys(counted, key), text_keys(past, key)))

    def over(column: str, limit: str, reason: str) -> Marks:
        """Whether the limit in force is passed: half for a value that this very limit already blocks."""
        half = np.asarray(pc.equal(before, reason).fill_null(False), np.bool_)  # noqa: FBT003 - pyarrow's signature
        return np.asarray(counted[column]) > np.asarray(mine[limit]) / np.where(half, 2, 1)

    listed, trusted = (_stands_in(work.given(name), counted) for name in ("listed_blocked", "listed_trusted"))
    return np.select(
        [
            listed,
            np.asarray(counted["pattern"], np.bool_),
            trusted,
            over("profiles", "max_profiles", "too_many_profiles"),
            over("names", "max_names", "too_many_names"),
        ],
        [0, 1, NOTHING, 2, 3],
        NOTHING,
    )


def _stands_in(listed: pa.Table, counted: pa.Table) -> Marks:
    key = ("kind", "value")
    return np.asarray(pc.is_in(text_keys(counted, key), text_keys(listed, key)), np.bool_)
