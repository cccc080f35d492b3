"""Products that are known in other sizes only than the one somebody prefers are not offered as new."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from itertools import count
from typing import Any

import pytest
from till import Till, order

from hub.columns import to_arrow
from hub.records import OrderLine, Product
from plugins.retail.models.recommend import Recommend
from plugins.retail.taste import Taste

_number = count()
TEES = {f"T{n}": "上衣" for n in range(3)}
"""Tee-shirts that anna buys."""


@pytest.fixture
def shop(till: Till) -> Iterator[Till]:
    """A shop where anna buys tee-shirts in XL, and others in M."""
    goods = {**TEES, "M": "上衣", "裤": "裤子", "帽": "上衣", "杯": "上衣"}
    catalogue(till, *(Product(source_id=code, name=f"商品{code}", category=of) for code, of in goods.items()))
    till.take(*bought("anna", "T0", "XL"), *bought("anna", "T1", "XL"), *bought("bo", "T2", "M", times=12))
    yield till
    till.engine.execute("DELETE FROM products")


def catalogue(till: Till, *products: Product) -> None:
    with till.engine.register({"given": to_arrow(Product, list(products))["products"]}):
        till.engine.execute("DELETE FROM products")
        till.engine.execute("INSERT INTO products BY NAME SELECT 'pos' AS connection, * FROM given")


def bought(who: str, code: str, *options: str, times: int = 4) -> list[Any]:
    line = OrderLine(product_id=code, name=f"商品{code}", quantity=Decimal(1), net_amount=Decimal(50), options=options)
    return [order(f"{code}{next(_number)}", who, "50", 40 + n, lines=(line,)) for n in range(times)]


def offered(till: Till, who: str = "anna") -> tuple[str | None, set[str]]:
    """What size somebody prefers, and what is offered as new."""
    found = till.traits(also=(Taste, Recommend), trade="apparel")[who]
    return found["pref_size"], set((found["reco_new_ids"] or "").split(","))


@pytest.mark.parametrize(
    ("sizes", "new"),
    [(("M",), False), (("L", "M"), False), (("M", "XL"), True), (("M", "均码"), True), ((), True), (("白色",), True)],
    ids=["another", "others", "among others", "fits all", "none known", "no size"],
)
def test_a_product_known_in_other_sizes_only_is_not_new_to_try(
    shop: Till, sizes: tuple[str, ...], *, new: bool
) -> None:
    for size in sizes or (None,):
        shop.take(*bought("cy", "M", *filter(None, [size])))
    size, found = offered(shop)
    assert size == "XL"
    assert ("M" in found) is new


def test_sizes_of_another_form_or_of_a_category_without_one_s_own_say_nothing(shop: Till) -> None:
    shop.take(*bought("cy", "裤", "L"), *bought("cy", "帽", "58"), *bought("cy", "杯", "大杯"))
    assert {"裤", "帽", "杯"} <= offered(shop)[1], "no trousers are known in XL, and 58 and 大杯 are no letters"


def test_without_a_clear_preference_every_size_is_offered(shop: Till) -> None:
    shop.take(*bought("di", "T0", "XL", times=2), *bought("cy", "M", "M"))
    size, found = offered(shop, "di")
    assert size is None
    assert "M" in found


def test_the_heading_of_a_size_is_left_out(shop: Till) -> None:
    shop.take(*bought("eve", "T0", "尺码:XL", "颜色:白色", times=5), *bought("cy", "M", "尺码:M"))
    size, found = offered(shop, "eve")
    assert size == "XL"
    assert "M" not in found


def test_where_lines_tell_no_size_it_is_a_word_of_the_name_or_a_tag(shop: Till) -> None:
    names = {"A": "针织衫 M", "B": "针织衫（XL）", "C": "针织衫", "D": "针织衫"}
    tags = {"C": ("XL", "M"), "D": ("S",)}
    tees = [Product(source_id=code, name=f"商品{code}", category=of) for code, of in TEES.items()]
    catalogue(shop, *tees, *(Product(source_id=code, name=name, category="上衣", tags=tags.get(code, ())) for code, name in names.items()))  # fmt: skip
    shop.take(*(one for code in names for one in bought("cy", code)))
    assert offered(shop)[1] & set(names) == {"B", "C"}


def test_what_was_bought_is_offered_again_in_whatever_size(shop: Till) -> None:
    shop.take(*bought("anna", "M", "M", times=1))
    found = shop.traits(also=(Taste, Recommend), trade="apparel")["anna"]
    assert found["pref_size"] == "XL"
    assert "M" in found["reco_repeat_ids"].split(",")
