"""A simulated Youzan, a connector to it in the same virtual time, and hubs around both."""

from __future__ import annotations

import atexit
import datetime as dt
import json
import random
import shutil
import tempfile
import uuid
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import httpx
from toy import facts

from hub.context import Hub, open_hub
from hub.destination import Operation, OperationKind
from hub.http import MemoryTokenStore
from hub.plugins import Plugins, load_plugins
from hub.runtime import Runtime
from hub.simulation.server import VirtualClock
from hub.simulation.world import World
from hub.source import Page, Stream
from hub.store.leases import Leases
from plugins import youzan
from plugins.youzan.client import YouzanClient
from plugins.youzan.config import YouzanConfig
from plugins.youzan.destination import YouzanDestination
from plugins.youzan.reading.common import Shop
from plugins.youzan.simulator import YouzanSimulator
from plugins.youzan.source import YouzanSource

SETTLE = 600.0


@cache
def chain(people: int, days: int) -> World:
    """A small chain; shared by all tests, so never written to."""
    return World.generate(people, 11, days=days, profile="tea")


@cache
def _filled(people: int, days: int) -> Path:
    """A simulator's state filled from the small chain, once; every rig begins with a copy."""
    folder = tempfile.TemporaryDirectory(prefix="youzan-rig-")
    atexit.register(folder.cleanup)
    path = Path(folder.name) / "filled.db"
    with YouzanSimulator(chain(people, days), state=path, seed=5):
        pass
    return path


class Rig:
    """One simulated shop and what talks to it.

    Its time begins ten minutes after the world's end, so that everything in the world has settled.
    """

    def __init__(self, folder: Path, world: World | None = None, **knobs: Any) -> None:
        self.folder = folder
        self.world = world or chain(1200, 60)
        self.clock = VirtualClock(self.world.end.timestamp() + SETTLE)
        state = None
        if world is None and not knobs.get("read_lag"):
            state = folder / f"sim-{uuid.uuid4().hex}.db"
            shutil.copyfile(_filled(1200, 60), state)
        self.sim = YouzanSimulator(self.world, state=state, seed=5, clock=self.clock, **knobs)
        self.sim.open()
        self.tokens = MemoryTokenStore()
        self._open: list[Any] = [self.sim]

    def close(self) -> None:
        for each in reversed(self._open):
            each.close()

    def config(self, **settings: Any) -> YouzanConfig:
        since = {"since": self.world.start.date().isoformat()}
        base = {
            **self.sim.credentials,
            "base_url": "https://open.youzanyun.com",
            "calls_per_second": 1000,
            "tag_calls_per_second": 1000,
        }
        given = {**base, "orders": since, "coupons": since, **settings}
        return YouzanConfig.model_validate(given)

    def runtime(self, **more: Any) -> Runtime:
        services = {
            "connection": "yz", "scratch": self.folder, "base": self.folder, "now": self.clock.now, "sleep": self.clock.sleep,
            "random": random.Random(7), "tokens": self.tokens, "transport": self.sim.transport(),
        }  # fmt: skip
        return Runtime(**{**services, **more})

    def client(self, *, runtime: Mapping[str, Any] | None = None, **settings: Any) -> YouzanClient:
        client = YouzanClient(self.config(**settings), self.runtime(**(runtime or {})))
        self._open.append(client)
        return client

    def shop(self, **settings: Any) -> Shop:
        return Shop(self.client(**settings), self.config(**settings), self.runtime())

    def source(self, *, runtime: Mapping[str, Any] | None = None, **settings: Any) -> YouzanSource:
        source = YouzanSource(self.config(**settings), self.runtime(**(runtime or {})))
        self._open.append(source)
        return source

    def destination(self, **settings: Any) -> YouzanDestination:
        destination = YouzanDestination(self.config(**settings), self.runtime())
        self._open.append(destination)
        return destination

    def http(self) -> httpx.Client:
        """A bare client, for contract tests."""
        client = httpx.Client(base_url="https://open.youzanyun.com", transport=self.sim.transport())
        self._open.append(client)
        return client

    def token(self, http: httpx.Client, **more: Any) -> str:
        known = self.sim.credentials
        asked = {
            "client_id": known["client_id"], "client_secret": known["client_secret"], "authorize_type": "silent", "grant_id": known["kdt_id"],
        }  # fmt: skip
        return str(http.post("/auth/token", json={**asked, **more}).json()["data"]["access_token"])

    def call(self, http: httpx.Client, name: str, version: str, body: Mapping[str, Any] | None = None) -> Any:
        """One call with a good token; the whole answer."""
        path = f"/api/youzan.{name}/{version}"
        return http.post(path, params={"access_token": self.token(http)}, json=body or {}).json()

    # ---- whole hubs ------------------------------------------------------------------------------------------------

    def write_toml(self, name: str = "home", extra: str = "", **settings: Any) -> Path:
        path = self.folder / name / "hub.toml"
        path.parent.mkdir(parents=True, exist_ok=True)
        since = self.world.start.date().isoformat()
        keys = {
            **self.sim.credentials,
            "base_url": "https://open.youzanyun.com",
            "calls_per_second": 1000,
            "tag_calls_per_second": 1000,
            **settings,
        }
        lines = [f"{key} = {json.dumps(value, ensure_ascii=False)}" for key, value in keys.items()]
        head = ["[hub]", 'timezone = "Asia/Shanghai"', "[connections.yz]", 'plugin = "youzan"', *lines]
        tables = ["[connections.yz.orders]", f"since = {since}", "[connections.yz.coupons]", f"since = {since}"]
        path.write_text("\n".join([*head, *tables, extra]))
        return path

    def hub(self, name: str = "home", extra: str = "", *, now: Any = None, **settings: Any) -> Hub:
        """Open a hub with the one connection ``yz``, in the simulator's time."""
        path = self.write_toml(name, extra, **settings)
        services = {
            "now": now or self.clock.now,
            "sleep": self.clock.sleep,
            "chance": random.Random(3),
            "transport": self.sim.transport(),
        }
        hub = open_hub(path, plugins=youzan_plugins(), **services)
        # Virtual pauses take no real time, so that no heartbeat comes between them: leases must outlast them all.
        hub.store.leases = Leases(hub.store.database, services["now"], dt.timedelta(days=30))
        self._open.append(hub)
        return hub


