"""``hub explain``: why two profiles are one customer, or why they are not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hub.cli.answer import Answer
from hub.cli.app import LOOK, verb
from hub.cli.explain_page import STAND_IN, Facts, explain_page
from hub.cli.options import REVEAL
from hub.cli.session import Session

if TYPE_CHECKING:
    from hub.context import Hub
    from hub.show.screen import Screen
    from hub.warehouse.engine import Engine
    from identity import Explanation, Reason

__all__ = ["explain"]

_LANGUAGES = ("en", "zh")


@verb(LOOK, "hub explain pos:1001 shop:77", "hub explain 15400000001 M0002 --language zh")
def explain(
    session: Session,
    left: Annotated[str, typer.Argument(help="A profile (CONNECTION:ID), phone, card or customer id.")],
    right: Annotated[str, typer.Argument(help="Another.")],
    *,
    language: Annotated[str, typer.Option(help="Words in: en or zh.")] = "en",
    reveal: Annotated[bool, REVEAL] = False,
) -> Answer:
    """Tell why two profiles are one customer, or why they are not, in plain words.

    Shows the path of evidence from one to the other, or everything that was weighed and the rule that refused it; who the two
    are, what would change the answer and what you can do. Nothing is decided anew: it is what the last resolution kept.
    """
    from hub.errors import ConfigError
    from hub.pipeline.identity_state import prepare_identity

    if language not in _LANGUAGES:
        raise ConfigError(f"{language!r} is no language of this page.", hint="There are en and zh.")
    with session.hub() as hub, hub.warehouse() as engine:
        prepare_identity(engine)
        named = _named(engine, left, "first"), _named(engine, right, "second")
        found = _explain(hub, engine, *named)
        facts = _facts(hub, engine, found, named)
        if reveal:
            from hub.cli.masking import note_reveal

            note_reveal(hub, "explain", " ".join(found.customers))
        else:
            found, facts = _masked(found, facts, {left, right})
    pages = {code: explain_page(found, facts, code) for code in _LANGUAGES}
    return Answer(_document(found, facts, pages), lambda screen: _show(screen, pages[language]))


def _explain(hub: Hub, engine: Engine, left: Sequence[str], right: Sequence[str]) -> Explanation:
    import identity
    from hub.errors import ConfigError
    from hub.pipeline.identity_rules import rules_of
    from hub.pipeline.identity_state import state_around

    # What both name says nothing of the two: a phone's profiles are compared with the others of a customer.
    one = next((key for key in left if key not in right), left[0])
    other = next((key for key in right if key not in left and key != one), None)
    other = other or next((key for key in right if key != one), None)
    if other is None:
        raise ConfigError("Both name the same profile.", code="decision_empty", hint="Name two different profiles.")
    homes = engine.rows("SELECT DISTINCT customer_id FROM links WHERE profile IN (?, ?)", [one, other])
    around = state_around(engine, [str(row[0]) for row in homes])
    kinds = rules_of(hub.settings.identity).kinds
    return identity.explain(around, one, other, zone=hub.settings.zone, kinds=kinds)


def _named(engine: Engine, query: str, which: str) -> list[str]:
    """The profiles that one of the two names; the error says which of them names nobody."""
    from hub.errors import ConfigError
    from hub.pipeline.decisions import profiles_named

    try:
        return profiles_named(engine, query)
    except ConfigError as error:
        if carriers := _carriers_of_blocked(engine, query):
            return carriers
        raise ConfigError(f"The {which} of the two: {error.message}", code=error.code, hint=error.hint) from error


def _carriers_of_blocked(engine: Engine, query: str) -> list[str]:
    """The profiles that carry a value which leads to nobody, such as a placeholder: why it does not is worth asking."""
    from hub.pipeline.identity_state import PREFIX
    from hub.warehouse.people import spellings

    rows = engine.rows(
        f"""SELECT DISTINCT profile FROM {PREFIX}links SEMI JOIN links USING (profile)
            WHERE status = 'blocked' AND list_contains(?, value) ORDER BY profile""",
        [sorted(spellings(query.strip()))],
    )
    return [str(row[0]) for row in rows]


def _facts(hub: Hub, engine: Engine, found: Explanation, named: Sequence[Sequence[str]]) -> Facts:
    """Who the two are, and what happened to their customers."""
    both = [found.left, found.right]
    people = engine.arrow(
        "SELECT profile, name, first_seen, last_seen FROM identity_profiles WHERE profile IN (?, ?)", both
    ).to_pylist()
    events = engine.arrow(
        'SELECT "at", event, customer, other FROM identity_events WHERE list_has_any(profiles, ?) ORDER BY "at", event',
        [both],
    ).to_pylist()
    return Facts(
        people={row["profile"]: row for row in people},
        events=events,
        keys=(found.left, found.right),
        named=(len(named[0]), len(named[1])),
        resolved=hub.store.runs.ended_well("resolve", ""),
        model=hub.settings.identity.link_model is not None,
        zone=hub.settings.zone,
    )


def _masked(found: Explanation, facts: Facts, typed: set[str]) -> tuple[Explanation, Facts]:
    """The same without personal data; a key the asker typed is shown as typed."""
    from hub.cli.masking import mask_name, mask_profile

    labels: dict[str, str] = {}

    def key(profile: str) -> str:
        if profile not in labels:
            shown = profile if _was_typed(profile, typed) else mask_profile(profile)
            # Short ids look alike once they are masked: they are numbered, so that two stay two.
            alike = sum(label.partition(" (")[0] == shown for label in labels.values())
            labels[profile] = f"{shown} ({alike + 1})" if alike else shown
        return labels[profile]

    def told(reasons: Sequence[Reason]) -> list[Reason]:
        return [replace(one, left=key(one.left), right=key(one.right)) for one in reasons]

    key(found.left), key(found.right)
    people = {
        key(row["profile"]): {**row, "name": row["name"] and mask_name(row["name"])} for row in facts.people.values()
    }
    shown = replace(
        found,
        left=key(found.left),
        right=key(found.right),
        reasons=told(found.reasons),
        besides=told(found.besides),
        sides=[replace(side, profile=key(side.profile)) for side in found.sides],
    )
    return shown, replace(facts, people=people, keys=_command_keys(found, typed))


def _was_typed(profile: str, typed: set[str]) -> bool:
    """Whether the asker knows the key: typed whole, or the platform's own id."""
    return profile in typed or profile.partition(":")[2] in typed


