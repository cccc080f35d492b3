"""A corp in memory, a hub and connectors around it, in virtual time."""

from __future__ import annotations

import asyncio
import datetime as dt
import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pyarrow as pa

from hub.context import Hub, open_hub
from hub.destination import Operation, OperationKind, Outcome
from hub.plugins import load_plugins
from hub.runtime import Runtime
from hub.simulation.server import VirtualClock
from plugins import retail, wecom
from plugins.wecom.callbacks import CallbackApp
from plugins.wecom.config import WecomConfig
from plugins.wecom.destination import WecomDestination
from plugins.wecom.simulator import WecomSimulator
from plugins.wecom.source import WecomSource

START = "2026-03-02T09:00:00+08:00"
MORNING = dt.datetime.fromisoformat(START)
ZONE = dt.timezone(dt.timedelta(hours=8))
LONG_AGO = dt.datetime(2025, 6, 1, 10, 0, tzinfo=ZONE)
FOLLOWS = [(0, 1), (0, 2), (1, 2), (1, 3), (2, 4), (0, 4), (1, 5), (2, 6)]
"""Guides and customers of the small corp that most tests use."""
GROUPS = {"wr" + "a" * 30: [1, 2], "wr" + "b" * 30: [3]}
CALLBACK_URL = "http://hub.example.com/wecom"

_TIMES = ("updated_at", "created_at", "added_at", "ended_at", "joined_at", "left_at", "sent_at", "hired_at", "left_at")
_EMPTY: dict[str, tuple[str, ...]] = {
    "shops": ("shop_id", "name"),
    "staff": ("staff_id", "name", "shop_id", "is_manager", "status"),
    "contacts": ("member_id", "name", "gender", "unionid"),
    "follows": (
        "staff_id",
        "member_id",
        "remark",
        "description",
        "remark_phone",
        "add_way",
        "state",
        "tags",
        "added_at",
        "ended_by",
    ),
    "groups": ("group_id", "name", "owner_staff_id", "created_at"),
    "group_members": ("group_id", "member_id", "unionid", "name", "join_scene", "joined_at", "left_at"),
    "messages": ("message_id", "campaign_id", "name", "member_id", "sent_at"),
}


@dataclass
class TinyChain:
    """As much of a simulated chain as a test needs: rows by table, as the world's view of WeCom has them."""

    rows: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    end: dt.datetime = MORNING

    @property
    def moment(self) -> dt.datetime:
        return self.end

    @property
    def now(self) -> TinyChain:
        return self

    def at(self, moment: dt.datetime) -> TinyChain:
        return TinyChain(self.rows, moment)

    def view(self, platform: str) -> TinyChain:
        assert platform == "wecom"
        return self

    def table(self, name: str) -> pa.Table:
        empty = dict.fromkeys((*_EMPTY[name], "updated_at"))
        rows = [{**empty, "updated_at": LONG_AGO, **row} for row in self.rows.get(name, [])]
        return pa.Table.from_pylist(rows) if rows else pa.table({key: [] for key in empty})


def guide(number: int) -> str:
    return f"guide_{number:03d}"


def customer(number: int) -> str:
    return f"wm{number:030d}"


def chain(
    *, staff: int = 3, follows: Iterable[tuple[int, int]] = (), groups: Mapping[str, Sequence[int]] | None = None
) -> TinyChain:
    """A chain with one shop, guides 0…, and relations given as (guide, customer) pairs."""
    pairs = list(follows)
    known = sorted({number for _, number in pairs} | {n for members in (groups or {}).values() for n in members})
    return TinyChain(
        {
            "shops": [{"shop_id": "S1", "name": "样板1店"}],
            "staff": [
                {"staff_id": guide(n), "name": f"导购{n}", "shop_id": "S1", "is_manager": n == 0, "status": "active"}
                for n in range(staff)
            ],
            "contacts": [
                {"member_id": customer(n), "name": f"顾客{n}", "gender": n % 3, "unionid": f"o{n:027d}"} for n in known
            ],
            "follows": [
                {
                    "staff_id": guide(who), "member_id": customer(n), "remark": f"顾客{n}", "add_way": 1, "state": "store_s1",
                    "tags": [], "added_at": LONG_AGO + dt.timedelta(minutes=position % 1_000_000),
                }
                for position, (who, n) in enumerate(pairs)
            ],
            "groups": [
                {"group_id": name, "name": f"福利群{name[-1]}", "owner_staff_id": guide(0), "created_at": LONG_AGO}
                for name in groups or {}
            ],
            "group_members": [
                {"group_id": name, "member_id": customer(n), "unionid": f"o{n:027d}", "name": f"顾客{n}", "join_scene": 3,
                 "joined_at": LONG_AGO}
                for name, members in (groups or {}).items() for n in members
            ],
        }
    )  # fmt: skip


