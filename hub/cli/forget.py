"""``hub forget``: take everything the hub keeps of one person away, for good."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hub.cli.answer import Answer, ExitCode
from hub.cli.app import MEND, verb
from hub.cli.session import Session

if TYPE_CHECKING:
    from hub.context import Hub
    from hub.pipeline.forget import ForgetReport
    from hub.show.screen import Screen

__all__ = ["forget"]

_WHAT = {
    "warehouse.orders": "made anonymous",
    "packages.orders": "made anonymous",
    "store.rejects": "emptied",
    "ledgers": "file removed",
}
_NOT_CLEARED = "Not cleared: look after it yourself"


@verb(
    MEND,
    "hub forget 15400000001 --reason 'request 2026-118' --dry-run",
    "hub forget pos:1001 --reason 'request 2026-118' --yes",
    "hub forget --finish",
)
def forget(
    session: Session,
    query: Annotated[
        str, typer.Argument(help="A profile (CONNECTION:ID), phone, card or customer id.", show_default=False)
    ] = "",
    *,
    reason: Annotated[
        str, typer.Option("--reason", "-r", help="Why; kept in the audit log, so name no person: the request's number.")
    ] = "",
    actor: Annotated[str, typer.Option("--actor", help="Who does it; the user of this machine unless given.")] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only tell what would go.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    finish: Annotated[
        bool, typer.Option("--finish", help="Only carry to their end what an interrupted command left open.")
    ] = False,
) -> Answer:
    """Delete everything the hub keeps of one person (删除权), in every place; tickets stay without their buyer.

    It cannot be undone. What the platforms give again later stays out as long as it is of before; a person who registers or
    buys again is a new customer. What was pushed to platforms is theirs: it is listed, and must be deleted there.
    """
    from hub.pipeline.forget import ForgetReport, finish_erasures
    from hub.pipeline.forget import forget as stage

    _require_whom(query, reason, finish=finish)
    with session.hub() as hub:
        if finish:
            ended = ForgetReport(finished=finish_erasures(hub), done=True)
            return Answer(_document(ended), lambda screen: _show(screen, ended))
        if not (dry_run or yes) and not _is_wanted(session, hub, query, reason):
            return Answer({"done": False}, lambda screen: screen.line("Nothing was deleted."), ExitCode.PARTIAL)
        done = stage(hub, query, reason=reason, actor=actor, dry_run=dry_run)
    return Answer(_document(done), lambda screen: _show(screen, done))


def _require_whom(query: str, reason: str, *, finish: bool) -> None:
    """Refuse a command that does not say whom to forget and why.

    Raises:
        ConfigError: ``usage``.
    """
    from hub.errors import ConfigError

    wrong = (
        "--finish takes nobody's name: it ends what is open." if finish and query else
        "Say whom to forget." if not finish and not query else
        "Say why, with --reason." if not finish and not reason else ""
    )  # fmt: skip
    if wrong:
        raise ConfigError(wrong, code="usage", hint="`hub forget --help` shows how.")


def _is_wanted(session: Session, hub: Hub, query: str, reason: str) -> bool:
    """Show what would go and ask.

    Raises:
        ConfigError: there is nobody to ask.
    """
    from hub.errors import ConfigError
    from hub.pipeline.forget import forget as stage

    if session.as_json or not sys.stdin.isatty():
        raise ConfigError(
            "Forgetting cannot be undone, and there is nobody to ask.",
            code="confirmation_needed",
            hint="Look with --dry-run first, then say --yes.",
        )
    found = stage(hub, query, reason=reason, dry_run=True)
    session.clear()
    session.show(lambda screen: _show(screen, found))
    return typer.confirm("Delete all of this for good?")


def _document(done: ForgetReport) -> dict[str, Any]:
    return {
        "customer_id": done.customer,
        "done": done.done,
        "rows": dict(done.counts),
        "at_destinations": dict(done.at_destinations),
        "left": list(done.left),
        "finished": list(done.finished),
        "left_by_finished": {erasure: list(left) for erasure, left in done.finished.items()},
    }


def _show(screen: Screen, done: ForgetReport) -> None:
    if done.finished:
        _show_finished(screen, done)
    elif done.done and not done.counts:
        screen.line("Nothing was left open.")
    if not done.counts:
        return
    screen.facts({"Customer": done.customer or "none, only what a platform had deleted"})
    past = done.done
    rows = [
        (place, count, _WHAT.get(place, "deleted") if past else f"would be {_WHAT.get(place, 'deleted')}")
        for place, count in done.counts.items()
    ]
    screen.table(("Place", ">Rows", ""), rows)
    if done.at_destinations:
        screen.heading("Still at destinations: delete it there")
        screen.table(("Destination", ">Rows"), list(done.at_destinations.items()))
    if done.left:
        screen.heading(_NOT_CLEARED)
        for place in done.left:
            screen.line(f"- {place}")
    screen.line("Gone, for good." if past else "Nothing was deleted: this was a trial.")


def _show_finished(screen: Screen, done: ForgetReport) -> None:
    screen.line(f"Finished: {len(done.finished)} that an earlier command had left open.")
    rows = [(erasure, place) for erasure, left in done.finished.items() for place in left]
    if rows:
        screen.heading(_NOT_CLEARED)
        screen.table(("Erasure", "Place"), rows)
