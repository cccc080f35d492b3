"""Chinese POS exports: how their texts are read, rule by rule."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pytest
from files_rig import HEADER, Drops, amounts, csv

LINE = "0001,S01,2026-03-01 15:30:12,00123,珍珠奶茶,2,12.00,24.00"
SHANGHAI = dt.timezone(dt.timedelta(hours=8))


# 1. Encoding


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gbk", "gb18030", "utf-16"])
def test_the_encoding_is_found_out(drops: Drops, encoding: str) -> None:
    drops.write("0301.csv", csv(LINE), encoding=encoding)
    assert drops.read()["S01/0001"].lines[0].name == "珍珠奶茶"


def test_utf_16_big_endian_is_known_by_its_mark(drops: Drops) -> None:
    drops.write("0301.csv", b"\xfe\xff" + csv(LINE).encode("utf-16-be"))
    assert drops.read()["S01/0001"].lines[0].name == "珍珠奶茶"


def test_characters_beyond_gbk_are_read_as_gb18030(drops: Drops) -> None:
    drops.write("0301.csv", csv(LINE.replace("珍珠", "㐂𠀀")), encoding="gb18030")
    assert drops.read()["S01/0001"].lines[0].name == "㐂𠀀奶茶"


def test_big5_is_read_when_it_is_set(drops: Drops) -> None:
    text = csv(
        "0001,S01,2026-03-01 15:30:12,00123,珍珠奶茶,2,12.00,24.00", header="單號,門店,時間,編號,品名,數量,單價,金額"
    )
    drops.write("0301.csv", text, encoding="big5")
    mapping = {
        "extends": "zh_pos",
        "columns": {
            "number": ["單號"], "store_id": ["門店"], "ordered_at": ["時間"], "product_id": ["編號"], "product_name": ["品名"],
            "quantity": ["數量"], "unit_price": ["單價"], "amount": ["金額"],
        },
    }  # fmt: skip
    assert drops.read(mapping, encoding="big5")["S01/0001"].lines[0].name == "珍珠奶茶"


# 2. Delimiters, titles above, totals below


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_is_found_out(drops: Drops, delimiter: str) -> None:
    order = drops.read_one(csv(LINE).replace(",", delimiter))["S01/0001"]
    assert order.total_amount == 24


def test_title_rows_above_the_header_are_skipped(drops: Drops) -> None:
    text = "销售流水报表\n\n门店：人民路店,,统计日期：2026-03-01\n" + csv(LINE)
    assert drops.read_one(text).ids == ["S01/0001"]


@pytest.mark.parametrize(
    "total", ["合计,,,,,2,,24.00", "小计:,,,,,2,,24.00", ",,,总计,,2,,24.00", '"合计",24.00', "制表人：王"]
)
def test_total_and_footer_rows_below_are_skipped_and_counted(drops: Drops, total: str) -> None:
    reading = drops.read_one(csv(LINE, total))
    assert reading.ids == ["S01/0001"]
    assert reading.rejects == []


def test_a_total_row_is_no_ticket_although_the_title_gives_it_a_shop_and_a_day(drops: Drops) -> None:
    text = "门店：人民路店 营业日期：2026-03-01\n" + csv(
        "1,茶,24", "合计,,24", "2,合计套餐,24", header="单号,商品名称,小计"
    )
    assert drops.read_one(text).ids == ["人民路店/1", "人民路店/2"]


def test_totals_in_other_words(drops: Drops) -> None:
    mapping = {"extends": "zh_pos", "total_words": ["Total"]}
    assert drops.read_one(
        csv("1,2026-03-01,5", "Total:,2026-03-01,5", header="单号,销售时间,实收总额"), mapping
    ).ids == ["1"]


def test_how_many_total_rows_were_skipped_is_noted(drops: Drops) -> None:
    reading = drops.read_one(csv(LINE, "小计,,,,,2,,24.00", "合计,,,,,2,,24.00"))
    assert reading.notes == ["drops/0301.csv: 2 total or footer row(s) skipped"]


def test_a_product_called_total_is_no_total_row(drops: Drops) -> None:
    reading = drops.read_one(csv(LINE.replace("珍珠奶茶", "合计套餐")))
    assert reading.only.lines[0].name == "合计套餐"


def test_headers_are_known_whatever_stands_around_them(drops: Drops) -> None:
    header = "\ufeff 流水号：,【门店编码】,销售 时间,商品编码,商品名称,数量,单价（元）,实收金额(元)"
    assert drops.read_one(csv(LINE, header=header))["S01/0001"].total_amount == 24


# 3. Numbers and codes


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("1234.5", "1234.5"),
        ('"1,234.50"', "1234.5"),
        ("￥12.00", "12"),
        ("¥12", "12"),
        ("12.00元", "12"),
        ("１２．５０", "12.5"),
        ("(12.00)", "-12"),
        ("（12.00）", "-12"),
        ("-12.00", "-12"),
        ("12.00-", "-12"),
        ("'12.00", "12"),
        (" 12.00 ", "12"),
        ("1.2E+1", "12"),
    ],
)
def test_amounts_are_read_as_they_are_meant(drops: Drops, written: str, meant: str) -> None:
    order = drops.read_one(csv(f"0001,S01,2026-03-01,00123,茶,1,,{written}")).only
    assert amounts([order.total_amount]) == [meant]


@pytest.mark.parametrize("written", ["12,5", "1,23,456", "abc", "12.0E+17", "1.2.3", "12 13x"])
def test_what_is_no_amount_is_rejected_rather_than_guessed(drops: Drops, written: str) -> None:
    reading = drops.read_one(csv(f'0001,S01,2026-03-01,00123,茶,1,5,"{written}"'))
    assert (reading.reject.code, reading.reject.column) == ("number_unreadable", "实收金额")


@pytest.mark.parametrize("written", ["00123", "'00123", "\t00123", '"=""00123"""', "００１２３", " 00123 "])
def test_leading_zeros_and_text_guards_of_codes(drops: Drops, written: str) -> None:
    order = drops.read_one(csv(f"0001,S01,2026-03-01,{written},茶,1,5,5")).only
    assert order.lines[0].product_id == "00123"


