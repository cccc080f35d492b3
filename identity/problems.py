"""Find the clusters that break a rule, and have each taken apart."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from itertools import groupby
from operator import itemgetter
from typing import Any

import numpy as np
import pyarrow as pa

from identity.agglomerate import Bond, Refusal, Unit, agglomerate
from identity.graph import Numbers
from identity.limits import Limits
from identity.workspace import Workspace

__all__ = ["Stage", "solve_problems"]

_Rows = list[tuple[Any, ...]]

REVIEWED = frozenset({"too_large", "late_bridge"})
"""Refusals a person should look at: the evidence is good, but joining would be a big step."""


class Stage(StrEnum):
    """Which pass is checked."""

    ASSERTED = "asserted"
    """Profiles joined by what systems assert: only limits and cannot-links count against it."""
    SHARED = "shared"
    """Groups joined by what people share: names, birthdays and sizes count as well."""


def solve_problems(work: Workspace, stage: Stage, units: Numbers, clusters: Numbers, limits: Limits) -> Numbers:
    """Take the clusters apart that break a rule.

    Args:
        work: with ``p``, ``v``, ``l``, ``space``, ``tie``, ``apart``; for the shared stage ``slot`` and ``group_name``. The refusals
            are added to ``refusal``.
        stage: which rules count.
        units: for each profile the unit it belongs to, which stays whole.
        clusters: for each profile the cluster its unit was joined into.
        limits: the numbers of the rules.

    Returns:
        For each profile its cluster, named by the smallest profile in it.
    """
    numbers = np.arange(len(units), dtype=np.int32)
    # Only where several units were joined can a join be wrong.
    joined = np.bincount(clusters[units == numbers], minlength=len(units))[clusters] > 1
    if not joined.any():
        return clusters
    suspects = {"profile": numbers[joined], "unit": units[joined], "cluster": clusters[joined]}
    work.put(units_arrow=pa.table(suspects))
    work.make("member", "FROM units_arrow")
    _find_problems(work, stage, limits)
    if not work.count("problem"):
        return clusters
    _make_bonds(work, stage)
    target = np.arange(len(units), dtype=np.int32)
    refusals: list[Refusal] = []
    broken = np.zeros(len(units), np.bool_)
    for cluster, members, bonds in _problems(work, stage):
        verdict = agglomerate(members, bonds, limits)
        broken[cluster] = True
        for key, group in verdict.groups.items():
            target[key] = group
        refusals.extend(verdict.refusals)
    _keep(work, refusals)
    return np.where(broken[clusters], target[units], clusters).astype(np.int32)


def _find_problems(work: Workspace, stage: Stage, limits: Limits) -> None:
    work.view(
        "limit_held",
        """SELECT member.cluster, member.unit, l.space, l.value, l.first_seen, space.per_customer
           FROM l JOIN space ON space.no = l.space AND space.per_customer IS NOT NULL
           JOIN member ON member.profile = l.profile""",
    )
    # Counting distinct values is dear: first those are left out that have few enough whatever they are.
    work.make("crowded", "SELECT cluster FROM limit_held GROUP BY cluster, space HAVING count(*) > min(per_customer)")
    problems = [
        """SELECT cluster FROM limit_held SEMI JOIN crowded USING (cluster) GROUP BY cluster, space
           HAVING count(DISTINCT value) > min(per_customer) AND count(DISTINCT unit) > 1""",
        """SELECT a.cluster FROM apart JOIN member AS a ON a.profile = apart."left" JOIN member AS b ON b.profile = apart."right"
           WHERE a.cluster = b.cluster AND a.unit <> b.unit""",
    ]
    if stage is Stage.SHARED:
        problems.append(
            f"""SELECT member.cluster FROM group_name JOIN member ON member.profile = group_name."group"
                GROUP BY member.cluster HAVING count(*) > 1 AND (min(sound) <> max(sound) OR min(birthday) <> max(birthday)
                  OR sum(size) >= {min(2 * limits.late_bridge, limits.max_customer + 1)})"""
        )
    work.make("problem", " UNION ".join(problems))


def _make_bonds(work: Workspace, stage: Stage) -> None:
    if stage is Stage.ASSERTED:
        work.make(
            "bond",
            """WITH held AS (
                   SELECT member.cluster, l.value, member.unit, l.assurance, space.tier, space.priority
                   FROM l JOIN space ON space.no = l.space JOIN member ON member.profile = l.profile
                   SEMI JOIN problem USING (cluster) WHERE space.tier <= 1
               )
               SELECT a.cluster, a.tier, a.priority, 5 - least(a.assurance, b.assurance) AS doubt, a.unit AS "left",
                      b.unit AS "right", a.value
               FROM held AS a JOIN held AS b ON a.value = b.value AND a.unit < b.unit
               UNION ALL
               SELECT member.cluster, tie.tier, 0, 0, tie."left", tie."right", -1
               FROM tie JOIN member ON member.profile = tie."left" SEMI JOIN problem USING (cluster)""",
        )
        return
    work.make(
        "bond",
        """WITH held AS (
               SELECT member.cluster, slot.value, slot.slot, slot."group" AS unit, met.assurance, met.tier, kind.priority
               FROM slot JOIN met USING (value, "group") JOIN v ON v.no = slot.value JOIN kind USING (kind)
               JOIN member ON member.profile = slot."group" SEMI JOIN problem USING (cluster)
           )
           SELECT a.cluster, a.tier, a.priority, 5 - least(a.assurance, b.assurance) AS doubt, a.unit AS "left",
                  b.unit AS "right", a.value
           FROM held AS a JOIN held AS b ON a.value = b.value AND a.slot = b.slot AND a.unit < b.unit""",
    )


def _problems(work: Workspace, stage: Stage) -> Iterator[tuple[int, list[Unit], list[Bond]]]:
    """Every problem cluster with its units and bonds."""
    facts = (
        """SELECT "group" AS unit, size, sound, birthday FROM group_name"""
        if stage is Stage.SHARED
        else ("""SELECT no AS unit, 1 AS size, NULL AS sound, NULL AS birthday FROM p""")
    )
    units = _rows(
        work,
        f"""SELECT member.cluster, fact.unit, fact.size, fact.sound, fact.birthday
            FROM ({facts}) AS fact JOIN member ON member.profile = fact.unit SEMI JOIN problem USING (cluster)""",
    )
    limited = _rows(
        work,
        """SELECT held.cluster, held.unit, space.kind, space.scope, held.value, epoch(min(held.first_seen))::BIGINT // 86400 AS day
           FROM limit_held AS held SEMI JOIN problem USING (cluster) JOIN space ON space.no = held.space GROUP BY ALL""",
    )
    apart = _rows(
        work,
        """SELECT a.cluster, a.unit, b.unit FROM apart JOIN member AS a ON a.profile = apart."left"
           JOIN member AS b ON b.profile = apart."right" SEMI JOIN problem ON problem.cluster = a.cluster
           WHERE a.cluster = b.cluster AND a.unit <> b.unit""",
    )
    bonds = _rows(work, 'SELECT cluster, tier, priority, doubt, "left", "right", value FROM bond')
    for cluster, rows in units.items():
        yield (
            cluster,
            _units(rows, limited.get(cluster, []), apart.get(cluster, [])),
            [Bond(*row) for row in bonds.get(cluster, [])],
        )


def _rows(work: Workspace, query: str) -> dict[int, _Rows]:
    """A query's rows without their first column, by it."""
    rows = work.connection.execute(f"SELECT * FROM ({query}) ORDER BY ALL").fetchall()
    return {cluster: [row[1:] for row in found] for cluster, found in groupby(rows, itemgetter(0))}


