"""Shops and brands with rules of their own: each customer is scored by the rules of the shop he belongs to."""

from __future__ import annotations

import random
from typing import Any

import pytest
from till import Till, order

from plugins.retail.rules import RuleSet

BAKERY = {"name": "bakery", "stores": ["S2", "S3"], "trade": "convenience", "stages": {"active": 15}}
ROASTERS = {"name": "roasters", "stores": ["S4"], "rfm": {"mode": "quantile", "bins": 4}}
CHAIN = {"trade": "tea", "shops": [BAKERY, ROASTERS]}


def belong(till: Till, **shops: str) -> None:
    for who, shop in shops.items():
        till.engine.execute(f"UPDATE customers SET belonging_store_id = '{shop}' WHERE customer_id = '{who}'")


def test_each_customer_has_the_stage_and_the_version_of_the_own_shop_s_rules(till: Till) -> None:
    till.take(*(order(f"{who}{day}", who, "10", day) for who in ("anna", "bo", "cy") for day in (70, 20)))
    belong(till, anna="S1", bo="S2")
    found = till.traits(**CHAIN)
    rules = RuleSet.model_validate(CHAIN)
    assert {who: row["lifecycle_stage"] for who, row in found.items()} == {"anna": "repurchase", "bo": "slipping", "cy": "repurchase"}  # fmt: skip
    assert found["bo"]["rule_version"] == rules.of_shops(rules.shops[0]).version
    assert found["bo"]["rule_version"].startswith("bakery@")
    assert found["anna"]["rule_version"] == found["cy"]["rule_version"] == rules.version


def test_a_shop_s_rules_are_its_pack_with_what_is_written_over_it() -> None:
    rules = RuleSet.model_validate(CHAIN)
    bakery, roasters = map(rules.of_shops, rules.shops)
    assert (bakery.stages.active, bakery.stages.slipping, bakery.rfm.window_days) == (15, 45, 90)
    assert (roasters.stages, roasters.rfm.mode) == (rules.stages, "quantile")
    assert bakery.slots == rules.slots, "what is not of shops is the chain's"


def test_another_shop_s_customers_change_no_trait(till: Till) -> None:
    draw = random.Random(7)
    people = [f"c{n}" for n in range(24)]
    till.take(*(order(f"{who}-{n}", who, str(draw.randint(5, 90)), draw.uniform(1, 200)) for who in people for n in range(draw.randint(1, 9))))  # fmt: skip
    shops = {who: f"S{n % 4 + 1}" for n, who in enumerate(people)}
    belong(till, **shops)
    found = till.traits(**CHAIN)
    rules = RuleSet.model_validate(CHAIN)
    chain = till.traits(trade="tea")
    bakery = till.traits(**rules.of_shops(rules.shops[0]).model_dump(mode="json"))
    for who, shop in shops.items():
        if shop in ("S1", "S2", "S3"):
            alone = chain if shop == "S1" else bakery
            assert {**found[who], "rule_version": ""} == {**alone[who], "rule_version": ""}
    # Shares of the buyers are of the shop's own: without the other shops' customers they are the same.
    own = {who: found[who] for who, shop in shops.items() if shop == "S4"}
    others = [who for who, shop in shops.items() if shop != "S4"]
    till.engine.execute(f"DELETE FROM customers WHERE customer_id IN ({', '.join(map(repr, others))})")
    assert till.traits(**CHAIN) == own


def test_every_customer_is_scored_once(till: Till) -> None:
    till.take(*(order(who, who, "10", 20) for who in ("anna", "bo", "cy", "di")))
    belong(till, anna="S2", bo="S3", cy="S4")
    assert till.traits(**CHAIN).keys() == {"anna", "bo", "cy", "di"}


@pytest.mark.parametrize(
    ("shops", "told"),
    [
        ([BAKERY, {**ROASTERS, "stores": ["S3"]}], "shop S3 stands in several rules"),
        ([{**BAKERY, "stages": {"active": 50}}], "rules bakery: stages: .*must rise"),
        ([{**BAKERY, "rfm": {"bins": 2, "unknown": 1}}], "(?s)rfm.bins.*rfm.unknown"),
    ],
)
def test_rules_of_shops_that_do_not_fit_are_refused(shops: list[Any], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        RuleSet.model_validate({"trade": "tea", "shops": shops})
