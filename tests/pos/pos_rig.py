"""Hubs with one POS connection in virtual time, and what they stored, as records that are checked against the contract."""

from __future__ import annotations

import datetime as dt
import random
from collections import defaultdict
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar

import orjson
from pos.golden_tickets import FIRST_READ

from hub.columns import child_tables
from hub.context import Hub, open_hub
from hub.pipeline.ingest import ingest
from hub.plugins import load_plugins
from hub.records import Record
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
    records = []
    for row in sorted(parents, key=lambda row: str(row["source_id"])):
        extra = orjson.loads(row["extra"]) if row.get("extra") else {}
        parts = children[row["source_id"]]
        records.append(record.model_validate({**row, **parts, "extra": extra}))
    return [each for each in records if deleted or not each.deleted]


def _rows(engine: Any, table: str) -> list[dict[str, Any]]:
    names = [name for name in engine.columns(table) if name not in _BOOKKEEPING]
    rows = engine.rows(f"SELECT {', '.join(map(quoted, names))} FROM {table}")
    return [dict(zip(names, row, strict=True)) for row in rows]
