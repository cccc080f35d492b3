"""What an explanation is made of: the two sides, the links of the chain between them, and how they are said."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from identity.likely.waterfall import waterfall
from identity.words import ASSURANCE_WORDS, KIND_WORDS, LANGUAGES, RULE_WORDS, SENTENCES, VALUE_WORDS

__all__ = ["Clash", "Explanation", "Reason", "Side", "Step"]


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
class Clash:
    """Two different values of one kind that speak for two people.

    Attributes:
        kind: kind of identifier.
        left: a value of the left side, masked.
        right: a value of the right side, masked.
    """

    kind: str
    left: str
    right: str

    def words(self, language: str) -> str:
        """The clash as part of a sentence."""
        sentence = SENTENCES["clash_hidden" if self.left == self.right else "clash"][language]
        return sentence.format(kind=_kind(self.kind, language), left=self.left, right=self.right)


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
        carriers: how many profiles carry the value, of whatever customer.
        names: how many different names those have, where that was counted.
        gap: for a value that has a new owner: the last day with the one before and the first with the one after; ISO 8601.
        agreement: of a contact that joins, how the names of the two go together: "same_name", "title_fits" or "no_name".
        clashes: what contradicts, for rules that forbid two values of one kind.
        more: how many further pairs of the same two customers the same decision is about.
        review: whether it waits for a person.
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
    carriers: int | None = None
    names: int | None = None
    gap: tuple[str, str] | None = None
    agreement: str | None = None
    clashes: Sequence[Clash] = ()
    more: int = 0
    review: bool = False

    def words(self, language: str = "zh", *, detailed: bool = False) -> str:
        """The reason as a sentence.

        Args:
            language: "zh" or "en".
            detailed: say how each side came to know the value, since when, who else carries it, what contradicts, and who decided.
        """
        rule = {**RULE_WORDS, **VALUE_WORDS}.get(self.rule or "", {}).get(language, self.rule or "")
        kind, value = _kind(self.kind, language), self.value or ""
        evidence = f"{kind} {value}".strip()
        said = SENTENCES[self._sentence()][language].format(
            left=self.left, right=self.right, evidence=evidence, kind=kind, value=value, rule=rule
        )
        note = f" ({self.note})" if self.note else ""
        return said + (self._details(language) if detailed else note)

    def _sentence(self) -> str:
        if self.step is Step.PERSON:
            return self.rule or "must_link"
        return "unlike" if self.step is Step.REFUSED and self.kind == "likely" else self.step.value

    def _details(self, language: str) -> str:
        if self.step is Step.PERSON:
            by = SENTENCES["by"][language].format(actor=self.actor or "-", day=self.day or "-", note=self.note or "-")
            return by + (SENTENCES["more_pairs"][language].format(more=self.more) if self.more else "")
        return self._how(language) + "".join(f"\n    {line}" for line in self._further(language))

    def _how(self, language: str) -> str:
        if self.assurances is None:
            return ""
        ways = [ASSURANCE_WORDS[str(rank)][language] for rank in self.assurances]
        how = SENTENCES["how_both" if ways[0] == ways[1] else "how"][language].format(left=ways[0], right=ways[1])
        return how + (SENTENCES["since"][language].format(day=self.day) if self.day else "")

    def _further(self, language: str) -> list[str]:
        lines = [SENTENCES[self.agreement][language]] if self.agreement else []
        if self.gap:
            lines.append(SENTENCES["gap"][language].format(before=self.gap[0], after=self.gap[1]))
        lines += [clash.words(language) for clash in self.clashes]
        if self.carriers:
            several = "carried_names" if (self.names or 0) > 1 else "carried"
            lines.append(SENTENCES[several][language].format(profiles=self.carriers, names=self.names))
        return lines + (waterfall(self.why, language) if self.why else [])


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two that were asked about.

    Attributes:
        profile: its key.
        customer: whose it is.
        size: how many profiles that customer has.
        known_by: what recognises it: kind and masked value.
        ignored: what it carries besides and what says nothing of a person: kind and masked value.
    """

    profile: str
    customer: str
    size: int
    known_by: Sequence[tuple[str, str]]
    ignored: Sequence[tuple[str, str]] = ()

    def words(self, language: str = "zh") -> str:
        """What recognises it, in a line."""
        counts = SENTENCES["known_by" if self.known_by else "known_by_nothing"][language]
        said = counts.format(values=_listed(self.known_by, language))
        ignored = SENTENCES["ignored"][language].format(values=_listed(self.ignored, language))
        return said + (ignored if self.ignored else "")


@dataclass(frozen=True, slots=True)
class Explanation:
    """Whether two profiles are one customer, and why.

    Attributes:
        together: whether they are one customer.
        left: profile on one side.
        right: profile on the other.
        customers: their customers; one if together.
        reasons: the shortest chain of evidence if together, else everything that was weighed and why it did not join.
        besides: what else the neighbours of that chain have in common: without the chain it would join them still.
        sides: the two profiles and what recognises them.
    """

    together: bool
    left: str
    right: str
    customers: tuple[str, ...]
    reasons: Sequence[Reason]
    besides: Sequence[Reason] = ()
    sides: Sequence[Side] = ()

    def words(self, language: str = "zh", *, detailed: bool = False) -> str:
        """The whole explanation as text, one reason a line.

        Args:
            language: "zh" or "en".
            detailed: as for :meth:`Reason.words`; and what else they have in common.

        Raises:
            ValueError: the language is neither "zh" nor "en".
        """
        if language not in LANGUAGES:
            raise ValueError(f"The language must be one of {', '.join(LANGUAGES)}.")
        head = SENTENCES["together" if self.together else "apart"][language]
        customers = SENTENCES["comma"][language].join(self.customers)
        lines = [head.format(left=self.left, right=self.right, customers=customers)]
        lines += [f"- {reason.words(language, detailed=detailed)}" for reason in self.reasons]
        if detailed and self.besides:
            lines += [SENTENCES["besides"][language], *(f"- {one.words(language)}" for one in self.besides)]
        return "\n".join(lines)


def _listed(values: Sequence[tuple[str, str]], language: str) -> str:
    return SENTENCES["comma"][language].join(f"{_kind(kind, language)} {value}" for kind, value in values)


def _kind(kind: str | None, language: str) -> str:
    return KIND_WORDS.get(kind or "", {}).get(language, kind or "")
