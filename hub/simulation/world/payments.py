"""Payments: standing offers, coupons, rounding, and the ways to pay."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np

from hub.simulation.world.arrays import DAY, HOUR, NEVER, NOBODY, Bools, Ints, rank_within, spread
from hub.simulation.world.baskets import Lines
from hub.simulation.world.block import Block
from hub.simulation.world.campaigns import WELCOME, Sends, coupon_key
from hub.simulation.world.orders import Kind, Orders, Places
from hub.simulation.world.platforms import Platform
from hub.simulation.world.profile import ChainProfile, CouponTemplate
from hub.simulation.world.seeds import Part
from hub.simulation.world.setting import PERIOD_DAYS

__all__ = ["TENDERS", "Tender", "pay"]

_STORED_VALUE_USE: Final = 0.85
_SPLIT: Final = 0.06
_VOUCHER: Final = 0.05
_USUAL: Final = 0.85
_TEST_FEN: Final = 1
_FEN_PER_JIAO: Final = 10
#: Seconds until an order can be picked up.
_PICK_UP: Final = (12 * 60, 30 * 60)


class Tender:
    """Ways to pay. ``VOUCHER`` is a coupon bought on a third party's platform."""

    WECHAT, ALIPAY, CASH, CARD, STORED_VALUE, VOUCHER = range(6)


#: Names of the ways to pay, by number.
TENDERS: Final = ("wechat_pay", "alipay", "cash", "bank_card", "stored_value", "third_party_voucher")


