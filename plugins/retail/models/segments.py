"""Segments of what is learnt; those of one family are a partition, whoever is not scored included."""

from __future__ import annotations

from hub.segments import Segment
from hub.titles import Title

__all__ = ["MODEL_SEGMENTS"]


def _segment(name: str, zh: str, en: str, where: str, family: str, description: str) -> Segment:
    return Segment(name, Title(zh, en), where, family, description)


MODEL_SEGMENTS = (
    _segment("at_risk_high_value", "即将流失的高价值客户", "High value, about to leave", "at_risk_high_value", "", "A guide calls within 24 hours with the reasons at hand; an exclusive offer."),
    _segment("clv_tier_a", "价值等级 A", "Value tier A", "clv_tier = 'A'", "clv_tier", "The best, who hold half of all expected value: a guide of their own."),
    _segment("clv_tier_b", "价值等级 B", "Value tier B", "clv_tier = 'B'", "clv_tier", "The next 30 % of expected value."),
    _segment("clv_tier_c", "价值等级 C", "Value tier C", "clv_tier = 'C'", "clv_tier", "The next 15 % of expected value."),
    _segment("clv_tier_d", "价值等级 D", "Value tier D", "clv_tier = 'D'", "clv_tier", "The rest: cheap contact."),
    _segment("clv_tier_none", "价值未预测", "Value not forecast", "clv_tier IS NULL", "clv_tier", "Never bought, or too little data."),
    _segment("churn_high", "流失风险高", "Churn risk high", "churn_band = 'high'", "churn", "Active now, likely to stay away: a guide's task with reasons, one in ten left alone as control."),
    _segment("churn_medium", "流失风险中", "Churn risk medium", "churn_band = 'medium'", "churn", "Active now, may stay away: a reason for the next visit."),
    _segment("churn_low", "流失风险低", "Churn risk low", "churn_band = 'low'", "churn", "Active now and coming: no discount needed."),
    _segment("churn_none", "无流失预警", "No early warning", "churn_band IS NULL", "churn", "Not active now, never bought, or too little data."),
    _segment("churn_high_value", "高价值且流失风险高", "Best value, about to leave", "churn_band = 'high' AND clv_tier = 'A'", "", "A personal word within 24 hours."),
)  # fmt: skip
"""All of them."""
