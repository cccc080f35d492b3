"""Accounts: who is known to which platform, since when, and under how good or bad an entry."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np

from hub.simulation.world.arrays import DAY, HOUR, NEVER, NOBODY, Bools, Columns, Ints
from hub.simulation.world.entries import Entries, write_entries
from hub.simulation.world.people import People
from hub.simulation.world.phones import Phones
from hub.simulation.world.platforms import PLATFORMS, Platform
from hub.simulation.world.seeds import Part, stream
from hub.simulation.world.setting import Setting

__all__ = ["AccountBook", "Accounts", "open_accounts"]

_FREQUENT_REACH: Final = 1.15
_AT_FIRST_PURCHASE: Final = 0.55
_SECOND_WECHAT_USED: Final = 0.5
_MERGEABLE: Final = (Platform.WEIMOB, Platform.YOUZAN)
_DUPLICATED: Final = (Platform.POS, Platform.YOUZAN, Platform.WEIMOB)
_BY_WECHAT: Final = (Platform.WECOM, Platform.WECHAT, Platform.MINIPROGRAM)
_CLOSING_SPAN: Final = 730 * DAY


@dataclass(frozen=True)
class Accounts(Columns):
    """One row per profile of a block, sorted by platform and person.

    Attributes:
        key: number in the whole world, the root of every id.
        platform: see :class:`~hub.simulation.world.platforms.Platform`.
        person: row in the block's people.
        serial: 0 the first, 1 the second of the same person on this platform.
        created, closed, merged: world seconds; ``created`` may lie before the world, the others may be ``NEVER``.
        merged_into: row of the account that took this one over, or ``NOBODY``.
        wechat: 0 or 1, which of the person's WeChat accounts made it; ``NOBODY`` = made without WeChat.
        shop: shop in which or for which it was made (归属门店).
        channel: number that picks the source the platform reports.
    """

    key: Ints
    platform: Ints
    person: Ints
    serial: Ints
    created: Ints
    closed: Ints
    merged: Ints
    merged_into: Ints
    wechat: Ints
    shop: Ints
    channel: Ints


@dataclass(frozen=True)
class AccountBook:
    """All accounts of a block with their entries, and the way from person to account."""

    accounts: Accounts
    entries: Entries
    #: Row of the first and of the second account by (platform, person), or ``NOBODY``; shape (6, people).
    first: Ints
    second: Ints

    def open_at(self, rows: Ints, moment: Ints) -> Bools:
        """Whether each account (by row; ``NOBODY`` is not) exists and is neither closed nor merged at its moment."""
        begin, end = self._spans
        return np.asarray((begin.take(rows) <= moment) & (moment < end.take(rows)))

    @cached_property
    def _spans(self) -> tuple[Ints, Ints]:
        """From when to when each account is open; the row after the last, which is also row ``NOBODY``, never is."""
        accounts = self.accounts
        return np.append(accounts.created, NEVER), np.append(np.minimum(accounts.closed, accounts.merged), -NEVER)


def open_accounts(setting: Setting, people: People, phones: Phones, block: int) -> AccountBook:
    """Decide for every person of a block which accounts they have, and write the entries."""
    parts = [_platform_accounts(setting, people, block, platform) for platform in PLATFORMS]
    accounts = _with_merges(setting, Accounts.concat(parts), block)
    first = np.full((len(PLATFORMS), len(people)), NOBODY)
    second = first.copy()
    rows = np.arange(len(accounts))
    for serial, table in ((0, first), (1, second)):
        mine = accounts.serial == serial
        table[accounts.platform[mine], accounts.person[mine]] = rows[mine]
    entries = write_entries(setting, people, phones, accounts, block)
    return AccountBook(accounts, entries, first, second)


def _platform_accounts(setting: Setting, people: People, block: int, platform: Platform) -> Accounts:
    random = stream(setting.seed, Part.ACCOUNTS, block, int(platform))
    rows = len(people)
    online = platform != Platform.POS
    reach = setting.profile.reach[platform] * (1 + 0.5 * people.digital * online)
    reach = (
        reach
        * np.where(people.frequent, _FREQUENT_REACH, 1.0)
        * np.where((people.rate == 0) & ~np.bool_(online), 0.15, 1.0)
    )
    joined = random.random(rows) < reach
    created = _joining(setting, random, people)
    again = joined & _again(setting, random, rows, block, platform)
    created_again = created + 10 * DAY + (random.exponential(150.0, rows) * DAY).astype(np.int64)
    wechat = _wechat(setting, random, people, block, platform)
    who = np.r_[np.flatnonzero(joined), np.flatnonzero(again)]
    serial = np.r_[np.zeros(joined.sum(), np.int64), np.ones(again.sum(), np.int64)]
    order = np.lexsort((serial, who))
    who, serial = who[order], serial[order]
    made = np.where(serial == 0, created[who], created_again[who])
    closes = _hits(setting, "closed_account", len(who), block, platform)
    return Accounts(
        key=(people.person[who] * 2 + serial) * len(PLATFORMS) + int(platform),
        platform=np.full(len(who), int(platform)),
        person=who,
        serial=serial,
        created=made,
        closed=np.where(closes, np.maximum(made, 0) + random.integers(DAY, _CLOSING_SPAN, len(who)), NEVER),
        merged=np.full(len(who), NEVER),
        merged_into=np.full(len(who), NOBODY),
        wechat=wechat[serial, who],
        shop=np.where(random.random(len(who)) < 0.85, people.home[who], people.work[who]),
        channel=random.integers(0, 1_000, len(who)),
    )


def _again(setting: Setting, random: np.random.Generator, rows: int, block: int, platform: Platform) -> Bools:
    """Who has a second profile: by a duplicate membership, or, where WeChat makes the profile, by a second WeChat."""
    either = random.random(rows) < _SECOND_WECHAT_USED
    if platform in (Platform.WECOM, Platform.MINIPROGRAM):
        return either & setting.difficulties.hits("two_wechats", setting.seed, rows, block)
    return _hits(setting, "duplicate_membership", rows, block, platform) & np.bool_(platform in _DUPLICATED)


def _hits(setting: Setting, name: str, rows: int, block: int, platform: Platform) -> Bools:
    return setting.difficulties.hits(name, setting.seed, rows, block, int(platform))


def _joining(setting: Setting, random: np.random.Generator, people: People) -> Ints:
    """When people join: before the world, at the first purchase, or some weeks later, always in daytime."""
    rows = len(people)
    first = people.arrival_day * DAY + people.first_second
    daytime = setting.profile.opens * HOUR + random.integers(0, 11 * HOUR, rows)
    later = (people.arrival_day + 1 + np.floor(random.exponential(35.0, rows)).astype(np.int64)) * DAY + daytime
    before = -random.integers(1, 700, rows) * DAY + daytime
    at_once = random.random(rows) < _AT_FIRST_PURCHASE
    early = people.already & (random.random(rows) < 0.8)
    return np.where(early, before, np.where(at_once, first - 90, later))


def _wechat(setting: Setting, random: np.random.Generator, people: People, block: int, platform: Platform) -> Ints:
    """Which WeChat account made the first and the second profile, shape (2, people); ``NOBODY`` = none."""
    rows = len(people)
    two = setting.difficulties.hits("two_wechats", setting.seed, rows, block)
    first = np.where(two, random.integers(0, 2, rows), 0)
    second = np.where(two, 1 - first, NOBODY)
    if platform == Platform.POS:
        linked = random.random((2, rows)) < 0.35
        return np.where(linked, np.stack([first, first]), NOBODY)
    if platform in _BY_WECHAT:
        return np.stack([first, 1 - first])
    return np.stack([np.where(random.random(rows) < 0.9, first, NOBODY), second])


def _with_merges(setting: Setting, accounts: Accounts, block: int) -> Accounts:
    """Let the platforms that merge accounts by themselves do so for some of the duplicates."""
    columns = accounts.arrays()
    random = stream(setting.seed, Part.ACCOUNTS, block, len(PLATFORMS))
    mergeable = (accounts.serial == 1) & np.isin(accounts.platform, _MERGEABLE)
    hit = mergeable & setting.difficulties.hits("merged_membership", setting.seed, len(accounts), block)
    waits = (random.exponential(120.0, len(accounts)) * DAY).astype(np.int64)
    moment = np.maximum(accounts.created, 0) + DAY + waits
    # The first account stands right before the second, and neither may have been closed before.
    alive = moment < np.minimum(accounts.closed, np.roll(accounts.closed, 1))
    columns["merged"] = np.where(hit & alive, moment, NEVER)
    columns["merged_into"] = np.where(hit & alive, np.arange(len(accounts)) - 1, NOBODY)
    return Accounts(**columns)
