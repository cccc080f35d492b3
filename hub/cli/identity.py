"""``hub identity``: identity resolution as a whole, and what other rules would do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from hub.cli.answer import Answer
from hub.cli.app import LOOK, group, verb
from hub.cli.options import LIMIT
from hub.cli.session import Session

if TYPE_CHECKING:
    from hub.pipeline.identity_report import IdentityReport
    from hub.pipeline.link_model import Trained
    from hub.show.screen import Screen
    from identity import Preview

__all__ = ["preview", "report", "train"]

_group = group("identity", "Who is one person: sizes, alarms, and what other rules would do.", LOOK)
_MOST_SHOWN = 5
"""Profiles of one event that are named on a screen."""


@verb(LOOK, "hub identity report", under=_group)
def report(session: Session) -> Answer:
    """Show how large customers are, what is blocked, refused and waiting, and what should worry you."""
    from hub.pipeline.identity_report import identity_report

    with session.hub() as hub:
        found = identity_report(hub)
    return Answer(found, lambda screen: _show_report(screen, found))


@verb(LOOK, "hub identity preview --set kinds.phone.max_names=3", "hub identity preview -c new.toml", under=_group)
def preview(
    session: Session,
    *,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Try this setting of [identity]; may be repeated."),
    ] = None,
    limit: Annotated[int, LIMIT] = 20,
) -> Answer:
    """Tell what a change of rules would merge and split, before it is switched on.

    Compares what is in force with [identity] as hub.toml has it now and with --set. Nothing is kept.
    """
    from hub.pipeline.identity_report import changed_settings
    from hub.pipeline.identity_report import preview as stage

    with session.hub() as hub:
        tried = changed_settings(hub.settings.identity, set_ or ())
        found = stage(hub, tried)
    shown = _events(found, limit)
    document = {
        "profiles_moved": found.profiles_moved,
        "events": dict(found.counts),
        "customers": found.report.customers,
        "largest": found.report.largest,
        "review": found.report.review,
        "refused": dict(found.report.refused),
        "examples": shown,
    }
    return Answer(document, lambda screen: _show_preview(screen, document))


@verb(LOOK, "hub identity train", under=_group)
def train(session: Session) -> Answer:
    """Train a model for profiles that share no identifier, and measure it against what identifiers prove.

    Nothing uses it until identity.link_model in hub.toml names its file; `hub identity preview` tells what it would do.
    """
    from hub.pipeline.link_model import train_model

    with session.hub() as hub:
        found = train_model(hub)
    return Answer(found, lambda screen: _show_model(screen, found))


def _show_model(screen: Screen, found: Trained) -> None:
    measured = found.card["validation"]
    screen.facts(
        {
            "Model": found.file,
            "Trained on": f"{found.card['records']:,} profiles with a full name",
            "Fields": list(found.card["fields"]),
            "Pairs above identity.likely_join": measured["pairs_above"],
            "Of those identifiers can judge": f"{measured['provable']:,}, {measured['precision'] or 0:.2%} are proven one",
            "Of what identifiers prove it finds": f"{measured['recall'] or 0:.2%}",
        }
    )
    screen.line(f"Try it: hub identity preview --set 'link_model=\"{found.file}\"'")


def _events(found: Preview, limit: int) -> list[dict[str, Any]]:
    from hub.cli.masking import mask_profile

    rows = found.events.slice(0, limit).to_pylist()
    return [
        {
            "event": row["event"],
            "customer": row["customer"],
            "other": row["other"],
            "profiles": [mask_profile(one) for one in row["profiles"][:_MOST_SHOWN]],
            "count": len(row["profiles"]),
            "reason": row["reason"],
        }
        for row in rows
    ]


def _show_preview(screen: Screen, document: dict[str, Any]) -> None:
    if not document["events"]:
        screen.line("These rules change nothing.")
        return
    screen.facts(
        {
            "Profiles that would move": document["profiles_moved"],
            "What would happen": document["events"],
            "Customers then": document["customers"],
            "Largest then": f"{document['largest']} profiles",
            "To review then": document["review"],
        }
    )
    screen.heading("For example")
    rows = [
        (one["event"], one["customer"], one["other"], one["count"], one["profiles"]) for one in document["examples"]
    ]
    screen.table(("What", "Customer", "From", ">Profiles", "Among them"), rows)


def _show_report(screen: Screen, found: IdentityReport) -> None:
    from identity.words import KIND_WORDS

    screen.facts(
        {
            "Customers": found.customers,
            "Profiles": found.profiles,
            "To review": found.review,
            "Decided by people": dict(found.decisions) or None,
            "Last changes": dict(found.events) or None,
        }
    )
    for alarm in found.alarms:
        screen.line(f"Alarm: {alarm.text}", "yellow")
    screen.heading("Sizes")
    screen.table((">Profiles", ">Customers"), sorted(found.sizes.items()), empty="No customer yet.")
    screen.heading("Largest")
    screen.table(("Customer", ">Profiles"), found.largest, empty="None.")
    screen.heading("Values that never link")
    blocked = [(KIND_WORDS.get(kind, {"en": kind})["en"], _meaning(why), count) for kind, why, count in found.blocked]
    screen.table(("Kind", "Because", ">Values"), blocked, empty="None.")
    screen.heading("Joins refused")
    refused = [(rule, _meaning(rule), count) for rule, count in sorted(found.refused.items())]
    screen.table(("Rule", "Because", ">Joins"), refused, empty="None.")
    screen.line("Why two are one or are not: hub explain A B")


def _meaning(rule: str) -> str:
    """What a rule is about, in words."""
    from identity.words import RULE_WORDS, VALUE_WORDS

    return {**RULE_WORDS, **VALUE_WORDS}.get(rule, {"en": rule})["en"]
