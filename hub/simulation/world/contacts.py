"""Contacts in WeCom: customers who add a guide or delete one, guides who hand over, groups that are joined and left."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from hub.simulation.world.accounts import AccountBook
from hub.simulation.world.arrays import DAY, HOUR, NEVER, NOBODY, Bools, Columns, Ints, rank_within
from hub.simulation.world.block import Block
from hub.simulation.world.chain import Chain
from hub.simulation.world.platforms import Platform
from hub.simulation.world.seeds import Part

__all__ = ["ADD_WAYS", "Contacts", "Ending", "Follows", "Memberships", "RemarkKind", "draw_contacts"]

#: WeCom's numbers for how a contact was added, with their shares: scan, search, card, group, link, shared, assigned.
ADD_WAYS: Final = (1, 2, 3, 4, 16, 201, 202)
_WAY_SHARES: Final = (0.62, 0.06, 0.08, 0.12, 0.08, 0.04)
_HANDED_OVER: Final = 6
_HANDOVERS: Final = 5
_SECOND_GUIDE: Final = 0.10
_DELETES: Final = 0.10
_IN_GROUP: Final = 0.36
_LEAVES_GROUP: Final = 0.18
_GROUP_SIZE: Final = 400
_PHONE_NOTED: Final = 0.4
_DESCRIBED: Final = 0.2


class RemarkKind:
    """How a guide notes a customer down: the nickname as it is, the name, 张姐 and shop, 李女士, or name and number."""

    NICKNAME, FULL, SHOP, TITLE, NUMBER = range(5)
    SHARES: Final = (0.35, 0.22, 0.16, 0.17, 0.10)


class Ending:
    """Why a follow relation ended."""

    OPEN, BY_CUSTOMER, BY_GUIDE, HANDED_OVER = range(4)
    NAMES: Final = ("", "customer", "staff", "transfer")


@dataclass(frozen=True)
class Follows(Columns):
    """One row per guide and customer.

    Attributes:
        account: row of the WeCom account. guide: row of the staff.
        added, ended: world seconds; ``added`` may lie before the world. ending: see :class:`Ending`.
        way: row of :data:`ADD_WAYS`. shop: whose code was scanned (``state``).
        remark_kind: see :class:`RemarkKind`. remark_edited: when the remark was written.
        phone: number noted by the guide, or ``NOBODY``. described: whether there is a description.
    """

    account: Ints
    guide: Ints
    added: Ints
    ended: Ints
    ending: Ints
    way: Ints
    shop: Ints
    remark_kind: Ints
    remark_edited: Ints
    phone: Ints
    described: Bools


@dataclass(frozen=True)
class Memberships(Columns):
    """Who is in which customer group: account row, shop, number of the shop's group, world seconds, way (1–3)."""

    account: Ints
    shop: Ints
    page: Ints
    joined: Ints
    left: Ints
    scene: Ints


@dataclass(frozen=True)
class Contacts:
    """All relations and group memberships of one block."""

    follows: Follows
    memberships: Memberships


def draw_contacts(block: Block) -> Contacts:
    """Relations and groups of one block's WeCom accounts."""
    chain, people, book = block.chain, block.people, block.book
    random = block.stream(Part.CONTACTS)
    account = np.flatnonzero(book.accounts.platform == Platform.WECOM)
    first = _added(block, random, account, book.accounts.shop[account], book.accounts.created[account])
    again = account[random.random(len(account)) < _SECOND_GUIDE]
    later = book.accounts.created[again] + (random.exponential(120.0, len(again)) * DAY).astype(np.int64) + DAY
    elsewhere = people.work[book.accounts.person[again]]
    parts = [first, _added(block, random, again, elsewhere, later)]
    follows = _with_handovers(chain, random, Follows.concat(parts))
    return Contacts(follows, _memberships(chain, book, random, account))


