"""The contract of a source: where data comes from.

A source lists its streams; a stream reads pages from a state; a page holds canonical records and the cursor *after* them::

    class Tickets(Source):
        name = "tickets"
        title = Title("小票", "Tickets")
        Config = TicketsConfig

        def check(self) -> list[Check]: ...
        def streams(self) -> list[Stream]:
            return [Stream("orders", Order, self.read_orders, cursor=CursorKind.ORDERED)]

        def read_orders(self, state: State) -> Iterator[Page]:
            for rows in self.client.pages(after=state.get("after")):
                yield Page.of(rows, to_order, cursor={"after": rows[-1]["id"]})

The hub makes a page durable before it moves the cursor, and hands back the last durable cursor after a crash: a stream must
therefore be able to go on from any cursor it has ever given out, and may give a record again.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, ClassVar, Final, TypeAlias

import orjson
import pyarrow as pa
from pydantic import BaseModel, ConfigDict, ValidationError

from hub.errors import RowError
from hub.records import Record
from hub.redaction import redact
from hub.runtime import Runtime
from hub.titles import Title

__all__ = ["KEPT", "BulkData", "Check", "ConnectionConfig", "CursorKind", "Page", "Reject", "Source", "State", "Stream"]

State = Mapping[str, Any]
"""What a stream needs to go on: JSON values only, opaque to the hub. Empty on the first run."""

KEPT: Final = "kept"
"""Key of a state whose value outlives a completed full read; what else a ``FULL`` stream's state holds does not."""

BulkData: TypeAlias = pa.Table | pa.RecordBatchReader | Path
"""Rows of one canonical table: in memory, streamed, or a Parquet file in the runtime's scratch folder."""


class ConnectionConfig(BaseModel):
    """Base of every plugin's configuration: unknown keys are errors, secrets are ``SecretStr`` and stay out of error texts."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class CursorKind(StrEnum):
    """What a stream's cursor promises."""

    ORDERED = "ordered"
    """Everything after the cursor is new; nothing before it changes."""
    WINDOW = "window"
    """At least once: an overlap is read again, to catch late and changed rows."""
    FULL = "full"
    """Everything, every time. Records that a completed read did not contain are marked deleted. A completed read leaves
    an empty state behind, but for what stands under :data:`KEPT`."""


@dataclass(frozen=True, slots=True)
class Check:
    """One thing a connection was tested for.

    Attributes:
        name: what was tried, e.g. ``folder is readable``.
        ok: whether it works.
        message: what was found; for a failure also what to do.
    """

    name: str
    ok: bool
    message: str = ""


@dataclass(frozen=True, slots=True)
class Reject:
    """A row that could not be used; kept with its reason so that a person can find and mend it.

    Attributes:
        location: where it stands: ``drops/0401.csv:17``, or the request it came from.
        code: stable machine name of the reason.
        reason: one sentence, free of personal data.
        column: the field at fault, if one is.
        source_id: the record's id, if it could be read.
        raw: the row as it came (JSON or CSV text); stored, never logged.
    """

    location: str
    code: str
    reason: str
    column: str | None = None
    source_id: str | None = None
    raw: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """One durable step of a read.

    Attributes:
        records: canonical records of the stream's type.
        tables: or, for bulk sources, canonical Arrow data by table name (see :mod:`hub.columns`), with distinct source ids.
        deletions: source ids of records the platform no longer has; what is known of them is kept as a tombstone.
        cursor: the state after this page; None leaves the state as it was.
        rejects: rows of this page that could not be used.
        raw: the platform's own text of each record, by source id; kept in the package for replay and for support.
        notes: what a person should know, e.g. that a window was split; shown by ``hub status``.
    """

    records: Sequence[Record] = ()
    tables: Mapping[str, BulkData] = field(default_factory=dict)
    deletions: Sequence[str] = ()
    cursor: State | None = None
    rejects: Sequence[Reject] = ()
    raw: Mapping[str, str] = field(default_factory=dict)
    notes: Sequence[str] = ()

    @classmethod
    def of(
        cls,
        rows: Sequence[Any],
        mapping: Callable[[Any], Record],
        *,
        cursor: State | None = None,
        location: str = "",
    ) -> Page:
        """Map platform rows to records; a row the mapping refuses or stumbles over becomes a reject, the others go on.

        Args:
            rows: the platform's rows.
            mapping: pure function from a row to a record; raises ``RowError`` or pydantic's ``ValidationError``. What else
                Python raises about odd data (``KeyError``, ``TypeError`` …) rejects the row too, as ``mapping_failed``.
            cursor: the state after these rows.
            location: where the rows came from, for the rejects; the row's position is appended.
        """
        records: list[Record] = []
        rejects: list[Reject] = []
        for position, row in enumerate(rows):
            try:
                records.append(mapping(row))
            except (RowError, *_STUMBLES) as error:
                rejects.append(reject_of(error, row, f"{location}#{position}"))
        return cls(records=records, rejects=rejects, cursor=cursor)


