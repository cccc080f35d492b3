"""Bad input: each fault is told with file, line, column and what to do; what is good goes on."""

from __future__ import annotations

import gzip
import zipfile
from pathlib import Path

import pytest
from files_rig import HEADER, Drops, csv

from hub.errors import StopError, StoreError
from plugins.files.reading.convert import convert
from plugins.files.reading.errors import RejectedFileError
from plugins.files.reading.listing import Folder
from plugins.files.reading.settings import Settings
from plugins.files.reading.staging import Limits, stage

LINE = "0001,S01,2026-03-01 15:30:12,00123,茶,2,12.00,24.00"
OTHER = "0002,S01,2026-03-01 16:00:00,00123,茶,1,12.00,12.00"


def test_a_bad_row_is_put_aside_and_its_ticket_flagged(drops: Drops) -> None:
    reading = drops.read_one(csv(LINE, LINE.replace(",2,", ",two,"), OTHER))
    reject = reading.reject
    assert (reject.location, reject.code, reject.column) == ("drops/0301.csv:3", "number_unreadable", "数量")
    assert reject.reason == "数量 is not a number the hub can read (or too large)."
    assert (
        reject.raw
        == '{"流水号":"0001","门店编码":"S01","销售时间":"2026-03-01 15:30:12","商品编码":"00123","商品名称":"茶","数量":"two","单价":"12.00","实收金额":"24.00"}'
    )
    assert reading["S01/0001"].flags == ("line_rejected",)
    assert reading["S01/0002"].flags == ()


def test_everything_wrong_with_a_row_is_told_at_once(drops: Drops) -> None:
    reject = drops.read_one(csv(",S01,soon,00123,茶,two,12.00,x")).reject
    assert reject.reason == (
        "流水号 is empty; 销售时间 is empty; 销售时间 is not a date or time the hub can read; "
        "数量 is not a number the hub can read (or too large); 实收金额 is not a number the hub can read (or too large)."
    )


def test_the_lines_of_rejects_are_right_among_quoted_line_feeds_blank_lines_and_broken_rows(drops: Drops) -> None:
    text = csv(
        LINE.replace("茶", '"茶\n大杯"'),
        "",
        LINE.replace(",2,", ",bad,"),
        "0001,too,few",
        OTHER.replace(",1,", ",bad,"),
    )
    rejects = {reject.location: reject.code for reject in drops.read_one(text).rejects}
    assert rejects == {
        "drops/0301.csv:5": "number_unreadable",
        "drops/0301.csv:6": "row_broken",
        "drops/0301.csv:7": "number_unreadable",
    }


def test_the_lines_of_rejects_are_right_in_a_file_of_several_blocks(drops: Drops) -> None:
    good = [LINE.replace("0001", f"{number:07}") for number in range(300_000)]
    wrong = {17: "x", 150_000: "x", 299_999: "x"}
    rows = [row.replace(",2,", ",bad,") if number in wrong else row for number, row in enumerate(good)]
    reading_source = drops.source()
    drops.write("0301.csv", csv(*rows))
    (stream,) = reading_source.streams()
    (page,) = stream.read({})
    assert [reject.location for reject in page.rejects] == [f"drops/0301.csv:{number + 2}" for number in wrong]
    assert [f"{number:07}" in (reject.raw or "") for reject, number in zip(page.rejects, wrong, strict=True)] == [
        True
    ] * 3


def test_a_row_with_too_few_or_too_many_columns_is_put_aside(drops: Drops) -> None:
    reading = drops.read_one(csv(LINE, "0002,S01", f"{OTHER},more,and,more"))
    assert [(r.location, r.code, r.reason) for r in reading.rejects] == [
        ("drops/0301.csv:3", "row_broken", "the row has fewer columns than the header."),
        ("drops/0301.csv:4", "row_broken", "the row has more columns than the header."),
    ]
    assert reading.rejects[0].raw == "0002,S01"


def test_a_changed_header_names_what_is_missing_and_what_is_near(drops: Drops) -> None:
    drops.write("bad.csv", csv(LINE, header=HEADER.replace("流水号", "流水编码")))
    drops.write("good.csv", csv(OTHER))
    reading = drops.read()
    assert reading.ids == ["S01/0002"]
    reject = reading.reject
    assert (reject.location, reject.code) == ("drops/bad.csv", "header_changed")
    assert reject.reason == (
        "drops/bad.csv, row 1: the header lacks number (e.g. 流水号, 销售流水号; nearest in the file: 流水编码). Found: 流水编码, "
        "门店编码, 销售时间, 商品编码, 商品名称, 数量, 单价, 实收金额. If the export was changed on purpose, add the new header to the "
        "mapping ([connections.….mapping.columns]); else export the file again with these columns."
    )


