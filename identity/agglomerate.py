"""Join what evidence joins, strongest first, and refuse what a rule forbids: one component of evidence at a time.

Most components break no rule and are one customer as they stand. Only those that do come here, so plain Python over a
handful of units is fast enough. Ties are broken by the units' keys, never by the order of input.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from identity.limits import Held, Limits, merged
from identity.rules import Tier

__all__ = ["Bond", "Refusal", "Unit", "Verdict", "agglomerate"]


@dataclass(frozen=True, slots=True)
class Unit:
    """What is joined: a profile, or a group of profiles that stronger evidence has joined before.

    Attributes:
        key: smallest profile number in it.
        size: how many profiles it has.
        name: sound of its full name, if it has one.
        birthday: an assured date of birth, if it has one.
        limited: its values of the kinds that are limited per customer, by (kind, scope), see :data:`identity.limits.Held`.
        apart_from: keys of units that people said are somebody else.
    """

    key: int
    size: int = 1
    name: str | None = None
    birthday: str | None = None
    limited: Mapping[tuple[str, str], Held] = field(default_factory=dict)
    apart_from: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True, order=True)
class Bond:
    """Evidence that two units are one person; bonds sort from strongest to weakest.

    Attributes:
        tier: :class:`identity.rules.Tier`.
        priority: of the identifier's kind; smaller is stronger.
        doubt: 5 minus the weaker side's assurance.
        left: key of one unit.
        right: key of the other, larger one.
        value: number of the value both carry, in an order that does not depend on the input's; -1 when a person or platform said so.
    """

    tier: int
    priority: int
    doubt: int
    left: int
    right: int
    value: int = -1


@dataclass(frozen=True, slots=True)
class Refusal:
    """A bond that a rule did not let join.

    Attributes:
        bond: the evidence.
        rule: cannot_link, names_differ, birthdays_differ, limit, too_large or late_bridge.
    """

    bond: Bond
    rule: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """The outcome: for every unit's key the key of its group (the smallest in it), and what was refused."""

    groups: Mapping[int, int]
    refusals: Sequence[Refusal]


@dataclass(slots=True)
class _Cluster:
    key: int
    size: int
    names: set[str]
    birthdays: set[str]
    limited: dict[tuple[str, str], Held]
    apart_from: set[int]
    members: list[int]
    touching: dict[int, set[int]]
    """Values that bond this cluster to others, by the others' keys."""


def agglomerate(units: Iterable[Unit], bonds: Iterable[Bond], limits: Limits) -> Verdict:
    """Join the units of one component.

    Args:
        units: all different keys.
        bonds: between those keys.
        limits: see :class:`identity.limits.Limits`.
    """
    return _Agglomeration(units, sorted(bonds), limits).verdict()


class _Agglomeration:
    def __init__(self, units: Iterable[Unit], bonds: Sequence[Bond], limits: Limits) -> None:
        self.limits = limits
        self.bonds = bonds
        self.clusters = {unit.key: _start(unit) for unit in units}
        self.home = {key: key for key in self.clusters}
        for bond in bonds:
            self.clusters[bond.left].touching.setdefault(bond.right, set()).add(bond.value)
            self.clusters[bond.right].touching.setdefault(bond.left, set()).add(bond.value)

    def verdict(self) -> Verdict:
        refused: dict[tuple[int, int, str], Refusal] = {}
        for bond in self.bonds:
            left, right = self.clusters[self.home[bond.left]], self.clusters[self.home[bond.right]]
            if left is right:
                continue
            if rule := self._objection(bond, left, right):
                refused.setdefault((min(left.key, right.key), max(left.key, right.key), rule), Refusal(bond, rule))
            else:
                self._join(left, right)
        still = [one for one in refused.values() if self.home[one.bond.left] != self.home[one.bond.right]]
        return Verdict({key: self.clusters[home].key for key, home in self.home.items()}, still)

    def _objection(self, bond: Bond, left: _Cluster, right: _Cluster) -> str | None:
        if not left.apart_from.isdisjoint(right.members) or not right.apart_from.isdisjoint(left.members):
            return "cannot_link"
        if bond.tier == Tier.MANUAL:
            return None
        if self._over_limit(left, right):
            return "limit"
        return None if bond.tier == Tier.ASSERTED else self._doubt(left, right)

    def _over_limit(self, left: _Cluster, right: _Cluster) -> bool:
        for what, values in left.limited.items():
            others = right.limited.get(what)
            if others and self.limits.too_many(what[0], values, others):
                return True
        return False

    def _doubt(self, left: _Cluster, right: _Cluster) -> str | None:
        if left.names and right.names and left.names.isdisjoint(right.names):
            return "names_differ"
        if left.birthdays and right.birthdays and left.birthdays.isdisjoint(right.birthdays):
            return "birthdays_differ"
        if left.size + right.size > self.limits.max_customer:
            return "too_large"
        if min(left.size, right.size) >= self.limits.late_bridge and len(left.touching[right.key]) < 2:
            return "late_bridge"
        return None

    def _join(self, left: _Cluster, right: _Cluster) -> None:
        into, away = (left, right) if left.key < right.key else (right, left)
        into.size += away.size
        into.names |= away.names
        into.birthdays |= away.birthdays
        into.apart_from |= away.apart_from
        into.members += away.members
        for what, held in away.limited.items():
            into.limited[what] = merged(into.limited.get(what, {}), held)
        for member in away.members:
            self.home[member] = into.key
        del self.clusters[away.key], into.touching[away.key]
        for other, values in away.touching.items():
            if other != into.key:
                into.touching.setdefault(other, set()).update(values)
                theirs = self.clusters[other].touching
                theirs.setdefault(into.key, set()).update(theirs.pop(away.key))


def _start(unit: Unit) -> _Cluster:
    return _Cluster(
        key=unit.key,
        size=unit.size,
        names={unit.name} if unit.name else set(),
        birthdays={unit.birthday} if unit.birthday else set(),
        limited=dict(unit.limited),
        apart_from=set(unit.apart_from),
        members=[unit.key],
        touching={},
    )
