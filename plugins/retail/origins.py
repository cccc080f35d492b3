"""Where each trait stands in the chain's tag system (标签体系), and the columns of the warehouse that it follows from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from hub.scorer import Trait, TraitFamily

__all__ = ["with_origins"]

_DEMOGRAPHICS, _SPENDING, _PREFERENCE, _BEHAVIOUR, _LIFECYCLE = (
    TraitFamily.DEMOGRAPHICS,
    TraitFamily.SPENDING,
    TraitFamily.PREFERENCE,
    TraitFamily.BEHAVIOUR,
    TraitFamily.LIFECYCLE,
)
_DAYS = "orders: business_date kind status flags"
_VISITS = f"{_DAYS} ordered_at store_id"
_NET = f"{_DAYS} total_amount freight_amount refunded_amount"
_DISCOUNTED = f"{_NET} discount_amount"
_STAGE = f"{_DAYS}; events: type properties occurred_at; profiles_cards: valid_to"
_GOODS = "orders: business_date kind status; orders_lines: product_id name quantity refunded_quantity"
_CHOICES = f"{_GOODS} options"
_CATALOGUE = f"{_GOODS} category; products: name category"
_FORECAST = f"{_DISCOUNTED} channel; {_CATALOGUE}"
_EVENTS = "events: type occurred_at"
_MESSAGES = f"{_EVENTS} subject_id"
_FEEDBACK = "feedback: type occurred_at score score_max"
_BORN = "profiles: birthday birthday_calendar updated_at"

_GROUPS: tuple[tuple[TraitFamily | None, str, str], ...] = (
    (None, "", "rule_version rfm_weights rfm_cut_points clv_method churn_method next_purchase_method cluster_method"),
    (None, "customers: customer_id", "global_holdout"),
    (_LIFECYCLE, _DAYS, "first_order_date last_order_date rfm_r_days rfm_r_score one_time_buyer days_to_sleeping second_purchase_days second_window_closing gap_median_days gap_ratio gap_overdue"),
    (_LIFECYCLE, _STAGE, "lifecycle_stage stage_since stage_prev"),
    (_LIFECYCLE, f"{_STAGE}; {_NET}", "value_layer"),
    (_LIFECYCLE, _VISITS, "tea_segment"),
    (_LIFECYCLE, _NET, "at_risk_rule"),
    (_SPENDING, _DAYS, "orders_life n_purchases rfm_f rfm_f_score"),
    (_SPENDING, _VISITS, "visits_life"),
    (_SPENDING, _NET, "net_value_life rfm_m rfm_m_score rfm_code rfm_names rfm_m_negative rfm_value rfm_class8 spend_365d basket_value basket_cv spend_band"),
    (_SPENDING, _DISCOUNTED, "discount_share"),
    (_SPENDING, f"{_DAYS} coupons", "discount_dependence"),
    (_SPENDING, _NET, "clv_historic"),
    (_SPENDING, _FORECAST, "clv_12m clv_12m_p10 clv_12m_p90 clv_expected_visits clv_tier clv_total retention_budget"),
    (_LIFECYCLE, _DAYS, "p_alive"),
    (_LIFECYCLE, _FORECAST, "churn_prob_60d churn_prob_30d churn_band churn_reasons churn_reasons_en next_purchase_p7 next_purchase_p14 next_purchase_p30 next_purchase_date next_purchase_lo next_purchase_hi"),
    (_LIFECYCLE, f"{_FORECAST}; {_EVENTS}", "alert_id"),
    (_LIFECYCLE, f"{_FORECAST}; {_EVENTS} amount; {_FEEDBACK} text; products: on_sale; stores: closed_on", "at_risk_high_value at_risk_reasons at_risk_reasons_en"),
    (_LIFECYCLE, f"{_DISCOUNTED}; {_EVENTS} amount; {_FEEDBACK} text; {_CATALOGUE} on_sale; stores: closed_on", "signals signals_en"),
    (_BEHAVIOUR, f"{_DISCOUNTED} ordered_at channel", "cluster_id cluster_name cluster_name_en"),
    (_BEHAVIOUR, f"{_EVENTS} amount", "benefit_use_change benefit_use_rate"),
    (_SPENDING, _NET, "basket_change"),
    (_PREFERENCE, _CATALOGUE, "category_change"),
    (_BEHAVIOUR, _MESSAGES, "response_change"),
    (_BEHAVIOUR, f"{_MESSAGES} channel", "best_send_channel best_send_hour"),
    (_BEHAVIOUR, f"{_FEEDBACK} text", "rival_mentions_60d"),
    (_BEHAVIOUR, _FEEDBACK, "complaints_60d"),
    (_PREFERENCE, f"{_GOODS}; products: name on_sale", "favourite_delisted"),
    (_BEHAVIOUR, "customers: belonging_store_id; stores: closed_on", "home_store_closed"),
    (_PREFERENCE, _CATALOGUE, "pref_category_1 pref_category_2 pref_category_3 pref_category_index"),
    (_PREFERENCE, f"{_GOODS}; products: brand", "pref_brand pref_brand_index"),
    (_PREFERENCE, _CHOICES, "pref_taste pref_taste_2 pref_size pref_taste_index pref_size_index"),
    (_PREFERENCE, f"{_CATALOGUE} tags", "pref_style pref_style_index"),
    (_PREFERENCE, f"{_CATALOGUE} list_price", "pref_price_band pref_price_band_index"),
    (_PREFERENCE, _GOODS, "favourite_product bundle replenish_due replenish_date"),
    (_PREFERENCE, _CHOICES, "personal_menu"),
    (_PREFERENCE, f"{_GOODS}; {_FEEDBACK} order_id", "recall_product"),
    (_PREFERENCE, f"{_GOODS}; {_EVENTS} subject_id", "browsed_not_bought"),
    (_PREFERENCE, f"{_CATALOGUE} on_sale stock sold_out_at; customers: belonging_store_id", "reco_repeat reco_repeat_ids reco_repeat_reason reco_repeat_reason_en"),
    (_PREFERENCE, f"{_CHOICES} category; orders: store_id; products: name category tags on_sale stock sold_out_at; customers: belonging_store_id; stores: source_id", "reco_new reco_new_ids reco_new_reason reco_new_reason_en"),
    (_BEHAVIOUR, f"{_DAYS} ordered_at", "pref_daypart pref_weekpart"),
    (_BEHAVIOUR, f"{_DAYS} channel", "pref_channel omni"),
    (_BEHAVIOUR, f"{_DAYS}; orders_tenders: method amount", "pref_tender stored_value_share"),
    (_PREFERENCE, _CATALOGUE, "replenish_need replenish_need_date replenish_need_due"),
    (_LIFECYCLE, f"{_DAYS}; {_EVENTS} properties", "care_topic care_date"),
    (_DEMOGRAPHICS, _BORN, "age age_band young_group"),
    (_DEMOGRAPHICS, f"{_EVENTS} properties", "family_group"),
    (_LIFECYCLE, f"{_BORN}; customers: registered_at; {_DAYS}; {_EVENTS} properties", "next_occasion next_occasion_date days_to_next_occasion occasion_due"),
    (_LIFECYCLE, "profiles: level updated_at", "member_level"),
    (_SPENDING, _NET, "level_gap level_near downgrade_risk_date"),
    (_SPENDING, "profiles: balance; profiles_cards: balance", "sv_balance"),
    (_SPENDING, "profiles: balance; profiles_cards: balance; orders: business_date; orders_tenders: method amount", "sv_empty_date"),
    (_BEHAVIOUR, _EVENTS, "coupon_redemption"),
    (_PREFERENCE, f"{_EVENTS} subject_id amount", "pref_reward"),
    (_BEHAVIOUR, f"{_EVENTS} subject_id", "referrals_n"),
    (_BEHAVIOUR, f"{_EVENTS}; {_FEEDBACK}", "advocacy_score"),
    (_BEHAVIOUR, f"{_NET}; {_EVENTS} subject_id; {_FEEDBACK}", "kol_candidate"),
    (_BEHAVIOUR, _FEEDBACK, "nps_last nps_group"),
    (_BEHAVIOUR, f"{_FEEDBACK} topic", "complaint_topic"),
    (_BEHAVIOUR, "feedback: type status", "complaint_open"),
    (_LIFECYCLE, f"{_CATALOGUE}; {_EVENTS} subject_id; {_FEEDBACK}", "loyalty_index loyalty_parts"),
)  # fmt: skip
"""Family, columns, and the traits that they are of."""


def with_origins(*traits: Trait) -> tuple[Trait, ...]:
    """Return traits with their families and the columns they follow from.

    Raises:
        KeyError: a trait has no entry here.
    """
    return tuple(replace(trait, family=_FAMILY[trait.name], upstream=_UPSTREAM[trait.name]) for trait in traits)


def _columns(told: str) -> Iterator[str]:
    """``orders: kind status; events: type`` as ``orders.kind``, ``orders.status``, ``events.type``."""
    for part in filter(None, told.split("; ")):
        table, columns = part.split(": ")
        for column in columns.split():
            yield f"{table}.{column}"


_FAMILY = {name: family for family, _, names in _GROUPS for name in names.split()}
_UPSTREAM = {name: tuple(dict.fromkeys(_columns(columns))) for _, columns, names in _GROUPS for name in names.split()}
