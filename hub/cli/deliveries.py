"""``hub deliveries``: what was sent to whom, and what became of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hub.cli import complete
from hub.cli.answer import Answer
from hub.cli.app import LOOK, verb
from hub.cli.options import LIMIT, RUN
from hub.cli.session import Session

if TYPE_CHECKING:
    from hub.context import Hub
    from hub.pipeline.push_retry import Again
    from hub.show.screen import Screen
    from hub.store.tables import Delivery, LedgerEntry

__all__ = ["deliveries", "delivery_document"]


@verb(LOOK, "hub deliveries --sync champions_to_crm", "hub deliveries --outcome rejected")
def deliveries(
    session: Session,
    *,
    sync: Annotated[str | None, typer.Option(help="Only of this sync.", autocompletion=complete.syncs)] = None,
    customer: Annotated[str | None, typer.Option(metavar="ID", help="Only of this customer's id.")] = None,
    outcome: Annotated[
        str | None,
        typer.Option(
            help="Only with this outcome: sending, accepted, unchanged, invalid, suppressed, rejected, deferred, unknown."
        ),
    ] = None,
    run: Annotated[str | None, RUN] = None,
    limit: Annotated[int, LIMIT] = 20,
) -> Answer:
    """List operations that were sent, or were about to be, with their outcome, its reason, and when they are tried again.

    The newest come first. With --json, rows that failed show what was sent and what came back, personal data masked.
    """
    from hub.cli.history import run_id_of

    _require_outcome(outcome)
    with session.hub() as hub:
        _require_sync(hub, sync)
        found = hub.store.deliveries.find(
            sync=sync, outcome=outcome, customer_id=customer, run_id=run_id_of(hub, run), limit=limit
        )
        entries = hub.store.ledger.of(found)
        retries = {one.id: _again(hub, one, entries.get((one.connection, one.target, one.key))) for one in found}
    document = [
        delivery_document(one) | {"again_at": retries[one.id].at, "again": retries[one.id].words} for one in found
    ]
    return Answer({"deliveries": document}, lambda screen: _show(screen, found, retries))


def _again(hub: Hub, one: Delivery, entry: LedgerEntry | None) -> Again:
    from hub.pipeline.push_retry import again
    from hub.sync_settings import SyncSettings

    settings = hub.settings.syncs.get(one.sync)
    days = settings.give_up_days if settings else int(SyncSettings.model_fields["give_up_days"].default)
    return again(entry, one, days)


def _require_outcome(outcome: str | None) -> None:
    from hub.config_problems import nearest
    from hub.destination import OutcomeStatus
    from hub.errors import ConfigError

    known = ("sending", *(status.value for status in OutcomeStatus))
    if outcome is not None and outcome not in known:
        raise ConfigError(f"{outcome!r} is no outcome.", code="outcome_unknown", hint=nearest(outcome, known))


def _require_sync(hub: Hub, sync: str | None) -> None:
    """A misspelt sync must not look like one that sent nothing; one that is gone from hub.toml has its history still."""
    from hub.cli.syncs import sync_unknown

    if sync is not None and sync not in hub.settings.syncs and not hub.store.deliveries.find(sync=sync, limit=1):
        raise sync_unknown(hub, sync)


def delivery_document(one: Delivery) -> dict[str, Any]:
    """Return a delivery as JSON types; its key is masked when it is not the hub's own id."""
    return {
        "id": one.id, "run": one.run_id, "sync": one.sync, "connection": one.connection, "target": one.target,
        "key": masked_key(one), "customer_id": one.customer_id, "operation": one.operation, "outcome": one.outcome,
        "code": one.code, "message": one.message, "request": one.request, "response": one.response, "http_status": one.http_status, "attempts": one.attempts,
        "intended_at": one.intended_at, "decided_at": one.decided_at,
    }  # fmt: skip


def masked_key(one: Delivery) -> str:
    """Return the key a row was addressed by; a phone or openid is masked."""
    from hub.cli.masking import mask_identifier

    return one.key if one.key == one.customer_id else mask_identifier(one.key)


def _show(screen: Screen, found: Sequence[Delivery], retries: Mapping[str, Again]) -> None:
    screen.table(
        ("Sent", "Sync", "Customer", "Did", "Outcome", "Reason", "Again"),
        [
            (d.intended_at, d.sync, d.customer_id, d.operation, d.outcome, d.message or d.code, retries[d.id].words)
            for d in found
        ],
        empty="No delivery.",
    )
