"""Orders: where a visit takes place, who is recognised, what is paid and how, and what is recorded of it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np

from hub.simulation.world.accounts import AccountBook
from hub.simulation.world.arrays import DAY, HOUR, NEVER, NOBODY, Bools, Columns, Ints
from hub.simulation.world.block import Block
from hub.simulation.world.platforms import SELLING, Platform
from hub.simulation.world.seeds import Part
from hub.simulation.world.visits import Visits

__all__ = ["Kind", "Orders", "Places", "place_orders"]

_AT_HOME: Final = 0.74
_AT_WORK: Final = 0.90
_SECOND_ACCOUNT: Final = 0.4
#: Share of orders with a selling guide, at the till and online.
_GUIDED: Final = 0.7
_GUIDED_ONLINE: Final = 0.12


class Kind:
    """What an order is: a customer's purchase, or one of the three things that look like one."""

    SALE, WHOLESALE, STAFF, TEST = range(4)
    NAMES: Final = ("sale", "wholesale", "staff_purchase", "test")


@dataclass(frozen=True)
class Places(Columns):
    """The first half of an order: who, where, when, and under which account. See :class:`Orders` for the columns."""

    person: Ints
    account: Ints
    attached: Ints
    shop: Ints
    guide: Ints
    platform: Ints
    kind: Ints
    day: Ints
    at: Ints
    delivery: Bools
    receiver: Ints
    caused: Bools


@dataclass(frozen=True)
class Orders(Columns):
    """Orders of one period.

    Attributes:
        key: number in the whole world, rising with block, period and time.
        person: buyer, row in the block (``NOBODY`` = staff and test orders). Truth, never shown.
        account: whose the platform says it is, row in the block's accounts, or ``NOBODY``.
        attached: world second from which the platform knows the account.
        shop, guide: selling shop and guide (``NOBODY`` = none).
        platform: where it was placed. kind: see :class:`Kind`.
        day: business day. at: true world second. till_time: what the till's clock said.
        arrives: when the head office gets it. completed, abandoned, voided, refunded: world seconds or ``NEVER``.
        goods_fen, promotion_fen, coupon_fen, delivery_fen, rounding_fen, paid_fen: goods less promotion less coupon
            plus delivery less rounding is what was paid.
        coupon: number of the coupon used, or ``NOBODY``.
        tender, tender_two, tender_two_fen: how it was paid; the second way takes ``tender_two_fen``.
        units: articles sold. delivery: brought to a receiver (else in the shop or picked up).
        receiver: person row of who gets a delivery, or ``NOBODY``.
        refund_fen, refund_whole, refund_reason: see :mod:`hub.simulation.world.aftersales`.
        original: key of the order this row repeats (uploaded twice; unpaid first attempt), or ``NOBODY``.
        caused: whether marketing brought it about. Truth, never shown.
    """

    key: Ints
    person: Ints
    account: Ints
    attached: Ints
    shop: Ints
    guide: Ints
    platform: Ints
    kind: Ints
    day: Ints
    at: Ints
    till_time: Ints
    arrives: Ints
    completed: Ints
    abandoned: Ints
    voided: Ints
    refunded: Ints
    goods_fen: Ints
    promotion_fen: Ints
    coupon_fen: Ints
    delivery_fen: Ints
    rounding_fen: Ints
    paid_fen: Ints
    coupon: Ints
    tender: Ints
    tender_two: Ints
    tender_two_fen: Ints
    units: Ints
    delivery: Bools
    receiver: Ints
    refund_fen: Ints
    refund_whole: Bools
    refund_reason: Ints
    original: Ints
    caused: Bools

    @classmethod
    def fresh(cls, places: Places, **columns: Any) -> Orders:
        """Orders to which nothing has happened yet; ``columns`` are those about money."""
        rows = len(places)
        never, nobody, nothing = np.full(rows, NEVER), np.full(rows, NOBODY), np.zeros(rows, np.int64)
        return cls(
            key=np.arange(rows),
            **places.arrays(),
            **columns,
            till_time=places.at,
            arrives=places.at,
            abandoned=never,
            voided=never,
            refunded=never,
            refund_fen=nothing,
            refund_whole=np.zeros(rows, np.bool_),
            refund_reason=nobody,
            original=nobody,
        )


def place_orders(block: Block, visits: Visits, period: int) -> Places:
    """Turn the visits of one period into orders without contents, row by row.

    The moments may differ from the visits': nobody is served after closing time.
    """
    chain, profile, rows = block.chain, block.profile, len(visits)
    random = block.stream(Part.PAYMENTS, period)
    shop = chain.open_shop(_near(block, visits, random), visits.day)
    visits = replace(visits, at=_within_hours(block, visits, shop))
    platform, account = _channel(block, visits, random)
    kind = _kinds(block, platform, random)
    nobodys = np.isin(kind, (Kind.STAFF, Kind.TEST))
    till = platform == Platform.POS
    account, attached = _recognised(block, visits, shop, till, np.where(nobodys, NOBODY, account), period)
    guided = random.random(rows) < np.where(till, _GUIDED, _GUIDED_ONLINE)
    guide = chain.guide_on(shop, visits.day, random.random(rows))
    delivery = ~till & (random.random(rows) < profile.delivery_share)
    return Places(
        person=np.where(nobodys, NOBODY, visits.person),
        account=account,
        attached=attached,
        shop=shop,
        guide=np.where(guided, guide, NOBODY),
        platform=platform,
        kind=kind,
        day=visits.day,
        at=visits.at,
        delivery=delivery,
        receiver=np.where(delivery, _receivers(block, visits, random, period), NOBODY),
        caused=visits.caused,
    )


