"""``hub sync``: look at one sync's runs, and bring the hub and a destination into agreement again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from hub.cli import complete
from hub.cli.answer import Answer
from hub.cli.app import LOOK, MEND, group, verb
from hub.cli.options import LIMIT
from hub.cli.session import Session

if TYPE_CHECKING:
    from hub.pipeline.reconcile import DriftReport
    from hub.show.screen import Screen

__all__ = ["adopt", "history", "on", "reconcile", "resend"]

_group = group("sync", "One sync: its history, its target switched on again, full resync in three ways.", MEND)
_SYNC = typer.Argument(help="A sync of hub.toml.", autocompletion=complete.syncs)


@verb(MEND, "hub sync on champions_to_crm", under=_group)
def on(
    session: Session,
    sync: Annotated[str, _SYNC],
) -> Answer:
    """Let a sync's target be written again.

    A target is switched off when its destination says that it is gone for good (HTTP 410). The next push sends what has
    changed since. Who switched it on is written down.
    """
    from hub.cli.syncs import sync_named

    with session.hub() as hub:
        settings = sync_named(hub, sync)
        subject = f"{settings.to}/{settings.target}"
        state = hub.store.deliveries.target_state(settings.to, settings.target)
        was_off = hub.store.deliveries.switch_on(settings.to, settings.target)
        if was_off and state is not None:
            hub.store.audit(
                "target_on", subject, {"sync": sync, "was_off_since": state.since.isoformat(), "code": state.code}
            )
    document = {"sync": sync, "target": subject, "was_off": was_off, "state": "on"}
    return Answer(document, lambda screen: _show(screen, sync, subject, was_off=was_off))


def _show(screen: Screen, sync: str, subject: str, *, was_off: bool) -> None:
    if was_off:
        screen.line(f"Target {subject} is on again. Send what has changed since: hub push {sync}")
    else:
        screen.line(f"Target {subject} was on already.")


@verb(MEND, "hub sync reconcile champions_to_crm", "hub sync reconcile champions_to_crm --repair", under=_group)
def reconcile(
    session: Session,
    sync: Annotated[str, _SYNC],
    *,
    repair: Annotated[
        bool, typer.Option("--repair", help="Put both sides right: the ledger, and the destination.")
    ] = False,
    remove_unknown: Annotated[
        bool, typer.Option("--remove-unknown", help="With --repair: remove what the hub never put there too.")
    ] = False,
) -> Answer:
    """Read a sync's target back and show where it differs from what the hub thinks is there.

    With --repair what is missing or different is sent again, and leavers the hub had put there are removed.
    """
    from hub.cli.outcome import of_drift
    from hub.pipeline.reconcile import reconcile as work

    with session.hub() as hub:
        report = work(hub, sync, repair=repair, remove_unknown=remove_unknown)
    return Answer(report, lambda screen: _show_drift(screen, report), of_drift(report))


def _show_drift(screen: Screen, report: DriftReport) -> None:
    from dataclasses import asdict

    from hub.cli.masking import mask_identifier

    found = {name: rows for name, rows in asdict(report.drift).items() if rows}
    screen.table(
        ("Rows are", ">Rows"), [(name.replace("_", " "), rows) for name, rows in found.items()], empty="No row."
    )
    for name, rows in report.sample.items():
        keys = [
            str(row["key"]) if row["key"] == row["customer_id"] else mask_identifier(str(row["key"])) for row in rows
        ]
        if keys:
            screen.line(f"{name.replace('_', ' ')}: {', '.join(keys)}", "dim")
    if report.pushed is not None:
        screen.line(f"Repaired: {report.corrected:,} ledger entries; sent: {report.pushed.outcomes or 'nothing'}.")
    elif report.drift.drifted:
        screen.line(f"To put it right: hub sync reconcile {report.sync} --repair")


@verb(MEND, "hub sync resend champions_to_crm", under=_group)
def resend(session: Session, sync: Annotated[str, _SYNC]) -> Answer:
    """Forget what a sync's destination accepted: the next push sends every row again, and removes leavers."""
    from hub.pipeline.reconcile import resend as work

    with session.hub() as hub:
        report = work(hub, sync)
    return Answer(report, lambda screen: screen.line(f"{report.rows:,} rows will be sent again: hub push {sync}"))


@verb(MEND, "hub sync adopt champions_to_crm", under=_group)
def adopt(session: Session, sync: Annotated[str, _SYNC]) -> Answer:
    """Take what a sync wants for what its destination has: forget the difference, send nothing until it changes."""
    from hub.pipeline.reconcile import adopt as work

    with session.hub() as hub:
        report = work(hub, sync)
    return Answer(report, lambda screen: screen.line(f"{report.rows:,} rows are taken as they are."))


@verb(LOOK, "hub sync history champions_to_crm", under=_group)
def history(session: Session, sync: Annotated[str, _SYNC], *, limit: Annotated[int, LIMIT] = 20) -> Answer:
    """List a sync's runs, the newest first: how each ended, what was planned, and every row's outcome in numbers."""
    from hub.cli.history import counts_text, short

    with session.hub() as hub:
        runs = hub.store.runs.list(stage="push", subject=sync, limit=limit)
        if not runs:
            from hub.cli.syncs import sync_named

            sync_named(hub, sync)
    document = {
        "sync": sync,
        "runs": [
            {"id": run.id, "state": run.state, "started_at": run.started_at, "ended_at": run.ended_at, "counts": run.counts,
             "notes": run.notes, "error_code": run.error_code, "error": run.error_message} for run in runs
        ],
    }  # fmt: skip
    rows = [
        (short(r.id), r.started_at, r.state, counts_text(r.counts), r.error_message or " ".join(r.notes)) for r in runs
    ]
    return Answer(
        document, lambda screen: screen.table(("Run", "Began", "State", "Rows", "Why"), rows, empty="Never pushed.")
    )
