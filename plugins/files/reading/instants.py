"""Local times turned into instants, by arithmetic.

A zone's offset changes on a few days of a few years at most: the changes between a column's first and last time are looked up
once, and each value is then shifted by a constant. DuckDB's own ``timezone()`` asks the calendar for every value and takes some
fifty times as long.
"""

from __future__ import annotations

import datetime as dt
from itertools import pairwise
from zoneinfo import ZoneInfo

import duckdb

__all__ = ["instant", "offset_changes"]

_DAY = dt.timedelta(days=1)


def offset_changes(zone: ZoneInfo, first: dt.datetime, last: dt.datetime) -> list[tuple[dt.datetime, dt.timedelta]]:
    """Return from which local time on which offset from UTC holds, for all local times from ``first`` to ``last``.

    A local time that comes twice, when the clocks go back, means its first coming; one that the clocks skip, when they go
    forward, is taken as if they had not yet been moved (PEP 495 with ``fold=0``).

    Args:
        zone: the zone.
        first: earliest local time, without zone.
        last: latest local time, without zone.
    """
    changes = [(first, _offset(zone, first))]
    days = [first + _DAY * count for count in range((last - first).days + 2)]
    for before, after in pairwise(days):
        if _offset(zone, before) != _offset(zone, after):
            moment = _change(zone, before, after)
            changes.append((moment, _offset(zone, moment)))
    return changes


def _offset(zone: ZoneInfo, local: dt.datetime) -> dt.timedelta:
    return local.replace(tzinfo=zone).utcoffset() or dt.timedelta(0)


def _change(zone: ZoneInfo, before: dt.datetime, after: dt.datetime) -> dt.datetime:
    """Return the first local second with the later offset."""
    old = _offset(zone, before)
    low, high = 0, int((after - before).total_seconds())
    while high - low > 1:
        middle = (low + high) // 2
        if _offset(zone, before + dt.timedelta(seconds=middle)) == old:
            low = middle
        else:
            high = middle
    return before + dt.timedelta(seconds=high)


def instant(connection: duckdb.DuckDBPyConnection, column: str, source: str, timezone: str) -> str:
    """Return the SQL of the instants at which the clocks of a zone show the local times of a column.

    Args:
        connection: where ``source`` can be read.
        column: SQL of the local times.
        source: the relation they are in.
        timezone: the zone.
    """
    bounds = connection.execute(f"SELECT min({column}), max({column}) FROM {source}").fetchone()
    if bounds is None or bounds[0] is None:
        return "NULL::TIMESTAMPTZ"
    changes = offset_changes(ZoneInfo(timezone), bounds[0], bounds[1])
    shifts = [offset // dt.timedelta(microseconds=1) for _, offset in changes]
    arms = " ".join(
        f"WHEN {column} < TIMESTAMP '{moment.isoformat(' ')}' THEN {shift}"
        for (moment, _), shift in zip(changes[1:], shifts, strict=False)
    )
    shift = f"CASE {arms} ELSE {shifts[-1]} END" if arms else str(shifts[0])
    return f"make_timestamptz(epoch_us({column}) - ({shift}))"
