"""The drop's protocol: what is read when, what is remembered, what waits."""

from __future__ import annotations

import datetime as dt
import gzip

import fsspec
import pytest
from files_rig import DROPPED, Drops, csv

from hub.errors import StreamError
from hub.runtime import Runtime
from plugins.files.config import FilesConfig
from plugins.files.source import FilesSource

LINE = "0001,S01,2026-03-01 15:30:12,00123,茶,2,12.00,24.00"
OTHER = "0002,S01,2026-03-01 16:00:00,00123,茶,1,12.00,12.00"
HOUR = dt.timedelta(hours=1)


def test_a_second_read_finds_nothing_new_and_moves_no_cursor(drops: Drops) -> None:
    drops.read_one(csv(LINE))
    assert drops.read().pages == []


def test_the_same_content_under_another_name_changes_nothing(drops: Drops) -> None:
    drops.write("a.csv", csv(LINE))
    drops.read()
    drops.write("b.csv", csv(LINE), at=DROPPED + HOUR)
    reading = drops.read()
    assert reading.records == {}
    assert reading.notes == ["drops/b.csv has the same content as a.csv; nothing to do"]
    assert drops.read().pages == []


def test_two_copies_in_one_folder_are_read_once(drops: Drops) -> None:
    drops.write("a.csv", csv(LINE))
    drops.write("b.csv", csv(LINE))
    assert [bool(page.tables) for page in drops.read().pages] == [True, False]


def test_packing_a_file_does_not_make_it_another(drops: Drops) -> None:
    drops.write("a.csv", csv(LINE))
    drops.read()
    drops.write("a.csv.gz", gzip.compress(csv(LINE).encode()))
    assert drops.read().records == {}


def test_writing_the_same_content_again_changes_nothing(drops: Drops) -> None:
    drops.write("a.csv", csv(LINE))
    drops.read()
    drops.write("a.csv", csv(LINE), at=DROPPED + HOUR)
    reading = drops.read()
    assert (reading.records, reading.notes) == ({}, [])


def test_a_correction_under_the_same_name_is_read(drops: Drops) -> None:
    drops.write("a.csv", csv(LINE))
    drops.read()
    drops.write("a.csv", csv(LINE.replace("24.00", "20.00")), at=DROPPED + HOUR)
    assert drops.read()["S01/0001"].total_amount == 20


def test_files_are_read_in_the_order_they_were_written(drops: Drops) -> None:
    drops.write("b.csv", csv(LINE), at=DROPPED)
    drops.write("a.csv", csv(LINE.replace("24.00", "20.00")), at=DROPPED + HOUR)
    assert drops.read(settle_seconds=0)["S01/0001"].total_amount == 20


def test_each_file_is_a_page_so_that_a_killed_run_goes_on_at_the_next_file(drops: Drops) -> None:
    drops.write("a.csv", csv(LINE))
    drops.write("b.csv", csv(OTHER))
    (stream,) = drops.source().streams()
    first = next(iter(stream.read({})))
    assert first.cursor is not None
    drops.state = first.cursor
    assert drops.read().ids == ["S01/0002"]


def test_late_files_are_found_whatever_their_date(drops: Drops) -> None:
    drops.write("0302.csv", csv(LINE))
    drops.read()
    drops.write("0228.csv", csv(OTHER), at=DROPPED - dt.timedelta(days=3))
    assert drops.read().ids == ["S01/0002"]


def test_a_file_that_may_still_grow_is_left_alone(drops: Drops) -> None:
    drops.write("a.csv", csv(LINE), at=drops.now - dt.timedelta(seconds=10))
    reading = drops.read()
    assert reading.records == {}
    assert reading.notes == ["a.csv: it was written 10 s ago and may still grow (settle_seconds = 30)"]
    drops.now += dt.timedelta(seconds=30)
    assert drops.read().ids == ["S01/0001"]


@pytest.mark.parametrize(
    "name", ["a.csv.tmp", "a.csv.part", "a.csv.filepart", "~$a.xlsx", ".a.csv", "a.csv.crdownload", "a.csv~", "a.pdf"]
)
def test_unfinished_and_foreign_files_are_left_alone(drops: Drops, name: str) -> None:
    drops.write(name, csv(LINE))
    assert drops.read().pages == []


def test_with_a_marker_only_announced_files_are_read(drops: Drops) -> None:
    drops.write("a.csv", csv(LINE))
    reading = drops.read(marker=".ok")
    assert reading.notes == ["a.csv: its .ok marker has not come yet"]
    drops.write("a.csv.ok", "")
    assert drops.read(marker=".ok").ids == ["S01/0001"]


def test_a_marker_may_stand_for_the_name_without_its_ending(drops: Drops) -> None:
    drops.write("a.csv", csv(LINE))
    drops.write("a.done", "rows=1")
    assert drops.read(marker=".done").ids == ["S01/0001"]


def test_a_file_without_the_rows_its_marker_promises_is_refused_until_it_is_whole(drops: Drops) -> None:
    drops.write("a.csv", csv(LINE))
    drops.write("a.csv.ok", "2")
    reject = drops.read(marker=".ok").reject
    assert reject.code == "row_count_differs"
    assert reject.reason == (
        "drops/a.csv has 1 rows, but its marker promises 2. It was probably sent while it was still being written; send both again."
    )
    drops.write("a.csv", csv(LINE, OTHER, "合计,,,,,,,36"), at=DROPPED + HOUR)
    assert drops.read(marker=".ok").ids == ["S01/0001", "S01/0002"]


def test_an_empty_file_is_a_shop_without_sales(drops: Drops) -> None:
    drops.write("a.csv", "")
    reading = drops.read()
    assert (reading.rejects, reading.notes) == ([], ["drops/a.csv is empty: no sales, or nothing to tell"])


