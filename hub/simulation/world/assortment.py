"""The assortment: what is sold on which day at which price, and how much people want it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np

from hub.simulation.world.arrays import NOBODY, Bools, Floats, Ints
from hub.simulation.world.calendar import days_of_period, festival_days, month_curve
from hub.simulation.world.profile import ChainProfile
from hub.simulation.world.setting import PERIOD_DAYS, Setting

__all__ = ["PRICE_RISE_DAYS", "Assortment", "Shelf"]

#: Every third article gets dearer by about a twentieth, for the first time on this day, then once a year.
PRICE_RISE_DAYS: Final = (180, 365)
_NOVELTY_DAYS: Final = 28
_NOVELTY: Final = 1.5
_LAST: Final = 10**9


@dataclass(frozen=True)
class Shelf:
    """What is on offer in one period, ready for drawing many articles at once.

    ``ladders`` holds one rising ladder of shares per (day, kind of customer, category); the last category means all.
    """

    ladders: Floats
    on_sale: Bools
    _rungs: Floats

    @classmethod
    def of(cls, weights: Floats, on_sale: Bools) -> Shelf:
        """Build the ladders from weights of shape (days, 2, categories + 1, products)."""
        sums = np.cumsum(weights, axis=-1)
        totals = sums[..., -1:]
        ladders = np.where(
            totals > 0, sums / np.where(totals > 0, totals, 1.0), (sums / totals[..., -1:, :])[..., -1:, :]
        )
        ladders[..., -1] = 1.0
        flat = ladders.reshape(-1, ladders.shape[-1])
        return cls(ladders, on_sale, np.ravel(flat + np.arange(len(flat), dtype=np.float64)[:, None]))

    def draw(self, day: Ints, frequent: Ints, category: Ints, share: Floats) -> Ints:
        """Draw an article for each row: of a category (the highest number = of all), on a day of the period."""
        _, kinds, categories, products = self.ladders.shape
        row = (day * kinds + frequent) * categories + category
        return np.asarray(np.searchsorted(self._rungs, share + row, side="right") - row * products)


@dataclass(frozen=True)
class Assortment:
    """All articles of a chain as arrays, in the order of the profile."""

    setting: Setting

    @property
    def profile(self) -> ChainProfile:
        """The trade whose articles these are."""
        return self.setting.profile

    @cached_property
    def category(self) -> Ints:
        """Category number of each article."""
        codes = [entry.code for entry in self.profile.categories]
        return np.array([codes.index(product.category) for product in self.profile.products], np.int64)

    @cached_property
    def goes_with(self) -> Ints:
        """Per category the category bought along with it, or ``NOBODY``."""
        codes = [entry.code for entry in self.profile.categories]
        return np.array(
            [codes.index(c.goes_with) if c.goes_with else NOBODY for c in self.profile.categories], np.int64
        )

    @cached_property
    def list_fen(self) -> Ints:
        """First price of each article."""
        return np.array([product.price_fen for product in self.profile.products], np.int64)

    @cached_property
    def from_day(self) -> Ints:
        """First world day of each article; articles from the start have been there for long."""
        return np.array([product.from_day or -365 for product in self.profile.products], np.int64)

    @cached_property
    def until_day(self) -> Ints:
        """World day from which each article is gone for good."""
        ends = [_LAST if product.until_day is None else product.until_day for product in self.profile.products]
        return np.array(ends, np.int64)

    def rises(self, day: Ints) -> Ints:
        """Number of general price rises before or on each day."""
        first, every = PRICE_RISE_DAYS
        return np.where(day < first, 0, (day - first) // every + 1)

    def price_fen(self, product: Ints, day: Ints) -> Ints:
        """Price of each article on each day, without extras."""
        step = np.maximum(self.list_fen // 2_000, 1) * 100
        step[np.arange(len(step)) % 3 != 0] = 0
        return np.asarray(self.list_fen[product] + step[product] * self.rises(day), np.int64)

    def on_sale(self, days: Ints) -> Bools:
        """Whether each article is sold on each day, shape (days, products)."""
        _, month, _ = self.setting.calendar_parts(days)
        sold = (days[:, None] >= self.from_day) & (days[:, None] < self.until_day)
        festivals = {festival.name: festival for festival in self.profile.festivals}
        for number, product in enumerate(self.profile.products):
            if product.months:
                sold[:, number] &= np.isin(month, product.months)
            if product.festival:
                sold[:, number] &= festival_days(self.setting, festivals[product.festival], days) >= 0
        return sold

    def shelf(self, period: int) -> Shelf:
        """The offer of one period."""
        days = days_of_period(period)
        on_sale = self.on_sale(days)
        weights = on_sale[:, None, :] * self._appeal * self._season(days)[:, None, :] * self._novelty(days)[:, None, :]
        categories = len(self.profile.categories)
        within = np.zeros((PERIOD_DAYS, 2, categories + 1, weights.shape[-1]))
        for number in range(categories):
            within[:, :, number, self.category == number] = weights[:, :, self.category == number]
        within[:, :, categories] = weights
        return Shelf.of(within, on_sale)

    @cached_property
    def _appeal(self) -> Floats:
        """Wish for each article of occasional (row 0) and frequent customers (row 1)."""
        wish = np.array([product.popularity for product in self.profile.products])
        light = np.array([product.light_appeal for product in self.profile.products])
        return np.stack([wish * light, wish / light])

    def _season(self, days: Ints) -> Floats:
        factors = np.array([category.season for category in self.profile.categories])
        return month_curve(self.setting, factors, days).T[:, self.category]

    def _novelty(self, days: Ints) -> Floats:
        age = days[:, None] - self.from_day
        return np.asarray(np.where((age >= 0) & (age < _NOVELTY_DAYS), _NOVELTY, 1.0))

    def favourites(self, frequent: Bools, random: np.random.Generator) -> Ints:
        """A favourite article per person, among those that can be one."""
        can_be = np.array([product.favourite for product in self.profile.products])
        shares = np.cumsum(self._appeal * can_be, axis=1)
        draw = random.random(len(frequent))
        picks = [np.searchsorted(row / row[-1], draw, side="right") for row in shares]
        return np.where(frequent, picks[1], picks[0])
