"""Member, product and shop lists."""

from __future__ import annotations

import datetime as dt

import pytest
from files_rig import Drops, amounts, csv

from hub.records import Customer

MEMBERS = "会员卡号,姓名,手机号,性别,生日,会员等级,积分,余额,归属门店编码,开卡时间,unionid,更新时间,标签,喜好"


def test_a_member_list_becomes_profiles_with_card_and_identifiers(drops: Drops) -> None:
    row = '00088,王小明,15400000001,男,1990-05-17,金卡,"1,200",￥88.50,S01,2024-01-02 10:00:00,oUn1,2026-02-28 09:00:00,"老客,奶茶",甜'
    member = drops.read_one(csv(row, header=MEMBERS), "zh_members", scope="till").only
    assert isinstance(member, Customer)
    assert [(i.kind, i.value, i.scope) for i in member.identifiers] == [
        ("card_no", "00088", "till"), ("unionid", "oUn1", ""), ("phone", "15400000001", ""),
    ]  # fmt: skip
    assert (member.source_id, member.name, member.gender, member.birthday) == ("00088", "王小明", "male", "1990-05-17")
    assert (member.level, member.points, amounts([member.balance or 0])) == ("金卡", 1200, ["88.5"])
    assert member.registered_at == dt.datetime(2024, 1, 2, 2, 0, tzinfo=dt.UTC)
    assert member.updated_at == dt.datetime(2026, 2, 28, 1, 0, tzinfo=dt.UTC)
    assert (member.tags, member.extra, member.belonging_store_id) == (("老客", "奶茶"), {"喜好": "甜"}, "S01")
    assert [(card.scheme, card.card_no, card.level) for card in member.cards] == [("till", "00088", "金卡")]


@pytest.mark.parametrize(
    ("written", "meant"),
    [("1990-05-17", "1990-05-17"), ("19900517", "1990-05-17"), ("1990年5月17日", "1990-05-17"), ("05-17", "--05-17"),
     ("5月17日", "--05-17"), ("02-29", "--02-29"), ("--05-17", "--05-17"), ("0000-00-00", None), ("", None)],
)  # fmt: skip
def test_birthdays_with_and_without_a_year(drops: Drops, written: str, meant: str | None) -> None:
    assert drops.read_one(csv(f"M1,{written}", header="会员编号,生日"), "zh_members").only.birthday == meant


@pytest.mark.parametrize(
    ("written", "meant"), [("女", "female"), ("先生", "male"), ("未知", None), ("", None), ("F", "female")]
)
def test_genders(drops: Drops, written: str, meant: str | None) -> None:
    assert drops.read_one(csv(f"M1,{written}", header="会员编号,性别"), "zh_members").only.gender == meant


@pytest.mark.parametrize(("written", "meant"), [("是", True), ("否", False), ("Y", True), ("0", False), ("", None)])
def test_consent(drops: Drops, written: str, meant: bool | None) -> None:
    assert (
        drops.read_one(csv(f"M1,{written}", header="会员编号,营销授权"), "zh_members").only.marketing_consent is meant
    )


def test_a_consent_nobody_understands_is_rejected(drops: Drops) -> None:
    reject = drops.read_one(csv("M1,或许", header="会员编号,营销授权"), "zh_members").reject
    assert (reject.code, reject.reason) == ("flag_unreadable", "营销授权 is neither yes nor no.")


def test_a_member_without_a_number_is_known_by_the_phone(drops: Drops) -> None:
    reading = drops.read_one(
        csv(",15400000001,王", "M2,15400000002,李", ",,张", header="会员编号,手机号,姓名"), "zh_members"
    )
    assert reading.ids == ["15400000001", "M2"]
    assert reading.reject.location == "drops/0301.csv:4"


def test_a_product_list(drops: Drops) -> None:
    text = csv("00123,茶,饮品,12.00,在售", "00124,杯,周边,,停售", header="商品编码,商品名称,品类,零售价,商品状态")
    reading = drops.read_one(text, "zh_products")
    assert (reading["00123"].name, amounts([reading["00123"].list_price]), reading["00123"].on_sale) == (
        "茶",
        ["12"],
        True,
    )
    assert (reading["00124"].list_price, reading["00124"].on_sale) == (None, False)


def test_a_product_without_a_name_is_put_aside(drops: Drops) -> None:
    assert (
        drops.read_one(csv("00123,", header="商品编码,商品名称"), "zh_products").reject.reason == "商品名称 is empty."
    )


def test_a_shop_list(drops: Drops) -> None:
    text = csv("S01,人民路店,121.4737,31.2304,04:00,2020-01-01", header="门店编码,门店名称,经度,纬度,日结时间,开业日期")
    shop = drops.read_one(text, "zh_stores").only
    assert (shop.name, shop.longitude, shop.day_cutoff, shop.opened_on) == (
        "人民路店",
        121.4737,
        dt.time(4),
        dt.date(2020, 1, 1),
    )
