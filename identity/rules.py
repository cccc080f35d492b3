"""What the owner decides: which identifiers count, how strongly, and where joining stops.

Everything has a default that suits a store chain in China. Rules are plain values: two equal rules decide equally, and
their :attr:`Rules.version` is kept with every state, so that a changed rule is seen and re-evaluated.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from types import MappingProxyType

from identity.errors import InvalidRulesError
from identity.normalise.dates import PLACEHOLDER_DATES
from identity.normalise.text import VERSION as NORMALISER_VERSION

__all__ = ["ASSURANCE_RANK", "DEFAULT_KINDS", "Assurance", "Composite", "Kind", "Normaliser", "Rules", "Tier"]


class Assurance(StrEnum):
    """How an identifier came to be known, strongest first."""

    ISSUED = "issued"
    """Given out by the platform itself."""
    AUTHORISED = "authorised"
    """Confirmed by the person: one-tap login, one-time password."""
    TYPED_BY_CUSTOMER = "typed_by_customer"
    TYPED_BY_STAFF = "typed_by_staff"
    PARSED = "parsed"
    """Found in a free text such as a remark."""


ASSURANCE_RANK: Mapping[str, int] = MappingProxyType(
    {assurance.value: len(Assurance) - index for index, assurance in enumerate(Assurance)}
)
"""5 for issued down to 1 for parsed."""


class Normaliser(StrEnum):
    """Which normaliser an identifier's values go through (:mod:`identity.normalise`)."""

    PHONE = "phone"
    EMAIL = "email"
    NUMBER = "number"
    ACCOUNT = "account"


class Tier:
    """How directly a kind of evidence joins two profiles."""

    MANUAL = 0
    """A person said so: a must-link."""
    ASSERTED = 1
    """A system vouches for it: one account, one card."""
    CONTACT = 2
    """A way to reach somebody, which may be shared, mistyped or handed on: joins those who agree."""
    COMPOSITE = 3
    """Several weak facts together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One kind of identifier.

    Attributes:
        name: as in the ``kind`` column of the identifiers.
        priority: 1 is strongest; decides which evidence gives way when not all can hold. No two kinds share one.
        tier: :class:`Tier` of the evidence.
        normaliser: how its values are made comparable.
        scoped: whether a value means anything without its scope (an openid without its app does not).
        per_customer: how many different values of one scope one customer may have; None for any number. 1 makes the
            kind exclusive: two national member cards are two people.
        window_days: count only values that were first seen within so many days of each other; None counts them for ever.
            Whoever renews a card every year holds many, but never two within a month.
        max_profiles: a value carried by more profiles than this says nothing about a person and is blocked; it is
            unblocked only when it falls to half (so that a count that hovers does not flip back and forth).
        max_names: likewise for the number of different full names among the carriers.
        account: whether a value stands for one login of one person, so that two of them on an otherwise silent
            contact speak for two people.
    """

    name: str
    priority: int
    tier: int = Tier.ASSERTED
    normaliser: Normaliser = Normaliser.ACCOUNT
    scoped: bool = True
    per_customer: int | None = None
    window_days: int | None = None
    max_profiles: int = 50
    max_names: int = 6
    account: bool = False


DEFAULT_KINDS: tuple[Kind, ...] = (
    Kind(name="unionid", priority=1, per_customer=2, account=True),
    Kind(name="member_no", priority=2, normaliser=Normaliser.NUMBER, per_customer=3),
    Kind(name="card_no", priority=3, normaliser=Normaliser.NUMBER),
    Kind(name="openid", priority=4, per_customer=2, account=True),
    Kind(name="external_userid", priority=5, per_customer=3),
    Kind(name="yz_open_id", priority=6, account=True),
    Kind(name="wid", priority=7, account=True),
    Kind(name="alipay_id", priority=8, account=True),
    Kind(name="custom", priority=9),
    Kind(name="phone", priority=10, tier=Tier.CONTACT, normaliser=Normaliser.PHONE, scoped=False, max_profiles=30),
    Kind(name="payment_token", priority=11, tier=Tier.CONTACT),
    Kind(name="email", priority=12, tier=Tier.CONTACT, normaliser=Normaliser.EMAIL, scoped=False, max_profiles=30),
)
"""The kinds the hub's records know. ``phone_masked`` is not among them: a mask is evidence, not an identifier."""


class Composite(StrEnum):
    """Several weak facts of one profile that together are evidence; each needs a full name, compared by sound."""

    MASKED_PHONE_AND_NAME = "phone_mask+name"
    """Seven of eleven digits and the name: what is left of a phone on platforms that hide it."""
    NAME_AND_BIRTHDAY = "name+birthday"
    """The name and a full date of birth."""
    NAME_AND_ADDRESS = "name+address"
    """The name and an address with a house number."""


PHONE_KIND, MASKED_KIND = "phone", "phone_masked"
"""Values of the second kind are read as those of the first; only those that are masked count, and only together with a name."""


def _no_values() -> Mapping[str, frozenset[str]]:
    return MappingProxyType({})


