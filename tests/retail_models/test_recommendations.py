"""Recommended products: own favourites and those of like customers, never what is not on sale."""

from __future__ import annotations

import numpy as np
import pytest
from learning_chain import BEGIN, PRODUCTS, TODAY, Purchases, traits_of

from plugins.retail.models.config import RecommendConfig
from plugins.retail.models.daily import day_number
from plugins.retail.models.ranking import Bought, ranked
from plugins.retail.models.recommend import Recommend

DAY = day_number(TODAY)
CONFIG = RecommendConfig()


def bought(rows: list[tuple[int, int, float]], customers: int, products: int) -> Bought:
    rows = sorted(rows)
    return Bought(
        np.array([row[0] for row in rows], np.int64),
        np.array([row[1] for row in rows], np.int64),
        np.array([row[2] for row in rows], np.float32),
        customers,
        products,
    )


def best(found: Bought, count: int, config: RecommendConfig = CONFIG) -> list[list[int]]:
    return [row.tolist() for part in ranked(found, config, count) for row in part.best]


def test_own_favourites_come_first_and_then_those_of_like_customers() -> None:
    rows = [(0, 0, 5.0), (0, 1, 1.0), (1, 0, 4.0), (1, 1, 1.0), (1, 2, 3.0), (2, 3, 2.0), (2, 4, 2.0)]
    first, *_ = best(bought(rows, 3, 6), 6)
    assert first[0] == 0
    assert first.index(2) < first.index(3), "customer 1 is like customer 0, customer 2 is not"
    assert first[-1] == -1, "nobody buys the sixth"


def test_who_has_bought_much_is_told_new_products_all_the_same() -> None:
    rows = [(0, product, 2.0) for product in range(6)] + [(1, 0, 1.0), (1, 6, 1.0), (2, 7, 1.0), (2, 8, 1.0)]
    (found,) = ranked(bought(rows, 3, 9), CONFIG, 3)
    assert found.had[0].all(), "the three best of all are favourites"
    assert found.new[0].tolist() == [6, 7, 8], "customer 1 shares a product"


def test_customers_without_purchases_get_the_best_sellers() -> None:
    rows = [(0, 2, 1.0), (1, 2, 1.0), (1, 1, 1.0), (2, 2, 1.0), (2, 1, 1.0), (2, 0, 1.0)]
    assert best(bought(rows, 4, 3), 3)[3] == [2, 1, 0]


def test_fewer_products_than_asked_for_leave_the_places_empty() -> None:
    assert best(bought([(0, 0, 1.0)], 1, 1), 3) == [[0, -1, -1]]
    assert best(bought([], 2, 0), 2) == [[-1, -1], [-1, -1]]


def test_one_s_own_purchases_are_no_like_customer() -> None:
    rows = [(0, 0, 9.0), (0, 1, 1.0), (1, 1, 1.0), (1, 2, 1.0)]
    only_likes = RecommendConfig(own_share=0.0)
    assert best(bought(rows, 2, 4), 4, only_likes)[0][0] in {1, 2}


def test_blocks_of_any_size_give_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    draw = np.random.default_rng(3)
    rows = {(int(c), int(p)): 1.0 + float(draw.integers(0, 3)) for c, p in draw.integers(0, (120, 30), (900, 2))}
    found = bought([(c, p, w) for (c, p), w in rows.items()], 120, 30)
    whole = best(found, 10)
    monkeypatch.setattr("plugins.retail.models.ranking._CELLS", 700)
    assert best(found, 10) == whole


def test_the_lists_of_a_chain(chain: Purchases) -> None:
    found = traits_of(Recommend(), chain, TODAY).to_pylist()
    lately = chain.taken((chain.day < DAY) & (chain.day >= DAY - 365))
    for row in found[::25]:
        own = {f"P{one:02d}" for one in lately.product[lately.customer == int(row["customer_id"][1:])]}
        again = (row["reco_repeat_ids"] or "").split(",") if row["reco_repeat_ids"] else []
        new = row["reco_new_ids"].split(",")
        assert set(again) <= own
        assert not set(new) & own
        assert len(again) <= 5 >= len(new)
        assert "P11" not in {*again, *new}, "not on sale"
        assert [PRODUCTS[int(code[1:])] for code in new] == row["reco_new"].split("、")
        assert (row["reco_repeat_reason"] is None) == (row["reco_repeat"] is None)
        assert row["reco_new_reason"]
        assert row["reco_new_reason_en"]


def test_a_recommendation_sees_nothing_of_the_future_and_no_order_of_rows(chain: Purchases) -> None:
    now = traits_of(Recommend(), chain, TODAY)
    before = chain.before(DAY)
    shuffled = before.taken(np.random.default_rng(2).permutation(len(before.day)))
    assert traits_of(Recommend(), shuffled, TODAY).equals(now)


def test_the_next_basket_is_found_at_least_as_often_as_by_own_frequency(chain: Purchases) -> None:
    """Products of the first purchase day after the day, of customers with three days before it."""
    known, after = chain.before(DAY), chain.taken(chain.day >= DAY)
    pairs, counts = np.unique(np.column_stack([known.customer, known.product]), axis=0, return_counts=True)
    people, products = int(chain.customer.max()) + 1, len(PRODUCTS)
    found = Bought(pairs[:, 0], pairs[:, 1], counts.astype(np.float32), people, products)
    first = np.full(people, np.iinfo(np.int64).max)
    np.minimum.at(first, after.customer, after.day)
    wanted = {
        (int(c), int(p)) for c, p, d in zip(after.customer, after.product, after.day, strict=True) if d == first[c]
    }
    often = set(np.flatnonzero(np.bincount(known.daily().customer, minlength=people) >= 3).tolist())

    def recall(config: RecommendConfig) -> float:
        lists = best(found, 4, config)
        asked = [(c, p) for c, p in wanted if c in often]
        return float(np.mean([p in lists[c] for c, p in asked]))

    assert recall(CONFIG) >= recall(RecommendConfig(own_share=1.0)) - 0.01
    assert recall(CONFIG) > 1.3 * len([1 for c, p in wanted if c in often and p < 4]) / len(
        [1 for c, _ in wanted if c in often]
    )


def test_an_empty_chain_has_no_lists() -> None:
    nothing = np.zeros(0, np.int64)
    assert traits_of(Recommend(), Purchases(nothing, nothing, nothing.astype(float), nothing), TODAY).num_rows == 0
    old = Purchases(np.zeros(1, np.int64), np.array([day_number(BEGIN)]), np.ones(1), np.zeros(1, np.int64))
    assert traits_of(Recommend(), old, TODAY).to_pylist()[0]["reco_repeat"] is None
