"""The ``pos.poslog`` source: files of a folder, a page of transactions at a time."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from zoneinfo import ZoneInfo

import fsspec
import pyarrow as pa
from pydantic import SecretStr

from hub.errors import StreamError
from hub.records import Order
from hub.runtime import Runtime
from hub.source import Check, CursorKind, Page, Reject, Source, State, Stream
from hub.titles import Title
from plugins.pos.poslog.config import PoslogConfig
from plugins.pos.poslog.mapping import WORDS, Rows, is_sale, ticket_rows
from plugins.pos.poslog.parsing import BrokenFileError, Node, indexed, transactions
from plugins.pos.tickets.assembly import Rows as Columns
from plugins.pos.tickets.beside import assembled
from plugins.pos.tickets.fields import LINE, TENDER, TICKET
from plugins.pos.tickets.rules import Clock, Words

__all__ = ["PoslogSource"]

_ENDINGS: Final = (".xml", ".xml.gz")


@dataclass(frozen=True)
class _File:
    path: str
    name: str
    size: int
    changed: float

    @property
    def mark(self) -> list[float]:
        """Tells one writing of a file from the next."""
        return [self.size, self.changed]


@dataclass
class _Batch:
    """Transactions that are not yet a page, and the state after them."""

    rows: list[Rows] = field(default_factory=list)
    rejects: list[Reject] = field(default_factory=list)
    others: int = 0
    cursor: State = field(default_factory=dict)


class PoslogSource(Source):
    """Reads POSLog 2.2 to 6 from a folder. A file is read as a stream: memory depends on ``page_tickets``, not on its size.

    A run that is killed goes on with the file it was at, behind the last page that is safe.
    """

    name = "pos.poslog"
    title = Title("POSLog 交易日志", "POSLog")
    Config = PoslogConfig

    def __init__(self, config: PoslogConfig, runtime: Runtime) -> None:
        super().__init__(config, runtime)
        self._zone = ZoneInfo(config.timezone) if config.timezone else runtime.timezone
        self._words = Words(tenders={**config.tenders, **WORDS.tenders})

    def streams(self) -> Sequence[Stream]:
        """Tickets."""
        return [Stream("orders", Order, self.read, CursorKind.WINDOW, Title("小票", "Tickets"))]

    def check(self) -> Sequence[Check]:
        """Try whether the folder can be listed, and whether the newest file is a POSLog."""
        try:
            found = self._files()
        except StreamError as error:
            return [Check("folder is readable", ok=False, message=str(error))]
        checks = [Check("folder is readable", ok=True, message=f"{len(found)} file(s)")]
        if found:
            checks.append(self._check_file(found[-1]))
        return checks

    def _check_file(self, file: _File) -> Check:
        name = f"{file.name} is a POSLog"
        try:
            with self._open(file) as stream:
                first = next(transactions(stream), None)
        except BrokenFileError as error:
            return Check(name, ok=False, message=str(error))
        message = "" if first is not None else "it holds no Transaction"
        return Check(name, ok=first is not None, message=message)

    def read(self, state: State) -> Iterator[Page]:
        """Yield pages of the files that are new or changed, oldest first.

        Args:
            state: ``files`` (name to size and time of change) and ``at`` (the file in the middle of which the last page ended).

        Raises:
            StreamError: the folder cannot be listed.
        """
        done: dict[str, list[float]] = {name: list(mark) for name, mark in dict(state.get("files", {})).items()}
        begun = dict(state.get("at", {}))
        files = self._files()
        for file in files:
            if done.get(file.name) == file.mark:
                continue
            skip = int(begun["count"]) if begun.get("name") == file.name and begun.get("mark") == file.mark else 0
            yield from self._read_file(file, done, skip)
        kept = self._remembered(done, {file.name for file in files})
        if kept != done:
            yield Page(cursor={"files": kept})

    def _read_file(self, file: _File, done: dict[str, list[float]], skip: int) -> Iterator[Page]:
        """Yield the file's pages; while one is assembled the next is parsed."""
        batches = ((batch, self._columns(batch), self._clock()) for batch in self._batches(file, done, skip))
        for batch, found in assembled(batches, self._words, ahead=True, spill=str(self.runtime.scratch)):
            notes = [*found.notes, *([f"{batch.others} transaction(s) that are no sale"] if batch.others else [])]
            rejects = [*found.rejects, *batch.rejects]
            yield Page(tables=found.tables, rejects=rejects, cursor=batch.cursor, notes=tuple(notes))

    def _batches(self, file: _File, done: dict[str, list[float]], skip: int) -> Iterator[_Batch]:
        """The file's transactions, so many at a time; the last batch has what is wrong with the file as a whole."""
        batch, count, problem = _Batch(), 0, None
        try:
            with self._open(file) as stream:
                for transaction in transactions(stream):
                    count += 1
                    if count > skip:
                        self._take(batch, indexed(transaction), file, count)
                    if len(batch.rows) >= self.config.page_tickets:
                        batch.cursor = {
                            "files": dict(done),
                            "at": {"name": file.name, "mark": file.mark, "count": count},
                        }
                        yield batch
                        batch = _Batch()
        except (BrokenFileError, OSError, EOFError) as error:
            code = error.code if isinstance(error, BrokenFileError) else "file_unreadable"
            problem = Reject(
                file.name, code, f"{error} What stands before it was read; send the file again.", source_id=file.name
            )
        done[file.name] = file.mark
        if problem:
            batch.rejects.append(problem)
        elif count == 0:
            reason = "The file holds no Transaction: it is no POSLog."
            batch.rejects.append(Reject(file.name, "not_a_poslog", reason, source_id=file.name))
        batch.cursor = {"files": dict(done)}
        yield batch

    def _take(self, batch: _Batch, transaction: Node, file: _File, count: int) -> None:
        if not is_sale(transaction):
            batch.others += 1
            return
        rows = ticket_rows(transaction)
        if rows.ticket["id"] is None:
            reason = "The transaction has no SequenceNumber."
            batch.rejects.append(Reject(f"{file.name}#{count}", "value_missing", reason, "SequenceNumber"))
            return
        batch.rows.append(rows)

    def _columns(self, batch: _Batch) -> Columns | None:
        if not batch.rows:
            return None
        # The last of several deliveries of one transaction counts.
        latest = {str(each.ticket["id"]): each for each in batch.rows}
        batch.rows = []  # what follows needs the columns only
        tickets = _columns([each.ticket for each in latest.values()], list(TICKET))
        lines = _columns([row for each in latest.values() for row in each.lines], list(LINE))
        tenders = _columns([row for each in latest.values() for row in each.tenders], list(TENDER))
        return Columns(tickets, lines, tenders, ("id",), f"{self.runtime.connection}:")

    def _clock(self) -> Clock:
        return Clock(
            zone=self._zone, day_cutoff=self.config.day_cutoff or self.runtime.day_cutoff, now=self.runtime.now(),
            scope=self.config.scope or self.runtime.connection, currency=self.runtime.currency,
        )  # fmt: skip

    # ---- files ------------------------------------------------------------------------------------------------------------

    def _open(self, file: _File) -> Any:
        return self._system()[0].open(file.path, "rb", compression="infer")

    def _system(self) -> tuple[Any, str]:
        options = {
            name: value.get_secret_value() if isinstance(value, SecretStr) else value
            for name, value in self.config.options.items()
        }
        url = self.config.url if "://" in self.config.url else str(self.runtime.path(self.config.url))
        system, path = fsspec.core.url_to_fs(url, **options)
        return system, str(path)

    def _files(self) -> list[_File]:
        try:
            system, path = self._system()
            found = self._listed(system, path)
        except (OSError, ValueError, ImportError) as error:
            raise StreamError(
                f"The folder cannot be read: {type(error).__name__}.",
                code="folder_unreadable",
                hint="Check url and rights.",
            ) from None
        settled = self.runtime.now().timestamp() - self.config.settle_seconds
        return sorted((file for file in found if file.changed <= settled), key=lambda file: (file.changed, file.name))

    def _listed(self, system: Any, path: str) -> list[_File]:
        if any(sign in path for sign in "*?["):
            entries = system.glob(path, detail=True).values()
        elif system.isdir(path):
            entries = [each for each in system.ls(path, detail=True) if str(each["name"]).lower().endswith(_ENDINGS)]
        else:
            entries = [system.info(path)]
        found = []
        for each in entries:
            name = str(each["name"]).rpartition("/")[2]
            if each["type"] == "file" and not name.startswith((".", "_", "~$")):
                found.append(_File(str(each["name"]), name, int(each["size"] or 0), _changed(each)))
        return found

    def _remembered(self, done: dict[str, list[float]], there: set[str]) -> dict[str, list[float]]:
        oldest = (self.runtime.now() - dt.timedelta(days=self.config.forget_after_days)).timestamp()
        return {name: mark for name, mark in done.items() if name in there or mark[1] >= oldest}


def _changed(entry: Any) -> float:
    stamp = entry.get("mtime") or entry.get("LastModified") or entry.get("last_modified") or entry.get("created") or 0
    return stamp.timestamp() if isinstance(stamp, dt.datetime) else float(stamp)


def _columns(rows: list[dict[str, str | None]], names: list[str]) -> pa.Table:
    """Rows as columns of text; columns no row has are left out."""
    there = set().union(*rows)
    wanted = ["id", *(name for name in names if name in there)]
    return pa.table({name: pa.array([row.get(name) for row in rows], pa.string()) for name in wanted})
