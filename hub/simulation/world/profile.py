"""What makes one trade different from another: its goods, its seasons, its customers' habits. Data, no randomness.

A :class:`ChainProfile` is everything the generator needs to know of a trade. :mod:`hub.simulation.world.tea` and
:mod:`hub.simulation.world.fashion` hold the two that come with the hub; a plugin author may write a third.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from scipy.stats import gamma

__all__ = [
    "Behaviour",
    "Campaign",
    "Category",
    "ChainProfile",
    "CouponTemplate",
    "Festival",
    "Level",
    "OptionGroup",
    "Product",
    "Promotion",
    "Rhythm",
]

Months = tuple[float, float, float, float, float, float, float, float, float, float, float, float]
EVEN: Months = (1.0,) * 12


@dataclass(frozen=True)
class Category:
    """A group of goods. ``season`` is the demand factor per month, January first."""

    code: str
    title_zh: str
    title_en: str
    season: Months = EVEN
    #: Code of the category that is often bought along with this one, if any (coffee with bakery).
    goes_with: str | None = None


@dataclass(frozen=True)
class Product:
    """One article.

    Attributes:
        popularity: relative weight among all goods; slow sellers have little.
        light_appeal: factor on ``popularity`` for occasional customers (below half the mean rate); frequent customers
            get its inverse. Above 1 = bought to try, rarely again.
        favourite: whether anybody has it as the favourite that is bought again and again.
        from_day, until_day: sold between these days of the world only.
        months: sold in these months (1–12) only; empty = all year.
        festival: name of the festival it is made for; sold only in the days before it.
        cost_share: purchase cost as a share of the price.
    """

    code: str
    name: str
    category: str
    price_fen: int
    popularity: float = 1.0
    light_appeal: float = 1.0
    favourite: bool = True
    from_day: int = 0
    until_day: int | None = None
    months: tuple[int, ...] = ()
    festival: str | None = None
    cost_share: float = 0.35


@dataclass(frozen=True)
class OptionGroup:
    """A choice made with an article (sugar, ice, size, colour).

    Attributes:
        sku: whether each value is an article number of its own (size), or only a wish (sugar).
        loyalty: share of purchases in which a customer takes their own usual value.
        categories: where the choice exists.
    """

    name: str
    values: tuple[str, ...]
    weights: tuple[float, ...]
    categories: tuple[str, ...]
    extra_fen: tuple[int, ...] = ()
    sku: bool = False
    loyalty: float = 0.7


@dataclass(frozen=True)
class Rhythm:
    """When a kind of customer comes: factors per weekday (Monday first), weights per hour of the shop's day.

    ``hours`` starts at the shops' opening hour; hours after midnight belong to the day before (the business date).
    """

    name: str
    share: float
    weekdays: tuple[float, float, float, float, float, float, float]
    hours: tuple[float, ...]


@dataclass(frozen=True)
class Festival:
    """A date that moves the demand. ``lunar`` says whether month and day are of the Chinese calendar.

    ``boost`` is the demand factor on the day itself; it fades in over ``days_before`` days and is gone the day after.
    """

    name: str
    month: int
    day: int
    lunar: bool
    boost: float
    days_before: int


@dataclass(frozen=True)
class Promotion:
    """A standing offer without a coupon: the last unit of an order is cheaper, at some hours of some weekdays."""

    name: str
    weekdays: tuple[int, ...]
    from_hour: int
    until_hour: int
    min_units: int
    percent_off_last: int


@dataclass(frozen=True)
class CouponTemplate:
    """A coupon: ``off_fen`` off from ``min_fen`` of goods, or ``percent_off`` per cent off."""

    code: str
    name: str
    kind: Literal["cash", "percent"]
    valid_days: int
    min_fen: int = 0
    off_fen: int = 0
    percent_off: int = 0


@dataclass(frozen=True)
class Campaign:
    """A marketing push that comes back in every four weeks.

    Attributes:
        day: day of the four weeks (0–27) on which it is sent, at ``hour``.
        template: code of the coupon that goes with it.
        share: share of the reachable customers that is treated; the others are the control group.
        window_days: how long the effect lasts.
    """

    code: str
    name: str
    day: int
    hour: int
    template: str
    share: float = 0.5
    window_days: int = 7


@dataclass(frozen=True)
class Level:
    """A membership level, reached with ``from_fen`` of net spending in the last 48 weeks."""

    code: str
    name: str
    from_fen: int


@dataclass(frozen=True)
class Behaviour:
    """How people buy. Every figure is a parameter; docs/simulated-chain.md says what moves which share.

    Attributes:
        weekly_visits: mean of the purchase rate while a customer is alive, in visits a week.
        rate_shape: shape of the gamma distribution of the rates; small = few heavy buyers, many light ones.
        dropout: ``exponential`` (a lifetime, as in Pareto/NBD), ``geometric`` (after each purchase, as in MBG/NBD) or
            ``none``.
        lifetime_days, lifetime_shape: mean and shape of the gamma mixture of exponential lifetimes (shape > 1).
        dropout_a, dropout_b: Beta distribution of the chance to leave after a purchase (``geometric``).
        one_time_share: newcomers who leave right after the first purchase (not with ``none``).
        never_buys: people who are known on some platform and never buy.
        already_customers: people who were customers before the world begins; the rest arrives later.
        arrival_days: mean waiting time of the others until their first purchase.
        extra_lines: mean number of articles beyond the first in a basket.
        loyalty: mean share of purchases that go to the own favourite product or category.
        stored_value_share: people who pay with a stored balance, topped up when it runs out.
        refund_share: orders that are refunded in part or in full.
        response_mean, response_spread: effect of a marketing push on the purchase rate in its window, as a factor less
            one (0.5 = half as much again); normal among people, lower for frequent buyers, never below -0.6.
        wholesale_share, staff_share, test_share: orders that are no customer's purchase.
    """

    weekly_visits: float = 0.45
    rate_shape: float = 0.36
    dropout: Literal["exponential", "geometric", "none"] = "exponential"
    lifetime_days: float = 480.0
    lifetime_shape: float = 4.0
    dropout_a: float = 0.8
    dropout_b: float = 8.0
    one_time_share: float = 0.10
    never_buys: float = 0.06
    already_customers: float = 0.25
    arrival_days: float = 600.0
    extra_lines: float = 0.55
    loyalty: float = 0.6
    stored_value_share: float = 0.12
    refund_share: float = 0.012
    response_mean: float = 0.35
    response_spread: float = 0.45
    wholesale_share: float = 0.0005
    staff_share: float = 0.003
    test_share: float = 0.0005

    def heavy_share(self, visits_per_week: float = 3.0) -> float:
        """Share of living customers whose true rate is at least ``visits_per_week`` (before seasons)."""
        return float(gamma.sf(visits_per_week, self.rate_shape, scale=self.weekly_visits / self.rate_shape))


@dataclass(frozen=True)
class ChainProfile:
    """A trade: goods, seasons, habits and prices of one chain. See the classes above for the parts."""

    name: str
    title_zh: str
    title_en: str
    brand: str
    product_noun: str
    opens: int
    closes: int
    night_closes: int
    cut_over_hour: int
    month_factors: Months
    categories: tuple[Category, ...]
    products: tuple[Product, ...]
    options: tuple[OptionGroup, ...]
    rhythms: tuple[Rhythm, ...]
    festivals: tuple[Festival, ...]
    promotion: Promotion
    coupons: tuple[CouponTemplate, ...]
    campaigns: tuple[Campaign, ...]
    levels: tuple[Level, ...]
    behaviour: Behaviour
    top_up_fen: int
    top_up_bonus_fen: int
    #: Share of people with a profile on each platform (pos, youzan, weimob, wecom, wechat, miniprogram).
    reach: tuple[float, float, float, float, float, float]
    #: How often each selling platform (pos, youzan, weimob, miniprogram) is used by somebody who is on all of them.
    channel_weights: tuple[float, float, float, float]
    #: Share of online orders that are delivered; the others are picked up in the shop.
    delivery_share: float
    delivery_fee_fen: int
    #: Days from payment to completion of a delivered order.
    delivery_days: float
    tags: tuple[str, ...]
    complaint_topics: tuple[str, ...]
    praise_topics: tuple[str, ...]
    search_words: tuple[str, ...] = field(default=())
