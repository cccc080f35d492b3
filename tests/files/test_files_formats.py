"""The same tickets come back equal, whatever kind of file they came in."""

from __future__ import annotations

import csv as csv_writer
import datetime as dt
import gzip
import io
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import openpyxl
import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from effort import examples
from files_rig import DROPPED, Drops, csv
from hypothesis import given, settings
from hypothesis import strategies as st

HALF_PAST_THREE = dt.datetime.fromisoformat("2026-03-01 15:30")
"""As a cell of a workbook holds it: without a zone."""

HEADER = ["流水号", "门店编码", "销售时间", "商品编码", "商品名称", "数量", "单价", "小计", "支付方式", "备注"]


def workbook(rows: list[list[Any]], path: Path, *, title: list[list[Any]] | None = None) -> bytes:
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    for row in [*(title or []), HEADER, *rows]:
        sheet.append(row)
    book.save(path)
    return path.read_bytes()


def test_a_workbook_with_real_dates_and_numbers(drops: Drops, tmp_path: Path) -> None:
    rows = [["0001", "S01", HALF_PAST_THREE, "00123", "茶", 2, 12.5, 25, "微信", None]]
    drops.write("0301.xlsx", workbook(rows, tmp_path / "x.xlsx", title=[["销售流水"], []]))
    order = drops.read().only
    assert (order.source_id, order.lines[0].product_id, order.lines[0].unit_price) == (
        "S01/0001",
        "00123",
        Decimal("12.5"),
    )
    assert order.ordered_at == dt.datetime(2026, 3, 1, 7, 30, tzinfo=dt.UTC)


def test_rejects_of_a_workbook_name_its_row(drops: Drops, tmp_path: Path) -> None:
    rows: list[list[Any]] = [
        ["0001", "S01", HALF_PAST_THREE, "00123", "茶", 2, 12.5, 25, "微信", None],
        [],
        ["0002", "S01", "soon", "00123", "茶", 2, 12.5, 25, "微信", None],
    ]
    drops.write("0301.xlsx", workbook(rows, tmp_path / "x.xlsx", title=[["销售流水"], []]))
    assert drops.read().reject.location == "drops/0301.xlsx:6"


def test_a_long_number_in_a_workbook_has_lost_its_end(drops: Drops, tmp_path: Path) -> None:
    rows = [[202603011530124680, "S01", "2026-03-01", "00123", "茶", 2, 12.5, 25, "微信", None]]
    drops.write("0301.xlsx", workbook(rows, tmp_path / "x.xlsx"))
    assert drops.read().reject.code == "id_mangled"


