"""``hub rejects``: rows that could not be used, with the reason."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hub.cli import complete
from hub.cli.answer import Answer
from hub.cli.app import LOOK, verb
from hub.cli.options import LIMIT, REVEAL, RUN
from hub.cli.session import Session

if TYPE_CHECKING:
    from hub.show.screen import Screen
    from hub.store.tables import RejectedRow

__all__ = ["rejects"]


@verb(LOOK, "hub rejects", "hub rejects --connection pos --code invalid_amount --reveal")
def rejects(
    session: Session,
    *,
    connection: Annotated[
        str | None, typer.Option(help="Only of this connection.", autocompletion=complete.connections)
    ] = None,
    code: Annotated[str | None, typer.Option(help="Only with this reason's code.")] = None,
    run: Annotated[str | None, RUN] = None,
    limit: Annotated[int, LIMIT] = 20,
    reveal: Annotated[bool, REVEAL] = False,
) -> Answer:
    """List rows that could not be used: where they stand, which column, why.

    The rows themselves are shown with --reveal only. Mend them at their source and send them again: what was loaded
    already is not counted twice.
    """
    from hub.cli.history import run_id_of
    from hub.cli.masking import note_reveal

    with session.hub() as hub:
        if connection is not None:
            hub.connection(connection)
        found = hub.store.packages.rejects(connection=connection, run_id=run_id_of(hub, run), code=code, limit=limit)
        if reveal and found:
            note_reveal(hub, "rejects", connection or "*")
    document = {"rejects": [_document(row, reveal=reveal) for row in found]}
    return Answer(document, lambda screen: _show(screen, found, reveal=reveal))


def _document(row: RejectedRow, *, reveal: bool) -> dict[str, Any]:
    from hub.redaction import redact

    source_id = row.source_id if reveal or row.source_id is None else redact(row.source_id)
    shown = {
        "at": row.at, "run": row.run_id, "connection": row.connection, "stream": row.stream, "location": row.location,
        "column": row.column, "code": row.code, "reason": row.reason, "source_id": source_id,
    }  # fmt: skip
    return {**shown, "raw": row.raw} if reveal else shown


def _show(screen: Screen, found: Sequence[RejectedRow], *, reveal: bool) -> None:
    if not found:
        screen.line("No rejected row.")
        return
    counted = Counter((f"{row.connection}/{row.stream}", row.code) for row in found)
    if len(counted) > 1:
        rows = [(stream, code, count) for (stream, code), count in counted.most_common()]
        screen.table(("Stream", "Code", ">Rows"), rows)
        screen.line()
    rows_shown = [(row.location, row.column, f"{row.reason} [{row.code}]") for row in found]
    screen.table(("Where", "Column", "Reason"), rows_shown)
    if reveal:
        screen.heading("As they came")
        for row in found:
            screen.line(f"{row.location}: {row.raw or ''}")