def test_long_numbers_keep_every_digit(drops: Drops) -> None:
    order = drops.read_one(csv("202603011530124680007123,S01,2026-03-01,6901234567890,茶,1,5,5")).only
    assert order.number == "202603011530124680007123"


def test_a_file_with_ids_that_a_spreadsheet_mangled_is_refused(drops: Drops) -> None:
    reading = drops.read_one(csv(LINE, "1.2E+17,S01,2026-03-01,00123,茶,1,5,5"))
    assert reading.records == {}
    assert reading.reject.code == "id_mangled"
    assert reading.reject.reason == (
        "drops/0301.csv, line 3: 流水号 was turned into scientific notation (1.2E+17) by a spreadsheet; its last digits are lost, "
        "so the ids of this file are not the real ones. Export it again without opening and saving it in Excel, or format 流水号 "
        "as text before."
    )


# 4. Dates


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("2026/3/1 15:30", "2026-03-01 15:30"),
        ("2026-03-01 15:30:12", "2026-03-01 15:30:12"),
        ("2026/03/01 15:30:12", "2026-03-01 15:30:12"),
        ("20260301", "2026-03-01 00:00"),
        ("20260301153012", "2026-03-01 15:30:12"),
        ("2026年3月1日 15:30", "2026-03-01 15:30"),
        ("2026.3.1 15:30", "2026-03-01 15:30"),
        ("46082.6458333333", "2026-03-01 15:30"),
        ("46082", "2026-03-01 00:00"),
        ("2026-03-01T07:30:00Z", "2026-03-01 15:30"),
        ("2026-03-01T15:30:00+08:00", "2026-03-01 15:30"),
        ("2026-03-01 02:30:00-05:00", "2026-03-01 15:30"),
    ],
)
def test_times_are_read_in_every_usual_form(drops: Drops, written: str, meant: str) -> None:
    order = drops.read_one(csv(f"0001,S01,{written},00123,茶,1,5,5")).only
    assert order.ordered_at == dt.datetime.fromisoformat(meant).replace(tzinfo=SHANGHAI)
    assert order.time_text == written


