"""``hub consent``: what people said about being written to, by purpose and channel."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hub.cli.answer import Answer, ExitCode
from hub.cli.app import MEND, group, verb
from hub.cli.options import REVEAL
from hub.cli.session import Session

if TYPE_CHECKING:
    from hub.pipeline.consent import ConsentReport
    from hub.show.screen import Screen
    from hub.store.push_tables import Consent

__all__ = ["import_", "set_", "show"]

_group = group("consent", "What people said about being written to: show, set, import.", MEND)

_WHO = typer.Argument(metavar="QUERY", help="A profile (CONNECTION:ID), phone, card or customer id.")
_ACTOR = typer.Option("--actor", help="Who records it; the user of this machine unless given.")
_SHOWN = 20


@verb(MEND, "hub consent show 15400000001", under=_group)
def show(session: Session, query: Annotated[str, _WHO], *, reveal: Annotated[bool, REVEAL] = False) -> Answer:
    """Show what a customer said, for which purpose and channel, where and when.

    A no about a purpose and channel, or about everything, wins over a yes; the profiles' own marketing_consent counts too.
    """
    from hub.cli.masking import note_reveal
    from hub.pipeline.consent import consents_of

    with session.hub() as hub:
        people, said, flags = consents_of(hub, query)
        if reveal:
            note_reveal(hub, "consent show", ", ".join(people))
    rows = [_row(one, reveal=reveal) for one in said]
    document = {"customers": people, "marketing_consent": flags, "said": rows}
    return Answer(document, lambda screen: _show(screen, document))


def _row(one: Consent, *, reveal: bool) -> dict[str, Any]:
    from hub.cli.masking import mask_profile

    return {
        "profile": one.profile if reveal else mask_profile(one.profile), "purpose": one.purpose, "channel": one.channel,
        "granted": one.granted, "source": one.source, "actor": one.actor, "at": one.at,
    }  # fmt: skip


def _show(screen: Screen, document: dict[str, Any]) -> None:
    flags = document["marketing_consent"]
    screen.facts({
        customer: {True: "yes by the profiles", False: "no by the profiles", None: "the profiles say nothing"}[flags.get(customer)]
        for customer in document["customers"]
    })  # fmt: skip
    screen.table(
        ("Profile", "Purpose", "Channel", "Said", "Where", "Recorded by", "When"),
        [
            (one["profile"], one["purpose"] or "every", one["channel"] or "every", "yes" if one["granted"] else "no",
             one["source"], one["actor"], one["at"]) for one in document["said"]
        ],
        empty="Nothing was said to the hub itself.",
    )  # fmt: skip


@verb(
    MEND,
    "hub consent set 15400000001 --deny --purpose marketing --channel sms --source 'call of 3 March'",
    "hub consent set pos:1001 --grant --purpose marketing",
    name="set",
    under=_group,
)
def set_(
    session: Session,
    query: Annotated[str, _WHO],
    *,
    grant: Annotated[bool, typer.Option("--grant/--deny", help="Whether they said yes or no.")],
    purpose: Annotated[str, typer.Option(help="For what, such as marketing; everything unless given.")] = "",
    channel: Annotated[str, typer.Option(help="How, such as sms; every way unless given.")] = "",
    source: Annotated[str, typer.Option(help="Where they said it.")] = "hub consent",
    actor: Annotated[str, _ACTOR] = "",
) -> Answer:
    """Record what a customer said; the next push holds to it, and it is written into the audit log.

    A profile stands for itself, anything else for all profiles of the customer. A yes under a number of several customers is
    refused; a no counts for all of them.
    """
    from hub.errors import ConfigError
    from hub.pipeline.consent import Said, record_consents

    with session.hub() as hub:
        said = Said(query.strip(), grant, purpose, channel)
        report = record_consents(hub, [said], source=source, actor=actor)
    if report.refused:
        raise ConfigError(
            report.refused[0].reason, code=report.refused[0].code,
            hint="Name a profile (CONNECTION:ID) or a customer id (`hub customer` lists them).",
        )  # fmt: skip
    return Answer(report, lambda screen: _told(screen, report))


@verb(MEND, "hub consent import opt_outs.csv --source 'call centre'", name="import", under=_group)
def import_(
    session: Session,
    file: Annotated[
        Path, typer.Argument(help="CSV in UTF-8: who, granted (yes or no), and if known purpose, channel, at.")
    ],
    *,
    source: Annotated[str, typer.Option(help="Where they said it; the file's name unless given.")] = "",
    actor: Annotated[str, _ACTOR] = "",
) -> Answer:
    """Record what many customers said. A line that cannot be used is told with its number and stops no other.

    What a person said later than the file knows stays as it is.
    """
    from hub.pipeline.consent import import_consents

    with session.hub() as hub:
        report = import_consents(hub, file, source=source, actor=actor)
    code = ExitCode.PARTIAL if report.refused else ExitCode.FINE
    return Answer(report, lambda screen: _told(screen, report), code)


def _told(screen: Screen, report: ConsentReport) -> None:
    screen.line(
        f"{report.recorded:,} of {report.statements:,} recorded"
        + (f"; {report.older:,} are older than what is known" if report.older else "")
        + "."
    )
    if report.refused:
        rows = [(one.line, one.code, one.reason) for one in report.refused[:_SHOWN]]
        screen.table((">Line", "Code", "Why"), rows)
        if len(report.refused) > _SHOWN:
            screen.line(f"… and {len(report.refused) - _SHOWN:,} more, with --json.")
