"""Judge values before joining anything: whose is a phone that fourteen profiles carry?

What counts is not the number of profiles, one loyal customer has many, but how many people they speak for: a number in
fourteen profiles with nine names is a shop's, one in fourteen profiles with one name is a person's.
"""

from __future__ import annotations

from identity.workspace import Workspace

__all__ = ["judge_values"]


def judge_values(work: Workspace, values: str, carriers: str, target: str) -> None:
    """Make table ``target`` with the state of every value that is not simply one person's.

    States: ``blocked`` (never links; reason ``pattern``, ``listed``, ``too_many_profiles`` or ``too_many_names``) and
    ``household`` (links those who agree; reason ``several_names``).

    A value blocked for its counts before (table ``past_state``) stays blocked until they fall to half the limit.

    Args:
        work: with tables ``kind``, ``listed_blocked``, ``listed_trusted`` and ``past_state``.
        values: relation (no, kind, scope, value, carriers, pattern) of the values to judge.
        carriers: relation (value, sound): for each profile that carries a value, the value's number and the sound of
            the profile's name.
        target: name of the table to make.
    """
    work.make(
        "crowd",
        f"""SELECT v.* FROM {values} AS v
            WHERE carriers > 1 OR pattern OR (kind, value) IN (SELECT (kind, value) FROM listed_blocked)""",
    )
    # Counting distinct texts is dear, and nearly all values know one name: only the others are counted.
    work.make(
        "crowd_name",
        f"""SELECT carrier.value AS no, min(carrier.sound) AS first, max(carrier.sound) AS last
            FROM {carriers} AS carrier SEMI JOIN crowd ON crowd.no = carrier.value GROUP BY carrier.value""",
    )
    work.make(
        "value_count",
        f"""SELECT crowd.kind, crowd.scope, crowd.value, crowd.pattern, crowd.carriers::INTEGER AS profiles,
                   coalesce(several.names, (crowd_name.first IS NOT NULL)::INTEGER)::INTEGER AS names
            FROM crowd LEFT JOIN crowd_name USING (no)
            LEFT JOIN (SELECT carrier.value AS no, count(DISTINCT carrier.sound) AS names
                       FROM {carriers} AS carrier
                       SEMI JOIN (FROM crowd_name WHERE first <> last) AS differing ON differing.no = carrier.value
                       GROUP BY carrier.value) AS several USING (no)""",
    )
    work.make(target, _STATES)
    work.run("DROP TABLE crowd; DROP TABLE crowd_name; DROP TABLE value_count")


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
