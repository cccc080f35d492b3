"""The scorer ``signals``: what a chain watches besides purchases, before somebody stays away.

A signal that is not known is empty and not 0: a chain without coupons, or a customer who was never asked, tells nothing.
"""

from __future__ import annotations

from hub.scorer import Inputs, Scorer, ScorerConfig, Trait, TraitType
from hub.titles import Title
from plugins.retail.origins import with_origins
from plugins.retail.rules import EngagementRules, RuleSet

__all__ = ["SENTENCES", "Signals"]

_RECENT, _BEFORE = 60, 180
"""Days now, and days before those, that are compared."""
_FEWEST = 3
"""Answers, purchase days or categories before, below which nothing can have fallen."""

SENTENCES = (
    ("benefit_use_change < 0.5", "权益使用率下降", "uses fewer benefits than before"),
    ("basket_change < 0.7", "近三个月客单价下降", "baskets have become smaller"),
    ("category_change < 0.6", "购买品类变少", "buys from fewer categories"),
    ("response_change < 0.5", "消息打开率下降", "opens fewer messages"),
    ("rival_mentions_60d > 0", "提到竞品", "has mentioned a rival"),
    ("complaints_60d > 0", "近期有投诉或差评", "has complained or rated badly"),
    ("favourite_delisted", "最爱商品已下架", "the favourite product is no longer sold"),
    ("home_store_closed", "归属门店已关闭", "the home shop has closed"),
)
"""When a signal is a reason, and the sentence in Chinese and English; the first ones are told first."""


def _trait(name: str, kind: TraitType, zh: str, en: str, unit: str, description: str, null_rule: str) -> Trait:
    return Trait(name, kind, Title(zh, en), unit, description, null_rule)


class Signals(Scorer):
    """Named signals of early warning, each empty where it cannot be known."""

    name = "signals"
    Config = ScorerConfig
    needs = ("retail", "taste")
    traits = with_origins(
        _trait("benefit_use_change", TraitType.NUMBER, "权益使用变化", "Benefits used, now against before", "1", "Coupons and points used per day of the last 60, over that of the 180 before.", "fewer than three used in the 180 days before"),
        _trait("basket_change", TraitType.NUMBER, "客单价变化", "Basket, now against before", "1", "Net value per purchase day of the last 90 days, over that of the 90 before.", "nothing bought in either, or on fewer than three days before"),
        _trait("category_change", TraitType.NUMBER, "品类数变化", "Categories, now against before", "1", "Categories bought in the last 90 days, over those of the 90 before.", "nothing bought in either, or fewer than three categories before"),
        _trait("response_change", TraitType.NUMBER, "消息响应变化", "Messages opened, now against before", "1", "Opened or clicked per sent of the last 60 days, over that of the 180 before.", "none sent lately, or fewer than three answered before"),
        _trait("rival_mentions_60d", TraitType.INTEGER, "竞品提及次数", "Mentions of rivals, 60 days", "", "Answers, reviews and notes of 60 days in which a word of the rule set's rivals stands.", "the rule set names no rivals, or nothing was said in writing"),
        _trait("complaints_60d", TraitType.INTEGER, "近60天投诉差评", "Complaints and bad reviews, 60 days", "", "Complaints, and reviews of at most 2 of 5.", "has never said anything"),
        _trait("favourite_delisted", TraitType.BOOLEAN, "最爱商品已下架", "Favourite no longer sold", "", "The favourite product is on sale nowhere.", "no favourite, or it is in no list of products"),
        _trait("home_store_closed", TraitType.BOOLEAN, "归属门店已关闭", "Home shop closed", "", "The shop the customer belongs to has closed.", "no home shop known"),
        _trait("signals", TraitType.TEXT, "流失信号", "Signals of leaving (Chinese)", "", "The signals that are true, in words.", "none is true or known"),
        _trait("signals_en", TraitType.TEXT, "流失信号(英文)", "Signals of leaving (English)", "", "The same in English.", "none is true or known"),
    )  # fmt: skip

    def per_customer(self, config: ScorerConfig) -> bool:  # noqa: ARG002 - no setting changes it
        """Everything follows from the customer's own facts, the assortment and the shops."""
        return True

    def score(self, inputs: Inputs) -> str:
        """Join the signals and say those that are true."""
        rules: RuleSet = inputs.settings["retail"]
        by_id = (_events(inputs.today), _said(rules.engagement, inputs.today), _favourites(), _homes(inputs.today))
        by_number = (_baskets(), _categories(inputs.today))
        joins = " ".join(f"LEFT JOIN ({part}) AS i{n} USING (customer_id)" for n, part in enumerate(by_id))
        joins += "".join(f" LEFT JOIN ({part}) AS n{n} USING (customer)" for n, part in enumerate(by_number))
        zh, en = (
            ", ".join(f"CASE WHEN {when} THEN '{words[language]}' END" for when, *words in SENTENCES)
            for language in (0, 1)
        )
        return f"""
            SELECT * EXCLUDE (customer), nullif(concat_ws('；', {zh}), '') AS signals, nullif(concat_ws('; ', {en}), '') AS signals_en
            FROM (SELECT * FROM people {joins})"""