@cache
def youzan_plugins() -> Plugins:
    """Plugins: this one, and the retail scores."""
    from plugins import retail

    plugins = load_plugins([])
    plugins.manager.register(youzan, name="youzan")
    plugins.manager.register(retail, name="retail")
    return plugins


def read(
    source: YouzanSource, name: str, state: Mapping[str, Any] | None = None
) -> tuple[list[Any], dict[str, Any], list[Page]]:
    """Read a stream to its end: records, last cursor, pages."""
    stream: Stream = next(stream for stream in source.streams() if stream.name == name)
    pages = list(stream.read(dict(state or {})))
    cursors = [page.cursor for page in pages if page.cursor is not None]
    return [record for page in pages for record in page.records], dict(cursors[-1]) if cursors else {}, pages


def operation(number: int, key: str, kind: OperationKind = OperationKind.CREATE, **values: Any) -> Operation:
    return Operation(f"op-{number:04d}", "batch-1", kind, key, values, f"c{number}")


def members(rig: Rig, count: int) -> list[str]:
    """Ids of active customers."""
    rows = rig.sim.db.rows("SELECT open_id FROM customers WHERE status = 'active' ORDER BY open_id LIMIT ?", count)
    return [str(row["open_id"]) for row in rows]


def tables(hub: Hub) -> dict[str, list[tuple[Any, ...]]]:
    """The hub's fact tables."""
    return facts(hub)


def instants(start: dt.datetime, *minutes: float) -> Iterator[dt.datetime]:
    """Moments after a start."""
    for each in minutes:
        yield start + dt.timedelta(minutes=each)
