"""Times, money, ids: every way in which the platform writes them, and back."""

from __future__ import annotations

import datetime as dt
import json
from decimal import Decimal

import orjson
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from hub.errors import RowError
from hub.http import decode_json
from plugins.weimob.mapping.catalogue import coupon_events, to_product
from plugins.weimob.mapping.customers import CustomerFacts, to_customer
from plugins.weimob.mapping.orders import to_order
from plugins.weimob.mapping.refunds import to_refund
from plugins.weimob.values import CHINA, birthday, instant, kept, milliseconds, text, yuan

MODEST = hypothesis_settings(max_examples=40, deadline=None)
LARGE_IDS = st.integers(10**18, 2**63 - 1)
FEN = st.integers(0, 10**11)
SHOP_TIMES = st.integers(946_684_800_000, 3_786_912_000_000).map(
    lambda number: dt.datetime(1970, 1, 1, tzinfo=CHINA) + dt.timedelta(milliseconds=number)
)
"""From 2000 to 2090, to the millisecond."""


def money(fen: int) -> str:
    return f"{fen // 100}.{fen % 100:02d}"


# ---- times ------------------------------------------------------------------------------------------------------------


@MODEST
@given(SHOP_TIMES)
def test_milliseconds_come_back_exactly(moment: dt.datetime) -> None:
    assert instant(milliseconds(moment)) == moment
    assert instant(str(milliseconds(moment))) == moment


