"""The person and the membership: occasions, levels, stored value, benefits, referrals, voice, loyalty."""

from __future__ import annotations

from collections.abc import Mapping

from hub.scorer import Inputs, Scorer, ScorerConfig, Trait, TraitType
from hub.titles import Title
from plugins.retail import membership, occasions, voice
from plugins.retail.origins import with_origins
from plugins.retail.rules import RuleSet

__all__ = ["Member"]

_INT, _TEXT, _AMOUNT, _DATE, _BOOL, _NUM = (
    TraitType.INTEGER, TraitType.TEXT, TraitType.AMOUNT, TraitType.DATE, TraitType.BOOLEAN, TraitType.NUMBER,
)  # fmt: skip


def _trait(name: str, kind: TraitType, zh: str, en: str, unit: str, description: str, null_rule: str) -> Trait:
    return Trait(name, kind, Title(zh, en), unit, description, null_rule)


class Member(Scorer):
    """Traits of profiles, memberships, events and feedback."""

    name = "member"
    Config = ScorerConfig
    needs = ("retail",)
    traits = with_origins(
        _trait("age", _INT, "年龄", "Age", "years", "From the birthday alone.", "no birthday with a year, or a filler date"),
        _trait("age_band", _TEXT, "年龄段", "Age band", "", "under_18, 18_24, 25_29, 30_39, 40_49, 50_plus.", "no age"),
        _trait("young_group", _BOOL, "年轻客群", "Young customers", "", "Declared birthday below the rule set's age.", "no age"),
        _trait("family_group", _BOOL, "家庭客群", "Families", "", "Told of a child.", "never"),
        _trait("next_occasion", _TEXT, "下一个纪念日", "Next occasion", "", "birthday, child_birthday, member_anniversary, first_purchase_anniversary or a family event's name.", "no date is known"),
        _trait("next_occasion_date", _DATE, "下一个纪念日日期", "Date of the next occasion", "", "29 February is kept on the 28th in other years; lunar birthdays by the Chinese calendar.", "no date is known"),
        _trait("days_to_next_occasion", _INT, "距下一个纪念日天数", "Days to the next occasion", "d", "0 on the day itself.", "no date is known"),
        _trait("occasion_due", _BOOL, "纪念日将至", "Occasion due", "", "Within the days ahead that the rule set says.", "never"),
        _trait("member_level", _TEXT, "会员等级", "Membership level", "", "As the platform that changed it last says.", "no level known"),
        _trait("level_gap", _AMOUNT, "升级差额", "To the next level", "currency", "Net value missing to the next level of the rule set's ladder.", "no ladder, or on the highest level"),
        _trait("level_near", _BOOL, "即将升级", "Next level near", "", "The gap is a small share of the next level's threshold.", "no ladder"),
        _trait("downgrade_risk_date", _DATE, "降级风险日", "Day the level is lost", "", "Day on which, without another purchase, the value of the qualifying period falls below the level.", "no ladder, or on the lowest level"),
        _trait("sv_balance", _AMOUNT, "储值余额", "Stored value", "currency", "The largest balance of one scheme: schemes are never added up.", "no stored value known"),
        _trait("sv_empty_date", _DATE, "储值用尽日", "Stored value used up", "", "At the pace of the last 90 days.", "no balance, or none of it used in 90 days"),
        _trait("coupon_redemption", _NUM, "优惠券核销率", "Coupon redemption", "1", "Used / (used + expired); open coupons are left out.", "no coupon used or expired"),
        _trait("benefit_use_rate", _NUM, "权益使用率", "Points used", "1", "Points used / points earned in 365 days.", "no points earned in 365 days"),
        _trait("pref_reward", _TEXT, "偏好奖励", "Preferred reward", "", "What points were spent on most often.", "no points spent on anything named"),
        _trait("referrals_n", _INT, "推荐人数", "Referrals", "people", "Invitees who registered; nobody counts twice, none himself.", "never"),
        _trait("advocacy_score", _INT, "共创分", "Advocacy", "0-100", "10 for a review of 4 or 5 of 5, 15 for a shared post, 20 for taking part in an activity, in the days the rule set says.", "never"),
        _trait("kol_candidate", _BOOL, "KOC 候选", "KOC candidate", "", "Loyal layer, enough referrals, and a good review.", "never"),
        _trait("nps_last", _INT, "最近 NPS 分", "Last NPS answer", "0-10", "The last valid answer.", "no answer"),
        _trait("nps_group", _TEXT, "NPS 分组", "NPS group", "", "promoter (9-10), passive (7-8), detractor (0-6).", "no answer"),
        _trait("complaint_topic", _TEXT, "最近投诉主题", "Last complaint's topic", "", "Topic of the last complaint or bad review in 180 days.", "no complaint, or no topic known"),
        _trait("complaint_open", _BOOL, "有未结投诉", "Complaint open", "", "A complaint that is not closed.", "never"),
        _trait("loyalty_index", _NUM, "忠诚度", "Loyalty index", "0-100", "Regularity, tenure, breadth, referrals and NPS by the rule set's weights; parts not known take no weight.", "never bought"),
        _trait("loyalty_parts", _TEXT, "忠诚度构成", "Parts of the loyalty index", "", "regularity/tenure/breadth/referrals/nps, 0 to 1 each, - where not known.", "never bought"),
    )  # fmt: skip

    def per_customer(self, config: ScorerConfig) -> bool:  # noqa: ARG002 - no setting changes it
        """Everything follows from the customer's own facts."""
        return True

    def tables(self, inputs: Inputs) -> Mapping[str, str]:
        """Return the parts that others are made of."""
        rules: RuleSet = inputs.settings["retail"]
        return {
            "member_dates": occasions.dates(inputs.business_date, rules.engagement.family_dates, inputs.zone),
            "member_voice": voice.voice(rules.engagement, inputs.today),
        }

    def parts(self, inputs: Inputs) -> Mapping[str, str]:
        """Return the large ones of those that are joined."""
        rules: RuleSet = inputs.settings["retail"]
        return {
            "member_loyalty": voice.loyalty(rules),
            "member_stored_value": membership.stored_value(inputs.today),
            "member_benefits": membership.benefits(inputs.today),
        }

    def score(self, inputs: Inputs) -> str:
        """Join the parts."""
        rules: RuleSet = inputs.settings["retail"]
        parts = (
            occasions.ages(inputs.today, rules.engagement.young_below),
            occasions.families(inputs.today),
            occasions.next_occasion(inputs.today, rules.engagement.occasion_days),
            membership.levels(rules.levels, inputs.today, rules.engagement.level_near),
            "FROM member_stored_value",
            "FROM member_benefits",
            "FROM member_loyalty",
        )
        joins = " ".join(f"LEFT JOIN ({part}) AS p{n} USING (customer_id)" for n, part in enumerate(parts))
        return f"""
            SELECT * REPLACE (coalesce(family_group, false) AS family_group, coalesce(occasion_due, false) AS occasion_due)
            FROM (SELECT customer_id FROM customers) {joins}"""
