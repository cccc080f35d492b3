"""Gather a stream's pages and seal them into packages: Parquet files that are durable before any cursor moves."""

from __future__ import annotations

import datetime as dt
import gc
import json
import shutil
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from hub.columns import ColumnBuilder, tables_of
from hub.errors import PluginError
from hub.plugins import contained
from hub.records import Record
from hub.source import BulkData, Page, Reject, State
from hub.warehouse.engine import Engine, literal
from hub.warehouse.load import DELETIONS, PRESENT

__all__ = ["Buffer", "SealedFiles", "check_page", "collect_young", "require_unique", "without_collector", "write_files"]

RAW = "raw"
_RAW_SCHEMA = pa.schema([("source_id", pa.string()), ("raw", pa.string())])
_KEY_SCHEMA = pa.schema([("source_id", pa.string())])


class Buffer:
    """Pages that wait to be sealed together.

    Attributes:
        record: the stream's record type.
        bulk: Arrow data of at most one bulk page.
        deletions: source ids that are gone.
        rejects: rows that could not be used.
        raw: platform texts by source id.
        cursor: state after the last page.
        pages: how many were taken in.
    """

    def __init__(self, record: type[Record]) -> None:
        self.record = record
        self.bulk: Mapping[str, BulkData] = {}
        self.deletions: dict[str, None] = {}
        self.rejects: list[Reject] = []
        self.raw: dict[str, str] = {}
        self.cursor: State | None = None
        self.pages = 0
        # Of each record's newest version: its place among the columns' rows, and its time of change.
        self._places: dict[str, int] = {}
        self._times: dict[str, dt.datetime | None] = {}
        self._columns = ColumnBuilder(record)

    def must_be_sealed_before(self, page: Page) -> bool:
        """Whether the page has to go into another package, so that loading sees the two in their order.

        A package's records are loaded before its deletions, and of two versions of a record it holds one: a record that
        comes back after its deletion, or loses or gains its time of change, needs a package of its own.
        """
        if page.tables:
            return self.has_data
        if self.deletions and any(record.source_id in self.deletions for record in page.records):
            return True
        times = self._times
        return any(
            record.source_id in times and (times[record.source_id] is None) != (record.updated_at is None)
            for record in page.records
        )

    def add(self, page: Page) -> None:
        """Take in a page that :func:`check_page` has passed; of two versions of a record the newer one stays.

        Raises:
            PluginError: the records cannot be turned into columns.
        """
        raw = dict(page.raw)
        fresh: list[Record] = []
        place = len(self._columns)
        for record in page.records:
            key = record.source_id
            if key in self._places:
                if _is_before(record.updated_at, self._times[key]):
                    raw.pop(key, None)
                    continue
                self._columns.drop(self._places[key])
            self._places[key], self._times[key] = place + len(fresh), record.updated_at
            fresh.append(record)
        with contained("Turning records into columns"):
            self._columns.add(fresh)
        self.bulk = page.tables or self.bulk
        self.deletions |= dict.fromkeys(page.deletions)
        self.rejects += page.rejects
        self.raw |= raw
        if page.cursor is not None:
            self.cursor = page.cursor
        self.pages += 1

    @property
    def records(self) -> int:
        """Distinct records taken in one by one."""
        return len(self._places)

    def tables(self) -> dict[str, pa.Table]:
        """Return the records as Arrow tables, by table name.

        Raises:
            PluginError: the records cannot be turned into columns.
        """
        with contained("Turning records into columns"):
            return self._columns.tables()

    @property
    def has_data(self) -> bool:
        """Whether there is anything for a package."""
        return bool(self._places or self.bulk or self.deletions)

    @property
    def names_rejects(self) -> bool:
        """Whether a rejected row tells its source id: a full read has seen that record, although it cannot be used."""
        return any(reject.source_id for reject in self.rejects)

    @property
    def weight(self) -> int:
        """Rows held in memory."""
        return len(self._places) + len(self.deletions) + len(self.rejects)


def _is_before(time: dt.datetime | None, known: dt.datetime | None) -> bool:
    return time is not None and known is not None and time < known


def check_page(page: object, record: type[Record]) -> Page:
    """Return the page, if it keeps the contract.

    Raises:
        PluginError: it is no page, mixes records and tables, holds another type of record, or a cursor that is no JSON.
    """
    if not isinstance(page, Page):
        raise _broken(f"A stream gave a {type(page).__name__}, not a Page.")
    if page.records and page.tables:
        raise _broken("A page holds both records and tables; it must be one or the other.")
    if page.tables and record.table not in page.tables:
        raise _broken(f"A bulk page holds {sorted(page.tables)} without their parent table {record.table}.")
    for item in page.records:
        if type(item) is not record:
            raise _broken(f"A stream of {record.__name__} records gave a {type(item).__name__}.")
    try:
        json.dumps(page.cursor if page.cursor is None else dict(page.cursor), allow_nan=False)
    except (TypeError, ValueError) as error:
        raise _broken(f"A page's cursor holds something that is no JSON value ({type(error).__name__}).") from error
    return page


def _broken(message: str) -> PluginError:
    return PluginError(message, code="contract_broken", hint="Report this to the plugin's author.")


