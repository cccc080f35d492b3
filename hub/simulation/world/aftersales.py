"""After the sale: refunds, voids, late and doubled tickets, wrong clocks, unpaid first attempts, and numbers."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np

from hub.simulation.world.arrays import DAY, HOUR, NEVER, NOBODY, Ints, first_of_group
from hub.simulation.world.baskets import Lines
from hub.simulation.world.block import Block
from hub.simulation.world.orders import Kind, Orders
from hub.simulation.world.platforms import Platform
from hub.simulation.world.seeds import Part

__all__ = ["REFUND_REASONS", "finish_orders", "order_key", "split_order_key"]

REFUND_REASONS: Final = ("不想要了", "质量问题", "少发漏发", "发错商品", "七天无理由", "门店缺货")
_PERIOD_BITS: Final = 12
_SEQUENCE_BITS: Final = 28
_WHOLE: Final = 0.6
#: Seconds between the unpaid attempt and the paid order.
_TRIED_BEFORE: Final = 300


def order_key(block: int, period: int, sequence: Ints) -> Ints:
    """The number of an order in the whole world."""
    return sequence + (((block << _PERIOD_BITS) | period) << _SEQUENCE_BITS)


def split_order_key(key: Ints) -> tuple[Ints, Ints]:
    """Block and sequence number (within its period) of an order key."""
    return key >> (_PERIOD_BITS + _SEQUENCE_BITS), key & ((1 << _SEQUENCE_BITS) - 1)


def finish_orders(block: Block, orders: Orders, lines: Lines, period: int) -> tuple[Orders, Lines]:
    """Let happen to the paid orders of one period what happens to orders, and number them.

    Args:
        block: whose orders they are.
        orders, lines: of one period, paid.
        period: four weeks.
    """
    random = block.stream(Part.AFTERSALES, period)
    orders = _misrecord(block, orders, random, period)
    orders, lines = _refund(block, orders, lines, random)
    orders, lines = _with_copies(block, orders, lines, random, period)
    keys = order_key(block.number, period, np.arange(len(orders)))
    original = np.where(orders.original == NOBODY, NOBODY, keys[np.maximum(orders.original, 0)])
    return replace(orders, key=keys, original=original), lines


def _misrecord(block: Block, orders: Orders, random: np.random.Generator, period: int) -> Orders:
    """Void some tickets, send some late, and set some tills' clocks wrong."""
    rows = len(orders)
    till = orders.platform == Platform.POS
    voided = till & (orders.kind == Kind.SALE) & block.hits("void_ticket", rows, period)
    late = till & block.hits("late_ticket", rows, period)
    wrong = till & block.hits("wrong_clock", rows, period)
    delay, undo = random.integers(HOUR, 72 * HOUR, rows), random.integers(60, 900, rows)
    shift = random.integers(-DAY, DAY, rows)
    return replace(
        orders,
        voided=np.where(voided, orders.at + undo, NEVER),
        arrives=np.where(late, orders.at + delay, orders.at),
        till_time=np.where(wrong, orders.at + shift, orders.at),
    )


def _refund(block: Block, orders: Orders, lines: Lines, random: np.random.Generator) -> tuple[Orders, Lines]:
    """Refund some orders in whole, some by one line. A refund never exceeds what was paid for the goods."""
    rows = len(orders)
    share = block.setting.behaviour.refund_share
    refunded = (
        (random.random(rows) < share) & (orders.kind == Kind.SALE) & (orders.voided == NEVER) & (orders.paid_fen > 0)
    )
    first = np.flatnonzero(first_of_group(lines.order))
    count = np.diff(np.r_[first, len(lines)])
    whole = refunded & ((random.random(rows) < _WHOLE) | (count == 1))
    one = first + (random.random(rows) * count).astype(np.int64)
    chosen = whole[lines.order] | (refunded[lines.order] & (one[lines.order] == np.arange(len(lines))))
    amount = np.bincount(lines.order, weights=lines.net_fen * chosen, minlength=rows).astype(np.int64)
    amount = np.minimum(amount, orders.paid_fen)
    refunded &= amount > 0
    wait = (random.exponential(block.profile.delivery_days * 1.5 + 0.05, rows) * DAY).astype(np.int64) + 600
    orders = replace(
        orders,
        refunded=np.where(refunded, orders.completed + wait, NEVER),
        refund_fen=np.where(refunded, amount, 0),
        refund_whole=whole & refunded,
        refund_reason=np.where(refunded, random.integers(0, len(REFUND_REASONS), rows), NOBODY),
    )
    return orders, replace(lines, refunded=np.where(chosen & refunded[lines.order], lines.quantity, 0))


def _with_copies(
    block: Block, orders: Orders, lines: Lines, random: np.random.Generator, period: int
) -> tuple[Orders, Lines]:
    """Add tickets that were uploaded twice and online orders that were first left unpaid."""
    rows, till = len(orders), orders.platform == Platform.POS
    twice = np.flatnonzero(till & (orders.voided == NEVER) & block.hits("duplicate_ticket", rows, period))
    could_try = ~till & (orders.at - _TRIED_BEFORE >= block.book.accounts.created[orders.account])
    unpaid = np.flatnonzero(could_try & block.hits("unpaid_order", rows, period))
    arrives = orders.arrives + random.integers(HOUR // 4, 24 * HOUR, rows)
    doubled = replace(
        orders.take(twice),
        original=twice,
        arrives=arrives[twice],
        coupon=np.full(len(twice), NOBODY),
        refunded=np.full(len(twice), NEVER),
        refund_fen=np.zeros(len(twice), np.int64),
    )
    attempts = _attempts(orders.take(unpaid), unpaid)
    source = np.r_[np.arange(len(orders)), twice, unpaid]
    return Orders.concat([orders, doubled, attempts]), _copied_lines(lines, source, len(orders))


def _attempts(orders: Orders, original: Ints) -> Orders:
    """The unpaid first attempts: five minutes earlier, closed after half an hour, nothing paid."""
    rows = len(orders)
    nothing, never = np.zeros(rows, np.int64), np.full(rows, NEVER)
    at = orders.at - _TRIED_BEFORE
    return replace(
        orders,
        original=original,
        at=at,
        till_time=at,
        arrives=at,
        attached=at,
        completed=never,
        abandoned=at + 1_800,
        refunded=never,
        refund_fen=nothing,
        coupon=np.full(rows, NOBODY),
        tender=np.full(rows, NOBODY),
        tender_two=np.full(rows, NOBODY),
        tender_two_fen=nothing,
    )


def _copied_lines(lines: Lines, source: Ints, rows: int) -> Lines:
    """The lines of orders followed by the lines of copies; copies are never refunded."""
    count = np.bincount(lines.order, minlength=rows)
    start = np.cumsum(count) - count
    copied = source[rows:]
    take = np.repeat(start[copied], count[copied])
    take += np.arange(len(take)) - np.repeat(np.cumsum(count[copied]) - count[copied], count[copied])
    copies = lines.take(take)
    order = np.repeat(np.arange(rows, len(source)), count[copied])
    return Lines.concat([lines, replace(copies, order=order, refunded=np.zeros(len(take), np.int64))])
