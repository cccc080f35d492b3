"""A throw-away PostgreSQL server on loopback, where a server is installed: for Airflow's metadata in the demo, and for tests."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import IO

from hub.errors import StoreError

__all__ = ["PrivatePostgres"]

_PROGRAMS = ("initdb", "postgres", "pg_isready")


class PrivatePostgres:
    """One server in a folder of its own, without passwords, reachable from this machine only.

    PostgreSQL refuses to run as root, so root runs it as somebody else; its folder is one that both can reach, and goes
    with the server.
    """

    user = "hub"

    def __init__(self) -> None:
        self.folder = Path()
        self.port = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._log: IO[bytes] | None = None
        self._account = pwd.getpwnam("nobody") if os.geteuid() == 0 else None

    @staticmethod
    def programs() -> Path | None:
        """Return the folder of the server's programs; None when it is not installed."""
        on_path = shutil.which("postgres")
        places = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
        found = [*([Path(on_path).resolve().parent] if on_path else []), *places]
        return next((place for place in found if all((place / name).exists() for name in _PROGRAMS)), None)

    def start(self) -> str:
        """Start the server and return its SQLAlchemy URL, of the database ``postgres``.

        Raises:
            StoreError: no server is installed, or it does not start.
        """
        programs = self.programs()
        if programs is None:
            raise StoreError("No PostgreSQL server is installed.", hint="Install one, or use SQLite.")
        self._make_folder()
        self._log = (self.folder / "log").open("wb")
        data = self.folder / "data"
        made = [
            programs / "initdb",
            "-D",
            data,
            "-U",
            self.user,
            "-A",
            "trust",
            "--no-sync",
            "-E",
            "UTF8",
            "--no-locale",
        ]
        subprocess.run(self._as_account(made), check=True, capture_output=True, cwd=self.folder)  # noqa: S603
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        options = ["-p", self.port, "-k", self.folder, "-h", "127.0.0.1", "-F", "-c", "max_connections=200"]
        self._process = subprocess.Popen(  # noqa: S603
            self._as_account([programs / "postgres", "-D", data, *options]),
            stdout=self._log,
            stderr=self._log,
            cwd=self.folder,
        )
        self._wait(programs)
        return f"postgresql+psycopg://{self.user}@127.0.0.1:{self.port}/postgres"

    def _make_folder(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="hub-postgres-"))
        if self._account is not None:
            os.chown(self.folder, self._account.pw_uid, self._account.pw_gid)

    def _wait(self, programs: Path) -> None:
        ready = [str(programs / "pg_isready"), "-h", "127.0.0.1", "-p", str(self.port), "-t", "1"]
        while subprocess.run(ready, capture_output=True, check=False).returncode:  # noqa: S603
            if self._process is None or self._process.poll() is not None:
                raise StoreError(f"PostgreSQL does not start: {(self.folder / 'log').read_text()[-2000:]}")

    def _as_account(self, command: Sequence[object]) -> list[str]:
        words = [str(word) for word in command]
        if self._account is None:
            return words
        ids = [f"--reuid={self._account.pw_uid}", f"--regid={self._account.pw_gid}", "--clear-groups"]
        return ["setpriv", *ids, *words]

    def stop(self) -> None:
        """Stop the server; more than once does no harm."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(signal.SIGINT)
            self._process.wait(30)
            self._process = None
        if self._log is not None:
            self._log.close()
            self._log = None
            shutil.rmtree(self.folder, ignore_errors=True)
