"""A platform that receives, and people to tell it of: what the push tests work with.

A test publishes people, pushes, and looks at what the platform was told and holds::

    with desk(tmp_path, crm, SYNC) as hub:
        publish_people(hub, [Person("c1", level="gold")])
        push(hub)
    assert crm.holds("people") == {"c1": {"level": "gold"}}
"""

from __future__ import annotations

import datetime as dt
import json
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from furnished import furnish
from pydantic import SecretStr
from toy import MORNING

from hub.context import Hub, open_hub
from hub.destination import Destination, Mode, Operation, OperationKind, Outcome, OutcomeStatus, RemoteRow, Target
from hub.hookspecs import hookimpl
from hub.pipeline.publish import PublishReport, publish
from hub.plugins import Plugins, load_plugins
from hub.source import Check, ConnectionConfig
from hub.titles import Title
from hub.warehouse.engine import Engine

PASSWORD = "open-sesame-15"

_TITLE = Title("测试", "Test")
_KEYS = ("customer_id", "phone", "profile")
TARGETS = (
    Target("people", _TITLE, keys=_KEYS, batch_size=2, readable=True),
    Target("points", _TITLE, keys=_KEYS, batch_size=2, idempotent=False),
    Target("ledgered", _TITLE, keys=_KEYS, batch_size=2, idempotent=False, can_look_up=True),
    Target("audience", _TITLE, keys=_KEYS, modes=frozenset({Mode.MIRROR}), batch_size=None, whole_set=True),
    Target("many", _TITLE, keys=_KEYS, batch_size=2, parallel=True),
    Target("named", _TITLE, keys=_KEYS, required=("name",)),
)

SYNC = 'to = "crm"\ntarget = "people"\nfields = { level = "level" }'
POINTS = SYNC.replace("people", "points")
AUDIENCE = SYNC.replace("people", "audience")


class CrmConfig(ConnectionConfig):
    """Settings of the platform's connection."""

    password: SecretStr = SecretStr(PASSWORD)


def accepted(operation: Operation) -> Outcome:
    """The outcome of an operation that went well."""
    return Outcome(operation.id, OutcomeStatus.ACCEPTED, remote_id=f"remote-{operation.key}")


def rejected(operation: Operation, message: str = "", code: str = "no_such_shop") -> Outcome:
    """The outcome of an operation the platform refuses."""
    return Outcome(operation.id, OutcomeStatus.REJECTED, code, message)


