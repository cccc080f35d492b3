"""Birthdays, anniversaries and family: what a calendar says of a customer.

Dates come around every year; one on 29 February is kept on the 28th in other years. Birthdays by the Chinese calendar are
turned into this year's and the next year's days (``lunar-python``); a lunar 30th that a year does not have is the 29th.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from functools import lru_cache

from lunar_python import LunarMonth, Solar

from plugins.retail.exits import CHILDREN

__all__ = ["BIRTHDAYS", "FILLERS", "ages", "dates", "families", "in_year", "lunar_days", "next_occasion"]

FILLERS = ("1900-01-01", "1970-01-01")
"""Dates that registration forms fill in by themselves."""
BIRTHDAYS = """
    SELECT customer_id, arg_max(birthday, k) AS birthday, arg_max(birthday_calendar, k) AS calendar FROM (
        SELECT customer_id, birthday, birthday_calendar,
               (coalesce(updated_at, TIMESTAMPTZ '-infinity'), connection, source_id) AS k FROM profiles WHERE birthday IS NOT NULL
    ) GROUP BY customer_id"""


@lru_cache(maxsize=8)
def lunar_days(first: int, last: int) -> dict[str, list[dt.date]]:
    """Return the days of every month-day of the Chinese calendar whose year is one of these, in their order."""
    found: dict[str, list[dt.date]] = {}
    # Year by year: the library remembers the year it worked out last, and no other.
    years = [[_month(year, month) for month in range(1, 13)] for year in range(first, last + 1)]
    for month in range(12):
        for day in range(1, 31):
            begun = (months[month] for months in years)
            found[f"{month + 1:02}-{day:02}"] = [one + dt.timedelta(days=min(day, length) - 1) for one, length in begun]
    return found


def _coming_lunar_days(today: dt.date) -> str:
    """Rows (month-day of the Chinese calendar, next solar day), for every lunar date there is."""
    days = lunar_days(today.year - 1, today.year + 1)
    rows = (
        f"('{month_day}', DATE '{min(day for day in coming if day >= today).isoformat()}')"
        for month_day, coming in days.items()
    )
    return ", ".join(rows)


def _month(year: int, month: int) -> tuple[dt.date, int]:
    """The solar day on which a month of the Chinese calendar begins, and its length."""
    found = LunarMonth.fromYm(year, month)
    first = Solar.fromJulianDay(found.getFirstJulianDay())
    return dt.date(first.getYear(), first.getMonth(), first.getDay()), found.getDayCount()


def in_year(month_day: str, year: str) -> str:
    """Return the day of a month and day (MM-DD) in a year, as SQL; 29 February is the 28th in other years."""
    kept = f"CASE WHEN {month_day} = '02-29' THEN '02-28' ELSE {month_day} END"
    return f"coalesce(TRY_CAST({year} || '-' || {month_day} AS DATE), TRY_CAST({year} || '-' || {kept} AS DATE))"


def _next(month_day: str, today: str) -> str:
    """The next time a month and day (MM-DD) comes around, today included."""
    this, following = in_year(month_day, f"year({today})"), in_year(month_day, f"(year({today}) + 1)")
    return f"CASE WHEN {this} >= {today} THEN {this} ELSE {following} END"


def dates(today: dt.date, family: Sequence[str], zone: str) -> str:
    """Return ``customer_id``, ``occasion`` and ``day``: the next time each known date comes around.

    Args:
        today: the business date of as_of.
        family: event types whose properties ``date`` (and ``name``) tell of a family date.
        zone: the chain's time zone, whose day a registration was on.
    """
    sql = f"DATE '{today.isoformat()}'"
    registered = f"timezone('{zone}', registered_at)::DATE"
    types = ", ".join("'" + name.replace("'", "''") + "'" for name in family) or "NULL"
    return f"""
        WITH solar AS (
            SELECT customer_id, 'birthday' AS occasion, right(birthday, 5) AS month_day FROM ({BIRTHDAYS})
            WHERE calendar = 'solar' AND birthday NOT IN {FILLERS}
            UNION ALL SELECT customer_id, 'child_birthday', strftime(birth, '%m-%d') FROM ({CHILDREN})
            UNION ALL SELECT customer_id, 'member_anniversary', strftime({registered}, '%m-%d') FROM customers
                WHERE {registered} < {sql}
            UNION ALL SELECT customer_id, 'first_purchase_anniversary', strftime(first_order_date, '%m-%d') FROM score_retail
            UNION ALL SELECT customer_id, coalesce(json_extract_string(properties, '$.name'), type),
                right(json_extract_string(properties, '$.date'), 5) FROM events WHERE type IN ({types})
        )
        SELECT customer_id, occasion, day FROM (
            SELECT DISTINCT customer_id, occasion, {_next("month_day", sql)} AS day FROM solar WHERE month_day IS NOT NULL
            UNION ALL SELECT customer_id, 'birthday', l.day FROM ({BIRTHDAYS}) AS b
            JOIN (VALUES {_coming_lunar_days(today)}) AS l(month_day, day) ON l.month_day = right(b.birthday, 5) WHERE b.calendar = 'lunar'
        ) WHERE day IS NOT NULL"""


def next_occasion(today: str, ahead: int) -> str:
    """Return the nearest occasion; of two on one day the birthday comes first."""
    order = "(day, occasion <> 'birthday', occasion)"
    return f"""SELECT customer_id, arg_min(occasion, {order}) AS next_occasion, min(day) AS next_occasion_date,
               min(day) - {today} AS days_to_next_occasion, min(day) - {today} <= {ahead} AS occasion_due
        FROM member_dates GROUP BY customer_id"""


def ages(today: str, young: int) -> str:
    """Return age, band and whether young: from a birthday with a year, no filler date, between 0 and 110 years."""
    return f"""SELECT customer_id, age, age < {young} AS young_group, CASE WHEN age < 18 THEN 'under_18' WHEN age < 25 THEN '18_24'
               WHEN age < 30 THEN '25_29' WHEN age < 40 THEN '30_39' WHEN age < 50 THEN '40_49' ELSE '50_plus' END AS age_band
        FROM (SELECT customer_id, date_diff('year', born, {today}) - (strftime({today}, '%m-%d') < strftime(born, '%m-%d'))::INTEGER AS age
              FROM (SELECT customer_id, TRY_CAST(birthday AS DATE) AS born FROM ({BIRTHDAYS}) WHERE birthday NOT IN {FILLERS}))
        WHERE age BETWEEN 0 AND 110"""


def families(today: str) -> str:
    """Return whether a child is known."""
    return f"SELECT DISTINCT customer_id, true AS family_group FROM ({CHILDREN}) WHERE birth <= {today}"