def test_date_and_time_in_two_columns(drops: Drops) -> None:
    text = csv("0001,2026-03-01,15:30,00123,5,1,5", header="流水号,销售日期,销售时间,商品编码,单价,数量,实收金额")
    assert drops.read_one(text).only.ordered_at == dt.datetime(2026, 3, 1, 15, 30, tzinfo=SHANGHAI)


def test_a_time_of_day_with_the_date_in_the_title(drops: Drops) -> None:
    text = "日结报表 2026年3月1日\n" + csv("0001,S01,15:30,00123,茶,1,5,5")
    order = drops.read_one(text).only
    assert order.ordered_at == dt.datetime(2026, 3, 1, 15, 30, tzinfo=SHANGHAI)


def test_a_time_of_day_without_any_date_is_rejected(drops: Drops) -> None:
    assert drops.read_one(csv("0001,S01,15:30,00123,茶,1,5,5")).reject.code == "value_missing"


@pytest.mark.parametrize("written", ["2026-02-30", "26/3/1", "soon", "2026-13-01 10:00", "infinity"])
def test_what_is_no_time_is_rejected(drops: Drops, written: str) -> None:
    reject = drops.read_one(csv(f"0001,S01,{written},00123,茶,1,5,5")).reject
    assert (reject.location, reject.column) == ("drops/0301.csv:2", "销售时间")


def test_times_are_taken_in_the_sources_zone(drops: Drops) -> None:
    order = drops.read_one(csv(LINE), timezone="Asia/Urumqi").only
    assert order.ordered_at == dt.datetime(2026, 3, 1, 9, 30, 12, tzinfo=dt.UTC)


def test_day_before_month_is_read_when_the_mapping_says_so(drops: Drops) -> None:
    mapping = {"extends": "zh_pos", "time_formats": ["%d/%m/%Y %H:%M"]}
    order = drops.read_one(csv("0001,S01,03/01/2026 10:00,00123,茶,1,5,5"), mapping).only
    assert order.ordered_at == dt.datetime(2026, 1, 3, 10, 0, tzinfo=SHANGHAI)


# 5. Refunds


def test_a_refund_is_known_by_its_negative_quantity(drops: Drops) -> None:
    order = drops.read_one(csv("0001,S01,2026-03-01,00123,茶,-1,12,-12")).only
    assert (order.kind, order.lines[0].quantity, order.total_amount) == ("refund", -1, -12)


def test_a_refund_is_known_by_its_type_and_its_sign_is_set_right(drops: Drops) -> None:
    text = csv(
        "0001,退货,2026-03-01,00123,1,12,12,现金",
        header="流水号,单据类型,销售时间,商品编码,数量,单价,实收金额,支付方式",
    )
    order = drops.read_one(text).only
    assert (order.kind, order.lines[0].quantity, order.lines[0].net_amount, order.total_amount) == (
        "refund",
        -1,
        -12,
        -12,
    )
    assert amounts(tender.amount for tender in order.tenders) == ["-12"]


def test_a_negative_amount_with_a_positive_quantity_is_goods_that_came_back(drops: Drops) -> None:
    order = drops.read_one(csv("0001,S01,2026-03-01,00123,茶,1,12,-12")).only
    assert (order.kind, order.lines[0].quantity) == ("refund", -1)


def test_returned_sales_are_refunds_although_the_word_sale_is_in_them(drops: Drops) -> None:
    text = csv("0001,销售退货,2026-03-01,00123,1,12,12", header="流水号,单据类型,销售时间,商品编码,数量,单价,实收金额")
    assert drops.read_one(text).only.kind == "refund"


# 6. Amounts of the ticket on its lines


def test_the_tickets_amount_on_every_row_is_not_the_lines(drops: Drops) -> None:
    order = drops.read_one(csv("1,S01,2026-03-01,A,茶,1,10,30", "1,S01,2026-03-01,B,杯,1,20,30")).only
    assert order.total_amount == 30
    assert amounts(line.net_amount for line in order.lines) == ["10", "20"]


