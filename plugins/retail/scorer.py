"""The rule-based traits of every customer: RFM, lifecycle, layers, spending, control group."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from hub.scorer import Inputs, Scorer, Suggestion, Trait, TraitType, ValidOrders
from hub.titles import Title
from plugins.retail import layers, lines, rfm
from plugins.retail.by_shop import by_rules, sets_of, who_is_by
from plugins.retail.daily import busy_days, customer_days
from plugins.retail.exits import exit_days
from plugins.retail.features import customer_features
from plugins.retail.gaps import suggestions
from plugins.retail.lifecycle import lifecycle
from plugins.retail.margin import margin_window
from plugins.retail.origins import with_origins
from plugins.retail.rules import OrderRules, RuleSet, literal
from plugins.retail.staying import own_dates, slips

__all__ = ["Retail"]

_NEVER = "never bought"
_INT, _TEXT, _AMOUNT, _DATE, _BOOL, _NUM = (
    TraitType.INTEGER,
    TraitType.TEXT,
    TraitType.AMOUNT,
    TraitType.DATE,
    TraitType.BOOLEAN,
    TraitType.NUMBER,
)


_PULL_GAPS, _PULL_DAYS = 2, 30
"""A customer's own gap is drawn towards a month, as if two gaps of that length had been seen; as the models do."""


def _trait(name: str, kind: TraitType, zh: str, en: str, unit: str, description: str, null_rule: str = _NEVER) -> Trait:
    return Trait(name, kind, Title(zh, en), unit, description, null_rule)


