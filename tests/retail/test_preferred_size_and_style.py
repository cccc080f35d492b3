"""Preferences for size, style and price band: what the catalogue and the choices on a line tell, against the chain's average."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from till import Till, order

from hub.columns import to_arrow
from hub.records import Product
from plugins.retail.rules import RuleSet
from plugins.retail.taste import Taste

_number = iter(range(10_000))


def line(product: str, *options: str) -> Any:
    from hub.records import OrderLine

    return OrderLine(product_id=product, name=product, quantity=Decimal(1), net_amount=Decimal(50), options=options)


def bought(who: str, times: int, product: str, *options: str) -> list[Any]:
    return [order(str(next(_number)), who, "50", 40 + n, lines=(line(product, *options),)) for n in range(times)]


def catalogue(till: Till, *products: Product) -> None:
    with till.engine.register({"given": to_arrow(Product, list(products))["products"]}):
        till.engine.execute("DELETE FROM products")
        till.engine.execute("INSERT INTO products BY NAME SELECT 'pos' AS connection, * FROM given")


def product(name: str, price: str | None = None, category: str = "衬衫", *tags: str) -> Product:
    return Product(source_id=name, name=name, category=category, tags=tags, list_price=Decimal(price) if price else None)  # fmt: skip


@pytest.fixture
def shop(till: Till) -> Any:
    yield till
    till.engine.execute("DELETE FROM products")


def liked(till: Till, **preference: Any) -> dict[str, dict[str, Any]]:
    return till.traits(also=(Taste,), trade="apparel", preference=preference)


def test_sizes_and_tastes_are_told_apart(shop: Till) -> None:
    shop.take(*bought("anna", 4, "衬衫", "XL", "白色"), *bought("bo", 12, "衬衫", "M", "黑色"))
    found = liked(shop)["anna"]
    assert (found["pref_size"], found["pref_taste"]) == ("XL", "白色")


def test_the_index_of_a_size_is_its_share_against_the_chain_s(shop: Till) -> None:
    shop.take(*bought("anna", 4, "衬衫", "XL"), *bought("bo", 12, "衬衫", "M"))
    # Half-life 180 days, bought 40 to 43 days ago; prior 3, the chain's share of XL is a quarter.
    weight = sum(round(1e6 * 0.5 ** ((40 + n) / 180)) for n in range(4)) / 1e6
    expected = (weight + 3 * 0.25) / (weight + 3) / 0.25 * 100
    assert liked(shop)["anna"]["pref_size_index"] == round(expected, 1)


@pytest.mark.parametrize("size", ["XS", "l", "3XL", "均码", "大杯", "中份", "38", "38码", "165/88A", "75B", "500ml"])
def test_choices_that_are_sizes(shop: Till, size: str) -> None:
    shop.take(*bought("anna", 4, "x", size), *bought("bo", 12, "x", "XXL"))
    assert liked(shop)["anna"]["pref_size"] == size


@pytest.mark.parametrize("choice", ["少糖", "去冰", "加芋圆", "白色", "5"])
def test_choices_that_are_none(shop: Till, choice: str) -> None:
    shop.take(*bought("anna", 4, "x", choice), *bought("bo", 12, "x", "全糖"))
    found = liked(shop)["anna"]
    assert (found["pref_size"], found["pref_taste"]) == (None, choice)


def test_a_style_is_told_by_tags_category_or_name(shop: Till) -> None:
    catalogue(shop, product("A", None, "衬衫", "商务"), product("B", None, "休闲裤"), product("复古帽"))
    shop.take(*bought("anna", 4, "A"), *bought("bo", 4, "B"), *bought("cy", 4, "复古帽"))
    found = liked(shop)
    assert {who: row["pref_style"] for who, row in found.items()} == {"anna": "商务", "bo": "休闲", "cy": "复古"}
    assert {row["pref_style"] for row in liked(shop, styles=[]).values()} == {None}


def test_price_bands_are_thirds_of_a_category_s_products(shop: Till) -> None:
    goods = [product(f"s{n}", str(100 * n)) for n in range(1, 7)]
    catalogue(shop, *goods, product("bag", "9000", "包"))
    shop.take(*bought("anna", 4, "s1"), *bought("bo", 4, "s3"), *bought("cy", 4, "s6"), *bought("di", 4, "bag"))
    found = {who: row["pref_price_band"] for who, row in liked(shop).items()}
    assert found == {"anna": "low", "bo": "middle", "cy": "high", "di": None}, "one bag makes no thirds"


def test_a_chain_s_own_price_bands_hold_for_every_category(shop: Till) -> None:
    catalogue(shop, product("s1", "99"), product("bag", "300", "包"), product("none"))
    shop.take(*bought("anna", 4, "s1"), *bought("bo", 4, "bag"), *bought("cy", 4, "none"))
    found = {who: row["pref_price_band"] for who, row in liked(shop, price_bands=[100, 300]).items()}
    assert found == {"anna": "low", "bo": "high", "cy": None}


def test_too_few_purchases_are_no_preference(shop: Till) -> None:
    shop.take(*bought("anna", 2, "衬衫", "XL"), *bought("bo", 12, "衬衫", "M"))
    found = liked(shop)["anna"]
    assert (found["pref_size"], found["pref_size_index"]) == (None, None)


@pytest.mark.parametrize(
    "wrong", [{"sizes": "("}, {"price_bands": [5]}, {"price_bands": [5, 5]}, {"price_bands": [0, 5]}]
)
def test_rules_that_make_no_sense_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"regular expression|two rising prices"):
        RuleSet.model_validate({"preference": wrong})
