"""Read every stream of every connection into durable packages, and load them into the warehouse.

The order of writing is the promise "nothing read is lost, nothing is counted twice": a package's files are durable; then,
in one transaction, the package is recorded and the cursor moves; then the warehouse takes it in together with its id.
Whatever instant the process dies at, the next run finds a state from which it ends in the same tables.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import quote

from hub.context import Hub
from hub.crashpoints import crash_point
from hub.errors import DeferError, HubError, LeaseHeldError, PluginError, Recovery
from hub.pipeline.load import load
from hub.pipeline.package import (
    Buffer,
    check_page,
    collect_young,
    new_package_id,
    require_unique,
    without_collector,
    write_files,
)
from hub.plugins import contained
from hub.redaction import redact
from hub.source import KEPT, CursorKind, Page, Source, Stream
from hub.store.leases import HeldLease
from hub.store.runs import OpenRun
from hub.store.tables import Cursor, Package
from hub.warehouse.load import LoadCounts

__all__ = ["IngestReport", "StreamReport", "ingest", "read_connections"]


@dataclass
class StreamReport:
    """What reading one stream (or one of its partitions) did.

    Attributes:
        connection, stream, partition: which one.
        records: records read (after replacing repeats within a package).
        rejects: rows put aside.
        packages: packages sealed.
        state: as of the run: ``succeeded``, ``failed``, ``skipped``.
        error: why it ended early, if it did.
        notes: what a person should know.
    """

    connection: str
    stream: str
    partition: str = ""
    records: int = 0
    rejects: int = 0
    packages: int = 0
    state: str = "succeeded"
    error: HubError | None = None
    notes: list[str] = field(default_factory=list)


@dataclass
class IngestReport:
    """What an ingest did: per stream, and in the warehouse.

    Attributes:
        streams: what was read, stream by stream.
        loaded: what changed in the warehouse, by connection and record table (``pos/orders``).
        load_error: why not everything that was read is in the warehouse yet; the next load goes on.
        notes: what a person should know of the load.
    """

    streams: list[StreamReport] = field(default_factory=list)
    loaded: dict[str, LoadCounts] = field(default_factory=dict)
    load_error: HubError | None = None
    notes: list[str] = field(default_factory=list)

    @property
    def failed(self) -> list[StreamReport]:
        """Streams that did not come to their end."""
        return [report for report in self.streams if report.state != "succeeded"]

    @property
    def changed(self) -> int:
        """Rows of the warehouse that are not as they were."""
        return sum(counts.changed for counts in self.loaded.values())


def ingest(hub: Hub, connections: Sequence[str] = (), streams: Sequence[str] = ()) -> IngestReport:
    """Read and load.

    Args:
        hub: the opened hub.
        connections: names; every source when empty.
        streams: names; every configured stream when empty.

    Returns:
        What happened, stream by stream. A stream that fails does not stop the others.

    Raises:
        ConfigError, PluginError: a name is not known.
        LeaseHeldError: every stream asked for is being read by another process.
        StoreError: the store or the warehouse cannot be used; what was sealed before is kept.
    """
    report = IngestReport(read_connections(hub, connections, streams))
    held = [stream.error for stream in report.streams if isinstance(stream.error, LeaseHeldError)]
    if held and len(held) == len(report.streams):
        raise held[0]
    try:
        loaded = load(hub)
    except DeferError as error:
        # Somebody else has the warehouse open; what was read is durable and the next load takes it in.
        report.load_error = error
    else:
        report.loaded, report.notes = loaded.counts, loaded.notes
        report.load_error = next(iter(loaded.errors.values()), None)
    return report


def read_connections(hub: Hub, connections: Sequence[str] = (), streams: Sequence[str] = ()) -> list[StreamReport]:
    """Read streams into packages without loading them; any number of processes may, each stream in one at a time."""
    names = connections or [c.name for c in hub.settings.connections.values() if c.is_source]
    for name in names:
        hub.plugins.source(hub.connection(name).plugin)  # a wrong name is told before any work begins
    return [report for name in names for report in _read_connection(hub, name, streams)]


def _read_connection(hub: Hub, name: str, wanted: Sequence[str]) -> list[StreamReport]:
    connection = hub.connection(name)
    reports: list[StreamReport] = []
    try:
        with hub.source(name) as source:
            for stream in _choose(source, name, wanted or connection.streams):
                reports += _read_stream(hub, name, stream)
    except HubError as error:
        if error.code == "stream_unknown":
            raise
        reports.append(StreamReport(name, "*", state=_state_after(error), error=error))
    return reports


def _state_after(error: HubError) -> str:
    return "skipped" if isinstance(error, DeferError) else "failed"


def _choose(source: Source, connection: str, wanted: Sequence[str]) -> list[Stream]:
    with contained(f"Listing the streams of {connection}"):
        streams = {stream.name: stream for stream in source.streams()}
    unknown = [name for name in wanted if name not in streams]
    if unknown:
        raise PluginError(
            f"Connection {connection!r} has no stream {unknown[0]!r}.",
            code="stream_unknown",
            hint=f"It has: {', '.join(streams)}.",
        )
    for stream in streams.values():
        if stream.partitions and stream.cursor is CursorKind.FULL:
            raise PluginError(
                f"Stream {connection}/{stream.name} is read in full and has partitions; it must be one or the other.",
                hint="Report this to the plugin's author.",
            )
    return [streams[name] for name in wanted] if wanted else list(streams.values())


def _read_stream(hub: Hub, connection: str, stream: Stream) -> Iterator[StreamReport]:
    try:
        with contained(f"Listing the parts of {connection}/{stream.name}", hub.connection(connection).secrets):
            partitions = list(stream.partitions()) if stream.partitions else [""]
    except HubError as error:
        yield StreamReport(connection, stream.name, state=_state_after(error), error=error)
        return
    for partition in partitions:
        report = _StreamReader(hub, connection, stream, partition).read()
        yield report
        if report.error is not None and _is_hopeless(report.error):
            return


def _beyond_sweep(state: Mapping[str, object]) -> dict[str, object]:
    """The next full read begins at the beginning; only what the source keeps from one to the next stays."""
    return {KEPT: state[KEPT]} if state.get(KEPT) else {}


def _is_hopeless(error: HubError) -> bool:
    """Whether the other parts of a stream would meet the same fault; a plugin may stumble over one shop's data only."""
    return error.recovery in {Recovery.STOP, Recovery.REFRESH} and not isinstance(error, PluginError)