_STUMBLES = (ValueError, TypeError, LookupError, AttributeError, ArithmeticError)
"""What a mapping raises when a row is not what it expects; pydantic's ``ValidationError`` is a ``ValueError``."""


def reject_of(error: Exception, row: Any, location: str) -> Reject:
    """Describe a refused row: which column, which rule, without repeating the value."""
    if isinstance(error, RowError):
        column = error.context.get("column")
        return Reject(location, error.code, redact(error.message), str(column) if column else None, raw=_raw(row))
    if isinstance(error, ValidationError):
        first = error.errors(include_url=False, include_input=False)[0]
        column = ".".join(str(part) for part in first["loc"])
        return Reject(location, f"invalid_{first['type']}", redact(first["msg"]), column, raw=_raw(row))
    reason = f"The mapping failed: {type(error).__name__}: {redact(str(error))}."
    return Reject(location, "mapping_failed", reason, raw=_raw(row))


def _raw(row: Any) -> str:
    if isinstance(row, str):
        return row
    try:
        return orjson.dumps(row, default=str, option=orjson.OPT_NON_STR_KEYS).decode()
    except TypeError:
        return str(row)


@dataclass(frozen=True, slots=True)
class Stream:
    """One kind of record a source offers.

    Attributes:
        name: unique within the source, lower case with underscores.
        record: the canonical record type of its pages.
        read: yields pages from a state; called again with the last durable cursor after an interruption.
        cursor: what the cursor promises.
        title: name for people.
        partitions: names of parts that may be read in parallel, each with a state of its own (per shop, per staff);
            ``read`` is then called with the part's name as second argument.
    """

    name: str
    record: type[Record]
    read: Callable[..., Iterator[Page]]
    cursor: CursorKind = CursorKind.WINDOW
    title: Title | None = None
    partitions: Callable[[], Sequence[str]] | None = None


class Source(ABC):
    """Where data comes from. One instance serves one connection for one command.

    Class attributes:
        name: the plugin's name in ``hub.toml``.
        title: name for people.
        Config: pydantic model of the connection's settings.
    """

    name: ClassVar[str]
    title: ClassVar[Title]
    Config: ClassVar[type[ConnectionConfig]]

    def __init__(self, config: Any, runtime: Runtime) -> None:
        self.config = config
        self.runtime = runtime

    @abstractmethod
    def check(self) -> Sequence[Check]:
        """Try whether the connection can do what it is configured for; never raises for a refused credential."""

    @abstractmethod
    def streams(self) -> Sequence[Stream]:
        """List the streams of this connection; cheap, no network."""

    def kept_folders(self) -> Sequence[Path]:
        """Folders in which the connection keeps what it was sent or has read, for `hub forget` to look into.

        The hub removes every row of a SQLite file (``.db``) or Parquet file there that names a forgotten person, and blanks such
        lines of JSON-lines files (``.jsonl``). A plugin must bear that: number rows by ``AUTOINCREMENT``, skip blank lines.
        """
        return ()

    def close(self) -> None:  # noqa: B027 - most sources hold nothing open
        """Give back what the source holds open."""