def test_a_file_is_tried_again_once_the_mapping_knows_its_header(drops: Drops) -> None:
    drops.write("0301.csv", csv(LINE, header=HEADER.replace("流水号", "流水编码")))
    assert drops.read().reject.code == "header_changed"
    assert drops.read().pages == []
    assert drops.read({"extends": "zh_pos", "columns": {"number": ["流水编码"]}}).ids == ["S01/0001"]


def test_a_renamed_optional_column_is_not_lost_without_a_word(drops: Drops) -> None:
    header = "单号,销售日期,实收总额,手机号"
    drops.write("0301.csv", csv("1,2026-03-01,5,15400000001", header=header))
    drops.read()
    drops.write("0302.csv", csv("2,2026-03-01,5,15400000001", header=header.replace("手机号", "顾客热线")))
    reject = drops.read().reject
    assert reject.code == "header_changed"
    assert reject.reason.startswith(
        "drops/0302.csv: columns that earlier files had are missing: phone; unknown instead: 顾客热线."
    )
    assert drops.read(header_changes="accept").pages == []


def test_a_column_that_is_gone_is_noted(drops: Drops) -> None:
    drops.write("0301.csv", csv("1,2026-03-01,5,15400000001", header="单号,销售日期,实收总额,手机号"))
    drops.read()
    drops.write("0302.csv", csv("2,2026-03-01,5", header="单号,销售日期,实收总额"))
    reading = drops.read()
    assert reading.ids == ["2"]
    assert reading.notes == ["drops/0302.csv: columns that earlier files had are missing: phone"]


def test_a_file_that_is_something_else_tells_what_was_looked_for(drops: Drops) -> None:
    reject = drops.read_one("name,value\nx,1\n").reject
    assert reject.code == "header_unknown"
    assert "Found: name, value. Looked for: " in reject.reason
    assert "Add its headers to the mapping" in reject.reason


def test_a_file_without_a_header_shows_nothing_of_its_rows(drops: Drops) -> None:
    reject = drops.read_one("0001,王小明,15400000001\n").reject
    assert reject.code == "header_unknown"
    assert "Found: what looks like data." in reject.reason
    assert "王小明" not in reject.reason


def test_a_full_disk_stops_with_what_to_do(drops: Drops, tmp_path: Path) -> None:
    drops.write("0301.parquet", b"x" * 100)
    source = drops.source()
    folder = Folder(source.config, source.runtime)
    (found,) = folder.list().ready
    (tmp_path / "staged.parquet").symlink_to("/dev/full")
    with pytest.raises(StoreError) as caught:
        stage(found, folder.fs, tmp_path, Limits(1000, 10))
    assert str(caught.value) == (
        "The disk is full: drops/0301.parquet (100 bytes) could not be unpacked. Free space on the volume of the hub's home; the "
        "next run goes on with this file."
    )


def test_a_disk_that_fills_while_converting_stops_too(drops: Drops, tmp_path: Path) -> None:
    drops.write("0301.csv", csv(LINE))
    source = drops.source()
    folder = Folder(source.config, source.runtime)
    (found,) = folder.list().ready
    tables = tmp_path / "tables"
    tables.mkdir()
    for name in ("orders", "orders_lines"):
        (tables / f"{name}.parquet").symlink_to("/dev/full")
    settings = Settings.of(source.config, source.profile, source.runtime)
    with pytest.raises(StoreError, match="disk is full"):
        convert(found, stage(found, folder.fs, tmp_path, Limits(1000, 10)), settings, tables)


def test_a_file_that_vanishes_or_may_not_be_read_is_told(drops: Drops, tmp_path: Path) -> None:
    path = drops.write("0301.csv", csv(LINE))
    source = drops.source()
    folder = Folder(source.config, source.runtime)
    (found,) = folder.list().ready
    path.unlink()
    with pytest.raises(RejectedFileError) as caught:
        stage(found, folder.fs, tmp_path, Limits(1000, 10))
    assert str(caught.value).startswith("drops/0301.csv cannot be read: FileNotFoundError: No such file or directory.")


def test_a_file_that_changes_while_it_is_read_is_read_again_later(drops: Drops, tmp_path: Path) -> None:
    path = drops.write("0301.csv", csv(LINE))
    source = drops.source()
    folder = Folder(source.config, source.runtime)
    (found,) = folder.list().ready
    staged = stage(found, folder.fs, tmp_path, Limits(1000, 10))
    with path.open("a") as stream:
        stream.write(OTHER)
    with pytest.raises(RejectedFileError, match="was written to while it was read"):
        convert(found, staged, Settings.of(source.config, source.profile, source.runtime), tmp_path / "tables")


