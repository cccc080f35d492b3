"""``hub ingest``: read every stream and load it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from hub.cli import complete
from hub.cli.answer import Answer, ExitCode
from hub.cli.app import STAGES, verb
from hub.cli.session import Session
from hub.show.stages import show_ingest, stream_subject

if TYPE_CHECKING:
    from hub.pipeline.ingest import IngestReport, StreamReport

__all__ = [
    "ingest",
    "ingest_problems",
]


@verb(STAGES, "hub ingest", "hub ingest pos --stream orders")
def ingest(
    session: Session,
    connections: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[CONNECTION]...",
            help="Connections to read; all when none is named.",
            autocompletion=complete.connections,
        ),
    ] = None,
    *,
    stream: Annotated[list[str] | None, typer.Option(help="Only this stream; may be repeated.")] = None,
) -> Answer:
    """Read what is new from every connection and load it into the warehouse.

    A stream that fails does not stop the others, and a rejected row does not stop its stream. Running it again changes
    nothing that was read before.
    """
    from hub import ingest as stage
    from hub.cli.outcome import of_ingest

    with session.hub() as hub:
        report = stage(hub, connections or (), stream or ())
    if not report.streams:
        return Answer(
            report, lambda screen: screen.line("No connection to read from: add one to hub.toml."), ExitCode.NOTHING
        )
    return Answer(report, lambda screen: show_ingest(screen, report), of_ingest(report), ingest_problems(report))


def ingest_problems(report: IngestReport) -> list[Exception]:
    """Return the faults of streams, and why the load was put off."""
    found: list[Exception] = [_placed(stream) for stream in report.failed if stream.error is not None]
    return [*found, report.load_error] if report.load_error is not None else found


def _placed(report: StreamReport) -> Exception:
    error = report.error
    if error is not None:
        error.context.setdefault("stream", stream_subject(report))
    return error or Exception()
