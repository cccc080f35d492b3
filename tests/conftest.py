"""What the tests share: virtual time, an isolated environment, and stores on SQLite and PostgreSQL."""

from __future__ import annotations

import datetime as dt
import gc
import os
import shutil
import tempfile
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import settings
from sqlalchemy import create_engine, make_url

from hub.airflow.private_postgres import PrivatePostgres
from hub.http.testing import VirtualClock
from hub.store.store import Store

# The same examples on every run, so that a change is judged by what it does; HUB_TEST_EFFORT above 1 looks for new ones.
settings.register_profile("steady", derandomize=True)
if os.environ.get("HUB_TEST_EFFORT", "1") == "1":
    settings.load_profile("steady")

# The stores, warehouses and packages of the tests are small and many, and each is synced to its disk again and again: in memory
# nobody waits for that. A machine (or container) with little room there uses its folder for temporary files as ever.
_MEMORY = Path("/dev/shm")
_ROOM = 4 * 2**30
if os.access(_MEMORY, os.W_OK | os.X_OK) and shutil.disk_usage(_MEMORY).free > _ROOM:
    tempfile.tempdir = os.environ.setdefault("TMPDIR", str(_MEMORY))

POSTGRES_URL = "HUB_TEST_POSTGRES_URL"


def pytest_collection_finish() -> None:
    """What was imported stays to the end: looking through it for garbage again and again took a fourteenth of all time."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test sees the settings of whoever runs it."""
    for name in list(os.environ):
        if name.startswith("HUB_") and name != POSTGRES_URL:
            monkeypatch.delenv(name)


@pytest.fixture
def one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    """Warehouses that this process opens work in one thread: rows are few, so that more threads only wait for each other."""
    whole = duckdb.connect

    def connect(*arguments: Any, **options: Any) -> duckdb.DuckDBPyConnection:
        connection = whole(*arguments, **options)
        connection.execute("SET threads = 1")
        return connection

    monkeypatch.setattr(duckdb, "connect", connect)


@pytest.fixture
def virtual_time() -> VirtualClock:
    """Time that stands still until a test moves it on."""
    return VirtualClock()


@pytest.fixture
def virtual_now(virtual_time: VirtualClock) -> Callable[[], dt.datetime]:
    """The virtual instant, as the hub asks for it."""
    return lambda: dt.datetime.fromtimestamp(virtual_time.time(), dt.UTC)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """URL of a PostgreSQL server: the one in HUB_TEST_POSTGRES_URL, or a private one started for these tests."""
    given = os.environ.get(POSTGRES_URL)
    if given:
        yield given
        return
    if PrivatePostgres.programs() is None:
        pytest.skip(f"no PostgreSQL: set {POSTGRES_URL} or install a server")
    server = PrivatePostgres()
    try:
        yield server.start()
    finally:
        server.stop()


@pytest.fixture
def postgres_url(postgres_server: str) -> Iterator[str]:
    """URL of an empty database of its own on the PostgreSQL server."""
    name = f"hub_{uuid.uuid4().hex}"
    admin = create_engine(postgres_server, isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name}")
    try:
        yield make_url(postgres_server).set(database=name).render_as_string(hide_password=False)
    finally:
        with admin.connect() as connection:
            connection.exec_driver_sql(f"DROP DATABASE {name} WITH (FORCE)")
        admin.dispose()


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """URL of an empty store, once on SQLite and once on PostgreSQL."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'store.db'}"
    return str(request.getfixturevalue("postgres_url"))


@pytest.fixture
def store(store_url: str, tmp_path: Path, virtual_now: Callable[[], dt.datetime]) -> Iterator[Store]:
    """A store in virtual time, once on SQLite and once on PostgreSQL."""
    with Store.open(store_url, tmp_path, now=virtual_now) as store:
        yield store
