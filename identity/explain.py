"""Why two profiles are one customer, or why they are not: from what was decided, in plain words.

Nothing is decided again: the answer is read from the state's links, value states, refusals and constraints, which are
those of the run that made the decision. Values are shown masked.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from identity.errors import UnknownCustomerError
from identity.likely.waterfall import waterfall
from identity.rules import Composite
from identity.tables import State, pick
from identity.words import ASSURANCE_WORDS, KIND_WORDS, LANGUAGES, RULE_WORDS, SENTENCES, VALUE_WORDS, masked

__all__ = ["Explanation", "Reason", "Step", "explain"]


class Step(StrEnum):
    """What a reason is about."""

    SHARED = "shared"
    """Both profiles carry a value that joins."""
    PERSON = "person"
    """A person decided: must_link or cannot_link."""
    PLATFORM = "platform"
    """The platform merged the accounts itself."""
    REFUSED = "refused"
    """Evidence asked for a join and a rule refused it."""
    BLOCKED = "blocked"
    """Both carry a value that says nothing about a person."""
    LIKELY = "likely"
    """A link model takes both for one person."""
    NOTHING = "nothing"
    """No evidence connects the two."""


@dataclass(frozen=True, slots=True)
class Reason:
    """One link of the chain from one profile to the other.

    Attributes:
        step: what it is about.
        left: profile on one side.
        right: profile on the other.
        kind: kind of identifier or evidence, if there is one.
        value: the value, masked.
        rule: the rule that refused or blocked, or the constraint's rule.
        note: a person's own reason, for constraints.
        actor: who decided, for constraints.
        day: since when both carry the value, or when the person decided; ISO 8601.
        why: the model's evidence, for :func:`identity.likely.waterfall`.
        assurances: ranks of how the two sides came to know the value (:data:`identity.rules.ASSURANCE_RANK`).
    """

    step: Step
    left: str
    right: str
    kind: str | None = None
    value: str | None = None
    rule: str | None = None
    note: str | None = None
    actor: str | None = None
    day: str | None = None
    why: str | None = None
    assurances: tuple[int, int] | None = None

    def words(self, language: str = "zh", *, detailed: bool = False) -> str:
        """The reason as a sentence.

        Args:
            language: "zh" or "en".
            detailed: say how each side came to know the value, since when, and who decided.
        """
        kind = KIND_WORDS.get(self.kind or "", {}).get(language, self.kind or "")
        rule = {**RULE_WORDS, **VALUE_WORDS}.get(self.rule or "", {}).get(language, self.rule or "")
        sentence = SENTENCES[self.step.value if self.step is not Step.PERSON else self.rule or "must_link"][language]
        said = sentence.format(left=self.left, right=self.right, kind=kind, value=self.value or "", rule=rule)
        note = f" ({self.note})" if self.note else ""
        return said + (self._details(language) if detailed else note)

    def _details(self, language: str) -> str:
        if self.step is Step.PERSON:
            by = SENTENCES["by"][language]
            return by.format(actor=self.actor or "-", day=self.day or "-", note=self.note or "-")
        if self.why:
            return "".join(f"\n    {line}" for line in waterfall(self.why, language))
        if self.assurances is None:
            return ""
        ways = [ASSURANCE_WORDS[str(rank)][language] for rank in self.assurances]
        how = SENTENCES["how_both" if ways[0] == ways[1] else "how"][language].format(left=ways[0], right=ways[1])
        return how + (SENTENCES["since"][language].format(day=self.day) if self.day else "")


@dataclass(frozen=True, slots=True)
class Explanation:
    """Whether two profiles are one customer, and why.

    Attributes:
        together: whether they are one customer.
        left: profile on one side.
        right: profile on the other.
        customers: their customers; one if together.
        reasons: the shortest chain of evidence if together, else everything that was weighed and why it did not join.
    """

    together: bool
    left: str
    right: str
    customers: tuple[str, ...]
    reasons: Sequence[Reason]

    def words(self, language: str = "zh", *, detailed: bool = False) -> str:
        """The whole explanation as text, one reason a line.

        Args:
            language: "zh" or "en".
            detailed: as for :meth:`Reason.words`.

        Raises:
            ValueError: the language is neither "zh" nor "en".
        """
        if language not in LANGUAGES:
            raise ValueError(f"The language must be one of {', '.join(LANGUAGES)}.")
        head = SENTENCES["together" if self.together else "apart"][language]
        lines = [head.format(left=self.left, right=self.right, customers=", ".join(self.customers))]
        return "\n".join([*lines, *(f"- {reason.words(language, detailed=detailed)}" for reason in self.reasons)])


@dataclass(frozen=True, slots=True)
class _Value:
    kind: str
    scope: str
    value: str


def explain(state: State, left: str, right: str) -> Explanation:
    """Why two profiles are one customer, or why they are not.

    Args:
        state: the state of the run to explain.
        left: profile key.
        right: profile key.

    Raises:
        UnknownCustomerError: the state knows no such profile.
    """
    homes = pick(state.memberships, "profile", pa.array([left, right])).to_pylist()
    home = {row["profile"]: row["customer"] for row in homes}
    if left not in home or right not in home:
        raise UnknownCustomerError(
            "The state does not know that profile.", hint="Profile keys are connection:source_id."
        )
    customers = tuple(dict.fromkeys([home[left], home[right]]))
    members = pick(state.memberships, "customer", pa.array(customers))
    evidence = _Evidence(state, dict(zip(members["profile"].to_pylist(), members["customer"].to_pylist(), strict=True)))
    together = len(customers) == 1
    reasons = evidence.path(left, right) if together else evidence.objections(left, right)
    return Explanation(together, left, right, customers, reasons)


class _Evidence:
    """The evidence within one customer, or between two."""

    def __init__(self, state: State, home: Mapping[str, str]) -> None:
        self.state = state
        self.home = home
        keys = pa.array(list(home))
        self.links = [
            row for row in pick(state.links, "profile", keys).to_pylist() if row["status"] in {"key", "blocked"}
        ]
        self.how = {(row["profile"], _value(row)): row for row in self.links}
        values = pa.array({row["value"] for row in self.links}, pa.string())
        states = pick(state.value_states, "value", values).to_pylist()
        self.blocked = {_value(row): row["reason"] for row in states if row["state"] == "blocked"}
        self.refusals = [row for row in pick(state.refusals, "left", keys).to_pylist() if row["right"] in home]
        self.wishes = _between(state.constraints, home)
        self.profiles = pick(state.profiles, "profile", keys).to_pylist()
        self.pairs = {
            (row["left"], row["right"]): row
            for row in pick(state.pairs, "left", keys).to_pylist()
            if row["right"] in home
        }

    def path(self, left: str, right: str) -> list[Reason]:
        """The shortest chain of joining evidence; among equally short ones, identifiers before composites."""
        came_from: dict[str, Reason] = {}
        waiting = deque([left])
        neighbours = self._neighbours()
        while waiting and right not in came_from:
            here = waiting.popleft()
            for reason in neighbours.get(here, []):
                if reason.right != left and reason.right not in came_from:
                    came_from[reason.right] = reason
                    waiting.append(reason.right)
        chain: list[Reason] = []
        while right != left and right in came_from:
            chain.append(came_from[right])
            right = chain[-1].left
        return chain[::-1]

    def _neighbours(self) -> dict[str, list[Reason]]:
        found: list[Reason] = []
        for wish in self.wishes:
            if wish["rule"] == "must_link":
                found += _both(_decided(wish))
        for row in self.profiles:
            if row["merged_into"] in self.home and row["merged_into"] != row["profile"]:
                found += _both(Reason(Step.PLATFORM, row["profile"], row["merged_into"]))
        found += [turned for row in self.pairs.values() for turned in _both(_likely(row))]
        carriers = self._carriers(joining=True)
        for value in sorted(carriers, key=lambda value: (value.kind in set(Composite), value.kind, value.value)):
            for place, one in enumerate(shared := sorted(carriers[value])):
                for other in shared[place + 1 :]:
                    found += _both(self._joining(value, one, other))
        grouped: dict[str, list[Reason]] = {}
        for reason in found:
            grouped.setdefault(reason.left, []).append(reason)
        return grouped

    def _joining(self, value: _Value, one: str, other: str) -> Reason:
        rows = [self.how[profile, value] for profile in (one, other)]
        seen = [row["first_seen"] for row in rows if row["first_seen"]]
        return Reason(
            Step.SHARED,
            one,
            other,
            value.kind,
            masked(value.kind, value.value),
            day=f"{max(seen):%Y-%m-%d}" if len(seen) == 2 else None,
            assurances=(rows[0]["assurance"] or 1, rows[1]["assurance"] or 1),
        )

    def _carriers(self, *, joining: bool) -> dict[_Value, set[str]]:
        carriers: dict[_Value, set[str]] = {}
        for row in self.links:
            if joining == (row["status"] == "key" and _value(row) not in self.blocked):
                carriers.setdefault(_value(row), set()).add(row["profile"])
        return carriers

    def objections(self, left: str, right: str) -> list[Reason]:
        """All that was weighed between two customers, and why it did not join them."""
        sides = self.home[left], self.home[right]
        found = [
            _decided(wish)
            for wish in self.wishes
            if wish["rule"] == "cannot_link" and self._across(wish["left"], wish["right"])
        ]
        found += [
            self._refused(row) for row in sorted(self.refusals, key=str) if self._across(row["left"], row["right"])
        ]
        told = {(reason.kind, reason.value) for reason in found}
        shared = [one for one in self._shared(joining=True, sides=sides) if (one.kind, one.value) not in told]
        return found + shared + self._shared(joining=False, sides=sides) or [Reason(Step.NOTHING, left, right)]

    def _refused(self, row: Mapping[str, Any]) -> Reason:
        one, other, rule = row["left"], row["right"], row["rule"]
        if row["kind"] is None:
            # Clusters stand for their profiles: the model's pair may be another of the same two customers.
            sides = {self.home[one], self.home[other]}
            pairs = [p for (a, b), p in sorted(self.pairs.items()) if {self.home[a], self.home[b]} == sides]
            best = max(pairs, key=lambda pair: pair["weight"], default=None)
            value = f"{best['probability']:.1%}" if best else ""
            return Reason(Step.REFUSED, one, other, "likely", value, rule, why=best["why"] if best else None)
        return Reason(Step.REFUSED, one, other, row["kind"], masked(row["kind"], row["value"]), rule)

    def _shared(self, *, joining: bool, sides: tuple[str, str]) -> list[Reason]:
        """The values both customers carry: those that join elsewhere, or those that never do."""
        found = []
        for value, profiles in sorted(self._carriers(joining=joining).items(), key=str):
            ends = [min((one for one in profiles if self.home[one] == side), default=None) for side in sides]
            if ends[0] and ends[1]:
                step = Step.REFUSED if joining else Step.BLOCKED
                rule = "several_people" if joining else self.blocked.get(value, "pattern")
                found.append(Reason(step, ends[0], ends[1], value.kind, masked(value.kind, value.value), rule))
        return found

    def _across(self, one: str, other: str) -> bool:
        return self.home[one] != self.home[other]


def _value(row: Mapping[str, Any]) -> _Value:
    return _Value(row["kind"], row["scope"], row["value"])


def _both(reason: Reason) -> Iterable[Reason]:
    ways = reason.assurances and (reason.assurances[1], reason.assurances[0])
    return reason, replace(reason, left=reason.right, right=reason.left, assurances=ways)


def _likely(row: Mapping[str, Any]) -> Reason:
    chance = f"{row['probability']:.1%}"
    return Reason(Step.LIKELY, row["left"], row["right"], "likely", chance, why=row["why"])


def _decided(wish: Mapping[str, Any]) -> Reason:
    day = f"{wish['at']:%Y-%m-%d}" if wish["at"] else None
    return Reason(
        Step.PERSON, wish["left"], wish["right"], rule=wish["rule"], note=wish["reason"], actor=wish["actor"], day=day
    )


def _between(constraints: pa.Table, home: Mapping[str, str]) -> list[dict[str, Any]]:
    keys = pa.array(list(home))
    both = pc.and_(pc.is_in(constraints["left"], keys), pc.is_in(constraints["right"], keys))
    return list(constraints.filter(both).to_pylist()) if constraints.num_rows else []
