"""The ``files`` destination: audiences and changes as CSV or Parquet files with a manifest beside each."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from functools import cached_property, partial
from itertools import chain
from typing import Any, ClassVar, Final

from hub.destination import Destination, Mode, Operation, OperationKind, Outcome, OutcomeStatus, Target
from hub.errors import HubError, StreamError
from hub.records import IdentifierKind
from hub.runtime import Runtime
from hub.source import Check
from hub.titles import Title
from plugins.files.cells import csv_text, parquet_value
from plugins.files.config import FilesConfig
from plugins.files.drop import Drop, Manifest, measure, storage_errors
from plugins.files.output import WriteSettings, file_name
from plugins.files.spool import Spool
from plugins.files.writers import write_rows

__all__ = ["FilesDestination"]

_KEYS: Final = ("customer_id", *(kind.value for kind in IdentifierKind))
_ID, _KEPT = "id", "kept"


class FilesDestination(Destination):
    """Writes audiences (the whole set in one file) and changes (one file per push) into a folder or any fsspec URL.

    A connection is for writing when it has a ``write`` table; without one it offers no target.
    """

    name: ClassVar[str] = "files"
    title: ClassVar[Title] = Title("文件", "Files")
    Config: ClassVar[type[FilesConfig]] = FilesConfig

    def __init__(self, config: FilesConfig, runtime: Runtime) -> None:
        super().__init__(config, runtime)
        self._settings = config.write or WriteSettings()

    @cached_property
    def _drop(self) -> Drop:
        return Drop(self.config.url, self.config.options, self.runtime)

    def targets(self) -> Sequence[Target]:
        """List the audiences, then the files of changes; none for a connection that only reads."""
        if self.config.write is None:
            return []
        return [
            *map(_audience_target, self._settings.audiences),
            *map(_changes_target, self._settings.changes),
        ]

    def check(self) -> Sequence[Check]:
        """Write a small file into the folder and remove it."""
        if self.config.write is None:
            return []
        try:
            self._drop.probe()
        except HubError as error:
            return [Check("folder can be written to", ok=False, message=str(error))]
        return [Check("folder can be written to", ok=True, message=self._drop.shown)]

    def write(self, target: Target, operations: Iterable[Operation]) -> Iterator[Outcome]:
        """Write one file; outcomes come in the order of the operations, when the file and its manifest are in place.

        A push that is repeated after a crash finds its manifest and leaves everything as it is.

        Raises:
            StreamError: ``disk_full``, ``permission_denied``, ``folder_unwritable``, ``column_conflict``; nothing is left half.
            RetryError: ``storage_unreachable``.
        """
        remaining = iter(operations)
        first = next(remaining, None)
        if first is None:
            return
        everything = chain([first], remaining)
        delivered = self._delivered(target, first.batch_id)
        if delivered is not None and delivered.batch_id == first.batch_id:
            yield from map(_outcome, everything)
        else:
            yield from self._write_anew(target, first.batch_id, everything, delivered)

    def _delivered(self, target: Target, batch_id: str) -> Manifest | None:
        """Return the manifest of what this push would replace or, after a crash, has written already, on whatever day."""
        with self._drop.errors():
            return self._drop.manifest(file_name(self._settings, target.name, batch_id=batch_id), target.name)

    @property
    def _today(self) -> str:
        return self.runtime.now().astimezone(self.runtime.timezone).date().isoformat()

    def _write_anew(
        self, target: Target, batch_id: str, operations: Iterable[Operation], before: Manifest | None
    ) -> Iterator[Outcome]:
        with ExitStack() as stack:
            rows = stack.enter_context(self._row_spool(target))
            outcomes = stack.enter_context(self._spool("outcomes", (_ID, _KEPT), _as_it_is, only=True))
            counts = self._collect(target, operations, rows, outcomes)
            self._publish(target, batch_id, rows, counts, before)
            yield from _read_outcomes(outcomes)

    def _row_spool(self, target: Target) -> Spool:
        settings = self._settings
        own = [] if target.whole_set else [settings.operation_column]
        key = [settings.key_column] if settings.key_column else []
        columns = tuple(dict.fromkeys([*own, *key, *(settings.columns or ())]))
        return self._spool("rows", columns, self._converter(), only=settings.columns is not None)

    def _spool(self, name: str, columns: tuple[str, ...], convert: Callable[[Any], Any], *, only: bool) -> Spool:
        scratch = self.runtime.scratch
        errors = partial(storage_errors, str(scratch), self.runtime.connection)
        return Spool(scratch / f"{name}.spool", columns, convert, only=only, errors=errors)

    def _converter(self) -> Callable[[Any], Any]:
        if self._settings.format == "parquet":
            return partial(parquet_value, zone=self.runtime.timezone)
        return partial(csv_text, zone=self.runtime.timezone, guard=self._settings.formula_guard)

    def _collect(self, target: Target, operations: Iterable[Operation], rows: Spool, outcomes: Spool) -> Counter[str]:
        """Write every operation down: its row, unless it leaves an audience, and its outcome."""
        counts = Counter({kind.value: 0 for kind in OperationKind})
        for operation in operations:
            counts[operation.kind.value] += 1
            row = self._row(target, operation)
            if row is not None:
                rows.add(row)
            outcomes.add({_ID: operation.id, _KEPT: operation.kind is OperationKind.KEEP})
        rows.finish()
        outcomes.finish()
        return counts

    def _row(self, target: Target, operation: Operation) -> dict[str, Any] | None:
        settings = self._settings
        key = {settings.key_column: operation.key} if settings.key_column else {}
        if target.whole_set:
            return None if operation.kind is OperationKind.DELETE else {**key, **operation.values}
        if settings.operation_column in operation.values:
            raise StreamError(
                f"The sync maps a value to {settings.operation_column!r}, the column that names the operation.",
                code="column_conflict",
                hint="Rename the field in the sync, or set write.operation_column of the connection.",
                context={"connection": self.runtime.connection, "target": target.name},
            )
        return {settings.operation_column: operation.kind.value, **key, **operation.values}

    def _publish(
        self, target: Target, batch_id: str, rows: Spool, counts: Counter[str], before: Manifest | None
    ) -> None:
        """Make the file and put it in place with its manifest; a file that would be the same stays."""
        name = file_name(self._settings, target.name, batch_id=batch_id, date=self._today)
        with self._drop.errors(), self._drop.new_file(name) as (file, path):
            write_rows(file, rows, self._settings)
            file.flush()
            size, digest = measure(path)
            unchanged = before is not None and (before.file, before.sha256) == (name, digest)
            if not unchanged:
                self._drop.place(path, name)
            manifest = Manifest(
                file=name,
                kind="audience" if target.whole_set else "changes",
                target=target.name,
                connection=self.runtime.connection,
                batch_id=batch_id,
                created_at=before.created_at if before and unchanged else self.runtime.now().astimezone(dt.UTC),
                rows=rows.rows,
                columns=rows.columns,
                operations=dict(counts),
                format=self._settings.format,
                bytes=size,
                sha256=digest,
            )
            self._drop.place_manifest(manifest)


def _audience_target(name: str) -> Target:
    return Target(
        name,
        Title("人群文件", "Audience file"),
        keys=_KEYS,
        modes=frozenset({Mode.MIRROR}),
        batch_size=None,
        whole_set=True,
        description="The whole set as one file, replaced in one step when something changed.",
    )


def _changes_target(name: str) -> Target:
    return Target(
        name,
        Title("变更文件", "File of changes"),
        keys=_KEYS,
        modes=frozenset(Mode),
        batch_size=None,
        description="One file per push with the rows that entered, changed or left.",
    )


def _as_it_is(value: Any) -> Any:
    return value


def _outcome(operation: Operation) -> Outcome:
    return _outcome_of(operation.id, kept=operation.kind is OperationKind.KEEP)


def _outcome_of(operation_id: str, *, kept: bool) -> Outcome:
    return Outcome(operation_id, OutcomeStatus.UNCHANGED if kept else OutcomeStatus.ACCEPTED)


def _read_outcomes(spool: Spool) -> Iterator[Outcome]:
    for part in spool.parts():
        for operation_id, kept in zip(*(column.to_pylist() for column in part.columns), strict=True):
            yield _outcome_of(operation_id, kept=kept)
