"""Personal lists leave out what was given back and what is not used up yet."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from learning_chain import BEGIN, Purchases, Relations, inputs_of, scored

from hub.scorer import Inputs
from plugins.retail.models.daily import day_number
from plugins.retail.models.kept_out import KeptOut, Shelves
from plugins.retail.models.recommend import Recommend
from plugins.retail.rules import RuleSet

TODAY = BEGIN + dt.timedelta(days=40)
BEANS = {"trade": "tea", "care": {"needs": [{"name": "milk", "words": ["拿铁", "奶茶"], "days_per_unit": 30}]}}


@pytest.fixture
def few() -> Inputs:
    """Six customers who buy products 0 to 7 (2: 奶茶, 7: 拿铁); customer 0 bought 奶茶 ten days ago."""
    bought = [(c, 5 + c, (c + n) % 8) for c in range(6) for n in range(5)] + [(0, 30, 2), (0, 30, 1)]
    customer, day, product = np.array(bought).T
    lines = Purchases(customer, day_number(BEGIN) + day, np.full(len(customer), 10.0), product)
    return inputs_of(lines, TODAY, Recommend.Config())


def lists(inputs: Inputs, rules: dict[str, Any]) -> set[str]:
    given = replace(inputs, settings={"retail": RuleSet.model_validate(rules)})
    row = scored(Recommend(), given).to_pylist()[0]
    return {code for name in ("reco_repeat_ids", "reco_new_ids") for code in (row[name] or "").split(",")}


def test_a_need_group_that_is_not_used_up_is_left_out_in_any_product_of_it(few: Inputs) -> None:
    assert {"P02", "P07"} & lists(few, {"trade": "retail"})
    assert not {"P02", "P07"} & lists(few, BEANS)


def test_what_was_given_back_is_left_out(few: Inputs) -> None:
    assert "P01" in lists(few, {"trade": "retail"})
    assert isinstance(few.arrow, Relations)
    given_back = "SELECT * REPLACE (CASE WHEN article = 1 THEN 0 ELSE kept END AS kept) FROM customer_lines"
    few.arrow.add("customer_lines", few.arrow(given_back))
    assert "P01" not in lists(few, {"trade": "retail"})


def test_places_without_a_product_are_never_left_out() -> None:
    left = KeptOut(np.array([0, 2]), np.array([3, 0]), products=4)
    best = np.array([[3, 0, -1], [3, -1, -1], [0, 1, 3]])
    assert left.among(0, best).tolist() == [[True, False, False], [False] * 3, [True, False, False]]
    assert left.among(2, best[:1]).tolist() == [[False, True, False]]
    assert not KeptOut(np.zeros(0, np.int64), np.zeros(0, np.int64), 4).among(0, best).any()


def _shelves(few: Inputs, stock: int | None, sold_out_at: list[str]) -> None:
    assert isinstance(few.arrow, Relations)
    row = f"SELECT 'P01' AS source_id, '绿茶' AS name, true AS on_sale, {'NULL' if stock is None else stock}::DECIMAL(18,4) AS stock, "
    few.arrow.add("products", few.arrow(row + f"{sold_out_at}::VARCHAR[] AS sold_out_at"))


@pytest.mark.parametrize(
    ("stock", "sold_out_at", "listed"),
    [
        (None, [], True),
        (5, [], True),
        (0, [], False),
        (5, ["S1"], False),
        (5, ["S0"], True),
        (None, ["S0", "S1"], False),
    ],
)
def test_what_is_sold_out_in_the_own_shop_is_left_out(
    few: Inputs, stock: int | None, sold_out_at: list[str], *, listed: bool
) -> None:
    # Customer 0 is number 1 of the people and belongs to shop S1.
    _shelves(few, stock, sold_out_at)
    assert ("P01" in lists(few, {"trade": "retail"})) is listed


def test_customers_of_no_shop_miss_only_what_is_sold_out_everywhere() -> None:
    sold_out = np.array([[True, False], [False, True]])
    left = KeptOut(np.zeros(0, np.int64), np.zeros(0, np.int64), 2, Shelves(sold_out, np.array([0, 1, 0])))
    best = np.array([[0, 1, -1]])
    assert left.among(0, best).tolist() == [[True, False, False]]
    assert left.among(1, best).tolist() == [[False, True, False]]
