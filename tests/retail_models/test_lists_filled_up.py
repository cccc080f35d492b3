"""Lists of products to try are filled up: with best-sellers of the stage, of the shop, of the chain, and say so."""

from __future__ import annotations

import datetime as dt
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from effort import examples
from hypothesis import given, settings
from hypothesis import strategies as st
from learning_chain import BEGIN, TODAY, Purchases, Relations, inputs_of, learn, scored

from hub.models import MemoryModels
from hub.scorer import Inputs
from plugins.retail.models.daily import day_number
from plugins.retail.models.recommend import Recommend
from plugins.retail.models.sellers import WORDS, Candidates, fill_up, reasons

LIKED, STAGE, SHOP, CHAIN = (zh for zh, _ in WORDS)
DAY = BEGIN + dt.timedelta(days=300)
"""A Sunday: the week began on day 294, and what shops sold counts from day 266."""


def chain_of(rows: list[tuple[int, int, int]]) -> Inputs:
    """Customers from 0 on without a gap (even ones belong to shop S1, odd ones to S0), days and products."""
    customer, day, product = np.array(sorted(rows)).T
    lines = Purchases(customer, day_number(BEGIN) + day, np.full(len(customer), 10.0), product)
    return inputs_of(lines, DAY, Recommend.Config(), MemoryModels())


def told(inputs: Inputs, who: str = "C000000") -> dict[str, Any]:
    found = scored(Recommend(), inputs)
    (row,) = found.filter(pc.equal(found["customer_id"], who)).to_pylist()
    return row


def replaced(inputs: Inputs, name: str, sql: str) -> None:
    assert isinstance(inputs.arrow, Relations)
    inputs.arrow.add(name, inputs.arrow(sql))


def sold(people: range, day: int, *products: int) -> list[tuple[int, int, int]]:
    return [(who, day, product) for who in people for product in products]


def test_the_stage_comes_before_the_chain_and_the_reason_says_how_many_of_each() -> None:
    # Customer 0 has bought one product that nobody else buys, and sleeps; so do 1 to 5. All others buy tea 8 and are slipping.
    asleep = [(0, 150, 10), *sold(range(1, 6), 150, 3, 4)]
    found = told(chain_of([*asleep, *sold(range(6, 40), 260, 8)]))
    assert found["reco_new_ids"] == "P03,P04,P08"
    assert found["reco_new_reason"] == f"2款{STAGE}，1款{CHAIN}"
    assert found["reco_new_reason_en"] == f"2: {WORDS[1][1]}; 1: {WORDS[3][1]}"


TWO_SHOPS = [*sold(range(8, 30, 2), 280, 5), *sold(range(9, 30, 2), 280, 6), *sold(range(30, 50), 260, 6)]
"""S1 sells tea 5 lately and S0 tea 6, of which the chain has sold more."""


def test_the_own_shop_comes_between_stage_and_chain() -> None:
    asleep = [(0, 150, 10), *sold(range(1, 8), 150, 3, 4)]
    found = told(chain_of([*asleep, *TWO_SHOPS]))
    assert found["reco_new_ids"] == "P03,P04,P05,P06"
    assert found["reco_new_reason"] == f"2款{STAGE}，1款{SHOP}，1款{CHAIN}"


def test_without_a_shop_of_one_s_own_it_is_that_of_the_last_purchase() -> None:
    inputs = chain_of([*sold(range(8), 150, 10), *TWO_SHOPS])
    replaced(inputs, "customers", "SELECT customer_id, NULL::VARCHAR AS belonging_store_id FROM people")
    found = {shop: told(bought_in(inputs, shop)) for shop in ("S1", "S0")}
    assert found["S1"]["reco_new_ids"] == "P05,P06"
    assert found["S1"]["reco_new_reason"] == f"1款{SHOP}，1款{CHAIN}"
    assert found["S0"]["reco_new_ids"] == "P06,P05"


def bought_in(inputs: Inputs, shop: str) -> Inputs:
    """The chain whose first customer bought in this shop."""
    where = f"CASE WHEN customer = 1 THEN hash('till', '{shop}') ELSE shop END AS shop"
    replaced(inputs, "purchases", f"SELECT * REPLACE ({where}) FROM purchases")
    return inputs


def test_what_like_customers_buy_comes_first() -> None:
    alike = [*sold(range(5), 280, 0, 1), *sold(range(1, 5), 281, 2)]
    found = told(chain_of([(0, 290, 0), *alike, *sold(range(5, 30), 200, 7)]))
    assert found["reco_new_ids"] == "P02,P07"
    assert found["reco_new_reason"] == f"1款{LIKED}，1款{CHAIN}"
    assert found["reco_repeat_reason"] == "常买乌龙茶"


def test_what_was_bought_or_given_back_or_is_not_on_sale_fills_no_place() -> None:
    asleep = [(0, 150, 10), (0, 160, 3), *sold(range(1, 6), 150, 4, 5, 11)]
    inputs = chain_of([*asleep, *sold(range(6, 12), 150, 3)])
    assert told(inputs)["reco_new_ids"] == "P04,P05", "product 11 is not on sale"
    replaced(inputs, "customer_lines", "SELECT * REPLACE (CASE WHEN article = 3 THEN 0 ELSE kept END AS kept) FROM customer_lines UNION ALL "
             "SELECT * REPLACE (4 AS article, 0 AS kept, 1 AS quantity, business_date - 140 AS business_date) FROM customer_lines WHERE customer = 1 LIMIT 99")  # fmt: skip
    assert "P04" not in told(inputs)["reco_new_ids"]


