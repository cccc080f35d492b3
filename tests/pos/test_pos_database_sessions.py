"""Sessions that only read, tried on real servers; what the others are told is compiled."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from pos.golden_tickets import FIRST_READ, SECOND_READ, STORE, differences, expected_revenue, revenue, tickets
from pos.pos_databases import OSPOS, UNICENTA, fill, ospos_rows, reversed_instead_of_void, unicenta_rows
from pos.pos_rig import Direct
from sqlalchemy.dialects import mssql, mysql, postgresql, sqlite
from sqlalchemy.exc import DBAPIError

from hub.errors import ConfigError, StopError
from plugins.pos.database import reading
from plugins.pos.database.config import DatabaseConfig
from plugins.pos.database.guard import complaint
from plugins.pos.database.session import address, open_engine, session_statements
from plugins.pos.database.source import DatabaseSource

WRITES = [
    "INSERT INTO jar VALUES (2)",
    "UPDATE jar SET n = 3",
    "DELETE FROM jar",
    "CREATE TABLE lid (n INTEGER)",
    "DROP TABLE jar",
]


def tried(url: str, base: Path) -> list[str]:
    """The writes that went through a session of ours."""
    engine = open_engine(DatabaseConfig.model_validate({"url": url, "mapping": "ospos"}), base)
    succeeded = []
    for statement in WRITES:
        try:
            with engine.begin() as connection:
                connection.execute(sa.text(statement))
            succeeded.append(statement)
        except DBAPIError:
            continue
    with engine.connect() as connection:
        assert connection.execute(sa.text("SELECT n FROM jar")).scalar() == 1
    engine.dispose()
    return succeeded


def jar(url: str) -> None:
    engine = sa.create_engine(url)
    with engine.begin() as connection:
        connection.execute(sa.text("DROP TABLE IF EXISTS jar"))
        connection.execute(sa.text("CREATE TABLE jar (n INTEGER)"))
        connection.execute(sa.text("INSERT INTO jar VALUES (1)"))
    engine.dispose()


def test_nothing_can_be_written_into_sqlite(tmp_path: Path) -> None:
    jar(f"sqlite:///{tmp_path / 'till.db'}")
    assert tried("sqlite:///till.db", tmp_path) == []


def test_a_file_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    config = DatabaseConfig.model_validate({"url": "sqlite:///nowhere.db", "mapping": "ospos"})
    with pytest.raises(StopError) as caught:
        open_engine(config, tmp_path)
    assert caught.value.code == "database_missing"
    assert not (tmp_path / "nowhere.db").exists()


@pytest.fixture(scope="module")
def postgres(postgres_server: str) -> Iterator[str]:
    """A database of our own on the server."""
    admin = sa.create_engine(
        sa.make_url(postgres_server).set(drivername="postgresql+psycopg"), isolation_level="AUTOCOMMIT"
    )
    with admin.connect() as connection:
        connection.execute(sa.text("DROP DATABASE IF EXISTS hub_till"))
        connection.execute(sa.text("CREATE DATABASE hub_till"))
    url = admin.url.set(database="hub_till").render_as_string(hide_password=False)
    yield url
    with admin.connect() as connection:
        connection.execute(sa.text("DROP DATABASE hub_till WITH (FORCE)"))
    admin.dispose()


@pytest.mark.postgres
def test_nothing_can_be_written_into_postgresql(postgres: str, tmp_path: Path) -> None:
    jar(postgres)
    assert tried(postgres, tmp_path) == []


@pytest.mark.postgres
def test_the_golden_tickets_on_postgresql(postgres: str, tmp_path: Path) -> None:
    engine = sa.create_engine(postgres)
    till = Direct(
        tmp_path, DatabaseSource, url=postgres, mapping="unicenta", constants={"store_id": STORE}, page_tickets=9
    )
    lacks = ("line_kinds", "sets", "options", "originals", "methods")
    for read, at in ((1, FIRST_READ), (2, SECOND_READ)):
        shown = reversed_instead_of_void(tickets(read))
        fill(engine, UNICENTA, unicenta_rows(shown))
        orders = till.read(at)
        golden = [ticket for ticket in shown if ticket.place <= 24]
        assert "\n".join(differences(orders, golden, lacks=lacks, number_of=lambda o: f"T{o.number}")) == ""
        assert revenue(orders) == expected_revenue(read)
    assert [check for check in till.source.check() if not check.ok] == []
    till.close()
    engine.dispose()


class MariaDb:
    """A throw-away server in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.account = pwd.getpwnam("nobody") if os.geteuid() == 0 else None

    def start(self) -> str:
        if self.account:
            shutil.chown(self.folder, self.account.pw_uid, self.account.pw_gid)
        data = self.folder / "data"
        install = [
            "mariadb-install-db",
            "--no-defaults",
            f"--datadir={data}",
            "--skip-test-db",
            "--auth-root-authentication-method=normal",
        ]
        self._run(install)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        place = [
            f"--datadir={data}",
            f"--socket={self.folder / 'till.sock'}",
            f"--port={port}",
            f"--pid-file={self.folder / 'till.pid'}",
        ]
        small = [
            "--innodb-buffer-pool-size=16M",
            "--innodb-log-file-size=4M",
            "--skip-log-bin",
            "--bind-address=127.0.0.1",
        ]
        self.process = subprocess.Popen(
            ["mariadbd", "--no-defaults", *place, *small],
            user=self._user,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self._run(
            [
                "mariadb-admin",
                "--no-defaults",
                f"--socket={self.folder / 'till.sock'}",
                "-uroot",
                "--wait=30",
                "--connect-timeout=30",
                "ping",
            ]
        )
        sql = "CREATE DATABASE till CHARACTER SET utf8mb4; CREATE USER t@'%' IDENTIFIED BY 't'; GRANT ALL ON till.* TO t@'%'"
        self._run(["mariadb", "--no-defaults", f"--socket={self.folder / 'till.sock'}", "-uroot", "-e", sql])
        return f"mysql+pymysql://t:t@127.0.0.1:{port}/till"

    @property
    def _user(self) -> int | None:
        return self.account.pw_uid if self.account else None

    def _run(self, command: list[str]) -> None:
        done = subprocess.run(command, user=self._user, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{command[0]}: {done.stderr}{done.stdout}"

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(30)


@pytest.fixture(scope="module")
def mariadb() -> Iterator[str]:
    """A private MariaDB, where the server is installed."""
    if shutil.which("mariadbd") is None or shutil.which("mariadb-install-db") is None:
        pytest.skip("no MariaDB server is installed")
    folder = Path(tempfile.mkdtemp(prefix="hub-mariadb-"))
    server = MariaDb(folder)
    try:
        yield server.start()
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)


def test_nothing_can_be_written_into_mariadb_and_the_golden_tickets_come_out(mariadb: str, tmp_path: Path) -> None:
    jar(mariadb)
    assert tried(mariadb.replace("+pymysql", ""), tmp_path) == []
    engine = sa.create_engine(mariadb)
    till = Direct(
        tmp_path, DatabaseSource, url=mariadb.replace("mysql+pymysql", "mariadb"), mapping="ospos", page_tickets=9
    )
    lacks = ("line_kinds", "sets", "options", "originals")
    for read, at in ((1, FIRST_READ), (2, SECOND_READ)):
        fill(engine, OSPOS, ospos_rows(tickets(read)))
        till.read(at, "customers")
        orders = till.read(at)
        customers = till.records["customers"].values()
        assert "\n".join(differences(orders, tickets(read), customers=customers, lacks=lacks)) == ""
    assert [check for check in till.source.check() if not check.ok] == []
    till.close()
    engine.dispose()


# What is not at hand is compiled


def test_a_page_is_a_short_query_in_every_dialect() -> None:
    query = reading.page(
        "SELECT id, sold FROM t WHERE at > '10:30'", "sold", "id", 50, after=(5, 1), window=("sold", 3)
    )
    texts = {
        name: " ".join(str(query.compile(dialect=dialect, compile_kwargs={"literal_binds": True})).split())
        for name, dialect in (
            ("sqlite", sqlite.dialect()), ("postgresql", postgresql.dialect()), ("mysql", mysql.dialect()), ("mssql", mssql.dialect())
        )
    }  # fmt: skip
    inner = "(SELECT id, sold FROM t WHERE at > '10:30') q WHERE (sold > 5 OR sold = 5 AND id > 1) AND sold >= 3 ORDER BY sold, id"
    assert texts["mssql"] == f"SELECT TOP 50 * FROM {inner}"
    assert texts["mysql"] == texts["postgresql"] == f"SELECT * FROM {inner} LIMIT 50"
    assert texts["sqlite"] == f"SELECT * FROM {inner} LIMIT 50 OFFSET 0"


@pytest.mark.parametrize(
    ("given", "driver"),
    [
        ("mssql://reader:s3cret@10.0.0.5/hbposv7", "mssql+pymssql"), ("mysql://reader:s3cret@10.0.0.5/ospos", "mysql+pymysql"),
        ("mariadb://reader:s3cret@10.0.0.5/ospos", "mysql+pymysql"), ("postgresql://reader:s3cret@10.0.0.5/till", "postgresql+psycopg"),
        ("mssql+pyodbc://reader:s3cret@10.0.0.5/hbposv7", "mssql+pyodbc"),
    ],
)  # fmt: skip
def test_an_address_names_its_driver_and_its_password_stays_in(given: str, driver: str, tmp_path: Path) -> None:
    config = DatabaseConfig.model_validate({"url": given, "mapping": "siss"})
    assert address(config, tmp_path).drivername == driver
    assert "s3cret" not in repr(config)


def test_what_sessions_are_told() -> None:
    assert any("READ ONLY" in statement for statement in session_statements("postgresql", 60))
    assert any("READ ONLY" in statement for statement in session_statements("mysql", 60))
    assert "SET TRANSACTION ISOLATION LEVEL READ UNCOMMITTED" in session_statements("mssql", 60)
    assert "SET LOCK_TIMEOUT 60000" in session_statements("mssql", 60)


@pytest.mark.parametrize(
    ("sql", "dialect"),
    [
        ("DELETE FROM t", "sqlite"), ("SELECT 1; DROP TABLE t", "mysql"), ("SELECT * INTO x FROM t", "mssql"),
        ("WITH gone AS (DELETE FROM t RETURNING *) SELECT * FROM gone", "postgresql"), ("SELECT * FROM t FOR UPDATE", "postgresql"),
        ("SELECT pg_sleep(100)", "postgresql"), ("EXEC xp_cmdshell 'dir'", "mssql"), ("PRAGMA writable_schema = 1", "sqlite"),
        ("SELECT FROM WHERE", "sqlite"), ("", "mysql"), ("SELECT load_extension('x')", "sqlite"),
    ],
)  # fmt: skip
def test_sql_that_does_more_than_read_is_refused_before_it_is_sent(sql: str, dialect: str) -> None:
    assert complaint(sql, dialect)


@pytest.mark.parametrize("dialect", ["sqlite", "postgresql", "mysql", "mssql"])
def test_a_plain_query_passes(dialect: str) -> None:
    assert complaint("WITH a AS (SELECT 1 AS n) SELECT n FROM a UNION ALL SELECT 2", dialect) is None


def test_every_mistake_in_a_mapping_is_told_at_once(tmp_path: Path) -> None:
    (tmp_path / "till.db").touch()
    mapping = {
        "orders": {"tickets": "DELETE FROM t", "lines": "UPDATE t SET a = 1"},
        "products": {"query": "DROP TABLE p"},
    }
    with pytest.raises(ConfigError) as caught:
        Direct(tmp_path, DatabaseSource, url="sqlite:///till.db", mapping=mapping)
    assert [problem.key for problem in caught.value.problems] == ["orders.tickets", "orders.lines", "products.query"]
