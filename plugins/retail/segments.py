"""Ready-made segments. Those of one family are a partition: every customer is in exactly one of them."""

from __future__ import annotations

from hub.segments import Segment
from hub.titles import Title

__all__ = ["SEGMENTS"]


def _by_value(family: str, trait: str, names: dict[str, tuple[str, str, str]], prefix: str = "") -> tuple[Segment, ...]:
    """One segment per value of a trait: name, titles, what it is for."""
    return tuple(
        Segment(f"{prefix or family}_{value}", Title(zh, en), f"{trait} = '{value}'", family, description)
        for value, (zh, en, description) in names.items()
    )


TEA = _by_value("tea", "tea_segment", {
    "heavy": ("高频奶茶党", "Heavy tea drinkers", "At least 3 visits a week: stored value with a bonus, own group, new-drink tasting."),
    "regular": ("常规客", "Regulars", "At least 3 visits in 30 days, not yet heavy: points, a reason for one more visit a week."),
    "taster": ("偶尔尝鲜族", "Occasional tasters", "1 or 2 visits in 30 days: second cup half price in a quiet hour."),
    "slipping": ("渐疏客", "Slipping away", "No visit for 31 to 59 days: a reminder before sleep."),
    "sleeping": ("沉睡用户", "Sleepers", "No visit for 60 days: a free drink for coming back, the favourite named."),
    "new": ("新客", "New guests", "First visit within 30 days, one so far: win the second."),
    "prospect": ("潜客", "Prospects", "Known, never bought: the welcome offer."),
})  # fmt: skip

VALUE_LAYER = _by_value("value_layer", "value_layer", {
    "loyal": ("高价值忠诚", "High-value loyal", "Recent, frequent, valuable: exclusive rights, a guide of their own, referrals."),
    "growing": ("潜力成长", "Growing", "Comes, with room to grow: bundles, trials, upgrade gifts."),
    "sleeping": ("沉睡唤醒", "Sleeping", "Sleeping or lost: recall by preference, a reason asked."),
    "new": ("新客", "New", "In the first month: guidance, the second purchase."),
    "prospect": ("潜客", "Prospects", "Known, never bought: the welcome offer."),
    "exited": ("自然退出", "Naturally gone", "Has outgrown the range: no winback; other ranges, referrals."),
}, "layer")  # fmt: skip

CLASS8 = _by_value("class8", "rfm_class8", {
    "important_value": ("重要价值客户", "Important, valuable", "R, F and M high."),
    "important_develop": ("重要发展客户", "Important, to develop", "R and M high, F low: raise frequency."),
    "important_keep": ("重要保持客户", "Important, to keep", "F and M high, R low: come back soon."),
    "important_winback": ("重要挽留客户", "Important, to win back", "M high, R and F low: a personal word."),
    "general_value": ("一般价值客户", "General, valuable", "R and F high, M low: raise the basket."),
    "general_develop": ("一般发展客户", "General, to develop", "R high, F and M low."),
    "general_keep": ("一般保持客户", "General, to keep", "F high, R and M low."),
    "general_winback": ("一般挽留客户", "General, to win back", "R, F and M low: cheap contact or rest."),
    "prospect": ("潜客", "Prospects", "Never bought."),
})  # fmt: skip

LIFECYCLE = _by_value("lifecycle", "lifecycle_stage", {
    "prospect": ("潜客", "Prospects", "Known, never bought."),
    "new": ("新客", "New", "First purchase within the first month."),
    "repurchase": ("复购期", "Second and third purchase", "Two or three purchase days, still in time."),
    "active": ("活跃客", "Active", "Buys within the active limit."),
    "slipping": ("渐疏", "Slipping", "Silent longer than the active limit."),
    "sleeping": ("沉睡", "Sleeping", "Silent longer than the slipping limit."),
    "lost": ("流失", "Lost", "Silent longer than the sleeping limit."),
    "revived": ("唤醒", "Revived", "Came back from sleep within 30 days."),
    "exited": ("自然退出", "Naturally gone", "Has outgrown the range."),
})  # fmt: skip

_HIGH = "rfm_r_score >= 4 AND rfm_f_score >= 4 AND rfm_m_score >= 4"
RFM = (
    Segment("rfm_champions", Title("高价值忠诚", "Champions"), _HIGH, "rfm", "Bought lately, often and for much: keep, invite, ask for referrals."),
    Segment("rfm_loyal", Title("忠诚", "Loyal"), f"rfm_r_score >= 3 AND rfm_f_score >= 3 AND NOT ({_HIGH})", "rfm", "Come regularly: raise the basket."),
    Segment("rfm_promising", Title("潜力成长", "Promising"), "rfm_r_score >= 3 AND rfm_f_score <= 2", "rfm", "Bought lately but seldom: win the next purchase."),
    Segment("rfm_at_risk", Title("即将流失", "At risk"), "rfm_r_score <= 2 AND (rfm_f_score >= 3 OR rfm_m_score >= 4)", "rfm", "Used to come or to spend and stay away: a guide's personal word."),
    Segment("rfm_sleeping", Title("沉睡", "Sleeping"), "rfm_r_score <= 2 AND rfm_f_score <= 2 AND rfm_m_score <= 3", "rfm", "Seldom and long ago: a cheap reminder or rest."),
    Segment("rfm_prospects", Title("潜客", "Prospects"), "rfm_r_score IS NULL", "rfm", "Known, never bought: the welcome offer."),
)  # fmt: skip

SINGLE = (
    Segment("one_purchase_window_closing", Title("首购未复购·窗口将关闭", "One purchase, window closing"), "second_window_closing", "", "The second-purchase offer, now."),
    Segment("occasion_due", Title("纪念日将至", "Occasion due"), "occasion_due", "", "A greeting with an offer; once per occasion and year."),
    Segment("need_due", Title("补货到期", "Need due"), "replenish_need_due", "", "What runs out, by need group: a reminder with the offer attached."),
    Segment("level_near", Title("即将升级", "Next level near"), "level_near", "", "Tell how little is missing."),
    Segment("koc_candidates", Title("KOC 候选", "KOC candidates"), "kol_candidate", "", "Invite to recommend: loyal, with referrals and good reviews."),
    Segment("nps_detractors", Title("NPS 贬损者", "NPS detractors"), "nps_group = 'detractor'", "", "A person answers within 48 hours."),
    Segment("global_holdout", Title("全局对照组", "Global control group"), "global_holdout", "", "Gets no marketing; what the programme is worth is measured against them."),
)  # fmt: skip

AT_RISK_BY_RULE = Segment("at_risk_high_value", Title("即将流失的高价值客户", "High value, about to leave"), "at_risk_rule", "", "A guide calls within 24 hours; an exclusive offer.")  # fmt: skip
"""Where nothing is forecast; else the models' segment of the same name, by rule and forecast together."""

SEGMENTS = (*TEA, *VALUE_LAYER, *CLASS8, *LIFECYCLE, *RFM, *SINGLE)
"""All of them."""