class Retail(Scorer):
    """RFM, lifecycle stage, layers and what else follows from a chain's rule set and the customer × day table."""

    name = "retail"
    Config = RuleSet
    traits = with_origins(
        _trait("rule_version", _TEXT, "规则版本", "Rule version", "", "Rule set these traits were worked out by.", "never"),
        _trait("first_order_date", _DATE, "首次消费日", "First purchase day", "", "The shop's day of the first purchase."),
        _trait("last_order_date", _DATE, "最近消费日", "Last purchase day", "", "The shop's day of the last purchase."),
        _trait("orders_life", _INT, "累计订单数", "Orders, lifetime", "orders", "Valid orders ever."),
        _trait("n_purchases", _INT, "累计消费天数", "Purchase days, lifetime", "d", "Purchase days ever (f_life)."),
        _trait("visits_life", _INT, "累计到店次数", "Visits, lifetime", "visits", "Orders at one shop within two hours are one visit."),
        _trait("net_value_life", _AMOUNT, "累计净消费", "Net value, lifetime", "currency", "Net of refunds, delivery excluded."),
        _trait("rfm_r_days", _INT, "最近消费距今天数", "Recency", "d", "Days from the last purchase day to as_of's day."),
        _trait("rfm_f", _INT, "消费频次", "Frequency", "d", "Purchase days in the window (or visits, or orders, as the rule set says)."),
        _trait("rfm_m", _AMOUNT, "消费金额", "Monetary value", "currency", "Net value in the window (or per purchase day, or gross margin, as the rule set says)."),
        _trait("rfm_r_score", _INT, "R 分", "Recency score", "1-5", "5 is most recent."),
        _trait("rfm_f_score", _INT, "F 分", "Frequency score", "1-5", "5 is most frequent."),
        _trait("rfm_m_score", _INT, "M 分", "Monetary score", "1-5", "5 is most valuable."),
        _trait("rfm_code", _TEXT, "RFM 编码", "RFM code", "", "The three scores, e.g. 541."),
        _trait("rfm_names", _TEXT, "RFM 分档名称", "Names of the scores", "", "The rule set's names of the three scores.", "never bought, or the rule set names none"),
        _trait("rfm_cut_points", _TEXT, "RFM 分档界限", "Cut points used", "", "From which value on R, F and M have the score 2, 3 …: the rule set's, or those of the month in quantile mode."),
        _trait("rfm_m_negative", _BOOL, "净消费不为正", "Nothing left after refunds", "", "Net value in the window is 0 or below although something was bought in it."),
        _trait("rfm_value", _NUM, "生命周期加权价值", "Lifecycle-weighted value", "0-100", "R, F and M scores weighted by where the customer stands."),
        _trait("rfm_weights", _TEXT, "加权权重", "Weights used", "", "Weights of R, F and M behind rfm_value."),
        _trait("rfm_class8", _TEXT, "RFM 八类", "Eight classes", "", "important_ or general_ by M; value, develop, keep, winback by R and F.", "never"),
        _trait("lifecycle_stage", _TEXT, "生命周期阶段", "Lifecycle stage", "", "prospect, new, repurchase, active, slipping, sleeping, lost, revived or exited.", "never"),
        _trait("stage_since", _DATE, "阶段起始日", "Stage since", "", "First day on which the present stage held."),
        _trait("stage_prev", _TEXT, "上一阶段", "Stage before", "", "The stage of the day before."),
        _trait("one_time_buyer", _BOOL, "首购未复购", "One purchase, first month over", "", "Bought on one day only, longer ago than a first month.", "never"),
        _trait("days_to_sleeping", _INT, "距沉睡天数", "Days to sleeping", "d", "Days without purchase until the sleeping stage begins.", "never bought, or the stage has begun"),
        _trait("value_layer", _TEXT, "客户分层", "Value layer", "", "prospect, exited, new, loyal, growing or sleeping.", "never"),
        _trait("tea_segment", _TEXT, "茶饮分群", "Tea segment", "", "prospect, sleeping, new, heavy, regular, taster or slipping.", "never"),
        _trait("at_risk_rule", _BOOL, "即将流失的高价值客户(规则)", "At risk and of high value, by rule", "", "Slipping, with high value and frequency in the year up to the last purchase.", "never"),
        _trait("second_purchase_days", _INT, "复购间隔", "Days to the second purchase", "d", "Days between first and second purchase day.", "bought on fewer than two days"),
        _trait("second_window_closing", _BOOL, "首购复购窗口将关闭", "Second-purchase window closing", "", "One purchase day, and the last days to win the second.", "never"),
        _trait("spend_365d", _AMOUNT, "近一年净消费", "Net value, 365 days", "currency", "Net value of the last 365 days."),
        _trait("basket_value", _AMOUNT, "笔单价", "Net value per order", "currency", "Lifetime net value / orders (笔单价; not per buyer)."),
        _trait("basket_cv", _NUM, "客单价波动", "Volatility of basket value", "1", "Coefficient of variation over the last ten purchase days.", "bought on fewer than two days, or value not above 0"),
        _trait("spend_band", _TEXT, "消费力", "Spending band", "", "low, medium, high or top by the net value of 365 days.", "no purchase in 365 days"),
        _trait("discount_share", _NUM, "优惠占比", "Discount share", "1", "Discounts / (net value + discounts), lifetime.", "never bought, or nothing paid"),
        _trait("discount_dependence", _NUM, "优惠依赖度", "Orders with a coupon", "1", "Share of orders that used a coupon, lifetime."),
        _trait("gap_median_days", _NUM, "购买间隔中位数", "Median gap", "d", "Median days between purchase days.", "bought on fewer than two days"),
        _trait("gap_ratio", _NUM, "消费间隔延长", "Gap lengthening", "1", "Mean of the last three gaps / mean of those before.", "bought on fewer than five days"),
        _trait("gap_overdue", _NUM, "超出个人消费间隔", "Silence over the own gap", "1", "Recency / mean gap, the latter mixed with two gaps of 30 days.", "bought on fewer than two days"),
        _trait("global_holdout", _BOOL, "全局对照组", "Global control group", "", "Gets no marketing; drawn by lot each year, the same however often it is asked.", "never"),
    )  # fmt: skip

    def per_customer(self, config: RuleSet) -> bool:  # noqa: ARG002 - no setting changes it
        """Everything follows from the customer's own orders; quantile cut points are the month's, and shared."""
        return True

    def population(self, inputs: Inputs) -> Mapping[str, str]:
        """Return the month's cut points in quantile mode, and its means where the eight classes go by them."""
        found = {}
        for number, rules in sets_of(inputs.config).items():
            quantile, mean = rules.rfm.mode == "quantile", rules.value.class8_by == "mean"
            if quantile or mean:
                found[f"rfm_month_{number}"] = _buyers_of_the_month(inputs, rules, number)
            if quantile:
                found[f"rfm_cut_points_{number}"] = rfm.cut_points(rules.rfm, f"rfm_month_{number}")
            if mean:
                found[f"rfm_means_{number}"] = rfm.means(f"rfm_month_{number}")
        return found

    def tables(self, inputs: Inputs) -> Mapping[str, str]:
        """Return the customer × day table, the feature table made from it, and the lines."""
        rules: RuleSet = inputs.config
        return {
            "customer_days": customer_days(),
            "own_dates": own_dates(rules, inputs.business_date),
            "busy_days": busy_days(rules.visit_minutes),
            "articles": lines.articles(rules.preference.price_bands),
            "choices": lines.choices(),
            "customer_lines": lines.customer_lines(),
            **({"rules_by": who_is_by(rules)} if rules.shops else {}),
            "customer_features": by_rules(rules, lambda some, only, _: customer_features(some, inputs.today, only)),
        }

    def rule_version(self, config: RuleSet) -> str:
        """Return name and fingerprint of the rule set."""
        return config.version

    def valid_orders(self, config: RuleSet) -> ValidOrders:
        """Return which orders are purchases."""
        usual = OrderRules().leave_out
        counted = frozenset(usual) - frozenset(config.orders.leave_out)
        return ValidOrders(counted, frozenset(config.orders.leave_out_channels))

    def suggest(self, inputs: Inputs) -> Sequence[Suggestion]:
        """Read stage limits off the chain's own gaps."""
        return suggestions(inputs)

    def score(self, inputs: Inputs) -> str:
        """Return one pass over the feature table."""
        return by_rules(inputs.config, lambda rules, only, number: _scored(inputs, rules, only, number))


