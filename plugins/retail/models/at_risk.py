"""The scorer ``at_risk``: customers of high value who are about to leave (即将流失的高价值客户), by rule and by forecast together."""

from __future__ import annotations

from collections.abc import Callable

from hub.scorer import Inputs, Scorer, ScorerConfig, Trait, TraitType
from hub.titles import Title
from plugins.retail.layers import came_often, spent_much
from plugins.retail.origins import with_origins
from plugins.retail.rules import RuleSet, literal

__all__ = ["AtRisk"]


class AtRisk(Scorer):
    """Who is worth a personal word today, and what to talk about."""

    name = "at_risk"
    Config = ScorerConfig
    needs = ("retail", "taste", "signals", "forecast")
    traits = with_origins(
        Trait("at_risk_high_value", TraitType.BOOLEAN, Title("即将流失的高价值客户", "High value, about to leave"), "", "High value (M, or tier A) and frequency in the year up to the last purchase, and slipping or in the churn band high.", "never"),
        Trait("at_risk_reasons", TraitType.TEXT, Title("高价值流失原因", "Why at risk (Chinese)"), "", "Stage, reasons of the churn model and signals, in this order.", "not at risk"),
        Trait("at_risk_reasons_en", TraitType.TEXT, Title("高价值流失原因(英文)", "Why at risk (English)"), "", "The same in English.", "not at risk"),
    )  # fmt: skip

    def per_customer(self, config: ScorerConfig) -> bool:  # noqa: ARG002 - no setting changes it
        """Everything follows from the customer's other traits."""
        return True

    def score(self, inputs: Inputs) -> str:
        """Put the rule, the tier and the band together."""
        rules: RuleSet = inputs.settings["retail"]
        return f"""
            SELECT customer_id, risky AS at_risk_high_value,
                   CASE WHEN risky THEN concat_ws('；', CASE WHEN slipping THEN '已 ' || rfm_r_days || ' 天未到店，进入渐疏期' END,
                        churn_reasons, signals) END AS at_risk_reasons,
                   CASE WHEN risky THEN concat_ws('; ', CASE WHEN slipping THEN 'slipping: no visit for ' || rfm_r_days || ' days' END,
                        churn_reasons_en, signals_en) END AS at_risk_reasons_en
            FROM (
                SELECT *, coalesce((slipping OR churn_band = 'high') AND {_of(rules, came_often)}
                       AND ({_of(rules, spent_much)} OR clv_tier = 'A'), false) AS risky
                FROM (SELECT *, coalesce(lifecycle_stage = 'slipping', false) AS slipping
                      FROM people JOIN score_retail USING (customer_id) LEFT JOIN score_forecast USING (customer_id)
                      LEFT JOIN score_signals USING (customer_id) LEFT JOIN customer_features USING (customer)))"""


def _of(rules: RuleSet, condition: Callable[[RuleSet], str]) -> str:
    """A condition by the rule set of the shop that a customer belongs to."""
    own = " ".join(
        f"WHEN rule_version = {literal(some.version)} THEN {condition(some)}"
        for some in map(rules.of_shops, rules.shops)
    )
    return f"CASE {own} ELSE {condition(rules)} END" if own else condition(rules)
