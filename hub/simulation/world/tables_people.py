"""Members, contacts, guides' notes, groups and followers of one block as of one moment."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from hub.simulation.world.arrays import DAY, HOUR, NOBODY, Bools, Ints
from hub.simulation.world.chain import CITIES, DISTRICTS
from hub.simulation.world.contacts import ADD_WAYS, Ending, RemarkKind
from hub.simulation.world.entries import BirthdayKind, NameKind
from hub.simulation.world.lunar import lunar_month_day
from hub.simulation.world.moment import BlockMoment
from hub.simulation.world.names import full_names, homophone, honorifics, nicknames, titled
from hub.simulation.world.phones import phone_text
from hub.simulation.world.platforms import Platform, card_numbers, openids, unionids
from hub.simulation.world.seeds import Part, key_of, mix, stream
from hub.simulation.world.tables_chain import shop_ids, staff_ids
from hub.simulation.world.text import base62, blank, fixed, label, numbers

__all__ = ["contacts_table", "followers_table", "follows_table", "group_members_table", "groups_table", "members_table"]

_PLACEHOLDERS: Final = ("1900-01-01", "1970-01-01", "1990-01-01", "2000-01-01")
_STATUS: Final = ("active", "closed", "merged")
_SOURCES: Final = {
    Platform.POS: ("till", "import", "card_scan"),
    Platform.YOUZAN: ("miniprogram", "h5", "store_scan", "wecom"),
    Platform.WEIMOB: ("miniprogram", "store_scan", "official_account", "wecom"),
    Platform.MINIPROGRAM: ("menu_scan", "share", "search", "official_account", "nearby"),
}
_SCENES: Final = ("ADD_SCENE_QR_CODE", "ADD_SCENE_SEARCH", "ADD_SCENE_PROFILE_CARD", "ADD_SCENE_PAID")
_TAGGED: Final = 0.3
_EMAIL: Final = b"@example.com"


class _Rows:
    """The accounts of one platform that exist at the moment, with what is needed to describe them."""

    def __init__(self, moment: BlockMoment, platform: Platform) -> None:
        block = moment.block
        self.moment, self.platform, self.seed = moment, platform, moment.setting.seed
        self.all = np.flatnonzero((block.book.accounts.platform == platform) & moment.exists)
        self.accounts = block.book.accounts.take(self.all)
        self.entries = block.book.entries.take(self.all)
        self.people = block.people.take(self.accounts.person)
        self.ids = moment.member_ids.take(pa.array(self.all))

    def unionids(self) -> pa.StringArray:
        return unionids(self.seed, self.people.person, self.accounts.wechat, self.entries.unionid_known)

    def nicknames(self) -> pa.StringArray:
        other = self.accounts.wechat == 1
        return nicknames(np.where(other, self.people.other_nickname, self.people.nickname))

    def genders(self) -> Ints:
        return np.where(self.entries.gender_known, self.people.gender, 0)


def members_table(moment: BlockMoment, platform: Platform) -> dict[str, Any]:
    """The ``members`` table of a selling platform."""
    rows = _Rows(moment, platform)
    accounts, entries, people = rows.accounts, rows.entries, rows.people
    totals = moment.totals.take(rows.all)
    setting, chain = moment.setting, moment.block.chain
    guide = chain.guide_on(accounts.shop, accounts.created // DAY, entries.draw % 997 / 997)
    city = chain.shops.city[accounts.shop]
    in_wechat = accounts.wechat != NOBODY
    app = "miniprogram" if platform == Platform.POS else platform.code
    edits = (entries.name_edited, entries.phone_edited, accounts.closed, accounts.merged)
    return {
        "member_id": rows.ids,
        "card_no": blank(card_numbers(rows.seed, accounts.key), np.full(len(accounts), platform == Platform.POS)),
        "name": _names(rows),
        "nickname": blank(rows.nicknames(), in_wechat),
        "phone": _phones(rows),
        "phone_verified": entries.verified,
        "gender": rows.genders(),
        "birthday": _birthdays(rows),
        "email": fixed(b"guest", numbers(people.person, 8), _EMAIL, valid=entries.has_email),
        "unionid": rows.unionids(),
        "openid": openids(rows.seed, app, people.person, accounts.wechat),
        "level_code": label([level.code for level in setting.profile.levels], totals.level),
        "points": totals.points,
        "balance_fen": totals.balance_fen,
        "orders": totals.orders,
        "spent_fen": totals.spent_fen,
        "last_order_at": moment.times(totals.last_order),
        "home_shop_id": label(shop_ids(setting), accounts.shop),
        "guide_id": label(staff_ids(chain), np.where(entries.draw % 3 == 0, NOBODY, guide)),
        "source": _channels(_SOURCES[platform], accounts.channel),
        "tags": _tags(moment, rows),
        "province": label([entry[0] for entry in CITIES], city),
        "city": label([entry[1] for entry in CITIES], city),
        "district": label(DISTRICTS, city * 2 + chain.shops.district[accounts.shop]),
        "status": label(
            _STATUS, np.where(accounts.merged <= moment.now, 2, np.where(accounts.closed <= moment.now, 1, 0))
        ),
        "created_at": moment.times(accounts.created),
        "updated_at": moment.times(moment.latest(accounts.created, *edits, totals.last)),
        "closed_at": moment.times(accounts.closed),
        "merged_at": moment.times(accounts.merged),
        "merged_into": _merged_into(moment, rows),
    }


def _channels(names: tuple[str, ...], channel: Ints) -> pa.DictionaryArray:
    """Where an account came from: two in five by the first way, the others by any other."""
    return label(names, np.where(_first_channel(channel), 0, 1 + channel // 5 % (len(names) - 1)))


def _first_channel(channel: Ints) -> Bools:
    return np.asarray(channel % 5 < 2)


def _merged_into(moment: BlockMoment, rows: _Rows) -> pa.Array:
    target = rows.accounts.merged_into
    gone = rows.accounts.merged <= moment.now
    return moment.member_ids.take(pa.array(np.maximum(target, 0), mask=~gone))


def _phones(rows: _Rows) -> pa.StringArray:
    entries = rows.entries
    number = np.where(entries.phone_edited <= rows.moment.now, entries.phone_later, entries.phone)
    return phone_text(number, entries.phone_style, entries.phone_masked)


def _names(rows: _Rows) -> pa.StringArray:
    """The name of each account in the way its kind says; the row of the right kind is picked from all ways."""
    people, entries = rows.people, rows.entries
    kind = np.where(entries.name_edited <= rows.moment.now, NameKind.FULL, entries.name_kind)
    ways = [
        full_names(people.surname, people.given, people.second),
        rows.nicknames(),
        honorifics(people.surname, people.gender, entries.draw),
        full_names(people.surname, homophone(people.given), people.second),
        full_names(people.surname, people.given, people.second, traditional=True),
    ]
    missing = kind == NameKind.MISSING
    source = np.where(missing, 0, kind) * len(kind) + np.arange(len(kind))
    return pa.concat_arrays(ways).take(pa.array(source, mask=missing))


def _birthdays(rows: _Rows) -> pa.StringArray:
    """The birthday as text: ``1994-04-18``, ``04-18``, a placeholder, or the day of the Chinese calendar."""
    kind, born = rows.entries.birthday_kind, rows.people.birthday
    months = born.astype("datetime64[D]").astype("datetime64[M]")
    month = months.astype(np.int64) % 12 + 1
    day = (born.astype("datetime64[D]") - months).astype(np.int64) + 1
    year = months.astype(np.int64) // 12 + 1970
    lunar_month, lunar_day = lunar_month_day(born)
    by_moon = kind == BirthdayKind.LUNAR
    month, day = np.where(by_moon, lunar_month, month), np.where(by_moon, lunar_day, day)
    short = fixed(numbers(month, 2), b"-", numbers(day, 2))
    whole = fixed(numbers(year, 4), b"-", numbers(month, 2), b"-", numbers(day, 2))
    text = pc.if_else(pa.array(kind == BirthdayKind.NO_YEAR), short, whole)
    filler = pa.array(_PLACEHOLDERS).take(pa.array(rows.entries.draw % len(_PLACEHOLDERS)))
    text = pc.if_else(pa.array(kind == BirthdayKind.PLACEHOLDER), filler, text)
    return blank(text, kind != BirthdayKind.MISSING)


def _tags(moment: BlockMoment, rows: _Rows) -> pa.ListArray:
    """Tags that the chain's staff gave by hand when the account was made."""
    random = stream(rows.seed, Part.TAGS, moment.block.number, int(rows.platform))
    total = int((moment.block.book.accounts.platform == rows.platform).sum())
    first = int(np.searchsorted(moment.block.book.accounts.platform, int(rows.platform)))
    place = rows.all - first
    return _lists(moment.setting.profile.tags, random, total, place)


