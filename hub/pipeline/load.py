"""Take sealed packages into the warehouse, in the order of their sealing, each exactly once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby

from hub.context import Hub
from hub.errors import HubError, StoreError
from hub.pipeline.forget_packages import rewrite_package, screened, tidy_packages
from hub.store.runs import OpenRun
from hub.store.tables import Package
from hub.warehouse.engine import Engine
from hub.warehouse.load import PRESENT, LoadCounts, PackageFiles, load_packages, loaded_ids

__all__ = ["LoadReport", "load"]

_LOAD_ROWS = 500_000
"""Rows merged in one transaction when many small packages wait."""


@dataclass
class LoadReport:
    """What a load did.

    Attributes:
        counts: what changed, by connection and record table (``pos/orders``).
        errors: what could not be loaded and waits, by the same names; the others were loaded.
        notes: what a person should know.
    """

    counts: dict[str, LoadCounts] = field(default_factory=dict)
    errors: dict[str, HubError] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def load(hub: Hub) -> LoadReport:
    """Take every sealed package into the warehouse, in the order of sealing.

    A package whose files cannot be read stops only what was sealed after it for the same records.

    Raises:
        LeaseHeldError: another process has the warehouse open.
        StoreError: the warehouse cannot be used, or the disk is full; what was loaded before is kept.
    """
    waiting = hub.store.packages.waiting()
    if not waiting and (hub.settings.warehouse.exists() or not hub.store.packages.count_loaded()):
        return LoadReport()
    with hub.warehouse() as engine:
        hub.store.runs.interrupt_leftovers("load", "")
        with hub.store.runs.open("load") as run:
            if _find_missing(hub, engine):
                run.notes.append("The warehouse lacked packages that had been loaded; they are loaded again.")
            report = _load(hub, engine, hub.store.packages.waiting())
            _tell(run, report)
            return report


def _tell(run: OpenRun, report: LoadReport) -> None:
    for name, entry in report.counts.items():
        run.add(inserted=entry.inserted, updated=entry.updated, unchanged=entry.unchanged, deleted=entry.deleted)
        if entry.swept_nothing:
            report.notes.append(f"{name}: a full read gave no record at all; nothing was deleted.")
    run.notes += report.notes
    for error in report.errors.values():
        run.fail(error)
    if report.errors and report.counts:
        run.state = "partial"


def _find_missing(hub: Hub, engine: Engine) -> bool:
    """Put packages back to be loaded when the warehouse does not know them: its file was moved away or is an older one."""
    if hub.store.packages.count_loaded() <= engine.value("SELECT count(*) FROM _packages"):
        return False
    noted = hub.store.packages.loaded()
    missing = noted - loaded_ids(engine, noted)
    hub.store.packages.load_again(sorted(missing))
    return bool(missing)


def _load(hub: Hub, engine: Engine, waiting: Sequence[Package]) -> LoadReport:
    done = loaded_ids(engine, [package.id for package in waiting])
    if done:
        hub.store.packages.mark_loaded(sorted(done))
    report = LoadReport()
    waiting = [package for package in waiting if package.id not in done]
    incomplete = _leave_out_forgotten(hub, engine, waiting, report)
    hub.progress.start("load", len(waiting))
    for group in _groups(hub, waiting, incomplete):
        _load_group(hub, engine, group, report)
        hub.progress.advance("load", len(group))
    hub.progress.finish("load")
    report.errors = {**incomplete, **report.errors}
    return report


def _leave_out_forgotten(
    hub: Hub, engine: Engine, waiting: Sequence[Package], report: LoadReport
) -> dict[str, HubError]:
    """Take forgotten people out of what is about to be loaded; return what could not be looked through, by subject."""
    incomplete: dict[str, HubError] = {}
    with screened(hub, engine) as somebody:
        if not somebody:
            return incomplete
        tidy_packages(hub)
        for package in waiting:
            try:
                found = rewrite_package(hub, engine, package)
            except StoreError as error:
                incomplete.setdefault(_subject(package), error)
                continue
            if found:
                report.notes.append(f"{_subject(package)}: left {found} records of forgotten people out.")
    return incomplete


def _load_group(hub: Hub, engine: Engine, group: Sequence[PackageFiles], report: LoadReport) -> None:
    name = _subject(group[0])
    if name in report.errors:
        return  # one before it could not be loaded, and their order matters
    try:
        counts = load_packages(engine, group, hub.now())
    except StoreError as error:
        if error.code != "file_unusable":
            raise
        report.errors[name] = error
        return
    hub.store.packages.mark_loaded([package.id for package in group])
    total = report.counts.setdefault(name, LoadCounts())
    total += counts


def _subject(package: Package | PackageFiles) -> str:
    return f"{package.connection}/{package.record}"


def _groups(hub: Hub, packages: Sequence[Package], incomplete: dict[str, HubError]) -> Iterator[list[PackageFiles]]:
    """Join neighbours of one stream, up to a number of rows, into one transaction.

    A package whose files are not all there goes into ``incomplete``, and no later one of the same records is given out.
    """
    for _, neighbours in groupby(packages, key=lambda package: (package.connection, package.stream, package.record)):
        group: list[PackageFiles] = []
        rows = 0
        for package in neighbours:
            files = _files(hub, package, incomplete)
            if files is None:
                break
            if group and (files.stands_alone or rows + package.rows > _LOAD_ROWS):
                yield group
                group, rows = [], 0
            group.append(files)
            rows += package.rows
            if files.stands_alone:
                yield group
                group, rows = [], 0
        if group:
            yield group


def _files(hub: Hub, package: Package, incomplete: dict[str, HubError]) -> PackageFiles | None:
    """Return a package as the loader sees it, or None if it or one before it is incomplete."""
    if _subject(package) in incomplete:
        return None
    try:
        return PackageFiles(
            id=package.id,
            seq=package.seq or 0,
            connection=package.connection,
            stream=package.stream,
            record=package.record,
            files=hub.packages.files(package.location, package.bytes),
            sweep=_sweep_files(hub, package) if package.sweep_ends and package.sweep else None,
        )
    except StoreError as error:
        incomplete[_subject(package)] = error
        return None


def _sweep_files(hub: Hub, package: Package) -> list[str]:
    """Return the files that name what a full read saw: its records, and rows that were rejected but have a name."""
    parts = [hub.packages.files(part.location, part.bytes) for part in hub.store.packages.of_sweep(package.sweep or "")]
    return [files[name] for files in parts for name in (package.record, PRESENT) if name in files]
