"""``hub customer``: everything the hub knows of one person."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hub.cli.answer import Answer, ExitCode
from hub.cli.app import LOOK, verb
from hub.cli.options import REVEAL
from hub.cli.session import Session

if TYPE_CHECKING:
    from hub.context import Hub
    from hub.scorer import Trait
    from hub.show.screen import Screen

__all__ = ["customer"]

_MOST_FOUND = 20
_DELIVERIES = 5
_PERSONAL_FIELDS = frozenset({"name", "nickname", "salutation", "birthday", "address"})


@verb(LOOK, "hub customer 15400000001", "hub customer M0001 --reveal --json")
def customer(
    session: Session,
    query: Annotated[
        str, typer.Argument(help="A phone, member or card number, openid or other identifier, or a customer id.")
    ],
    *,
    reveal: Annotated[bool, REVEAL] = False,
) -> Answer:
    """Show one customer: who they are, on which platforms, their segments and scores, what was sent about them.

    Reads the current snapshot, so it works while the pipeline runs. An id that was merged away leads to the customer it is
    part of now.
    """
    from hub.cli.people import find_customers, read_customer
    from hub.cli.snapshot import current_snapshot, snapshot_needed

    with session.hub() as hub:
        with current_snapshot(hub) as engine:
            if engine is None:
                raise snapshot_needed()
            ids = find_customers(engine, query, _MOST_FOUND)
            people = [read_customer(engine, one) for one in ids]
        found = [_document(hub, one, reveal=reveal) for one in people]
        titles = _titles(hub)
    code = ExitCode.FINE if found else ExitCode.PARTIAL
    return Answer({"customers": found}, lambda screen: _show(screen, found, titles), code)


def _titles(hub: Hub) -> tuple[Mapping[str, Trait], Mapping[str, str]]:
    from hub.pipeline.segment import segments_of

    return hub.plugins.traits(), {name: str(one.title) for name, one in segments_of(hub).items()}


def _document(hub: Hub, person: dict[str, Any], *, reveal: bool) -> dict[str, Any]:
    from hub.cli.deliveries import delivery_document
    from hub.cli.masking import mask_identifier, mask_profile, mask_row, note_reveal

    customer_id = str(person["customer"]["customer_id"])
    sent = hub.store.deliveries.find(customer_id=customer_id, limit=_DELIVERIES)
    person["deliveries"] = [delivery_document(one) for one in sent]
    if reveal:
        note_reveal(hub, "customer", customer_id)
        return person
    person["customer"] = mask_row("customers", person["customer"])
    for one in person["identifiers"]:
        one["value"] = mask_identifier(one["value"])
    for one in person["profiles"]:
        one["profile"], one["source_id"] = mask_profile(one["profile"]), mask_identifier(one["source_id"])
    for one in person["fields"]:
        one["value"] = one["value"] and _shown(one["field"], one["value"])
        one["profile"] = mask_profile(one["profile"])
    for one in person["contacts"]:
        one["value"] = mask_identifier(one["value"])
    for one in person["decisions"]:
        one["left"], one["right"] = mask_profile(one["left"]), mask_profile(one["right"])
    for one in person["history"]:
        one["profiles"] = [mask_profile(profile) for profile in one["profiles"]]
    return person


def _shown(field: str, value: str) -> str:
    from hub.cli.masking import mask_name

    return mask_name(value) if field in _PERSONAL_FIELDS else value


def _show(screen: Screen, found: list[dict[str, Any]], titles: tuple[Mapping[str, Trait], Mapping[str, str]]) -> None:
    if not found:
        screen.line("No customer of the current snapshot has this phone, number or id.")
        screen.line("A placeholder or a shop's own number leads to nobody: hub identity report")
    elif len(found) == 1:
        _show_one(screen, found[0], *titles)
    else:
        screen.line(f"{len(found)} customers have it; look at one by its customer id:")
        rows = [(one["customer"]["customer_id"], one["customer"]["name"], one["customer"]["phone"]) for one in found]
        screen.table(("Customer", "Name", "Phone"), rows)


def _show_one(screen: Screen, one: dict[str, Any], traits: Mapping[str, Trait], segments: Mapping[str, str]) -> None:
    screen.facts({name.replace("_", " ").capitalize(): value for name, value in one["customer"].items()})
    screen.heading("Recognised by")
    screen.table(
        ("Kind", "Value", "Scope", ">Profiles"),
        [(i["kind"], i["value"], i["scope"], i["profiles"]) for i in one["identifiers"]],
        empty="No identifier.",
    )
    _show_record(screen, one)
    screen.heading("On platforms")
    screen.table(("Profile", "Since"), [(p["profile"], p["since"]) for p in one["profiles"]])
    screen.heading("Segments")
    screen.table(
        ("Segment", "Title", "Since"),
        [(s["segment"], segments.get(s["segment"]), s["since"]) for s in one["segments"]],
        empty="None.",
    )
    _show_traits(screen, one["traits"], traits)
    if one["deliveries"]:
        screen.heading("Last sent")
        rows = [(d["intended_at"], d["sync"], d["operation"], d["outcome"], d["message"]) for d in one["deliveries"]]
        screen.table(("When", "Sync", "Did", "Outcome", "Reason"), rows)
    if one["history"]:
        screen.heading("How it came together")
        rows = [(h["at"], h["event"], h["other"], len(h["profiles"]), h["reason"]) for h in one["history"]]
        screen.table(("When", "What", "Other customer", ">Profiles", "Evidence"), rows)


def _show_record(screen: Screen, one: dict[str, Any]) -> None:
    if one["contacts"]:
        screen.heading("Ways to reach them")
        rows = [
            (c["kind"], c["value"], c["state"], "primary" if c["is_primary"] else "", c["last_seen"])
            for c in one["contacts"]
        ]
        screen.table(("Kind", "Value", "State", "", "Last seen"), rows)
    if one["fields"]:
        screen.heading("Where it comes from")
        rows = [
            (f["field"] if f["place"] == 1 else "  or", f["value"], f["profile"], f["rule"], f["seen"])
            for f in one["fields"]
        ]
        screen.table(("Field", "Value", "Profile", "Rule", "Seen"), rows)
    if one["decisions"]:
        screen.heading("Decided by people")
        decided = [(d["at"], d["rule"], d["left"], d["right"], d["actor"], d["reason"]) for d in one["decisions"]]
        screen.table(("When", "Decision", "Profile", "Profile", "By", "Why"), decided)


def _show_traits(screen: Screen, values: Mapping[str, Any], traits: Mapping[str, Trait]) -> None:
    rows = []
    for name, value in values.items():
        trait = traits.get(name)
        if value is not None:
            rows.append((name, trait.title if trait else "", value, trait.unit if trait and trait.unit != "1" else ""))
    screen.heading("Traits")
    screen.table(("Trait", "Title", ">Value", "Unit"), rows, empty="Not scored yet.")
