"""Why two profiles are one customer, or why they are not: from what was decided, in plain words.

Nothing is decided again: the answer is read from the state's links, value states, refusals and constraints, which are
those of the run that made the decision. Values are shown masked.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter, deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from identity.errors import UnknownCustomerError
from identity.reasons import Clash, Explanation, Reason, Side, Step
from identity.rules import DEFAULT_KINDS, Composite, Kind, Tier
from identity.tables import State, pick
from identity.words import masked

__all__ = ["explain"]


@dataclass(frozen=True, slots=True)
class _Value:
    kind: str
    scope: str
    value: str


def explain(
    state: State, left: str, right: str, *, zone: dt.tzinfo = dt.UTC, kinds: Sequence[Kind] = DEFAULT_KINDS
) -> Explanation:
    """Why two profiles are one customer, or why they are not.

    Args:
        state: the state of the run to explain.
        left: profile key.
        right: profile key.
        zone: time zone that days are told in.
        kinds: the kinds of the rules that the run decided by (:attr:`identity.Rules.kinds`): they tell which
            different values of one kind spoke against joining.

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
    homes_of_all = dict(zip(members["profile"].to_pylist(), members["customer"].to_pylist(), strict=True))
    evidence = _Evidence(state, homes_of_all, zone, kinds)
    together = len(customers) == 1
    reasons = evidence.path(left, right) if together else evidence.objections(left, right)
    besides = evidence.besides(reasons) if together else []
    sides = [evidence.side(left), evidence.side(right)]
    return Explanation(together, left, right, customers, reasons, besides, sides)


def _harmless(kinds: Iterable[Kind]) -> dict[str, frozenset[str]]:
    """By rule that forbids different values of one kind: the kinds of which a person may well have several."""
    composites = frozenset(str(composite) for composite in Composite)
    unlimited = {kind.name for kind in kinds if kind.per_customer is None}
    no_login = {kind.name for kind in kinds if not kind.account}
    asserted = {kind.name for kind in kinds if kind.tier != Tier.CONTACT}
    return {
        "limit": composites | unlimited,
        "contradicted": composites | (unlimited & no_login & asserted),
        "other_account": composites | no_login,
    }


_MASK = Composite.MASKED_PHONE_AND_NAME