def _command_keys(found: Explanation, typed: set[str]) -> tuple[str, str]:
    """What to write for the two in a command: a key that was typed, the customer's id, or a stand-in for a key that is masked."""
    both = [side.profile for side in found.sides]
    if found.together:
        keys = [one if _was_typed(one, typed) else STAND_IN.format(place) for place, one in enumerate(both, start=1)]
    else:
        keys = [one if _was_typed(one, typed) else side.customer for one, side in zip(both, found.sides, strict=True)]
    return keys[0], keys[1]


def _document(found: Explanation, facts: Facts, pages: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    return {
        "together": found.together,
        "profiles": [found.left, found.right],
        "customers": list(found.customers),
        "reasons": [_reason(one) for one in found.reasons],
        "besides": [_reason(one) for one in found.besides],
        "sides": [
            {
                "profile": side.profile, "customer": side.customer, "size": side.size,
                "known_by": [list(one) for one in side.known_by], "ignored": [list(one) for one in side.ignored],
            }
            for side in found.sides
        ],
        "resolved": facts.resolved,
        "words": {code: "\n".join(page) for code, page in pages.items()},
    }  # fmt: skip


def _reason(one: Reason) -> dict[str, Any]:
    return {
        "step": one.step.value, "left": one.left, "right": one.right, "kind": one.kind, "value": one.value,
        "rule": one.rule, "actor": one.actor, "note": one.note, "since": one.day, "carriers": one.carriers,
        "names": one.names, "gap": list(one.gap) if one.gap else None, "review": one.review, "more_pairs": one.more,
        "clashes": [{"kind": clash.kind, "left": clash.left, "right": clash.right} for clash in one.clashes],
    }  # fmt: skip


def _show(screen: Screen, page: Sequence[str]) -> None:
    for line in page:
        screen.verbatim(line)