def test_the_tickets_amount_on_its_first_row_only(drops: Drops) -> None:
    order = drops.read_one(csv("1,S01,2026-03-01,A,茶,1,10,30", "1,S01,2026-03-01,B,杯,1,20,")).only
    assert order.total_amount == 30
    assert order.flags == ()


def test_amounts_of_the_lines_are_added_up(drops: Drops) -> None:
    order = drops.read_one(csv("1,S01,2026-03-01,A,茶,1,10,9", "1,S01,2026-03-01,B,杯,1,20,18")).only
    assert order.total_amount == 27
    assert amounts(line.discount_amount for line in order.lines) == ["1", "2"]


def test_two_equal_lines_are_told_from_a_repeated_total_by_price_and_quantity(drops: Drops) -> None:
    order = drops.read_one(csv("1,S01,2026-03-01,A,茶,1,10,10", "1,S01,2026-03-01,A,茶,1,10,10")).only
    assert order.total_amount == 20


def test_a_mapping_can_say_whose_amounts_they_are(drops: Drops) -> None:
    text = csv("1,S01,2026-03-01,A,茶,1,10,30", "1,S01,2026-03-01,B,杯,1,20,30")
    order = drops.read_one(text, {"extends": "zh_pos", "amounts": "line"}).only
    assert order.total_amount == 60


def test_a_file_whose_tickets_disagree_is_refused_with_what_to_do(drops: Drops) -> None:
    text = csv(
        "1,S01,2026-03-01,A,茶,1,10,30", "1,S01,2026-03-01,B,杯,1,20,30",
        "2,S01,2026-03-01,A,茶,1,10,10", "2,S01,2026-03-01,B,杯,1,20,20",
    )  # fmt: skip
    reject = drops.read_one(text).reject
    assert reject.code == "amounts_unclear"
    assert 'Say so in the mapping: amounts = "line" or amounts = "ticket".' in reject.reason


# 7. Cross products


PAID = "流水号,门店编码,销售时间,行号,商品编码,数量,单价,小计,支付方式,支付金额"


def test_a_row_per_line_and_payment_is_split(drops: Drops) -> None:
    text = csv(
        "1,S01,2026-03-01,1,A,1,10,10,现金,5", "1,S01,2026-03-01,1,A,1,10,10,微信,25",
        "1,S01,2026-03-01,2,B,1,20,20,现金,5", "1,S01,2026-03-01,2,B,1,20,20,微信,25",
        header=PAID,
    )  # fmt: skip
    reading = drops.read_one(text)
    order = reading.only
    assert [line.product_id for line in order.lines] == ["A", "B"]
    assert [(tender.method, tender.amount) for tender in order.tenders] == [("cash", 5), ("wechat", 25)]
    assert (order.total_amount, order.flags) == (30, ())
    assert reading.notes == [
        "drops/0301.csv: 1 ticket(s) had a row for every pair of line and payment; each line was counted once"
    ]


def test_lines_paid_one_by_one_are_no_cross_product(drops: Drops) -> None:
    text = csv("1,S01,2026-03-01,1,A,1,10,10,现金,10", "1,S01,2026-03-01,2,B,1,20,20,微信,20", header=PAID)
    order = drops.read_one(text).only
    assert (len(order.lines), order.total_amount, order.flags) == (2, 30, ())


def test_who_paid_what_is_not_guessed_when_a_cross_product_gives_no_amounts(drops: Drops) -> None:
    header = "流水号,销售时间,行号,商品编码,数量,单价,小计,支付方式"
    text = csv(
        "1,2026-03-01,1,A,1,10,10,现金", "1,2026-03-01,1,A,1,10,10,微信",
        "1,2026-03-01,2,B,1,20,20,现金", "1,2026-03-01,2,B,1,20,20,微信",
        header=header,
    )  # fmt: skip
    order = drops.read_one(text).only
    assert order.total_amount == 30
    assert "tenders_unknown" in order.flags
    assert {tender.method for tender in order.tenders} == {"cash", "wechat"}


# 8. Phones


