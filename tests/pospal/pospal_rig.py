"""A simulated Pospal, a connector to it in the same virtual time, and hubs around both."""

from __future__ import annotations

import datetime as dt
import json
import random
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import httpx

from hub.context import Hub, open_hub
from hub.destination import Operation, OperationKind
from hub.plugins import Plugins, load_plugins
from hub.runtime import Runtime
from hub.simulation.server import VirtualClock
from hub.simulation.world import World
from hub.source import Page, Stream
from hub.store.leases import Leases
from plugins.pos import pospal
from plugins.pos.pospal.client import PospalClient
from plugins.pos.pospal.config import PospalConfig
from plugins.pos.pospal.destination import PospalDestination
from plugins.pos.pospal.inbox import MessageBox, inbox_of
from plugins.pos.pospal.simulator import PospalSimulator
from plugins.pos.pospal.source import PospalSource

NOON = "2026-03-04T12:00:00+08:00"
CUTOFF = dt.time(4)


@cache
def chain() -> World:
    """A small chain; shared by all tests, so never written to."""
    return World.generate(people=250, seed=11, days=45, profile="tea")


def ticket(uid: int, at: str, *items: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    """A ticket with invented numbers, as the platform writes it."""
    total = round(sum(item["totalAmount"] for item in items), 2)
    base = {
        "uid": uid, "sn": f"{uid}", "datetime": at, "ticketType": "SELL", "invalid": 0, "totalAmount": total, "discount": 100,
        "rounding": 0.0, "customerUid": 0, "cashierUid": 832101480292933201, "remark": "", "externalOrderNo": "",
        "payments": [{"code": "payCode_1", "amount": more.get("totalAmount", total)}], "items": list(items),
    }  # fmt: skip
    return {**base, **more}


def item(name: str, price: float, quantity: float = 1, total: float | None = None, **more: Any) -> dict[str, Any]:
    """One line of a ticket."""
    worth = round(price * quantity, 2) if total is None else total
    return {
        "name": name, "sellPrice": price, "quantity": quantity, "discount": 100, "totalAmount": worth,
        "productUid": 379659791803681560, "productBarcode": name, "isWeighing": 0, **more,
    }  # fmt: skip


def member(uid: int, number: str, name: str, phone: str, **more: Any) -> dict[str, Any]:
    """A member with an invented name, as the platform writes it."""
    base = {
        "customerUid": uid, "number": number, "name": name, "phone": phone, "createdDate": "2026-01-05 10:00:00",
        "password": "0f1e2d3c4b5a69788796a5b4c3d2e1f0", "weixinOpenIds": [], "extInfo": {},
    }  # fmt: skip
    return {**base, **more}


class Rig:
    """One simulated chain and what talks to it."""

    def __init__(self, folder: Path, world: World | None = None, **knobs: Any) -> None:
        self.folder = folder
        self.world = world
        self.clock = VirtualClock(world.end.timestamp() + 600 if world else NOON)
        if world is None:
            knobs = {"shops": ("S01",), "alone": 1, **knobs}
            self.sim = _Empty(None, seed=5, clock=self.clock, **knobs)
        else:
            self.sim = PospalSimulator(world, seed=5, clock=self.clock, **knobs)
        self.sim.open()
        self._open: list[Any] = [self.sim]

    def close(self) -> None:
        for each in reversed(self._open):
            each.close()

    def settings(self, **more: Any) -> dict[str, Any]:
        since = self.world.start.date() if self.world else dt.date(2026, 3, 1)
        tickets = {"since": since.isoformat(), **more.pop("tickets", {})}
        shops = self.sim.shop_settings("https://example.com")
        return {"shops": shops, "calls_per_second": 1000, "calls_per_day": 1_000_000, "tickets": tickets, **more}

    def config(self, **more: Any) -> PospalConfig:
        return PospalConfig.model_validate(self.settings(**more))

    def runtime(self, **more: Any) -> Runtime:
        services = {
            "connection": "pospal", "scratch": self.folder, "base": self.folder, "now": self.clock.now, "sleep": self.clock.sleep,
            "random": random.Random(7), "transport": self.sim.transport(), "day_cutoff": CUTOFF,
        }  # fmt: skip
        return Runtime(**{**services, **more})

    def client(self, shop: str | None = None, **more: Any) -> PospalClient:
        config = self.config(**more)
        chosen = next(each for each in config.shops if shop in (None, each.id))
        return self._kept(PospalClient(config, self.runtime(), chosen))

    def source(self, **more: Any) -> PospalSource:
        return self._kept(PospalSource(self.config(**more), self.runtime()))

    def destination(self, **more: Any) -> PospalDestination:
        return self._kept(PospalDestination(self.config(**more), self.runtime()))

    def inbox(self, **more: Any) -> MessageBox:
        found = inbox_of(self.config(**more), self.folder)
        assert found is not None
        return found

    def http(self) -> httpx.Client:
        """A bare client, for contract tests."""
        return self._kept(httpx.Client(base_url="https://example.com", transport=self.sim.transport()))

    def _kept(self, thing: Any) -> Any:
        self._open.append(thing)
        return thing

    def hub(self, name: str = "home", extra: str = "", **more: Any) -> Hub:
        """Open a hub with the one connection ``pospal``, in the simulator's time."""
        path = self.folder / name / "hub.toml"
        path.parent.mkdir(parents=True, exist_ok=True)
        head = [
            "[hub]",
            'timezone = "Asia/Shanghai"',
            'day_cutoff = "04:00"',
            "[connections.pospal]",
            'plugin = "pos.pospal"',
        ]
        lines = [f"{key} = {_toml(value)}" for key, value in self.settings(**more).items()]
        path.write_text("\n".join([*head, *lines, extra]), encoding="utf-8")
        services = {"now": self.clock.now, "sleep": self.clock.sleep, "chance": random.Random(3)}
        hub = open_hub(path, plugins=pospal_plugins(), transport=self.sim.transport(), **services)
        # Virtual pauses take no real time, so that no heartbeat comes between them: leases must outlast them all.
        hub.store.leases = Leases(hub.store.database, self.clock.now, dt.timedelta(days=30))
        return self._kept(hub)


class _Empty(PospalSimulator):
    """Shops without a world behind them: tests ring up their own tickets."""

    view = ""

    def fill(self) -> None:
        self.db.load("INSERT INTO levels VALUES (?, ?)", [("普通会员", 1), ("金卡会员", 2)])
        self.db.execute("INSERT INTO coupon_rules VALUES ('1604560747439474724', '满30减6', 14)")


def _toml(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{key} = {_toml(inner)}" for key, inner in value.items()) + " }"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_toml(each) for each in value) + "]"
    return json.dumps(value, ensure_ascii=False)


@cache
def pospal_plugins() -> Plugins:
    """This plugin alone: scores would cost more than what is tested here."""
    plugins = load_plugins([])
    plugins.manager.register(pospal, name="pos.pospal")
    return plugins


def read(
    source: PospalSource, name: str, part: str | None = None, state: Mapping[str, Any] | None = None
) -> tuple[list[Any], dict[str, Any], list[Page]]:
    """Read a stream (or one part) to its end: records, last cursor, pages."""
    stream: Stream = next(stream for stream in source.streams() if stream.name == name)
    pages = list(_pages(stream, part, dict(state or {})))
    cursors = [page.cursor for page in pages if page.cursor is not None]
    last = dict(cursors[-1]) if cursors else dict(state or {})
    return [record for page in pages for record in page.records], last, pages


def _pages(stream: Stream, part: str | None, state: dict[str, Any]) -> Iterator[Page]:
    if stream.partitions is None:
        return stream.read(state)
    return stream.read(state, part or stream.partitions()[0])


def operation(number: int, key: str, kind: OperationKind = OperationKind.CREATE, **values: Any) -> Operation:
    return Operation(f"op-{number:04d}", "batch-1", kind, key, values, f"c{number}")
