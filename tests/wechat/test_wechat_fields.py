"""What a field of a subscription message takes."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plugins.wechat.fields import field_problem, problems_of, template_of
from plugins.wechat.messages import field_text

CHINA = ZoneInfo("Asia/Shanghai")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("thing1", "字" * 20),
        ("thing1", "两行\n也行"),
        ("number2", "0.88"),
        ("number2", "-" + "9" * 31),
        ("letter3", "x" * 32),
        ("symbol4", "￥￥%&*"),
        ("character_string5", "SO-2026/0001 #9"),
        ("time6", "15:01"),
        ("time6", "2026年3月8日 15:01:22"),
        ("time6", "2026-03-08 15:01~2026-03-09 15:01"),
        ("date7", "2026年03月08日"),
        ("date7", "2026-03-08 15:01"),
        ("amount8", "￥5.20元"),
        ("amount8", "1234567890"),
        ("amount8", "$0.5"),
        ("phone_number9", "+86-15400000001"),
        ("car_number10", "粤A12345"),
        ("name11", "欧阳样板"),
        ("name11", "Ann-Marie O'Hara"),
        ("phrase12", "已发货"),
        ("somethingnew1", "whatever the platform will think of"),
    ],
)
def test_values_within_the_limits_pass(key: str, value: str) -> None:
    assert field_problem(key, value) == ""


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("thing1", "字" * 21),
        ("thing1", "  "),
        ("number2", "9" * 33),
        ("number2", "12a"),
        ("letter3", "abc1"),
        ("symbol4", "abc"),
        ("symbol4", "!" * 6),
        ("character_string5", "中文"),
        ("character_string5", "x" * 33),
        ("time6", "25:00"),
        ("time6", "3 pm"),
        ("date7", "15:01"),
        ("date7", "2026-13-01"),
        ("amount8", "￥￥5"),
        ("amount8", "12345678901"),
        ("amount8", "5元元"),
        ("phone_number9", "1" * 18),
        ("car_number10", "粤A12345678"),
        ("name11", "一二三四五六七八九十一"),
        ("name11", "x" * 21),
        ("phrase12", "已经发货了吗"),
        ("phrase12", "ok"),
    ],
)
def test_values_beyond_the_limits_are_named_without_being_repeated(key: str, value: str) -> None:
    problem = field_problem(key, value)
    assert problem.startswith(key)
    assert len(value.strip()) < 4 or value not in problem


@given(st.text(min_size=1))
@settings(max_examples=50, deadline=None)
def test_the_length_of_a_thing_is_counted_in_characters(value: str) -> None:
    fits = bool(value.strip()) and len(value) <= 20
    assert (field_problem("thing1", value) == "") is fits


def test_a_template_knows_its_fields_and_choices() -> None:
    template = template_of(
        {
            "priTmplId": "T1",
            "title": "到货",
            "content": "商品:{{thing1.DATA}}\n单号:{{character_string12.DATA}}\n类型:{{enum3.DATA}}\n",
            "keywordEnumValueList": [{"keywordCode": "enum3.DATA", "enumValueList": ["自提", "快递"]}],
        }
    )
    assert template.keys == ("thing1", "character_string12", "enum3")
    assert problems_of(template, {"thing1": "茶", "character_string12": "SO1", "enum3": "快递"}) == []
    assert problems_of(template, {"thing1": "字" * 21, "enum3": "飞机", "thing9": "x"}) == [
        "character_string12 is missing",
        "thing9 is no field of the template, which has thing1, character_string12, enum3",
        "thing1 has 21 characters and must be at most 20 characters",
        "enum3 must be one of 自提, 快递",
    ]


@pytest.mark.parametrize(
    ("key", "value", "written"),
    [
        ("amount2", Decimal("12.50"), "12.50"),
        ("amount2", Decimal("12.00"), "12"),
        ("number1", 7, "7"),
        ("number1", 9_007_199_254_740_993, "9007199254740993"),
        ("date3", "2026-03-08", "2026-03-08"),
        ("time3", "2026-03-07T16:30:00.000000Z", "2026年03月08日 00:30"),
        ("thing1", "2026-03-07T16:30:00Z", "2026-03-07T16:30:00Z"),
    ],
)
def test_values_are_written_as_the_field_holds_them(key: str, value: object, written: str) -> None:
    assert field_text(key, value, CHINA) == written


@pytest.mark.parametrize("value", [True, ["a"], {"a": 1}, 1.5, None])
def test_what_is_neither_text_nor_number_is_refused(value: object) -> None:
    with pytest.raises(TypeError, match="thing1 must be a text or a number"):
        field_text("thing1", value, CHINA)


@given(st.datetimes(dt.datetime(2020, 1, 1), dt.datetime(2040, 1, 1)))  # noqa: DTZ001 - taken for UTC
@settings(max_examples=40, deadline=None)
def test_every_instant_becomes_a_date_that_the_platform_takes(moment: dt.datetime) -> None:
    text = field_text("date1", moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ"), CHINA)
    assert field_problem("date1", text) == ""
    read = dt.datetime.strptime(text, "%Y年%m月%d日 %H:%M").replace(tzinfo=CHINA)
    assert read == moment.replace(tzinfo=dt.UTC, second=0, microsecond=0)