class _Evidence:
    """The evidence within one customer, or between two."""

    def __init__(self, state: State, home: Mapping[str, str], zone: dt.tzinfo, kinds: Sequence[Kind]) -> None:
        self.home = home
        self.zone = zone
        self.contacts = frozenset(kind.name for kind in kinds if kind.tier == Tier.CONTACT)
        self.harmless = _harmless(kinds)
        keys = pa.array(list(home))
        self.own = pick(state.links, "profile", keys).to_pylist()
        self.links = [row for row in self.own if row["status"] in {"key", "blocked"}]
        self.how = {(row["profile"], _value(row)): row for row in self.links}
        values = pa.array({row["value"] for row in self.links}, pa.string())
        states = pick(state.value_states, "value", values).to_pylist()
        self.blocked = {_value(row): row["reason"] for row in states if row["state"] == "blocked"}
        self.names = {_value(row): row["names"] for row in states}
        carried = pick(state.links, "value", values).to_pylist()
        self.carriers = Counter(one for one, _ in {(_value(row), row["profile"]) for row in carried})
        self.refusals = [row for row in pick(state.refusals, "left", keys).to_pylist() if row["right"] in home]
        self.wishes = _between(state.constraints, home)
        self.profiles = pick(state.profiles, "profile", keys).to_pylist()
        self.named = {row["profile"]: row for row in self.profiles}
        self.pairs = {
            (row["left"], row["right"]): row
            for row in pick(state.pairs, "left", keys).to_pylist()
            if row["right"] in home
        }

    def side(self, profile: str) -> Side:
        """One of the two, with what recognises it."""
        counts: set[tuple[str, str]] = set()
        ignored: set[tuple[str, str]] = set()
        for row in self.own:
            if row["profile"] == profile and row["kind"] not in set(Composite):
                kind = "phone_masked" if row["status"] == "masked" else row["kind"]
                blocked = row["status"] == "blocked" or _value(row) in self.blocked
                (ignored if blocked else counts).add((kind, masked(row["kind"], row["value"])))
        home = self.home[profile]
        size = sum(customer == home for customer in self.home.values())
        return Side(profile, home, size, sorted(counts), sorted(ignored))

    def path(self, left: str, right: str) -> list[Reason]:
        """The shortest chain of joining evidence; among equally short ones, identifiers before composites before a model."""
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

    def besides(self, chain: Sequence[Reason]) -> list[Reason]:
        """What else the neighbours of a chain have in common."""
        told = {(one.left, one.right, one.kind, one.value) for one in chain}
        # The digits of a phone that is told already are no further evidence.
        told |= {(one.left, one.right, _MASK, one.value) for one in chain if one.kind == "phone"}
        found = self._neighbours()
        return [
            other
            for one in chain
            for other in found.get(one.left, [])
            if other.right == one.right and (other.left, other.right, other.kind, other.value) not in told
        ]

    def _neighbours(self) -> dict[str, list[Reason]]:
        found: list[Reason] = []
        for wish in self.wishes:
            if wish["rule"] == "must_link":
                found += _both(self._decided(wish))
        for row in self.profiles:
            if row["merged_into"] in self.home and row["merged_into"] != row["profile"]:
                found += _both(Reason(Step.PLATFORM, row["profile"], row["merged_into"]))
        carriers = self._shared_by(joining=True)
        for value in sorted(carriers, key=lambda value: (value.kind in set(Composite), value.kind, value.value)):
            for place, one in enumerate(shared := sorted(carriers[value])):
                for other in shared[place + 1 :]:
                    found += _both(self._joining(value, one, other))
        # Last: what a model thinks matters where nothing proves more.
        found += [turned for row in self.pairs.values() for turned in _both(_likely(row))]
        grouped: dict[str, list[Reason]] = {}
        for reason in found:
            grouped.setdefault(reason.left, []).append(reason)
        return grouped

    def _joining(self, value: _Value, one: str, other: str) -> Reason:
        rows = [self.how[profile, value] for profile in (one, other)]
        seen = [row["first_seen"] for row in rows if row["first_seen"]]
        return replace(
            self._about(Step.SHARED, one, other, value),
            day=self._day(max(seen)) if len(seen) == 2 else None,
            agreement=self._agreement(one, other) if value.kind in self.contacts else None,
            assurances=(rows[0]["assurance"] or 1, rows[1]["assurance"] or 1),
        )

    def _agreement(self, one: str, other: str) -> str | None:
        """How the names of two who share a contact go together; None where other profiles of the customer vouch for them."""
        left, right = self.named[one], self.named[other]
        if left["name_kind"] == right["name_kind"] == "full":
            return "same_name" if left["sound"] == right["sound"] else None
        if left["surname"] and right["surname"]:
            return "title_fits" if left["surname"] == right["surname"] else None
        return "no_name"

    def _about(self, step: Step, one: str, other: str, value: _Value, rule: str | None = None) -> Reason:
        """A reason about a value, with who carries it."""
        shown = masked(value.kind, value.value)
        carriers = self.carriers.get(value)
        return Reason(step, one, other, value.kind, shown, rule, carriers=carriers, names=self.names.get(value))

    def _day(self, instant: dt.datetime) -> str:
        return f"{instant.astimezone(self.zone):%Y-%m-%d}"

    def _shared_by(self, *, joining: bool) -> dict[_Value, set[str]]:
        carriers: dict[_Value, set[str]] = {}
        for row in self.links:
            if joining == (row["status"] == "key" and _value(row) not in self.blocked):
                carriers.setdefault(_value(row), set()).add(row["profile"])
        return carriers

    def objections(self, left: str, right: str) -> list[Reason]:
        """All that was weighed between two customers, and why it did not join them."""
        sides = self.home[left], self.home[right]
        found = self._decisions({left, right})
        refused = [row for row in sorted(self.refusals, key=str) if self._across(row["left"], row["right"])]
        found += [self._refused(row) for row in refused]
        told = {(reason.kind, reason.value) for reason in found}
        shared = [one for one in self._shared(joining=True, sides=sides) if (one.kind, one.value) not in told]
        return found + shared + self._shared(joining=False, sides=sides) or [Reason(Step.NOTHING, left, right)]

    def _decisions(self, asked: set[str]) -> list[Reason]:
        """What people said against joining; of several pairs of one decision the one that was asked about stands for all."""
        across = [w for w in self.wishes if w["rule"] == "cannot_link" and self._across(w["left"], w["right"])]
        across.sort(key=lambda wish: ({wish["left"], wish["right"]} != asked, str(wish)))
        told: dict[tuple[Any, ...], Reason] = {}
        for wish in across:
            decision = wish["actor"], wish["at"] and self._day(wish["at"]), wish["reason"]
            first = told.get(decision)
            told[decision] = replace(first, more=first.more + 1) if first else self._decided(wish)
        return list(told.values())

    def _decided(self, wish: Mapping[str, Any]) -> Reason:
        day = self._day(wish["at"]) if wish["at"] else None
        ends = wish["left"], wish["right"]
        return Reason(Step.PERSON, *ends, rule=wish["rule"], note=wish["reason"], actor=wish["actor"], day=day)

    def _refused(self, row: Mapping[str, Any]) -> Reason:
        one, other, rule = row["left"], row["right"], row["rule"]
        clashes = self._clashes(one, other, self.harmless[rule]) if rule in self.harmless else ()
        if row["kind"] is None:
            # Clusters stand for their profiles: the model's pair may be another of the same two customers.
            sides = {self.home[one], self.home[other]}
            pairs = [p for (a, b), p in sorted(self.pairs.items()) if {self.home[a], self.home[b]} == sides]
            best = max(pairs, key=lambda pair: pair["weight"], default=None)
            chance, why = (_chance(best), best["why"]) if best else ("", None)
            said = Reason(Step.REFUSED, one, other, "likely", chance, rule, why=why)
            return replace(said, clashes=clashes, review=row["review"])
        value = _value(row)
        gap = self._gap(value, one, other) if rule == "other_owner" else None
        about = self._about(Step.REFUSED, one, other, value, rule)
        return replace(about, gap=gap, clashes=clashes, review=row["review"])

    def _gap(self, value: _Value, one: str, other: str) -> tuple[str, str] | None:
        """The days between two owners of a value: last seen with the one before, first with the one after."""
        spans = []
        for end in (one, other):
            rows = [row for (who, held), row in self.how.items() if held == value and self.home[who] == self.home[end]]
            first, last = [row["first_seen"] for row in rows], [row["last_seen"] for row in rows]
            if not rows or None in first or None in last:
                return None
            spans.append((min(first), max(last)))
        before, after = sorted(spans)
        return self._day(before[1]), self._day(after[0])

    def _clashes(self, one: str, other: str, harmless: frozenset[str]) -> list[Clash]:
        """The kinds of which two customers have different values and none in common, but for the harmless ones."""
        held: dict[tuple[str, str], dict[str, set[str]]] = {}
        for row in self.links:
            if row["status"] == "key" and row["kind"] not in harmless and _value(row) not in self.blocked:
                place = held.setdefault((row["kind"], row["scope"]), {})
                place.setdefault(self.home[row["profile"]], set()).add(row["value"])
        found = []
        for (kind, _), values in sorted(held.items()):
            left, right = values.get(self.home[one], set()), values.get(self.home[other], set())
            if left and right and not left & right:
                found.append(Clash(kind, masked(kind, min(left)), masked(kind, min(right))))
        return found

    def _shared(self, *, joining: bool, sides: tuple[str, str]) -> list[Reason]:
        """The values both customers carry: those that join elsewhere, or those that never do."""
        forbidden = any(w["rule"] == "cannot_link" and self._across(w["left"], w["right"]) for w in self.wishes)
        why_not = "cannot_link" if forbidden else "several_people"
        found = []
        for value, profiles in sorted(self._shared_by(joining=joining).items(), key=str):
            ends = [min((one for one in profiles if self.home[one] == side), default=None) for side in sides]
            if ends[0] and ends[1]:
                step = Step.REFUSED if joining else Step.BLOCKED
                rule = why_not if joining else self.blocked.get(value, "pattern")
                found.append(self._about(step, ends[0], ends[1], value, rule))
        return found

    def _across(self, one: str, other: str) -> bool:
        return self.home[one] != self.home[other]


def _value(row: Mapping[str, Any]) -> _Value:
    return _Value(row["kind"], row["scope"], row["value"])


def _both(reason: Reason) -> Iterable[Reason]:
    ways = reason.assurances and (reason.assurances[1], reason.assurances[0])
    return reason, replace(reason, left=reason.right, right=reason.left, assurances=ways)


def _chance(pair: Mapping[str, Any]) -> str:
    """A model's probability; never a certainty, however it would be rounded."""
    return f"{min(pair['probability'], 0.999):.1%}"


def _likely(row: Mapping[str, Any]) -> Reason:
    chance = _chance(row)
    return Reason(Step.LIKELY, row["left"], row["right"], "likely", chance, why=row["why"])


def _between(constraints: pa.Table, home: Mapping[str, str]) -> list[dict[str, Any]]:
    keys = pa.array(list(home))
    both = pc.and_(pc.is_in(constraints["left"], keys), pc.is_in(constraints["right"], keys))
    return list(constraints.filter(both).to_pylist()) if constraints.num_rows else []
