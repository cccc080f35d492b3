"""``hub merge``, ``hub unmerge`` and ``hub review``: what a person knows better."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hub.cli.answer import Answer, ExitCode
from hub.cli.app import MEND, group, verb
from hub.cli.options import LIMIT, REVEAL
from hub.cli.session import Session

if TYPE_CHECKING:
    from hub.pipeline.decisions import Decided, ReviewItem
    from hub.show.screen import Screen

__all__ = ["accept", "list_", "merge", "refuse", "unmerge"]

_review = group("review", "Joins that wait for a person: list, accept, refuse.", MEND, default="list")

_REASON = typer.Option("--reason", "-r", help="Why; kept with the decision and shown in explanations.")
_ACTOR = typer.Option("--actor", help="Who decides; the user of this machine unless given.")
_TODO = {
    "cannot_link": {
        "zh": "此证据晚于人工拆分。确为同一人请 accept（原决定随之失效），否则请 refuse（原决定不变）。",
        "en": "It turned up after that. Accept if they are one after all: that ends the decision. Refuse if it still holds.",
    },
}
"""What a person should think of before answering, where that does not follow from the question."""
_PROFILES = "Profiles (CONNECTION:ID), phones, card or customer ids."


@verb(MEND, "hub merge pos:1001 shop:77 --reason 'same person, asked at the till'")
def merge(
    session: Session,
    profiles: Annotated[list[str], typer.Argument(metavar="PROFILE...", help=_PROFILES)],
    *,
    reason: Annotated[str, _REASON],
    actor: Annotated[str, _ACTOR] = "",
) -> Answer:
    """Join profiles for good: they are one person, whatever the rules say.

    The decision outlives every re-ingest and rebuild; only a later unmerge ends it.
    """
    from hub.pipeline.decisions import merge as stage

    with session.hub() as hub:
        return _answer(stage(hub, profiles, reason=reason, actor=actor))


@verb(MEND, "hub unmerge shop:77 --reason 'mother and daughter'", "hub unmerge pos:1 --from pos:2 --reason 'brothers'")
def unmerge(
    session: Session,
    profiles: Annotated[list[str], typer.Argument(metavar="PROFILE...", help=_PROFILES)],
    *,
    from_: Annotated[
        list[str] | None,
        typer.Option("--from", metavar="PROFILE", help="Whom to keep them apart from; may be repeated."),
    ] = None,
    reason: Annotated[str, _REASON],
    actor: Annotated[str, _ACTOR] = "",
) -> Answer:
    """Take profiles out of their customer for good: they are somebody else.

    They are kept apart from all other profiles of their customer, or from those that --from names. The decision holds against
    new evidence and in a full rebuild; only a later merge ends it.
    """
    from hub.pipeline.decisions import unmerge as stage

    with session.hub() as hub:
        return _answer(stage(hub, profiles, from_ or (), reason=reason, actor=actor))


@verb(MEND, "hub review list", name="list", under=_review)
def list_(session: Session, *, limit: Annotated[int, LIMIT] = 20, reveal: Annotated[bool, REVEAL] = False) -> Answer:
    """List the joins that evidence asks for and a rule leaves to a person, the biggest first."""
    from hub.cli.masking import note_reveal
    from hub.pipeline.decisions import review_queue

    with session.hub() as hub, hub.warehouse() as engine:
        found = review_queue(engine)
        if reveal:
            note_reveal(hub, "review list", "")
    shown = [_item(one, reveal=reveal) for one in found[:limit]]
    return Answer({"waiting": len(found), "items": shown}, lambda screen: _show_queue(screen, len(found), shown))


@verb(MEND, "hub review accept 3f9a0c --reason 'same card, seen at the till'", under=_review)
def accept(
    session: Session,
    item: Annotated[str, typer.Argument(help="An item's id or the beginning of it.")],
    *,
    reason: Annotated[str, _REASON],
    actor: Annotated[str, _ACTOR] = "",
) -> Answer:
    """The two sides are one person: join them for good."""
    from hub.pipeline.decisions import answer_review

    with session.hub() as hub:
        return _answer(answer_review(hub, item, accept=True, reason=reason, actor=actor))


@verb(MEND, "hub review refuse 3f9a0c --reason 'different people, one office phone'", under=_review)
def refuse(
    session: Session,
    item: Annotated[str, typer.Argument(help="An item's id or the beginning of it.")],
    *,
    reason: Annotated[str, _REASON],
    actor: Annotated[str, _ACTOR] = "",
) -> Answer:
    """The two sides are different people: keep them apart for good."""
    from hub.pipeline.decisions import answer_review

    with session.hub() as hub:
        return _answer(answer_review(hub, item, accept=False, reason=reason, actor=actor))


def _answer(done: Decided) -> Answer:
    document = {
        "command": done.command,
        "decisions": [{"rule": rule, "profiles": sorted(pair)} for rule, *pair in done.rows],
        "resolved": done.report is not None,
        "events": dict(done.report.events) if done.report else {},
        "customers": dict(done.customers),
    }
    code = ExitCode.FINE if done.report else ExitCode.PARTIAL
    return Answer(document, lambda screen: _show(screen, done), code)


def _show(screen: Screen, done: Decided) -> None:
    screen.line(f"Kept: {len(done.rows)} lasting decision{'' if len(done.rows) == 1 else 's'} about pairs of profiles.")
    if done.report is None:
        screen.line("Another process holds the warehouse: the next `hub resolve` acts on it.", "yellow")
        return
    happened = ", ".join(f"{count} {event}" for event, count in done.report.events.items() if count)
    screen.line(f"What happened: {happened or 'nothing, it was so already'}")
    homes = sorted(set(done.customers.values()))
    screen.line(f"These profiles are now {len(homes)} customer{'' if len(homes) == 1 else 's'}: {', '.join(homes)}")


def _item(one: ReviewItem, *, reveal: bool) -> dict[str, Any]:
    from hub.cli.masking import mask_profile
    from identity.words import KIND_WORDS, RULE_WORDS, masked

    names = (str, str) if reveal else (mask_profile, lambda value: masked(one.kind, value))
    kind = one.kind or "likely"
    return {
        "id": one.id,
        "left": names[0](one.left),
        "right": names[0](one.right),
        "customers": list(one.customers),
        "sizes": list(one.sizes),
        "evidence": KIND_WORDS.get(kind, {"en": kind})["en"],
        "value": names[1](one.value) if one.value else None,
        "rule": one.rule,
        "why": {code: RULE_WORDS[one.rule][code] for code in ("zh", "en")} if one.rule in RULE_WORDS else {},
        "todo": _TODO.get(one.rule, {}),
    }


def _question(one: dict[str, Any]) -> str:
    evidence = f"{one['evidence']} {one['value'] or ''}".strip()
    todo = f". {one['todo']['en']}" if one["todo"] else ""
    return f"{evidence}: {one['why'].get('en', one['rule'])}{todo}\nMore: hub explain {' '.join(one['customers'])}"


def _show_queue(screen: Screen, waiting: int, shown: Sequence[dict[str, Any]]) -> None:
    screen.listing(
        [
            (
                (one["id"], one["left"], one["right"], f"{one['sizes'][0]} + {one['sizes'][1]} profiles"),
                _question(one),
            )
            for one in shown
        ],
        empty="Nothing waits for a person.",
    )
    if waiting > len(shown):
        screen.line(f"{waiting - len(shown)} more: --limit shows them.")
    if shown:
        screen.line("Answer with: hub review accept ID --reason WHY, or hub review refuse ID --reason WHY")
