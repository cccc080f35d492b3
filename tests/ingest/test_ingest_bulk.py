"""Bulk pages: Arrow and Parquet straight to packages, checked as a whole because nobody looks at their rows."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from toy import Feed, Toy, facts, ticket

from hub.columns import tables_of, to_arrow
from hub.errors import HubError
from hub.hookspecs import hookimpl
from hub.pipeline.ingest import IngestReport, ingest
from hub.plugins import load_plugins
from hub.records import Order
from hub.source import BulkData, Page, Source, State, Stream

TICKETS = [ticket("t1", "3", "4", minutes=1), ticket("t2", "5", minutes=1)]
TABLES = to_arrow(Order, TICKETS)


def read(folder: Path, *pages: Page) -> IngestReport:
    with Toy({"pos": {"tickets": Feed(Order, pages)}}).hub(folder) as hub:
        return ingest(hub)


def fault_of(folder: Path, tables: dict[str, BulkData]) -> HubError:
    report = read(folder, Page(tables=tables))
    [failed] = report.failed
    assert failed.error is not None
    with Toy({"pos": {}}).hub(folder) as hub:
        assert hub.store.packages.waiting() == []
        assert hub.store.packages.cursor("pos", "tickets") is None
        assert facts(hub) == {}
    return failed.error


def test_a_table_a_reader_and_records_give_the_same_rows(tmp_path: Path) -> None:
    ways: dict[str, Page] = {
        "records": Page(records=TICKETS),
        "table": Page(tables=TABLES),
        "reader": Page(tables={name: table.to_reader(max_chunksize=1) for name, table in TABLES.items()}),
        "other order of columns": Page(
            tables={name: table.select(sorted(table.column_names)) for name, table in TABLES.items()}
        ),
    }
    found = []
    for name, page in ways.items():
        read(tmp_path / name, page)
        with Toy({"pos": {}}).hub(tmp_path / name) as hub:
            found.append(facts(hub))
    assert len(found[0]["orders_lines"]) == 3
    assert found.count(found[0]) == len(ways)


@pytest.mark.parametrize("other_disk", [False, True])
def test_a_parquet_file_in_the_scratch_folder_is_taken_as_it_is(
    tmp_path: Path, other_disk: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = Toy({"pos": {}})
    source: type[Source] = shop.plugins.source("toy")

    class FromFiles(source):  # type: ignore[valid-type, misc]
        def streams(self) -> list[Stream]:
            return [Stream("tickets", Order, self.read)]

        def read(self, state: State) -> Iterator[Page]:
            for name, table in TABLES.items():
                pq.write_table(table, self.runtime.scratch / f"{name}.parquet")
            paths = {name: self.runtime.scratch / f"{name}.parquet" for name in TABLES}
            if other_disk:
                refuse_to_rename(*map(str, paths.values()))
            yield Page(tables=paths)

    def refuse_to_rename(*paths: str) -> None:
        rename = os.rename

        def across_disks(old: os.PathLike[str], new: os.PathLike[str], **options: int) -> None:
            if str(old) in paths:
                raise OSError(errno.EXDEV, "Invalid cross-device link")
            rename(old, new, **options)

        monkeypatch.setattr(os, "rename", across_disks)

    class Module:
        @hookimpl
        def register_sources(self) -> list[type[Source]]:
            return [FromFiles]

    plugins = load_plugins([])
    plugins.manager.register(Module(), name="toy")
    from hub.context import open_hub

    with open_hub(shop.config(tmp_path), plugins=plugins) as hub:
        assert ingest(hub).failed == []
        assert len(facts(hub)["orders_lines"]) == 3


def test_a_source_id_that_stands_twice_is_told_before_anything_is_sealed(tmp_path: Path) -> None:
    twice = {name: pa.concat_tables([table, table.slice(0, 1)]) for name, table in TABLES.items()}
    error = fault_of(tmp_path, twice)
    assert error.code == "package_not_unique"
    assert "holds 1 more than once" in error.message


def test_a_row_without_source_id_is_told(tmp_path: Path) -> None:
    parent = TABLES["orders"].set_column(0, "source_id", pa.array(["t1", None]))
    assert "holds 1 without source id" in fault_of(tmp_path, {"orders": parent}).message


def test_columns_that_do_not_fit_are_all_told(tmp_path: Path) -> None:
    parent = TABLES["orders"].drop_columns("currency").append_column("colour", pa.array(["red", "red"]))
    parent = parent.set_column(parent.column_names.index("total_amount"), "total_amount", pa.array([1.5, 2.5]))
    told = str(fault_of(tmp_path, {"orders": parent}))
    assert "currency is missing, not string" in told
    assert "total_amount is double, not decimal128(18, 4)" in told
    assert "colour is not a column" in told


def test_a_table_the_record_does_not_have_is_told(tmp_path: Path) -> None:
    assert "orders_gifts" in str(fault_of(tmp_path, {**TABLES, "orders_gifts": TABLES["orders"]}))


def test_a_half_written_parquet_file_is_told(tmp_path: Path) -> None:
    broken = tmp_path / "orders.parquet"
    broken.write_bytes(b"PAR1 and then the disk was full")
    assert "orders.parquet failed" in str(fault_of(tmp_path / "hub", {"orders": broken}))


def test_a_reader_that_fails_half_way_seals_nothing(tmp_path: Path) -> None:
    def batches() -> Iterator[pa.RecordBatch]:
        yield from TABLES["orders"].to_batches()
        raise ValueError("line 7 has 3 columns")

    reader = pa.RecordBatchReader.from_batches(tables_of(Order)[0].schema, batches())
    assert "line 7 has 3 columns" in str(fault_of(tmp_path, {"orders": reader}))


def test_child_rows_without_their_record_are_left_out_and_not_counted_twice_later(tmp_path: Path) -> None:
    late = ticket("t9", "1", "1")
    lines = to_arrow(Order, [*TICKETS, late])["orders_lines"]
    read(tmp_path, Page(tables={**TABLES, "orders_lines": lines}))
    read(tmp_path, Page(), Page(tables=to_arrow(Order, [late])))
    with Toy({"pos": {}}).hub(tmp_path) as hub:
        assert [(row[1], row[2]) for row in facts(hub)["orders_lines"]] == [
            ("t1", 0),
            ("t1", 1),
            ("t2", 0),
            ("t9", 0),
            ("t9", 1),
        ]


def test_records_and_bulk_pages_may_take_turns(tmp_path: Path) -> None:
    pages = [Page(records=TICKETS[:1]), Page(tables=TABLES), Page(records=[ticket("t3", "1")])]
    report = read(tmp_path, *pages)
    assert (report.streams[0].packages, report.changed) == (3, 3)
