"""Why two profiles are one customer, or why they are not: from what was decided, in plain words.

Nothing is decided again: the answer is read from the state's links, value states, refusals and constraints, which are
those of the run that made the decision. Values are shown masked.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

import pyarrow as pa
import pyarrow.compute as pc

from identity.errors import UnknownCustomerError
from identity.rules import Composite
from identity.tables import State, pick
from identity.words import KIND_WORDS, LANGUAGES, RULE_WORDS, SENTENCES, VALUE_WORDS, masked

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
    """

    step: Step
    left: str
    right: str
    kind: str | None = None
    value: str | None = None
    rule: str | None = None
    note: str | None = None

    def words(self, language: str = "zh") -> str:
        """The reason as a sentence; ``language`` is "zh" or "en"."""
        kind = KIND_WORDS.get(self.kind or "", {}).get(language, self.kind or "")
        rule = {**RULE_WORDS, **VALUE_WORDS}.get(self.rule or "", {}).get(language, self.rule or "")
        sentence = SENTENCES[self.step.value if self.step is not Step.PERSON else self.rule or "must_link"][language]
        note = f" ({self.note})" if self.note else ""
        return sentence.format(left=self.left, right=self.right, kind=kind, value=self.value or "", rule=rule) + note


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

    def words(self, language: str = "zh") -> str:
        """The whole explanation as text, one reason a line.

        Raises:
            ValueError: the language is neither "zh" nor "en".
        """
        if language not in LANGUAGES:
            raise ValueError(f"The language must be one of {', '.join(LANGUAGES)}.")
        head = SENTENCES["together" if self.together else "apart"][language]
        lines = [head.format(left=self.left, right=self.right, customers=", ".join(self.customers))]
        return "\n".join([*lines, *(f"- {reason.words(language)}" for reason in self.reasons)])


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
        values = pa.array({row["value"] for row in self.links}, pa.string())
        states = pick(state.value_states, "value", values).to_pylist()
        self.blocked = {_value(row): row["reason"] for row in states if row["state"] == "blocked"}
        self.refusals = [row for row in pick(state.refusals, "left", keys).to_pylist() if row["right"] in home]
        self.wishes = _between(state.constraints, home)
        self.profiles = pick(state.profiles, "profile", keys).to_pylist()

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
                found += _both(Reason(Step.PERSON, wish["left"], wish["right"], rule="must_link", note=wish["reason"]))
        for row in self.profiles:
            if row["merged_into"] in self.home and row["merged_into"] != row["profile"]:
                found += _both(Reason(Step.PLATFORM, row["profile"], row["merged_into"]))
        carriers = self._carriers(joining=True)
        for value in sorted(carriers, key=lambda value: (value.kind in set(Composite), value.kind, value.value)):
            first, *rest = sorted(carriers[value])
            for index, one in enumerate([first, *rest]):
                for other in rest[index:]:
                    found += _both(Reason(Step.SHARED, one, other, value.kind, masked(value.kind, value.value)))
        grouped: dict[str, list[Reason]] = {}
        for reason in found:
            grouped.setdefault(reason.left, []).append(reason)
        return grouped

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
            Reason(Step.PERSON, wish["left"], wish["right"], rule="cannot_link", note=wish["reason"])
            for wish in self.wishes
            if wish["rule"] == "cannot_link" and self._across(wish["left"], wish["right"])
        ]
        found += [
            Reason(Step.REFUSED, row["left"], row["right"], row["kind"], masked(row["kind"], row["value"]), row["rule"])
            for row in sorted(self.refusals, key=str)
            if self._across(row["left"], row["right"])
        ]
        told = {(reason.kind, reason.value) for reason in found}
        shared = [one for one in self._shared(joining=True, sides=sides) if (one.kind, one.value) not in told]
        return found + shared + self._shared(joining=False, sides=sides) or [Reason(Step.NOTHING, left, right)]

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


def _value(row: Mapping[str, str]) -> _Value:
    return _Value(row["kind"], row["scope"], row["value"])


def _both(reason: Reason) -> Iterable[Reason]:
    turned = Reason(reason.step, reason.right, reason.left, reason.kind, reason.value, reason.rule, reason.note)
    return reason, turned


def _between(constraints: pa.Table, home: Mapping[str, str]) -> list[dict[str, str]]:
    keys = pa.array(list(home))
    both = pc.and_(pc.is_in(constraints["left"], keys), pc.is_in(constraints["right"], keys))
    return list(constraints.filter(both).to_pylist()) if constraints.num_rows else []
