"""Visit statistics made from the simulated chain's browsing, in the form the platform gives them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from typing import Any, Final

import duckdb
import pyarrow as pa

__all__ = ["Statistic", "statistics_of"]

Statistic = tuple[str, dt.date, list[Mapping[str, Any]]]
"""Kind, day, rows."""

_STAYS: Final = (2, 5, 10, 20, 30, 50, 100)
"""Upper ends, in seconds, of the first seven classes of stay; the eighth is open."""
_TOP_PAGES: Final = 200
_SOURCES: Final = 4
"""Kinds of entry that are told apart here: 1 history, 2 search, 3 conversation, 4 QR code."""

_PREPARED: Final = """
CREATE TEMP TABLE events AS SELECT *, CAST(timezone('Asia/Shanghai', "at") AS DATE) AS day,
  CASE WHEN product_id IS NOT NULL THEN 'pages/product/detail' WHEN kind = 'search' THEN 'pages/search/index'
       WHEN kind = 'share' THEN 'pages/share/index' ELSE 'pages/index/index' END AS page FROM browsing;
CREATE TEMP TABLE firsts AS SELECT member_id, min(day) AS day FROM events GROUP BY member_id;
CREATE TEMP TABLE sessions AS
  SELECT session_id, any_value(member_id) AS member_id, min(day) AS day, count(*) AS pages, sum(seconds) AS seconds,
         1 + ascii(right(session_id, 1)) % {sources} AS source, arg_min(page, "at") AS entry, arg_max(page, "at") AS leaving
  FROM events GROUP BY session_id;
"""
_VISITS: Final = """
SELECT e.day, count(DISTINCT session_id), count(*), count(DISTINCT e.member_id),
       count(DISTINCT e.member_id) FILTER (f.day = e.day), sum(seconds)
FROM events AS e JOIN firsts AS f USING (member_id) WHERE e.day >= $since GROUP BY e.day ORDER BY e.day
"""
_SUMMARY: Final = """
SELECT day, (SELECT count(*) FROM firsts AS f WHERE f.day <= e.day), count(*) FILTER (kind = 'share'),
       count(DISTINCT member_id) FILTER (kind = 'share')
FROM events AS e WHERE day >= $since GROUP BY day ORDER BY day
"""
_PAGES: Final = """
WITH seen AS (
  SELECT day, page, count(*) AS pv, count(DISTINCT member_id) AS uv, avg(seconds) AS stay,
         count(*) FILTER (kind = 'share') AS shares, count(DISTINCT member_id) FILTER (kind = 'share') AS sharers
  FROM events WHERE day >= $since GROUP BY day, page)
SELECT s.day, s.page, pv, uv, stay, shares, sharers,
       (SELECT count(*) FROM sessions AS x WHERE x.day = s.day AND x.entry = s.page),
       (SELECT count(*) FROM sessions AS x WHERE x.day = s.day AND x.leaving = s.page)
FROM seen AS s QUALIFY row_number() OVER (PARTITION BY s.day ORDER BY pv DESC, s.page) <= {top} ORDER BY s.day, pv DESC, s.page
"""
_BY: Final = "SELECT day, {key} AS key, count(*), count(DISTINCT member_id) FROM sessions WHERE day >= $since GROUP BY ALL ORDER BY ALL"


def statistics_of(browsing: pa.Table, since: dt.date) -> Iterator[Statistic]:
    """Give the statistics of each day from ``since`` on.

    Args:
        browsing: the world's ``browsing`` table, with everything before ``since`` too: who is new depends on it.
        since: the first day.
    """
    if browsing.num_rows == 0:
        return
    with duckdb.connect() as engine:
        engine.execute("SET threads = 1")
        engine.register("browsing", browsing)
        engine.execute(_PREPARED.format(sources=_SOURCES))
        yield from _visits(_rows(engine, _VISITS, since))
        for day, total, shares, sharers in _rows(engine, _SUMMARY, since):
            row = {"ref_date": f"{day:%Y%m%d}", "visit_total": total, "share_pv": shares, "share_uv": sharers}
            yield "summary", day, [row]
        yield from _pages(_rows(engine, _PAGES.format(top=_TOP_PAGES), since))
        yield from _distributions(engine, since)


def _rows(engine: duckdb.DuckDBPyConnection, sql: str, since: dt.date) -> list[tuple[Any, ...]]:
    return engine.execute(sql, {"since": since}).fetchall()


def _visits(rows: list[tuple[Any, ...]]) -> Iterator[Statistic]:
    for day, sessions, views, users, new, seconds in rows:
        row = {
            "ref_date": f"{day:%Y%m%d}", "session_cnt": sessions, "visit_pv": views, "visit_uv": users,
            "visit_uv_new": new, "stay_time_uv": round(float(seconds) / users, 4),
            "stay_time_session": round(float(seconds) / sessions, 4), "visit_depth": round(views / sessions, 4),
        }  # fmt: skip
        yield "visits", day, [row]


def _pages(rows: list[tuple[Any, ...]]) -> Iterator[Statistic]:
    days: dict[dt.date, list[Mapping[str, Any]]] = {}
    for day, page, views, users, stay, shares, sharers, entries, exits in rows:
        days.setdefault(day, []).append({
            "page_path": page, "page_visit_pv": views, "page_visit_uv": users, "page_staytime_pv": round(stay, 4),
            "entrypage_pv": entries, "exitpage_pv": exits, "page_share_pv": shares, "page_share_uv": sharers,
        })  # fmt: skip
    yield from (("pages", day, listed) for day, listed in days.items())


def _distributions(engine: duckdb.DuckDBPyConnection, since: dt.date) -> Iterator[Statistic]:
    stays = " ".join(f"WHEN seconds <= {end} THEN {place}" for place, end in enumerate(_STAYS, 1))
    depth = "least(pages, 7)"
    wanted = (
        ("access_source_session_cnt", "source", 2),
        ("access_source_visit_uv", "source", 3),
        ("access_staytime_info", f"CASE {stays} ELSE {len(_STAYS) + 1} END", 2),
        ("access_depth_info", depth, 2),
    )
    days: dict[dt.date, dict[str, list[Mapping[str, Any]]]] = {}
    for index, key, column in wanted:
        for row in _rows(engine, _BY.format(key=key), since):
            item = {"key": int(row[1]), "value": row[column]}
            more = {"access_source_visit_uv": row[3]} if index == "access_source_session_cnt" else {}
            days.setdefault(row[0], {}).setdefault(index, []).append({**item, **more})
    for day, lists in sorted(days.items()):
        yield "distribution", day, [{"index": index, "item_list": items} for index, items in lists.items()]
