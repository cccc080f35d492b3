"""The engine: transactions, streaming, and faults told in the hub's words."""

from __future__ import annotations

from multiprocessing.synchronize import Event
from pathlib import Path

import duckdb
import processes
import pytest

from hub.errors import LeaseHeldError, StoreError
from hub.warehouse.engine import DuckDBEngine, literal, quoted
from hub.warehouse.schema import SCHEMA_VERSION, prepare


@pytest.fixture
def engine(tmp_path: Path) -> DuckDBEngine:
    engine = DuckDBEngine(None, tmp_path)
    yield engine
    engine.close()


def test_a_block_that_raises_leaves_nothing(engine: DuckDBEngine) -> None:
    engine.execute("CREATE TABLE t (n INTEGER)")
    with engine.transaction():
        engine.execute("INSERT INTO t VALUES (1)")

    def fail_half_way() -> None:
        with engine.transaction():
            engine.execute("INSERT INTO t VALUES (2)")
            raise KeyError

    with pytest.raises(KeyError):
        fail_half_way()
    assert engine.rows("FROM t") == [(1,)]


def test_results_come_as_rows_a_value_a_table_or_batches(engine: DuckDBEngine) -> None:
    assert engine.rows("SELECT ?, ?", [1, "a"]) == [(1, "a")]
    assert engine.value("SELECT 7 WHERE false") is None
    assert engine.arrow("SELECT 1 AS n").to_pydict() == {"n": [1]}
    assert sum(batch.num_rows for batch in engine.batches("FROM range(120000)", rows=50_000)) == 120_000


def test_instants_are_read_as_utc(engine: DuckDBEngine) -> None:
    value = engine.value("SELECT TIMESTAMPTZ '2026-03-01 08:00:00+08'")
    assert value.isoformat() == "2026-03-01T00:00:00+00:00"


@pytest.mark.parametrize("text", ["plain", "it's", 'a "name"', "分号;", ""])
def test_texts_and_names_survive_quoting(engine: DuckDBEngine, text: str) -> None:
    assert engine.value(f"SELECT {literal(text)}") == text
    if text:
        assert engine.arrow(f"SELECT 1 AS {quoted(text)}").column_names == [text]


def test_arrow_tables_can_be_read_within_a_block_only(engine: DuckDBEngine) -> None:
    import pyarrow as pa

    with engine.register({"given": pa.table({"n": [1, 2]})}):
        assert engine.value("SELECT sum(n) FROM given") == 3
    with pytest.raises(duckdb.CatalogException):
        engine.rows("FROM given")


def test_a_file_that_is_open_in_another_process_is_told_as_a_lease(tmp_path: Path) -> None:
    path, opened, done = tmp_path / "w.duckdb", processes.event(), processes.event()
    holder = processes.start(_hold_open, path, opened, done)
    assert opened.wait(60)
    with pytest.raises(LeaseHeldError, match="open in another process"):
        DuckDBEngine(path, tmp_path)
    done.set()
    holder.join(60)
    assert holder.exitcode == 0


def _hold_open(path: Path, opened: Event, done: Event) -> None:
    engine = DuckDBEngine(path, path.parent / "other")
    opened.set()
    assert done.wait(60)
    engine.close()


@pytest.mark.parametrize("damage", ["no database", "spoilt block", "cut"])
def test_a_damaged_file_is_told_with_how_to_build_it_anew(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "w.duckdb"
    engine = DuckDBEngine(path, tmp_path)
    engine.execute("CREATE TABLE t AS SELECT range AS n, hash(range)::VARCHAR AS text FROM range(100000)")
    engine.close()
    content = bytearray(path.read_bytes())
    if damage == "no database":
        content = bytearray(b"just a text " * 1000)
    elif damage == "cut":
        content = content[:10_000]
    else:
        content[4096:12288] = bytes(8192)
    path.write_bytes(content)
    with pytest.raises(StoreError, match="builds it anew") as caught:
        DuckDBEngine(path, tmp_path)
    assert not isinstance(caught.value, LeaseHeldError)


def test_too_little_memory_is_told_with_the_setting_to_change(tmp_path: Path) -> None:
    engine = DuckDBEngine(None, tmp_path, "20MB")
    engine.execute("SET max_temp_directory_size = '1MB'")
    with pytest.raises(StoreError, match=r"hub\.memory_limit") as caught:
        engine.rows("SELECT count(DISTINCT hash(range)) FROM range(5000000)")
    assert caught.value.code == "memory_limit"
    engine.close()


@pytest.mark.parametrize(
    ("limit", "threads", "sparing"), [("512MB", 2, 192), ("512MB", 16, 512), ("8GB", 2, 3000), ("100MB", 4, 100)]
)
def test_a_merge_holds_little_in_memory_and_the_limit_is_back_after_it(
    tmp_path: Path, limit: str, threads: int, sparing: int
) -> None:
    engine = DuckDBEngine(None, tmp_path, limit)
    engine.execute(f"SET threads = {threads}")
    whole = _memory_limit(engine)
    with engine.sparing_memory():
        # DuckDB tells it with one decimal.
        assert _memory_limit(engine) == pytest.approx(sparing * 10**6, rel=0.04)
    assert _memory_limit(engine) == whole
    engine.close()


def _memory_limit(engine: DuckDBEngine) -> float:
    number, unit = engine.value("SELECT current_setting('memory_limit')").split()
    return float(number) * {"MiB": 2**20, "GiB": 2**30}[unit]


def test_a_warehouse_of_a_newer_hub_is_refused_with_advice(engine: DuckDBEngine) -> None:
    prepare(engine)
    engine.execute("UPDATE _meta SET version = ?", [SCHEMA_VERSION + 1])
    with pytest.raises(StoreError, match="newer version") as caught:
        prepare(engine)
    assert caught.value.code == "store_newer"


def test_a_column_that_a_newer_model_has_is_added_to_the_table_that_is_there(engine: DuckDBEngine) -> None:
    prepare(engine)
    engine.execute("INSERT INTO profiles (connection, source_id) VALUES ('pos', '1')")
    engine.execute("ALTER TABLE profiles DROP COLUMN nickname")
    prepare(engine)
    assert engine.rows("SELECT source_id, nickname FROM profiles") == [("1", None)]


def test_a_column_of_another_type_is_told(engine: DuckDBEngine) -> None:
    prepare(engine)
    engine.execute("ALTER TABLE profiles ALTER nickname TYPE BLOB")
    with pytest.raises(StoreError, match=r"profiles\.nickname is BLOB in the warehouse; this hub expects VARCHAR"):
        prepare(engine)


def test_preparing_twice_changes_nothing(engine: DuckDBEngine) -> None:
    prepare(engine)
    before = engine.rows("SELECT table_name, column_name, data_type FROM duckdb_columns() ORDER BY ALL")
    prepare(engine)
    assert engine.rows("SELECT table_name, column_name, data_type FROM duckdb_columns() ORDER BY ALL") == before
    assert engine.rows("FROM _meta") == [(SCHEMA_VERSION,)]
