"""A simulated Square account, a connector to it in the same virtual time, and hubs around both."""

from __future__ import annotations

import datetime as dt
import json
import random
from collections.abc import Mapping
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
from hub.source import Page
from hub.store.leases import Leases
from plugins.pos import square
from plugins.pos.square.client import SquareClient
from plugins.pos.square.config import SquareConfig
from plugins.pos.square.destination import SquareDestination
from plugins.pos.square.simulator import SquareSimulator
from plugins.pos.square.source import SquareSource

NOON = "2026-03-04T12:00:00+08:00"


@cache
def square_chain() -> World:
    """A small chain; shared by all tests, so never written to."""
    return World.generate(people=250, seed=11, days=45, profile="tea")


def cents(amount: float) -> dict[str, Any]:
    return {"amount": round(amount * 100), "currency": "CNY"}


def sold(name: str, price: float, quantity: str = "1", total: float | None = None, **more: Any) -> dict[str, Any]:
    """One line of an order."""
    worth = round(price * float(quantity), 2)
    net = worth if total is None else total
    return {
        "uid": f"L-{name}", "name": name, "quantity": quantity, "catalog_object_id": name, "item_type": "ITEM",
        "base_price_money": cents(price), "gross_sales_money": cents(worth), "total_discount_money": cents(worth - net),
        "total_tax_money": cents(0), "total_money": cents(net), **more,
    }  # fmt: skip


def order(uid: str, at: str, *lines: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    """An order with invented numbers, as Square shows it."""
    total = sum(line["total_money"]["amount"] for line in lines) / 100
    base = {
        "id": uid, "location_id": "LOC1", "state": "COMPLETED", "created_at": at, "updated_at": at, "closed_at": at, "version": 1,
        "line_items": list(lines), "total_money": cents(total), "total_tax_money": cents(0), "total_tip_money": cents(0),
        "total_service_charge_money": cents(0),
        "tenders": [{"id": f"T{uid}", "type": "CASH", "amount_money": cents(total), "created_at": at}],
    }  # fmt: skip
    return {**base, **more}


class _Empty(SquareSimulator):
    """Locations without a world behind them: tests put in their own orders."""

    view = ""

    def fill(self) -> None:
        for place in (1, 2):
            self.put(
                "location",
                {
                    "id": f"LOC{place}",
                    "name": f"样板店{place}",
                    "timezone": "Asia/Shanghai",
                    "created_at": f"2026-01-0{place}T00:00:00Z",
                },
            )


class SquareRig:
    """One simulated account and what talks to it."""

    def __init__(self, folder: Path, world: World | None = None, **knobs: Any) -> None:
        self.folder = folder
        self.world = world
        self.clock = VirtualClock(world.end.timestamp() + 600 if world else NOON)
        kind = SquareSimulator if world else _Empty
        self.sim = kind(world, seed=5, clock=self.clock, **knobs)
        self.sim.open()
        self._open: list[Any] = [self.sim]

    def close(self) -> None:
        for each in reversed(self._open):
            each.close()

    def settings(self, **more: Any) -> dict[str, Any]:
        since = self.world.start.date() if self.world else dt.date(2026, 2, 1)
        base = {"base_url": "https://connect.example.com", **self.sim.credentials, "since": since.isoformat()}
        return {**base, "calls_per_second": 1000, "settle_seconds": 0, **more}

    def config(self, **more: Any) -> SquareConfig:
        return SquareConfig.model_validate(self.settings(**more))

    def runtime(self, **more: Any) -> Runtime:
        services = {
            "connection": "square", "scratch": self.folder, "base": self.folder, "now": self.clock.now, "sleep": self.clock.sleep,
            "random": random.Random(7), "transport": self.sim.transport(), "day_cutoff": dt.time(4),
        }  # fmt: skip
        return Runtime(**{**services, **more})

    def client(self, **more: Any) -> SquareClient:
        return self._kept(SquareClient(self.config(**more), self.runtime()))

    def source(self, **more: Any) -> SquareSource:
        return self._kept(SquareSource(self.config(**more), self.runtime()))

    def destination(self, **more: Any) -> SquareDestination:
        return self._kept(SquareDestination(self.config(**more), self.runtime()))

    def http(self) -> httpx.Client:
        """A bare client with the right headers, for contract tests."""
        headers = {"Authorization": f"Bearer {self.sim.credentials['access_token']}", "Square-Version": "2025-08-20"}
        transport = self.sim.transport()
        return self._kept(httpx.Client(base_url="https://connect.example.com", transport=transport, headers=headers))

    def _kept(self, thing: Any) -> Any:
        self._open.append(thing)
        return thing

    def hub(self, name: str = "home", extra: str = "", **more: Any) -> Hub:
        """Open a hub with the one connection ``square``, in the simulator's time."""
        path = self.folder / name / "hub.toml"
        path.parent.mkdir(parents=True, exist_ok=True)
        head = [
            "[hub]",
            'timezone = "Asia/Shanghai"',
            'day_cutoff = "04:00"',
            "[connections.square]",
            'plugin = "pos.square"',
        ]
        lines = [f"{key} = {_toml(value)}" for key, value in self.settings(**more).items()]
        path.write_text("\n".join([*head, *lines, extra]), encoding="utf-8")
        services = {"now": self.clock.now, "sleep": self.clock.sleep, "chance": random.Random(3)}
        hub = open_hub(path, plugins=square_plugins(), transport=self.sim.transport(), **services)
        # Virtual pauses take no real time, so that no heartbeat comes between them: leases must outlast them all.
        hub.store.leases = Leases(hub.store.database, self.clock.now, dt.timedelta(days=30))
        return self._kept(hub)


def _toml(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{key} = {_toml(inner)}" for key, inner in value.items()) + " }"
    return json.dumps(value, ensure_ascii=False)


@cache
def square_plugins() -> Plugins:
    """This plugin alone."""
    plugins = load_plugins([])
    plugins.manager.register(square, name="pos.square")
    return plugins


def read(
    source: SquareSource, name: str, state: Mapping[str, Any] | None = None
) -> tuple[list[Any], dict[str, Any], list[Page]]:
    """Read a stream to its end: records, last cursor, pages."""
    stream = next(stream for stream in source.streams() if stream.name == name)
    pages = list(stream.read(dict(state or {})))
    cursors = [page.cursor for page in pages if page.cursor is not None]
    return [record for page in pages for record in page.records], dict(cursors[-1]) if cursors else {}, pages


def operation(number: int, key: str, kind: OperationKind = OperationKind.CREATE, **values: Any) -> Operation:
    return Operation(f"op-{number:04d}", "batch-1", kind, key, values, f"c{number}")