def test_few_buyers_make_no_best_seller_of_a_stage() -> None:
    found = told(chain_of([(0, 150, 10), *sold(range(1, 3), 150, 3), *sold(range(3, 30), 280, 8)]))
    assert found["reco_new_ids"] == "P08,P03"
    assert found["reco_new_reason"] == f"1款{SHOP}，1款{CHAIN}"


def with_prospect(inputs: Inputs, store: str | None) -> None:
    replaced(inputs, "people", "FROM people UNION ALL SELECT 'X', (max(customer) + 1)::INTEGER FROM people")
    home = f"'{store}'" if store else "NULL"
    replaced(inputs, "customers", f"FROM customers UNION ALL SELECT 'X', {home}::VARCHAR")


def test_who_never_bought_has_the_best_sellers_of_the_own_shop_and_nothing_to_repeat() -> None:
    rows = [*sold(range(8), 150, 10), *TWO_SHOPS]
    inputs = chain_of(rows)
    with_prospect(inputs, "S1")
    found = told(inputs, "X")
    assert found["reco_new_ids"] == "P05,P06,P10"
    assert found["reco_new_reason"] == f"1款{SHOP}，2款{CHAIN}"
    assert (found["reco_repeat"], found["reco_repeat_reason"]) == (None, None)
    inputs = chain_of(rows)
    with_prospect(inputs, None)
    assert told(inputs, "X")["reco_new_reason"] == CHAIN


def test_prospects_miss_what_is_sold_out_in_their_shop() -> None:
    inputs = chain_of(sold(range(8, 30), 280, 5, 6))
    with_prospect(inputs, "S1")
    replaced(inputs, "products", "SELECT 'P05' AS source_id, '柠檬' AS name, true AS on_sale, 9::DECIMAL(18,4) AS stock, ['S1'] AS sold_out_at")  # fmt: skip
    assert told(inputs, "X")["reco_new_ids"] == "P06"


def test_customers_and_prospects_alone_have_the_lists_they_have_among_all(chain: Purchases) -> None:
    """In a look-back of 100 days, which many have not bought in."""
    config = Recommend.Config(lookback_days=100)
    everybody = at_home(inputs_of(chain, TODAY, config, MemoryModels()))
    among_all = scored(Recommend(), everybody)
    some = chain.taken(chain.customer % 7 == 3)
    alone = at_home(inputs_of(some, TODAY, config, MemoryModels()))
    assert isinstance(alone.arrow, Relations)
    for name, relation in learn(Recommend(), everybody).items():
        alone.arrow.add(name, relation)
    found = Recommend().score(alone).sort_by("customer_id")
    assert found.equals(among_all.filter(pc.is_in(among_all["customer_id"], found["customer_id"].combine_chunks())))
    why = dict(zip(found["customer_id"].to_pylist(), found["reco_new_reason"].to_pylist(), strict=True))
    assert why.pop("X") == SHOP
    assert {LIKED, STAGE, SHOP} <= set(why.values())


def at_home(inputs: Inputs) -> Inputs:
    """The chain with a prospect, where everybody has a shop whoever else there is."""
    with_prospect(inputs, "S0")
    home = "'S' || hash(customer_id) % 2 AS belonging_store_id"
    replaced(inputs, "customers", f"SELECT * REPLACE ({home}) FROM customers")
    return inputs


products = st.integers(-1, 6)


@settings(max_examples=examples(60), deadline=None)
@given(data=st.data(), width=st.integers(1, 4))
def test_lists_are_filled_in_the_order_of_reasons_and_hold_nothing_twice(data: st.DataObject, width: int) -> None:
    rows = data.draw(st.integers(0, 4))
    begun = [data.draw(st.lists(st.integers(0, 6), unique=True, max_size=width)) for _ in range(rows)]
    tables = [np.array(data.draw(st.lists(st.lists(products, min_size=3, max_size=3), min_size=2, max_size=2))) for _ in range(2)]  # fmt: skip
    row = [np.array([data.draw(st.integers(0, 1)) for _ in range(rows)], np.int64) for _ in range(2)]
    banned = data.draw(st.sets(st.tuples(st.integers(0, 3), st.integers(0, 6))))
    listed = np.full((rows, width), -1, np.int64)
    for who, some in enumerate(begun):
        listed[who, : len(some)] = some
    candidates = [Candidates(reason, table, of) for reason, table, of in zip((1, 2), tables, row, strict=True)]

    def may(who: Any, product: Any) -> Any:
        return np.array([(w, p) not in banned for w, p in zip(who.tolist(), product.tolist(), strict=True)], np.bool_)

    why = fill_up(listed, candidates, may)
    for who in range(rows):
        expected = [(one, 0) for one in begun[who]]
        for reason, table, of in candidates:
            for one in table[of[who]].tolist():
                known = one in [product for product, _ in expected]
                if one >= 0 and not known and (who, one) not in banned and len(expected) < width:
                    expected.append((one, reason))
        found = [(p, w) for p, w in zip(listed[who].tolist(), why[who].tolist(), strict=True) if p >= 0]
        assert found == expected


def test_reasons_are_told_once_for_a_list_of_one_kind_and_counted_for_a_mixed_one() -> None:
    why = np.array([[0, 0, 3], [3, 3, -1], [-1, -1, -1], [1, 2, 3]], np.int8)
    zh, en = reasons(why)
    assert zh.to_pylist() == [f"2款{LIKED}，1款{CHAIN}", CHAIN, None, f"1款{STAGE}，1款{SHOP}，1款{CHAIN}"]
    assert en.to_pylist()[1:3] == [WORDS[3][1], None]
    assert isinstance(zh, pa.Array)
