"""Browsing in the mini-program: visits, searches, views, carts and shares, before orders and without them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from hub.simulation.world.arrays import DAY, HOUR, NOBODY, Columns, Ints
from hub.simulation.world.block import Block
from hub.simulation.world.history import Chapter
from hub.simulation.world.platforms import Platform
from hub.simulation.world.seeds import Part
from hub.simulation.world.setting import PERIOD_DAYS

__all__ = ["Browsing", "EventKind", "draw_browsing"]

_BEFORE_STORE: Final = 0.15
_SESSIONS_PER_VISIT: Final = 0.35
_EVENTS: Final = 1.6
_MOST_EVENTS: Final = 9


class EventKind:
    """What is done in the mini-program; every session begins with a visit."""

    VISIT, VIEW, SEARCH, CART, SHARE = range(5)
    NAMES: Final = ("visit", "view", "search", "add_to_cart", "share")
    SHARES: Final = (0.0, 0.62, 0.14, 0.18, 0.06)


@dataclass(frozen=True)
class Browsing(Columns):
    """One row per event: session and number within the period, account row, kind, article, search word, shop, seconds."""

    session: Ints
    number: Ints
    account: Ints
    kind: Ints
    product: Ints
    search: Ints
    shop: Ints
    seconds: Ints
    at: Ints


def draw_browsing(block: Block, chapter: Chapter) -> Browsing:
    """All events of one block in one period."""
    random = block.stream(Part.BROWSING, chapter.period)
    account, at, wanted = _sessions(block, chapter, random)
    count = 1 + np.minimum(random.poisson(_EVENTS, len(account)), _MOST_EVENTS)
    session = np.repeat(np.arange(len(account)), count)
    number = np.arange(len(session)) - np.repeat(np.cumsum(count) - count, count)
    kind = np.where(
        number == 0, EventKind.VISIT, random.choice(len(EventKind.SHARES), len(session), p=EventKind.SHARES)
    )
    seconds = 3 + random.exponential(25.0, len(session)).astype(np.int64)
    product = _products(block, chapter, random, account[session], at[session], wanted[session], number)
    words = len(block.profile.search_words)
    return Browsing(
        session=session,
        number=number,
        account=account[session],
        kind=kind,
        product=np.where(np.isin(kind, (EventKind.VISIT, EventKind.SEARCH)), NOBODY, product),
        search=np.where(kind == EventKind.SEARCH, random.integers(0, words, len(session)), NOBODY),
        shop=block.book.accounts.shop[account][session],
        seconds=seconds,
        at=at[session] + number * 40,
    )


def _sessions(block: Block, chapter: Chapter, random: np.random.Generator) -> tuple[Ints, Ints, Ints]:
    """Account, begin and wanted article (or ``NOBODY``) of each session: before orders, before shop visits, and idle."""
    orders, book, people = chapter.orders, block.book, block.people
    first_line = np.searchsorted(chapter.lines.order, np.arange(len(orders)))
    bought = chapter.lines.product[first_line]
    here = np.flatnonzero((orders.platform == Platform.MINIPROGRAM) & (orders.original == NOBODY))
    in_store = (
        (orders.platform == Platform.POS) & (orders.person != NOBODY) & (random.random(len(orders)) < _BEFORE_STORE)
    )
    store = np.flatnonzero(in_store)
    surfer = book.first[Platform.MINIPROGRAM, orders.person[store]]
    earlier = orders.at[store] - random.integers(HOUR, 3 * DAY, len(store))
    # What belongs to this period may not come before it, or a later period would change the past.
    seen = book.open_at(surfer, earlier) & (earlier >= chapter.period * PERIOD_DAYS * DAY)
    idle = random.poisson(people.rate * PERIOD_DAYS * _SESSIONS_PER_VISIT)
    person = np.repeat(np.arange(len(people)), idle)
    moment = (chapter.period * PERIOD_DAYS + random.integers(0, PERIOD_DAYS, len(person))) * DAY
    moment += random.integers(8 * HOUR, 23 * HOUR, len(person))
    around = (moment >= people.arrival_day[person] * DAY) & (moment // DAY < people.death_day[person] + 20)
    visitor = book.first[Platform.MINIPROGRAM, person]
    idles = around & book.open_at(visitor, moment)
    account = np.r_[orders.account[here], surfer[seen], visitor[idles]]
    at = np.r_[orders.at[here] - 400, earlier[seen], moment[idles]]
    wanted = np.r_[bought[here], bought[store][seen], np.full(int(idles.sum()), NOBODY)]
    valid = book.open_at(account, at)
    account, at, wanted = account[valid], at[valid], wanted[valid]
    order = np.argsort(at, kind="stable")
    return account[order], at[order], wanted[order]


def _products(
    block: Block,
    chapter: Chapter,
    random: np.random.Generator,
    account: Ints,
    at: Ints,
    wanted: Ints,
    number: Ints,
) -> Ints:
    """The article looked at: what will be bought, mostly; else what this person likes, or anything."""
    person = block.book.accounts.person[account]
    day = np.clip(at // DAY - chapter.period * PERIOD_DAYS, 0, PERIOD_DAYS - 1)
    likes = random.random(len(account)) < block.taste.loyalty[person]
    everything = np.int64(len(block.assortment.goes_with))
    category = np.where(likes, block.taste.category[person], everything)
    frequent = block.people.frequent[person].astype(np.int64)
    product = block.assortment.shelf(chapter.period).draw(day, frequent, category, random.random(len(account)))
    return np.where((wanted != NOBODY) & (number == 1), wanted, product)