def _lists(tags: tuple[str, ...], random: np.random.Generator, total: int, place: Ints) -> pa.ListArray:
    """None, one or two tags per row; drawn for all rows there will ever be, so that later rows change nothing."""
    has = (random.random((total, 2)) < _TAGGED)[place]
    value = random.integers(0, len(tags) // 2, (total, 2))[place] + np.array([0, len(tags) // 2])
    offsets = np.r_[0, np.cumsum(has.sum(axis=1))].astype(np.int32)
    return pa.ListArray.from_arrays(pa.array(offsets), pa.array(tags).take(pa.array(value[has])))


def contacts_table(moment: BlockMoment, platform: Platform) -> dict[str, Any]:
    """The ``contacts`` table of WeCom: one row per external contact."""
    rows = _Rows(moment, platform)
    return {
        "member_id": rows.ids,
        "name": rows.nicknames(),
        "gender": rows.genders(),
        "unionid": rows.unionids(),
        "created_at": moment.times(rows.accounts.created),
        "updated_at": moment.times(moment.latest(rows.accounts.created, rows.accounts.closed)),
        "deleted_at": moment.times(rows.accounts.closed),
    }


def followers_table(moment: BlockMoment, platform: Platform) -> dict[str, Any]:
    """The ``followers`` table of the official account."""
    rows = _Rows(moment, platform)
    scanned = _first_channel(rows.accounts.channel)
    return {
        "member_id": rows.ids,
        "unionid": rows.unionids(),
        "scene": _channels(_SCENES, rows.accounts.channel),
        "shop_id": label(shop_ids(moment.setting), np.where(scanned, rows.accounts.shop, NOBODY)),
        "followed_at": moment.times(rows.accounts.created),
        "unfollowed_at": moment.times(rows.accounts.closed),
        "updated_at": moment.times(moment.latest(rows.accounts.created, rows.accounts.closed)),
    }


def follows_table(moment: BlockMoment, _: Platform) -> dict[str, Any]:
    """The ``follows`` table of WeCom: one row per guide and customer, ended ones included."""
    block, setting = moment.block, moment.setting
    everything = moment.history.contacts.follows
    row = np.flatnonzero(everything.added <= moment.now)
    follows = everything.take(row)
    scanned = np.isin(np.array(ADD_WAYS)[follows.way], (1, 4, 16))
    plain = np.zeros(len(follows), np.int64)
    random = stream(setting.seed, Part.TAGS, block.number, 100)
    states = [f"store_{shop.lower()}" for shop in shop_ids(setting)]
    edited = np.maximum(follows.added, follows.remark_edited)
    return {
        "staff_id": label(staff_ids(block.chain), follows.guide),
        "member_id": moment.member_ids.take(pa.array(follows.account)),
        "remark": _remarks(moment, follows.account, follows.remark_kind, follows.shop, edited <= moment.now),
        "description": blank(pa.array(["老客，记得口味"] * len(follows)), follows.described & (edited <= moment.now)),
        "remark_phone": phone_text(np.where(edited <= moment.now, follows.phone, NOBODY), plain, plain > 0),
        "add_way": np.array(ADD_WAYS)[follows.way],
        "state": label(states, np.where(scanned, follows.shop, NOBODY)),
        "tags": _lists(setting.profile.tags, random, len(everything), row),
        "added_at": moment.times(follows.added),
        "ended_at": moment.times(follows.ended),
        "ended_by": label(Ending.NAMES, np.where(follows.ended <= moment.now, follows.ending, NOBODY)),
        "updated_at": moment.times(moment.latest(follows.added, edited, follows.ended)),
    }


def _remarks(moment: BlockMoment, account: Ints, kind: Ints, shop: Ints, written: Bools) -> pa.StringArray:
    """What guides call the customer; the nickname until they have written something."""
    accounts = moment.block.book.accounts
    people = moment.block.people.take(accounts.person[account])
    draw = accounts.channel[account]
    other = accounts.wechat[account] == 1
    names = full_names(people.surname, people.given, people.second)
    titles = titled(people.surname, people.gender, draw)
    shops = pa.array([f"{number + 1}号店" for number in range(moment.setting.shops)]).take(pa.array(shop))
    tail = fixed(numbers(draw * 7 % 10_000, 4))
    ways = [
        nicknames(np.where(other, people.other_nickname, people.nickname)),
        names,
        pc.binary_join_element_wise(titles, shops, ""),
        titles,
        pc.binary_join_element_wise(names, tail, "-"),
    ]
    choice = np.where(written, kind, RemarkKind.NICKNAME)
    return pa.concat_arrays(ways).take(pa.array(choice * len(kind) + np.arange(len(kind))))


def _group_ids(moment: BlockMoment, shop: Ints, page: Ints) -> pa.StringArray:
    """``wr`` and 30 letters per shop, block of people and page."""
    number = (np.int64(moment.block.number) * 10_000 + shop) * 1_000 + page
    words = [mix(number, key_of(moment.setting.seed, f"group-{turn}")) for turn in range(3)]
    return fixed(b"wr", base62(words, 30))


def groups_table(moment: BlockMoment, _: Platform) -> dict[str, Any]:
    """The ``groups`` table of WeCom: customer groups of the shops, owned by the shop's manager."""
    chain, members = moment.block.chain, moment.history.contacts.memberships
    begun = members.take(members.joined <= moment.now)
    pairs, first = np.unique(begun.shop * 1_000 + begun.page, return_index=True)
    shop, page = pairs // 1_000, pairs % 1_000
    created = begun.joined[first] - HOUR
    owner, since = chain.manager_on(shop, np.full(len(shop), moment.now // DAY))
    handed = np.maximum(since * DAY, created)
    names = [
        f"{moment.setting.profile.brand}{number + 1}号店福利{place + 1}群"
        for number, place in zip(shop.tolist(), page.tolist(), strict=True)
    ]
    return {
        "group_id": _group_ids(moment, shop, page),
        "name": names,
        "shop_id": label(shop_ids(moment.setting), shop),
        "owner_staff_id": label(staff_ids(chain), owner),
        "created_at": moment.times(created),
        "updated_at": moment.times(np.minimum(handed, moment.now)),
    }


def group_members_table(moment: BlockMoment, _: Platform) -> dict[str, Any]:
    """The ``group_members`` table of WeCom, with those who left."""
    block = moment.block
    members = moment.history.contacts.memberships
    members = members.take((members.joined <= moment.now) & (members.left > members.joined))
    accounts, entries = block.book.accounts.take(members.account), block.book.entries.take(members.account)
    people = block.people.take(accounts.person)
    return {
        "group_id": _group_ids(moment, members.shop, members.page),
        "member_id": moment.member_ids.take(pa.array(members.account)),
        "unionid": unionids(moment.setting.seed, people.person, accounts.wechat, entries.unionid_known),
        "name": nicknames(np.where(accounts.wechat == 1, people.other_nickname, people.nickname)),
        "join_scene": members.scene,
        "joined_at": moment.times(members.joined),
        "left_at": moment.times(members.left),
        "updated_at": moment.times(moment.latest(members.joined, members.left)),
    }
