"""Judge values before joining anything: whose is a phone that fourteen profiles carry?

What counts is not the number of profiles, one loyal customer has many, but how many people they speak for: a number in
fourteen profiles with nine names is a shop's, one in fourteen profiles with one name is a person's.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from identity.graph import Numbers
from identity.grouped import NOTHING, Grouped, Marks, Wide
from identity.numbering import Values
from identity.tables import SCHEMAS
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
    space = values.spaces.take(few["space"])
    work.put(
        value_count=pa.table(
            {
                "kind": space["kind"],
                "scope": space["scope"],
                "value": few["value"],
                "pattern": few["pattern"],
                "profiles": few["carriers"].cast(pa.int32()),
                "names": pa.array(names).take(rows).cast(pa.int32()),
            }
        )
    )
    judged = work.table(_STATES, SCHEMAS["value_states"])
    work.forget("value_count")
    return judged


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
        np.asarray(pc.is_in(table["value"], texts.combine_chunks()), np.bool_)
        for texts in (work.table("SELECT value FROM listed_blocked")["value"], work.given("past_state")["value"])
    )
    # A value of one profile joins nobody: it need not stay blocked.
    return np.asarray(
        (names > 1) | (carriers > many) | listed | (past & (carriers > 1)) | np.asarray(table["pattern"], np.bool_)
    )


def _limit(column: str, reason: str) -> str:
    """The limit in force: half for a value this very limit already blocks."""
    return f"CASE WHEN past.reason = '{reason}' THEN kind.{column} / 2.0 ELSE kind.{column} END"


_STATES = f"""
    WITH judged AS (
        SELECT counted.*, CASE
            WHEN listed.value IS NOT NULL THEN 'listed'
            WHEN counted.pattern THEN 'pattern'
            WHEN trusted.value IS NOT NULL THEN NULL
            WHEN counted.profiles > {_limit("max_profiles", "too_many_profiles")} THEN 'too_many_profiles'
            WHEN counted.names > {_limit("max_names", "too_many_names")} THEN 'too_many_names'
        END AS reason
        FROM value_count AS counted
        JOIN kind USING (kind)
        LEFT JOIN listed_blocked AS listed USING (kind, value)
        LEFT JOIN listed_trusted AS trusted USING (kind, value)
        LEFT JOIN past_state AS past USING (kind, scope, value)
    )
    SELECT kind, scope, value, CASE WHEN reason IS NULL THEN 'household' ELSE 'blocked' END AS state,
           coalesce(reason, 'several_names') AS reason, profiles, names
    FROM judged WHERE reason IS NOT NULL OR names > 1"""
