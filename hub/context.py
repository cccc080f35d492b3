"""What every stage works with: settings, plugins, store, warehouse, folders and the clock."""

from __future__ import annotations

import datetime as dt
import random
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Any

from hub.config import Connection, Settings, find_config, load_settings
from hub.destination import Destination
from hub.errors import ConfigError, StoreError
from hub.http.ledger import Ledger, PostgresLedger, SqliteLedger
from hub.plugins import Plugins, contained, installed_plugins
from hub.progress import Progress, SilentProgress
from hub.runtime import Runtime, utc_now
from hub.scratch import private_folder, sweep_abandoned
from hub.source import Source
from hub.storage import Storage
from hub.store.models import FolderModels
from hub.store.store import Store
from hub.warehouse.engine import DuckDBEngine
from hub.warehouse.schema import prepare

__all__ = ["Hub", "open_hub"]


class Hub:
    """One opened hub. Use :func:`open_hub`.

    Attributes:
        settings: what ``hub.toml`` says.
        plugins: the installed plugins.
        store: cursors, runs, leases, deliveries.
        packages: where packages are put.
        snapshots: where snapshots are put.
        models: what scorers have learnt.
        progress: told how far a stage has come.
        now, sleep, random: time and chance.
        transport: for tests: an ``httpx.BaseTransport`` that plugins use instead of the network.
    """

    def __init__(
        self,
        settings: Settings,
        plugins: Plugins,
        *,
        now: Callable[[], dt.datetime] = utc_now,
        sleep: Callable[[float], None] = time.sleep,
        chance: random.Random | None = None,
        progress: Progress | None = None,
        transport: Any = None,
    ) -> None:
        self.settings = settings
        self.plugins = plugins
        self.now = now
        self.sleep = sleep
        self.random = chance or random.SystemRandom()
        self.progress = progress or SilentProgress()
        self.transport = transport
        self.scratch = settings.home / "scratch"
        try:
            self.scratch.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(
                f"The hub's home cannot be made: {error.strerror}.",
                hint="Check hub.home.",
                context={"folder": error.filename},
            ) from error
        self.store = Store.open(settings.store_url, settings.home, now=now, sleep=sleep)
        self.packages = Storage(settings.packages_root, self._aside(settings.packages_root))
        self.snapshots = Storage(settings.snapshots_root, self._aside(settings.snapshots_root))
        self.models = FolderModels(settings.home / "models")
        self._sweep_up()

    def _sweep_up(self) -> None:
        """Remove what killed processes left behind; what is in use is locked and stays."""
        sweep_abandoned(self.scratch)
        self.packages.sweep()
        self.snapshots.sweep()

    def _aside(self, root: str) -> Path:
        """Files are written on the disk they will stay on, so that putting them in place is one rename."""
        return self.scratch if "://" in root else Path(root) / ".writing"

    @contextmanager
    def warehouse(self) -> Iterator[DuckDBEngine]:
        """Open the warehouse for writing, alone among all processes.

        Raises:
            LeaseHeldError: another process is writing.
        """
        with self.store.leases.hold("warehouse"), private_folder(self.scratch) as scratch:
            engine = DuckDBEngine(self.settings.warehouse, scratch, self.settings.hub.memory_limit)
            try:
                prepare(engine)
                self.packages.register(engine.connection)
                yield engine
            finally:
                engine.close()

    @contextmanager
    def workbench(self) -> Iterator[DuckDBEngine]:
        """Open an empty database in memory that reads snapshots; any number of processes may."""
        with private_folder(self.scratch) as scratch:
            engine = DuckDBEngine(None, scratch, self.settings.hub.memory_limit)
            try:
                self.snapshots.register(engine.connection)
                yield engine
            finally:
                engine.close()

    @cached_property
    def budgets(self) -> Ledger:
        """Where the calls of all processes are counted: beside a SQLite store, or in the PostgreSQL one."""
        if self.store.database.is_sqlite:
            return SqliteLedger(self.settings.home / "budgets.db")
        from psycopg_pool import ConnectionPool

        conninfo = self.store.database.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
        return PostgresLedger(ConnectionPool(conninfo, min_size=0, max_size=4, open=True))

    def connection(self, name: str) -> Connection:
        """Return a configured connection.

        Raises:
            ConfigError: there is none of that name.
        """
        if name not in self.settings.connections:
            known = ", ".join(self.settings.connections) or "none"
            raise ConfigError(
                f"There is no connection {name!r}.", code="connection_unknown", hint=f"hub.toml has: {known}."
            )
        return self.settings.connections[name]

    @contextmanager
    def source(self, name: str) -> Iterator[Source]:
        """Open a connection's source.

        Raises:
            ConfigError, PluginError: there is none, or it fails while opening or closing.
        """
        connection = self.connection(name)
        kind = self.plugins.source(connection.plugin)
        with private_folder(self.scratch) as folder:
            with contained(f"Opening {name}", connection.secrets):
                source = kind(connection.config, self.runtime(name, folder))
            try:
                yield source
            finally:
                with contained(f"Closing {name}", connection.secrets):
                    source.close()

    @contextmanager
    def destination(self, name: str) -> Iterator[Destination]:
        """Open a connection's destination.

        Raises:
            ConfigError, PluginError: there is none, or it fails while opening or closing.
        """
        connection = self.connection(name)
        kind = self.plugins.destination(connection.plugin)
        with private_folder(self.scratch) as folder:
            with contained(f"Opening {name}", connection.secrets):
                destination = kind(connection.config, self.runtime(name, folder))
            try:
                yield destination
            finally:
                with contained(f"Closing {name}", connection.secrets):
                    destination.close()

    def runtime(self, name: str, scratch: Path) -> Runtime:
        """Return the services a connection's plugin gets."""
        return Runtime(
            connection=name,
            scratch=scratch,
            base=self.settings.base,
            timezone=self.settings.zone,
            day_cutoff=self.settings.hub.day_cutoff,
            currency=self.settings.hub.currency,
            now=self.now,
            sleep=self.sleep,
            random=self.random,
            tokens=self.store.tokens,
            budgets=self.budgets,
            transport=self.transport,
        )

    def close(self) -> None:
        """Close the store and the rate budgets' ledger."""
        if "budgets" in self.__dict__:
            self.budgets.close()
        self.store.close()

    def __enter__(self) -> Hub:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def open_hub(
    config: Path | str | None = None,
    *,
    plugins: Plugins | None = None,
    environ: Mapping[str, str] | None = None,
    **services: Any,
) -> Hub:
    """Open the hub that a ``hub.toml`` describes.

    Args:
        config: the file; the nearest one from here upwards when not given.
        plugins: plugins to use instead of the installed ones.
        environ: where ``${NAME}`` is looked up; the process's environment unless given.
        services: ``now``, ``sleep``, ``chance``, ``progress``, ``transport`` of :class:`Hub`.

    Raises:
        ConfigError: with every problem found.
    """
    path = Path(config).absolute() if config else find_config()
    installed = plugins or installed_plugins()
    return Hub(load_settings(path, environ=environ, plugins=installed), installed, **services)