def test_the_sheet_with_a_known_header_is_read_unless_one_is_named(drops: Drops, tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    book.active.append(["说明", "见下页"])
    for name, number in (("流水", "0001"), ("备份", "0002")):
        sheet = book.create_sheet(name)
        sheet.append(HEADER)
        sheet.append([number, "S01", "2026-03-01", "00123", "茶", 1, 5, 5, "现金", ""])
    book.save(tmp_path / "x.xlsx")
    drops.write("0301.xlsx", (tmp_path / "x.xlsx").read_bytes())
    assert drops.read().ids == ["S01/0001"]
    drops.state = {}
    assert drops.read(sheet="备份").ids == ["S01/0002"]
    drops.state = {}
    assert drops.read(sheet="三月").reject.reason.startswith(
        "drops/0301.xlsx has no sheet '三月'; its sheets are: Sheet, 流水, 备份."
    )


def test_a_parquet_file_with_typed_columns(drops: Drops) -> None:
    table = pa.table(
        {
            "流水号": ["0001"], "销售时间": pa.array([dt.datetime(2026, 3, 1, 7, 30, tzinfo=dt.UTC)], pa.timestamp("us", "UTC")),
            "商品编码": ["A"], "数量": [2], "小计": pa.array([Decimal("25.00")], pa.decimal128(10, 2)), "标记": [[1, 2]],
        }
    )  # fmt: skip
    sink = io.BytesIO()
    pq.write_table(table, sink)
    drops.write("0301.parquet", sink.getvalue())
    order = drops.read().only
    assert (order.ordered_at, order.total_amount) == (dt.datetime(2026, 3, 1, 7, 30, tzinfo=dt.UTC), 25)
    assert order.extra == {"标记": "[1, 2]"}


def test_json_lines_with_numbers_nested_values_and_keys_of_their_own(drops: Drops) -> None:
    rows = [
        {"单号": "1", "销售时间": "2026-03-01T15:30:00+08:00", "实收总额": 12.5, "会员": {"a/b": 1}},
        {"单号": 12345678901234567890, "销售时间": "2026-03-01", "实收总额": "5", "手机号": None, "a/b~c": "x"},
    ]
    drops.write("0301.jsonl", b"\n".join(orjson.dumps(row, option=orjson.OPT_PASSTHROUGH_SUBCLASS) for row in rows))
    reading = drops.read()
    assert (reading["1"].total_amount, reading["1"].extra) == (Decimal("12.5"), {"会员": '{"a/b":1}'})
    assert reading["12345678901234567890"].extra == {"a/b~c": "x"}


def test_tabs_in_a_tsv_file_and_text_files(drops: Drops) -> None:
    drops.write("a.tsv", csv("1,2026-03-01,5", header="单号,销售时间,实收总额").replace(",", "\t"))
    drops.write("b.txt", csv("2,2026-03-01,6", header="单号,销售时间,实收总额"))
    assert sorted(drops.read().ids) == ["1", "2"]


def test_the_format_can_be_set_whatever_the_name_ends_in(drops: Drops) -> None:
    drops.write("0301.dat", csv("1,2026-03-01,5", header="单号,销售时间,实收总额"))
    assert drops.read().records == {}
    assert drops.read(format="csv").ids == ["1"]


@pytest.mark.parametrize("extra", [",", ",,"])
def test_rows_may_end_with_delimiters_the_header_does_not_have(drops: Drops, extra: str) -> None:
    text = csv(f"1,2026-03-01,5{extra}", f"2,2026-03-01,6{extra}", header="单号,销售时间,实收总额")
    reading = drops.read_one(text)
    assert (reading.ids, reading["1"].extra) == (["1", "2"], {})


# Whatever the dialect, the encoding and the format: what was written is what is read.


@dataclass(frozen=True)
class Ticket:
    number: str
    moment: dt.datetime
    lines: tuple[tuple[str, str, Decimal, Decimal], ...]
    tender: str
    note: str | None


_TEXT = st.text(
    st.characters(codec="gb18030", exclude_categories=("Cc", "Cs", "Co", "Cn", "Zl", "Zp", "Zs"))
    | st.sampled_from(' ,;|"\n'),
    max_size=12,
).map(lambda text: text.strip(" \t\r\n\u3000\ufeff\u200b\u00a0"))
_NAMES = _TEXT.filter(lambda text: bool(text) and not text.startswith(("'", "=")))
_LINES = st.tuples(
    st.from_regex(r"[0-9A-Z]{1,8}", fullmatch=True),
    _NAMES,
    st.decimals("0.001", "999.999", places=3),
    st.decimals("0.01", "9999.99", places=2),
)
_EARLIEST, _LATEST = map(dt.datetime.fromisoformat, ("2001-01-01", "2026-03-01"))
_TICKETS = st.builds(
    Ticket,
    number=st.from_regex(r"[0-9A-Z]{3,20}", fullmatch=True),
    moment=st.datetimes(_EARLIEST, _LATEST).map(lambda moment: moment.replace(microsecond=0)),
    lines=st.lists(_LINES, min_size=1, max_size=4).map(tuple),
    tender=st.sampled_from(["现金", "微信支付", "支付宝"]),
    note=st.none() | _NAMES,
)
_DAYS = st.lists(_TICKETS, min_size=1, max_size=5, unique_by=lambda ticket: ticket.number)


def _rows(tickets: list[Ticket]) -> list[list[str]]:
    return [
        [ticket.number, "S01", ticket.moment.isoformat(" "), product, name, str(quantity), str(price), _net(quantity, price), ticket.tender, ticket.note or ""]
        for ticket in tickets
        for product, name, quantity, price in ticket.lines
    ]  # fmt: skip


def _net(quantity: Decimal, price: Decimal) -> str:
    return str((quantity * price).quantize(Decimal("0.01")))


def _bytes(draw: st.DataObject, rows: list[list[str]], folder: Path) -> tuple[str, bytes]:
    """Write the rows in a random format, dialect and encoding; return the file's name and content."""
    kind = draw.draw(st.sampled_from(["csv", "xlsx", "parquet", "jsonl"]), label="format")
    if kind == "xlsx":
        return "a.xlsx", workbook([[cell or None for cell in row] for row in rows], folder / "book.xlsx")
    if kind == "parquet":
        sink = io.BytesIO()
        pq.write_table(pa.table({name: [row[n] or None for row in rows] for n, name in enumerate(HEADER)}), sink)
        return "a.parquet", sink.getvalue()
    if kind == "jsonl":
        content = "\n".join(orjson.dumps(dict(zip(HEADER, row, strict=True))).decode() for row in rows).encode()
    else:
        content = _csv_bytes(draw, rows)
    packed = draw.draw(st.booleans(), label="gzip")
    return (f"a.{kind}.gz", gzip.compress(content)) if packed else (f"a.{kind}", content)


def _csv_bytes(draw: st.DataObject, rows: list[list[str]]) -> bytes:
    out = io.StringIO()
    writer = csv_writer.writer(
        out,
        delimiter=draw.draw(st.sampled_from([",", ";", "\t", "|"]), label="delimiter"),
        lineterminator=draw.draw(st.sampled_from(["\n", "\r\n"]), label="line end"),
        quoting=draw.draw(st.sampled_from([csv_writer.QUOTE_MINIMAL, csv_writer.QUOTE_ALL]), label="quoting"),
    )
    if draw.draw(st.booleans(), label="title row"):
        writer.writerow(["销售流水报表", *[""] * (len(HEADER) - 1)])
    writer.writerows([HEADER, *rows])
    if draw.draw(st.booleans(), label="total row"):
        writer.writerow(["合计", *[""] * (len(HEADER) - 1)])
    return out.getvalue().encode(
        draw.draw(st.sampled_from(["utf-8", "utf-8-sig", "gb18030", "utf-16"]), label="encoding")
    )


@settings(max_examples=examples(25), deadline=None)
@given(tickets=_DAYS, data=st.data())
def test_tickets_come_back_equal(
    tmp_path_factory: pytest.TempPathFactory, tickets: list[Ticket], data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("formats")
    (folder / "drops").mkdir()
    drops = Drops(folder / "drops", folder / "scratch")
    name, content = _bytes(data, _rows(tickets), folder)
    drops.write(name, content, at=DROPPED)
    reading = drops.read()
    assert reading.rejects == []
    assert {_read_back(order) for order in reading.records.values()} == set(tickets)


def _read_back(order: Any) -> Ticket:
    assert order.flags == ()
    assert order.total_amount == sum(line.net_amount for line in order.lines)
    assert [line.net_amount for line in order.lines] == [
        Decimal(_net(line.quantity, line.unit_price)) for line in order.lines
    ]
    moment = order.ordered_at.astimezone(dt.timezone(dt.timedelta(hours=8))).replace(tzinfo=None)
    lines = tuple((line.product_id, line.name, line.quantity, line.unit_price) for line in order.lines)
    (tender,) = order.tenders
    return Ticket(order.number, moment, lines, tender.method_text, order.note)