@dataclass(frozen=True)
class SealedFiles:
    """What was written: rows of the parent table, and bytes in all."""

    rows: int
    bytes: int


def write_files(buffer: Buffer, folder: Path) -> SealedFiles:
    """Write a buffer's records as Parquet, one file per canonical table that has rows.

    Raises:
        PluginError: bulk data does not have the canonical columns.
    """
    parent = buffer.record.table
    rows = len(buffer.deletions)
    if buffer.records:
        for name, table in buffer.tables().items():
            if table.num_rows or name == parent:
                pq.write_table(table, folder / f"{name}.parquet", compression="zstd")
        rows += buffer.records
    elif buffer.bulk:
        rows += _write_bulk(buffer.record, buffer.bulk, folder)
    _write_keys(list(buffer.deletions), folder / f"{DELETIONS}.parquet")
    _write_keys([reject.source_id for reject in buffer.rejects if reject.source_id], folder / f"{PRESENT}.parquet")
    if buffer.raw:
        raw = pa.table({"source_id": list(buffer.raw), "raw": list(buffer.raw.values())}, schema=_RAW_SCHEMA)
        pq.write_table(raw, folder / f"{RAW}.parquet", compression="zstd")
    return SealedFiles(rows, sum(file.stat().st_size for file in folder.iterdir()))


def _write_keys(keys: Sequence[str], path: Path) -> None:
    if keys:
        pq.write_table(pa.table({"source_id": list(keys)}, schema=_KEY_SCHEMA), path, compression="zstd")


@contextmanager
def without_collector() -> Iterator[Callable[[], AbstractContextManager[None]]]:
    """Switch the cycle collector off while records are made; yields what switches it on again for a block.

    Records hold no cycles, and looking for them again and again takes a third of the time. What a plugin's own objects leave
    behind is looked for once a page (:func:`collect_young`), and everywhere when a package is sealed.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield _collecting if was_on else nullcontext
    finally:
        if was_on:
            gc.enable()


def collect_young() -> None:
    """Collect the cycles among what was made since the last call; what outlives it is not looked at a second time.

    A platform's answers hold cycles with their whole texts: a package's worth of them would take more memory than its records.
    """
    gc.collect(1)


@contextmanager
def _collecting() -> Iterator[None]:
    gc.enable()
    try:
        yield
    finally:
        gc.disable()


def _write_bulk(record: type[Record], bulk: Mapping[str, BulkData], folder: Path) -> int:
    schemas = {table.name: table.schema for table in tables_of(record)}
    unknown = bulk.keys() - schemas.keys()
    if unknown:
        raise _broken(f"A bulk page names {sorted(unknown)}; {record.__name__} has {sorted(schemas)}.")
    for name, data in bulk.items():
        _write_one(data, schemas[name], folder / f"{name}.parquet")
    return int(pq.read_metadata(folder / f"{record.table}.parquet").num_rows)


def _write_one(data: BulkData, schema: pa.Schema, path: Path) -> None:
    if isinstance(data, Path):
        with contained(f"Reading the Parquet file {data.name}"):
            found = pq.read_schema(data)
        _require(found, schema, path.stem)
        # Not a rename: the packages may be on another disk than the scratch folder.
        shutil.move(data, path)
        return
    _require(data.schema, schema, path.stem)
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        for batch in _batches(data):
            writer.write_batch(batch.select(schema.names))


def _batches(data: pa.Table | pa.RecordBatchReader) -> Iterator[pa.RecordBatch]:
    """Take a reader's batches one by one; it runs the plugin's code, writing them does not."""
    batches = iter(data.to_batches() if isinstance(data, pa.Table) else data)
    while True:
        with contained("Reading a bulk page"):
            batch = next(batches, None)
        if batch is None:
            return
        yield batch


def require_unique(engine: Engine, path: Path) -> None:
    """Make sure that each source id stands once in a bulk page's parent file, which nobody looked at row by row.

    Raises:
        PluginError: it does not; nothing is sealed.
    """
    sql = f"SELECT count(*) - count(source_id), count(source_id) - count(DISTINCT source_id) FROM {_read(path)}"
    empty, repeated = engine.rows(sql)[0]
    if empty or repeated:
        faults = [f"{empty} without source id"] * bool(empty) + [f"{repeated} more than once"] * bool(repeated)
        raise PluginError(
            f"A bulk page's {path.stem} holds {' and '.join(faults)}.",
            code="package_not_unique",
            hint="The source must give each record a source_id, once per page; report this to the plugin's author.",
        )


def _read(path: Path) -> str:
    return f"read_parquet({literal(str(path))})"


def _require(found: pa.Schema, wanted: pa.Schema, table: str) -> None:
    """Bulk data must have just the canonical columns and types; a bulk page is never looked at row by row."""
    have = {field.name: field.type for field in found}
    want = {field.name: field.type for field in wanted}
    wrong = [
        f"{name} is {have.get(name, 'missing')}, not {kind}" for name, kind in want.items() if have.get(name) != kind
    ]
    wrong += [f"{name} is not a column" for name in have.keys() - want.keys()]
    if wrong:
        raise _broken(f"A bulk page's {table} does not fit: {'; '.join(sorted(wrong))}.")


def new_package_id() -> str:
    """Return a random id for a package."""
    return uuid.uuid4().hex
