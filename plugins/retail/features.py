"""The feature table: one row per buyer, from one pass over the customer × day table.

Sums are of whole numbers and decimals, so that the order of the rows never shows in the last digit.
"""

from __future__ import annotations

from plugins.retail.rules import RuleSet, Stages
from plugins.retail.staying import slips_after, stay_of_purchase

__all__ = ["FEATURES", "customer_features"]

FEATURES = {
    "first_day": "first purchase day",
    "last_day": "last purchase day",
    "recency": "days from the last purchase day to the business date of as_of",
    "tenure": "days from the first purchase day to the business date of as_of",
    "n_days": "purchase days, lifetime",
    "orders_life": "valid orders, lifetime",
    "visits_life": "visits, lifetime",
    "net_life": "net value, lifetime",
    "discount_life": "discounts, lifetime",
    "coupon_orders_life": "orders with a coupon, lifetime",
    "days_window": "purchase days in the RFM window",
    "visits_window": "visits in the RFM window",
    "orders_window": "orders in the RFM window",
    "net_window": "net value in the RFM window",
    "days_30": "purchase days in the last 30 days; also visits_30, orders_30, net_30",
    "days_90": "the same of 90 days; also visits_90, orders_90, net_90",
    "days_365": "the same of 365 days; also visits_365, orders_365, net_365",
    "days_prior_90": "the same from 91 to 180 days ago; also visits_prior_90, orders_prior_90, net_prior_90",
    "visits_heavy": "visits in the days that the tea rules average over",
    "visits_recent": "visits in the days that the tea rules count tasters in",
    "days_before_last_365": "purchase days in the 365 days that end with the last purchase day",
    "net_before_last_365": "net value of those days",
    "second_day": "day of the second purchase",
    "fourth_day": "day of the fourth purchase",
    "late_day": "last purchase day that followed a silence longer than the active limit",
    "late_gap": "that silence, days",
    "return_day": "last purchase day that followed a silence longer than the slipping limit",
    "return_gap": "that silence, days",
    "last_stay": "days that the last purchase lasts; where the rules go by season or occasion, like late_stay",
    "late_stay": "days that the purchase before late_day lasted",
    "gaps": "number of gaps between purchase days",
    "gap_mean": "mean gap between purchase days, days",
    "gap_sd": "standard deviation of the gaps, two gaps needed",
    "gap_median": "median gap",
    "gap_max": "longest gap",
    "gap_last3": "mean of the last three gaps, four gaps needed",
    "gap_earlier": "mean of the gaps before those",
    "value_mean": "net value per purchase day, lifetime",
    "value_cv10": "coefficient of variation of the net value of the last ten purchase days, two needed",
}
"""Columns of ``customer_features`` beside ``customer``, the number in ``people``."""


def _within(today: str, days: int, before: int = 0) -> str:
    """The ``days`` business days that end ``before`` days before the day before today."""
    return f"business_date >= {today} - {days + before} AND business_date < {today} - {before}"