def _scored(inputs: Inputs, rules: RuleSet, only: str, number: int) -> str:
    """The traits of the customers of one rule set."""
    slipping = slips(rules.stages, "last_day")
    base = f"""(SELECT c.customer_id AS id, f.* EXCLUDE (customer), x.* EXCLUDE (customer_id)
        FROM (FROM people {only}) AS c LEFT JOIN customer_features AS f USING (customer)
        LEFT JOIN ({exit_days(rules.exit)}) AS x USING (customer_id))"""
    if rules.rfm.value == "margin":
        margin = margin_window(rules.rfm, inputs.today)
        base = f"(FROM {base} LEFT JOIN (SELECT customer_id AS id, margin_window FROM ({margin}) JOIN people USING (customer)) USING (id))"
    cuts = f", ({rfm.told_cut_points(rules.rfm, f'rfm_cut_points_{number}')}) AS cuts"
    if rules.value.class8_by == "mean":
        cuts += f", rfm_means_{number}"
    measured = f"(SELECT *, {rfm.measures(rules.rfm)} FROM {base})"
    scored = f"(SELECT *, {rfm.scores(rules.rfm)} FROM {measured}{cuts})"
    return f"""
        SELECT id AS customer_id, {literal(rules.version)} AS rule_version,
               first_day AS first_order_date, last_day AS last_order_date, orders_life, n_days AS n_purchases,
               visits_life, net_life AS net_value_life, rfm_r_days, rfm_f, rfm_m,
               rfm_r_score, rfm_f_score, rfm_m_score, {rfm.code(rules.rfm)} AS rfm_code,
               {rfm.names(rules.rfm)}::VARCHAR AS rfm_names, CASE WHEN rfm_r_score IS NOT NULL THEN rfm_cut_points END AS rfm_cut_points,
               days_window > 0 AND rfm_m <= 0 AS rfm_m_negative, {rfm.weighted(rules)},
               {layers.class8(rules)} AS rfm_class8, lifecycle_stage, stage_since, stage_prev,
               coalesce(n_days = 1 AND tenure > {rules.stages.new}, false) AS one_time_buyer,
               CASE WHEN recency <= {slipping} THEN {slipping} + 1 - recency END AS days_to_sleeping,
               {layers.value_layer(rules)} AS value_layer, {layers.tea_segment(rules.tea)} AS tea_segment,
               {layers.at_risk(rules)} AS at_risk_rule, second_day - first_day AS second_purchase_days,
               {layers.second_window(rules)} AS second_window_closing,
               net_365 AS spend_365d, (net_life::DOUBLE / orders_life)::DECIMAL(18,4) AS basket_value,
               round(value_cv10, 6) AS basket_cv, {layers.spend_band(rules)} AS spend_band,
               CASE WHEN net_life + discount_life > 0 AND net_life >= 0
                    THEN round(discount_life::DOUBLE / (net_life + discount_life)::DOUBLE, 6) END AS discount_share,
               round(coupon_orders_life / orders_life, 6) AS discount_dependence,
               gap_median AS gap_median_days, round(gap_last3 / gap_earlier, 6) AS gap_ratio,
               CASE WHEN gaps > 0 THEN round(recency * (gaps + {_PULL_GAPS}) / (gap_mean * gaps + {_PULL_GAPS * _PULL_DAYS}), 6) END AS gap_overdue,
               {_holdout(inputs)} AS global_holdout
        FROM ({lifecycle(rules, scored, inputs.today)})"""


def _holdout(inputs: Inputs) -> str:
    """A lot drawn from the customer's id, the salt and the year: a share of the first 32 bits of its hash; one for the chain."""
    rules: RuleSet = inputs.config
    salt = f"{rules.engagement.holdout_salt}:{inputs.business_date.year}:".replace("'", "''")
    limit = round(rules.engagement.holdout_share * 2**32)
    return f"CAST('0x' || left(md5('{salt}' || id), 8) AS BIGINT) < {limit}"


def _buyers_of_the_month(inputs: Inputs, rules: RuleSet, number: int) -> str:
    """Measures of everybody under a rule set who had bought by the first day of as_of's month; of all buyers in a chain's first month."""
    first = f"DATE '{inputs.business_date.replace(day=1).isoformat()}'"
    day = f"(SELECT CASE WHEN min(business_date) < {first} THEN {first} ELSE {inputs.today} END FROM purchases)"
    only = f"SEMI JOIN (FROM rules_by WHERE rules = {number}) USING (customer)" if inputs.config.shops else ""
    features = customer_features(rules, "(SELECT day FROM month_begin)", only)
    if rules.rfm.value == "margin":
        features = f"FROM ({features}) LEFT JOIN ({margin_window(rules.rfm, '(SELECT day FROM month_begin)')}) USING (customer)"
    return f"""
        WITH month_begin AS (SELECT {day} AS day),
        customer_days AS (FROM ({customer_days()}) WHERE business_date < (SELECT day FROM month_begin)),
        busy_days AS ({busy_days(rules.visit_minutes)})
        SELECT {rfm.measures(rules.rfm)} FROM ({features})"""