def _units(rows: _Rows, limited: _Rows, apart: _Rows) -> list[Unit]:
    values: dict[int, dict[tuple[str, str], dict[int, int | None]]] = {}
    for unit, kind, scope, value, day in limited:
        values.setdefault(unit, {}).setdefault((kind, scope), {})[value] = day
    others: dict[int, set[int]] = {}
    for one, other in apart:
        others.setdefault(one, set()).add(other)
        others.setdefault(other, set()).add(one)
    return [
        Unit(
            key=unit,
            size=size,
            name=sound,
            birthday=birthday,
            limited=values.get(unit, {}),
            apart_from=frozenset(others.get(unit, ())),
        )
        for unit, size, sound, birthday in rows
    ]


def _keep(work: Workspace, refusals: list[Refusal]) -> None:
    table = pa.table(
        {
            "left": pa.array([one.bond.left for one in refusals], pa.int32()),
            "right": pa.array([one.bond.right for one in refusals], pa.int32()),
            "value": pa.array([one.bond.value for one in refusals], pa.int32()),
            "rule": pa.array([one.rule for one in refusals], pa.string()),
            "review": pa.array([one.rule in REVIEWED for one in refusals], pa.bool_()),
        }
    )
    work.put(refusals_arrow=table)
    work.run("INSERT INTO refusal FROM refusals_arrow")
