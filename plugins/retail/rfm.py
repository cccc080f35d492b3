"""RFM: how recently, how often and for how much a customer buys.

Recency is the number of days from the last purchase day to the shop's day of ``as_of``; frequency counts purchase *days* in
the window, so that a split bill is one visit; monetary value is net of refunds. The window's last day is the day before
``as_of``. Customers who never bought have no scores.
"""

from __future__ import annotations

from hub.scorer import Inputs, Scorer, Trait, TraitType
from hub.titles import Title
from plugins.retail.config import RfmConfig

__all__ = ["Rfm"]

_NEVER = "never bought"


def _trait(name: str, kind: TraitType, zh: str, en: str, unit: str, description: str) -> Trait:
    return Trait(name, kind, Title(zh, en), unit, description, _NEVER)


class Rfm(Scorer):
    """Recency, frequency, monetary value, and their scores."""

    name = "rfm"
    Config = RfmConfig
    traits = (
        _trait("first_order_date", TraitType.DATE, "首次消费日", "First purchase day", "", "The shop's day of the first purchase."),
        _trait("last_order_date", TraitType.DATE, "最近消费日", "Last purchase day", "", "The shop's day of the last purchase."),
        _trait("orders_life", TraitType.INTEGER, "累计订单数", "Orders, lifetime", "orders", "Valid orders ever."),
        _trait("net_value_life", TraitType.AMOUNT, "累计净消费", "Net value, lifetime", "currency", "Net of refunds, delivery excluded."),
        _trait("rfm_r_days", TraitType.INTEGER, "最近消费距今天数", "Recency", "d", "Days from the last purchase day to as_of's day."),
        _trait("rfm_f", TraitType.INTEGER, "消费频次", "Frequency", "d", "Purchase days in the window."),
        _trait("rfm_m", TraitType.AMOUNT, "消费金额", "Monetary value", "currency", "Net value in the window."),
        _trait("rfm_r_score", TraitType.INTEGER, "R 分", "Recency score", "1-5", "5 is most recent."),
        _trait("rfm_f_score", TraitType.INTEGER, "F 分", "Frequency score", "1-5", "5 is most frequent."),
        _trait("rfm_m_score", TraitType.INTEGER, "M 分", "Monetary score", "1-5", "5 is most valuable."),
        _trait("rfm_code", TraitType.TEXT, "RFM 编码", "RFM code", "", "The three scores, e.g. 541."),
    )  # fmt: skip

    def score(self, inputs: Inputs) -> str:
        """Return one pass over the orders, scored by cut points or by shares of the buyers."""
        config: RfmConfig = inputs.config
        window = f"business_date >= {inputs.today} - {config.window_days}"
        scores = _fixed(config) if config.mode == "fixed" else _QUANTILE
        return f"""
            WITH bought AS (
                SELECT customer_id,
                       min(business_date) FILTER (kind <> 'refund') AS first_order_date,
                       max(business_date) FILTER (kind <> 'refund') AS last_order_date,
                       count(*) FILTER (kind <> 'refund') AS orders_life,
                       sum(net_amount) AS net_value_life,
                       count(DISTINCT business_date) FILTER (kind <> 'refund' AND {window}) AS rfm_f,
                       coalesce(sum(net_amount) FILTER ({window}), 0) AS rfm_m
                FROM orders GROUP BY customer_id
                HAVING orders_life > 0
            ), measured AS (SELECT *, {inputs.today} - last_order_date AS rfm_r_days FROM bought),
            scored AS (SELECT *, {scores} FROM measured)
            SELECT *, concat(rfm_r_score, rfm_f_score, rfm_m_score) AS rfm_code FROM scored"""


def _fixed(config: RfmConfig) -> str:
    """Scores from cut points that a business chose."""
    recency = " + ".join(f"(rfm_r_days <= {limit})::INTEGER" for limit in config.recency_days)
    frequency = " + ".join(f"(rfm_f >= {limit})::INTEGER" for limit in config.frequency)
    monetary = " + ".join(f"(rfm_m >= {limit})::INTEGER" for limit in config.monetary)
    return f"1 + {recency} AS rfm_r_score, 1 + {frequency} AS rfm_f_score, 1 + {monetary} AS rfm_m_score"


def _share(order: str) -> str:
    """1 + min(4, ⌊5 · (number strictly worse) / N⌋): equal values get equal scores, whatever the order of the rows."""
    return f"1 + least(4, (5 * (rank() OVER (ORDER BY {order}) - 1)) // count(*) OVER ())"


_QUANTILE = (
    f"{_share('rfm_r_days DESC')} AS rfm_r_score, {_share('rfm_f')} AS rfm_f_score, {_share('rfm_m')} AS rfm_m_score"
)
