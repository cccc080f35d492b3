"""The scorer ``care``: what somebody is likely to need now, by what is used up, by age in months, by week of training, by season."""

from __future__ import annotations

import datetime as dt
from functools import lru_cache

from lunar_python import Solar

from hub.scorer import Inputs, Scorer, ScorerConfig, Trait, TraitType
from hub.titles import Title
from plugins.retail.exits import CHILDREN
from plugins.retail.origins import with_origins
from plugins.retail.rules import CareRules, RuleSet

__all__ = ["Care", "need_groups", "season_of_day"]

_PULL = 2
"""Usage times of the need's usual pace mixed into a customer's own."""
_BABY_MONTHS = 36
_SEASONS = {"立春": "spring", "立夏": "summer", "立秋": "autumn", "立冬": "winter"}
"""Solar terms on which the seasons of the Chinese calendar begin."""


class Care(Scorer):
    """When to speak to somebody about what: need groups that run out, and topics of care."""

    name = "care"
    Config = ScorerConfig
    needs = ("retail", "taste")
    traits = with_origins(
        Trait("replenish_need", TraitType.TEXT, Title("待补货需求", "Need to be replenished"), "", "Need group of the rule set that is used up soonest; any pack or product of the group counts as bought.", "no need groups, or none bought"),
        Trait("replenish_need_date", TraitType.DATE, Title("需求补货提醒日", "Reminder date of the need"), "", "Last purchase + the reminder share of units × days per unit, own pace mixed with the group's.", "no need groups, or none bought"),
        Trait("replenish_need_due", TraitType.BOOLEAN, Title("需求补货到期", "Need due"), "", "The reminder date has come, at most the rule set's window of days ago.", "never"),
        Trait("care_topic", TraitType.TEXT, Title("关怀主题", "Care topic"), "", "Content key: baby_7m by the youngest child's month, training_w3 by the week since the first purchase, season_spring at a season's beginning.", "no topic now"),
        Trait("care_date", TraitType.DATE, Title("关怀主题起始日", "Care topic since"), "", "Day on which the month, the week or the season began.", "no topic now"),
    )  # fmt: skip

    def per_customer(self, config: ScorerConfig) -> bool:  # noqa: ARG002 - no setting changes it
        """Everything follows from the customer's own facts and the settings."""
        return True

    def score(self, inputs: Inputs) -> str:
        """Join needs and topics."""
        rules: RuleSet = inputs.settings["retail"]
        due = f"replenish_need_date BETWEEN {inputs.today} - {rules.care.window_days} AND {inputs.today}"
        return f"""
            SELECT customer_id, replenish_need, replenish_need_date, coalesce({due}, false) AS replenish_need_due,
                   coalesce(baby_topic, training_topic, season_topic) AS care_topic,
                   CASE WHEN baby_topic IS NOT NULL THEN baby_date WHEN training_topic IS NOT NULL THEN training_date
                        WHEN season_topic IS NOT NULL THEN season_date END AS care_date
            FROM people LEFT JOIN ({_needs(rules.care, rules.engagement.reminder_share)}) USING (customer)
            LEFT JOIN ({_of_buyers(rules.care, inputs.business_date)}) USING (customer) LEFT JOIN ({_babies(inputs.today)}) USING (customer_id)"""


def _needs(rules: CareRules, share: float) -> str:
    """The need group that is used up first: own intervals shrunk to the group's days per unit, × units bought, × share."""
    if not rules.needs:
        return "SELECT NULL::INTEGER AS customer, NULL::VARCHAR AS replenish_need, NULL::DATE AS replenish_need_date WHERE false"
    return f"""
        WITH goods AS ({need_groups(rules, "good")}),
        days AS (
            SELECT customer, need, any_value(pace) AS pace, business_date, sum(kept) AS units
            FROM customer_lines JOIN articles USING (article) JOIN goods USING (good) WHERE kept > 0
            GROUP BY customer, need, business_date
        ), waits AS (
            SELECT *, (lead(business_date) OVER (PARTITION BY customer, need ORDER BY business_date) - business_date)::INTEGER AS wait
            FROM days
        ), own AS (
            SELECT customer, need, any_value(pace) AS pace, count(wait) AS n, sum(wait)::BIGINT AS waited,
                   sum(units) FILTER (wait IS NOT NULL) AS used, max(business_date) AS last_day,
                   arg_max(units, business_date) AS last_units FROM waits GROUP BY customer, need
        ), due AS (
            SELECT customer, need, last_day + CAST(ceil({share!r} * last_units::DOUBLE *
                (coalesce(n * waited::DOUBLE / used::DOUBLE, 0) + {_PULL} * pace) / (n + {_PULL})) AS INTEGER) AS day FROM own
        )
        SELECT customer, arg_min(need, (day, need)) AS replenish_need, min(day) AS replenish_need_date FROM due GROUP BY customer"""


def need_groups(rules: CareRules, key: str) -> str:
    """Return ``need`` and ``pace`` (days per unit) of every product that belongs to a need group.

    Args:
        rules: at least one need group.
        key: what products are told by: ``good`` or ``code`` of ``articles``.
    """
    rows = ", ".join(
        f"({_text(need.name)}, {_text(word.lower())}, {need.days_per_unit!r}, {n})"
        for n, need in enumerate(rules.needs)
        for word in need.words
    )
    return f"""
        SELECT {key}, arg_min(need, nth) AS need, arg_min(pace, nth) AS pace
        FROM (SELECT DISTINCT {key}, lower(concat_ws(' ', category, product)) AS words FROM articles WHERE goods AND {key} IS NOT NULL)
        JOIN (VALUES {rows}) AS n(need, word, pace, nth) ON contains(words, word) GROUP BY {key}"""


def _of_buyers(rules: CareRules, today: dt.date) -> str:
    """Week of training since the first purchase, and the season that has just begun, of customers who have bought."""
    week, first = "(tenure // 7 + 1)", "first_day + 7 * (tenure // 7)::INTEGER"
    season, begun = season_of_day(today)
    fresh = (today - begun).days < rules.season_days
    return f"""
        SELECT customer, CASE WHEN tenure < 7 * {rules.training_weeks} THEN 'training_w' || {week} END AS training_topic,
               CAST({first} AS DATE) AS training_date, {_text(f"season_{season}") if fresh else "NULL::VARCHAR"} AS season_topic,
               DATE '{begun.isoformat()}' AS season_date
        FROM customer_features"""


def _babies(today: str) -> str:
    months = f"date_diff('month', birth, {today}) - (day({today}) < day(birth))::INTEGER"
    return f"""
        SELECT customer_id, 'baby_' || months || 'm' AS baby_topic, CAST(birth + to_months(months) AS DATE) AS baby_date
        FROM (SELECT customer_id, birth, CAST({months} AS INTEGER) AS months
              FROM (SELECT customer_id, max(birth) AS birth FROM ({CHILDREN}) WHERE birth <= {today} GROUP BY customer_id))
        WHERE months < {_BABY_MONTHS}"""


@lru_cache(maxsize=8)
def season_of_day(day: dt.date) -> tuple[str, dt.date]:
    """Return the season of the Chinese calendar that a day lies in, and the day on which it began."""
    found = []
    for year in (day.year - 1, day.year):
        terms = Solar.fromYmd(year, 6, 1).getLunar().getJieQiTable()
        found += [(dt.date.fromisoformat(terms[term].toYmd()), season) for term, season in _SEASONS.items()]
    begun, season = max(one for one in found if one[0] <= day)
    return season, begun


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"
