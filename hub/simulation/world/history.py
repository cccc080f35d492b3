"""The history of one block of people: one chapter per period of four weeks, each from the state the last one left."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from hub.simulation.world.aftersales import finish_orders
from hub.simulation.world.arrays import DAY
from hub.simulation.world.baskets import Lines, draw_lines
from hub.simulation.world.block import Block
from hub.simulation.world.campaigns import Sends, draw_sends
from hub.simulation.world.contacts import Contacts, draw_contacts
from hub.simulation.world.loyalty import LevelChanges, Programme, Redemptions, TopUps
from hub.simulation.world.orders import Kind, Orders, place_orders
from hub.simulation.world.payments import pay
from hub.simulation.world.setting import PERIOD_DAYS
from hub.simulation.world.visits import draw_visits

__all__ = ["BlockHistory", "Chapter"]


@dataclass(frozen=True)
class Chapter:
    """What happened to a block in one period of four weeks."""

    period: int
    orders: Orders
    lines: Lines
    sends: Sends
    top_ups: TopUps
    redemptions: Redemptions
    level_changes: LevelChanges


class BlockHistory:
    """What happens to one block of people. Chapters are written when they are first asked for, and kept."""

    def __init__(self, block: Block) -> None:
        self.block = block
        self._chapters: list[Chapter] = []
        self._bought = np.zeros(len(block.people), np.int64)
        self._orders_of = np.zeros(len(block.book.accounts), np.int64)
        self._programme = Programme(block)

    @cached_property
    def contacts(self) -> Contacts:
        """Who is in touch with which guide and in which group, for the whole life of the world."""
        return draw_contacts(self.block)

    def chapters(self, until: int) -> Sequence[Chapter]:
        """All chapters that begin before world second ``until``; missing ones are written now."""
        periods = -(-until // (PERIOD_DAYS * DAY))
        while len(self._chapters) < periods:
            self._chapters.append(self._write(len(self._chapters)))
        return self._chapters[:periods]

    def _write(self, period: int) -> Chapter:
        block = self.block
        sends = draw_sends(block, period)
        visits = draw_visits(block, sends, self._bought, period)
        places = place_orders(block, visits, period)
        order = np.argsort(places.at, kind="stable")
        places, buyer = places.take(order), visits.person[order]
        lines = draw_lines(block, buyer, places.day, places.kind == Kind.WHOLESALE, period)
        orders, lines = pay(block, sends, places, lines, self._orders_of, period)
        orders, lines = finish_orders(block, orders, lines, period)
        return Chapter(period, orders, lines, sends, *self._programme.run(orders, period))
