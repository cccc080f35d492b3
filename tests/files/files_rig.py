"""A folder of drops, read as the hub would read it."""

from __future__ import annotations

import datetime as dt
import os
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import orjson
import pyarrow.parquet as pq

from hub.columns import tables_of
from hub.records import RECORD_TYPES, Record
from hub.runtime import Runtime
from hub.source import Check, Page, Reject, State
from plugins.files.config import FilesConfig
from plugins.files.source import FilesSource

NOW = dt.datetime(2026, 3, 2, 8, 0, tzinfo=dt.UTC)
"""When the hub looks into the folder."""

DROPPED = dt.datetime(2026, 3, 1, 23, 0, tzinfo=dt.UTC)
"""When files are written, unless a test says otherwise."""


@dataclass
class Reading:
    """What one read of the folder gave: its records as models, so that each is checked against the contract."""

    pages: list[Page]
    records: dict[str, Record] = field(default_factory=dict)
    rejects: list[Reject] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    cursor: State = field(default_factory=dict)

    def __getitem__(self, source_id: str) -> Any:
        return self.records[source_id]

    @property
    def ids(self) -> list[str]:
        return sorted(self.records)

    @property
    def reject(self) -> Reject:
        """The only reject there is."""
        (reject,) = self.rejects
        return reject

    @property
    def only(self) -> Any:
        """The only record there is."""
        (record,) = self.records.values()
        return record


class Drops:
    """A folder files are dropped into, and the source that reads it."""

    def __init__(self, folder: Path, scratch: Path) -> None:
        self.folder, self.scratch = folder, scratch
        self.now = NOW
        self.state: State = {}
        self._sources = 0

    def write(self, name: str, content: str | bytes, *, encoding: str = "utf-8", at: dt.datetime = DROPPED) -> Path:
        """Drop a file that was last written to at ``at``."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode(encoding) if isinstance(content, str) else content)
        os.utime(path, (at.timestamp(), at.timestamp()))
        return path

    def source(self, mapping: str | Mapping[str, Any] = "zh_pos", **settings: Any) -> FilesSource:
        self._sources += 1
        scratch = self.scratch / str(self._sources)
        scratch.mkdir(parents=True)
        runtime = Runtime(connection="pos", scratch=scratch, base=self.folder.parent, now=lambda: self.now)
        raw = {"url": self.folder.name, "mapping": mapping, **settings}
        return FilesSource(FilesConfig.model_validate(raw), runtime)

    def read(self, mapping: str | Mapping[str, Any] = "zh_pos", **settings: Any) -> Reading:
        """Read what is new, going on from the state of the last read."""
        source = self.source(mapping, **settings)
        (stream,) = source.streams()
        reading = Reading(list(stream.read(self.state)))
        for page in reading.pages:
            reading.records |= records_of(page, stream.record)
            reading.rejects += page.rejects
            reading.notes += page.notes
            self.state = page.cursor if page.cursor is not None else self.state
        reading.cursor = orjson.loads(orjson.dumps(dict(self.state)))
        return reading

    def read_one(self, text: str, mapping: str | Mapping[str, Any] = "zh_pos", **settings: Any) -> Reading:
        """Drop one CSV file and read it."""
        self.write("0301.csv", text)
        return self.read(mapping, **settings)

    def check(self, mapping: str | Mapping[str, Any] = "zh_pos", **settings: Any) -> list[Check]:
        return list(self.source(mapping, **settings).check())


def records_of(page: Page, record: type[Record]) -> dict[str, Record]:
    """Turn a bulk page's Parquet files back into records, insisting on the canonical schema."""
    assert not page.tables or record.table in page.tables
    children: dict[str, dict[str, list[Any]]] = defaultdict(lambda: defaultdict(list))
    parents: list[dict[str, Any]] = []
    for table in tables_of(record):
        path = page.tables.get(table.name)
        if path is None:
            continue
        assert isinstance(path, Path)
        read = pq.read_table(path)
        assert read.schema.equals(table.schema), f"{table.name}: {read.schema}"
        if table.field is None:
            parents = read.to_pylist()
            continue
        for row in sorted(read.to_pylist(), key=lambda row: (row["source_id"], row["position"])):
            listed = children[row.pop("source_id")][table.field]
            assert row.pop("position") == len(listed), "positions count from 0 without gaps"
            listed.append(row)
    known = {row["source_id"] for row in parents}
    assert len(known) == len(parents), "source ids are distinct"
    assert set(children) <= known, "every child row has its parent"
    return {row["source_id"]: _record(record, row | children[row["source_id"]]) for row in parents}


def _record(record: type[Record], row: Mapping[str, Any]) -> Record:
    extra = orjson.loads(row["extra"]) if row.get("extra") else {}
    return RECORD_TYPES[record.table].model_validate({**row, "extra": extra})


def amounts(values: Iterable[Decimal]) -> list[str]:
    """Amounts as one would write them: ``12.5``, ``-3``."""
    return [f"{value.normalize():f}" for value in values]


HEADER = "流水号,门店编码,销售时间,商品编码,商品名称,数量,单价,实收金额"
"""The usual columns of a line."""


def csv(*rows: str, header: str = HEADER) -> str:
    """A CSV file of these rows."""
    return "\n".join([header, *rows]) + "\n"
