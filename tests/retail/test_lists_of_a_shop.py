"""Best-sellers of a shop, as the hub tells orders, shops and whom a shop owns."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from till import Till, order

from hub.columns import to_arrow
from hub.records import OrderLine, Store
from plugins.retail.models.recommend import Recommend
from plugins.retail.taste import Taste


@pytest.fixture
def shops(till: Till) -> Iterator[Till]:
    """Shop a sells tea and shop b coffee, and more of it in the year; zoe has bought cake in shop a two years ago."""
    stores = to_arrow(Store, [Store(source_id=one, name=one) for one in ("a", "b")])["stores"]
    with till.engine.register({"given": stores}):
        till.engine.execute("INSERT INTO stores BY NAME SELECT 'pos' AS connection, * FROM given")
    for n in range(4):
        till.take(sold(f"a{n}", "tea", "a", 10), sold(f"b{n}", "coffee", "b", 10), sold(f"c{n}", "coffee", "b", 100))
    till.take(sold("zoe", "cake", "a", 700))
    yield till
    till.engine.execute("DELETE FROM stores")


def sold(who: str, product: str, store: str, days: float) -> Any:
    line = OrderLine(product_id=product, name=product, quantity=Decimal(1), net_amount=Decimal(30))
    return order(f"{who}-{product}", who, "30", days, store_id=store, lines=(line,))


def new(till: Till, who: str) -> tuple[str, str]:
    found = till.traits(also=(Taste, Recommend), trade="tea")[who]
    return found["reco_new"], found["reco_new_reason_en"]


def test_the_shop_of_the_last_purchase_where_none_owns_the_customer(shops: Till) -> None:
    assert new(shops, "zoe") == ("tea、coffee", "1: best-sellers of the customer's shop; 1: best-sellers of the chain")


def test_the_shop_that_owns_the_customer_wins(shops: Till) -> None:
    shops.engine.execute("UPDATE customers SET belonging_store_id = 'b' WHERE customer_id = 'zoe'")
    assert new(shops, "zoe") == ("coffee、tea", "1: best-sellers of the customer's shop; 1: best-sellers of the chain")


@pytest.mark.parametrize(("store", "first"), [("a", "tea"), ("b", "coffee"), (None, "coffee")])
def test_who_has_never_bought_begins_with_what_the_own_shop_sells(shops: Till, store: str | None, first: str) -> None:
    home = f"'{store}'" if store else "NULL"
    shops.engine.execute(f"INSERT INTO customers (customer_id, belonging_store_id) VALUES ('pia', {home})")
    assert new(shops, "pia")[0].split("、")[0] == first