class _StreamReader:
    """Reads one partition of one stream: pages into a buffer, the buffer into packages."""

    def __init__(self, hub: Hub, connection: str, stream: Stream, partition: str) -> None:
        self.hub = hub
        self.connection = connection
        self.stream = stream
        self.partition = partition
        self.subject = "/".join(part for part in (connection, stream.name, partition) if part)
        self.secrets = hub.connection(connection).secrets
        self.report = StreamReport(connection, stream.name, partition)
        # A folder of its own per part: whoever holds the part's lease may sweep it.
        self.folder = f"{connection}/{stream.name}" + (f"@{quote(partition, safe='')}" if partition else "")

    def read(self) -> StreamReport:
        """Read to the end, or to the first error that cannot be passed over; never raises a hub error."""
        try:
            with self.hub.store.leases.hold(f"ingest {self.subject}") as lease:
                self.hub.store.runs.interrupt_leftovers("ingest", self.subject)
                self._sweep_litter()
                with self.hub.store.runs.open("ingest", self.subject) as run:
                    self._read(run, lease)
        except HubError as error:
            self.report.error, self.report.state = error, _state_after(error)
        return self.report

    def _sweep_litter(self) -> None:
        """Remove folders that a killed process wrote and never recorded."""
        known = self.hub.store.packages.known(self.connection, self.stream.name)
        self.hub.packages.remove(name for name in self.hub.packages.folders(self.folder) if name not in known)

    def _read(self, run: OpenRun, lease: HeldLease) -> None:
        cursor = self.hub.store.packages.cursor(self.connection, self.stream.name, self.partition)
        state = dict(cursor.state) if cursor else {}
        sweep = self._sweep_id(cursor) if self.stream.cursor is CursorKind.FULL else None
        task = self.subject
        self.hub.progress.start(task)
        try:
            self._pages(run, lease, state, sweep)
        except HubError as error:
            run.fail(error)
            self.report.error, self.report.state = error, run.state
        finally:
            run.counts |= {
                "records": self.report.records, "rejects": self.report.rejects, "packages": self.report.packages
            }  # fmt: skip
            run.notes += self.report.notes
            self.hub.progress.finish(task)

    @staticmethod
    def _sweep_id(cursor: Cursor | None) -> str:
        """Go on with the full read that was under way, unless it has to begin at the beginning again."""
        goes_on = cursor is not None and any(key != KEPT for key in cursor.state)
        return cursor.sweep if cursor and cursor.sweep and goes_on else new_package_id()

    def _pages(self, run: OpenRun, lease: HeldLease, state: dict[str, object], sweep: str | None) -> None:
        buffer = Buffer(self.stream.record)
        failures: list[HubError] = []
        with without_collector() as collecting:
            for page in self._guarded(dict(state), failures):
                if buffer.must_be_sealed_before(page):
                    with collecting():
                        buffer = self._seal(buffer, run, lease, state, sweep)
                buffer.add(page)
                collect_young()
                self.report.notes += [redact(note, self.secrets) for note in page.notes]
                self.hub.progress.advance(self.subject, len(page.records))
                if page.tables or buffer.weight >= self.hub.settings.hub.batch_rows:
                    with collecting():
                        buffer = self._seal(buffer, run, lease, state, sweep)
        # What came before a fault is whole pages: it is kept, and the next run goes on after it.
        self._seal(buffer, run, lease, state, sweep, ends=not failures)
        if failures:
            raise failures[0]

    def _guarded(self, state: dict[str, object], failures: list[HubError]) -> Iterator[Page]:
        """Iterate the plugin's pages; the first thing that goes wrong ends them and is put into ``failures``."""
        try:
            with contained(f"Reading {self.subject}", self.secrets):
                given = (state, self.partition) if self.stream.partitions else (state,)
                pages = iter(self.stream.read(*given))
            while True:
                with contained(f"Reading {self.subject}", self.secrets):
                    page = next(pages, None)
                if page is None:
                    return
                yield check_page(page, self.stream.record)
        except HubError as error:
            failures.append(error)

    def _seal(
        self,
        buffer: Buffer,
        run: OpenRun,
        lease: HeldLease,
        state: dict[str, object],
        sweep: str | None,
        *,
        ends: bool = False,
    ) -> Buffer:
        """Make what is buffered durable and move the cursor; return an empty buffer."""
        ends_sweep = ends and sweep is not None
        if buffer.pages == 0 and not ends_sweep:
            return buffer
        if buffer.cursor is not None:
            state.clear()
            state.update(buffer.cursor)
        needed = buffer.has_data or (sweep is not None and buffer.names_rejects) or ends_sweep
        package = self._write(buffer, run, sweep, ends_sweep) if needed else None
        crash_point("ingest.written")
        cursor = Cursor(
            connection=self.connection,
            stream=self.stream.name,
            partition=self.partition,
            state=_beyond_sweep(state) if ends_sweep else dict(state),
            sweep=None if ends_sweep else sweep,
        )
        rejects = self.hub.store.forgotten.without_forgotten(self.connection, self.stream.record.table, buffer.rejects)
        self.hub.store.packages.seal(package, cursor, rejects, run_id=run.id, lease=lease)
        crash_point("ingest.sealed")
        self.report.records += package.rows if package else 0
        self.report.packages += 1 if package else 0
        self.report.rejects += len(buffer.rejects)
        return Buffer(self.stream.record)

    def _write(self, buffer: Buffer, run: OpenRun, sweep: str | None, ends_sweep: bool) -> Package:  # noqa: FBT001
        identifier = new_package_id()
        location = f"{self.folder}/{identifier}"
        with self.hub.packages.new_folder(location) as folder:
            files = write_files(buffer, folder)
            if buffer.bulk:
                with self.hub.workbench() as engine:
                    require_unique(engine, folder / f"{self.stream.record.table}.parquet")
        return Package(
            id=identifier,
            connection=self.connection,
            stream=self.stream.name,
            partition=self.partition,
            record=self.stream.record.table,
            location=location,
            rows=files.rows,
            rejects=len(buffer.rejects),
            bytes=files.bytes,
            sweep=sweep,
            sweep_ends=ends_sweep,
            run_id=run.id,
            sealed_at=self.hub.now(),
        )