class Crm:
    """The platform. What it was told and what it holds is in a file: it does not forget when its caller is killed.

    Attributes:
        answer: judges an operation before anything is done; raises for a fault of the way there.
        after: gives the answer of an operation that was carried out; raises, or gives None, when the answer gets lost.
        given: rewrites the outcomes of one call, for plugins that break their contract.
        slept: for how many seconds the hub waited, each time.
        looked_up: key and begin of every operation that was looked up.
    """

    def __init__(self, path: Path) -> None:
        self.answer: Callable[[Operation], Outcome] = accepted
        self.after: Callable[[Operation], Outcome | None] = accepted
        self.given: Callable[[Iterator[Outcome]], Any] = lambda outcomes: outcomes
        self.slept: list[float] = []
        self.looked_up: list[tuple[str, dt.datetime]] = []
        self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._db.execute("pragma synchronous = off")
        self._db.executescript(
            """create table if not exists told (n integer primary key, target text, id text, batch text, kind text, key text, vals text);
               create table if not exists held (target text, key text, vals text, times integer, primary key (target, key));
               create table if not exists done (id text primary key, times integer);"""
        )

    def write(self, target: Target, operations: Iterable[Operation]) -> Iterator[Outcome]:
        """Carry out one call."""
        if target.whole_set:
            yield from self._replace(target, list(operations))
            return
        for operation in operations:
            outcome: Outcome | None = self._judge(target, operation)
            if outcome is not None and outcome.status is OutcomeStatus.ACCEPTED:
                self._carry_out(target, operation)
                outcome = self.after(operation)
            if outcome is not None:
                yield outcome

    def _judge(self, target: Target, operation: Operation) -> Outcome:
        outcome = self.answer(operation)
        self._tell(target, operation)
        return outcome

    def _replace(self, target: Target, operations: Sequence[Operation]) -> Iterator[Outcome]:
        """Put the whole set in the place of the old one, then answer."""
        outcomes = [self._judge(target, operation) for operation in operations]
        taken = [
            (target.name, operation.key, _json(operation))
            for operation, outcome in zip(operations, outcomes, strict=True)
            if outcome.status is OutcomeStatus.ACCEPTED and operation.kind is not OperationKind.DELETE
        ]
        self._db.execute("begin")
        self._db.execute("delete from held where target = ?", [target.name])
        self._db.executemany("insert into held values (?, ?, ?, 1)", taken)
        self._db.execute("commit")
        yield from outcomes

    def _tell(self, target: Target, operation: Operation) -> None:
        row = [target.name, operation.id, operation.batch_id, operation.kind.value, operation.key, _json(operation)]
        self._db.execute("insert into told (target, id, batch, kind, key, vals) values (?, ?, ?, ?, ?, ?)", row)

    def _carry_out(self, target: Target, operation: Operation) -> None:
        if not self._first_time(operation) and target.idempotent:
            return
        if operation.kind is OperationKind.DELETE:
            self._db.execute("delete from held where target = ? and key = ?", [target.name, operation.key])
        else:
            self._db.execute(
                "insert into held values (?, ?, ?, 1) on conflict do update set vals = excluded.vals, times = times + 1",
                [target.name, operation.key, _json(operation)],
            )

    def _first_time(self, operation: Operation) -> bool:
        sql = "insert into done values (?, 1) on conflict do update set times = times + 1 returning times"
        return bool(self._db.execute(sql, [operation.id]).fetchone()[0] == 1)

    def done(self, operation: Operation) -> bool:
        """Whether an operation was carried out."""
        return bool(self._db.execute("select 1 from done where id = ?", [operation.id]).fetchone())

    def booked_twice(self) -> list[str]:
        """Ids of operations that were carried out more than once."""
        return [row[0] for row in self._db.execute("select id from done where times > 1")]

    def by_hand(self, key: str, target: str = "people", **values: Any) -> None:
        """Somebody changes a row behind the hub's back; without values he removes it."""
        self._db.execute("delete from held where target = ? and key = ?", [target, key])
        if values:
            self._db.execute("insert into held values (?, ?, ?, 1)", [target, key, json.dumps(values)])

    def told(self, target: str = "people") -> list[tuple[str, str, dict[str, Any]]]:
        """Kind, key and values of every operation that arrived, in order."""
        rows = self._db.execute("select kind, key, vals from told where target = ? order by n", [target])
        return [(kind, key, json.loads(vals)) for kind, key, vals in rows]

    def ids(self, target: str = "people") -> list[str]:
        """The ids of those operations."""
        return [row[0] for row in self._db.execute("select id from told where target = ? order by n", [target])]

    def batches(self, target: str = "people") -> list[str]:
        """The batch ids of those operations."""
        return [row[0] for row in self._db.execute("select batch from told where target = ? order by n", [target])]

    def holds(self, target: str = "people") -> dict[str, dict[str, Any]]:
        """What it holds by key."""
        rows = self._db.execute("select key, vals from held where target = ? order by key", [target])
        return {key: json.loads(vals) for key, vals in rows}

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    @property
    def plugins(self) -> Plugins:
        """Plugins holding nothing but this platform."""
        plugins = load_plugins([])
        plugins.manager.register(self.module(), name="crm")
        return plugins

    def module(self) -> object:
        """The platform as a plugin module would be."""
        destination = _destination_of(self)

        class Module:
            @hookimpl
            def register_destinations(self) -> Sequence[type[Destination]]:
                return [destination]

        return Module()