def _since(today: str, days: int) -> str:
    return f"business_date >= {today} - {days}"


def _events(today: str) -> str:
    """Benefits used and messages answered, lately over before."""
    lately, before = _since(today, _RECENT), f"NOT {_since(today, _RECENT)} AND {_since(today, _RECENT + _BEFORE)}"
    used = "(type = 'coupon.used' OR (type = 'points.changed' AND amount < 0))"
    answered, sent = "type IN ('message.opened', 'message.clicked')", "type = 'message.sent'"

    def count(what: str, when: str) -> str:
        return f"count(*) FILTER ({what} AND {when})"

    return f"""
        SELECT customer_id,
               CASE WHEN used_before >= {_FEWEST} THEN round((used_lately / {_RECENT}) / (used_before / {_BEFORE}), 6) END AS benefit_use_change,
               CASE WHEN answered_before >= {_FEWEST} AND sent_lately > 0
                    THEN round((answered_lately / sent_lately) / (answered_before / greatest(sent_before, answered_before)), 6) END
                   AS response_change
        FROM (
            SELECT customer_id, {count(used, lately)} AS used_lately, {count(used, before)} AS used_before,
                   {count(answered, lately)} AS answered_lately, {count(answered, before)} AS answered_before,
                   {count(sent, lately)} AS sent_lately, {count(sent, before)} AS sent_before
            FROM events WHERE {_since(today, _RECENT + _BEFORE)}
              AND type IN ('coupon.used', 'points.changed', 'message.sent', 'message.opened', 'message.clicked')
            GROUP BY customer_id)"""


def _said(rules: EngagementRules, today: str) -> str:
    """Complaints, and words about rivals; somebody who has said nothing, or nothing in writing, tells nothing."""
    words = [rival.lower().replace("'", "''") for rival in rules.rivals]
    named = " OR ".join(f"contains(lower(text), '{word}')" for word in words)
    rivals = f"count(*) FILTER (({named}) AND {_since(today, _RECENT)})" if named else "NULL::BIGINT"
    bad = "(type = 'complaint' OR (type = 'review' AND score * 5 <= 2 * coalesce(score_max, 5)))"
    return f"""
        SELECT customer_id, count(*) FILTER ({bad} AND {_since(today, _RECENT)}) AS complaints_60d,
               CASE WHEN count(text) > 0 THEN {rivals} END AS rival_mentions_60d
        FROM feedback GROUP BY customer_id"""


def _favourites() -> str:
    return """
        SELECT customer_id, NOT on_sale AS favourite_delisted FROM score_taste
        JOIN (SELECT name, bool_or(on_sale) AS on_sale FROM products GROUP BY name) AS p ON p.name = favourite_product"""


def _homes(today: str) -> str:
    return f"""
        SELECT customer_id, bool_and(coalesce(closed_on < {today}, false)) AS home_store_closed
        FROM customers JOIN stores AS s ON s.source_id = belonging_store_id GROUP BY customer_id"""


def _baskets() -> str:
    return f"""
        SELECT customer, CASE WHEN days_90 > 0 AND days_prior_90 >= {_FEWEST} AND net_prior_90 > 0
               THEN round((net_90::DOUBLE / days_90) / (net_prior_90::DOUBLE / days_prior_90), 6) END AS basket_change
        FROM customer_features"""


def _categories(today: str) -> str:
    lately = f"business_date >= {today} - 90"
    return f"""
        SELECT customer, CASE WHEN lately > 0 AND before >= {_FEWEST} THEN round(lately / before, 6) END AS category_change FROM (
            SELECT customer, count(DISTINCT category_no) FILTER ({lately}) AS lately,
                   count(DISTINCT category_no) FILTER (NOT {lately}) AS before
            FROM customer_lines JOIN articles USING (article)
            WHERE business_date >= {today} - 180 AND category_no IS NOT NULL AND kept > 0 GROUP BY customer)"""