@dataclass(frozen=True, kw_only=True)
class Rules:
    """Every choice identity resolution depends on.

    Attributes:
        kinds: the identifiers that count, each with an explicit priority.
        blocked: values per kind that never link, as raw text: the shops' own numbers, staff numbers, test cards.
        trusted: values per kind that are never blocked by what was learnt, as raw text.
        own: values of the chain's own shops and staff, blocked like ``blocked``. They are data that grows with the chain
            rather than a choice, so they are no part of :attr:`version`: a run with ``changed`` has to name the
            carriers of values that joined or left them.
        max_customer: a customer of more profiles than this is joined by asserted evidence only; other links that
            would pass it go to review.
        late_bridge: two groups of at least this many profiles each are not joined by a single contact or composite
            link; it goes to review.
        placeholder_birthdays: dates that mean "not known", besides nothing.
        composites: the composite evidence to use, strongest first. It joins only where nothing speaks against it: no
            two carriers with different phones, logins or other identifiers of one kind.
        max_composite: composite evidence that more profiles than this carry is blocked, like a crowded value.
        tenure_gap_days: a shared value that was silent for so long and then turns up with a new name or login has a
            new owner; operators keep a cancelled number back for at least 90 days.
        likely_join: mean weight, in bits, from which a link model's pairs join two groups; 12 bits are odds of 4,096 to 1.
        likely_review: weight from which such a pair is left to a person.
    """

    kinds: tuple[Kind, ...] = DEFAULT_KINDS
    blocked: Mapping[str, frozenset[str]] = field(default_factory=_no_values)
    trusted: Mapping[str, frozenset[str]] = field(default_factory=_no_values)
    own: Mapping[str, frozenset[str]] = field(default_factory=_no_values)
    max_customer: int = 20
    late_bridge: int = 4
    placeholder_birthdays: frozenset[str] = PLACEHOLDER_DATES
    composites: tuple[Composite, ...] = tuple(Composite)
    max_composite: int = 10
    tenure_gap_days: int = 90
    likely_join: float = 12.0
    likely_review: float = 6.0

    def __post_init__(self) -> None:
        names = [kind.name for kind in self.kinds]
        if len(set(names)) != len(names):
            raise InvalidRulesError("Two kinds of identifier have one name.", hint="Name each kind once.")
        if len({kind.priority for kind in self.kinds}) != len(self.kinds):
            raise InvalidRulesError("Two kinds of identifier have one priority.", hint="Give each its own number.")
        if odd := [kind.name for kind in self.kinds if kind.normaliser not in set(Normaliser)]:
            raise InvalidRulesError(
                f"Kinds with an unknown normaliser: {', '.join(odd)}.", hint=f"There are {', '.join(Normaliser)}."
            )
        limits = [
            limit
            for kind in self.kinds
            for limit in (kind.per_customer, kind.window_days, kind.max_profiles, kind.max_names)
        ]
        if any(limit is not None and limit < 1 for limit in limits):
            raise InvalidRulesError("A limit is below 1.", hint="Remove the kind to ignore its values.")
        if idle := [kind.name for kind in self.kinds if kind.window_days is not None and kind.per_customer is None]:
            raise InvalidRulesError(
                f"window_days without a limit: {', '.join(idle)}.",
                hint="Say with per_customer how many values may be seen within it.",
            )
        if unknown := (set(self.blocked) | set(self.trusted) | set(self.own)) - set(names):
            raise InvalidRulesError(f"Values are listed for kinds that are not in the rules: {sorted(unknown)}.")
        if self.max_customer < 2 or min(self.late_bridge, self.max_composite, self.tenure_gap_days) < 1:
            raise InvalidRulesError("max_customer must be at least 2, all other limits at least 1.")
        if self.likely_review > self.likely_join:
            raise InvalidRulesError("likely_review must not be above likely_join.")

    @property
    def version(self) -> str:
        """A short fingerprint of these rules and of the normalisers; equal rules have equal versions."""
        parts = [NORMALISER_VERSION, repr(sorted(self.kinds, key=lambda kind: kind.priority))]
        parts += [repr(sorted((kind, sorted(values)) for kind, values in lists.items())) for lists in self._lists()]
        parts += [repr((self.max_customer, self.late_bridge, self.max_composite, self.tenure_gap_days))]
        parts += [repr((self.likely_join, self.likely_review))]
        parts += [repr(sorted(self.placeholder_birthdays)), repr([str(composite) for composite in self.composites])]
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:12]

    def _lists(self) -> tuple[Mapping[str, frozenset[str]], Mapping[str, frozenset[str]]]:
        return self.blocked, self.trusted

    def kind(self, name: str) -> Kind:
        """The kind of that name.

        Raises:
            InvalidRulesError: there is none.
        """
        for kind in self.kinds:
            if kind.name == name:
                return kind
        raise InvalidRulesError(f"No kind {name!r} in the rules.")

    def with_kind(self, name: str, **changes: object) -> Rules:
        """These rules with some attributes of one kind changed, e.g. ``rules.with_kind("phone", max_names=3)``."""
        changed = replace(self.kind(name), **changes)  # type: ignore[arg-type]
        return replace(self, kinds=tuple(changed if kind.name == name else kind for kind in self.kinds))
