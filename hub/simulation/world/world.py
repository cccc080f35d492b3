"""The facade: make a world, look at it at any moment, and ask for the truth."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, datetime, timedelta
from functools import cached_property
from typing import Final

from hub.simulation.world.arrays import DAY
from hub.simulation.world.assortment import Assortment
from hub.simulation.world.block import Block
from hub.simulation.world.chain import Chain
from hub.simulation.world.difficulties import Difficulties
from hub.simulation.world.fashion import FASHION
from hub.simulation.world.history import BlockHistory
from hub.simulation.world.moment import BlockMoment
from hub.simulation.world.platforms import Platform
from hub.simulation.world.profile import Behaviour, ChainProfile
from hub.simulation.world.setting import Setting
from hub.simulation.world.tea import TEA
from hub.simulation.world.truth import Truth
from hub.simulation.world.view import View

__all__ = ["PROFILES", "World", "WorldState"]

#: The trades that come with the hub, by name.
PROFILES: Final[dict[str, ChainProfile]] = {profile.name: profile for profile in (TEA, FASHION)}
_PEOPLE_PER_SHOP: Final = 150
_MOST_SHOPS: Final = 50
_FEWEST_SHOPS: Final = 3
#: Histories of this many blocks are kept; a larger world is generated anew for every pass.
_KEPT_BLOCKS: Final = 2


class World:
    """A synthetic store chain. Equal arguments make equal worlds, to the byte; see :meth:`generate`."""

    def __init__(self, setting: Setting, end: datetime) -> None:
        self.setting = setting
        self.end = end
        self.chain = Chain(setting)
        self.assortment = Assortment(setting)
        self._kept: dict[int, BlockHistory] = {}

    @classmethod
    def generate(
        cls,
        people: int = 2_000,
        seed: int = 7,
        *,
        days: int = 365,
        start: date = date(2025, 1, 1),
        profile: str | ChainProfile = "tea",
        difficulties: Difficulties | None = None,
        behaviour: Behaviour | None = None,
        shops: int | None = None,
    ) -> World:
        """Make a world. This is quick: people and orders are computed when something asks for them.

        Args:
            people: people of the catchment, 200 to 5 000 000; about 60 per cent of them appear in the course of time.
            seed: any whole number from 0.
            days: how long the world has run when :attr:`end` comes; :meth:`at` may look before and beyond.
            start: first day of the world, local time.
            profile: ``tea``, ``fashion``, or a :class:`ChainProfile` of your own.
            difficulties: what makes identity hard; the usual rates unless given.
            behaviour: other habits than those of the profile.
            shops: number of shops; 50 unless given, fewer for fewer than 7 500 people.

        Raises:
            ValueError: an argument is out of range or the profile is unknown; the message says what is accepted.
        """
        trade = _profile(profile)
        if behaviour is not None:
            trade = replace(trade, behaviour=behaviour)
        if days < 1:
            raise ValueError(f"days must be 1 or more, not {days}")
        count = max(_FEWEST_SHOPS, min(_MOST_SHOPS, people // _PEOPLE_PER_SHOP)) if shops is None else shops
        setting = Setting(people, seed, start, trade, difficulties or Difficulties(), count)
        return cls(setting, setting.moment(days * DAY))

    def __reduce__(self) -> tuple[type[World], tuple[Setting, datetime]]:
        """A world travels between processes as its setting; what was computed stays behind."""
        return World, (self.setting, self.end)

    @property
    def start(self) -> datetime:
        """The world's first midnight."""
        return self.setting.moment(0)

    def at(self, moment: datetime) -> WorldState:
        """The world as of a moment; it may lie after :attr:`end`, for time goes on by the same rules.

        Raises:
            ValueError: the moment has no time zone or lies before the world or after 2039.
        """
        return WorldState(self, moment)

    def view(self, platform: str) -> View:
        """A platform as of :attr:`end`: ``pos``, ``youzan``, ``weimob``, ``wecom``, ``wechat`` or ``miniprogram``."""
        return self.now.view(platform)

    @cached_property
    def now(self) -> WorldState:
        """The world as of :attr:`end`."""
        return self.at(self.end)

    @property
    def truth(self) -> Truth:
        """The truth as of :attr:`end`."""
        return self.now.truth

    def later(self, *, days: int = 1) -> World:
        """The same world, ``days`` later; what has been computed is shared."""
        world = World(self.setting, self.end + timedelta(days=days))
        world._kept = self._kept
        return world

    def history(self, block: int) -> BlockHistory:
        """The history of one block of people, kept when the world is small."""
        if block in self._kept:
            return self._kept[block]
        history = BlockHistory(Block.of(self.chain, self.assortment, block))
        if self.setting.blocks <= _KEPT_BLOCKS:
            self._kept[block] = history
        return history


class WorldState:
    """The world as of one moment; see :meth:`World.at`."""

    def __init__(self, world: World, moment: datetime) -> None:
        self.world = world
        self.moment = moment
        self.now = world.setting.seconds(moment)
        self.chain = world.chain
        self.assortment = world.assortment
        self._views: dict[str, View] = {}
        self._moments: dict[int, BlockMoment] = {}

    def view(self, platform: str) -> View:
        """One platform: ``pos``, ``youzan``, ``weimob``, ``wecom``, ``wechat`` or ``miniprogram``.

        Raises:
            ValueError: no such platform; the message lists them.
        """
        known = {entry.code: entry for entry in Platform}
        if platform not in known:
            raise ValueError(f"no platform {platform!r}; there are {', '.join(known)}")
        return self._views.setdefault(platform, View(self, known[platform]))

    @property
    def truth(self) -> Truth:
        """The truth as of this moment."""
        return Truth(self)

    def blocks(self) -> Iterator[BlockMoment]:
        """Every block of people as of this moment, one at a time."""
        for number in range(self.world.setting.blocks):
            moment = self.block(number)
            yield moment
            if number not in self._moments:
                # What the tables shared refers back to the moment: without it the block is freed now, not some time.
                moment.shared.clear()

    def block(self, block: int) -> BlockMoment:
        """One block of people as of this moment, kept when the world is small."""
        if block in self._moments:
            return self._moments[block]
        moment = BlockMoment(self.world.history(block), self.now)
        if self.world.setting.blocks <= _KEPT_BLOCKS:
            self._moments[block] = moment
        return moment


def _profile(profile: str | ChainProfile) -> ChainProfile:
    if isinstance(profile, ChainProfile):
        return profile
    if profile not in PROFILES:
        raise ValueError(f"no profile {profile!r}; there are {', '.join(PROFILES)}")
    return PROFILES[profile]
