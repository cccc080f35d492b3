"""One block of people as of one moment: what has happened, what is known, and what each account adds up to."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import numpy as np
import pyarrow as pa

from hub.simulation.world.arrays import NEVER, NOBODY, Bools, Columns, Ints
from hub.simulation.world.baskets import Lines
from hub.simulation.world.block import Block
from hub.simulation.world.history import BlockHistory, Chapter
from hub.simulation.world.loyalty import LevelChanges, Redemptions, TopUps, counts_for_points, stored_value_fen
from hub.simulation.world.orders import Orders
from hub.simulation.world.platforms import Platform, member_ids, openids
from hub.simulation.world.schemas import TIME
from hub.simulation.world.setting import Setting

__all__ = ["BlockMoment", "Ledger", "Reason", "Totals"]


class Reason:
    """Why a balance moved, by number."""

    ORDER, REFUND, REWARD, TOP_UP = range(4)
    NAMES: Final = ("order", "refund", "reward", "top_up")


@dataclass(frozen=True)
class Ledger(Columns):
    """Movements of a balance: account row, world second, change, bonus part, reason, order key (or ``NOBODY``)."""

    account: Ints
    at: Ints
    change: Ints
    bonus: Ints
    reason: Ints
    order: Ints


@dataclass(frozen=True)
class Totals(Columns):
    """What each account of the block adds up to; ``last`` is the world second of the last movement (or -NEVER)."""

    orders: Ints
    spent_fen: Ints
    last_order: Ints
    points: Ints
    balance_fen: Ints
    level: Ints
    last: Ints


class BlockMoment:
    """A block as of world second ``now``. Everything is computed when it is first asked for."""

    def __init__(self, history: BlockHistory, now: int) -> None:
        self.history = history
        self.block: Block = history.block
        self.setting: Setting = history.block.setting
        self.now = now
        #: Results that several tables share, by a key of their own.
        self.shared: dict[Any, Any] = {}

    @cached_property
    def _chapters(self) -> list[Chapter]:
        # The first period is there even at the very beginning, so that empty tables have their types.
        return list(self.history.chapters(max(self.now, 1)))

    @cached_property
    def _seen(self) -> list[Bools]:
        return [chapter.orders.arrives <= self.now for chapter in self._chapters]

    @cached_property
    def orders(self) -> Orders:
        """Orders that have arrived, in order of their keys."""
        return Orders.concat(
            [chapter.orders.take(seen) for chapter, seen in zip(self._chapters, self._seen, strict=True)]
        )

    @cached_property
    def lines(self) -> Lines:
        """Lines of :attr:`orders`; ``order`` is the row there."""
        parts, before = [], 0
        for chapter, seen in zip(self._chapters, self._seen, strict=True):
            place = np.cumsum(seen) - 1 + before
            lines = chapter.lines.take(seen[chapter.lines.order])
            parts.append(Lines(**(lines.arrays() | {"order": place[lines.order]})))
            before += int(seen.sum())
        return Lines.concat(parts)

    @cached_property
    def account(self) -> Ints:
        """The account of each order as known now."""
        return np.where(self.orders.attached <= self.now, self.orders.account, NOBODY)

    @cached_property
    def exists(self) -> Bools:
        """Which accounts have been made by now."""
        return self.block.book.accounts.created <= self.now

    @property
    def chapters(self) -> list[Chapter]:
        """The chapters that have begun; their events may lie after the moment."""
        return self._chapters

    @cached_property
    def points(self) -> Ledger:
        """Movements of points by now, by account and time."""
        orders = self.orders
        earns = counts_for_points(orders)
        rewards = Redemptions.concat([chapter.redemptions for chapter in self._chapters])
        nobody = np.full(len(rewards), NOBODY)
        ledger = [
            _from_orders(orders, earns, _posted(orders, orders.completed), orders.paid_fen // 100, Reason.ORDER),
            _from_orders(
                orders,
                earns & (orders.refunded < NEVER),
                _posted(orders, orders.refunded),
                -(orders.refund_fen // 100),
                Reason.REFUND,
            ),
            Ledger(rewards.account, rewards.at, -rewards.points, nobody * 0, nobody * 0 + Reason.REWARD, nobody),
        ]
        return self._known(ledger)

    @cached_property
    def stored_value(self) -> Ledger:
        """Movements of stored balances by now, by account and time."""
        orders, taken = self.orders, stored_value_fen(self.orders)
        tops = TopUps.concat([chapter.top_ups for chapter in self._chapters])
        nobody = np.full(len(tops), NOBODY)
        back = np.minimum(orders.refund_fen, taken)
        ledger = [
            Ledger(
                tops.account,
                tops.at,
                tops.principal_fen + tops.bonus_fen,
                tops.bonus_fen,
                nobody * 0 + Reason.TOP_UP,
                nobody,
            ),
            _from_orders(orders, taken > 0, _posted(orders, orders.at), -taken, Reason.ORDER),
            _from_orders(
                orders, (back > 0) & (orders.refunded < NEVER), _posted(orders, orders.refunded), back, Reason.REFUND
            ),
        ]
        return self._known(ledger)

    def _known(self, parts: list[Ledger]) -> Ledger:
        ledger = Ledger.concat(parts)
        ledger = ledger.take((ledger.at <= self.now) & (ledger.change != 0))
        return ledger.take(np.lexsort((ledger.reason != Reason.TOP_UP, ledger.at, ledger.account)))

    @cached_property
    def level_changes(self) -> LevelChanges:
        """Level changes by now, in order of time."""
        changes = LevelChanges.concat([chapter.level_changes for chapter in self._chapters])
        return changes.take(changes.at <= self.now)

    @cached_property
    def totals(self) -> Totals:
        """What each account adds up to now."""
        rows = len(self.block.book.accounts)
        orders = self.orders
        counts = counts_for_points(orders)
        account = orders.account[counts]
        back = np.where(orders.refunded <= self.now, orders.refund_fen, 0)
        last = np.full(rows, -NEVER)
        last_order = last.copy()
        np.maximum.at(last_order, account, orders.at[counts])
        np.maximum.at(last, account, np.maximum(orders.at, orders.arrives)[counts])
        np.maximum.at(last, account, self.latest(orders.refunded[counts]))
        level = np.zeros(rows, np.int64)
        level[self.level_changes.account] = self.level_changes.new
        for moved in (self.points, self.stored_value, self.level_changes):
            np.maximum.at(last, moved.account, moved.at)
        return Totals(
            orders=np.bincount(account, minlength=rows),
            spent_fen=_sum(account, (orders.paid_fen - back)[counts], rows),
            last_order=last_order,
            points=_sum(self.points.account, self.points.change, rows),
            balance_fen=_sum(self.stored_value.account, self.stored_value.change, rows),
            level=level,
            last=last,
        )

    @cached_property
    def member_ids(self) -> pa.StringArray:
        """The platform's own id of every account of the block."""
        accounts, seed = self.block.book.accounts, self.setting.seed
        person = self.block.people.person[accounts.person]
        parts = []
        for platform in Platform:
            mine = accounts.platform == platform
            if platform in (Platform.WECHAT, Platform.MINIPROGRAM):
                # Without WeChat there is no openid; those accounts of the official account stand under the first one.
                parts.append(openids(seed, platform.code, person[mine], np.maximum(accounts.wechat[mine], 0)))
            else:
                parts.append(member_ids(seed, platform, accounts.key[mine]))
        return pa.concat_arrays(parts)

    def past(self, moments: Ints) -> Ints:
        """The moments that have come; ``NEVER`` for the others."""
        return np.where(moments <= self.now, moments, NEVER)

    def latest(self, *moments: Ints) -> Ints:
        """Row by row the latest of the moments that have come."""
        known = [np.where(moment <= self.now, moment, -NEVER) for moment in moments]
        return np.asarray(np.maximum.reduce(known))

    def times(self, moments: Ints) -> pa.Array:
        """World seconds as timestamps; null for what has not come."""
        missing = (moments > self.now) | (moments <= -NEVER)
        stamps = self.setting.epoch_seconds(np.where(missing, 0, moments)) * 1000
        return pa.array(stamps, pa.int64(), mask=missing).cast(TIME)


def _posted(orders: Orders, moment: Ints) -> Ints:
    """When a movement is booked: when it happens, or when a late ticket arrives."""
    return np.maximum(moment, orders.arrives)


def _from_orders(orders: Orders, rows: Bools, at: Ints, change: Ints, reason: int) -> Ledger:
    count = int(rows.sum())
    return Ledger(
        account=orders.account[rows],
        at=at[rows],
        change=change[rows],
        bonus=np.zeros(count, np.int64),
        reason=np.full(count, reason),
        order=orders.key[rows],
    )


def _sum(group: Ints, amount: Ints, rows: int) -> Ints:
    return np.bincount(group, weights=amount, minlength=rows).astype(np.int64)