def test_a_masked_phone_is_no_identifier(drops: Drops) -> None:
    text = csv("1,2026-03-01,5,154****0000", "2,2026-03-01,5,15400000001", header="单号,销售日期,实收总额,手机号")
    reading = drops.read_one(text)
    assert [(i.kind, i.value) for i in reading["1"].identifiers] == [("phone_masked", "154****0000")]
    assert [(i.kind, i.value) for i in reading["2"].identifiers] == [("phone", "15400000001")]


def test_a_member_number_may_be_the_phone(drops: Drops) -> None:
    text = csv("1,2026-03-01,5,15400000001,", "2,2026-03-01,5,000123,", header="单号,销售日期,实收总额,会员编号,手机号")
    reading = drops.read_one(text)
    assert [(i.kind, i.scope) for i in reading["1"].identifiers] == [("member_no", "pos"), ("phone", "")]
    assert [i.kind for i in reading["2"].identifiers] == ["member_no"]


# 9. Business day


def test_a_ticket_after_midnight_belongs_to_the_day_before_the_cutoff(drops: Drops) -> None:
    order = drops.read_one(csv("1,S01,2026-03-01 01:30,A,茶,1,5,5"), day_cutoff="04:00").only
    assert order.business_date == dt.date(2026, 2, 28)
    assert order.ordered_at == dt.datetime(2026, 3, 1, 1, 30, tzinfo=SHANGHAI)


def test_the_business_day_in_the_file_wins(drops: Drops) -> None:
    text = csv("1,2026-03-01 01:30,2026-02-27,5", header="单号,销售时间,营业日期,实收总额")
    assert drops.read_one(text, day_cutoff="04:00").only.business_date == dt.date(2026, 2, 27)


# 10. The drop's protocol is tested in test_files_drops.py.


# The exact headers that occur in real systems


def test_a_list_of_tickets_with_cashier_and_payment(drops: Drops) -> None:
    text = csv(
        "2026-03-01 10:00,XS001,88.50,微信,1.50,小苏,小李",
        header="销售日期,销售单号,总金额,付款方式,优惠金额,收银员,经办人",
    )
    order = drops.read_one(text).only
    assert (order.number, order.total_amount, order.discount_amount) == ("XS001", Decimal("88.5"), Decimal("1.5"))
    assert (order.cashier_id, order.tenders[0].method, order.lines) == ("小苏", "wechat", ())
    assert order.extra["经办人"] == "小李"


def test_a_list_of_lines_with_a_discount_rate(drops: Drops) -> None:
    text = csv(
        "2026-03-01 10:00,1,M01,小王,A,茶,20.00,90,2,36.00",
        header="销售时间,单据号,会员编号,会员名称,商品编号,商品名称,单价,打折率,数量,总金额",
    )
    order = drops.read_one(text).only
    assert (order.customer_id, order.lines[0].net_amount, order.lines[0].discount_amount) == ("M01", 36, 4)
    assert order.extra == {"customer_name": "小王"}


def test_a_list_of_tickets_with_a_column_per_payment_method(drops: Drops) -> None:
    header = (
        "销售单号,销售日期,销售员,销售门店,会员卡号,客户电话,应收总额,优惠券金额,实收总额,刷卡,现金,原始单号,门店编码"
    )
    text = csv(
        "S1,2026-03-01,小赵,人民路店,C01,15400000001,100,10,100,60,30,,M01",
        "S2,2026-03-01,小赵,人民路店,C01,,100,,-100,,100,S1,M01",
        header=header,
    )
    reading = drops.read_one(text)
    sale, refund = reading["M01/S1"], reading["M01/S2"]
    assert [(t.method, t.amount) for t in sale.tenders] == [("coupon", 10), ("card", 60), ("cash", 30)]
    assert (sale.gross_amount, sale.guide_id, sale.store_id, sale.flags) == (100, "小赵", "M01", ())
    assert (refund.kind, refund.original_id, [t.amount for t in refund.tenders]) == ("refund", "M01/S1", [-100])
    assert sale.extra == {"store_name": "人民路店"}


def test_every_known_header_of_the_profile_is_enough_by_itself(drops: Drops) -> None:
    assert HEADER.split(",")[0] == "流水号"
    text = csv("1,2026-03-01,5", header="系统单号,结账时间,订单实付")
    assert drops.read_one(text).only.total_amount == 5
