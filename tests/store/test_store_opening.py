"""Opening a store: made when missing, migrated when old, refused with advice when it cannot be used."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from processes import run
from sqlalchemy import inspect, text
from sqlmodel import SQLModel

from hub.errors import ConfigError, StoreError
from hub.store.database import Database
from hub.store.store import Store


def test_an_empty_database_becomes_a_store_with_every_table(store_url: str) -> None:
    database = Database(store_url)
    database.migrate()
    assert set(inspect(database.engine).get_table_names()) >= set(SQLModel.metadata.tables)
    database.close()


def test_the_migrations_lead_to_what_the_models_say(store_url: str) -> None:
    database = Database(store_url)
    database.migrate()
    with database.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        assert compare_metadata(context, SQLModel.metadata) == []
    database.close()


def test_opening_again_changes_nothing(store_url: str, tmp_path: Path) -> None:
    with Store.open(store_url, tmp_path) as store:
        store.audit("test", "first")
    with Store.open(store_url, tmp_path) as store:
        assert [entry.subject for entry in store.audit_log()] == ["first"]


def test_a_store_of_a_newer_hub_is_refused_with_advice(store_url: str, tmp_path: Path) -> None:
    Store.open(store_url, tmp_path).close()
    database = Database(store_url)
    with database.engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    database.close()
    with pytest.raises(StoreError, match="newer version of the hub") as caught:
        Store.open(store_url, tmp_path)
    assert caught.value.code == "store_newer"
    assert "pip install -U" in caught.value.hint
    assert caught.value.context["revision"] == "9999"


def test_a_damaged_file_is_refused_with_advice(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    path.write_bytes(b"this is a shopping list, not a database" * 100)
    with pytest.raises(StoreError, match="damaged or no store"):
        Store.open(f"sqlite:///{path}", tmp_path)


def test_a_file_cut_short_is_refused_with_advice(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    with Store.open(f"sqlite:///{path}", tmp_path) as store:
        store.audit("test", "x")
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    path.write_bytes(path.read_bytes()[: 3 * 4096])
    with pytest.raises(StoreError, match="damaged or no store"), Store.open(f"sqlite:///{path}", tmp_path) as store:
        store.audit_log()


@pytest.mark.parametrize("url", ["nonsense", "oracle://x", "postgresql+nodriver://x/y", "http://[bad"])
def test_a_url_that_is_no_database_is_a_configuration_error(url: str) -> None:
    with pytest.raises(ConfigError, match=r"hub\.store"):
        Database(url)


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="folder cannot be made"):
        Database(f"sqlite:///{tmp_path / 'file' / 'store.db'}")


def test_an_unreachable_server_is_told_without_the_password() -> None:
    database = Database("postgresql+psycopg://hub:open-sesame-15@127.0.0.1:1/none")
    with pytest.raises(StoreError, match="server can be reached") as caught:
        database.migrate()
    database.close()
    assert "open-sesame" not in str(caught.value)
    assert "127.0.0.1:1" in str(caught.value)


def test_a_failed_statement_repeats_no_values(store: Store) -> None:
    insert = (
        "INSERT INTO leases (name, token, holder, acquired_at, expires_at) VALUES (:name, 't', NULL, '2026', '2027')"
    )
    with pytest.raises(StoreError) as caught, store.database.write() as session:
        session.execute(text(insert), {"name": "15400001111"})
    assert "15400001111" not in str(caught.value)
    assert "INSERT" not in str(caught.value)


def test_a_block_that_raises_writes_nothing(store: Store) -> None:
    def fail_half_way() -> None:
        with store.database.write() as session:
            session.execute(text("DELETE FROM alembic_version"))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail_half_way()
    with store.database.read() as session:
        assert session.execute(text("SELECT count(*) FROM alembic_version")).scalar() == 1


def _open_and_close(url: str, home: Path) -> None:
    Store.open(url, home).close()


def test_processes_may_open_a_new_store_at_the_same_time(store_url: str, tmp_path: Path) -> None:
    import processes

    opening = [processes.start(_open_and_close, store_url, tmp_path) for _ in range(6)]
    for process in opening:
        process.join(60)
    assert [process.exitcode for process in opening] == [0] * 6


def test_the_store_needs_no_driver_it_does_not_use() -> None:
    code = (
        "import sys; sys.modules['psycopg'] = None; import hub.store.store; from hub.store.database import Database\n"
    )
    code += "try: Database('postgresql+psycopg://x/y')\nexcept Exception as error: print(error)"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert 'pip install "customer-hub[postgres]"' in told


def test_a_child_process_that_fails_is_noticed(tmp_path: Path) -> None:
    """The other tests of this file trust exit codes."""
    assert run(_open_and_close, "nonsense", tmp_path) == 1
