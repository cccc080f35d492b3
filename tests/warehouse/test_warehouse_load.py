"""Merging packages: numbers of changes, older files, what a fault half-way leaves."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from toy import MORNING, member

from hub.errors import StoreError
from hub.pipeline.package import Buffer, write_files
from hub.records import Customer, Record
from hub.source import Page
from hub.warehouse.engine import DuckDBEngine
from hub.warehouse.load import PackageFiles, load_packages, loaded_ids
from hub.warehouse.schema import prepare


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[DuckDBEngine]:
    engine = DuckDBEngine(None, tmp_path / "scratch")
    prepare(engine)
    yield engine
    engine.close()


def package(folder: Path, seq: int, *records: Record) -> PackageFiles:
    place = folder / str(seq)
    place.mkdir()
    buffer = Buffer(Customer)
    buffer.add(Page(records=records))
    write_files(buffer, place)
    return PackageFiles(f"p{seq}", seq, "pos", "members", "profiles", {f.stem: str(f) for f in place.iterdir()})


def test_rows_carry_the_number_of_the_load_that_changed_them_not_of_their_package(
    engine: DuckDBEngine, tmp_path: Path
) -> None:
    """A package sealed early may be loaded late; later stages look at what is above the number they have seen."""
    load_packages(engine, [package(tmp_path, 7, member("1"))], MORNING)
    load_packages(engine, [package(tmp_path, 3, member("2"))], MORNING)
    load_packages(engine, [package(tmp_path, 9, member("1"), member("2", "changed"))], MORNING)
    assert engine.rows("SELECT source_id, changed_seq FROM profiles ORDER BY ALL") == [("1", 1), ("2", 3)]


def test_the_time_a_record_was_first_seen_stays(engine: DuckDBEngine, tmp_path: Path) -> None:
    load_packages(engine, [package(tmp_path, 1, member("1"))], MORNING)
    load_packages(engine, [package(tmp_path, 2, member("1", "changed"))], MORNING + dt.timedelta(days=1))
    assert engine.rows("SELECT name, first_seen_at FROM profiles") == [("changed", MORNING)]


def test_a_fault_in_one_package_of_a_group_keeps_the_whole_group_out(engine: DuckDBEngine, tmp_path: Path) -> None:
    good, bad = package(tmp_path, 1, member("1")), package(tmp_path, 2, member("2"))
    Path(bad.files["profiles"]).write_bytes(b"PAR1")
    with pytest.raises(StoreError, match="cannot read or write a file") as caught:
        load_packages(engine, [good, bad], MORNING)
    assert caught.value.code == "file_unusable"
    assert engine.rows("FROM profiles") == []
    assert loaded_ids(engine, ["p1", "p2"]) == set()
    assert load_packages(engine, [good], MORNING).inserted == 1


def test_a_package_sealed_before_a_column_was_added_can_still_be_loaded(engine: DuckDBEngine, tmp_path: Path) -> None:
    old = package(tmp_path, 1, member("1", "Ada"))
    file = Path(old.files["profiles"])
    pq.write_table(pq.read_table(file).drop_columns(["marketing_consent", "avatar_url"]), file)
    load_packages(engine, [old, package(tmp_path, 2, member("2", "Bo", marketing_consent=True))], MORNING)
    rows = engine.rows("SELECT source_id, name, marketing_consent FROM profiles ORDER BY ALL")
    assert rows == [("1", "Ada", None), ("2", "Bo", True)]


def test_a_source_id_is_only_a_text(engine: DuckDBEngine, tmp_path: Path) -> None:
    odd = ["'; DROP TABLE profiles; --", '"', "0012", "12", "1e3", "分店/1", "a b"]
    load_packages(engine, [package(tmp_path, 1, *map(member, odd))], MORNING)
    load_packages(engine, [package(tmp_path, 2, *(member(one, "changed") for one in odd))], MORNING)
    assert engine.rows("SELECT source_id, name FROM profiles ORDER BY ALL") == sorted((one, "changed") for one in odd)


def test_a_connection_may_have_any_name(engine: DuckDBEngine, tmp_path: Path) -> None:
    given = package(tmp_path, 1, member("1"))
    other = PackageFiles(given.id, given.seq, "o'brien", "it's", given.record, given.files)
    load_packages(engine, [other], MORNING)
    assert engine.rows("SELECT connection, stream FROM profiles") == [("o'brien", "it's")]
