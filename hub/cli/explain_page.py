"""The page of `hub explain`: why two are one or are not, what would change it and what to do, in Chinese and English."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hub.cli.explain_words import ADVICE, EVENTS, PAGE

if TYPE_CHECKING:
    from identity import Explanation, Reason

__all__ = ["STAND_IN", "Facts", "explain_page"]

STAND_IN = "PROFILE{}"
"""Stands in a command for a profile whose key may not be shown."""

_CONTACTS = frozenset({"phone", "email", "payment_token"})
_LONGEST_HISTORY = 12
"""Events that are told; of more the first and the latest."""


@dataclass(frozen=True)
class Facts:
    """What the hub knows besides the explanation.

    Attributes:
        people: name, first_seen and last_seen by profile key, as the explanation writes it.
        events: the events that moved one of the two, oldest first: at, event, customer, other.
        keys: what to write for the two in a command: profile keys, customer ids, or stand-ins where keys may not be shown.
        named: how many profiles each of the two questions named.
        resolved: when the last resolution ended well.
        model: whether a link model is in use.
        zone: time zone of the days.
    """

    people: Mapping[str, Mapping[str, Any]]
    events: Sequence[Mapping[str, Any]]
    keys: tuple[str, str]
    named: tuple[int, int]
    resolved: dt.datetime | None
    model: bool
    zone: dt.tzinfo


def explain_page(found: Explanation, facts: Facts, language: str) -> list[str]:
    """The page, line by line.

    Args:
        found: the explanation, its profile keys as they may be shown.
        facts: what else there is to tell.
        language: "zh" or "en".
    """
    words = {name: text[language] for name, text in PAGE.items()}
    lines = [words["several"].format(left=facts.named[0], right=facts.named[1])] if max(facts.named) > 1 else []
    lines += found.words(language, detailed=True).splitlines()
    lines += ["", words["who"], *_people(found, facts, language)]
    if facts.events:
        lines += ["", words["history"], *_history(facts, language)]
    lines += ["", words["change"], *(f"- {line}" for line in _advice(found, facts, language))]
    lines += ["", words["do"], *(f"- {line}" for line in _commands(found, facts, words))]
    if facts.resolved:
        lines += ["", words["as_of"].format(at=f"{facts.resolved.astimezone(facts.zone):%Y-%m-%d %H:%M}")]
    return lines


def _people(found: Explanation, facts: Facts, language: str) -> Iterator[str]:
    words = {name: text[language] for name, text in PAGE.items()}
    for side in found.sides:
        who = facts.people.get(side.profile, {})
        seen = {name: _day(who.get(f"{name}_seen"), facts.zone) for name in ("first", "last")}
        name = who.get("name") or words["tickets_only" if ":~" in side.profile else "nameless"]
        yield words["person"].format(key=side.profile, name=name, customer=side.customer, size=side.size, **seen)
        yield f"    {side.words(language)}"


def _history(facts: Facts, language: str) -> Iterator[str]:
    events = list(facts.events)
    left_out = max(0, len(events) - _LONGEST_HISTORY)
    told = events[:1] + events[1 + left_out :] if left_out else events
    for row in told:
        source = f" ← {row['other']}" if row["other"] else ""
        yield f"- {_day(row['at'], facts.zone)} {EVENTS[row['event']][language]} {row['customer']}{source}"
        if left_out and row is events[0]:
            yield PAGE["left_out"][language].format(count=left_out)


def _day(instant: dt.datetime | None, zone: dt.tzinfo) -> str:
    return f"{instant.astimezone(zone):%Y-%m-%d}" if instant else "-"


def _advice(found: Explanation, facts: Facts, language: str) -> list[str]:
    """What would change the decision, each said once."""
    topics = dict.fromkeys(_topic(one) for one in found.reasons)
    told = [ADVICE[topic][language] for topic in topics if topic in ADVICE]
    if found.besides and "shared_contact" in topics:
        told.append(ADVICE["besides"][language])
    if not found.together and not facts.model and {"nothing", "several_people"} & set(topics):
        told.append(ADVICE["no_model"][language])
    return told or [ADVICE["decide"][language]]


def _topic(one: Reason) -> str:
    if one.step == "shared":
        contact = one.kind in _CONTACTS or "+" in (one.kind or "")
        return "shared_contact" if contact else "shared_account"
    if one.step in {"refused", "blocked", "person"}:
        return one.rule or one.step.value
    return one.step.value


def _commands(found: Explanation, facts: Facts, words: Mapping[str, str]) -> Iterator[str]:
    left, right = facts.keys
    if not found.together:
        if any(one.review for one in found.reasons):
            yield words["review"]
        yield words["merge"].format(left=left, right=right)
        return
    yield words["unmerge"].format(left=left, right=right)
    if found.sides[0].size > 2:
        yield words["unmerge_one"].format(left=left, right=right)
    if {left, right} & {STAND_IN.format(place) for place in (1, 2)}:
        yield words["reveal"]