def _added(block: Block, random: np.random.Generator, account: Ints, shop: Ints, moment: Ints) -> Follows:
    """Relations that customers and guides make themselves."""
    rows, phones, accounts = len(account), block.phones, block.book.accounts
    guide, added = _guide_at(block.chain, random, shop, moment)
    deletes = random.random(rows) < _DELETES
    gone = added + (random.exponential(200.0, rows) * DAY).astype(np.int64) + HOUR
    gone = np.minimum(np.where(deletes, gone, NEVER), accounts.closed[account])
    person = accounts.person[account]
    number = np.where(added < phones.changed_second[person], phones.first[person], phones.later[person])
    return Follows(
        account=account,
        guide=guide,
        added=added,
        ended=gone,
        ending=np.where(
            gone == NEVER, Ending.OPEN, np.where(random.random(rows) < 0.8, Ending.BY_CUSTOMER, Ending.BY_GUIDE)
        ),
        way=random.choice(len(_WAY_SHARES), rows, p=_WAY_SHARES),
        shop=shop,
        remark_kind=random.choice(len(RemarkKind.SHARES), rows, p=RemarkKind.SHARES),
        remark_edited=added + random.integers(60, 3 * DAY, rows),
        phone=np.where(random.random(rows) < _PHONE_NOTED, number, NOBODY),
        described=random.random(rows) < _DESCRIBED,
    )


def _guide_at(chain: Chain, random: np.random.Generator, shop: Ints, moment: Ints) -> tuple[Ints, Ints]:
    """A guide of the shop at that time, and the moment, put off until the guide was hired where nobody was there."""
    day = moment // DAY
    guide = chain.guide_on(shop, day, random.random(len(shop)))
    manager = chain.guide_on(shop, day, np.zeros(len(shop)))
    first = chain.first_manager(shop)
    guide = np.where(guide != NOBODY, guide, np.where(manager != NOBODY, manager, first))
    hired = chain.staff.hired_day[guide] * DAY + 10 * HOUR
    return guide, np.maximum(moment, hired)


def _with_handovers(chain: Chain, random: np.random.Generator, follows: Follows) -> Follows:
    """When a guide leaves, a colleague gets the customers three days later, and so on with the colleague."""
    done: list[Follows] = []
    for _ in range(_HANDOVERS):
        ended, follows = _hand_over(chain, random, follows)
        done.append(ended)
    return Follows.concat([*done, follows])


def _hand_over(chain: Chain, random: np.random.Generator, follows: Follows) -> tuple[Follows, Follows]:
    left = chain.staff.left_day[follows.guide]
    moment = np.where(left < NEVER // DAY, left, 0) * DAY + 3 * DAY + 10 * HOUR
    shop = chain.staff.shop[follows.guide]
    successor = chain.guide_on(shop, moment // DAY, random.random(len(follows)))
    moves = (left < NEVER // DAY) & (moment < follows.ended) & (moment > follows.added) & (successor != NOBODY)
    columns = follows.arrays()
    ended = columns | {
        "ended": np.where(moves, moment, follows.ended),
        "ending": np.where(moves, Ending.HANDED_OVER, follows.ending),
    }
    passed = columns | {
        "guide": successor,
        "added": moment,
        "way": np.full(len(follows), _HANDED_OVER),
        "remark_edited": moment,
    }
    return Follows(**ended), Follows(**passed).take(moves)


def _memberships(chain: Chain, book: AccountBook, random: np.random.Generator, account: Ints) -> Memberships:
    """A bit more than a third of the contacts join the group of their shop, and some leave it again."""
    joins = account[random.random(len(account)) < _IN_GROUP]
    rows = len(joins)
    accounts = book.accounts
    joined = accounts.created[joins] + HOUR + (random.exponential(50.0, rows) * DAY).astype(np.int64)
    joined = np.maximum(joined, chain.shops.opened_day[accounts.shop[joins]] * DAY + 12 * HOUR)
    order = np.argsort(joined, kind="stable")
    joins, joined = joins[order], joined[order]
    leaves = random.random(rows) < _LEAVES_GROUP
    left = joined + HOUR + (random.exponential(150.0, rows) * DAY).astype(np.int64)
    return Memberships(
        account=joins,
        shop=accounts.shop[joins],
        page=rank_within(accounts.shop[joins]) // _GROUP_SIZE,
        joined=joined,
        left=np.minimum(np.where(leaves, left, NEVER), np.maximum(accounts.closed[joins], joined)),
        scene=random.choice(3, rows, p=(0.25, 0.25, 0.5)) + 1,
    )
