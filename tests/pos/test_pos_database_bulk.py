"""Reading by columns: the same tickets as by rows, nothing cut, nothing written."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from pos.golden_tickets import FIRST_READ
from pos.pos_rig import Direct
from sqlalchemy.exc import DBAPIError

from hub.errors import StreamError
from plugins.pos.database import source as database_source
from plugins.pos.database.bulk import UnfitError, bulk_session, is_bulk
from plugins.pos.database.config import DatabaseConfig
from plugins.pos.database.session import address
from plugins.pos.database.source import DatabaseSource

pytest.importorskip("adbc_driver_sqlite", reason="customer-hub[databases] is not installed")
pytest.importorskip("adbc_driver_postgresql", reason="customer-hub[databases] is not installed")

MAPPING = {
    "orders": {
        "cursor": "id",
        "window": "ordered_at",
        "tickets": "SELECT id, at AS ordered_at, shop AS store_id, card AS card_no FROM t WHERE shop <> ':none' AND shop <> '100%'",
        "lines": "SELECT id, item AS product_id, qty AS quantity, price AS unit_price FROM l",
        "tenders": "SELECT id, way AS method, amount FROM p",
    },
    "stores": {"query": "SELECT DISTINCT shop AS id, shop AS name FROM t"},
}
WRITES = ["INSERT INTO p VALUES (9, 'cash', 1)", "DELETE FROM p", "CREATE TABLE lid (n INTEGER)", "DROP TABLE p"]


def fill(execute: Any) -> None:
    for statement in (
        "CREATE TABLE t (id INTEGER, at TIMESTAMP, shop VARCHAR(9), card VARCHAR(20))",
        "CREATE TABLE l (id INTEGER, item VARCHAR(20), qty NUMERIC(12,3), price NUMERIC(18,9))",
        "CREATE TABLE p (id INTEGER, way VARCHAR(9), amount NUMERIC(12,2))",
        "INSERT INTO t VALUES (1, '2026-03-02 10:00:00', 'O''Hara', NULL), (2, '2026-03-02 10:05:00', '杭州 ', '80000001')",
        "INSERT INTO t VALUES (3, '2026-03-02 10:06:00', 'S3', NULL), (4, '2026-03-02 10:07:00', 'S3', ' '), (5, '2026-03-02 10:08:00', 'S5', NULL)",
        "INSERT INTO l VALUES (1, 'A', 1000, 21.681415929), (2, 'B', 0.385, 35.8), (3, 'C', -1, 5), (4, 'D', 2, 0.1), (5, 'E', NULL, 3)",
        "INSERT INTO p VALUES (1, 'cash', 21681.42), (2, 'wechat', 13.78), (3, 'cash', -5), (4, 'card', 0.2), (5, '现金', 3)",
    ):
        execute(statement)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    with sqlite3.connect(tmp_path / "till.db") as database:
        fill(database.execute)
    database.close()
    return tmp_path


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Which way each transaction went."""
    ways: list[str] = []
    session, fetch = database_source.bulk_session, database_source.reading.fetch
    monkeypatch.setattr(database_source, "bulk_session", lambda *given: (ways.append("columns"), session(*given))[1])
    monkeypatch.setattr(database_source.reading, "fetch", lambda *given: (ways.append("rows"), fetch(*given))[1])
    return ways


def read(folder: Path, url: str = "sqlite:///till.db", stream: str = "orders", **more: Any) -> list[dict[str, Any]]:
    till = Direct(folder, DatabaseSource, url=url, mapping=MAPPING, page_tickets=2, **more)
    found = till.read(FIRST_READ, stream)
    assert till.rejects == []
    till.close()
    return sorted((record.model_dump() for record in found), key=lambda each: str(each["source_id"]))


def test_columns_give_what_rows_give(folder: Path, seen: list[str]) -> None:
    by_columns = read(folder)
    assert set(seen) == {"columns"}
    seen.clear()
    assert by_columns == read(folder, "sqlite+pysqlite:///till.db")
    assert set(seen) == {"rows"}
    assert len(by_columns) == 5


def test_lists_are_read_by_columns_too(folder: Path, seen: list[str]) -> None:
    assert [store["source_id"] for store in read(folder, stream="stores")] == ["O'Hara", "S3", "S5", "杭州"]
    assert set(seen) == {"columns"}


