"""An official account and its mini-program in memory, a hub and connectors around them, in virtual time."""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa

from hub.context import Hub, open_hub
from hub.destination import Operation, OperationKind, Outcome, OutcomeStatus
from hub.plugins import load_plugins
from hub.runtime import Runtime
from hub.simulation.server import VirtualClock
from plugins import retail, wechat
from plugins.wechat.config import WechatConfig
from plugins.wechat.destination import WechatDestination
from plugins.wechat.simulator import WechatSimulator
from plugins.wechat.simulator.messages import ARRIVAL
from plugins.wechat.source import WechatSource

START = "2026-03-02T09:00:00+08:00"
MORNING = dt.datetime.fromisoformat(START)
LONG_AGO = MORNING - dt.timedelta(days=20)
NOTICE = {"thing1": "桂花乌龙", "time2": "15:01"}
_SCENES = ("ADD_SCENE_QR_CODE", "ADD_SCENE_SEARCH", "ADD_SCENE_PAID")
_BROWSING = {"event_id": pa.string(), "member_id": pa.string(), "session_id": pa.string(), "kind": pa.string(),
             "product_id": pa.string(), "seconds": pa.int64(), "at": pa.timestamp("ms", tz="Asia/Shanghai")}  # fmt: skip


def openid(number: int) -> str:
    """Follower of the official account."""
    return f"oF{number:026d}"


def user(number: int) -> str:
    """The same person in the mini-program."""
    return f"oM{number:026d}"


def unionid(number: int) -> str:
    return f"oU{number:026d}"


def phone(number: int) -> str:
    return f"154{number:08d}"


@dataclass
class TinyChain:
    """As much of a simulated chain as a test needs."""

    followers: int = 5
    users: int = 3
    days_of_visits: int = 3
    end: dt.datetime = MORNING
    platform: str = ""
    gone: frozenset[int] = field(default_factory=frozenset)

    @property
    def moment(self) -> dt.datetime:
        return self.end

    @property
    def now(self) -> TinyChain:
        return self

    def view(self, platform: str) -> TinyChain:
        return TinyChain(self.followers, self.users, self.days_of_visits, self.end, platform, self.gone)

    def table(self, name: str) -> pa.Table:
        if name == "browsing":
            return pa.Table.from_pylist(list(self._browsing()), pa.schema(list(_BROWSING.items())))
        rows = self._followers() if self.platform == "wechat" else self._members()
        return pa.Table.from_pylist(list(rows)) if rows else pa.table({})

    def _followers(self) -> list[dict[str, Any]]:
        return [
            {
                "member_id": openid(n), "unionid": unionid(n) if n % 4 else None, "scene": _SCENES[n % 3],
                "shop_id": "S001" if n % 3 == 0 else None, "followed_at": LONG_AGO + dt.timedelta(minutes=n),
                "unfollowed_at": MORNING - dt.timedelta(days=2) if n in self.gone else None, "updated_at": LONG_AGO,
            }
            for n in range(1, self.followers + 1)
        ]  # fmt: skip

    def _members(self) -> list[dict[str, Any]]:
        return [
            {"member_id": user(n), "unionid": unionid(n), "phone": phone(n), "updated_at": LONG_AGO}
            for n in range(1, self.users + 1)
        ]

    def _browsing(self) -> Iterator[dict[str, Any]]:
        for day in range(1, self.days_of_visits + 1):
            for n in range(1, self.users + 1):
                for place, (kind, product) in enumerate((("visit", None), ("view", "T101"), ("share", None))[: n + 1]):
                    yield {
                        "event_id": f"ev{day}{n}{place}", "member_id": user(n), "session_id": f"se{day}{n}", "kind": kind,
                        "product_id": product, "seconds": 10, "at": MORNING - dt.timedelta(days=day, minutes=5 - place),
                    }  # fmt: skip


