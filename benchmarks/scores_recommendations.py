"""What `scores_models.py` measures recommendations by: the next baskets, and the best lists that the simulator's truth allows."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hub.simulation.world import World
from hub.simulation.world.baskets import expected_lines
from plugins.retail.models.config import RecommendConfig
from plugins.retail.models.ranking import Bought, ranked

Ints = NDArray[np.int64]
Baskets = dict[int, set[int]]
"""Products by customer."""


@dataclass(frozen=True)
class Recommended:
    """Purchases before a day, and those that followed.

    Attributes:
        bought: what customers had bought before the day, older purchases counting less.
        sellers: how many customers had bought each product before the day.
        on_sale: which products are sold on the day; the scorer tells no others.
        wanted: products of the first purchase day from the day on, of customers with three purchase days before it.
    """

    bought: Bought
    sellers: Ints
    on_sale: NDArray[np.bool_]
    wanted: Baskets

    def lists(self, config: RecommendConfig, count: int) -> Ints:
        """Return the best products of every customer, best first, of those on sale as the scorer tells them."""
        return self._offered(np.concatenate([part.best for part in ranked(self.bought, config, 4 * count)]), count)

    def new_lists(self, config: RecommendConfig, count: int) -> Ints:
        """Return the best products that a customer had not bought."""
        return self._offered(np.concatenate([part.new for part in ranked(self.bought, config, 4 * count)]), count)

    def _offered(self, best: Ints, count: int) -> Ints:
        sold = (best >= 0) & self.on_sale[np.maximum(best, 0)]
        order = np.argsort(~sold, axis=1, kind="stable")[:, :count]
        return np.where(np.take_along_axis(sold, order, axis=1), np.take_along_axis(best, order, axis=1), -1)

    def best_sellers(self, count: int) -> Ints:
        """Return the best-sellers of those on sale, for every customer the same."""
        best = np.argsort(-np.where(self.on_sale, self.sellers, -1), kind="stable")[:count]
        return np.tile(best, (self.bought.customers, 1))

    def recall(self, lists: Ints, among: Baskets | None = None) -> float:
        """Return the mean share of the wanted products that is listed, of customers who want any."""
        wanted = {who: want for who, want in (self.wanted if among is None else among).items() if want}
        return float(np.mean([len(want & set(lists[who].tolist())) / len(want) for who, want in wanted.items()]))

    def parted(self) -> tuple[Baskets, Baskets]:
        """Return what of the wanted had been bought in the look-back, and what had not."""
        had = set(zip(self.bought.customer.tolist(), self.bought.product.tolist(), strict=True))
        again = {who: {what for what in want if (who, what) in had} for who, want in self.wanted.items()}
        return again, {who: want - again[who] for who, want in self.wanted.items()}


def recommended(lines: pd.DataFrame, day: int, on_sale: NDArray[np.bool_] | None = None) -> Recommended:
    """Part lines (customer, day, product) at a day; all products are on sale unless told."""
    known, after = lines[lines["day"] < day], lines[lines["day"] >= day]
    people, products = int(lines["customer"].max()) + 1, int(lines["product"].max()) + 1
    products = products if on_sale is None else len(on_sale)
    config = RecommendConfig()
    days = known[known["day"] >= day - config.lookback_days].drop_duplicates()
    weight = np.power(0.5, (day - days["day"].to_numpy()) / config.half_life_days)
    pairs = days.assign(weight=weight).groupby(["customer", "product"], sort=True)["weight"].sum().reset_index()
    who, what = (pairs[name].to_numpy(np.int64) for name in ("customer", "product"))
    bought = Bought(who, what, pairs["weight"].to_numpy(np.float32), people, products)
    often = known.drop_duplicates(["customer", "day"]).groupby("customer").size()
    first = after[after["day"] == after.groupby("customer")["day"].transform("min")].drop_duplicates()
    wanted = first[first["customer"].isin(often[often >= 3].index)].groupby("customer")["product"].agg(set).to_dict()
    sellers = np.bincount(known.drop_duplicates(["customer", "product"])["product"], minlength=products)
    return Recommended(bought, sellers, np.ones(products, bool) if on_sale is None else on_sale, wanted)


def codes_of(world: World) -> list[str]:
    """The chain's products by number."""
    return [product.code for product in world.setting.profile.products]


def sold_on(world: World, days: int) -> NDArray[np.bool_]:
    """Which products the till offers so many days after the world's beginning."""
    goods = world.at(world.start + timedelta(days=days)).view("pos").table("products").to_pandas()
    offered = goods.loc[goods["status"].astype(str) == "on_sale", "product_id"].astype(str)
    return np.isin(codes_of(world), offered)


def by_true_tastes(world: World, people: Ints, lines: pd.DataFrame, day: int, count: int) -> Ints:
    """What each person is likeliest to buy on the first purchase day from ``day`` on, by the simulator's truth.

    No method can know more: neither tastes nor that day can be read off purchases for certain.
    """
    epoch = int(np.datetime64(world.start.date(), "D").astype(np.int64))
    next_days = lines[lines["day"] >= day].groupby("customer")["day"].min()
    when = next_days.reindex(range(len(people)), fill_value=day).to_numpy(np.int64) - epoch
    best = np.zeros((len(people), count), np.int64)
    for moment in world.now.blocks():
        known = moment.block.people.person
        here = np.flatnonzero(np.isin(people, known))
        expected = expected_lines(moment.block, np.searchsorted(known, people[here]), when[here])
        best[here] = np.argsort(-expected, axis=1, kind="stable")[:, :count]
    return best
