"""Baskets: which articles an order holds, in which variants, at which price."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from hub.simulation.world.arrays import NOBODY, Bools, Columns, Floats, Ints
from hub.simulation.world.block import Block
from hub.simulation.world.seeds import Part
from hub.simulation.world.setting import PERIOD_DAYS

__all__ = ["NO_OPTION", "Lines", "draw_lines", "expected_lines", "unpack_options"]

#: "This article has no such choice" in a packed option.
NO_OPTION: Final = 255
_OPTION_BITS: Final = 8
_MOST_LINES: Final = 6
_PAIRING: Final = 0.45
_FAVOURITE_OF_LOYAL: Final = 0.6
_TWO_OF_A_KIND: Final = 0.06
_THREE_OF_A_KIND: Final = 0.01
_WHOLESALE: Final = 30


@dataclass(frozen=True)
class Lines(Columns):
    """Order lines of one period.

    Attributes:
        order: row in the period's orders; rows stand together and in order.
        number: 0, 1, 2 … within the order.
        unit_fen: price of one unit, extras included. goods_fen: quantity times unit price.
        discount_fen, net_fen: what was taken off (standing offer and share of the coupon), and what remains.
        options: one byte per option group, see :func:`unpack_options`.
        refunded: units that were refunded (later).
    """

    order: Ints
    number: Ints
    product: Ints
    quantity: Ints
    unit_fen: Ints
    goods_fen: Ints
    discount_fen: Ints
    net_fen: Ints
    options: Ints
    refunded: Ints


def unpack_options(packed: Ints, group: int) -> Ints:
    """The value number of one option group, or :data:`NO_OPTION`."""
    return (packed >> (_OPTION_BITS * group)) & NO_OPTION


def draw_lines(block: Block, person: Ints, day: Ints, wholesale: Bools, period: int) -> Lines:
    """Fill the baskets of one period's orders.

    Args:
        block: whose people buy.
        person, day: buyer row and world day of each order.
        wholesale: orders in which the units are multiplied.
        period: four weeks.
    """
    random = block.stream(Part.BASKETS, period)
    count = 1 + np.minimum(random.poisson(block.taste.extra_lines[person]), _MOST_LINES - 1)
    order = np.repeat(np.arange(len(person)), count)
    number = np.arange(len(order)) - np.repeat(np.cumsum(count) - count, count)
    product = _draw_products(block, random, person[order], day[order], number, period)
    options, extra = _draw_options(block, random, person[order], product)
    more = random.random((2, len(order)))
    quantity = 1 + (more[0] < _TWO_OF_A_KIND) + (more[1] < _THREE_OF_A_KIND)
    quantity = np.where(wholesale[order], quantity * _WHOLESALE, quantity)
    unit = block.assortment.price_fen(product, day[order]) + extra
    nothing = np.zeros(len(order), np.int64)
    return Lines(order, number, product, quantity, unit, quantity * unit, nothing, quantity * unit, options, nothing)


def _draw_products(
    block: Block, random: np.random.Generator, buyer: Ints, when: Ints, number: Ints, period: int
) -> Ints:
    """First the faithful choice, else anything; a second article often is what goes with the first."""
    taste, goes_with, rows = block.taste, block.assortment.goes_with, len(buyer)
    shelf, day = block.assortment.shelf(period), when - period * PERIOD_DAYS
    everything = np.int64(len(goes_with))
    frequent = block.people.frequent[buyer].astype(np.int64)
    faithful = random.random(rows) < taste.loyalty[buyer]
    product = shelf.draw(day, frequent, np.where(faithful, taste.category[buyer], everything), random.random(rows))
    own = faithful & (random.random(rows) < _FAVOURITE_OF_LOYAL) & shelf.on_sale[day, taste.favourite[buyer]]
    product = np.where(own, taste.favourite[buyer], product)
    partner = np.full(rows, NOBODY)
    partner[1:] = goes_with[block.assortment.category[product[:-1]]]
    pairs = (number == 1) & (partner != NOBODY) & (random.random(rows) < _PAIRING)
    paired = shelf.draw(day, frequent, np.where(pairs, partner, everything), random.random(rows))
    return np.where(pairs, paired, product)


def expected_lines(block: Block, person: Ints, day: Ints) -> Floats:
    """How many lines of each article an order may be expected to hold: the truth behind :func:`draw_lines`.

    What is likeliest to be bought by somebody whose taste is known; to measure recommendations by.

    Args:
        block: whose people buy.
        person, day: buyer row and world day of each order.

    Returns:
        Mean numbers, shape (orders, articles).
    """
    found = np.zeros((len(person), len(block.profile.products)))
    for period in np.unique(day // PERIOD_DAYS).tolist():
        now = np.flatnonzero(day // PERIOD_DAYS == period)
        found[now] = _expected_in(block, person[now], day[now], period)
    return found


def _expected_in(block: Block, person: Ints, day: Ints, period: int) -> Floats:
    taste, assortment = block.taste, block.assortment
    shelf, day = assortment.shelf(period), day - period * PERIOD_DAYS
    frequent, rows = block.people.frequent[person].astype(np.int64), np.arange(len(person))
    shares = np.diff(shelf.ladders, axis=-1, prepend=0.0)
    favourite, loyalty = taste.favourite[person], taste.loyalty[person]
    own = loyalty * np.where(shelf.on_sale[day, favourite], _FAVOURITE_OF_LOYAL, 0.0)
    line = (loyalty - own)[:, None] * shares[day, frequent, taste.category[person]]
    line += (1 - loyalty)[:, None] * shares[day, frequent, -1]
    line[rows, favourite] += own
    more = _further_lines(taste.extra_lines[person])
    found: Floats = line * (1 + more.sum(axis=0))[:, None]
    for category in np.flatnonzero(assortment.goes_with != NOBODY).tolist():
        paired = more[0] * _PAIRING * line[:, assortment.category == category].sum(axis=1)
        found += paired[:, None] * (shares[day, frequent, assortment.goes_with[category]] - line)
    return found


def _further_lines(mean: Floats) -> Floats:
    """Chances that an order has a second line, a third …, one row for each."""
    chances = [1 - np.exp(-mean)]
    exactly = np.exp(-mean)
    for number in range(1, _MOST_LINES - 1):
        exactly = exactly * mean / number
        chances.append(chances[-1] - exactly)
    return np.stack(chances)


def _draw_options(block: Block, random: np.random.Generator, buyer: Ints, product: Ints) -> tuple[Ints, Ints]:
    """The options of each line, packed, and what they cost extra."""
    packed, extra = np.zeros(len(buyer), np.int64), np.zeros(len(buyer), np.int64)
    codes = [category.code for category in block.profile.categories]
    for place, group in enumerate(block.profile.options):
        usual = random.random(len(buyer)) < group.loyalty
        other = np.searchsorted(np.cumsum(group.weights)[:-1], random.random(len(buyer)), side="right")
        value = np.where(usual, block.taste.usual[place, buyer], other)
        offered = np.isin(block.assortment.category[product], [codes.index(code) for code in group.categories])
        packed |= np.where(offered, value, NO_OPTION) << (_OPTION_BITS * place)
        if group.extra_fen:
            extra += np.where(offered, np.array(group.extra_fen, np.int64)[value], 0)
    return packed, extra