def pay(block: Block, sends: Sends, places: Places, lines: Lines, orders_of: Ints, period: int) -> tuple[Orders, Lines]:
    """Take offers and coupons off, share them among the lines, and choose how each order is paid.

    Args:
        block: whose people pay.
        sends: the period's campaigns, whose coupons may be used.
        places, lines: the period's orders so far.
        orders_of: orders so far of each account; raised in place.
        period: four weeks.
    """
    random = block.stream(Part.PAYMENTS, period, 2)
    rows = len(places)
    goods, units = _per_order(lines, lines.goods_fen, rows), _per_order(lines, lines.quantity, rows)
    offer = _standing_offer(block, places, lines, units)
    promotion = _per_order(lines, offer, rows)
    coupon, template = _coupons_at_hand(block, sends, places, orders_of, random)
    off = _coupon_value(block.profile, template, goods - promotion)
    coupon = np.where(off > 0, coupon, NOBODY)
    off += np.where(places.kind == Kind.TEST, goods - promotion - _TEST_FEN, 0)
    share = spread(off, lines.goods_fen - offer, lines.order)
    lines = replace(lines, discount_fen=offer + share, net_fen=lines.goods_fen - offer - share)
    tender = _tenders(block, places, random)
    delivery = np.where(places.delivery, block.profile.delivery_fee_fen, 0)
    due = goods - promotion - off + delivery
    rounding = np.where(tender == Tender.CASH, due % _FEN_PER_JIAO, 0)
    splits = (tender == Tender.STORED_VALUE) & (random.random(rows) < _SPLIT)
    orders = Orders.fresh(
        places,
        completed=_completed(block.profile, places, random),
        goods_fen=goods,
        promotion_fen=promotion,
        coupon_fen=off,
        delivery_fen=delivery,
        rounding_fen=rounding,
        paid_fen=due - rounding,
        coupon=coupon,
        tender=tender,
        tender_two=np.where(splits, Tender.WECHAT, NOBODY),
        tender_two_fen=np.where(splits, (due - rounding) // 2, 0),
        units=units,
    )
    return orders, lines


def _per_order(lines: Lines, amount: Ints, rows: int) -> Ints:
    return np.bincount(lines.order, weights=amount, minlength=rows).astype(np.int64)


def _standing_offer(block: Block, places: Places, lines: Lines, units: Ints) -> Ints:
    """The standing offer of each line: one unit of the last line is cheaper at certain hours of certain weekdays."""
    promotion = block.profile.promotion
    weekday = block.setting.weekday(places.day)
    hour = (places.at - places.day * DAY) // HOUR
    open_to = np.isin(places.platform, (Platform.POS, Platform.MINIPROGRAM)) & np.isin(weekday, promotion.weekdays)
    fits = open_to & (hour >= promotion.from_hour) & (hour < promotion.until_hour) & (units >= promotion.min_units)
    last = np.r_[lines.order[1:] != lines.order[:-1], True][: len(lines)]
    return np.where(last & fits[lines.order], lines.unit_fen * promotion.percent_off_last // 100, 0)


def _coupons_at_hand(
    block: Block, sends: Sends, places: Places, orders_of: Ints, random: np.random.Generator
) -> tuple[Ints, Ints]:
    """The coupon each order uses and its template: the welcome coupon at first, else that of a campaign."""
    profile = block.profile
    known = (places.account != NOBODY) & (places.attached == places.at)
    willing = known & (random.random(len(places)) < block.people.coupon_prone[np.maximum(places.person, 0)])
    welcome = willing & _first_order_of_a_newcomer(block, places, known, orders_of)
    template = np.where(welcome, 0, NOBODY)
    campaign = np.full(len(places), WELCOME)
    codes = [coupon.code for coupon in profile.coupons]
    for number, entry in enumerate(profile.campaigns):
        place = codes.index(entry.template)
        valid = profile.coupons[place].valid_days * DAY
        fits = willing & (template == NOBODY) & _in_time(block, sends, places, number, valid)
        fits &= rank_within(np.where(fits, places.account, -1 - np.arange(len(places)))) == 0
        template, campaign = np.where(fits, place, template), np.where(fits, number, campaign)
    key = coupon_key(campaign, places.day // PERIOD_DAYS, block.book.accounts.key[np.maximum(places.account, 0)])
    return np.where(template == NOBODY, NOBODY, key), template


def _first_order_of_a_newcomer(block: Block, places: Places, known: Bools, orders_of: Ints) -> Bools:
    """Orders that are the first of an account made in this world, while its welcome coupon is valid."""
    account = np.maximum(places.account, 0)
    number = orders_of[account] + rank_within(np.where(known, places.account, -1 - np.arange(len(places))))
    orders_of += np.bincount(places.account[known], minlength=len(orders_of))
    created = block.book.accounts.created[account]
    valid = block.profile.coupons[0].valid_days * DAY
    return np.asarray((number == 0) & (created >= 0) & (places.at < created + valid))


def _in_time(block: Block, sends: Sends, places: Places, campaign: int, valid: int) -> Bools:
    """Orders of accounts that hold a valid coupon of the campaign."""
    mine = sends.take((sends.campaign == campaign) & (sends.coupon_account != NOBODY))
    given = np.full(len(block.book.accounts), NEVER)
    given[mine.coupon_account] = mine.sent
    taken = given[np.maximum(places.account, 0)]
    return np.asarray((places.at > taken) & (places.at < taken + valid))


def _coupon_value(profile: ChainProfile, template: Ints, goods: Ints) -> Ints:
    """What each coupon takes off; 0 where there is none or the order is too small for it."""
    off = np.zeros(len(goods), np.int64)
    for number, coupon in enumerate(profile.coupons):
        off = np.where(template == number, _value_of(coupon, goods), off)
    return off


def _value_of(coupon: CouponTemplate, goods: Ints) -> Ints:
    if coupon.kind == "percent":
        return goods * coupon.percent_off // 100
    return np.where(goods >= coupon.min_fen, np.minimum(coupon.off_fen, goods), 0)


def _tenders(block: Block, places: Places, random: np.random.Generator) -> Ints:
    """The usual way of each buyer; online there is no cash; a stored balance needs an account."""
    rows, person = len(places), np.maximum(places.person, 0)
    usual = np.where(random.random(rows) < _USUAL, block.people.tender[person], Tender.WECHAT)
    till = places.platform == Platform.POS
    usual = np.where(~till & np.isin(usual, (Tender.CASH, Tender.CARD)), Tender.WECHAT, usual)
    usual = np.where(till & (random.random(rows) < _VOUCHER), Tender.VOUCHER, usual)
    known = (places.account != NOBODY) & (places.attached == places.at) & (places.kind == Kind.SALE)
    stored = known & block.people.stored_value[person] & (random.random(rows) < _STORED_VALUE_USE)
    return np.where(stored, Tender.STORED_VALUE, usual)


def _completed(profile: ChainProfile, places: Places, random: np.random.Generator) -> Ints:
    """At the till at once, at pick-up within half an hour, on delivery after the usual time."""
    pick_up = random.integers(*_PICK_UP, len(places))
    brought = (random.gamma(4.0, profile.delivery_days / 4.0, len(places)) * DAY).astype(np.int64) + _PICK_UP[0]
    online = np.where(places.delivery, brought, pick_up)
    return places.at + np.where(places.platform == Platform.POS, 0, online)
