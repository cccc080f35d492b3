"""``hub runs``: what was executed, when, and how it ended."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hub.cli.answer import Answer
from hub.cli.app import LOOK, verb
from hub.cli.options import LIMIT
from hub.cli.session import Session

if TYPE_CHECKING:
    from hub.show.screen import Screen
    from hub.store.tables import Run

__all__ = ["runs"]


@verb(LOOK, "hub runs", "hub runs --stage ingest --subject pos/orders")
def runs(
    session: Session,
    *,
    stage: Annotated[
        str | None, typer.Option(help="Only of this stage: ingest, load, resolve, score, segment, publish or push.")
    ] = None,
    subject: Annotated[str | None, typer.Option(help="Only on this: CONNECTION/STREAM or a sync's name.")] = None,
    limit: Annotated[int, LIMIT] = 20,
) -> Answer:
    """List what was executed, the newest first, with counts, notes and the reason of a failure."""
    _require_stage(stage)
    with session.hub() as hub:
        found = hub.store.runs.list(stage=stage, subject=subject, limit=limit)
    return Answer({"runs": [_document(run) for run in found]}, lambda screen: _show(screen, found))


def _require_stage(stage: str | None) -> None:
    from hub.config_problems import nearest
    from hub.errors import ConfigError
    from hub.pipeline.run import STAGES

    known = (*STAGES, "load")
    if stage is not None and stage not in known:
        raise ConfigError(f"{stage!r} is no stage.", code="stage_unknown", hint=nearest(stage, known))


def _document(run: Run) -> dict[str, Any]:
    return {
        "id": run.id, "stage": run.stage, "subject": run.subject, "state": run.state,
        "started_at": run.started_at, "ended_at": run.ended_at, "as_of": run.as_of,
        "counts": run.counts, "notes": run.notes, "error_code": run.error_code, "error_message": run.error_message,
    }  # fmt: skip


def _show(screen: Screen, found: Sequence[Run]) -> None:
    from hub.cli.history import short

    rows = [((short(r.id), r.started_at, f"{r.stage} {r.subject}".strip(), r.state, _took(r)), _what(r)) for r in found]
    screen.listing(rows, empty="Nothing has been run yet: hub run")


def _took(run: Run) -> str:
    return f"{(run.ended_at - run.started_at).total_seconds():.1f} s" if run.ended_at else ""


def _what(run: Run) -> str:
    from hub.cli.history import counts_text

    parts = [counts_text(run.counts), run.error_message or "", *run.notes]
    return "\n".join(part for part in parts if part)
