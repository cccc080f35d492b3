"""``hub cursor``: how far each stream has been read; put it elsewhere."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hub.cli import complete
from hub.cli.answer import Answer, ExitCode
from hub.cli.app import MEND, group, verb
from hub.cli.session import Session

if TYPE_CHECKING:
    from hub.show.screen import Screen
    from hub.store.tables import Cursor

__all__ = ["set_", "show"]

_group = group("cursor", "Show or set how far streams have been read.", MEND)


@verb(MEND, "hub cursor show", "hub cursor show pos orders", under=_group)
def show(
    session: Session,
    connection: Annotated[
        str | None, typer.Argument(help="Only of this connection.", autocompletion=complete.connections)
    ] = None,
    stream: Annotated[str | None, typer.Argument(help="Only of this stream.")] = None,
) -> Answer:
    """Show how far each stream has been read."""
    with session.hub() as hub:
        if connection is not None:
            hub.connection(connection)
        found = [
            cursor
            for cursor in hub.store.packages.cursors()
            if connection in {None, cursor.connection} and stream in {None, cursor.stream}
        ]
    code = ExitCode.FINE if found or connection is None else ExitCode.PARTIAL
    return Answer({"cursors": [_document(cursor) for cursor in found]}, lambda screen: _show(screen, found), code)


def _document(cursor: Cursor) -> dict[str, Any]:
    return {
        "connection": cursor.connection,
        "stream": cursor.stream,
        "partition": cursor.partition,
        "state": cursor.state,
        "moved_at": cursor.moved_at,
        "full_read_under_way": cursor.sweep is not None,
    }


def _show(screen: Screen, found: Sequence[Cursor]) -> None:
    screen.table(
        ("Stream", "Moved", "State"),
        [
            (_subject(c.connection, c.stream, c.partition), c.moved_at, json.dumps(c.state, ensure_ascii=False))
            for c in found
        ],
        empty="Nothing has been read yet.",
    )


def _subject(*parts: str) -> str:
    return "/".join(part for part in parts if part)


@verb(
    MEND,
    "hub cursor set pos orders '{}'",
    'hub cursor set shop orders \'{"after": "2026-03-01"}\'',
    name="set",
    under=_group,
)
def set_(
    session: Session,
    connection: Annotated[str, typer.Argument(help="A connection of hub.toml.", autocompletion=complete.connections)],
    stream: Annotated[str, typer.Argument(help="One of its streams.")],
    state: Annotated[
        str, typer.Argument(metavar="JSON", help="The new state, a JSON object; {} reads from the beginning.")
    ],
    *,
    partition: Annotated[str, typer.Option(help="Of this part of a stream that is read in parts.")] = "",
) -> Answer:
    """Put a stream's cursor where the next read shall go on.

    What is read again changes nothing; what is skipped is missing until it is read. The old state is shown and written
    down, so that it can be put back. Refused while the stream is being read.
    """
    from hub.cli.streams import stream_of

    wanted = _parsed(state)
    with session.hub() as hub:
        with hub.source(connection) as source:
            stream_of(source, connection, stream)
        subject = _subject(connection, stream, partition)
        with hub.store.leases.hold(f"ingest {subject}"):
            before = hub.store.packages.cursor(connection, stream, partition)
            old = dict(before.state) if before is not None else {}
            hub.store.packages.set_cursor(connection, stream, partition, wanted)
            hub.store.audit("cursor_set", subject, {"from": old, "to": wanted})
    document = {"connection": connection, "stream": stream, "partition": partition, "before": old, "state": wanted}
    return Answer(
        document,
        lambda screen: screen.facts(
            {
                "Stream": subject,
                "Before": json.dumps(old, ensure_ascii=False),
                "Now": json.dumps(wanted, ensure_ascii=False),
            }
        ),
    )


def _parsed(text: str) -> dict[str, Any]:
    from hub.errors import ConfigError

    try:
        found = json.loads(text)
    except ValueError as error:
        raise ConfigError(f"The state is not JSON: {error}.", code="state_invalid", hint=_HINT) from error
    if not isinstance(found, dict):
        raise ConfigError("The state must be a JSON object.", code="state_invalid", hint=_HINT)
    return found


_HINT = 'Write it like \'{"after": "2026-03-01"}\'; `hub cursor show` shows what it looks like now.'
