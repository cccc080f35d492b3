"""One delivered file into canonical Parquet tables and rejects: the bulk path from end to end."""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import duckdb
from fsspec import AbstractFileSystem

from hub.errors import StoreError
from hub.source import Reject
from plugins.files.mapping.fields import StreamName
from plugins.files.mapping.headers import Head, nearest
from plugins.files.mapping.profile import Profile
from plugins.files.reading.csv_rows import CsvRows
from plugins.files.reading.errors import RejectedFileError
from plugins.files.reading.excel import open_workbook
from plugins.files.reading.json_rows import JsonRows
from plugins.files.reading.listing import Found
from plugins.files.reading.lists import ListWriter
from plugins.files.reading.raw import EmptyFileError, RawRows, open_parquet
from plugins.files.reading.rejects import RowReport
from plugins.files.reading.settings import Settings, session
from plugins.files.reading.staging import Limits, Staged, stage, with_plain_line_feeds
from plugins.files.reading.ticket_checks import check_tickets
from plugins.files.reading.ticket_tables import TicketWriter
from plugins.files.reading.tickets import Tickets
from plugins.files.reading.typed import TypedRows, write_typed

__all__ = ["Converted", "convert", "open_rows", "stage_file"]

_DATE: Final = re.compile(r"(?<!\d)(\d{4})\s*[-/.年]\s*(\d{1,2})\s*[-/.月]\s*(\d{1,2})")


@dataclass(frozen=True)
class Converted:
    """What became of a file.

    Attributes:
        tables: Parquet files by canonical table name; none for a file without rows.
        rejects: the rows that could not be used.
        notes: what a person should know.
        fields: the fields its header has.
        unknown: its headers that nobody knows.
    """

    tables: Mapping[str, Path] = field(default_factory=dict)
    rejects: tuple[Reject, ...] = ()
    notes: tuple[str, ...] = ()
    fields: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()


def stage_file(found: Found, fs: AbstractFileSystem, settings: Settings, scratch: Path) -> Staged:
    """Bring a file into ``scratch`` under the connection's limits; see :func:`plugins.files.reading.staging.stage`."""
    limits = Limits(settings.config.max_bytes, settings.config.max_ratio)
    return stage(found, fs, scratch, limits, settings.config.encoding)


def convert(found: Found, staged: Staged, settings: Settings, folder: Path) -> Converted:
    """Turn a staged file into canonical tables.

    Args:
        found: where the file came from.
        staged: its readable copy.
        settings: the mapping and everything else that shapes the result.
        folder: an empty folder of the caller; the tables are written there, and temporary files removed again.

    Raises:
        RejectedFileError: the file as a whole cannot be used.
        StoreError: the disk is full.
    """
    work = folder / "work"
    work.mkdir(parents=True)
    try:
        converted = _converted(found, staged, settings, folder, work)
    except EmptyFileError:
        converted = Converted(notes=(f"{found.shown} is empty: no sales, or nothing to tell",))
    except duckdb.Error as error:
        raise _translated(error, found) from error
    finally:
        shutil.rmtree(work)
    if staged.changed():
        raise RejectedFileError(f"{found.shown} was written to while it was read.", code="half_written")
    return converted


def open_rows(
    found: Found, staged: Staged, settings: Settings, connection: duckdb.DuckDBPyConnection, work: Path
) -> RawRows:
    """Find the header of a staged file and return its rows; refuse one that lacks required columns."""
    profile, config = settings.profile, settings.config
    if found.format == "excel":
        raw: RawRows = open_workbook(staged, profile, config, found.shown, work)
    elif found.format == "parquet":
        raw = open_parquet(staged, profile, found.shown, connection)
    elif found.format == "jsonl":
        raw = JsonRows(staged, profile, found.shown, connection, config.max_bad_rows + 1)
    else:
        raw = CsvRows(staged, profile, config, found.shown)
    missing = raw.head.header.missing(profile, _given(found, raw.head, profile))
    if missing:
        raise _header_problem(found, raw.head, profile, missing)
    return raw


def _converted(found: Found, staged: Staged, settings: Settings, folder: Path, work: Path) -> Converted:
    """Convert; a text whose lines end now this way and now that is rewritten first, and read again."""
    try:
        with session(settings) as connection:
            raw = open_rows(found, staged, settings, connection, work)
            return _convert_rows(connection, raw, found, settings, folder, work)
    except duckdb.InvalidInputException:
        if found.format != "csv":
            raise
        again = with_plain_line_feeds(staged, work / "plain.csv")
        with session(settings) as connection:
            raw = open_rows(found, again, settings, connection, work)
            return _convert_rows(connection, raw, found, settings, folder, work)


