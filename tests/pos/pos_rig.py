"""Hubs with one POS connection in virtual time, and what they stored, as records that are checked against the contract."""

from __future__ import annotations

import datetime as dt
import random
import uuid
from collections import defaultdict
from itertools import islice
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar

import orjson
import pyarrow as pa
from pos.golden_tickets import DAY_CUTOFF, FIRST_READ, ZONE

from hub.columns import child_tables, tables_of
from hub.context import Hub, open_hub
from hub.pipeline.ingest import ingest
from hub.plugins import load_plugins
from hub.records import Record
from hub.runtime import Runtime
from hub.source import Page, Reject, Source
from hub.warehouse.engine import quoted

R = TypeVar("R", bound=Record)


class Chain:
    """A hub of one connection ``till``, and the clock it goes by.

    Args:
        folder: where ``hub.toml`` is written.
        name, plugin: the plugin's name and its module.
        settings: the connection's other lines of TOML.
    """

    def __init__(self, folder: Path, name: str, plugin: ModuleType, settings: str) -> None:
        self.now: dt.datetime = FIRST_READ
        self.slept: list[float] = []
        config = folder / "hub.toml"
        head = '[hub]\ntimezone = "Asia/Shanghai"\nday_cutoff = 04:00:00\n\n[connections.till]\n'
        config.write_text(f'{head}plugin = "{name}"\n{settings}\n')
        plugins = load_plugins([])
        plugins.manager.register(plugin, name=name)
        services = {"now": lambda: self.now, "sleep": self.sleep, "chance": random.Random(3)}
        self.hub: Hub = open_hub(config, plugins=plugins, **services)

    def sleep(self, seconds: float) -> None:
        """Time passes, nobody waits."""
        self.slept.append(seconds)
        self.now += dt.timedelta(seconds=seconds)

    def read(self, at: dt.datetime | None = None) -> Any:
        """Ingest once; the report is free of errors."""
        self.now = at or self.now
        report = ingest(self.hub)
        told = "\n".join(f"{stream.stream}: {stream.error}" for stream in report.failed)
        assert not told, told
        assert report.load_error is None
        return report

    def close(self) -> None:
        self.hub.close()


_BOOKKEEPING = {"connection", "stream", "row_hash", "first_seen_at", "changed_seq"}


class Direct:
    """One source of one connection, read without a hub around it: what it gave, page after page, and its state.

    Args:
        folder: what relative paths start from.
        source: the source's class.
        settings: the connection's.
    """

    def __init__(self, folder: Path, source: type[Source], **settings: Any) -> None:
        self.now: dt.datetime = FIRST_READ
        self.slept: list[float] = []
        scratch = folder / f"scratch-{uuid.uuid4().hex}"
        scratch.mkdir()
        runtime = Runtime(
            connection="till", scratch=scratch, base=folder, timezone=ZONE, day_cutoff=DAY_CUTOFF, now=lambda: self.now,
            sleep=self.slept.append,
        )  # fmt: skip
        self.source = source(source.Config.model_validate(settings), runtime)
        self.states: dict[str, Any] = {}
        self.records: dict[str, dict[str, Record]] = defaultdict(dict)
        self.rejects: list[Reject] = []
        self.notes: list[str] = []
        self.pages: list[Page] = []

    def read(self, at: dt.datetime | None = None, stream: str = "orders", pages: int | None = None) -> list[Any]:
        """Read a stream on from its state, at most so many pages; the records it has given so far."""
        self.now = at or self.now
        found = next(each for each in self.source.streams() if each.name == stream)
        self.pages = list(islice(found.read(self.states.get(stream, {})), pages))
        for page in self.pages:
            self.rejects += page.rejects
            self.notes += page.notes
            if page.cursor is not None:
                self.states[stream] = orjson.loads(orjson.dumps(dict(page.cursor)))
            for record in records_of(page, found.record):
                self.records[stream][record.source_id] = record
        return list(self.records[stream].values())

    def close(self) -> None:
        self.source.close()


def records_of(page: Page, record: type[R]) -> list[R]:
    """A page's tables as records, insisting on the canonical schema."""
    if not page.tables:
        return list(page.records)  # type: ignore[arg-type]
    children: dict[str, dict[str, list[Any]]] = defaultdict(lambda: defaultdict(list))
    parents: list[dict[str, Any]] = []
    for table in tables_of(record):
        if table.name not in page.tables:
            continue
        given = page.tables[table.name]
        assert isinstance(given, pa.Table)
        assert given.schema.equals(table.schema), f"{table.name}: {given.schema}"
        if table.field is None:
            parents = given.to_pylist()
            continue
        for row in sorted(given.to_pylist(), key=lambda row: (row["source_id"], row["position"])):
            listed = children[row.pop("source_id")][table.field]
            assert row.pop("position") == len(listed), "positions count from 0 without gaps"
            listed.append(row)
    ids = [row["source_id"] for row in parents]
    assert len(set(ids)) == len(ids), "source ids are distinct"
    assert set(children) <= set(ids), "every child row has its parent"
    return [_record(record, row, children[row["source_id"]]) for row in parents]


def _record(record: type[R], row: dict[str, Any], parts: dict[str, list[Any]]) -> R:
    extra = orjson.loads(row["extra"]) if row.get("extra") else {}
    return record.model_validate({**row, **parts, "extra": extra})


def stored(hub: Hub, record: type[R], *, deleted: bool = False) -> list[R]:
    """Every record of a type in the hub's warehouse, by source id; tombstones only if asked for."""
    with hub.warehouse() as engine:
        parents = _rows(engine, record.table)
        children: dict[str, dict[str, list[Any]]] = defaultdict(lambda: defaultdict(list))
        for child in child_tables(record):
            for row in sorted(_rows(engine, child.name), key=lambda row: (row["source_id"], row["position"])):
                del row["position"]
                known = {name: value for name, value in row.items() if value is not None}
                children[known.pop("source_id")][child.field or ""].append(known)
    parents.sort(key=lambda row: str(row["source_id"]))
    records = [_record(record, row, children[row["source_id"]]) for row in parents]
    return [each for each in records if deleted or not each.deleted]


def _rows(engine: Any, table: str) -> list[dict[str, Any]]:
    names = [name for name in engine.columns(table) if name not in _BOOKKEEPING]
    rows = engine.rows(f"SELECT {', '.join(map(quoted, names))} FROM {table}")
    return [dict(zip(names, row, strict=True)) for row in rows]
