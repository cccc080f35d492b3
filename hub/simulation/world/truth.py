"""The truth behind the world: who is who, who is still a customer, what they like, and what marketing does to them.

It exists to measure by. No platform's view and no simulator's answer may use it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa

from hub.simulation.world.arrays import DAY, HOUR, NEVER, NOBODY, Ints
from hub.simulation.world.campaigns import Sends
from hub.simulation.world.difficulties import Difficulties
from hub.simulation.world.entries import difficulty_bit
from hub.simulation.world.moment import BlockMoment
from hub.simulation.world.names import full_names
from hub.simulation.world.orders import Kind
from hub.simulation.world.people import NO_LIMIT
from hub.simulation.world.phones import phone_text
from hub.simulation.world.platforms import SELLING, Platform, unionids
from hub.simulation.world.tables_chain import coupon_codes, shop_ids
from hub.simulation.world.tables_loyalty import campaign_ids
from hub.simulation.world.tables_orders import order_ids
from hub.simulation.world.text import label

if TYPE_CHECKING:
    from hub.simulation.world.world import WorldState

__all__ = ["Truth"]

_NAMES: Final = tuple(field.name for field in fields(Difficulties))


class Truth:
    """What is really so, as of one moment. Each property is an Arrow table over all blocks."""

    def __init__(self, state: WorldState) -> None:
        self._state = state

    @property
    def profiles(self) -> pa.Table:
        """``platform``, ``member_id`` → ``person_id``, with ``household_id``, ``wechat`` account and ``difficulties``."""
        return self._all(_profiles)

    @property
    def people(self) -> pa.Table:
        """One row per person who has appeared: names, numbers, arrival and departure, rate, taste, effect of marketing."""
        return self._all(_people)

    @property
    def orders(self) -> pa.Table:
        """``platform``, ``order_id`` → buyer, true time, what it repeats, and whether marketing brought it about."""
        return self._all(_orders)

    @property
    def campaigns(self) -> pa.Table:
        """Per reachable person and campaign run: treated or control, and the true effect on the purchase rate."""
        return self._all(_campaigns)

    def batches(self, name: str) -> Iterator[pa.Table]:
        """One of the tables above in pieces, one per block.

        Raises:
            KeyError: no such table.
        """
        makers = {"profiles": _profiles, "people": _people, "orders": _orders, "campaigns": _campaigns}
        for moment in self._state.blocks():
            yield makers[name](moment)

    def _all(self, make: Any) -> pa.Table:
        return pa.concat_tables([make(moment) for moment in self._state.blocks()])


def _profiles(moment: BlockMoment) -> pa.Table:
    book = moment.block.book
    row = np.flatnonzero(moment.exists)
    accounts, entries = book.accounts.take(row), book.entries.take(row)
    people = moment.block.people
    first = people.person[0] if len(people) else 0
    return pa.table(
        {
            "platform": label([platform.code for platform in Platform], accounts.platform),
            "member_id": moment.member_ids.take(pa.array(row)),
            "person_id": accounts.person + first,
            "household_id": people.household[accounts.person] + first,
            "wechat": unionids(
                moment.setting.seed, people.person[accounts.person], accounts.wechat, accounts.wechat != NOBODY
            ),
            "difficulties": _difficulty_lists(entries.difficulties),
            "created_at": moment.times(accounts.created),
        }
    )


def _difficulty_lists(marks: Ints) -> pa.ListArray:
    """The names of the difficulties of each entry."""
    bits = np.array([difficulty_bit(name) for name in _NAMES], np.int64)
    has = (marks[:, None] & bits) != 0
    offsets = np.r_[0, np.cumsum(has.sum(axis=1))].astype(np.int32)
    names = np.broadcast_to(np.arange(len(_NAMES)), has.shape)[has]
    return pa.ListArray.from_arrays(pa.array(offsets), pa.array(_NAMES).take(pa.array(names)))


def _people(moment: BlockMoment) -> pa.Table:
    block, today = moment.block, moment.now // DAY
    seen = (block.people.arrival_day <= today) | np.isin(
        np.arange(len(block.people)), block.book.accounts.person[moment.exists]
    )
    row = np.flatnonzero(seen)
    people, phones = block.people.take(row), block.phones.take(row)
    profile, taste, plain = moment.setting.profile, block.taste, np.zeros(len(row), np.int64)
    first = block.people.person[0] if len(block.people) else 0
    left = _departures(moment, row)
    now_phone = np.where(phones.changed_second <= moment.now, phones.later, phones.first)
    return pa.table(
        {
            "person_id": people.person,
            "name": full_names(people.surname, people.given, people.second),
            "gender": people.gender,
            "birthday": pa.array(people.birthday.astype(np.int32)).cast(pa.date32()),
            "household_id": people.household + first,
            "phone": phone_text(now_phone, plain, plain > 0),
            "earlier_phone": phone_text(
                np.where(phones.changed_second <= moment.now, phones.first, NOBODY), plain, plain > 0
            ),
            "second_phone": phone_text(phones.other, plain, plain > 0),
            "recycled_from": pa.array(phones.recycled_from + first, mask=phones.recycled_from == NOBODY),
            "home_shop_id": label(shop_ids(moment.setting), people.home),
            "arrived_at": moment.times(np.where(people.already, 0, people.arrival_day * DAY + people.first_second)),
            "left_at": moment.times(left),
            "alive": (people.rate > 0) & (left > moment.now) & (people.arrival_day <= today),
            "weekly_rate": people.rate * 7,
            "rhythm": label([entry.name for entry in profile.rhythms], people.rhythm),
            "favourite_product_id": label([product.code for product in profile.products], taste.favourite[row]),
            "favourite_category": label([entry.code for entry in profile.categories], taste.category[row]),
            "loyalty": taste.loyalty[row],
            "coupon_proneness": people.coupon_prone,
            "marketing_effect": people.response,
            "satisfaction": people.satisfaction,
        }
    )


def _departures(moment: BlockMoment, row: Ints) -> Ints:
    """World second of leaving: the end of the lifetime, or the last purchase of the quota."""
    people = moment.block.people
    # The last business day may end after midnight.
    day_ends = moment.setting.profile.cut_over_hour * HOUR
    left = np.where(
        people.death_day < NEVER // DAY, np.minimum(people.death_day, NEVER // DAY - 1) * DAY + day_ends, NEVER
    )
    if np.any(people.quota != NO_LIMIT):
        last, number = np.full(len(people), NEVER), np.zeros(len(people), np.int64)
        for chapter in moment.chapters:
            bought = chapter.orders.take((chapter.orders.person != NOBODY) & (chapter.orders.original == NOBODY))
            bought = bought.take(bought.at <= moment.now)
            number += np.bincount(bought.person, minlength=len(people))
            last[bought.person] = bought.at
        left = np.where(number >= people.quota, last, left)
    return left[row]


def _orders(moment: BlockMoment) -> pa.Table:
    first = moment.block.people.person[0] if len(moment.block.people) else 0
    parts = []
    for platform in SELLING:
        orders = moment.orders.take(moment.orders.platform == platform)
        ids = order_ids(moment, platform, orders)
        original = np.searchsorted(orders.key, np.maximum(orders.original, 0))
        copies = orders.original != NOBODY
        parts.append(
            pa.table(
                {
                    "platform": pa.array([platform.code] * len(orders), pa.string()).dictionary_encode(),
                    "order_id": ids,
                    "person_id": pa.array(orders.person + first, mask=orders.person == NOBODY),
                    "kind": label(Kind.NAMES, orders.kind),
                    "happened_at": moment.times(orders.at),
                    "repeats_order_id": ids.take(pa.array(np.where(copies, original, 0), mask=~copies)),
                    "caused_by_marketing": orders.caused,
                    "coupon_code": coupon_codes(moment.setting, orders.coupon),
                }
            )
        )
    return pa.concat_tables(parts).unify_dictionaries()


def _campaigns(moment: BlockMoment) -> pa.Table:
    people = moment.block.people
    sends = Sends.concat([chapter.sends for chapter in moment.chapters])
    sends = sends.take(sends.sent <= moment.now)
    run = sends.period * len(moment.setting.profile.campaigns) + sends.campaign
    return pa.table(
        {
            "campaign_id": label(campaign_ids(moment), run),
            "person_id": people.person[sends.person],
            "treated": sends.treated,
            "sent_at": moment.times(sends.sent),
            "marketing_effect": people.response[sends.person],
        }
    )
