"""From rows to tickets: totals, discounts, payments, kinds, and rows that do not belong together."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pytest
from files_rig import Drops, amounts, csv
from hypothesis import example, given, settings
from hypothesis import strategies as st

LINES = "单号,门店编码,销售时间,商品编码,数量,单价,整单优惠,实收总额"


# Discounts and balance


def test_a_ticket_discount_is_spread_by_the_lines_worth(drops: Drops) -> None:
    order = drops.read_one(csv("1,S,2026-03-01,A,1,70,10,90", "1,S,2026-03-01,B,1,30,10,90", header=LINES)).only
    assert amounts(line.net_amount for line in order.lines) == ["63", "27"]
    assert amounts(line.discount_amount for line in order.lines) == ["7", "3"]
    assert [line.discount_allocated for line in order.lines] == [True, True]
    assert (order.total_amount, order.discount_amount, order.flags) == (90, 10, ())


def test_the_last_fen_goes_to_the_largest_remainder(drops: Drops) -> None:
    rows = [f"1,S,2026-03-01,{name},1,10,10,20" for name in "ABC"]
    order = drops.read_one(csv(*rows, header=LINES)).only
    assert amounts(line.discount_amount for line in order.lines) == ["3.34", "3.33", "3.33"]
    assert sum(line.net_amount for line in order.lines) == 20


def test_a_discount_the_lines_know_of_already_is_not_spread_again(drops: Drops) -> None:
    header = "单号,销售时间,商品编码,小计,整单优惠,实收总额"
    order = drops.read_one(csv("1,2026-03-01,A,63,10,90", "1,2026-03-01,B,27,10,90", header=header)).only
    assert amounts(line.net_amount for line in order.lines) == ["63", "27"]
    assert [line.discount_allocated for line in order.lines] == [False, False]


def test_without_a_total_the_ticket_discount_is_taken_off_the_priced_lines(drops: Drops) -> None:
    header = "单号,销售时间,商品编码,数量,单价,整单优惠"
    order = drops.read_one(csv("1,2026-03-01,A,1,70,10", "1,2026-03-01,B,1,30,10", header=header)).only
    assert order.total_amount == 90


def test_a_returned_tickets_discount_is_spread_with_its_sign(drops: Drops) -> None:
    order = drops.read_one(csv("1,S,2026-03-01,A,-1,70,10,-90", "1,S,2026-03-01,B,-1,30,10,-90", header=LINES)).only
    assert amounts(line.net_amount for line in order.lines) == ["-63", "-27"]
    assert (order.kind, order.discount_amount, order.flags) == ("refund", -10, ())


@settings(max_examples=12, deadline=None)
@given(
    prices=st.lists(st.integers(1, 20_000), min_size=1, max_size=6),
    percent=st.integers(1, 99),
)
@example(prices=[7], percent=15)
def test_what_is_spread_comes_to_the_discount_to_the_fen(
    tmp_path_factory: pytest.TempPathFactory, prices: list[int], percent: int
) -> None:
    folder = tmp_path_factory.mktemp("spread")
    (folder / "drops").mkdir()
    discount = sum(prices) * percent // 100
    total = sum(prices) - discount
    rows = [
        f"1,S,2026-03-01,P{n},1,{price / 100:.2f},{discount / 100:.2f},{total / 100:.2f}"
        for n, price in enumerate(prices)
    ]
    order = Drops(folder / "drops", folder / "scratch").read_one(csv(*rows, header=LINES)).only
    assert sum(line.net_amount for line in order.lines) == Decimal(total) / 100
    assert all(0 <= line.discount_amount <= line.net_amount + line.discount_amount for line in order.lines)


def test_rounding_is_money_not_taken(drops: Drops) -> None:
    header = "单号,销售时间,商品编码,小计,抹零,实收总额"
    order = drops.read_one(
        csv("1,2026-03-01,A,17.10,0.03,31.50", "1,2026-03-01,B,14.43,0.03,31.50", header=header)
    ).only
    assert (amounts([order.rounding_amount]), order.flags) == (["-0.03"], ())


def test_a_ticket_that_does_not_add_up_is_kept_and_flagged_with_the_difference(drops: Drops) -> None:
    header = "单号,销售时间,商品编码,小计,实收总额"
    order = drops.read_one(csv("1,2026-03-01,A,10,25", "1,2026-03-01,B,10,25", header=header)).only
    assert (order.total_amount, order.flags, order.extra) == (25, ("balance_off",), {"balance_difference": "5.0000"})


def test_payments_that_do_not_come_to_the_total_are_flagged(drops: Drops) -> None:
    order = drops.read_one(csv("1,2026-03-01,25,10,5", header="单号,销售时间,实收总额,现金,微信")).only
    assert order.flags == ("balance_off",)


def test_a_fen_per_line_is_no_imbalance(drops: Drops) -> None:
    header = "单号,销售时间,商品编码,小计,实收总额"
    order = drops.read_one(csv("1,2026-03-01,A,10,20.02", "1,2026-03-01,B,10,20.02", header=header)).only
    assert order.flags == ()


# Payments


def test_change_is_given_back_in_cash(drops: Drops) -> None:
    order = drops.read_one(csv("1,2026-03-01,88,100,12", header="单号,销售时间,实收总额,现金,找零")).only
    assert [(t.method, t.amount, t.method_text) for t in order.tenders] == [
        ("cash", 100, "现金"),
        ("cash", -12, "找零"),
    ]
    assert order.flags == ()


def test_a_ticket_list_with_a_row_per_payment(drops: Drops) -> None:
    text = csv(
        "1,2026-03-01,20,储值卡",
        "1,2026-03-01,11.5,微信支付",
        "2,2026-03-01,7,Apple",
        header="单号,销售时间,实收金额,支付方式",
    )
    reading = drops.read_one(text)
    assert [(t.method, t.amount) for t in reading["1"].tenders] == [("stored_value", 20), ("wechat", Decimal("11.5"))]
    assert reading["1"].total_amount == Decimal("31.5")
    assert [(t.method, t.method_text) for t in reading["2"].tenders] == [("other", "Apple")]


def test_several_methods_in_one_cell_are_not_taken_for_the_first(drops: Drops) -> None:
    order = drops.read_one(csv("1,2026-03-01,30,微信+储值卡", header="单号,销售时间,实收总额,支付方式")).only
    assert [(t.method, t.amount, t.method_text) for t in order.tenders] == [("other", 30, "微信+储值卡")]


def test_payment_columns_repeated_on_every_line_count_once(drops: Drops) -> None:
    header = "单号,销售时间,商品编码,小计,实收总额,现金,微信"
    order = drops.read_one(csv("1,2026-03-01,A,10,30,5,25", "1,2026-03-01,B,20,30,5,25", header=header)).only
    assert [t.amount for t in order.tenders] == [5, 25]


def test_payment_columns_of_the_lines_are_added_up(drops: Drops) -> None:
    header = "单号,销售时间,商品编码,小计,实收总额,现金,微信"
    order = drops.read_one(csv("1,2026-03-01,A,10,30,10,", "1,2026-03-01,B,20,30,5,15", header=header)).only
    assert [(t.method, t.amount) for t in order.tenders] == [("cash", 15), ("wechat", 15)]


# Kinds


@pytest.mark.parametrize(
    ("word", "kind", "status"),
    [("销售", "sale", "paid"), ("换货", "exchange", "paid"), ("储值充值", "deposit", "paid"), ("作废", "sale", "void"),
     ("反结账", "sale", "void"), ("批发", "wholesale", "paid"), ("员工购", "staff", "paid"), ("退款单", "refund", "paid")],
)  # fmt: skip
def test_the_type_column_tells_the_kind(drops: Drops, word: str, kind: str, status: str) -> None:
    order = drops.read_one(csv(f"1,2026-03-01,{word},12", header="单号,销售时间,单据类型,实收总额")).only
    assert (order.kind, order.status, abs(order.total_amount)) == (kind, status, 12)


def test_an_unknown_type_is_counted_by_its_sign_and_noted(drops: Drops) -> None:
    reading = drops.read_one(csv("1,2026-03-01,线上,12", header="单号,销售时间,单据类型,实收总额"))
    assert reading.only.kind == "sale"
    assert reading.notes == ["drops/0301.csv: types the mapping has no kind for, counted by their sign: 线上 (1 rows)"]


def test_a_mapping_may_add_words_of_its_own(drops: Drops) -> None:
    mapping = {"extends": "zh_pos", "kinds": {"反销售": "refund"}, "tenders": {"企业微信支付": "other"}}
    text = csv("1,2026-03-01,反销售,12,企业微信支付", header="单号,销售时间,单据类型,实收总额,支付方式")
    order = drops.read_one(text, mapping).only
    assert (order.kind, order.tenders[0].method) == ("refund", "other")


def test_gifts_are_lines_of_their_ticket(drops: Drops) -> None:
    header = "单号,销售时间,类型,商品编码,数量,小计"
    order = drops.read_one(csv("1,2026-03-01,销售,A,1,10", "1,2026-03-01,赠送,B,1,", header=header)).only
    assert [(line.kind, line.net_amount) for line in order.lines] == [("item", 10), ("gift", 0)]
    assert (order.kind, order.total_amount) == ("sale", 10)


def test_goods_taken_back_and_sold_on_one_ticket_are_an_exchange(drops: Drops) -> None:
    header = "单号,销售时间,商品编码,数量,单价,小计"
    order = drops.read_one(csv("1,2026-03-01,A,-1,30,-30", "1,2026-03-01,B,1,20,20", header=header)).only
    assert (order.kind, order.total_amount) == ("exchange", -10)


def test_a_negative_price_is_an_adjustment_of_the_ticket_and_keeps_its_sign(drops: Drops) -> None:
    header = "单号,销售时间,商品编码,数量,单价"
    order = drops.read_one(csv("1,2026-03-01,B,1,-11.06", header=header)).only
    assert (order.kind, amounts([order.total_amount])) == ("sale", ["-11.06"])


# Rows that do not belong together


def test_one_number_for_two_shops_is_two_tickets(drops: Drops) -> None:
    reading = drops.read_one(csv("1,S1,2026-03-01,5", "1,S2,2026-03-01,6", header="单号,门店编码,销售时间,实收总额"))
    assert reading.ids == ["S1/1", "S2/1"]


def test_one_number_on_two_days_is_refused_with_both_lines(drops: Drops) -> None:
    reading = drops.read_one(
        csv(
            "1,2026-03-01 10:00,A,5",
            "2,2026-03-01 11:00,A,5",
            "1,2026-03-02 10:00,A,6",
            header="单号,销售时间,商品编码,小计",
        )
    )
    assert reading["1"].total_amount == 5
    assert reading["1"].flags == ("line_rejected",)
    assert (reading.reject.location, reading.reject.code) == ("drops/0301.csv:4", "ticket_contradicts")
    assert "from line 2, which has the same 单号: two tickets under one number, or a wrong key" in reading.reject.reason


def test_a_key_with_the_business_day_keeps_numbers_that_start_again_apart(drops: Drops) -> None:
    text = csv(
        "1,2026-03-01,2026-03-01 10:00,5", "1,2026-03-02,2026-03-02 10:00,6", header="单号,营业日期,销售时间,实收总额"
    )
    reading = drops.read_one(text, {"extends": "zh_pos", "key": ["business_date", "number"]})
    assert reading.ids == ["2026-03-01/1", "2026-03-02/1"]


def test_ticket_rows_that_disagree_about_the_total_are_refused(drops: Drops) -> None:
    reading = drops.read_one(csv("1,2026-03-01,5", "1,2026-03-01,6", header="单号,销售时间,实收总额"))
    assert reading["1"].total_amount == 5
    assert reading.reject.code == "ticket_contradicts"


def test_the_same_ticket_row_twice_counts_once(drops: Drops) -> None:
    reading = drops.read_one(
        csv("1,2026-03-01,5,现金", "1,2026-03-01,5,现金", header="单号,销售时间,实收总额,支付方式")
    )
    assert amounts(t.amount for t in reading["1"].tenders) == ["5"]
    assert reading.notes == ["drops/0301.csv: 1 row(s) that are there twice were counted once"]


def test_equal_lines_without_numbers_are_two_lines(drops: Drops) -> None:
    order = drops.read_one(
        csv("1,2026-03-01,A,1,5", "1,2026-03-01,A,1,5", header="单号,销售时间,商品编码,数量,小计")
    ).only
    assert (len(order.lines), order.total_amount) == (2, 10)


def test_equal_lines_with_the_same_number_are_one(drops: Drops) -> None:
    order = drops.read_one(
        csv("1,2026-03-01,1,A,1,5", "1,2026-03-01,1,A,1,5", header="单号,销售时间,行号,商品编码,数量,小计")
    ).only
    assert (len(order.lines), order.total_amount) == (1, 5)


def test_a_row_counter_is_no_key_unless_the_mapping_says_so(drops: Drops) -> None:
    text = csv("1,2026-03-01,1,A,1,5", "1,2026-03-01,1,B,1,6", header="单号,销售时间,序号,商品编码,数量,小计")
    assert len(drops.read_one(text).only.lines) == 2
    reading = drops.read_one(text + "2,2026-03-01,1,A,1,5\n", {"extends": "zh_pos", "line_key": True})
    assert len(reading["1"].lines) == 1
    assert reading.reject.reason == "序号 is the same as on line 2, but the rows differ; line 2 was kept."


def test_lines_of_a_ticket_need_not_stand_together(drops: Drops) -> None:
    rows = ["1,2026-03-01,A,1,5", "2,2026-03-01,B,1,6", "1,2026-03-01,C,1,7"]
    reading = drops.read_one(csv(*rows, header="单号,销售时间,商品编码,数量,小计"))
    assert [line.product_id for line in reading["1"].lines] == ["A", "C"]


def test_a_line_without_amount_and_price_is_put_aside(drops: Drops) -> None:
    reading = drops.read_one(csv("1,2026-03-01,A,1,5", "1,2026-03-01,B,1,", header="单号,销售时间,商品编码,数量,小计"))
    assert (reading.reject.code, reading["1"].flags) == ("amount_missing", ("line_rejected",))


def test_a_ticket_all_of_whose_lines_are_bad_is_found_in_the_rejects(drops: Drops) -> None:
    reading = drops.read_one(csv("1,2026-03-01,A,x,5", header="单号,销售时间,商品编码,数量,小计"))
    assert reading.records == {}
    assert reading.reject.location == "drops/0301.csv:2"


# What else is kept


def test_unknown_columns_are_kept_once_per_ticket_or_once_per_line(drops: Drops) -> None:
    header = "单号,销售时间,商品编码,小计,天气,颜值"
    order = drops.read_one(csv("1,2026-03-01,A,5,晴,高", "1,2026-03-01,B,5,晴,低", header=header)).only
    assert order.extra == {"天气": "晴", "颜值": ["高", "低"]}


def test_unknown_columns_can_be_left_out(drops: Drops) -> None:
    mapping = {"extends": "zh_pos", "unknown": "drop"}
    assert drops.read_one(csv("1,2026-03-01,5,晴", header="单号,销售时间,实收总额,天气"), mapping).only.extra == {}


def test_dropped_columns_are_in_no_record_and_no_reject(drops: Drops) -> None:
    text = csv("M1,x,2026-03-01", "M2,secret,never", header="会员编号,密码,注册时间")
    reading = drops.read_one(text, "zh_members")
    assert reading["M1"].extra == {}
    assert "secret" not in str(reading.reject)


def test_size_and_colour_are_options_of_the_line(drops: Drops) -> None:
    order = drops.read_one(csv("1,2026-03-01,A,5,红,XL", header="单号,销售时间,商品编码,小计,颜色,尺码")).only
    assert order.lines[0].options == ("红", "XL")


def test_a_ticket_of_the_future_has_a_wrong_clock(drops: Drops) -> None:
    text = csv("1,2026-03-02 16:05,5", "2,2026-03-05 10:00,5", header="单号,销售时间,实收总额")
    reading = drops.read_one(text)
    assert (reading["1"].flags, reading["2"].flags) == ((), ("clock_suspect",))


def test_amounts_in_fen_are_turned_into_yuan(drops: Drops) -> None:
    text = csv("1,2026-03-01,A,2,1250,2500", header="单号,销售时间,商品编码,数量,单价,小计")
    order = drops.read_one(text, {"extends": "zh_pos", "fen": True}).only
    assert (order.total_amount, order.lines[0].unit_price, order.lines[0].quantity) == (25, Decimal("12.5"), 2)


def test_the_hour_that_the_clocks_skip_or_repeat_has_an_instant(drops: Drops) -> None:
    header = "单号,销售时间,实收总额"
    rows = [
        "1,2025-10-26 00:30,1",
        "2,2025-10-26 01:30,1",
        "3,2025-10-26 02:30,1",
        "4,2026-03-29 01:30,1",
        "5,2026-03-29 02:30,1",
    ]
    drops.now += dt.timedelta(days=60)
    reading = drops.read_one(csv(*rows, header=header), timezone="Europe/London")
    assert [reading[str(n)].ordered_at.strftime("%H:%M") for n in range(1, 6)] == [
        "23:30",
        "00:30",
        "02:30",
        "01:30",
        "01:30",
    ]


def test_constants_and_currency(drops: Drops) -> None:
    mapping = {"extends": "zh_pos", "constants": {"store_id": "W1", "channel": "online", "currency": "HKD"}}
    order = drops.read_one(csv("1,2026-03-01,5", header="单号,销售时间,实收总额"), mapping).only
    assert (order.source_id, order.store_id, order.channel, order.currency) == ("W1/1", "W1", "online", "HKD")
