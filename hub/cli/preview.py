"""``hub preview``: the first records of a stream as the hub would store them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hub.cli import complete
from hub.cli.answer import Answer, ExitCode
from hub.cli.app import SET_UP, verb
from hub.cli.options import REVEAL
from hub.cli.session import Session

if TYPE_CHECKING:
    import pyarrow as pa

    from hub.context import Hub
    from hub.show.screen import Screen
    from hub.source import BulkData, Page, Reject, Stream

__all__ = ["preview"]

_MOST_REJECTS = 5


@dataclass
class _Found:
    """What a preview found: rows of the record's table with their child rows under the field's name."""

    record: str
    rows: list[dict[str, Any]] = field(default_factory=list)
    rejects: list[Reject] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


@verb(SET_UP, "hub preview pos orders", "hub preview pos orders --rows 20 --json")
def preview(
    session: Session,
    connection: Annotated[str, typer.Argument(help="A connection of hub.toml.", autocompletion=complete.connections)],
    stream: Annotated[str, typer.Argument(help="One of its streams, see `hub describe`.")],
    *,
    rows: Annotated[int, typer.Option(min=1, max=1_000, help="How many records.")] = 5,
    reveal: Annotated[bool, REVEAL] = False,
) -> Answer:
    """Show the first records of a stream as the hub would store them; nothing is stored.

    Reads from the beginning, whatever was ingested before. Personal data is masked unless --reveal is given.
    """
    from hub.cli.masking import note_reveal

    with session.hub() as hub:
        if reveal:
            note_reveal(hub, "preview", f"{connection}/{stream}")
        found = _read(hub, connection, stream, rows)
    if not reveal:
        found = _masked(found)
    document = {"record": found.record, "rows": found.rows, "rejects": _reject_documents(found), "notes": found.notes}
    code = ExitCode.FINE if found.rows or not found.rejects else ExitCode.PARTIAL
    return Answer(document, lambda screen: _show(screen, found), code)


def _read(hub: Hub, connection: str, name: str, rows: int) -> _Found:
    from hub.cli.streams import stream_of
    from hub.plugins import contained

    secrets = hub.connection(connection).secrets
    with hub.source(connection) as source, contained(f"Reading {connection}/{name}", secrets):
        stream = stream_of(source, connection, name)
        found = _Found(stream.record.table)
        pages = _pages(stream)
        for page in pages:
            found.rejects += page.rejects
            found.notes += page.notes
            found.rows += _rows_of(stream, page, rows - len(found.rows))
            if len(found.rows) >= rows:
                break
        close = getattr(pages, "close", None)
        if close is not None:
            close()
        return found


def _pages(stream: Stream) -> Iterator[Page]:
    if stream.partitions is None:
        yield from stream.read({})
        return
    for partition in stream.partitions():
        yield from stream.read({}, partition)


def _rows_of(stream: Stream, page: Page, wanted: int) -> list[dict[str, Any]]:
    """Turn the first records of a page into rows, each with its child rows."""
    from hub.columns import child_tables, to_arrow

    tables: Mapping[str, BulkData] = page.tables
    if page.records:
        tables = to_arrow(stream.record, list(islice(page.records, wanted)))
    if stream.record.table not in tables:
        return []
    rows: list[dict[str, Any]] = _first(tables[stream.record.table], wanted).to_pylist()
    by_id = {row["source_id"]: row for row in rows}
    for child in child_tables(stream.record):
        name = child.name.removeprefix(f"{stream.record.table}_")
        for row in rows:
            row[name] = []
        if child.name in tables:
            for part in _children(tables[child.name], list(by_id)):
                parent = by_id[part.pop("source_id")]
                parent[name].append({key: value for key, value in part.items() if key != "position"})
    return rows


def _first(data: BulkData, rows: int) -> pa.Table:
    import pyarrow as pa
    import pyarrow.dataset as ds

    if isinstance(data, pa.Table):
        return data.slice(0, rows)
    if isinstance(data, pa.RecordBatchReader):
        return pa.Table.from_batches(islice(data, 1), schema=data.schema).slice(0, rows)
    return ds.dataset(data, format="parquet").head(rows)


def _children(data: BulkData, ids: list[str]) -> list[dict[str, Any]]:
    """Return the child rows of some records, in their order."""
    import pyarrow as pa
    import pyarrow.dataset as ds

    wanted = ds.field("source_id").isin(ids)
    if isinstance(data, pa.Table):
        table = data.filter(wanted)
    elif isinstance(data, pa.RecordBatchReader):
        table = ds.Scanner.from_batches(data, filter=wanted).to_table()
    else:
        table = ds.dataset(data, format="parquet").to_table(filter=wanted)
    found: list[dict[str, Any]] = table.sort_by([("source_id", "ascending"), ("position", "ascending")]).to_pylist()
    return found


def _masked(found: _Found) -> _Found:
    from hub.cli.masking import mask_row
    from hub.redaction import redact

    rows = []
    for row in found.rows:
        flat = mask_row(found.record, {key: value for key, value in row.items() if not _is_children(value)})
        parts = {
            key: [mask_row(f"{found.record}_{key}", part) for part in value]
            for key, value in row.items()
            if _is_children(value)
        }
        rows.append({key: flat.get(key, parts.get(key)) for key in row})
    return _Found(found.record, rows, found.rejects, [redact(note) for note in found.notes])


def _is_children(value: Any) -> bool:
    return isinstance(value, list) and (not value or isinstance(value[0], dict))


def _reject_documents(found: _Found) -> list[dict[str, Any]]:
    return [
        {"location": reject.location, "column": reject.column, "code": reject.code, "reason": reject.reason}
        for reject in found.rejects
    ]


def _show(screen: Screen, found: _Found) -> None:
    for number, row in enumerate(found.rows, start=1):
        screen.heading(f"{found.record} {number}")
        screen.facts({key: value for key, value in row.items() if not _is_children(value) and value not in (False, 0)})
        for key, parts in row.items():
            if parts and _is_children(parts):
                screen.line(key, "dim", indent=2)
                for part in parts:
                    screen.line(_one_line(part), indent=4)
    if not found.rows:
        screen.line("The stream gave no record.")
    if found.rejects:
        screen.heading(f"Rejected rows: {len(found.rejects):,}")
        shown = found.rejects[:_MOST_REJECTS]
        screen.table(("Where", "Column", "Reason"), [(r.location, r.column, r.reason) for r in shown])
    screen.notes(found.notes)


def _one_line(part: Mapping[str, Any]) -> str:
    from hub.show.screen import text_of

    shown = {key: text_of(value) for key, value in part.items() if value not in (None, "", [], False)}
    return "  ".join(f"{key}={text}" for key, text in shown.items() if text != "0")
