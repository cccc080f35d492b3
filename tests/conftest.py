"""What the tests share: virtual time, an isolated environment, and stores on SQLite and PostgreSQL."""

from __future__ import annotations

import datetime as dt
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine, make_url

from hub.http.testing import VirtualClock
from hub.store.store import Store

POSTGRES_URL = "HUB_TEST_POSTGRES_URL"
_PROGRAMS = ("initdb", "postgres", "pg_isready")


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test sees the settings of whoever runs it."""
    for name in list(os.environ):
        if name.startswith("HUB_") and name != POSTGRES_URL:
            monkeypatch.delenv(name)


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
    binaries = _postgres_binaries()
    if binaries is None:
        pytest.skip(f"no PostgreSQL: set {POSTGRES_URL} or install a server")
    folder = Path(tempfile.mkdtemp(prefix="hub-postgres-"))
    server = _PrivateServer(binaries, folder)
    try:
        yield server.start()
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)


def _postgres_binaries() -> Path | None:
    on_path = shutil.which("postgres")
    places = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    found = [*([Path(on_path).resolve().parent] if on_path else []), *places]
    return next((place for place in found if all((place / name).exists() for name in _PROGRAMS)), None)


class _PrivateServer:
    """A throw-away server in a folder of its own; PostgreSQL refuses to run as root, so root runs it as somebody else."""

    def __init__(self, binaries: Path, folder: Path) -> None:
        self.binaries = binaries
        self.folder = folder
        self.process: subprocess.Popen[bytes] | None = None
        self.account = pwd.getpwnam("nobody") if os.geteuid() == 0 else None
        if self.account:
            os.chown(folder, self.account.pw_uid, self.account.pw_gid)

    def start(self) -> str:
        data = self.folder / "data"
        initdb = [
            self.binaries / "initdb",
            "-D",
            data,
            "-U",
            "hub",
            "-A",
            "trust",
            "--no-sync",
            "-E",
            "UTF8",
            "--no-locale",
        ]
        subprocess.run(self._as_account(initdb), check=True, capture_output=True, cwd=self.folder)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        options = ["-p", str(port), "-k", str(self.folder), "-h", "127.0.0.1", "-F", "-c", "max_connections=200"]
        with (self.folder / "log").open("wb") as log:
            command = self._as_account([self.binaries / "postgres", "-D", data, *options])
            self.process = subprocess.Popen(command, stdout=log, stderr=log, cwd=self.folder)
        ready = [self.binaries / "pg_isready", "-h", "127.0.0.1", "-p", str(port), "-t", "1"]
        while subprocess.run(ready, capture_output=True).returncode != 0:
            if self.process.poll() is not None:
                raise RuntimeError((self.folder / "log").read_text())
        return f"postgresql+psycopg://hub@127.0.0.1:{port}/postgres"

    def _as_account(self, command: list[object]) -> list[str]:
        words = [str(word) for word in command]
        if self.account is None:
            return words
        return ["setpriv", f"--reuid={self.account.pw_uid}", f"--regid={self.account.pw_gid}", "--clear-groups", *words]

    def stop(self) -> None:
        if self.process is not None:
            self.process.send_signal(signal.SIGINT)
            self.process.wait(30)


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
