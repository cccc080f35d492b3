"""``hub explain``: why two profiles are one customer, or why they are not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hub.cli.answer import Answer
from hub.cli.app import LOOK, verb
from hub.cli.options import REVEAL
from hub.cli.session import Session

if TYPE_CHECKING:
    from hub.show.screen import Screen
    from hub.warehouse.engine import Engine
    from identity import Explanation

__all__ = ["explain"]

_HINTS = {
    True: {
        "zh": "如果他们不是同一个人，请运行：hub unmerge 档案 --reason 原因",
        "en": "If they are not one person: hub unmerge PROFILE --reason WHY",
    },
    False: {
        "zh": "如果他们是同一个人，请运行：hub merge 档案 档案 --reason 原因",
        "en": "If they are one person: hub merge PROFILE PROFILE --reason WHY",
    },
}
_WHO = {
    "zh": "{key}：{name}，{first} 首次出现，{last} 最近出现",
    "en": "{key}: {name}, first seen {first}, last seen {last}",
}
_HISTORY = {"zh": "经过：", "en": "What happened:"}
_NAMELESS = {"zh": "无姓名", "en": "no name"}
_EVENTS = {
    "created": {"zh": "建立客户", "en": "created"},
    "assigned": {"zh": "归入客户", "en": "assigned"},
    "merged": {"zh": "合并客户", "en": "merged"},
    "split": {"zh": "拆分", "en": "split"},
    "unmerged": {"zh": "恢复为原客户", "en": "unmerged"},
    "reassigned": {"zh": "改归其他客户", "en": "reassigned"},
    "removed": {"zh": "移除档案", "en": "removed"},
    "retired": {"zh": "客户停用", "en": "retired"},
}


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

    Shows the path of evidence from one to the other, or everything that was weighed and the rule that refused it. Nothing is
    decided anew: the answer comes from what the last resolution kept.
    """
    from hub.errors import ConfigError
    from hub.pipeline.identity_state import prepare_identity

    if language not in _NAMELESS:
        raise ConfigError(f"{language!r} is no language of this page.", hint="There are en and zh.")
    with session.hub() as hub, hub.warehouse() as engine:
        prepare_identity(engine)
        found = _explain(engine, left, right)
        facts = _facts(engine, found)
        if reveal:
            from hub.cli.masking import note_reveal

            note_reveal(hub, "explain", " ".join(found.customers))
        else:
            found, facts = _masked(found, facts, {left, right})
    pages = {code: _page(found, facts, code) for code in _NAMELESS}
    document = {
        "together": found.together,
        "profiles": [found.left, found.right],
        "customers": list(found.customers),
        "reasons": [_reason(one) for one in found.reasons],
        "words": {code: "\n".join(page) for code, page in pages.items()},
    }
    return Answer(document, lambda screen: _show(screen, pages[language]))


def _explain(engine: Engine, left: str, right: str) -> Explanation:
    import identity
    from hub.errors import ConfigError
    from hub.pipeline.identity_state import state_around

    sides = _named(engine, left, "first"), _named(engine, right, "second")
    # What both name says nothing of the two: a phone's profiles are compared with the others of a customer.
    one = next((key for key in sides[0] if key not in sides[1]), sides[0][0])
    other = next((key for key in sides[1] if key not in sides[0] and key != one), None)
    other = other or next((key for key in sides[1] if key != one), None)
    if other is None:
        raise ConfigError("Both name the same profile.", code="decision_empty", hint="Name two different profiles.")
    homes = engine.rows("SELECT DISTINCT customer_id FROM links WHERE profile IN (?, ?)", [one, other])
    return identity.explain(state_around(engine, [str(row[0]) for row in homes]), one, other)


def _named(engine: Engine, query: str, which: str) -> list[str]:
    """The profiles that one of the two names; the error says which of them names nobody."""
    from hub.errors import ConfigError
    from hub.pipeline.decisions import profiles_named

    try:
        return profiles_named(engine, query)
    except ConfigError as error:
        raise ConfigError(f"The {which} of the two: {error.message}", code=error.code, hint=error.hint) from error


def _facts(engine: Engine, found: Explanation) -> dict[str, list[dict[str, Any]]]:
    """Who the two are, and what happened to their customers."""
    both = [found.left, found.right]
    return {
        "who": engine.arrow(
            "SELECT profile, name, first_seen, last_seen FROM identity_profiles WHERE profile IN (?, ?) ORDER BY profile",
            both,
        ).to_pylist(),
        "events": engine.arrow(
            'SELECT "at", event, customer, other FROM identity_events WHERE list_has_any(profiles, ?) ORDER BY "at", event',
            [both],
        ).to_pylist(),
    }


def _masked(
    found: Explanation, facts: Mapping[str, list[dict[str, Any]]], typed: set[str]
) -> tuple[Explanation, dict[str, list[dict[str, Any]]]]:
    """The same without personal data; a key the asker typed is shown as typed."""
    from hub.cli.masking import mask_name, mask_profile

    labels: dict[str, str] = {}

    def key(profile: str) -> str:
        if profile not in labels:
            shown = profile if profile in typed else mask_profile(profile)
            # Short ids look alike once they are masked: they are numbered, so that two stay two.
            alike = sum(label.partition(" (")[0] == shown for label in labels.values())
            labels[profile] = f"{shown} ({alike + 1})" if alike else shown
        return labels[profile]

    key(found.left), key(found.right)
    who = [
        {**row, "profile": key(row["profile"]), "name": row["name"] and mask_name(row["name"])} for row in facts["who"]
    ]
    reasons = [replace(one, left=key(one.left), right=key(one.right)) for one in found.reasons]
    told = replace(found, left=key(found.left), right=key(found.right), reasons=reasons)
    return told, {**facts, "who": who}


def _page(found: Explanation, facts: Mapping[str, list[dict[str, Any]]], language: str) -> Sequence[str]:
    lines = found.words(language, detailed=True).splitlines()
    lines += ["", *(_who(row, language) for row in facts["who"])]
    if facts["events"]:
        lines += ["", _HISTORY[language]]
        lines += [f"- {row['at']:%Y-%m-%d} {_EVENTS[row['event']][language]} {row['customer']}"
                  + (f" ← {row['other']}" if row["other"] else "") for row in facts["events"]]  # fmt: skip
    return [*lines, "", _HINTS[found.together][language]]


def _who(row: Mapping[str, Any], language: str) -> str:
    seen = {name: f"{row[f'{name}_seen']:%Y-%m-%d}" if row[f"{name}_seen"] else "-" for name in ("first", "last")}
    return _WHO[language].format(key=row["profile"], name=row["name"] or _NAMELESS[language], **seen)


def _reason(one: Any) -> dict[str, Any]:
    return {
        "step": one.step.value, "left": one.left, "right": one.right, "kind": one.kind, "value": one.value,
        "rule": one.rule, "actor": one.actor, "note": one.note, "since": one.day,
    }  # fmt: skip


def _show(screen: Screen, page: Sequence[str]) -> None:
    for line in page:
        screen.line(line)
