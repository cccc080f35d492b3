"""RFM segments: every customer is in exactly one."""

from __future__ import annotations

from hub.segments import Segment
from hub.titles import Title

__all__ = ["RFM_SEGMENTS"]

FAMILY = "rfm"


def _segment(name: str, zh: str, en: str, where: str, description: str) -> Segment:
    return Segment(name, Title(zh, en), where, FAMILY, description)


RFM_SEGMENTS = (
    _segment(
        "rfm_champions",
        "高价值忠诚",
        "Champions",
        "rfm_r_score >= 4 AND rfm_f_score >= 4 AND rfm_m_score >= 4",
        "Bought lately, often and for much: keep, invite, ask for referrals.",
    ),
    _segment(
        "rfm_loyal",
        "忠诚",
        "Loyal",
        "rfm_r_score >= 3 AND rfm_f_score >= 3 AND NOT (rfm_r_score >= 4 AND rfm_f_score >= 4 AND rfm_m_score >= 4)",
        "Come regularly: raise the basket.",
    ),
    _segment(
        "rfm_promising",
        "潜力成长",
        "Promising",
        "rfm_r_score >= 3 AND rfm_f_score <= 2",
        "Bought lately but seldom: win the next purchase.",
    ),
    _segment(
        "rfm_at_risk",
        "即将流失",
        "At risk",
        "rfm_r_score <= 2 AND (rfm_f_score >= 3 OR rfm_m_score >= 4)",
        "Used to come or to spend and stay away: a guide's personal word.",
    ),
    _segment(
        "rfm_sleeping",
        "沉睡",
        "Sleeping",
        "rfm_r_score <= 2 AND rfm_f_score <= 2 AND rfm_m_score <= 3",
        "Seldom and long ago: a cheap reminder or rest.",
    ),
    _segment("rfm_prospects", "潜客", "Prospects", "rfm_r_score IS NULL", "Known, never bought: the welcome offer."),
)