@dataclass
class Rig:
    """The simulated accounts and one folder."""

    folder: Path
    sim: WechatSimulator
    clock: VirtualClock

    def settings(self, kind: str = "official_account", **more: Any) -> dict[str, Any]:
        own = self.sim.credentials
        is_official = kind == "official_account"
        appid, secret = (
            (own["appid"], own["secret"]) if is_official else (self.sim.miniprogram, own["miniprogram_secret"])
        )
        return {"kind": kind, "appid": appid, "secret": secret, "base_url": self.sim.base_url, **more}

    def config(self, kind: str = "official_account", **more: Any) -> WechatConfig:
        return WechatConfig.model_validate(self.settings(kind, **more))

    def runtime(self, connection: str = "wechat", **more: Any) -> Runtime:
        scratch = self.folder / "scratch"
        scratch.mkdir(parents=True, exist_ok=True)
        services = {"sleep": self.clock.sleep, "transport": self.sim.transport(), **more}
        return Runtime(
            connection=connection, scratch=scratch, base=self.folder, now=self.now, random=random.Random(7), **services
        )

    def now(self) -> dt.datetime:
        return dt.datetime.fromtimestamp(self.clock.time(), dt.UTC)

    @contextmanager
    def source(self, kind: str = "official_account", *, services: Any = None, **more: Any) -> Iterator[WechatSource]:
        source = WechatSource(self.config(kind, **more), self.runtime(_name(kind), **(services or {})))
        try:
            yield source
        finally:
            source.close()

    def records(self, stream: str, kind: str = "official_account", **more: Any) -> list[Any]:
        with self.source(kind, **more) as source:
            found = next(each for each in source.streams() if each.name == stream)
            return [record for page in found.read({}) for record in page.records]

    @contextmanager
    def destination(
        self, kind: str = "official_account", *, services: Any = None, **more: Any
    ) -> Iterator[WechatDestination]:
        destination = WechatDestination(self.config(kind, **more), self.runtime(_name(kind), **(services or {})))
        try:
            yield destination
        finally:
            destination.close()

    def write(
        self, target: str, operations: Sequence[Operation], kind: str = "official_account", **more: Any
    ) -> list[Outcome]:
        with self.destination(kind, **more) as destination:
            found = next(each for each in destination.targets() if each.name == target)
            outcomes = {each.operation_id: each for each in destination.write(found, operations)}
        return [outcomes[operation.id] for operation in operations]

    @contextmanager
    def hub(
        self,
        toml: str = "",
        *,
        official: str = "",
        miniprogram: str = "",
        days: int = 4,
        scores: bool = False,
        **more: Any,
    ) -> Iterator[Hub]:
        own = self.sim.credentials
        text = f"""
[hub]
[connections.wechat]
plugin = "wechat"
base_url = "{self.sim.base_url}"
appid = "{own["appid"]}"
secret = "{own["secret"]}"
metrics_days = {days}
{official}
[connections.miniprogram]
plugin = "wechat"
kind = "miniprogram"
base_url = "{self.sim.base_url}"
appid = "{own["miniprogram_appid"]}"
secret = "{own["miniprogram_secret"]}"
metrics_days = {days}
{miniprogram}
{toml}
"""
        (self.folder / "hub.toml").write_text(text, encoding="utf-8")
        plugins = load_plugins([])
        plugins.manager.register(wechat, name="wechat")
        if scores:
            plugins.manager.register(retail, name="retail")
        services = {"now": self.now, "sleep": self.clock.sleep, "transport": self.sim.transport(), **more}
        with open_hub(self.folder / "hub.toml", plugins=plugins, **services) as hub:
            # Leases are prolonged in real time, which virtual time outruns.
            hub.store.leases._lifetime = dt.timedelta(days=1)
            yield hub

    def calls(self, endpoint: str) -> int:
        return self.sim.journal.calls(endpoint)

    def tags(self) -> dict[str, list[str]]:
        """Names of every follower's tags, by openid."""
        found: dict[str, list[str]] = {}
        sql = "SELECT m.openid, t.name FROM tagged AS m JOIN tags AS t ON t.id = m.tag ORDER BY 1, 2"
        for row in self.sim.db.rows(sql):
            found.setdefault(row["openid"], []).append(row["name"])
        return found

    def sent(self) -> list[str]:
        """Who got a subscription message, in order."""
        return [row["openid"] for row in self.sim.db.rows("SELECT openid FROM messages ORDER BY number")]


def _name(kind: str) -> str:
    return "wechat" if kind == "official_account" else "miniprogram"


@contextmanager
def rig(folder: Path, world: Any = None, *, hours: float = 0, **knobs: Any) -> Iterator[Rig]:
    clock = VirtualClock(MORNING.timestamp() + hours * 3600)
    with WechatSimulator(world or TinyChain(), seed=5, clock=clock, **knobs) as sim:
        # The chain's own choice of tags and consents by hand is for demos; a test says what it needs.
        if sim.db.fact("test") is None:
            for table in ("tagged", "tags", "consents"):
                sim.db.execute(f"DELETE FROM {table}")
            sim.db.remember("test", 1)
        yield Rig(folder, sim, clock)


def operation(key: str, *, kind: OperationKind = OperationKind.UPDATE, name: str = "", **values: Any) -> Operation:
    return Operation(name or f"op-{key}", "batch-1", kind, key, values, f"c-{key}")


def message(number: int, **values: Any) -> Operation:
    return operation(user(number), **{"template_id": ARRIVAL, **NOTICE, **values})


def statuses(outcomes: Sequence[Outcome]) -> list[tuple[OutcomeStatus, str]]:
    return [(outcome.status, outcome.code) for outcome in outcomes]
