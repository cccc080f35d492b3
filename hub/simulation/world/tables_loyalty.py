"""Coupons, points, stored value, levels and messages of one block as of one moment."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import pyarrow as pa

from hub.simulation.world.arrays import DAY, NEVER, NOBODY, Ints, first_of_group
from hub.simulation.world.campaigns import WELCOME, Sends, coupon_key
from hub.simulation.world.moment import BlockMoment, Ledger, Reason
from hub.simulation.world.platforms import Platform
from hub.simulation.world.seeds import key_of, mix
from hub.simulation.world.tables_chain import coupon_codes
from hub.simulation.world.tables_orders import order_ids
from hub.simulation.world.text import base62, fixed, label

__all__ = [
    "campaign_ids",
    "coupons_table",
    "level_changes_table",
    "messages_table",
    "points_table",
    "stored_value_table",
]

_STATUS: Final = ("open", "used", "expired")


def campaign_ids(moment: BlockMoment) -> list[str]:
    """The number of every run of every campaign so far: M1-001, M2-001, M1-002 …"""
    periods = len(moment.chapters)
    return [
        f"{campaign.code}-{period + 1:03d}"
        for period in range(periods)
        for campaign in moment.setting.profile.campaigns
    ]


def _run(moment: BlockMoment, campaign: Ints, period: Ints) -> Ints:
    """Row in :func:`campaign_ids`; ``NOBODY`` for the welcome coupon."""
    return np.where(campaign == WELCOME, NOBODY, period * len(moment.setting.profile.campaigns) + campaign)


def _members(moment: BlockMoment, account: Ints) -> pa.Array:
    return moment.member_ids.take(pa.array(account))


def coupons_table(moment: BlockMoment, platform: Platform) -> dict[str, Any]:
    """The ``coupons`` table: welcome coupons, and those of the campaigns."""
    profile = moment.setting.profile
    account, campaign, period, taken = _coupons(moment, platform)
    codes = [entry.code for entry in profile.coupons]
    template_of = np.array([codes.index(entry.template) for entry in profile.campaigns] + [0], np.int64)
    template = template_of[campaign]
    expires = taken + np.array([entry.valid_days * DAY for entry in profile.coupons], np.int64)[template]
    key = coupon_key(campaign, period, moment.block.book.accounts.key[account])
    used, order = _uses(moment, key)
    status = np.where(used <= moment.now, 1, np.where(expires <= moment.now, 2, 0))
    orders = moment.orders.take(np.maximum(order, 0)) if len(moment.orders) else moment.orders
    return {
        "coupon_code": coupon_codes(moment.setting, key),
        "template_code": label(codes, template),
        "member_id": _members(moment, account),
        "source": label(("welcome", "campaign"), (campaign != WELCOME).astype(np.int64)),
        "campaign_id": label(campaign_ids(moment), _run(moment, campaign, period)),
        "status": label(_STATUS, status),
        "taken_at": moment.times(taken),
        "expires_at": _future(moment, expires),
        "used_at": moment.times(used),
        "used_order_id": _order_of(moment, platform, orders, order),
        "updated_at": moment.times(np.where(used <= moment.now, used, moment.latest(taken, expires))),
    }


def _coupons(moment: BlockMoment, platform: Platform) -> tuple[Ints, Ints, Ints, Ints]:
    """Account, campaign, period and world second of every coupon given out on the platform, in order of time."""
    accounts = moment.block.book.accounts
    welcome = np.flatnonzero((accounts.platform == platform) & moment.exists & (accounts.created >= 0))
    sends = Sends.concat([chapter.sends for chapter in moment.chapters])
    given = (sends.coupon_account != NOBODY) & (sends.sent <= moment.now)
    sends = sends.take(given & (accounts.platform[np.maximum(sends.coupon_account, 0)] == platform))
    account = np.r_[welcome, sends.coupon_account]
    campaign = np.r_[np.full(len(welcome), WELCOME), sends.campaign]
    period = np.r_[np.zeros(len(welcome), np.int64), sends.period]
    taken = np.r_[accounts.created[welcome], sends.sent]
    order = np.lexsort((account, taken))
    return account[order], campaign[order], period[order], taken[order]


def _uses(moment: BlockMoment, key: Ints) -> tuple[Ints, Ints]:
    """When each coupon was used and the row of the order, as far as known; else ``NEVER`` and ``NOBODY``."""
    with_coupon = np.flatnonzero(moment.orders.coupon != NOBODY)
    used_keys = moment.orders.coupon[with_coupon]
    order = np.argsort(used_keys)
    used_keys, with_coupon = used_keys[order], with_coupon[order]
    if not len(used_keys):
        return np.full(len(key), NEVER), np.full(len(key), NOBODY)
    place = np.minimum(np.searchsorted(used_keys, key), len(used_keys) - 1)
    found = used_keys[place] == key
    row = np.where(found, with_coupon[place], NOBODY)
    posted = np.maximum(moment.orders.at, moment.orders.arrives)[row]
    return np.where(found, posted, NEVER), row


def _order_of(moment: BlockMoment, platform: Platform, orders: Any, row: Ints) -> pa.Array:
    if not len(moment.orders):
        return pa.nulls(len(row), pa.string())
    ids = order_ids(moment, platform, orders)
    return ids.take(pa.array(np.arange(len(row)), mask=row == NOBODY))


def _future(moment: BlockMoment, moments: Ints) -> pa.Array:
    """Times that are known before they come."""
    return pa.array(moment.setting.epoch_seconds(moments) * 1000).cast(moment.times(moments[:0]).type)


def _balances(ledger: Ledger) -> Ints:
    """Balance after each movement; the ledger is in order of account and time."""
    total = np.cumsum(ledger.change)
    first = first_of_group(ledger.account)
    base = (total - ledger.change)[first]
    return np.asarray(total - np.repeat(base, np.diff(np.r_[np.flatnonzero(first), len(ledger)])))


def _ledger(moment: BlockMoment, platform: Platform, ledger: Ledger, name: str) -> tuple[Ledger, Ints, dict[str, Any]]:
    """The platform's movements with balances, in order of time, and their common columns."""
    balance = _balances(ledger)
    mine = np.flatnonzero(moment.block.book.accounts.platform[ledger.account] == platform)
    mine = mine[np.argsort(ledger.at[mine], kind="stable")]
    ledger, balance = ledger.take(mine), balance[mine]
    account_key = moment.block.book.accounts.key[ledger.account]
    words = [
        mix(account_key * 4 + ledger.reason, key_of(moment.setting.seed, name)),
        mix(ledger.at, key_of(moment.setting.seed, name + "-at")),
    ]
    words = [words[0] ^ words[1], mix(ledger.order + 1, key_of(moment.setting.seed, name + "-order")) ^ words[0]]
    row = np.minimum(np.searchsorted(moment.orders.key, ledger.order), max(len(moment.orders) - 1, 0))
    orders = moment.orders.take(row) if len(moment.orders) else moment.orders
    order = np.where(ledger.order == NOBODY, NOBODY, row)
    return (
        ledger,
        balance,
        {
            "entry_id": fixed(base62(words, 16)),
            "member_id": _members(moment, ledger.account),
            "reason": label(Reason.NAMES, ledger.reason),
            "order_id": _order_of(moment, platform, orders, order),
            "at": moment.times(ledger.at),
        },
    )