def test_a_wrong_encoding_tells_the_first_wrong_byte(drops: Drops) -> None:
    drops.write("0301.csv", csv(LINE).encode().replace("茶".encode(), b"\xff\xff"))
    reject = drops.read().reject
    assert reject.code == "encoding_unknown"
    position = csv(LINE).encode().index("茶".encode())
    assert reject.reason.startswith(
        f"drops/0301.csv is neither UTF-8 (first wrong byte at position {position}, line 2) nor GB18030 (at "
    )
    assert "Set encoding of this connection" in reject.reason


def test_a_set_encoding_that_does_not_fit_is_told(drops: Drops) -> None:
    drops.write("0301.csv", csv(LINE), encoding="gb18030")
    reject = drops.read(encoding="utf-8").reject
    assert reject.code == "encoding_wrong"
    assert reject.reason.startswith("drops/0301.csv is not utf-8: wrong byte at position 0, line 1.")


def test_utf_16_without_a_mark_is_told(drops: Drops) -> None:
    drops.write("0301.csv", csv(LINE.replace("茶", "tea"), header="InvoiceNo,a,b,c,d,e,f,g").encode("utf-16-le"))
    reject = drops.read().reject
    assert reject.reason == (
        'drops/0301.csv looks like UTF-16 without a byte-order mark. Set encoding of this connection to "utf-16-le" or "utf-16-be".'
    )


def test_a_file_that_ends_in_the_middle_of_a_row_is_half_written(drops: Drops) -> None:
    reject = drops.read_one(csv(LINE, OTHER)[:-30]).reject
    assert reject.code == "half_written"
    assert reject.reason.startswith("drops/0301.csv ends in the middle of line 3: it is only half written.")


@pytest.mark.parametrize("encoding", ["utf-8", "gb18030"])
def test_a_file_that_ends_in_the_middle_of_a_character_is_half_written(drops: Drops, encoding: str) -> None:
    whole = csv(LINE, OTHER).encode(encoding)
    cut = whole.rindex("茶".encode(encoding)) + 1
    drops.write("0301.csv", whole[:cut])
    reject = drops.read().reject
    assert (reject.code, "only half written" in reject.reason) == ("half_written", True)


def test_a_half_written_file_is_read_when_it_is_whole(drops: Drops) -> None:
    assert drops.read_one(csv(LINE, OTHER)[:-30]).rejects
    assert drops.read().pages == []
    assert drops.read_one(csv(LINE, OTHER)).ids == ["S01/0001", "S01/0002"]


def test_a_last_line_without_a_line_feed_is_whole(drops: Drops) -> None:
    assert drops.read_one(csv(LINE, OTHER)[:-1]).ids == ["S01/0001", "S01/0002"]


def test_a_cut_off_gzip_file_is_told_and_read_when_it_is_whole(drops: Drops) -> None:
    packed = gzip.compress(csv(*[LINE.replace("0001", f"{n:05}") for n in range(500)]).encode())
    drops.write("0301.csv.gz", packed[:-20])
    reject = drops.read().reject
    assert reject.code == "gzip_truncated"
    assert reject.reason == (
        "drops/0301.csv.gz is cut off: the gzip stream has no end. It was probably still being written, or its transfer broke; "
        "send it again."
    )
    drops.write("0301.csv.gz", packed)
    assert len(drops.read().ids) == 500


def test_a_damaged_gzip_file_is_told(drops: Drops) -> None:
    drops.write("0301.csv.gz", b"this is no gzip")
    assert drops.read().reject.code == "gzip_broken"


def test_gzip_files_of_several_members_are_whole(drops: Drops) -> None:
    head, tail = csv(LINE).encode(), f"{OTHER}\n".encode()
    drops.write("0301.csv.gz", gzip.compress(head) + gzip.compress(tail))
    assert drops.read().ids == ["S01/0001", "S01/0002"]


def test_a_gzip_bomb_is_stopped_by_its_size(drops: Drops) -> None:
    drops.write("0301.csv.gz", gzip.compress(csv(LINE).encode() + b"x" * 3_000_000))
    reject = drops.read(max_bytes=1_000_000).reject
    assert reject.code == "file_too_large"
    assert "unpacks to more than 1,000,000 bytes" in reject.reason
    assert "raise max_bytes of this connection" in reject.reason


def test_a_gzip_bomb_is_stopped_by_its_ratio(drops: Drops) -> None:
    bomb = gzip.compress(csv(LINE).encode() + b"\n" * (70 << 20), compresslevel=9)
    drops.write("0301.csv.gz", bomb)
    reject = drops.read().reject
    assert "more than 200 times its packed size" in reject.reason
    assert sum(file.stat().st_size for file in drops.scratch.rglob("*") if file.is_file()) == 0


