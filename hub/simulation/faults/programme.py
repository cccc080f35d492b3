"""Fault programmes: which call is hit by which effect, decided from a seed and nothing else.

A decision depends on the seed, the rule, the request itself and how often it came before, so that parallel callers do
not change each other's luck; only bursts and the first hit on an endpoint go by order of arrival. Two promises make a
programme fit for tests:

* **Something happens.** With a rate above zero the first call a rule may hit on an endpoint is hit, so that a short run
  meets the fault too. The rate governs the calls after it.
* **Progress stays possible.** No rule hits the same request more than ``in_a_row`` times running, and all rules
  together never more than :data:`MOST_IN_A_ROW` times; a caller that makes one more attempt always gets through.
  (Parallel callers that send the very same request share its count, and with it each other's clean attempts.)
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from hub.simulation.faults.effects import CallEffect, PushEffect

__all__ = ["MOST_IN_A_ROW", "CallFacts", "Hit", "Programme", "PushFacts", "PushRule", "Rule", "dice"]

MOST_IN_A_ROW = 2
"""Longest run of faults on one request under any combination of programmes."""


def dice(*parts: object) -> random.Random:
    """Return a random source that depends on ``parts`` only; the same in every process."""
    return random.Random("\x1f".join(str(part) for part in parts))  # noqa: S311 - reproducible, not secret


@dataclass(frozen=True, slots=True)
class CallFacts:
    """What a rule may know about one call.

    Attributes:
        endpoint: the endpoint's name.
        key: identifies the request without its token, time-stamp and signature; a retry has the same key.
        write: whether the endpoint changes the platform's data.
        paged: whether the endpoint is read page by page.
        attempt: how often this request came before.
        streak: how many faults in a row it has just met.
        ordinal: how many calls the endpoint had before.
        fired: how often each rule has hit this endpoint before, by rule name.
    """

    endpoint: str
    key: str
    write: bool = False
    paged: bool = False
    attempt: int = 0
    streak: int = 0
    ordinal: int = 0
    fired: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PushFacts:
    """What a rule may know about one message: who gets it, its id, whether it is that receiver's first."""

    receiver: str
    message_id: str
    first: bool = False


@dataclass(frozen=True, slots=True)
class Hit:
    """One decided fault: the rule that fired and what it does."""

    rule: str
    effect: CallEffect


def any_call(_facts: CallFacts) -> bool:
    """Every call may be hit."""
    return True


@dataclass(frozen=True)
class Rule:
    """One source of call faults.

    Attributes:
        name: stands in the request log beside each call it hit.
        effect: makes the effect for one call from a random source.
        rate: share of eligible calls hit after the first, 0-1.
        eligible: which calls may be hit.
        in_a_row: most hits on one request running.
    """

    name: str
    effect: Callable[[random.Random], CallEffect]
    rate: float
    eligible: Callable[[CallFacts], bool] = any_call
    in_a_row: int = MOST_IN_A_ROW

    def hit(self, facts: CallFacts, seed: int) -> Hit | None:
        """Decide about one call."""
        if self.rate <= 0 or facts.streak >= min(self.in_a_row, MOST_IN_A_ROW) or not self.eligible(facts):
            return None
        draw = dice(seed, self.name, facts.key, facts.attempt)
        if not self.due(facts, seed, draw.random()):
            return None
        return Hit(self.name, self.effect(draw))

    def due(self, facts: CallFacts, _seed: int, chance: float) -> bool:
        """Say whether an eligible call is hit: always the first one, then by ``chance``."""
        return not facts.fired.get(self.name) or chance < self.rate


@dataclass(frozen=True)
class BurstRule(Rule):
    """A rule whose hits come in runs of ``length`` neighbouring calls of an endpoint, one run per ``length / rate``."""

    length: int = 4

    def due(self, facts: CallFacts, seed: int, _chance: float) -> bool:
        """Say whether the call falls into the burst of its stretch; the first stretch begins with its burst."""
        stretch = max(self.length, round(self.length / self.rate))
        number, place = divmod(facts.ordinal, stretch)
        start = dice(seed, self.name, facts.endpoint, number).randint(0, stretch - self.length) if number else 0
        return start <= place < start + self.length


@dataclass(frozen=True)
class PushRule:
    """One source of push faults: hits each receiver's first message, then ``rate`` of the others."""

    name: str
    effect: Callable[[random.Random], PushEffect]
    rate: float

    def hit(self, facts: PushFacts, seed: int) -> PushEffect | None:
        """Decide about one message."""
        draw = dice(seed, self.name, facts.receiver, facts.message_id)
        chance = draw.random()
        if self.rate <= 0 or (not facts.first and chance >= self.rate):
            return None
        return self.effect(draw)


@dataclass(frozen=True)
class Programme:
    """A set of rules with one seed. Add two programmes to have both; the seed of the left one counts.

    Attributes:
        name: its registered name, or several joined by ``+``.
        seed: decides everything; same seed, same calls, same faults.
        rules: tried in order, the first hit wins, so one call meets one fault.
        push_rules: every one may add its effect to a message.
    """

    name: str
    seed: int = 0
    rules: tuple[Rule, ...] = ()
    push_rules: tuple[PushRule, ...] = ()

    def __add__(self, other: Programme) -> Programme:
        names = [name for name in (self.name, other.name) if name != "none"]
        return Programme(
            "+".join(names) or "none", self.seed, self.rules + other.rules, self.push_rules + other.push_rules
        )

    def decide(self, facts: CallFacts) -> Hit | None:
        """Return the fault this call meets, or None."""
        hits = (rule.hit(facts, self.seed) for rule in self.rules)
        return next((hit for hit in hits if hit is not None), None)

    def decide_push(self, facts: PushFacts) -> list[PushEffect]:
        """Return everything that happens to this message."""
        effects = (rule.hit(facts, self.seed) for rule in self.push_rules)
        return [effect for effect in effects if effect is not None]
