"""Classes made of scores and stages; each is a partition of all customers, its branches tried in the order written."""

from __future__ import annotations

from plugins.retail.rules import RuleSet, TeaRules

__all__ = ["at_risk", "came_often", "class8", "second_window", "spend_band", "spent_much", "tea_segment", "value_layer"]


def value_layer(rules: RuleSet) -> str:
    """客户分层: prospect, exited, new, loyal (R, F, M all high), sleeping (sleeping or lost), growing (the rest)."""
    high = rules.value.high
    return f"""CASE WHEN lifecycle_stage IN ('prospect', 'exited', 'new') THEN lifecycle_stage
        WHEN rfm_r_score >= {high} AND rfm_f_score >= {high} AND rfm_m_score >= {high} THEN 'loyal'
        WHEN lifecycle_stage IN ('sleeping', 'lost') THEN 'sleeping'
        ELSE 'growing' END"""


def class8(rules: RuleSet) -> str:
    """重要/一般 by M; 价值 (R and F high), 发展 (R high), 保持 (F high), 挽留 (neither)."""
    r, f, m = (f"rfm_{letter}_score >= {rules.value.class8}" for letter in "rfm")
    if rules.value.class8_by == "mean":
        r, f, m = "rfm_r_days <= r_mean", "rfm_f >= f_mean", "rfm_m >= m_mean"
    return f"""CASE WHEN rfm_r_score IS NULL THEN 'prospect' ELSE
        CASE WHEN {m} THEN 'important_' ELSE 'general_' END ||
        CASE WHEN {r} AND {f} THEN 'value' WHEN {r} THEN 'develop' WHEN {f} THEN 'keep' ELSE 'winback' END END"""


def tea_segment(rules: TeaRules) -> str:
    """潜客, 沉睡用户, 新客, 高频奶茶党, 常规客, 偶尔尝鲜族, 渐疏客: the text's three, and what lies between them."""
    # Under four weeks known, the weeks known count; under two, nobody is heavy yet.
    days = f"least({rules.heavy_days}, tenure)"
    heavy = f"tenure >= {rules.heavy_min_days} AND visits_heavy * 7 >= {rules.heavy_per_week!r} * {days}"
    asleep = f"recency >= {rules.sleeping_days}"
    if rules.sleeping_months is not None:
        asleep = f"last_day + INTERVAL '{rules.sleeping_months} months' <= last_day + recency::INTEGER"
    return f"""CASE WHEN first_day IS NULL THEN 'prospect'
        WHEN {asleep} THEN 'sleeping'
        WHEN tenure <= {rules.recent_days} AND visits_life = 1 THEN 'new'
        WHEN {heavy} THEN 'heavy'
        WHEN visits_recent > {rules.taster_visits} THEN 'regular'
        WHEN visits_recent >= 1 THEN 'taster'
        ELSE 'slipping' END"""


def spend_band(rules: RuleSet) -> str:
    """消费力: net value of the last 365 days against the chain's three amounts; none without a purchase in them."""
    medium, high, top = rules.engagement.spend_bands
    return f"""CASE WHEN coalesce(days_365, 0) = 0 THEN NULL WHEN net_365 >= {top!r} THEN 'top' WHEN net_365 >= {high!r} THEN 'high'
        WHEN net_365 >= {medium!r} THEN 'medium' ELSE 'low' END"""


def second_window(rules: RuleSet) -> str:
    """首购未复购, and the days to win the second purchase are nearly over."""
    days, closing = rules.engagement.second_purchase_days, rules.engagement.closing_days
    return f"coalesce(n_days = 1 AND tenure BETWEEN {days - closing + 1} AND {days}, false)"


def at_risk(rules: RuleSet) -> str:
    """即将流失的高价值客户 by rule: spent much, came often in the year up to the last purchase, and is slipping away."""
    return f"coalesce(lifecycle_stage = 'slipping' AND {came_often(rules)} AND {spent_much(rules)}, false)"


def came_often(rules: RuleSet) -> str:
    """High frequency in the 365 days up to the last purchase: recent frequency falls while somebody stays away."""
    return f"days_before_last_365 >= {_high(rules.rfm.frequency, rules.value.high)!r}"


def spent_much(rules: RuleSet) -> str:
    """High value now, or in the 365 days up to the last purchase, by the same measure: net value, per purchase day, or margin.

    The margin of those days is the usual one.
    """
    enough, value = _high(rules.rfm.monetary, rules.value.high), "net_before_last_365"
    if rules.rfm.value == "margin":
        enough /= rules.rfm.margin
    if rules.rfm.value == "per_visit":
        value = "(net_before_last_365::DOUBLE / days_before_last_365)::DECIMAL(18,4)"
    return f"(rfm_m_score >= {rules.value.high} OR {value} >= {enough!r})"


def _high(cuts: tuple[float, ...], score: int) -> float:
    """The cut point from which the score is reached; the last one where there are fewer scores."""
    return cuts[min(score, len(cuts) + 1) - 2]
