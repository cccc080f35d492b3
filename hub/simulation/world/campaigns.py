"""Marketing: who was reached by which campaign, and who was left out as control."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from hub.simulation.world.accounts import AccountBook
from hub.simulation.world.arrays import DAY, HOUR, NEVER, NOBODY, Bools, Columns, Ints
from hub.simulation.world.block import Block
from hub.simulation.world.platforms import Platform
from hub.simulation.world.seeds import Part
from hub.simulation.world.setting import PERIOD_DAYS

__all__ = ["WELCOME", "Sends", "coupon_key", "draw_sends", "treated_in"]

#: Campaign number of the coupon that every new member gets.
WELCOME: Final = -1
_REACH_ORDER: Final = (Platform.WECOM, Platform.MINIPROGRAM, Platform.WECHAT)
_COUPON_ORDER: Final = (Platform.MINIPROGRAM, Platform.YOUZAN, Platform.WEIMOB, Platform.POS)
_ACCOUNT_BITS: Final = 32
_PER_PERIOD: Final = 8


@dataclass(frozen=True)
class Sends(Columns):
    """Reachable people of one campaign in one period, treated or control.

    Attributes:
        campaign: number within the profile. period: four-week period.
        person: row in the block. treated: whether the message was sent (drawn by lot).
        account: where it was sent. coupon_account: who got the coupon, or ``NOBODY``.
        sent, opened, clicked: world seconds; ``NEVER`` if not.
    """

    campaign: Ints
    period: Ints
    person: Ints
    treated: Bools
    account: Ints
    coupon_account: Ints
    sent: Ints
    opened: Ints
    clicked: Ints


def coupon_key(campaign: Ints, period: Ints, account_key: Ints) -> Ints:
    """The number of a coupon: one per account and campaign; campaign :data:`WELCOME` for the welcome coupon."""
    turn = np.where(campaign == WELCOME, 0, 1 + period * _PER_PERIOD + campaign)
    return (turn << _ACCOUNT_BITS) | account_key


def draw_sends(block: Block, period: int) -> Sends:
    """Send the campaigns of one period to a random share of those who can be reached."""
    return Sends.concat([_campaign(block, period, number) for number in range(len(block.profile.campaigns))])


def _campaign(block: Block, period: int, number: int) -> Sends:
    people, book = block.people, block.book
    campaign = block.profile.campaigns[number]
    random = block.stream(Part.CAMPAIGNS, period, number)
    rows = len(people)
    sent = (period * PERIOD_DAYS + campaign.day) * DAY + campaign.hour * HOUR + random.integers(0, HOUR, rows)
    lots, opens, clicks = random.random((3, rows))
    delay = (random.exponential(3.0, (2, rows)) * HOUR).astype(np.int64)
    account = _first_open(book, _REACH_ORDER, sent)
    interest = 0.25 + 0.5 * people.coupon_prone
    treated = lots < campaign.share
    opened = np.where(treated & (opens < interest), sent + 60 + delay[0], NEVER)
    clicked = np.where(
        (opened < NEVER) & (clicks < 0.2 + 0.4 * people.coupon_prone), opened + 10 + delay[1] // 60, NEVER
    )
    sends = Sends(
        campaign=np.full(rows, number),
        period=np.full(rows, period),
        person=np.arange(rows),
        treated=treated,
        account=account,
        coupon_account=np.where(treated, _first_open(book, _COUPON_ORDER, sent), NOBODY),
        sent=sent,
        opened=opened,
        clicked=clicked,
    )
    return sends.take(account != NOBODY)


def _first_open(book: AccountBook, order: tuple[Platform, ...], moment: Ints) -> Ints:
    """For every person the first account, in the given order of platforms, that is open at the moment."""
    found = np.full(len(moment), NOBODY)
    for platform in order:
        row = book.first[platform]
        found = np.where((found == NOBODY) & book.open_at(row, moment), row, found)
    return found


def treated_in(sends: Sends, campaign: int, rows: int) -> Bools:
    """A mask over the block's people: who was treated by the campaign."""
    mask = np.zeros(rows, np.bool_)
    mask[sends.person[(sends.campaign == campaign) & sends.treated]] = True
    return mask