def customer_features(rules: RuleSet, today: str, only: str = "") -> str:
    """Return the ``SELECT`` that makes ``customer_features`` from ``customer_days`` and ``busy_days``; its columns are :data:`FEATURES`.

    Only customers with at least one purchase have a row. A window of n days is the n business days before ``today``.

    Args:
        rules: the chain's rule set.
        today: the business date of as_of as a SQL literal.
        only: a join that narrows the customers.
    """
    spans = {"30": (30,), "90": (90,), "365": (365,), "prior_90": (90, 90)}
    same = next((name for name, span in spans.items() if span == (rules.rfm.window_days,)), None)
    if same is None:
        spans["window"] = (rules.rfm.window_days,)
    stages = rules.stages
    ratio = "CASE WHEN {} THEN ({})::DOUBLE / ({}) END"
    return f"""
        WITH ordered AS (
            SELECT d.*, orders > 0 AS bought, coalesce(b.visits, least(orders, 1)) AS visits,
                   (business_date - lag(business_date) OVER w)::INTEGER AS gap,
                   row_number() OVER w AS nth, count(*) OVER whole AS n, max(business_date) OVER whole AS final_day{_staying(stages)}
            FROM {f"(FROM customer_days {only})" if only else "customer_days"} AS d LEFT JOIN busy_days AS b USING (customer, business_date){_own_days(stages)}
            WINDOW w AS (PARTITION BY customer, orders > 0 ORDER BY business_date),
                   whole AS (PARTITION BY customer, orders > 0 ORDER BY business_date
                             ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING)
        ), summed AS (
            SELECT customer,
                   min(business_date) FILTER (bought) AS first_day, max(business_date) FILTER (bought) AS last_day,
                   count(*) FILTER (bought) AS n_days, sum(orders)::BIGINT AS orders_life, sum(visits)::BIGINT AS visits_life,
                   sum(net_value)::DECIMAL(18,4) AS net_life, sum(discount_value)::DECIMAL(18,4) AS discount_life,
                   sum(coupon_orders)::BIGINT AS coupon_orders_life,
                   {", ".join(_sums(name, _within(today, *span)) for name, span in spans.items())},
                   coalesce(sum(visits) FILTER ({_within(today, rules.tea.heavy_days)}), 0)::BIGINT AS visits_heavy,
                   coalesce(sum(visits) FILTER ({_within(today, rules.tea.recent_days)}), 0)::BIGINT AS visits_recent,
                   count(*) FILTER (bought AND business_date > final_day - 365) AS days_before_last_365,
                   sum(net_value) FILTER (bought AND business_date > final_day - 365)::DECIMAL(18,4) AS net_before_last_365,
                   min(business_date) FILTER (bought AND nth = 2) AS second_day,
                   min(business_date) FILTER (bought AND nth = 4) AS fourth_day,
                   {_returns(stages)},
                   sum(gap) FILTER (bought)::BIGINT AS gap_sum, sum(gap * gap) FILTER (bought)::BIGINT AS gap_squares,
                   median(gap) FILTER (bought) AS gap_median, max(gap) FILTER (bought) AS gap_max,
                   sum(gap) FILTER (bought AND nth > n - 3)::BIGINT AS gap_sum3,
                   sum(net_value) FILTER (bought AND nth > n - 10) AS value_sum10,
                   sum(net_value::DECIMAL(19,4) * net_value::DECIMAL(19,4)) FILTER (bought AND nth > n - 10) AS value_squares10
            FROM {_stayed(stages)} GROUP BY customer HAVING n_days > 0
        ), counted AS (SELECT *, n_days - 1 AS gaps, least(n_days, 10) AS n10 FROM summed)
        SELECT * EXCLUDE (gap_sum, gap_squares, gap_sum3, value_sum10, value_squares10, n10),{_alias(same)}
               {today} - last_day AS recency, {today} - first_day AS tenure,
               {ratio.format("gaps > 0", "gap_sum", "gaps")} AS gap_mean,
               CASE WHEN gaps > 1 THEN sqrt((gaps * gap_squares - gap_sum * gap_sum)::DOUBLE / (gaps * (gaps - 1))) END AS gap_sd,
               {ratio.format("gaps > 3", "gap_sum3", "3")} AS gap_last3,
               {ratio.format("gaps > 3", "gap_sum - gap_sum3", "gaps - 3")} AS gap_earlier,
               net_life::DOUBLE / n_days AS value_mean,
               CASE WHEN n10 > 1 AND value_sum10 > 0 THEN
                   sqrt(greatest(n10 * value_squares10::DOUBLE - value_sum10::DOUBLE * value_sum10::DOUBLE, 0) / (n10 * (n10 - 1)))
                   / (value_sum10::DOUBLE / n10) END AS value_cv10
        FROM counted"""


def _alias(same: str | None) -> str:
    """The RFM window's columns, where a window of the same days has been summed up anyway."""
    return (
        "" if same is None else "".join(f" {of}_{same} AS {of}_window," for of in ("days", "visits", "orders", "net"))
    )


def _sums(suffix: str, when: str) -> str:
    """Purchase days, visits, orders and net value of a window."""
    return (
        f"count(*) FILTER (bought AND {when}) AS days_{suffix}, "
        f"coalesce(sum(visits) FILTER ({when}), 0)::BIGINT AS visits_{suffix}, "
        f"coalesce(sum(orders) FILTER ({when}), 0)::BIGINT AS orders_{suffix}, "
        f"coalesce(sum(net_value) FILTER ({when}), 0)::DECIMAL(18,4) AS net_{suffix}"
    )


def _staying(stages: Stages) -> str:
    """What :func:`stay_of_purchase` reads beside the row."""
    if stages.basis == "silence":
        return ""
    columns = ", min(business_date) OVER whole AS begun"
    if stages.basis == "season":
        columns += f""", min(business_date) OVER (PARTITION BY customer, orders > 0 ORDER BY business_date
                   RANGE BETWEEN INTERVAL '{364 - stages.active} days' PRECEDING AND CURRENT ROW) AS back_day"""
    else:
        columns += ", own_days"
    return columns


def _own_days(stages: Stages) -> str:
    return " LEFT JOIN own_dates USING (customer)" if stages.basis == "occasion" else ""


def _stayed(stages: Stages) -> str:
    """Purchase days with how long each lasts, and how long the one before did."""
    if stages.basis == "silence":
        return "ordered"
    return f"""(SELECT *, lag(stay) OVER (PARTITION BY customer, bought ORDER BY business_date) AS stay_before
                    FROM (SELECT *, {stay_of_purchase(stages)} AS stay FROM ordered))"""


def _returns(stages: Stages) -> str:
    """The last purchase days after a silence longer than active, and than slipping."""
    if stages.basis == "silence":
        return f"{_last_after(stages.active, 'late')}, {_last_after(stages.slipping, 'return')}"
    return f"""{_last_after("stay_before", "late")}, {_last_after(slips_after(stages, "stay_before"), "return")},
                   arg_max(stay, business_date) FILTER (bought)::INTEGER AS last_stay,
                   arg_max(stay_before, business_date) FILTER (bought AND gap > stay_before)::INTEGER AS late_stay"""


def _last_after(limit: int | str, name: str) -> str:
    """The last purchase day after a longer silence than a limit, and that silence."""
    late = f"FILTER (bought AND gap > {limit})"
    return f"max(business_date) {late} AS {name}_day, arg_max(gap, business_date) {late} AS {name}_gap"