@pytest.mark.parametrize(
    "change",
    [
        "INSERT INTO l VALUES (2, 'F', 'two', 0.123456789)",
        "UPDATE l SET price = '1,5' WHERE id = 2",
        "UPDATE l SET item = x'E88CB6' WHERE id = 3",
    ],
)
def test_a_page_that_columns_would_cut_is_read_by_rows(folder: Path, seen: list[str], change: str) -> None:
    with sqlite3.connect(folder / "till.db") as database:
        database.execute(change)
    database.close()
    shown = []
    for url in ("sqlite:///till.db", "sqlite+pysqlite:///till.db"):
        till = Direct(folder, DatabaseSource, url=url, mapping=MAPPING, page_tickets=2)
        shown.append(([order.model_dump() for order in till.read(FIRST_READ)], till.rejects))
        assert "rows" in seen
        till.close()
    assert shown[0] == shown[1]


def refused(config: DatabaseConfig, base: Path, statement: str) -> bool:
    query: sa.Select[Any] = sa.text(statement)  # type: ignore[assignment]
    with bulk_session(config, address(config, base)) as session:
        try:
            session.table(query)
        except (DBAPIError, UnfitError):
            return True
    return False


@pytest.mark.parametrize("statement", WRITES)
def test_nothing_can_be_written_by_columns(folder: Path, statement: str) -> None:
    before = (folder / "till.db").read_bytes()
    config = DatabaseConfig.model_validate({"url": "sqlite:///till.db", "mapping": "ospos"})
    assert refused(config, folder, statement)
    assert (folder / "till.db").read_bytes() == before


def test_a_database_that_refuses_is_told_in_its_words(folder: Path) -> None:
    mapping = {"orders": {**MAPPING["orders"], "lines": "SELECT id, nowhere AS quantity FROM l"}}
    till = Direct(folder, DatabaseSource, url="sqlite:///till.db", mapping=mapping)
    with pytest.raises(StreamError, match="no such column: nowhere") as caught:
        till.read(FIRST_READ)
    assert caught.value.code == "database_refused"
    assert "SELECT" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "bulk"),
    [
        ("sqlite:///till.db", True), ("postgresql://h/d", True), ("postgres://h/d", True), ("postgresql+psycopg://h/d", True),
        ("postgresql+psycopg2://h/d", False), ("mysql://h/d", False), ("mssql://h/d", False),
    ],
)  # fmt: skip
def test_who_is_read_by_columns(url: str, bulk: bool) -> None:
    assert is_bulk(DatabaseConfig.model_validate({"url": url, "mapping": "ospos"})) is bulk


@pytest.fixture(scope="module")
def postgres(postgres_server: str) -> Iterator[str]:
    """A database of our own on the server, with the tickets in it."""
    server = sa.make_url(postgres_server).set(drivername="postgresql+psycopg")
    admin = sa.create_engine(server, isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.execute(sa.text("DROP DATABASE IF EXISTS hub_bulk"))
        connection.execute(sa.text("CREATE DATABASE hub_bulk"))
    url = server.set(database="hub_bulk")
    engine = sa.create_engine(url)
    with engine.begin() as connection:
        fill(connection.exec_driver_sql)
    engine.dispose()
    yield url.set(drivername="postgresql").render_as_string(hide_password=False)
    with admin.connect() as connection:
        connection.execute(sa.text("DROP DATABASE hub_bulk WITH (FORCE)"))
    admin.dispose()


@pytest.mark.postgres
def test_columns_of_postgresql_give_what_rows_and_sqlite_give(postgres: str, folder: Path, seen: list[str]) -> None:
    by_columns = read(folder, postgres)
    assert set(seen) == {"columns"}
    assert by_columns == read(folder)

    seen.clear()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(database_source, "is_bulk", lambda _: False)
        assert by_columns == read(folder, postgres)
    assert set(seen) == {"rows"}


@pytest.mark.postgres
@pytest.mark.parametrize("statement", WRITES)
def test_nothing_can_be_written_into_postgresql_by_columns(postgres: str, tmp_path: Path, statement: str) -> None:
    config = DatabaseConfig.model_validate({"url": postgres, "mapping": "ospos"})
    assert refused(config, tmp_path, statement)


@pytest.mark.postgres
def test_types_that_columns_do_not_know_are_read_by_rows(postgres: str, tmp_path: Path, seen: list[str]) -> None:
    listing = {"stores": {"query": "SELECT gen_random_uuid() AS id, 'S1' AS name WHERE true"}}
    till = Direct(tmp_path, DatabaseSource, url=postgres, mapping=listing)
    pages = till.source.streams()[0].read({})
    page = next(iter(pages))
    assert len(page.tables["stores"]["source_id"][0].as_py()) == 36
    assert seen == ["columns", "rows"]
