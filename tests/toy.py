"""A small source and destination held in memory, and a hub around them: what most tests of the core work with.

A test says what the platform gives, opens a hub and looks at its tables::

    shop = Toy({"pos": {"members": Feed(Customer, [Page(records=[member("1")])])}})
    with shop.hub(tmp_path) as hub:
        ingest(hub)
        assert facts(hub)["profiles"] == [...]
"""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from hub.columns import record_tables
from hub.context import Hub, open_hub
from hub.destination import Destination, Operation, Outcome, OutcomeStatus, Target
from hub.hookspecs import hookimpl
from hub.plugins import Plugins, load_plugins
from hub.records import Customer, Identifier, IdentifierKind, Order, OrderLine, Record, Tender, TenderMethod
from hub.source import Check, ConnectionConfig, CursorKind, Page, Source, State, Stream
from hub.titles import Title
from hub.warehouse.engine import quoted

UTC = dt.UTC
MORNING = dt.datetime(2026, 3, 1, 9, 0, tzinfo=UTC)


@dataclass
class Feed:
    """What one stream of the toy platform gives.

    Attributes:
        record: its record type.
        pages: in order; an exception stands for a fault at that place.
        cursor: what its cursor promises.
        resumes: whether its pages carry a cursor; otherwise every read begins at the beginning.
        parts: names of its parts; each part is given the pages whose ``notes`` hold its name.
    """

    record: type[Record]
    pages: Sequence[Page | Exception] = ()
    cursor: CursorKind = CursorKind.WINDOW
    resumes: bool = True
    parts: tuple[str, ...] = ()

    def read(self, state: State, part: str = "") -> Iterator[Page]:
        """Give the pages after the state."""
        pages = [page for page in self.pages if not part or isinstance(page, Exception) or part in page.notes]
        for number in range(int(state.get("page", 0)), len(pages)):
            page = pages[number]
            if isinstance(page, Exception):
                raise page
            yield replace(page, cursor={"page": number + 1}) if self.resumes else page


class ToyConfig(ConnectionConfig):
    """Settings of a toy connection."""

    password: SecretStr = SecretStr("")
    keys: tuple[SecretStr, ...] = ()
    label: str = ""
    size: int = 1


Feeds = Mapping[str, Mapping[str, Feed]]


@dataclass
class Toy:
    """The toy platform: feeds by connection and stream, and what was written to it.

    Attributes:
        feeds: what each connection's streams give.
        written: every operation it was given, in order.
        answer: makes the outcome of an operation; accepts it unless said otherwise.
        closed: how many sources were closed.
    """

    feeds: Feeds = field(default_factory=dict)
    written: list[Operation] = field(default_factory=list)
    answer: Callable[[Operation], Outcome] = lambda operation: Outcome(operation.id, OutcomeStatus.ACCEPTED)
    closed: int = 0

    @property
    def plugins(self) -> Plugins:
        """Plugins holding nothing but the toy."""
        plugins = load_plugins([])
        plugins.manager.register(self.module(), name="toy")
        return plugins

    def module(self) -> object:
        """The toy as a plugin module would be."""
        source, destination = _source_of(self), _destination_of(self)

        class Module:
            @hookimpl
            def register_sources(self) -> Sequence[type[Source]]:
                return [source]

            @hookimpl
            def register_destinations(self) -> Sequence[type[Destination]]:
                return [destination]

        return Module()

    def config(self, folder: Path, **settings: Any) -> Path:
        """Write a ``hub.toml`` with a connection for each feed."""
        lines = ["[hub]", *(f"{name} = {_toml(value)}" for name, value in settings.items())]
        for name in self.feeds or {"pos": {}}:
            lines += [f"[connections.{name}]", 'plugin = "toy"', 'password = "open-sesame-15"']
        path = folder / "hub.toml"
        path.parent.mkdir(parents=True, exist_ok=True)
        # Several processes may write it at once; none may see half of it.
        aside = path.with_name(f".{os.getpid()}.toml")
        aside.write_text("\n".join(lines))
        aside.replace(path)
        return path

    def hub(self, folder: Path, *, services: Mapping[str, Any] | None = None, **settings: Any) -> Hub:
        """Open a hub in this folder that has one connection for each feed."""
        return open_hub(self.config(folder, **settings), plugins=self.plugins, **(services or {}))


