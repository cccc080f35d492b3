"""The two passes whose joins are checked: what each counts against a cluster, and what bonds its units."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from identity.agglomerate import Unit
from identity.carried import Carried
from identity.graph import Numbers
from identity.grouped import NOTHING, Grouped, Marks, Wide
from identity.limits import Limits
from identity.numbering import Evidence
from identity.rules import Tier
from identity.slots import Slots
from identity.ties import Ties

__all__ = ["Asserted", "Bonds", "Joined", "Shared", "Stage"]


@dataclass(frozen=True, slots=True)
class Joined:
    """Units and the clusters they were joined into, for each profile.

    Attributes:
        units, clusters: by their smallest profiles.
        joined: whether the cluster has several units: only there can a join be wrong.
    """

    units: Numbers
    clusters: Numbers
    joined: Marks

    @classmethod
    def of(cls, units: Numbers, clusters: Numbers) -> Joined:
        """From the unit and the cluster of each profile."""
        heads = units == np.arange(len(units))
        return cls(units, clusters, np.bincount(clusters[heads], minlength=len(units))[clusters] > 1)

    @property
    def heads(self) -> Wide:
        """The units of clusters that have several, by their smallest profile."""
        return np.flatnonzero(self.joined & (self.units == np.arange(len(self.units))))


class Stage(Protocol):
    """Which pass is checked: what counts against a cluster, and what bonds its units."""

    def problems(self, joined: Joined, limits: Limits) -> Numbers:
        """Clusters that break a rule of this stage alone; some may stand twice."""

    def bonds(self, joined: Joined, broken: Marks) -> Bonds:
        """The evidence between the units of clusters that are broken."""

    def unit(self, key: int, **known: Any) -> Unit:
        """A unit with what this stage knows of it."""


@dataclass(frozen=True, slots=True)
class Bonds:
    """Columns of :class:`identity.agglomerate.Bond`, and the cluster of each."""

    cluster: Numbers
    tier: Numbers
    priority: Numbers
    doubt: Numbers
    left: Numbers
    right: Numbers
    value: Numbers

    def columns(self) -> list[Numbers]:
        """The cluster, then what a bond is made of, in order."""
        return [self.cluster, self.tier, self.priority, self.doubt, self.left, self.right, self.value]

    @classmethod
    def between(
        cls, same: Grouped, unit: Numbers, cluster: Numbers, tier: Numbers, priority: Numbers, assurance: Numbers,
        value: Numbers,
    ) -> Bonds:  # fmt: skip
        """Between all units that stand in a group."""
        one, other = same.pairs()
        once = unit[one] < unit[other]
        one, other = one[once], other[once]
        doubt = 5 - np.minimum(assurance[one], assurance[other])
        return cls(cluster[one], tier[one], priority[one], doubt, unit[one], unit[other], value[one])


@dataclass(frozen=True, slots=True)
class Asserted:
    """Profiles joined by what systems assert: only limits and what people said count against it."""

    carried: Carried
    ties: Ties

    def problems(self, joined: Joined, limits: Limits) -> Numbers:  # noqa: ARG002 - the protocol's
        """None: limits and what people said are looked at for every stage."""
        return joined.clusters[:0]

    def bonds(self, joined: Joined, broken: Marks) -> Bonds:
        """Between all who carry one asserted value, and the ties."""
        c, ties = self.carried, self.ties
        rows = np.flatnonzero((c.tier <= Tier.ASSERTED) & broken[joined.clusters[c.profile]])
        profile, space = c.profile[rows], c.space[rows]
        shared = Bonds.between(
            Grouped(c.value[rows]), joined.units[profile], joined.clusters[profile], c.spaces.tier[space],
            c.spaces.priority[space], c.assurance[rows], c.value[rows],
        )  # fmt: skip
        said = np.flatnonzero(broken[joined.clusters[ties.left]])
        none = np.zeros(len(said), np.int32)
        told = Bonds(
            joined.clusters[ties.left[said]], ties.tier[said], none, none, ties.left[said], ties.right[said], none + NOTHING
        )  # fmt: skip
        return Bonds(*(np.concatenate(both) for both in zip(shared.columns(), told.columns(), strict=True)))

    def unit(self, key: int, **known: Any) -> Unit:
        """A profile: nothing it says of itself counts yet."""
        return Unit(key=key, **known)


@dataclass(frozen=True, slots=True)
class Shared:
    """Groups joined by what people share: names, birthdays and sizes count as well."""

    slots: Slots
    evidence: Evidence

    def problems(self, joined: Joined, limits: Limits) -> Numbers:
        """Clusters with two names or birthdays, and large ones."""
        heads, names = joined.heads, self.slots.names
        together = Grouped(joined.clusters[heads])
        large = min(2 * limits.late_bridge, limits.max_customer + 1)
        broken = (
            together.differ(names.sound[heads])
            | together.differ(names.birthday[heads])
            | (together.total(names.size[heads]) >= large)
        )
        return joined.clusters[heads[together.heads[broken]]]

    def bonds(self, joined: Joined, broken: Marks) -> Bonds:
        """Between the groups in one slot."""
        met = self.slots.met
        rows = np.flatnonzero(broken[joined.clusters[met.group]])
        group, value = met.group[rows], met.value[rows]
        return Bonds.between(
            Grouped(value, self.slots.slot[rows]), group, joined.clusters[group], met.tier[rows],
            self.evidence.carried.spaces.priority[met.space[rows]], met.assurance[rows], value,
        )  # fmt: skip

    def unit(self, key: int, **known: Any) -> Unit:
        """A group, with its name and birthday."""
        names, facts = self.slots.names, self.evidence.facts
        sound, birthday = int(names.sound[key]), int(names.birthday[key])
        return Unit(
            key=key,
            size=int(names.size[key]),
            name=None if sound == NOTHING else facts.sounds[sound].as_py(),
            birthday=None if birthday == NOTHING else facts.birthdays[birthday].as_py(),
            **known,
        )
