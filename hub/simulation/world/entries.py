"""Entries: what stands in an account's fields, as staff and customers filled them in, well or badly."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Final

import numpy as np

from hub.simulation.world.arrays import DAY, NEVER, NOBODY, Bools, Columns, Ints
from hub.simulation.world.difficulties import Difficulties
from hub.simulation.world.names import has_homophone
from hub.simulation.world.people import People
from hub.simulation.world.phones import DEFAULT_PHONE, FORMATS, Phones, shop_phone, staff_phone
from hub.simulation.world.platforms import Platform
from hub.simulation.world.seeds import Part, stream
from hub.simulation.world.setting import Setting

if TYPE_CHECKING:
    from hub.simulation.world.accounts import Accounts

__all__ = ["BirthdayKind", "Entries", "NameKind", "difficulty_bit", "write_entries"]

_PLACES_PER_SHOP: Final = 70
_VERIFIED: Final = 0.75
_PHONE_AUTHORISED: Final = 0.62
_PHONE_UPDATED: Final = 0.35
_NAME_COMPLETED: Final = 0.05
_HAS_EMAIL: Final = 0.06
_TYPED: Final = (Platform.POS, Platform.YOUZAN, Platform.WEIMOB, Platform.MINIPROGRAM)
_NAMED: Final = (Platform.POS, Platform.YOUZAN, Platform.WEIMOB)
_BITS: Final = {field.name: 1 << number for number, field in enumerate(fields(Difficulties))}


class NameKind:
    """How the name is written. ``NICKNAME`` is what WeChat gives; ``FULL`` is as on the identity card."""

    FULL, NICKNAME, HONORIFIC, HOMOPHONE, TRADITIONAL, MISSING = range(6)


class BirthdayKind:
    """How the birthday is written."""

    FULL, NO_YEAR, PLACEHOLDER, LUNAR, MISSING = range(5)


def difficulty_bit(name: str) -> int:
    """The bit that marks a difficulty in :attr:`Entries.difficulties`."""
    return _BITS[name]


@dataclass(frozen=True)
class Entries(Columns):
    """One row per account.

    Attributes:
        phone, phone_later, phone_edited: the number at first, and from the moment ``phone_edited`` (world seconds).
        phone_style, phone_masked: how it is written. verified: the number came from WeChat by one tap.
        name_kind, name_edited: see :class:`NameKind`; completed to the full name at ``name_edited``.
        birthday_kind, gender_known, unionid_known, has_email: which of the other fields are filled, and how.
        draw: a number that picks among equal ways to write something.
        difficulties: bits of :func:`difficulty_bit`, what is difficult about this entry.
    """

    phone: Ints
    phone_later: Ints
    phone_edited: Ints
    phone_style: Ints
    phone_masked: Bools
    verified: Bools
    name_kind: Ints
    name_edited: Ints
    birthday_kind: Ints
    gender_known: Bools
    unionid_known: Bools
    has_email: Bools
    draw: Ints
    difficulties: Ints


class _Writer:
    """Fills in the entries of one block; every difficulty that has an effect leaves its mark."""

    def __init__(self, setting: Setting, people: People, phones: Phones, accounts: Accounts, block: int) -> None:
        self.setting, self.people, self.phones, self.accounts, self.block = setting, people, phones, accounts, block
        self.random = stream(setting.seed, Part.ACCOUNTS, block, 99)
        self.rows = len(accounts)
        self.marks = np.zeros(self.rows, np.int64)

    def on(self, platforms: tuple[Platform, ...]) -> Bools:
        return np.isin(self.accounts.platform, [int(platform) for platform in platforms])

    def hits(self, name: str, where: Bools) -> Bools:
        """The rows of ``where`` that the difficulty befalls, marked as such."""
        hit = where & self.setting.difficulties.hits(name, self.setting.seed, self.rows, self.block)
        self.mark(name, hit)
        return hit

    def mark(self, name: str, hit: Bools) -> None:
        self.marks[hit] |= _BITS[name]

    def unmark(self, hit: Bools, *names: str) -> None:
        for name in names:
            self.marks[hit] &= ~_BITS[name]


def write_entries(setting: Setting, people: People, phones: Phones, accounts: Accounts, block: int) -> Entries:
    """Fill in the fields of all accounts of a block."""
    writer = _Writer(setting, people, phones, accounts, block)
    verified = writer.on((Platform.YOUZAN, Platform.WEIMOB, Platform.MINIPROGRAM)) & (
        writer.random.random(writer.rows) < _VERIFIED
    )
    phone, later, edited = _phones(writer, verified)
    has_phone = phone != NOBODY
    formatted = writer.hits("formatted_phone", has_phone & ~verified)
    masked = writer.hits("masked_phone", has_phone)
    writer.unmark(masked, "formatted_phone")
    name_kind, name_edited = _names(writer)
    named = writer.on(_NAMED)
    gendered = writer.on((*_NAMED, Platform.WECOM, Platform.MINIPROGRAM))
    in_wechat = ~writer.on((Platform.POS,)) & (accounts.wechat != NOBODY)
    _mark_people(writer, phone)
    return Entries(
        phone=phone,
        phone_later=later,
        phone_edited=edited,
        phone_style=np.where(formatted, writer.random.integers(1, len(FORMATS), writer.rows), 0),
        phone_masked=masked,
        verified=verified & has_phone,
        name_kind=name_kind,
        name_edited=name_edited,
        birthday_kind=_birthdays(writer, named),
        gender_known=gendered & ~writer.hits("missing_gender", gendered),
        unionid_known=(accounts.wechat != NOBODY) & ~writer.hits("missing_unionid", in_wechat),
        has_email=named & (writer.random.random(writer.rows) < _HAS_EMAIL),
        draw=writer.random.integers(0, 1_000_000, writer.rows),
        difficulties=writer.marks,
    )


def _own_phone(writer: _Writer, person: Ints, second_draw: Bools) -> Ints:
    """The number a person gives when asked at the time the account is made."""
    phones = writer.phones
    before = (
        writer.accounts.created < phones.changed_day[person] * np.int64(DAY) if len(person) else np.empty(0, np.bool_)
    )
    main = np.where((phones.changed_day[person] == NEVER) | before, phones.first[person], phones.later[person])
    return np.where(second_draw & (phones.other[person] != NOBODY), phones.other[person], main)


def _phones(writer: _Writer, verified: Bools) -> tuple[Ints, Ints, Ints]:
    """The number of each account, the number after an update, and the moment of the update."""
    setting, accounts, random, rows = writer.setting, writer.accounts, writer.random, writer.rows
    person, typed, till = accounts.person, writer.on(_TYPED), writer.on((Platform.POS,))
    uses_second = random.random(rows) < 0.5
    own = _own_phone(writer, person, uses_second)
    phone = own.copy()
    family = _family_hits(writer)[person] & typed & ~verified
    phone[family] = _own_phone(writer, writer.people.household[person], np.zeros(rows, np.bool_))[family]
    writer.mark("household_phone", family & (phone != own))
    wrong = writer.hits("mistyped_phone", till)
    digit, step = 10 ** random.integers(0, 8, rows), random.integers(1, 10, rows)
    old_digit = phone // digit % 10
    phone = np.where(wrong, phone + ((old_digit + step) % 10 - old_digit) * digit, phone)
    guide = accounts.shop * _PLACES_PER_SHOP + random.integers(0, _PLACES_PER_SHOP, rows)
    fillers = (
        ("shop_phone", shop_phone(setting, accounts.shop)),
        ("staff_phone", staff_phone(setting, guide)),
        ("default_phone", np.full(rows, DEFAULT_PHONE)),
    )
    worse = ["household_phone", "mistyped_phone"]
    for name, number in fillers:
        hit = writer.hits(name, till)
        writer.unmark(hit, *worse)
        phone[hit] = number[hit]
        worse.append(name)
    missing = writer.hits("missing_phone", typed)
    writer.unmark(missing, *worse)
    authorised = ~writer.on((Platform.MINIPROGRAM,)) | (random.random(rows) < _PHONE_AUTHORISED)
    phone[missing | ~typed | ~authorised] = NOBODY
    writer.unmark(~authorised, "missing_phone", *worse)
    return _updates(writer, phone, own)


def _family_hits(writer: _Writer) -> Bools:
    """Which people register with the number of the first of their household."""
    rows = len(writer.people)
    hit = writer.setting.difficulties.hits("household_phone", writer.setting.seed, rows, writer.block)
    return np.asarray(hit & (writer.people.household != np.arange(rows)))


def _updates(writer: _Writer, phone: Ints, own: Ints) -> tuple[Ints, Ints, Ints]:
    """Some who change their number tell the platform, weeks later."""
    phones, person, random = writer.phones, writer.accounts.person, writer.random
    tells = random.random(writer.rows) < _PHONE_UPDATED
    waits = (random.exponential(45.0, writer.rows) * DAY).astype(np.int64)
    changes = (phone == own) & (phone == phones.first[person]) & (phones.changed_day[person] < NEVER)
    moment = np.where(changes, phones.changed_second[person] + waits + DAY, NEVER)
    tells &= changes & (moment > writer.accounts.created)
    writer.mark("changed_phone", changes)
    return phone, np.where(tells, phones.later[person], phone), np.where(tells, moment, NEVER)


def _names(writer: _Writer) -> tuple[Ints, Ints]:
    """How each name is written, and when it is completed to the full name."""
    named = writer.on(_NAMED)
    person = writer.accounts.person
    kind = np.full(writer.rows, NameKind.FULL)
    sounds_alike = has_homophone(writer.people.given[person])
    steps = (
        ("traditional", NameKind.TRADITIONAL, named),
        ("homophone", NameKind.HOMOPHONE, named & sounds_alike),
        ("honorific", NameKind.HONORIFIC, named),
        ("nickname", NameKind.NICKNAME, named),
        ("missing_name", NameKind.MISSING, named),
    )
    weaker: list[str] = []
    for name, value, where in steps:
        hit = writer.hits(name, where)
        writer.unmark(hit, *weaker)
        kind[hit] = value
        weaker.append(name)
    kind[writer.on((Platform.WECOM, Platform.MINIPROGRAM))] = NameKind.NICKNAME
    kind[writer.on((Platform.WECHAT,))] = NameKind.MISSING
    completes = named & (kind != NameKind.FULL) & (writer.random.random(writer.rows) < _NAME_COMPLETED)
    waits = (writer.random.exponential(90.0, writer.rows) * DAY).astype(np.int64) + DAY
    moment = np.maximum(writer.accounts.created, 0) + waits
    return kind, np.where(completes, moment, NEVER)


def _birthdays(writer: _Writer, named: Bools) -> Ints:
    kind = np.where(named, BirthdayKind.FULL, BirthdayKind.MISSING)
    steps = (
        ("lunar_birthday", BirthdayKind.LUNAR),
        ("birthday_without_year", BirthdayKind.NO_YEAR),
        ("placeholder_birthday", BirthdayKind.PLACEHOLDER),
        ("missing_birthday", BirthdayKind.MISSING),
    )
    weaker: list[str] = []
    for name, value in steps:
        hit = writer.hits(name, named)
        writer.unmark(hit, *weaker)
        kind[hit] = value
        weaker.append(name)
    return kind


def _mark_people(writer: _Writer, phone: Ints) -> None:
    """Mark what follows from the person or the account, so that results can be broken down by difficulty."""
    accounts, phones = writer.accounts, writer.phones
    person = accounts.person
    writer.mark("recycled_phone", (phones.recycled_from[person] != NOBODY) & (phone == phones.first[person]))
    writer.mark("second_phone", (phone != NOBODY) & (phone == phones.other[person]))
    writer.mark("two_wechats", accounts.wechat == 1)
    twice = writer.on(_NAMED) & (accounts.serial == 1)
    writer.mark("duplicate_membership", twice)
    writer.mark("merged_membership", accounts.merged < NEVER)
    writer.mark("closed_account", accounts.closed < NEVER)