class AppTransport(httpx.BaseTransport):
    """Hands every request to an ASGI application."""

    def __init__(self, app: CallbackApp) -> None:
        self.app = app
        self.requests: list[httpx.Request] = []

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        request.read()
        self.requests.append(request)
        return asyncio.run(self._answer(request))

    async def _answer(self, request: httpx.Request) -> httpx.Response:
        sent: list[Mapping[str, Any]] = []
        waiting = [{"type": "http.request", "body": request.content, "more_body": False}]

        async def receive() -> dict[str, Any]:
            return waiting.pop(0)

        async def send(message: Any) -> None:
            sent.append(message)

        scope = {
            "type": "http", "method": request.method, "path": request.url.path, "query_string": request.url.query,
            "headers": request.headers.raw,
        }  # fmt: skip
        await self.app(scope, receive, send)
        return httpx.Response(sent[0]["status"], headers=sent[0]["headers"], content=sent[1]["body"])


@dataclass
class Rig:
    """One simulated corp and one folder."""

    folder: Path
    corp: WecomSimulator
    clock: VirtualClock

    def settings(self, **more: Any) -> dict[str, Any]:
        own = self.corp.credentials
        return {"corp_id": own["corp_id"], "secret": own["secret"], "base_url": self.corp.base_url, **more}

    def callback(self) -> dict[str, str]:
        own = self.corp.credentials
        return {"token": own["callback_token"], "aes_key": own["callback_aes_key"]}

    def runtime(self, **more: Any) -> Runtime:
        scratch = self.folder / "scratch"
        scratch.mkdir(parents=True, exist_ok=True)
        services = {"sleep": self.clock.sleep, "transport": self.corp.transport(), **more}
        return Runtime(
            connection="wecom", scratch=scratch, base=self.folder, now=self.now, random=random.Random(7), **services
        )  # fmt: skip

    def now(self) -> dt.datetime:
        return dt.datetime.fromtimestamp(self.clock.time(), dt.UTC)

    @contextmanager
    def source(self, *, services: Any = None, **more: Any) -> Iterator[WecomSource]:
        source = WecomSource(WecomConfig.model_validate(self.settings(**more)), self.runtime(**(services or {})))
        try:
            yield source
        finally:
            source.close()

    @contextmanager
    def destination(self, *, services: Any = None, **more: Any) -> Iterator[WecomDestination]:
        destination = WecomDestination(
            WecomConfig.model_validate(self.settings(**more)), self.runtime(**(services or {}))
        )
        try:
            yield destination
        finally:
            destination.close()

    def write(self, target: str, operations: Sequence[Operation], **more: Any) -> list[Outcome]:
        with self.destination(**more) as destination:
            found = next(each for each in destination.targets() if each.name == target)
            outcomes = {each.operation_id: each for each in destination.write(found, operations)}
        return [outcomes[operation.id] for operation in operations]

    @contextmanager
    def hub(self, toml: str = "", *, connection: str = "", **more: Any) -> Iterator[Hub]:
        own = self.corp.credentials
        text = f"""
[hub]
[connections.wecom]
plugin = "wecom"
base_url = "{self.corp.base_url}"
corp_id = "{own["corp_id"]}"
secret = "{own["secret"]}"
{connection}
{toml}
"""
        (self.folder / "hub.toml").write_text(text, encoding="utf-8")
        plugins = load_plugins([])
        for name, module in (("wecom", wecom), ("retail", retail)):
            plugins.manager.register(module, name=name)
        services = {"now": self.now, "sleep": self.clock.sleep, "transport": self.corp.transport(), **more}
        with open_hub(self.folder / "hub.toml", plugins=plugins, **services) as hub:
            # Leases are prolonged in real time, which virtual time outruns.
            hub.store.leases._lifetime = dt.timedelta(days=1)
            yield hub

    def calls(self, endpoint: str) -> int:
        return self.corp.journal.calls(endpoint)


@contextmanager
def rig(folder: Path, world: Any, *, hours: float = 0, **knobs: Any) -> Iterator[Rig]:
    clock = VirtualClock(MORNING.timestamp() + hours * 3600)
    with WecomSimulator(world, seed=5, clock=clock, **knobs) as corp:
        yield Rig(folder, corp, clock)


def operation(number: int, *, kind: OperationKind = OperationKind.UPDATE, name: str = "", **values: Any) -> Operation:
    return Operation(name or f"op-{number}", "batch-1", kind, customer(number), values, f"c{number}")


def tags_of(corp: WecomSimulator, *, group: str = "客户分群") -> dict[tuple[str, str], list[str]]:
    """The tags of one group on every relation that has any."""
    sql = (
        "SELECT m.userid, m.id, t.name FROM marks AS m JOIN tags AS t ON t.id = m.tag JOIN tag_groups AS g ON g.id = t.group_id"
        " WHERE g.name = ? ORDER BY 1, 2, 3"
    )
    found: dict[tuple[str, str], list[str]] = {}
    for row in corp.db.rows(sql, group):
        found.setdefault((row["userid"], row["id"]), []).append(row["name"])
    return found