def test_a_header_without_rows_is_a_shop_without_sales(drops: Drops) -> None:
    reading = drops.read_one(csv())
    assert (reading.rejects, reading.notes) == (
        [],
        ["drops/0301.csv: it has a header and no rows: no sales, or nothing to tell"],
    )


def test_two_empty_files_of_two_shops_are_both_fine(drops: Drops) -> None:
    drops.write("s1.csv", "")
    drops.write("s2.csv", "")
    assert drops.read().rejects == []


def test_a_glob_reaches_into_folders(drops: Drops) -> None:
    drops.write("S01/2026/a.csv", csv(LINE))
    drops.write("S02/a.txt", csv(OTHER))
    assert drops.read(url="drops/**/*.csv").ids == ["S01/0001"]


def test_a_folder_is_read_without_its_subfolders(drops: Drops) -> None:
    drops.write("a.csv", csv(LINE))
    drops.write("archive/b.csv", csv(OTHER))
    assert drops.read().ids == ["S01/0001"]


def test_names_with_characters_a_glob_would_take_for_its_own(drops: Drops) -> None:
    drops.write("日结[1] 'a'?.csv", csv(LINE))
    assert drops.read().ids == ["S01/0001"]


def test_the_shop_may_stand_in_the_path(drops: Drops) -> None:
    drops.write("S07_20260301.csv", csv("1,2026-03-01,5", header="单号,销售时间,实收总额"))
    mapping = {"extends": "zh_pos", "patterns": {"path": r"(?P<store_id>S\d+)_(?P<business_date>\d{8})"}}
    order = drops.read(mapping).only
    assert (order.source_id, order.store_id, order.business_date) == ("S07/1", "S07", dt.date(2026, 3, 1))


def test_files_on_another_file_system_are_read_alike(drops: Drops) -> None:
    memory = fsspec.filesystem("memory")
    memory.pipe("/till/a.csv", csv(LINE).encode("gb18030"))
    memory.pipe("/till/b.csv.gz", gzip.compress(csv(OTHER).encode()))
    try:
        assert sorted(drops.read(url="memory://till", settle_seconds=0).ids) == ["S01/0001", "S01/0002"]
        assert drops.read(url="memory://till", settle_seconds=0).pages == []
    finally:
        memory.rm("/till", recursive=True)


def test_a_lost_file_is_remembered_for_a_while_and_then_forgotten(drops: Drops) -> None:
    path = drops.write("a.csv", csv(LINE))
    drops.read()
    path.unlink()
    assert drops.read().cursor["files"]["a.csv"]["gone"] == "2026-03-02"
    drops.now += dt.timedelta(days=180)
    assert "a.csv" in drops.read().cursor["files"]
    drops.now += dt.timedelta(days=1)
    assert drops.read().cursor["files"] == {}


def test_a_file_that_comes_back_is_not_read_again(drops: Drops) -> None:
    path = drops.write("a.csv", csv(LINE))
    drops.read()
    path.unlink()
    drops.read()
    drops.write("a.csv", csv(LINE), at=DROPPED + HOUR)
    reading = drops.read()
    assert reading.records == {}
    assert "gone" not in reading.cursor["files"]["a.csv"]


def test_what_is_remembered_of_a_file_is_small(drops: Drops) -> None:
    for number in range(20):
        drops.write(f"{number}.csv", csv(LINE.replace("0001", f"{number:04}")))
    assert len(str(drops.read().cursor)) < 20 * 200


def test_a_missing_folder_is_told_with_what_to_do(drops: Drops) -> None:
    (stream,) = drops.source(url="elsewhere").streams()
    with pytest.raises(StreamError) as caught:
        list(stream.read({}))
    assert str(caught.value) == (
        "The folder elsewhere cannot be read: FileNotFoundError. (connection pos, key url) Check that it exists and that the hub's "
        "user may list it; relative paths start where hub.toml is."
    )


def test_check_tells_what_is_there_and_whether_the_header_fits(drops: Drops) -> None:
    drops.write("a.csv", csv(LINE))
    drops.write("b.pdf", "")
    readable, header = drops.check()
    assert (readable.ok, readable.message) == (True, "1 file(s) to read, 1 of other kinds left alone")
    assert (header.ok, header.message) == (True, "8 of 8 columns known")


def test_check_fails_for_a_missing_folder_and_for_a_strange_header(drops: Drops) -> None:
    assert [check.ok for check in drops.check(url="elsewhere")] == [False]
    drops.write("a.csv", "name,value\nx,1\n")
    _, header = drops.check()
    assert not header.ok
    assert "none of its first rows is a header that mapping zh_pos knows" in header.message


def test_a_connection_for_writing_is_not_read(drops: Drops) -> None:
    drops.write("audience.csv", "key\n1\n")
    source = drops.source(write={})
    assert (list(source.streams()), list(source.check())) == ([], [])


def test_check_moves_no_cursor_and_reads_no_rows(drops: Drops) -> None:
    drops.write("a.csv", csv("0001,S01,yesterday,00123,茶,x,12.00,24.00"))
    assert all(check.ok for check in drops.check())
    assert len(drops.read().rejects) == 1


def test_the_cursor_of_one_source_instance_serves_the_next(drops: Drops) -> None:
    drops.write("a.csv", csv(LINE))
    config = FilesConfig(url=str(drops.folder))
    for count, scratch in ((1, "x"), (0, "y")):
        runtime = Runtime(connection="pos", scratch=drops.scratch / scratch, now=lambda: drops.now)
        pages = list(FilesSource(config, runtime).read(drops.state))
        assert len(pages) == count
        drops.state = pages[0].cursor if pages and pages[0].cursor else drops.state