def points_table(moment: BlockMoment, platform: Platform) -> dict[str, Any]:
    """The ``points`` table: every movement, with the balance after it."""
    ledger, balance, columns = _ledger(moment, platform, moment.points, "points")
    return columns | {"change": ledger.change, "balance": balance}


def stored_value_table(moment: BlockMoment, platform: Platform) -> dict[str, Any]:
    """The ``stored_value`` table: every movement, with the balance after it; a top-up's change includes its bonus."""
    ledger, balance, columns = _ledger(moment, platform, moment.stored_value, "stored")
    return columns | {"change_fen": ledger.change, "bonus_fen": ledger.bonus, "balance_fen": balance}


def level_changes_table(moment: BlockMoment, platform: Platform) -> dict[str, Any]:
    """The ``level_changes`` table."""
    changes = moment.level_changes
    changes = changes.take(moment.block.book.accounts.platform[changes.account] == platform)
    codes = [level.code for level in moment.setting.profile.levels]
    return {
        "member_id": _members(moment, changes.account),
        "old_level_code": label(codes, changes.old),
        "new_level_code": label(codes, changes.new),
        "at": moment.times(changes.at),
    }


def messages_table(moment: BlockMoment, platform: Platform) -> dict[str, Any]:
    """The ``messages`` table: what campaigns sent over this platform."""
    accounts = moment.block.book.accounts
    sends = Sends.concat([chapter.sends for chapter in moment.chapters])
    sends = sends.take(sends.treated & (sends.sent <= moment.now) & (accounts.platform[sends.account] == platform))
    sends = sends.take(np.argsort(sends.sent, kind="stable"))
    key = coupon_key(sends.campaign, sends.period, accounts.key[np.maximum(sends.coupon_account, 0)])
    own = coupon_key(sends.campaign, sends.period, accounts.key[sends.account])
    words = [mix(own, key_of(moment.setting.seed, f"message-{turn}")) for turn in range(2)]
    names = [campaign.name for campaign in moment.setting.profile.campaigns]
    return {
        "message_id": fixed(b"msg", base62(words, 20)),
        "campaign_id": label(campaign_ids(moment), _run(moment, sends.campaign, sends.period)),
        "name": label(names, sends.campaign),
        "member_id": _members(moment, sends.account),
        "coupon_code": coupon_codes(moment.setting, np.where(sends.coupon_account == NOBODY, NOBODY, key)),
        "sent_at": moment.times(sends.sent),
        "opened_at": moment.times(sends.opened),
        "clicked_at": moment.times(sends.clicked),
        "updated_at": moment.times(moment.latest(sends.sent, sends.opened, sends.clicked)),
    }