def _toml(value: object) -> str:
    return str(value) if isinstance(value, int) else f'"{value}"'


def _source_of(toy: Toy) -> type[Source]:
    class ToySource(Source):
        name = "toy"
        title = Title("玩具", "Toy")
        Config = ToyConfig

        def check(self) -> Sequence[Check]:
            return [Check("always works", ok=True)]

        def streams(self) -> Sequence[Stream]:
            return [_stream(name, feed) for name, feed in toy.feeds[self.runtime.connection].items()]

        def close(self) -> None:
            toy.closed += 1

    return ToySource


def _stream(name: str, feed: Feed) -> Stream:
    return Stream(name, feed.record, feed.read, feed.cursor, partitions=(lambda: feed.parts) if feed.parts else None)


def _destination_of(toy: Toy) -> type[Destination]:
    class ToyDestination(Destination):
        name = "toy"
        title = Title("玩具", "Toy")
        Config = ToyConfig

        def check(self) -> Sequence[Check]:
            return [Check("always works", ok=True)]

        def targets(self) -> Sequence[Target]:
            return [Target("people", Title("人群", "People"), keys=("customer_id", "phone"))]

        def write(self, target: Target, operations: Iterable[Operation]) -> Iterator[Outcome]:
            for operation in operations:
                toy.written.append(operation)
                yield toy.answer(operation)

    return ToyDestination


def at(minutes: float) -> dt.datetime:
    """An instant, in minutes after a fixed morning."""
    return MORNING + dt.timedelta(minutes=minutes)


def member(source_id: str, name: str = "", minutes: float | None = None, **more: Any) -> Customer:
    """A profile with one member number."""
    identifiers = (Identifier(kind=IdentifierKind.MEMBER_NO, value=f"M{source_id}", scope="toy"),)
    updated = None if minutes is None else at(minutes)
    return Customer(source_id=source_id, name=name or None, identifiers=identifiers, updated_at=updated, **more)


def ticket(source_id: str, *amounts: str, minutes: float | None = None, **more: Any) -> Order:
    """A ticket with a line per amount, paid in cash."""
    total = sum(map(Decimal, amounts), Decimal(0))
    return Order(
        source_id=source_id,
        ordered_at=MORNING,
        updated_at=None if minutes is None else at(minutes),
        total_amount=total,
        lines=tuple(OrderLine(product_id=f"P{n}", net_amount=Decimal(amount)) for n, amount in enumerate(amounts)),
        tenders=(Tender(method=TenderMethod.CASH, amount=total),),
        **more,
    )


_BOOKKEEPING = {"row_hash", "first_seen_at", "changed_seq"}


def facts(hub: Hub, *, bookkeeping: bool = False) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of every fact table that has any, sorted; how and when it came in is left out unless asked for."""
    found = {}
    with hub.warehouse() as engine:
        for table in record_tables():
            columns = [name for name in engine.columns(table) if bookkeeping or name not in _BOOKKEEPING]
            rows = engine.rows(f"SELECT {', '.join(map(quoted, columns))} FROM {table} ORDER BY ALL")
            if rows:
                found[table] = rows
    return found


def alive(hub: Hub, table: str = "profiles", column: str = "name") -> dict[str, Any]:
    """One column of the records that are not deleted, by source id."""
    with hub.warehouse() as engine:
        return dict(engine.rows(f"SELECT source_id, {quoted(column)} FROM {table} WHERE NOT deleted ORDER BY ALL"))


def litter(folder: Path) -> list[Path]:
    """Temporary folders and files below a hub's folder."""
    temporary = [*folder.rglob("private-*"), *folder.rglob("duckdb_temp*")]
    return [path for path in temporary if path.exists()]
