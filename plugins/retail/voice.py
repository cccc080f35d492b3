"""What customers say and do for the chain: answers, reviews, complaints, referrals; and the loyalty index made of it."""

from __future__ import annotations

from plugins.retail.rules import EngagementRules, RuleSet

__all__ = ["loyalty", "voice"]


def voice(rules: EngagementRules, today: str) -> str:
    """Return referrals, advocacy, the last recommendation answer and the last complaint.

    A referral is an event ``referral.registered`` of the inviter with the invitee as its subject.
    """
    lately = f"business_date >= {today} - {rules.advocacy_days}"
    good = "type = 'review' AND score * 5 >= 4 * coalesce(score_max, 5)"
    bad = "(type = 'complaint' OR (type = 'review' AND score * 5 <= 2 * coalesce(score_max, 5)))"
    recent = f"business_date >= {today} - 180"
    last = "(occurred_at, connection, source_id)"
    return f"""
        WITH said AS (
            SELECT customer_id, count(*) FILTER ({good}) AS good_reviews, count(*) FILTER ({good} AND {lately}) AS good_lately,
                   arg_max(score, {last}) FILTER (type = 'nps' AND score BETWEEN 0 AND 10)::INTEGER AS nps_last,
                   arg_max(topic, {last}) FILTER ({bad} AND {recent} AND topic IS NOT NULL) AS complaint_topic,
                   coalesce(bool_or(type = 'complaint' AND coalesce(status, 'open') NOT IN ('closed', 'solved', 'done')), false)
                       AS complaint_open
            FROM feedback GROUP BY customer_id
        ), did AS (
            SELECT customer_id,
                   count(DISTINCT subject_id) FILTER (type = 'referral.registered' AND subject_id <> customer_id) AS referrals,
                   count(*) FILTER (type = 'post.shared' AND {lately}) AS posts,
                   count(*) FILTER (type = 'activity.joined' AND {lately}) AS activities
            FROM events WHERE type IN ('referral.registered', 'post.shared', 'activity.joined') GROUP BY customer_id
        )
        SELECT customer_id, coalesce(referrals, 0) AS referrals_n, coalesce(good_reviews, 0) AS good_reviews, nps_last,
               least(100, 10 * coalesce(good_lately, 0) + 15 * coalesce(posts, 0) + 20 * coalesce(activities, 0)) AS advocacy_score,
               complaint_topic, coalesce(complaint_open, false) AS complaint_open
        FROM customers LEFT JOIN said USING (customer_id) LEFT JOIN did USING (customer_id)"""


def loyalty(rules: RuleSet) -> str:
    """Return the voice traits with the loyalty index.

    Regularity is the share of expected cycles bought in: purchase days of a year / (the year or tenure / median gap), at most
    1. Breadth is the share of the chain's categories bought. A part that is not known gives its weight to the others.
    """
    part = rules.loyalty
    named = {
        "regularity": part.regularity,
        "seniority": part.tenure,
        "breadth": part.breadth,
        "referred": part.referrals,
        "recommending": part.nps,
    }
    total = " + ".join(f"{weight!r} * coalesce({name}, 0)" for name, weight in named.items())
    weights = " + ".join(f"CASE WHEN {name} IS NULL THEN 0 ELSE {weight!r} END" for name, weight in named.items())
    shown = ", ".join(f"coalesce(printf('%.2f', {name}), '-')" for name in named)
    return f"""
        WITH categories AS (SELECT greatest(count(DISTINCT category), 1) AS n FROM products WHERE category IS NOT NULL),
        bought AS (
            SELECT customer, sum(bit_count(bits))::BIGINT AS n FROM (
                SELECT customer, category_no // 64 AS word, bit_or(1::UBIGINT << (category_no & 63)::UBIGINT) AS bits
                FROM customer_lines JOIN articles USING (article) WHERE category_no IS NOT NULL GROUP BY customer, word
            ) GROUP BY customer
        ), parts AS (
            SELECT v.*, r.value_layer, f.customer IS NOT NULL AS is_buyer,
                   CASE WHEN f.gap_median > 0 THEN least(f.days_365 * f.gap_median / least(f.tenure, 365), 1) END AS regularity,
                   least(f.tenure / {part.tenure_days}, 1) AS seniority,
                   CASE WHEN b.n > 0 THEN least(b.n / categories.n, 1) END AS breadth,
                   least(v.referrals_n / {part.referrals_full}, 1) AS referred, v.nps_last / 10 AS recommending
            FROM member_voice AS v JOIN score_retail AS r USING (customer_id)
            JOIN people USING (customer_id) LEFT JOIN customer_features AS f USING (customer)
            LEFT JOIN bought AS b USING (customer), categories
        )
        SELECT customer_id, referrals_n, advocacy_score, nps_last, complaint_topic, complaint_open,
               CASE WHEN nps_last >= 9 THEN 'promoter' WHEN nps_last >= 7 THEN 'passive' WHEN nps_last >= 0 THEN 'detractor' END AS nps_group,
               value_layer = 'loyal' AND referrals_n >= {rules.engagement.kol_referrals} AND good_reviews > 0 AS kol_candidate,
               CASE WHEN is_buyer THEN round(100 * ({total}) / nullif({weights}, 0), 2) END AS loyalty_index,
               CASE WHEN is_buyer THEN concat_ws('/', {shown}) END AS loyalty_parts
        FROM parts"""
