"""A simulated Weimob, a connector to it in the same virtual time, and hubs around both."""

from __future__ import annotations

import atexit
import datetime as dt
import json
import random
import shutil
import tempfile
import uuid
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import httpx
from toy import facts

from hub.context import Hub, open_hub
from hub.destination import Operation, OperationKind
from hub.hookspecs import hookimpl
from hub.http import MemoryTokenStore
from hub.plugins import Plugins, load_plugins
from hub.runtime import Runtime
from hub.scorer import Inputs, Scorer, Trait, TraitType
from hub.simulation.server import VirtualClock
from hub.simulation.world import World
from hub.source import Page, Stream
from hub.store.leases import Leases
from hub.titles import Title
from plugins import weimob
from plugins.weimob.api import Capability
from plugins.weimob.client import WeimobClient
from plugins.weimob.config import WeimobConfig
from plugins.weimob.destination import WeimobDestination
from plugins.weimob.inbox import Inbox
from plugins.weimob.reading.common import Merchant
from plugins.weimob.receiver import Receiver, inbox_of
from plugins.weimob.simulator import WeimobSimulator
from plugins.weimob.source import WeimobSource

SETTLE = 600.0
ADDRESS = "https://dopen.weimob.com"


@cache
def chain(people: int, days: int, profile: str = "fashion") -> World:
    """A small chain; shared by all tests, so never written to."""
    return World.generate(people, 11, days=days, profile=profile)


@cache
def _filled() -> Path:
    """A simulator's state filled from the small chain, once; every rig begins with a copy."""
    folder = tempfile.TemporaryDirectory(prefix="weimob-rig-")
    atexit.register(folder.cleanup)
    path = Path(folder.name) / "filled.db"
    with WeimobSimulator(small(), state=path, seed=5):
        pass
    return path


def small() -> World:
    """The chain of most tests: some customers, orders, refunds and coupons."""
    return chain(1500, 60)


class Rig:
    """One simulated merchant and what talks to it.

    Its time begins ten minutes after the world's end, so that everything in the world has settled.
    """

    def __init__(
        self, folder: Path, world: World | None = None, *, state: Path | None = None, hours: float = 0, **knobs: Any
    ) -> None:
        self.folder = folder
        self.world = world or small()
        self.clock = VirtualClock(self.world.end.timestamp() + SETTLE + hours * 3600)
        if world is None and state is None:
            state = folder / f"sim-{uuid.uuid4().hex}.db"
        if world is None and state is not None and not state.exists():
            shutil.copyfile(_filled(), state)
        self.sim = WeimobSimulator(self.world, state=state, seed=5, clock=self.clock, **knobs)
        self.sim.open()
        self.tokens = MemoryTokenStore()
        self._open: list[Any] = [self.sim]

    def __enter__(self) -> Rig:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        for each in reversed(self._open):
            each.close()

    def settings(self, **more: Any) -> dict[str, Any]:
        since = {"since": self.world.start.date().isoformat(), "window_hours": 720}
        base = {**self.sim.credentials, "base_url": ADDRESS, "calls_per_second": 1000, "orders": since}
        return {**base, **more}

    def config(self, **more: Any) -> WeimobConfig:
        return WeimobConfig.model_validate(self.settings(**more))

    def runtime(self, **more: Any) -> Runtime:
        services = {
            "connection": "wm", "scratch": self.folder, "base": self.folder, "now": self.clock.now, "sleep": self.clock.sleep,
            "random": random.Random(7), "tokens": self.tokens, "transport": self.sim.transport(),
        }  # fmt: skip
        return Runtime(**{**services, **more})

    def client(self, **settings: Any) -> WeimobClient:
        client = WeimobClient(self.config(**settings), self.runtime())
        self._open.append(client)
        return client

    def merchant(self, **settings: Any) -> Merchant:
        return Merchant(self.client(**settings), self.config(**settings), self.runtime())

    def source(self, **settings: Any) -> WeimobSource:
        source = WeimobSource(self.config(**settings), self.runtime())
        self._open.append(source)
        return source

    def destination(self, **settings: Any) -> WeimobDestination:
        destination = WeimobDestination(self.config(**settings), self.runtime())
        self._open.append(destination)
        return destination

    def inbox(self) -> Inbox:
        inbox = inbox_of(self.config(), self.runtime())
        self._open.append(inbox)
        return inbox

    def receiver(self) -> Receiver:
        return Receiver(self.config(), self.inbox(), self.clock.now)

    # ---- bare calls --------------------------------------------------------------------------------------------------

    def http(self) -> httpx.Client:
        """A bare client, for contract tests."""
        client = httpx.Client(base_url=ADDRESS, transport=self.sim.transport())
        self._open.append(client)
        return client

    def token_query(self, **more: Any) -> dict[str, str]:
        known = self.sim.credentials
        return {
            "client_id": known["client_id"], "client_secret": known["client_secret"], "grant_type": "client_credentials",
            "shop_id": known["bos_id"], "shop_type": "business_operation_system_id", **more,
        }  # fmt: skip

    def call(self, capability: Capability, body: Mapping[str, Any] | None = None) -> Any:
        """One call with a good token; the whole answer."""
        http = self.http()
        token = http.post("/fuwu/b/oauth2/token", params=self.token_query()).json()["access_token"]
        return http.post(capability.path, params={"accesstoken": token}, json=dict(body or {})).json()

    # ---- whole hubs --------------------------------------------------------------------------------------------------

    def hub(self, name: str = "home", extra: str = "", *, short_leases: bool = False, **settings: Any) -> Hub:
        """Open a hub with the one connection ``wm``, in the simulator's time."""
        path = self.folder / name / "hub.toml"
        path.parent.mkdir(parents=True, exist_ok=True)
        lines = [f"{key} = {_toml(value)}" for key, value in self.settings(**settings).items()]
        head = ["[hub]", 'timezone = "Asia/Shanghai"', "[connections.wm]", 'plugin = "weimob"', *lines]
        path.write_text("\n".join([*head, extra]), encoding="utf-8")
        services = {
            "now": self.clock.now, "sleep": self.clock.sleep, "chance": random.Random(3), "transport": self.sim.transport(),
        }  # fmt: skip
        hub = open_hub(path, plugins=weimob_plugins(), **services)
        # Virtual pauses take no real time, so that no heartbeat comes between them: leases must outlast them all.
        if not short_leases:
            hub.store.leases = Leases(hub.store.database, self.clock.now, dt.timedelta(days=30))
        self._open.append(hub)
        return hub