def test_a_workbook_that_is_a_zip_bomb_is_not_opened(drops: Drops) -> None:
    path = drops.write("0301.xlsx", b"")
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/worksheets/sheet1.xml", b" " * (70 << 20))
    drops.write("0301.xlsx", path.read_bytes())
    reject = drops.read().reject
    assert reject.code == "file_too_large"
    assert "it was not opened" in reject.reason


def test_an_unclosed_quotation_mark_is_told_with_its_line(drops: Drops) -> None:
    reject = drops.read_one(csv(LINE, OTHER.replace("茶", '"茶'), LINE.replace("0001", "0003"))).reject
    assert reject.code == "quote_unclosed"
    assert reject.reason.startswith("drops/0301.csv, line 3: a quotation mark is opened and not closed properly")


def test_lines_that_end_now_with_and_now_without_a_carriage_return(drops: Drops) -> None:
    drops.write("0301.csv", csv(LINE, OTHER).replace("\n", "\r\n", 2).encode())
    assert drops.read().ids == ["S01/0001", "S01/0002"]


def test_a_file_of_bad_rows_is_refused_as_a_whole_with_its_main_reasons(drops: Drops) -> None:
    rows = [LINE.replace(",2,", ",two,")] * 8 + [LINE.replace("2026-03-01 15:30:12", "soon")] * 3
    reject = drops.read_one(csv(*rows), max_bad_rows=10).reject
    assert reject.code == "too_many_bad_rows"
    assert reject.reason == (
        "drops/0301.csv has 11 bad rows of 11, more than max_bad_rows = 10. 数量 is not a number the hub can read (or too large): "
        "8 rows; 销售时间 is empty: 3 rows. Its mapping probably does not fit; if the rows are really bad, raise max_bad_rows of "
        "this connection."
    )


def test_the_same_member_twice_in_one_file_is_counted_once_when_equal(drops: Drops) -> None:
    reading = drops.read_one(csv("M1,王", "M1,王", "M2,李", header="会员编号,姓名"), "zh_members")
    assert reading.ids == ["M1", "M2"]
    assert reading.notes == ["drops/0301.csv: 1 row(s) that are there twice were counted once"]


def test_the_same_member_twice_with_other_values_names_both_lines(drops: Drops) -> None:
    reading = drops.read_one(csv("M1,王", "M2,李", "M1,张", header="会员编号,姓名"), "zh_members")
    assert reading["M1"].name == "王"
    reject = reading.reject
    assert (reject.location, reject.code, reject.column) == ("drops/0301.csv:4", "key_repeated", "会员编号")
    assert reject.reason == "会员编号 is the same as on line 2, but the rows differ; line 2 was kept."


def test_the_later_version_of_a_member_counts_when_the_file_tells(drops: Drops) -> None:
    rows = ("M1,王,2026-02-01", "M1,王小,2026-03-01", "M1,王大,2026-01-01")
    reading = drops.read_one(csv(*rows, header="会员编号,姓名,更新时间"), "zh_members")
    assert reading.only.name == "王小"
    assert reading.notes == ["drops/0301.csv: 2 older version(s) of rows were left out"]


def test_a_workbook_without_its_reader_installed_names_the_command(
    drops: Drops, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "python_calamine", None)
    drops.write("0301.xlsx", b"PK")
    with pytest.raises(StopError) as caught:
        drops.read()
    assert str(caught.value) == (
        "drops/0301.xlsx is a workbook, and the reader of workbooks is not installed. (file drops/0301.xlsx) Install it: "
        "pip install 'customer-hub[excel]'."
    )


@pytest.mark.parametrize("name", ["0301.xlsx", "0301.parquet"])
def test_a_damaged_workbook_or_parquet_file_is_told(drops: Drops, name: str) -> None:
    drops.write(name, b"not what its name says")
    drops.write("good.csv", csv(LINE))
    reading = drops.read()
    assert reading.ids == ["S01/0001"]
    assert reading.reject.code == "file_unreadable"


def test_json_lines_that_are_no_objects_are_put_aside(drops: Drops) -> None:
    good = '{"单号":"1","销售时间":"2026-03-01","实收总额":5}'
    drops.write("0301.jsonl", f"{good}\nnot json\n\n[1]\n")
    reading = drops.read()
    assert reading.ids == ["1"]
    assert [(r.location, r.code, r.reason) for r in reading.rejects] == [
        ("drops/0301.jsonl:2", "json_invalid", "the line is not a JSON object."),
        ("drops/0301.jsonl:4", "json_invalid", "the line is not a JSON object."),
    ]
    assert [reject.raw for reject in reading.rejects] == ["not json", "[1]"]
