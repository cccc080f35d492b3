"""The scorer ``forecast``: lifetime value, whether somebody still is a customer, early warning, next purchase."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache, partial
from typing import TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from hub.models import Model
from hub.scorer import Inputs, Scorer, Trait, TraitType
from hub.titles import Title
from plugins.retail.models.alerts import NEVER, AlertRules, alert_days, alert_ids, read_contacts
from plugins.retail.models.card import days_text
from plugins.retail.models.churn import fit_silence
from plugins.retail.models.clv import Value, fit_value, tiers
from plugins.retail.models.config import ForecastConfig
from plugins.retail.models.daily import Daily, day_number, evenly, read_buyers, read_daily, read_ids
from plugins.retail.models.features import Snapshot, snapshot
from plugins.retail.models.keeping import Fitted, Learn, Refused, Usable, fit_day, held_models, read_usable, usable
from plugins.retail.models.layer import layers_of
from plugins.retail.models.reasons import reasons
from plugins.retail.models.silence import Bases, Silence
from plugins.retail.models.threads import in_threads, one_at_a_time
from plugins.retail.models.timing import HORIZONS, next_purchase
from plugins.retail.origins import with_origins

__all__ = ["Forecast"]

Floats = NDArray[np.float64]

_CHUNK = 100_000
_LONG_GONE = 365
"""A next purchase is forecast for customers whose last one is at most so many days ago."""
CHURN_HORIZONS = (30, 60)
_METHOD = "4"
"""Counts changes of method: models of another method are fitted anew."""
_NO_MODEL = "never bought, or too little data (the method says why)"
_INACTIVE = "never bought, last purchase longer ago than the active limit, or too little data"
_GONE = "never bought, last purchase more than a year ago, or too little data"

_PURPOSES = {
    "clv": {
        "title_zh": "客户终身价值",
        "title_en": "Customer lifetime value, next twelve months",
        "purpose": "Tiers, budgets and audiences of a chain's own marketing.",
        "not_for": "Prices, credit, or any decision of weight about a person.",
    },
    "churn": {
        "title_zh": "流失预警",
        "title_en": "Early warning: no purchase in the next 30 and 60 days, of customers active now",
        "purpose": "Whom a guide should talk to, and why, before the customer sleeps.",
        "not_for": "Anything to the customer's disadvantage; a high chance to leave says nothing of whether a coupon helps.",
    },
    "next_purchase": {
        "title_zh": "下一次消费时间",
        "title_en": "Next purchase",
        "purpose": "Reminders at the right time, and what traffic shops may expect.",
        "not_for": "A promise of a day: the interval is part of the answer.",
    },
}


def _trait(name: str, kind: TraitType, zh: str, en: str, unit: str, description: str, null_rule: str) -> Trait:
    return Trait(name, kind, Title(zh, en), unit, description, null_rule)


class Forecast(Scorer):
    """What customers will do, learnt from what they did."""

    name = "forecast"
    needs = ("retail", "taste")
    Config = ForecastConfig
    traits = with_origins(
        _trait("clv_12m", TraitType.AMOUNT, "未来12个月价值", "Lifetime value, next 12 months", "currency", "Net value expected in the 365 days after as_of.", _NO_MODEL),
        _trait("clv_12m_p10", TraitType.AMOUNT, "未来12个月价值下限", "Lifetime value, low", "currency", "One in ten customers of a like forecast spends less.", _NO_MODEL),
        _trait("clv_12m_p90", TraitType.AMOUNT, "未来12个月价值上限", "Lifetime value, high", "currency", "One in ten customers of a like forecast spends more.", _NO_MODEL),
        _trait("clv_expected_visits", TraitType.NUMBER, "未来12个月预计消费天数", "Purchase days expected, 12 months", "d", "Purchase days expected in the 365 days after as_of.", _NO_MODEL),
        _trait("clv_tier", TraitType.TEXT, "价值等级", "Lifetime value tier", "", "A: the best who hold half of all expected value; B: the next 30 %; C: 15 %; D: the rest; cut points of the last fit.", _NO_MODEL),
        _trait("clv_method", TraitType.TEXT, "价值预测方法", "Method of lifetime value", "", "How clv_12m was worked out, or why it was not.", "never bought"),
        _trait("clv_historic", TraitType.AMOUNT, "历史价值", "Lifetime value so far", "currency", "Net value of all purchases before as_of.", "never bought"),
        _trait("clv_total", TraitType.AMOUNT, "历史加预测价值", "Lifetime value, past and expected", "currency", "clv_historic + clv_12m.", _NO_MODEL),
        _trait("retention_budget", TraitType.AMOUNT, "维系预算上限", "Ceiling for keeping the customer", "currency", "Share of the expected margin that keeping the customer may cost.", _NO_MODEL),
        _trait("p_alive", TraitType.NUMBER, "仍为客户的概率", "Probability to be a customer still", "1", "By MBG/NBD; not a churn probability.", _NO_MODEL + ", or a fit in which nobody ever leaves"),
        _trait("churn_prob_60d", TraitType.NUMBER, "60天流失概率", "Churn probability, 60 days", "1", "Calibrated probability of no purchase in the next 60 days.", _INACTIVE),
        _trait("churn_prob_30d", TraitType.NUMBER, "30天流失概率", "Churn probability, 30 days", "1", "Calibrated probability of no purchase in the next 30 days.", _INACTIVE),
        _trait("churn_band", TraitType.TEXT, "流失风险", "Churn band", "", "low, medium or high by churn_prob_60d.", _INACTIVE),
        _trait("churn_reasons", TraitType.TEXT, "流失原因", "Churn reasons (Chinese)", "", "Up to three, the strongest first; bands medium and high.", _INACTIVE + ", or band low"),
        _trait("churn_reasons_en", TraitType.TEXT, "流失原因(英文)", "Churn reasons (English)", "", "The same in English.", _INACTIVE + ", or band low"),
        _trait("alert_id", TraitType.TEXT, "流失预警编号", "Alert of early warning", "", "One per silence, the same on every day it stands; opens in the band high, closes on a purchase, a contact's outcome or loss, then rests for alert_cooldown_days.", "no alert stands, or too little data"),
        _trait("churn_method", TraitType.TEXT, "流失预测方法", "Method of early warning", "", "How the churn probability was worked out, or why it was not.", "never bought"),
        _trait("next_purchase_p7", TraitType.NUMBER, "7天内消费概率", "Purchase within 7 days", "1", "Probability of a purchase day in the next 7 days.", _GONE),
        _trait("next_purchase_p14", TraitType.NUMBER, "14天内消费概率", "Purchase within 14 days", "1", "Probability of a purchase day in the next 14 days.", _GONE),
        _trait("next_purchase_p30", TraitType.NUMBER, "30天内消费概率", "Purchase within 30 days", "1", "Probability of a purchase day in the next 30 days.", _GONE),
        _trait("next_purchase_date", TraitType.DATE, "预计下次消费日", "Next purchase day", "", "Day by which the purchase has come with even chances.", _GONE + ", or beyond 90 days"),
        _trait("next_purchase_lo", TraitType.DATE, "预计下次消费日(早)", "Next purchase day, early", "", "One purchase in ten comes before it.", _GONE + ", or beyond 90 days"),
        _trait("next_purchase_hi", TraitType.DATE, "预计下次消费日(晚)", "Next purchase day, late", "", "One purchase in ten comes after it.", _GONE + ", or beyond 90 days"),
        _trait("next_purchase_method", TraitType.TEXT, "下次消费预测方法", "Method of the next purchase", "", "How the chances were worked out, or why they were not.", "never bought"),
    )  # fmt: skip

    def per_customer(self, config: ForecastConfig) -> bool:  # noqa: ARG002 - no setting changes it
        """Models, and the cut points of the tiers, are those of the last fit."""
        return True

    def population(self, inputs: Inputs) -> Mapping[str, pa.Table]:
        """Fit what is due; return the models that hold for today."""
        active = inputs.config.active_days or inputs.settings["retail"].stages.active
        return {"forecast_models": usable(fitted_models(inputs, active))}

    def score(self, inputs: Inputs) -> pa.Table:
        """Score every buyer by the models, some at a time."""
        today = day_number(inputs.business_date)
        buyers = read_buyers(inputs)
        if not len(buyers):
            return _empty()
        active = inputs.config.active_days or inputs.settings["retail"].stages.active
        models = read_usable(inputs, "forecast_models")
        contacted = read_contacts(inputs, buyers)
        rules = _alert_rules(inputs, active)

        def scored(part: tuple[Daily, NDArray[np.int32]]) -> tuple[pa.Table, NDArray[np.int32]]:
            daily, when = part
            traits = pa.table(_scored(daily, today, models, inputs.config, active))
            return traits, _alerts(daily, today, models["churn"], rules, when)

        places = (slice(begin, begin + _CHUNK) for begin in range(0, len(buyers), _CHUNK))
        parts, alerts = zip(
            *in_threads(scored, ((read_daily(inputs, buyers[some]), contacted[some]) for some in places)), strict=True
        )
        ids = read_ids(inputs)
        found = pa.concat_tables(parts).append_column("alert_id", alert_ids(ids, np.concatenate(alerts)))
        return found.add_column(0, "customer_id", ids)


def _alert_rules(inputs: Inputs, active: int) -> AlertRules:
    config: ForecastConfig = inputs.config
    loss = max(active, inputs.settings["retail"].stages.slipping)
    return AlertRules(active, loss, config.churn_bands[1], config.alert_cooldown_days)


def _alerts(
    daily: Daily, today: int, held: Usable, rules: AlertRules, contacted: NDArray[np.int32]
) -> NDArray[np.int32]:
    if isinstance(held, Refused):
        return np.full(daily.customers, NEVER, np.int32)
    return alert_days(daily, today, Silence.of(dict(held)), rules, contacted)


def _empty() -> pa.Table:
    names = ["customer_id", *(trait.name for trait in Forecast.traits)]
    return pa.table({name: pa.array([], pa.string() if name == "customer_id" else pa.null()) for name in names})


def fitted_models(inputs: Inputs, active: int) -> dict[str, Model | Refused]:
    """Return the three models that hold for today, fitted now where that is due."""
    first = inputs.arrow("SELECT min(business_date) AS day FROM customer_days WHERE orders > 0")["day"][0].as_py()
    today = day_number(inputs.business_date)
    day = fit_day(day_number(first) if first else today, today)
    sample = one_at_a_time(lambda: Bases(_sample(inputs, day)))
    recipe = f"method {_METHOD}, sample {inputs.config.sample}, {layers_of(inputs.settings['retail'])}"
    wanted: dict[str, tuple[str, Learn]] = {
        "clv": (recipe, lambda day, used: fit_value(sample(), day, used, _PURPOSES["clv"]))
    }
    silences = {"churn": (CHURN_HORIZONS, active), "next_purchase": (HORIZONS, _LONG_GONE)}
    for name, (horizons, within) in silences.items():
        learn = partial(_learn_silence, sample, horizons, within, _PURPOSES[name])
        wanted[name] = (f"{recipe}, within {within}", learn)
    return held_models(inputs.models, day, wanted)


def _sample(inputs: Inputs, day: int) -> Daily:
    """Purchase days before a day of customers spread evenly over those who had bought by then."""
    buyers = evenly(read_buyers(inputs, before=f"DATE '{days_text(day)}'"), inputs.config.sample)
    return read_daily(inputs, buyers, whole=False).before(day)


def _learn_silence(
    sample: Callable[[], Bases],
    horizons: tuple[int, ...],
    within: int,
    purpose: dict[str, str],
    day: int,
    used: Model | None,
) -> Fitted | Refused:
    return fit_silence(sample(), day, horizons, within, used, purpose)


def _scored(
    daily: Daily, today: int, held: Mapping[str, Usable], config: ForecastConfig, active: int
) -> dict[str, pa.Array]:
    # Models fitted on the same day have the same unit, and see the same.
    look = cache(partial(snapshot, daily, today))
    return {
        **_values(daily, look, today, held["clv"], config),
        **_churn(daily.customers, look, held["churn"], config, active),
        **_next(daily.customers, look, today, held["next_purchase"]),
    }


_Look: TypeAlias = Callable[[float], Snapshot]
"""What is known of everybody today, by the mean value of a purchase day that a model was fitted with."""


def _values(daily: Daily, look: _Look, today: int, held: Usable, config: ForecastConfig) -> dict[str, pa.Array]:
    historic = daily.value_of()
    if isinstance(held, Refused):
        names = (
            "clv_12m",
            "clv_12m_p10",
            "clv_12m_p90",
            "clv_expected_visits",
            "clv_total",
            "retention_budget",
            "p_alive",
        )
        nothing = np.full(daily.customers, np.nan)
        return {name: _numbers(nothing, 2) for name in names} | {
            "clv_historic": _numbers(historic, 2),
            "clv_tier": _nothing("clv_tier", daily.customers),
            "clv_method": _same(held.reason, daily.customers),
        }
    model = Value.of(dict(held))
    known = look(model.unit)
    found = model.expected(known, today)
    alive = np.full(len(known), np.nan) if model.btyd.degenerate else model.btyd.alive(known.histories)
    return {
        "clv_12m": _numbers(found.value, 2),
        "clv_tier": pa.array(["A", "B", "C", "D"]).take(pa.array(tiers(found.value, model.cuts))),
        "clv_12m_p10": _numbers(found.low, 2),
        "clv_12m_p90": _numbers(found.high, 2),
        "clv_expected_visits": _numbers(found.visits, 4),
        "clv_total": _numbers(historic + found.value, 2),
        "retention_budget": _numbers(found.value * config.margin * config.budget_rate, 2),
        "p_alive": _numbers(alive, 4),
        "clv_historic": _numbers(historic, 2),
        "clv_method": _same(model.method, len(known)),
    }


def _churn(count: int, look: _Look, held: Usable, config: ForecastConfig, active: int) -> dict[str, pa.Array]:
    if isinstance(held, Refused):
        names = ("churn_prob_60d", "churn_prob_30d", "churn_band", "churn_reasons", "churn_reasons_en")
        return {name: _nothing(name, count) for name in names} | {"churn_method": _same(held.reason, count)}
    model = Silence.of(dict(held))
    known = look(model.unit)
    silent = model.silent(known)
    watched = known.recency <= active
    probability = np.where(watched, np.round(silent[60], 4), np.nan)
    band = np.digitize(np.nan_to_num(probability), config.churn_bands)
    names = pa.array(["low", "medium", "high"]).take(pa.array(band))
    told = pa.array(watched & (band > 0))
    zh, en = reasons(model, 60, known)
    nothing = pa.scalar(None, pa.string())
    return {
        "churn_prob_60d": _numbers(probability, 4),
        "churn_prob_30d": _numbers(np.where(watched, silent[30], np.nan), 4),
        "churn_band": pc.if_else(pa.array(watched), names, nothing),
        "churn_reasons": pc.if_else(told, zh, nothing),
        "churn_reasons_en": pc.if_else(told, en, nothing),
        "churn_method": _same(model.method, count),
    }


def _next(count: int, look: _Look, today: int, held: Usable) -> dict[str, pa.Array]:
    chances, dates = ("p7", "p14", "p30"), {"date": "median", "lo": "low", "hi": "high"}
    if isinstance(held, Refused):
        names = [f"next_purchase_{name}" for name in (*chances, *dates)]
        return {name: _nothing(name, count) for name in names} | {"next_purchase_method": _same(held.reason, count)}
    model = Silence.of(dict(held))
    known = look(model.unit)
    found = next_purchase(model.silent(known))
    lately = known.recency <= _LONG_GONE
    return {
        **{f"next_purchase_{name}": _numbers(np.where(lately, getattr(found, name), np.nan), 4) for name in chances},
        **{f"next_purchase_{name}": _dates(np.where(lately, getattr(found, part), np.inf), today) for name, part in dates.items()},
        "next_purchase_method": _same(model.method, count),
    }  # fmt: skip


def _numbers(values: Floats, digits: int) -> pa.Array:
    """Rounded to what the trait tells; NaN is not known."""
    return pa.array(np.round(values, digits) + 0.0, from_pandas=True)


def _dates(days: Floats, today: int) -> pa.Array:
    finite = np.isfinite(days)
    number = (today + np.floor(np.where(finite, days, 0))).astype(np.int32)
    return pa.array(number, mask=~finite).cast(pa.date32())


def _same(text: str, count: int) -> pa.Array:
    return pa.array([text]).take(pa.array(np.zeros(count, np.int64)))


def _nothing(name: str, count: int) -> pa.Array:
    types = {trait.name: trait.type for trait in Forecast.traits}
    kinds = {TraitType.NUMBER: pa.float64(), TraitType.TEXT: pa.string(), TraitType.DATE: pa.date32()}
    return pa.nulls(count, kinds[types[name]])