@MODEST
@given(SHOP_TIMES)
def test_seconds_in_place_of_milliseconds_are_noticed(moment: dt.datetime) -> None:
    assert instant(milliseconds(moment) // 1000) == moment.replace(microsecond=0)


@MODEST
@given(SHOP_TIMES)
def test_written_times_are_china_s(moment: dt.datetime) -> None:
    assert instant(moment.strftime("%Y-%m-%d %H:%M:%S")) == moment.replace(microsecond=0)


@MODEST
@given(st.dates(dt.date(1900, 1, 1), dt.date(2030, 1, 1)))
def test_birthdays_are_days_in_china_before_and_after_1970(day: dt.date) -> None:
    midnight = dt.datetime.combine(day, dt.time.min, CHINA)
    assert birthday(milliseconds(midnight)) == day.isoformat()


@pytest.mark.parametrize("nothing", [None, "", 0, "0", "0000-00-00 00:00:00"])
def test_nothing_is_no_time(nothing: object) -> None:
    assert instant(nothing) is None


@pytest.mark.parametrize("wrong", ["soon", "2025-13-01 00:00:00", 10**30])
def test_unreadable_times_reject_the_row(wrong: object) -> None:
    with pytest.raises(RowError, match="time"):
        instant(wrong)


# ---- every field of a record ------------------------------------------------------------------------------------------


@MODEST
@given(LARGE_IDS, LARGE_IDS, LARGE_IDS, LARGE_IDS, FEN, SHOP_TIMES, st.booleans())
def test_orders_keep_ids_money_and_times_through_json(
    number: int, wid: int, goods: int, item: int, fen: int, moment: dt.datetime, as_text: bool
) -> None:
    def wire(value: int) -> object:
        return str(value) if as_text else value

    at = milliseconds(moment)
    row = {"orderInfo": {
        "orderBaseInfo": {"orderNo": wire(number), "orderStatus": 8, "payStatus": 2, "createTime": at, "payTime": at + 1, "updateTime": at + 2},
        "buyerInfo": {"wid": wire(wid)},
        "items": [{"itemId": wire(item), "goodsId": wire(goods), "skuNum": "1", "salePrice": money(fen),
                   "payInfo": {"shouldPayAmount": money(fen)}}],
        "payInfo": {"totalAmount": money(fen), "shouldPayAmount": money(fen)},
    }}  # fmt: skip
    order = to_order(decode_json(json.dumps(row).encode()), "1")
    assert (order.source_id, order.customer_id) == (str(number), str(wid))
    assert (order.lines[0].product_id, order.lines[0].line_id) == (str(goods), str(item))
    assert order.total_amount == order.lines[0].net_amount == Decimal(fen) / 100
    assert order.ordered_at == moment
    assert order.paid_at == moment + dt.timedelta(milliseconds=1)
    assert order.updated_at == moment + dt.timedelta(milliseconds=2)
    assert order.flags == ()


@MODEST
@given(LARGE_IDS, LARGE_IDS, FEN, SHOP_TIMES)
def test_refunds_keep_ids_money_and_times_through_json(number: int, order: int, fen: int, moment: dt.datetime) -> None:
    at = milliseconds(moment)
    row = {
        "rightsOrder": {"rightsId": number, "rightsStatus": 6, "rightsType": 1, "createTime": at, "updateTime": at + 5000},
        "originOrder": {"orderNo": order}, "buyerInfo": {"wid": number}, "refundDetail": {"refundAmount": money(fen)},
        "rightsItems": [{"orderItemId": order, "applyNum": 2, "goodsInfo": {"goodsId": number}, "refundDetail": {"refundAmount": money(fen)}}],
    }  # fmt: skip
    refund = to_refund(decode_json(json.dumps(row).encode()), "1")
    assert (refund.source_id, refund.original_id, refund.customer_id) == (str(number), str(order), str(number))
    assert refund.total_amount == refund.lines[0].net_amount == -Decimal(fen) / 100
    assert (refund.ordered_at, refund.updated_at) == (moment, moment + dt.timedelta(seconds=5))
    assert refund.lines[0].quantity == -2


@MODEST
@given(LARGE_IDS, SHOP_TIMES, st.dates(dt.date(1920, 1, 1), dt.date(2020, 1, 1)))
def test_customers_keep_ids_and_times_through_json(wid: int, moment: dt.datetime, born: dt.date) -> None:
    at = milliseconds(moment)
    row = {
        "wid": wid, "becomeMemberTime": at, "birthday": milliseconds(dt.datetime.combine(born, dt.time.min, CHINA)), "belongVid": wid - 1,
        "unknownNumber": wid,
    }  # fmt: skip
    cards = [
        {"customCardNo": "1", "effectiveTime": at, "expireTime": 0, "growthValue": "12", "levelId": wid, "cardType": 1}
    ]
    customer = to_customer(CustomerFacts(decode_json(json.dumps(row).encode()), cards=cards), "1")
    assert (customer.source_id, customer.belonging_store_id, customer.level_id) == (str(wid), str(wid - 1), str(wid))
    assert customer.registered_at == moment
    assert customer.birthday == born.isoformat()
    assert customer.cards[0].valid_from == moment.date()
    assert customer.cards[0].valid_to is None
    # What other readers of the JSON would round is kept as text.
    assert customer.extra["unknownNumber"] == str(wid)


@MODEST
@given(LARGE_IDS, SHOP_TIMES, FEN)
def test_goods_and_coupons_keep_ids_money_and_times(number: int, moment: dt.datetime, fen: int) -> None:
    product = to_product(
        {
            "goodsId": number,
            "title": "袜子",
            "goodsPrice": {"minSalePrice": money(fen)},
            "onlineTime": milliseconds(moment),
        }
    )
    assert (product.source_id, product.list_price, product.created_at) == (str(number), Decimal(fen) / 100, moment)
    used = milliseconds(moment) + 1000
    row = {"code": number, "wid": number, "publishTime": milliseconds(moment), "usedTime": used, "orderNo": number}
    taken, spent = coupon_events(row, {"couponTemplateId": number, "name": "券"}, "1")
    assert (taken.customer_id, spent.order_id, spent.subject_id) == (str(number), str(number), str(number))
    assert (taken.occurred_at, spent.occurred_at) == (moment, moment + dt.timedelta(seconds=1))


# ---- money and ids ----------------------------------------------------------------------------------------------------


@MODEST
@given(FEN)
def test_amounts_are_yuan_with_two_decimals(fen: int) -> None:
    assert yuan(money(fen)) * 100 == fen


@pytest.mark.parametrize("wrong", ["12,00", "ten", "NaN", "Infinity"])
def test_amounts_that_are_no_numbers_reject_the_row(wrong: str) -> None:
    with pytest.raises(RowError, match="amount"):
        yuan(wrong)


@MODEST
@given(
    st.recursive(
        LARGE_IDS | st.integers(-100, 100) | st.text(max_size=3),
        lambda part: st.lists(part, max_size=3) | st.dictionaries(st.text(max_size=3), part, max_size=3),
        max_leaves=8,
    )
)
def test_kept_values_survive_readers_that_know_doubles_only(value: object) -> None:
    def numbers(found: object) -> list[int]:
        if isinstance(found, dict):
            return [each for item in found.values() for each in numbers(item)]
        if isinstance(found, list):
            return [each for item in found for each in numbers(item)]
        return [found] if isinstance(found, int) else []

    safe = orjson.loads(orjson.dumps(kept(value)))
    assert all(int(float(number)) == number for number in numbers(safe))


def test_ids_are_text_whatever_they_came_as() -> None:
    assert text(9_223_372_036_854_775_807) == text("9223372036854775807") == "9223372036854775807"
    assert text(True) is None
