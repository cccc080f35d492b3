"""Loyalty: top-ups of stored value, rewards paid with points, and levels, all per account.

Each platform keeps its own programme: what somebody spends at the till does not count in the mini-program. That is what
makes a customer look small everywhere until the accounts are put together.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from hub.simulation.world.arrays import DAY, HOUR, NEVER, NOBODY, Bools, Columns, Ints, first_of_group
from hub.simulation.world.block import Block
from hub.simulation.world.orders import Kind, Orders
from hub.simulation.world.payments import Tender
from hub.simulation.world.setting import PERIOD_DAYS

__all__ = ["LevelChanges", "Programme", "Redemptions", "TopUps", "counts_for_points", "stored_value_fen"]

#: Levels look at this many periods (48 weeks).
_LEVEL_PERIODS: Final = 12
_FEN_PER_POINT: Final = 100
#: A reward costs one point for this many fen of the second level's threshold.
_FEN_PER_REWARD_POINT: Final = 200
#: Levels are reviewed this long after the period's last midnight, when its last business day is over.
_REVIEW: Final = 4 * HOUR
#: A reward is taken when this many times its price has been earned since the last one.
_EARNED_PER_REWARD: Final = 1.4


@dataclass(frozen=True)
class TopUps(Columns):
    """Money paid in: account row, world second, money paid and bonus on top (fen)."""

    account: Ints
    at: Ints
    principal_fen: Ints
    bonus_fen: Ints


@dataclass(frozen=True)
class Redemptions(Columns):
    """Rewards taken: account row, world second, points spent."""

    account: Ints
    at: Ints
    points: Ints


@dataclass(frozen=True)
class LevelChanges(Columns):
    """Levels that changed at the four-weekly review: account row, world second, old and new level."""

    account: Ints
    at: Ints
    old: Ints
    new: Ints


def counts_for_points(orders: Orders) -> Bools:
    """Orders that earn points: paid by a known account, a customer's own, neither voided nor a copy."""
    return np.asarray(
        (orders.account != NOBODY)
        & (orders.kind == Kind.SALE)
        & (orders.voided == NEVER)
        & (orders.original == NOBODY)
        & (orders.attached == orders.at)
    )


def stored_value_fen(orders: Orders) -> Ints:
    """What each order took from a stored balance; void tickets and copies take nothing."""
    stored = (orders.tender == Tender.STORED_VALUE) & (orders.original == NOBODY)
    return np.where(stored & (orders.voided == NEVER), orders.paid_fen - orders.tender_two_fen, 0)


class Programme:
    """The running totals of a block's accounts, carried from period to period."""

    def __init__(self, block: Block) -> None:
        rows = len(block.book.accounts)
        self._profile = block.profile
        self._accounts = block.book.accounts
        self._stored = np.zeros(rows, np.int64)
        self._earned = np.zeros(rows, np.int64)
        self._booked = np.full(rows, -NEVER)
        self._spent = np.zeros((_LEVEL_PERIODS, rows), np.int64)
        self._level = np.zeros(rows, np.int64)
        self._reward = block.profile.levels[1].from_fen // _FEN_PER_REWARD_POINT

    def run(self, orders: Orders, period: int) -> tuple[TopUps, Redemptions, LevelChanges]:
        """What the period's orders bring about, in the order of the orders."""
        return self._top_ups(orders), self._redemptions(orders), self._review(orders, period)

    def _top_ups(self, orders: Orders) -> TopUps:
        """Top up right before the order that the balance would not cover."""
        rows = np.flatnonzero(stored_value_fen(orders) > 0)
        account = orders.account[rows]
        profile = self._profile
        each = profile.top_up_fen + profile.top_up_bonus_fen
        after, before = _running(account, stored_value_fen(orders)[rows], self._stored)
        times = -(-after // each) - -(-before // each)
        need = times > 0
        at = np.maximum(orders.at[rows] - 60, self._accounts.created[account])
        return TopUps(
            account[need], at[need], (times * profile.top_up_fen)[need], (times * profile.top_up_bonus_fen)[need]
        )

    def _redemptions(self, orders: Orders) -> Redemptions:
        """Take a reward some hours after enough has been earned, by orders that are neither refunded nor late."""
        sure = (orders.refunded == NEVER) & (orders.arrives == orders.at)
        rows = np.flatnonzero(counts_for_points(orders) & sure)
        account = orders.account[rows]
        step = int(self._reward * _EARNED_PER_REWARD)
        after, before = _running(account, orders.paid_fen[rows] // _FEN_PER_POINT, self._earned)
        times = after // step - before // step
        # Deliveries are completed out of order: the reward waits until everything that earned it is booked.
        np.maximum.at(self._booked, account, orders.completed[rows])
        at = self._booked[account] + HOUR + orders.key[rows] % DAY
        open_then = at < np.minimum(self._accounts.closed[account], self._accounts.merged[account])
        taken = (times > 0) & open_then
        return Redemptions(account[taken], at[taken], (times * self._reward)[taken])

    def _review(self, orders: Orders, period: int) -> LevelChanges:
        """At the end of the period, set the level by the net spending of the last 48 weeks, as known by then."""
        end = (period + 1) * PERIOD_DAYS * DAY + _REVIEW
        counts = counts_for_points(orders) & (orders.arrives <= end)
        net = orders.paid_fen - np.where(orders.refunded <= end, orders.refund_fen, 0)
        spent = np.bincount(orders.account[counts], weights=net[counts], minlength=len(self._level))
        self._spent[period % _LEVEL_PERIODS] = spent.astype(np.int64)
        edges = np.array([level.from_fen for level in self._profile.levels[1:]], np.int64)
        level = np.searchsorted(edges, self._spent.sum(axis=0), side="right")
        accounts = self._accounts
        is_open = (accounts.created <= end) & (end < np.minimum(accounts.closed, accounts.merged))
        moved = np.flatnonzero((level != self._level) & is_open)
        changes = LevelChanges(moved, np.full(len(moved), end), self._level[moved], level[moved])
        self._level[moved] = level[moved]
        return changes


def _running(group: Ints, amount: Ints, carried: Ints) -> tuple[Ints, Ints]:
    """Each row's running total of its group after and before it, on top of ``carried``, which is raised in place."""
    order = np.argsort(group, kind="stable")
    total = np.cumsum(amount[order])
    first = first_of_group(group[order])
    base = np.repeat((total - amount[order])[first], np.diff(np.r_[np.flatnonzero(first), len(group)]))
    after = np.empty(len(group), np.int64)
    after[order] = total - base
    after += carried[group]
    carried += np.bincount(group, weights=amount, minlength=len(carried)).astype(np.int64)
    return after, after - amount