def _toml(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{key} = {_toml(item)}" for key, item in value.items()) + " }"
    return json.dumps(value, ensure_ascii=False)


class Buying(Scorer):
    """The one score these tests push: a fast one."""

    name = "buying"
    traits = (Trait("orders_life", TraitType.NUMBER, Title("订单数", "Orders"), unit="1"),)

    def score(self, inputs: Inputs) -> str:
        return "SELECT customer_id, count(*)::DOUBLE AS orders_life FROM orders WHERE kind <> 'refund' GROUP BY customer_id"


class _Scores:
    @hookimpl
    def register_scorers(self) -> list[type[Scorer]]:
        return [Buying]


@cache
def weimob_plugins() -> Plugins:
    """Plugins: this one, and a score."""
    plugins = load_plugins([])
    plugins.manager.register(weimob, name="weimob")
    plugins.manager.register(_Scores(), name="scores")
    return plugins


def read(
    source: WeimobSource, name: str, state: Mapping[str, Any] | None = None
) -> tuple[list[Any], dict[str, Any], list[Page]]:
    """Read a stream to its end: records, last cursor, pages."""
    stream: Stream = next(stream for stream in source.streams() if stream.name == name)
    pages = list(stream.read(dict(state or {})))
    cursors = [page.cursor for page in pages if page.cursor is not None]
    return [record for page in pages for record in page.records], dict(cursors[-1]) if cursors else {}, pages


def notes_of(pages: list[Page]) -> list[str]:
    return [note for page in pages for note in page.notes if note]


def operation(number: int, key: str, kind: OperationKind = OperationKind.CREATE, **values: Any) -> Operation:
    return Operation(f"op-{number:04d}", "batch-1", kind, key, values, f"c{number}")


def members(rig: Rig, count: int) -> list[str]:
    """Wids of active customers."""
    rows = rig.sim.db.rows("SELECT wid FROM customers WHERE status = 'active' ORDER BY wid LIMIT ?", count)
    return [str(row["wid"]) for row in rows]


def tables(hub: Hub) -> dict[str, list[tuple[Any, ...]]]:
    """The hub's fact tables."""
    return facts(hub)
