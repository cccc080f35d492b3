"""A private Airflow on loopback, for the demo and for tests: own folder, own ports, own metadata; nothing is left behind."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self
from urllib.parse import quote

import httpx
from tenacity import Retrying, retry_if_exception_type, stop_after_delay

from hub.airflow.private_postgres import PrivatePostgres
from hub.errors import StoreError

__all__ = ["PrivateAirflow"]

_PROCESSES = ("api-server", "scheduler", "dag-processor", "triggerer")
_HEALTHY = ("metadatabase", "scheduler", "dag_processor", "triggerer")
_FINAL = frozenset({"success", "failed"})
_ENDED = _FINAL | {"skipped", "upstream_failed", "removed"}
_PAGE = 100


class PrivateAirflow:
    """Runs Airflow's four processes. Use as a context manager.

    Args:
        folder: gets everything: logs, metadata, passwords.
        dags: the DAG folder.
        environ: set for all processes, over the caller's own environment without its ``AIRFLOW*``.
        postgres: keep metadata in a private PostgreSQL instead of SQLite.
        patience: seconds to wait for any one thing.
    """

    def __init__(
        self,
        folder: Path,
        dags: Path,
        environ: Mapping[str, str] | None = None,
        *,
        postgres: bool = False,
        patience: float = 180,
    ) -> None:
        self.folder = folder
        self.patience = patience
        self.postgres = PrivatePostgres() if postgres else None
        self.ports = _free_ports(3)
        self.address = f"http://127.0.0.1:{self.ports[0]}"
        self.password = secrets.token_urlsafe(16)
        self.environ = {**_clean_environment(), **self._settings(dags), **(environ or {})}
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._logs: list[IO[bytes]] = []
        self._client: httpx.Client | None = None

    def _settings(self, dags: Path) -> dict[str, str]:
        api, worker_logs, trigger_logs = self.ports
        home = self.folder / "home"
        return {
            "AIRFLOW_HOME": str(home),
            "AIRFLOW__CORE__DAGS_FOLDER": str(dags),
            "AIRFLOW__CORE__PLUGINS_FOLDER": str(home / "plugins"),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
            "AIRFLOW__CORE__PARALLELISM": "4",
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{self.address}/execution/",
            "AIRFLOW__CORE__FERNET_KEY": base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": "admin:admin",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(home / "passwords.json"),
            "AIRFLOW__API__HOST": "127.0.0.1",
            "AIRFLOW__API__PORT": str(api),
            "AIRFLOW__API__BASE_URL": self.address,
            "AIRFLOW__API__WORKERS": "1",
            "AIRFLOW__API_AUTH__JWT_SECRET": secrets.token_urlsafe(72),
            "AIRFLOW__API_AUTH__JWT_ISSUER": "hub-private",
            "AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT": str(worker_logs),
            "AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT": str(trigger_logs),
            # The defaults suit a big installation; these make a small machine answer at once.
            "AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL": "1",
            "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.2",
            "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "5",
            "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "5",
            "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
            "PYTHONWARNINGS": "ignore",
        }

    def __enter__(self) -> Self:
        home = self.folder / "home"
        (home / "plugins").mkdir(parents=True, exist_ok=True)
        (home / "passwords.json").write_text(json.dumps({"admin": self.password}))
        try:
            self._start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _start(self) -> None:
        if self.postgres is not None:
            url = self.postgres.start()
            self.environ |= {
                "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": url,
                "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_ASYNC": url.replace("+psycopg:", "+psycopg_async:"),
            }
        self.command("db", "migrate")
        for name in _PROCESSES:
            log = (self.folder / f"{name}.log").open("wb")
            self._logs.append(log)
            self._processes[name] = subprocess.Popen(  # noqa: S603 - this very Python
                [sys.executable, "-m", "airflow", name],
                env=self.environ,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                cwd=self.folder,
            )
        self.until("all parts of Airflow to be healthy", self._is_healthy)
        # Built on the first call, which the first task would have to wait for.
        httpx.get(f"{self.address}/execution/health", timeout=60)
        answer = httpx.post(
            f"{self.address}/auth/token", json={"username": "admin", "password": self.password}, timeout=30
        )
        answer.raise_for_status()
        token = answer.json()["access_token"]
        self._client = httpx.Client(
            base_url=f"{self.address}/api/v2", headers={"Authorization": f"Bearer {token}"}, timeout=60
        )

    def _is_healthy(self) -> bool:
        try:
            found = httpx.get(f"{self.address}/api/v2/monitor/health", timeout=5).json()
        except (httpx.HTTPError, ValueError):
            return False
        return all((found.get(part) or {}).get("status") == "healthy" for part in _HEALTHY)

    def command(self, *arguments: str) -> str:
        """Run an ``airflow`` command and return what it wrote.

        Raises:
            StoreError: it failed; with the end of what it wrote.
        """
        done = subprocess.run(  # noqa: S603 - this very Python
            [sys.executable, "-m", "airflow", *arguments],
            env=self.environ,
            capture_output=True,
            text=True,
            check=False,
            cwd=self.folder,
        )
        if done.returncode:
            raise StoreError(f"airflow {arguments[0]} failed: {(done.stdout + done.stderr)[-2000:]}")
        return done.stdout

    # REST.

    def get(self, path: str, **params: Any) -> Any:
        """Read from Airflow's REST API; a busy machine's answer may be late, so reading is tried again."""
        late = retry_if_exception_type(httpx.TimeoutException)
        return Retrying(retry=late, stop=stop_after_delay(self.patience), reraise=True)(
            self._ask, "GET", path, params=params
        )

    def post(self, path: str, body: object) -> Any:
        """Write to Airflow's REST API."""
        return self._ask("POST", path, json=body)

    def patch(self, path: str, body: object) -> Any:
        """Change by Airflow's REST API."""
        return self._ask("PATCH", path, json=body)

    def _ask(self, method: str, path: str, **more: Any) -> Any:
        if self._client is None:
            raise StoreError("The private Airflow is not running.")
        answer = self._client.request(method, path, **more)
        if answer.is_error:
            raise StoreError(f"{method} {path}: {answer.status_code} {answer.text[:500]}")
        return answer.json() if answer.content else None

    def page(self, path: str) -> str:
        """Read a page of Airflow's web server as the signed-in user."""
        if self._client is None:
            raise StoreError("The private Airflow is not running.")
        return self._client.get(f"{self.address}{path}").raise_for_status().text

    def every(self, path: str, key: str, **params: Any) -> Iterator[dict[str, Any]]:
        """Read all pages of a list."""
        offset = 0
        while True:
            page = self.get(path, limit=_PAGE, offset=offset, **params)
            yield from page[key]
            offset += len(page[key])
            if not page[key] or offset >= page["total_entries"]:
                return

    def make_pools(self, pools: Mapping[str, Mapping[str, object]]) -> None:
        """Make pools before anything waits for them."""
        for name, pool in pools.items():
            self.post("/pools", {"name": name, **pool})

    def wait_for_dags(self, names: Sequence[str]) -> None:
        """Wait until every DAG has been parsed.

        Raises:
            StoreError: a DAG file cannot be imported; with its traceback.
        """

        def all_there() -> bool:
            broken = self.get("/importErrors")["import_errors"]
            if broken:
                raise StoreError(f"{broken[0]['filename']}: {broken[0]['stack_trace']}")
            found = {dag["dag_id"] for dag in self.every("/dags", "dags", exclude_stale=True)}
            return set(names) <= found

        self.until(f"{len(names)} DAGs to be parsed", all_there)

    def unpause(self, dag: str) -> None:
        """Switch a DAG on; events that came before are lost."""
        self.patch(f"/dags/{dag}", {"is_paused": False})

    def trigger(self, dag: str, **conf: object) -> str:
        """Start a DAG by hand and return the run's id."""
        run = self.post(f"/dags/{dag}/dagRuns", {"logical_date": None, "conf": conf})
        return str(run["dag_run_id"])

    def runs(self, dag: str) -> list[dict[str, Any]]:
        """Return a DAG's runs, the newest first; with ``~`` those of all DAGs."""
        return list(self.every(f"/dags/{dag}/dagRuns", "dag_runs", order_by="-run_after"))

    def wait_for_run(self, dag: str, run: str) -> dict[str, Any]:
        """Wait until a run has ended and return it."""
        found: dict[str, Any] = {}

        def ended() -> bool:
            found.update(self.get(f"/dags/{dag}/dagRuns/{quote(run, safe='')}"))
            return found["state"] in _FINAL

        self.until(f"run {run} of {dag} to end", ended)
        return found

    def wait_until_idle(
        self, dags: Sequence[str], quiet: float = 4.0, show: Callable[[int], None] | None = None
    ) -> None:
        """Wait until no run of these DAGs is waiting or running, for a while.

        Args:
            dags: ids of the DAGs.
            quiet: seconds for which nothing may be waiting: an asset's event takes a moment to start its consumers.
            show: told how many tasks have ended.

        Raises:
            StoreError: nothing has changed for as long as the patience lasts; with what is unfinished.
        """
        since: list[float] = []

        def idle() -> bool:
            if any(run["dag_id"] in dags and run["state"] not in _FINAL for run in self.runs("~")):
                since.clear()
            elif not since:
                since.append(time.monotonic())
            return bool(since) and time.monotonic() - since[0] >= quiet

        def moved() -> object:
            tasks = [task for task in self.tasks("~", "~") if task["dag_id"] in dags]
            ended = sum(task["state"] in _ENDED for task in tasks)
            if show is not None:
                show(ended)
            return sorted((task["id"], task["try_number"], str(task["state"])) for task in tasks)

        self.until("all runs to end", idle, moved, lambda: ", ".join(self.unfinished(dags)))

    def unfinished(self, dags: Sequence[str]) -> list[str]:
        """Return each run that has not ended and what its tasks are at."""
        found = []
        for run in self.runs("~"):
            dag = run["dag_id"]
            if dag in dags and run["state"] not in _FINAL:
                tasks = {task["task_id"]: task["state"] for task in self.tasks(dag, run["dag_run_id"])}
                waiting = [f"{name} {state}" for name, state in tasks.items() if state not in _ENDED]
                found.append(f"{dag} {run['state']} ({', '.join(waiting) or 'no task waits'})")
        return found

    def tasks(self, dag: str, run: str) -> list[dict[str, Any]]:
        """Return a run's task instances, mapped ones each; with ``~`` those of all runs or DAGs."""
        return list(self.every(f"/dags/{dag}/dagRuns/{quote(run, safe='~')}/taskInstances", "task_instances"))

    def until(
        self,
        what: str,
        done: Callable[[], bool],
        moved: Callable[[], object] = lambda: None,
        where: Callable[[], str] = lambda: "",
    ) -> None:
        """Ask again and again.

        Args:
            what: what is waited for, in words.
            done: whether it has come true.
            moved: how far it is; patience begins anew whenever this changes.
            where: what it hangs on, for the error.

        Raises:
            StoreError: it does not come true, or a process of Airflow has ended.
        """
        deadline, place = time.monotonic() + self.patience, moved()
        while not done():
            for name, process in self._processes.items():
                if process.poll() is not None:
                    raise StoreError(f"airflow {name} ended by itself: {self.log_of(name)[-2000:]}")
            if (now := moved()) != place:
                deadline, place = time.monotonic() + self.patience, now
            if time.monotonic() > deadline:
                hangs = f" It hangs on {told}." if (told := where()) else ""
                raise StoreError(f"Waited {self.patience:g} s in vain for {what}.{hangs} Logs are in {self.folder}.")
            time.sleep(0.3)

    def log_of(self, name: str) -> str:
        """Return what one process wrote."""
        return (self.folder / f"{name}.log").read_text(errors="replace")

    def close(self) -> None:
        """End everything that was started, children included."""
        if self._client is not None:
            self._client.close()
            self._client = None
        for process in self._processes.values():
            with contextlib.suppress(ProcessLookupError):
                process.terminate()
        for process in self._processes.values():
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(timeout=15)
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        self._processes.clear()
        for log in self._logs:
            log.close()
        if self.postgres is not None:
            self.postgres.stop()


def _clean_environment() -> dict[str, str]:
    # Without bytecode every process would compile Airflow anew.
    unwanted = {"PYTHONDONTWRITEBYTECODE"}
    return {
        name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW") and name not in unwanted
    }


def _free_ports(count: int) -> list[int]:
    held = [socket.socket() for _ in range(count)]
    try:
        for one in held:
            one.bind(("127.0.0.1", 0))
        return [int(one.getsockname()[1]) for one in held]
    finally:
        for one in held:
            one.close()
