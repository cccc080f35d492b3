"""How long a customer counts as active after a purchase, where the trade has seasons or occasions.

A boutique's customer who buys coats every autumn does not slip away in spring, and one who bought flowers for a birthday comes
back for the next occasion. The days that a purchase lasts follow from what was known on its day, so that the stage of every
earlier day can be worked out like today's.
"""

from __future__ import annotations

import datetime as dt

from plugins.retail.exits import CHILDREN
from plugins.retail.occasions import BIRTHDAYS, FILLERS, in_year, lunar_days
from plugins.retail.rules import RuleSet, Stages

__all__ = ["own_dates", "slips", "slips_after", "stay_of_purchase", "stays"]

_YEARS = 15
"""Years back that own occasions are worked out for; purchases before them last as long as ``active``."""


def stays(stages: Stages, last: str) -> str:
    """Return the days of silence after a purchase that still are active, as SQL over the feature table.

    Args:
        stages: the limits.
        last: the purchase: ``last_day``, or the one before ``late_day``.
    """
    if stages.basis == "silence":
        return str(stages.active)
    return "last_stay" if last == "last_day" else "late_stay"


def slips(stages: Stages, last: str) -> str:
    """Return the days of silence after a purchase that are slipping at most; see :func:`stays`."""
    if stages.basis == "silence":
        return str(stages.slipping)
    return slips_after(stages, stays(stages, last))


def slips_after(stages: Stages, stay: str) -> str:
    """Return the slipping limit beside an active limit of its own; whoever is lost slips no more."""
    return f"least({stay} + {stages.slipping - stages.active}, {stages.sleeping})"


def stay_of_purchase(stages: Stages) -> str:
    """Return the days that the purchase of a row of ``customer_days`` lasts.

    By season: until the day on which the customer was back last year (``back_day``: the first purchase later than ``active`` days
    after the same day of last year, the row's own at the latest); ``active`` for whom nothing is known of that time. By
    occasion: until some days after the next of ``own_days``, the anniversary of the first purchase among them.
    """
    if stages.basis == "season":
        year_ago = "(business_date - 365)"
        known = f"begun <= {year_ago} + {stages.active}"
        return f"CASE WHEN {known} THEN least((back_day - {year_ago})::INTEGER, {stages.sleeping}) ELSE {stages.active} END"
    year = "year(business_date) - year(begun)"
    anniversaries = ", ".join(f"CAST(begun + to_years(({year} + {n})::INTEGER) AS DATE)" for n in (0, 1, 2))
    after = f"""list_filter(list_concat(coalesce(own_days, []), [{anniversaries}]),
                lambda day: day > business_date + {stages.occasion_days})"""
    return f"least((list_min({after}) - business_date)::INTEGER + {stages.occasion_grace}, {stages.active})"


def own_dates(rules: RuleSet, today: dt.date) -> str:
    """Return ``customer`` and ``own_days``: birthday, children's and family dates in each of the last years and the coming two.

    Args:
        rules: they say whether there are occasions, and which events tell of family dates.
        today: the business date of as_of.
    """
    if all(some.stages.basis != "occasion" for some in (rules, *map(rules.of_shops, rules.shops))):
        return "SELECT NULL::INTEGER AS customer, NULL::DATE[] AS own_days WHERE false"
    years = f"range({today.year - _YEARS}, {today.year + 3})"
    types = ", ".join("'" + name.replace("'", "''") + "'" for name in rules.engagement.family_dates) or "NULL"
    lunar = ", ".join(
        f"('{month_day}', DATE '{day.isoformat()}')"
        for month_day, days in lunar_days(today.year - _YEARS, today.year + 2).items()
        for day in days
    )
    return f"""
        WITH solar AS (
            SELECT customer_id, right(birthday, 5) AS month_day FROM ({BIRTHDAYS}) WHERE calendar = 'solar' AND birthday NOT IN {FILLERS}
            UNION SELECT customer_id, strftime(birth, '%m-%d') FROM ({CHILDREN})
            UNION SELECT customer_id, right(json_extract_string(properties, '$.date'), 5) FROM events WHERE type IN ({types})
        ), days AS (
            SELECT customer_id, {in_year("month_day", "y.year::VARCHAR")} AS day FROM solar, (SELECT unnest({years}) AS year) AS y
            UNION SELECT customer_id, l.day FROM ({BIRTHDAYS}) AS b JOIN (VALUES {lunar}) AS l(month_day, day)
            ON l.month_day = right(b.birthday, 5) WHERE b.calendar = 'lunar'
        )
        SELECT customer, list(day ORDER BY day) AS own_days FROM days JOIN people USING (customer_id)
        WHERE day IS NOT NULL GROUP BY customer"""