def _near(block: Block, visits: Visits, random: np.random.Generator) -> Ints:
    """The shop near home, near work, or any."""
    people, draw = block.people, random.random(len(visits))
    anywhere = random.integers(0, block.setting.shops, len(visits))
    near_work = np.where(draw < _AT_WORK, people.work[visits.person], anywhere)
    return np.where(draw < _AT_HOME, people.home[visits.person], near_work)


def _within_hours(block: Block, visits: Visits, shop: Ints) -> Ints:
    """Move visits after closing time into the two hours before it; night shops stay open longer."""
    late = visits.at - visits.day * DAY - block.profile.closes * HOUR
    moved = visits.at - late - 2 * HOUR + late % (2 * HOUR)
    return np.where((late >= 0) & ~block.chain.shops.night[shop], moved, visits.at)


def _channel(block: Block, visits: Visits, random: np.random.Generator) -> tuple[Ints, Ints]:
    """The platform of each order and the account on it; online one needs an open account, at the till one need not."""
    weights = np.array(block.profile.channel_weights)[:, None] * np.ones(len(visits))
    weights[1:] *= np.exp(block.people.digital[visits.person])
    second = random.random(len(visits)) < _SECOND_ACCOUNT
    candidates = np.stack([_usable(block.book, visits, platform, second) for platform in SELLING])
    weights[1:] *= candidates[1:] != NOBODY
    ladder = np.cumsum(weights, axis=0)
    choice = (random.random(len(visits)) * ladder[-1] >= ladder).sum(axis=0)
    account = candidates[choice, np.arange(len(visits))]
    return np.array([int(platform) for platform in SELLING])[choice], account


def _usable(book: AccountBook, visits: Visits, platform: Platform, prefer_second: Bools) -> Ints:
    """An account of the visitor that is open at the moment of the visit, or ``NOBODY``."""
    first, second = book.first[platform, visits.person], book.second[platform, visits.person]
    first_open, second_open = book.open_at(first, visits.at), book.open_at(second, visits.at)
    chosen = np.where(second_open & (prefer_second | ~first_open), second, first)
    return np.where(first_open | second_open, chosen, NOBODY)


def _kinds(block: Block, platform: Ints, random: np.random.Generator) -> Ints:
    """Most orders are sales; some till tickets are not."""
    behaviour = block.setting.behaviour
    edges = np.cumsum([behaviour.wholesale_share, behaviour.staff_share, behaviour.test_share])
    drawn = np.searchsorted(edges, random.random(len(platform)), side="right")
    kinds = np.array([Kind.WHOLESALE, Kind.STAFF, Kind.TEST, Kind.SALE])[drawn]
    return np.where(platform == Platform.POS, kinds, Kind.SALE)


def _recognised(block: Block, visits: Visits, shop: Ints, till: Bools, account: Ints, period: int) -> tuple[Ints, Ints]:
    """The account that ends up on a till ticket, right or wrong, and the moment from which it stands there."""
    rows, book = len(visits), block.book
    borrowed = book.first[Platform.POS, _relatives(block)[visits.person]]
    borrowed = np.where(_lives_with_others(block)[visits.person], borrowed, NOBODY)
    shares = till & block.hits("shared_card", rows, period) & book.open_at(borrowed, visits.at)
    account = np.where(shares, borrowed, account)
    account = np.where(till & block.hits("card_not_shown", rows, period), NOBODY, account)
    anonymous = till & (account == NOBODY)
    cashier = _cashier_cards(block)[shop]
    lent = anonymous & block.hits("staff_card", rows, period) & book.open_at(cashier, visits.at)
    account = np.where(lent, cashier, account)
    late = till & (account != NOBODY) & block.hits("late_card", rows, period)
    wait = block.stream(Part.PAYMENTS, period, 1).integers(HOUR // 2, 2 * DAY, rows)
    return account, np.where(late, visits.at + wait, visits.at)


def _relatives(block: Block) -> Ints:
    """For each person somebody of the same household: the first member, or for that one the next."""
    rows = np.arange(len(block.people))
    return np.where(block.people.household == rows, np.minimum(rows + 1, len(rows) - 1), block.people.household)


def _lives_with_others(block: Block) -> Bools:
    return np.asarray(block.people.household_size > 1)


def _cashier_cards(block: Block) -> Ints:
    """Per shop the till account that its cashiers use as their own: the block's first one of that shop."""
    accounts = block.book.accounts
    cards = np.full(block.setting.shops, NOBODY)
    rows = np.flatnonzero((accounts.platform == Platform.POS) & (accounts.created < 0))[::-1]
    cards[accounts.shop[rows]] = rows
    return cards


def _receivers(block: Block, visits: Visits, random: np.random.Generator, period: int) -> Ints:
    """Who receives a delivery: the buyer, or somebody else of the block."""
    other = block.hits("other_receiver", len(visits), period)
    return np.where(other, random.integers(0, len(block.people), len(visits)), visits.person)
