"""The rules of a shop's books, on columns of tickets, lines and payments."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pos.golden_tickets import DAY_CUTOFF, ZONE
from pos.pos_rig import records_of

from hub.records import Order
from hub.source import Page
from plugins.pos.tickets.assembly import Assembled, Rows, assemble, workbench
from plugins.pos.tickets.rules import Clock, Words

CLOCK = Clock(ZONE, DAY_CUTOFF, dt.datetime(2026, 3, 4, tzinfo=dt.UTC), "till")


@pytest.fixture(scope="module")
def bench() -> Iterator[duckdb.DuckDBPyConnection]:
    with workbench() as opened:
        yield opened


def table(rows: list[dict[str, Any]]) -> pa.Table:
    names = {name: None for row in rows for name in row}
    return pa.Table.from_pylist([{**names, **row} for row in rows])


def run(
    bench: duckdb.DuckDBPyConnection,
    tickets: list[dict[str, Any]],
    lines: list[dict[str, Any]] | None = None,
    paid: list[dict[str, Any]] | None = None,
    **words: Any,
) -> Assembled:
    heads = [{"ordered_at": "2026-03-02 10:00:00", **ticket} for ticket in tickets]
    rows = Rows(table(heads), table(lines) if lines else None, table(paid) if paid else None, ("id",))
    return assemble(bench, rows, Words(**words), CLOCK)


def only(bench: duckdb.DuckDBPyConnection, ticket: dict[str, Any], *parts: Any, **words: Any) -> Order:
    (order,) = records_of(Page(tables=run(bench, [{"id": 1, **ticket}], *parts, **words).tables), Order)
    return order


def line(amount: Any = None, **more: Any) -> dict[str, Any]:
    return {"id": 1, "product_id": "A", "net_amount": amount, **more}


tickets = st.lists(
    st.tuples(st.lists(st.integers(1, 20_000), min_size=1, max_size=6), st.integers(0, 99), st.booleans()),
    min_size=1,
    max_size=15,
)


@settings(max_examples=12, deadline=None)
@given(shown=tickets)
def test_what_is_spread_comes_to_the_discount_to_the_fen(shown: list[tuple[list[int], int, bool]]) -> None:
    lines, wanted = [], {}
    for number, (prices, percent, back) in enumerate(shown):
        sign, off = -1 if back else 1, sum(prices) * percent // 100
        wanted[str(number)] = (Decimal(sum(prices) - off) / 100 * sign, Decimal(off) / 100 * sign)
        lines += [{"id": number, "quantity": sign, "unit_price": price / 100, "kind": None} for price in prices]
        lines.append({"id": number, "quantity": sign, "unit_price": off / 100, "kind": "discount"})
    with workbench() as bench:
        found = records_of(
            Page(tables=run(bench, [{"id": number} for number in range(len(shown))], lines).tables), Order
        )
    assert len(found) == len(shown)
    for order in found:
        total, off = wanted[order.source_id]
        assert order.total_amount == sum(each.net_amount for each in order.lines) == total
        assert sum(each.discount_amount for each in order.lines) == off
        assert all(each.discount_allocated for each in order.lines) or not off
        assert all(abs(each.discount_amount) <= abs(each.net_amount + each.discount_amount) for each in order.lines)


@pytest.mark.parametrize(
    ("quantities", "kind"), [((1, 2), "sale"), ((-1, -2), "refund"), ((-1, 1), "exchange")]
)  # fmt: skip
def test_the_lines_tell_the_kind(bench: duckdb.DuckDBPyConnection, quantities: tuple[int, ...], kind: str) -> None:
    assert only(bench, {}, [line(quantity=q, unit_price=5) for q in quantities]).kind == kind


def test_a_refund_is_negative_however_it_was_written(bench: duckdb.DuckDBPyConnection) -> None:
    order = only(
        bench,
        {"kind": "refund", "total_amount": 10},
        [line(10, quantity=2)],
        [{"id": 1, "method": "cash", "amount": 10}],
    )
    assert (order.total_amount, order.lines[0].quantity, order.tenders[0].amount, order.flags) == (-10, -2, -10, ())


def test_a_ticket_that_does_not_add_up_is_kept_and_flagged_with_the_difference(
    bench: duckdb.DuckDBPyConnection,
) -> None:
    order = only(bench, {"total_amount": 25}, [line(10), line(10)])
    assert (order.total_amount, order.flags, order.extra) == (25, ("balance_off",), {"balance_difference": "5.0000"})


def test_a_fen_per_line_is_no_imbalance(bench: duckdb.DuckDBPyConnection) -> None:
    assert only(bench, {"total_amount": "20.02"}, [line(10), line(10)]).flags == ()


def test_a_discount_without_a_line_to_take_it_stays_an_adjustment(bench: duckdb.DuckDBPyConnection) -> None:
    order = only(bench, {}, [line(-3, kind="discount")])
    assert [(each.kind, each.net_amount) for each in order.lines] == [("adjustment", -3)]


def test_prices_without_tax_keep_all_their_digits(bench: duckdb.DuckDBPyConnection) -> None:
    order = only(bench, {}, [line(quantity=1000, unit_price=24.5 / 1.13, tax_rate=0.13)])
    assert order.total_amount == 24500


def test_tax_on_top_is_part_of_the_total(bench: duckdb.DuckDBPyConnection) -> None:
    order = only(bench, {"tax_amount": 1.3, "tax_exclusive": 1}, [line(10)])
    assert (order.total_amount, order.tax_inclusive, order.flags) == (Decimal("11.3"), False, ())


def test_small_differences_are_rounding_only_where_the_mapping_says_so(bench: duckdb.DuckDBPyConnection) -> None:
    lines, paid = [line("12.34")], [{"id": 1, "method": "cash", "amount": "12.30"}]
    assert only(bench, {}, lines, paid, rounding_below=1).rounding_amount == Decimal("-0.04")
    assert only(bench, {}, lines, paid).flags == ("balance_off",)


def test_a_top_up_is_a_deposit(bench: duckdb.DuckDBPyConnection) -> None:
    assert only(bench, {}, [line(100, kind="deposit")]).kind == "deposit"


def test_a_ticket_without_lines_comes_to_what_was_paid(bench: duckdb.DuckDBPyConnection) -> None:
    order = only(bench, {}, None, [{"id": 1, "method": "现金", "amount": 8}], tenders={"现金": "cash"})
    assert (order.total_amount, order.tenders[0].method) == (8, "cash")


def test_a_word_may_be_part_of_a_payment_s_text_but_a_code_may_not(bench: duckdb.DuckDBPyConnection) -> None:
    paid = [{"id": 1, "method": text, "amount": 1} for text in ("微信支付", "3", "13")]
    order = only(bench, {}, None, paid, tenders={"微信": "wechat", "3": "card"})
    assert [tender.method for tender in order.tenders] == ["wechat", "card", "other"]


@pytest.mark.parametrize(
    ("text", "utc"),
    [
        ("2026-03-02 10:00:00", "02:00"),
        ("2026-03-02T10:00:00Z", "10:00"),
        ("2026-03-02T10:00:00.5+02:00", "08:00"),
        ("2026-03-02", "16:00"),
    ],
)
def test_times_have_their_own_offset_or_the_shop_s(bench: duckdb.DuckDBPyConnection, text: str, utc: str) -> None:
    order = only(bench, {"ordered_at": text}, [line(1)])
    assert order.ordered_at.strftime("%H:%M") == utc
    assert order.time_text == text


def test_the_hours_before_the_cut_off_belong_to_the_day_before(bench: duckdb.DuckDBPyConnection) -> None:
    assert only(bench, {"ordered_at": "2026-03-02 03:59:59"}, [line(1)]).business_date == dt.date(2026, 3, 1)
    assert only(bench, {"ordered_at": "2026-03-02 04:00:00"}, [line(1)]).business_date == dt.date(2026, 3, 2)


def test_several_rows_of_a_ticket_are_one(bench: duckdb.DuckDBPyConnection) -> None:
    shown = run(bench, [{"id": 1, "phone": None}, {"id": 1, "phone": "15400010001"}], [line(5)])
    (order,) = records_of(Page(tables=shown.tables), Order)
    assert order.identifiers[0].value == "15400010001"


def test_a_missing_key_or_time_is_put_aside(bench: duckdb.DuckDBPyConnection) -> None:
    shown = run(bench, [{"id": None}, {"id": 2, "ordered_at": None}, {"id": 3}], [{**line(5), "id": 3}])
    assert [(reject.code, reject.column) for reject in shown.rejects] == [
        ("value_missing", "key"),
        ("value_missing", "ordered_at"),
    ]
    assert shown.tables["orders"]["source_id"].to_pylist() == ["3"]