def _convert_rows(
    connection: duckdb.DuckDBPyConnection, raw: RawRows, found: Found, settings: Settings, folder: Path, work: Path
) -> Converted:
    profile, header = settings.profile, raw.head.header
    connection.execute(f"SET memory_limit = '{settings.memory(len(header.names))}'")
    rows = write_typed(connection, raw, profile, _given(found, raw.head, profile), work / "rows.parquet")
    report = RowReport(connection, raw, rows, settings, found.shown)
    report.judge()
    if found.rows is not None and found.rows != report.data_rows:
        raise _wrong_count(found, report.data_rows)
    tables, notes = _tables(connection, rows, settings, found.shown, folder)
    notes = [*report.notes(), *notes, *_kind_notes(connection, rows)]
    if not report.data_rows:
        notes.append("it has a header and no rows: no sales, or nothing to tell")
    return Converted(
        tables=tables,
        rejects=tuple(report.rejects()),
        notes=tuple(f"{found.shown}: {note}" for note in notes),
        fields=tuple(sorted({*header.fields, *header.tenders})),
        unknown=tuple(header.unknown),
    )


def _tables(
    connection: duckdb.DuckDBPyConnection, rows: TypedRows, settings: Settings, shown: str, folder: Path
) -> tuple[dict[str, Path], list[str]]:
    if rows.stream is not StreamName.ORDERS:
        writer = ListWriter(connection, rows, settings)
        notes = writer.prepare()
        return writer.write(folder), notes
    tickets = Tickets(connection, rows, settings.profile, shown)
    tickets.prepare()
    notes = check_tickets(tickets)
    return TicketWriter(tickets, settings).write(folder), notes


def _kind_notes(connection: duckdb.DuckDBPyConnection, rows: TypedRows) -> list[str]:
    """Name the types of ticket the mapping has no word for; their rows count by the sign of their quantity."""
    if rows.stream is not StreamName.ORDERS or "kind" not in rows.fields:
        return []
    unknown = connection.execute(
        'SELECT "kind", count(*) AS n FROM good WHERE "kind" IS NOT NULL AND row_kind IS NULL GROUP BY ALL ORDER BY n DESC LIMIT 5'
    ).fetchall()
    if not unknown:
        return []
    named = ", ".join(f"{kind} ({count} rows)" for kind, count in unknown)
    return [f"types the mapping has no kind for, counted by their sign: {named}"]


def _given(found: Found, head: Head, profile: Profile) -> dict[str, str]:
    """Return what constants, the path and the title say of fields."""
    given = dict(profile.constants)
    for pattern, text in ((profile.patterns.title, head.title), (profile.patterns.path, found.name)):
        match = re.search(pattern, text) if pattern else None
        if match:
            given |= {name: value for name, value in match.groupdict().items() if value}
    days = {f"{year}-{int(month):02}-{int(day):02}" for year, month, day in _DATE.findall(head.title)}
    dated = {"ordered_date", "business_date"} & {*head.header.fields, *given}
    if profile.stream is StreamName.ORDERS and len(days) == 1 and not dated:
        given["ordered_date"] = days.pop()
    return given


def _header_problem(found: Found, head: Head, profile: Profile, missing: list[tuple[str, ...]]) -> RejectedFileError:
    parts = []
    for alternatives in missing:
        usual = [header for name in alternatives for header in profile.columns.get(name, ())[:2]]
        near = nearest(alternatives, head.header, profile)
        looks = f"; nearest in the file: {', '.join(near)}" if near else ""
        parts.append(f"{' or '.join(alternatives)} (e.g. {', '.join(usual[:4])}{looks})")
    return RejectedFileError(
        f"{found.shown}, row {head.row + 1}: the header lacks {'; '.join(parts)}. Found: {', '.join(head.header.names)[:300]}.",
        code="header_changed",
        hint="If the export was changed on purpose, add the new header to the mapping ([connections.….mapping.columns]); "
        "else export the file again with these columns.",
    )


def _wrong_count(found: Found, rows: int) -> RejectedFileError:
    return RejectedFileError(
        f"{found.shown} has {rows:,} rows, but its marker promises {found.rows:,}.",
        code="row_count_differs",
        hint="It was probably sent while it was still being written; send both again.",
    )


def _translated(error: duckdb.Error, found: Found) -> RejectedFileError | StoreError:
    text = str(error)
    if "No space left" in text or ("disk" in text.lower() and "full" in text.lower()):
        return StoreError(
            f"The disk is full: {found.shown} could not be converted.",
            code="disk_full",
            hint="Free space on the volume of the hub's home; the next run goes on with this file.",
        )
    if isinstance(error, duckdb.OutOfMemoryException):
        return RejectedFileError(
            f"{found.shown} needs more memory than this connection may use.",
            code="memory_short",
            hint="Raise memory of this connection, or lower its threads.",
        )
    return RejectedFileError(
        f"{found.shown} cannot be read: {type(error).__name__}.",
        code="file_unreadable",
        hint="Open it in an editor or spreadsheet to see whether it is damaged; the log has the engine's own words.",
    )
