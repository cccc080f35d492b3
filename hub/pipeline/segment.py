"""Decide who is in which segment, and keep who entered and left when."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from hub.config import Settings
from hub.context import Hub
from hub.errors import ConfigError, Problem
from hub.plugins import Plugins
from hub.segments import Segment
from hub.warehouse.engine import Engine, literal

__all__ = [
    "SegmentReport",
    "SegmentSize",
    "all_segments",
    "check_segments",
    "members_sql",
    "segment",
    "segment_diff",
    "segments_of",
]


@dataclass(frozen=True)
class SegmentSize:
    """A segment's size, and how many entered and left since the last time."""

    segment: Segment
    members: int
    entered: int
    left: int


@dataclass
class SegmentReport:
    """What segmenting did."""

    sizes: list[SegmentSize] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def changed(self) -> int:
        """How many times a customer entered or left a segment."""
        return sum(size.entered + size.left for size in self.sizes)


def segments_of(hub: Hub) -> Mapping[str, Segment]:
    """Return every segment: the plugins' ready-made ones, and those of ``hub.toml``, which win on the same name."""
    return all_segments(hub.plugins, hub.settings)


def all_segments(plugins: Plugins, settings: Settings) -> Mapping[str, Segment]:
    """Return the segments of plugins and settings, like :func:`segments_of` without a hub."""
    own = {
        name: Segment(name, given.titled(name), given.where, given.family, given.description)
        for name, given in settings.segments.items()
    }
    return {**plugins.segments(), **own}


def check_segments(hub: Hub, columns: list[str]) -> Mapping[str, Segment]:
    """Return every segment, checked against the columns that exist.

    Raises:
        ConfigError: with every problem of every segment.
    """
    segments = segments_of(hub)
    problems = [(name, problem) for name, segment in segments.items() for problem in segment.problems(columns)]
    if problems:
        raise _unusable(hub, problems)
    return segments


def _unusable(hub: Hub, problems: Iterable[tuple[str, str]]) -> ConfigError:
    file = hub.settings.path.name
    found = [Problem(file, f"segments.{name}.where", problem) for name, problem in problems]
    return ConfigError("Some segments cannot be used.", problems=found)


def segment(hub: Hub) -> SegmentReport:
    """Evaluate every segment over the latest traits.

    Raises:
        ConfigError: a condition is wrong; all of them are told.
        LeaseHeldError: another process has the warehouse open.
    """
    with hub.warehouse() as engine, hub.store.runs.open("segment") as run:
        report = _evaluated(hub, engine)
        if _differs(engine):
            as_of = engine.value("SELECT detail FROM _progress WHERE stage = 'score'") or hub.now().isoformat()
            _store(engine, hub.now(), as_of)
        engine.execute("DROP TABLE found")
        entered, left = (sum(getattr(size, what) for size in report.sizes) for what in ("entered", "left"))
        run.add(segments=len(report.sizes), entered=entered, left=left)
        run.notes += report.notes
    return report


def segment_diff(hub: Hub) -> SegmentReport:
    """Say who would enter and leave if segmenting ran now; members stay as they are.

    Raises:
        ConfigError: a condition is wrong; all of them are told.
        LeaseHeldError: another process has the warehouse open.
    """
    with hub.warehouse() as engine:
        return _evaluated(hub, engine)


def _evaluated(hub: Hub, engine: Engine) -> SegmentReport:
    """Make the temporary table ``found`` and compare it with the members there are."""
    columns = list({**engine.columns("traits"), **engine.columns("customers")})
    segments = check_segments(hub, columns)
    fault = engine.attempt(f"CREATE OR REPLACE TEMP TABLE found AS {members_sql(segments)}")
    if fault:
        raise _unusable(hub, list(_faults(engine, segments)) or [(name, fault) for name in segments])
    return SegmentReport(_compare(engine, segments), _overlaps(engine, segments))


_PEOPLE = "customers LEFT JOIN traits USING (customer_id)"


def members_sql(segments: Mapping[str, Segment], people: str = _PEOPLE) -> str:
    """Return the query of every segment's members: one scan over customers with their traits."""
    if not segments:
        return "SELECT NULL::VARCHAR AS segment, NULL::VARCHAR AS customer_id WHERE false"
    cases = ", ".join(f"CASE WHEN {segment.where} THEN {literal(name)} END" for name, segment in segments.items())
    return (
        f"SELECT segment, customer_id FROM (SELECT customer_id, unnest([{cases}]) AS segment FROM {people}) "
        f"WHERE segment IS NOT NULL"
    )


def _faults(engine: Engine, segments: Mapping[str, Segment]) -> Iterable[tuple[str, str]]:
    """Try the conditions one by one and say which cannot be evaluated over these customers, and why."""
    for name, segment in segments.items():
        fault = engine.attempt(
            f"CREATE OR REPLACE TEMP TABLE tried AS SELECT CASE WHEN {segment.where} THEN true END AS member FROM {_PEOPLE}"
        )
        if fault:
            yield name, fault


def _differs(engine: Engine) -> bool:
    """Whether anybody entered or left, be it a segment that is no longer there."""
    sql = """SELECT EXISTS (FROM found ANTI JOIN members USING (segment, customer_id))
                 OR EXISTS (FROM members ANTI JOIN found USING (segment, customer_id))"""
    return bool(engine.value(sql))


def _compare(engine: Engine, segments: Mapping[str, Segment]) -> list[SegmentSize]:
    rows = engine.rows(
        """SELECT segment, count(f.customer_id), count(*) FILTER (m.customer_id IS NULL), count(*) FILTER (f.customer_id IS NULL)
           FROM found AS f FULL JOIN members AS m USING (segment, customer_id) GROUP BY segment"""
    )
    counts = {row[0]: row[1:] for row in rows}
    return [SegmentSize(segment, *counts.get(name, (0, 0, 0))) for name, segment in segments.items()]


def _store(engine: Engine, now: dt.datetime, as_of: str) -> None:
    with engine.transaction():
        engine.execute(
            """INSERT INTO member_events BY NAME
               SELECT ? AS happened_at, CAST(? AS TIMESTAMPTZ) AS as_of, segment, customer_id, 'entered' AS event
               FROM found ANTI JOIN members USING (segment, customer_id)
               UNION ALL
               SELECT ?, CAST(? AS TIMESTAMPTZ), segment, customer_id, 'left'
               FROM members ANTI JOIN found USING (segment, customer_id)""",
            [now, as_of, now, as_of],
        )
        engine.execute(
            "DELETE FROM members WHERE (segment, customer_id) NOT IN (SELECT (segment, customer_id) FROM found)"
        )
        engine.execute(
            "INSERT INTO members BY NAME SELECT segment, customer_id, CAST(? AS TIMESTAMPTZ) AS since "
            "FROM found ANTI JOIN members USING (segment, customer_id)",
            [as_of],
        )


def _overlaps(engine: Engine, segments: Mapping[str, Segment]) -> list[str]:
    """Segments of one family must exclude each other; say which do not."""
    notes = []
    for family in sorted({segment.family for segment in segments.values() if segment.family}):
        names = ", ".join(literal(name) for name, segment in segments.items() if segment.family == family)
        twice = engine.value(
            f"SELECT count(*) FROM (SELECT customer_id FROM found WHERE segment IN ({names}) "
            f"GROUP BY customer_id HAVING count(*) > 1)"
        )
        if twice:
            notes.append(f"family {family}: {twice} customers are in more than one of its segments.")
    return notes