def _json(operation: Operation) -> str:
    return json.dumps(dict(operation.values), default=str, sort_keys=True)


def _destination_of(crm: Crm) -> type[Destination]:
    class CrmDestination(Destination):
        name = "crm"
        title = _TITLE
        Config = CrmConfig

        def check(self) -> Sequence[Check]:
            return []

        def targets(self) -> Sequence[Target]:
            return TARGETS

        def write(self, target: Target, operations: Iterable[Operation]) -> Iterator[Outcome]:
            return crm.given(crm.write(target, operations))  # type: ignore[no-any-return]

        def read_back(self, target: Target) -> Iterator[RemoteRow]:
            for key, values in crm.holds(target.name).items():
                yield RemoteRow(key, values, f"remote-{key}")

        def look_up(self, target: Target, operations: Iterable[Operation], since: dt.datetime) -> Iterator[Outcome]:
            for operation in operations:
                crm.looked_up.append((operation.key, since))
                done = crm.done(operation)
                yield Outcome(operation.id, OutcomeStatus.ACCEPTED if done else OutcomeStatus.DEFERRED, "looked_up")

    return CrmDestination


@dataclass(frozen=True)
class Person:
    """One customer as a snapshot has it."""

    id: str
    level: str | None = "gold"
    phone: str | None = None
    profiles: int = 1
    segments: tuple[str, ...] = ()
    points: str = "0"
    seen_at: dt.datetime = MORNING


@dataclass
class Wall:
    """A clock on the wall that a test sets."""

    now: dt.datetime = field(default=MORNING)

    def __call__(self) -> dt.datetime:
        return self.now

    def advance(self, **step: float) -> None:
        """Move on, e.g. ``hours=1``."""
        self.now += dt.timedelta(**step)


def desk(
    folder: Path,
    crm: Crm,
    *syncs: str,
    clock: Callable[[], dt.datetime] = lambda: MORNING,
    plugins: Plugins | None = None,
    extra: str = "",
    connections: Mapping[str, str] | None = None,
) -> Hub:
    """Open a hub whose syncs ``sync1``, ``sync2`` … are the texts given; connection ``crm`` is the platform."""
    parts = [extra]
    for name, text in (connections or {"crm": 'plugin = "crm"'}).items():
        parts.append(f"[connections.{name}]\n{text}")
    parts += [f"[syncs.sync{number}]\n{text}" for number, text in enumerate(syncs, start=1)]
    furnish(folder)
    path = folder / "hub.toml"
    path.write_text("\n".join(parts))
    return open_hub(path, plugins=plugins or crm.plugins, now=clock, sleep=crm.slept.append)


def _put(engine: Engine, person: Person) -> None:
    engine.execute("INSERT INTO customers (customer_id, profiles) VALUES (?, ?)", [person.id, person.profiles])
    engine.execute("INSERT INTO traits VALUES (?, ?, ?, ?)", [person.id, person.level, person.points, person.seen_at])
    if person.phone:
        engine.execute("INSERT INTO customer_identifiers VALUES (?, 'phone', '', ?, 1, 1)", [person.id, person.phone])
    for segment in person.segments:
        engine.execute("INSERT INTO members VALUES (?, ?, ?)", [segment, person.id, MORNING])


def publish_people(hub: Hub, people: Sequence[Person]) -> PublishReport:
    """Put people into the warehouse, in place of those who are there, and publish them."""
    with hub.warehouse() as engine:
        for table in ("customers", "customer_identifiers", "members", "links"):
            engine.execute(f"DELETE FROM {table}")
        engine.execute(
            "CREATE OR REPLACE TABLE traits (customer_id VARCHAR, level VARCHAR, points DECIMAL(18,4), seen_at TIMESTAMPTZ)"
        )
        with engine.transaction():  # one write to the disk, not one for each row
            for person in people:
                _put(engine, person)
    return publish(hub)
