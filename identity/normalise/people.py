"""Chinese names: which texts are a person's full name, which only a surname and a title, which nothing at all.

A full name is two to four Han characters that begin with a surname; 王女士 or 李姐 is a surname with a hint of gender;
a nickname is no evidence for anybody and none against. Names are compared by *sound* (pinyin without tones), because
typing errors are mostly homophones (涵 for 晗). A single character's usual reading is taken, except in surnames, which
have readings of their own (单 shàn, 曾 zēng).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from functools import cache, lru_cache

from identity.normalise.surnames import COMPOUND_SURNAMES, SURNAME_SOUNDS, SURNAMES
from identity.normalise.text import clean, is_nothing

__all__ = ["NO_NAME", "Name", "NameKind", "name"]


class NameKind(StrEnum):
    """How much a name says."""

    FULL = "full"
    """Surname and given name: evidence for and against."""
    TITLE = "title"
    """Surname and form of address (王女士, 小李): fits or does not fit a full name, identifies nobody."""
    NICKNAME = "nickname"
    """Free text: no evidence."""
    NONE = "none"
    """Empty or a placeholder."""


@dataclass(frozen=True, slots=True)
class Name:
    """A name taken apart.

    Attributes:
        kind: how much it says.
        text: simplified, half-width text, or None for none.
        surname: pinyin of the surname of a full name or a title.
        sound: pinyin of the whole full name, syllables joined by a blank ("ou yang li hua").
        gender: "male" or "female" when the title says so.
    """

    kind: NameKind
    text: str | None = None
    surname: str | None = None
    sound: str | None = None
    gender: str | None = None


NO_NAME = Name(NameKind.NONE)

_MALE = "先生|哥|大哥|叔|叔叔|大叔|大爷|爷爷|帅哥|公子|少爷"
_FEMALE = "女士|小姐|太太|夫人|姐|大姐|姐姐|阿姨|姨|妹|妹妹|美女|奶奶|婆婆|大妈"
_NEUTRAL = "老师|总|经理|老板|店长|师傅|医生|大夫|主任|教授|律师|同学|会员|顾客|客户|某|某某|家长|家|\\*{1,2}"
_TITLE = re.compile(rf"^(..??)(?:({_MALE})|({_FEMALE})|(?:{_NEUTRAL}))(?:[(（].*[)）])?$")
_FAMILIAR = re.compile(r"^[小老阿大](.)$")
_HAN = re.compile(r"^[\u3400-\u4dbf\u4e00-\u9fff\U00020000-\U0002fa1f]{2,4}$")
_DOTS = dict.fromkeys(map(ord, " ·・•.-_'\""))
_PLACEHOLDER = re.compile(
    r"^(微信用户|会员|散客|顾客|客户|测试.*|游客|新用户|用户\d*|手机用户.*|默认.*|先生|女士|匿名.*|无名|张三|李四|王五|某某)$"
)


@cache
def _simplifier() -> object:
    from opencc import OpenCC

    return OpenCC("t2s")


@lru_cache(maxsize=65_536)
def _simplified_character(char: str) -> str:
    return str(_simplifier().convert(char))  # type: ignore[attr-defined]


@lru_cache(maxsize=65_536)
def _sound(char: str) -> str:
    from pypinyin import lazy_pinyin

    return str(lazy_pinyin(char)[0])


def simplify(text: str) -> str:
    """Traditional to simplified, character by character: names hold no phrases that would need context."""
    return text if text.isascii() else "".join(map(_simplified_character, text))


def split_surname(text: str) -> str | None:
    """The surname a simplified Han text begins with, compound surnames first, or None."""
    if text[:2] in COMPOUND_SURNAMES:
        return text[:2]
    return text[:1] if text[:1] in SURNAMES else None


def surname_sound(surname: str) -> str:
    """Pinyin without tones of a surname, read as a surname."""
    return SURNAME_SOUNDS.get(surname) or " ".join(map(_sound, surname))


def sound_of(text: str, surname: str) -> str:
    """Pinyin without tones of a full name."""
    return " ".join([surname_sound(surname), *map(_sound, text[len(surname) :])])


def name(raw: str) -> Name:
    """Take one name apart.

    >>> name("歐陽麗華").sound
    'ou yang li hua'
    >>> name("王女士")
    Name(kind=<NameKind.TITLE: 'title'>, text='王女士', surname='wang', sound=None, gender='female')
    """
    cleaned = clean(raw)
    if is_nothing(cleaned):
        return NO_NAME
    text = simplify(cleaned).translate(_DOTS)
    if not text or _PLACEHOLDER.match(text):
        return NO_NAME
    return _titled(text) or _full(text) or Name(NameKind.NICKNAME, simplify(cleaned))


def _titled(text: str) -> Name | None:
    if match := _TITLE.match(text):
        surname = split_surname(match[1])
        if surname is None or surname != match[1]:
            return None
        gender = "male" if match[2] else "female" if match[3] else None
        return Name(NameKind.TITLE, text, surname_sound(surname), gender=gender)
    if (match := _FAMILIAR.match(text)) and match[1] in SURNAMES:
        return Name(NameKind.TITLE, text, surname_sound(match[1]))
    return None


def _full(text: str) -> Name | None:
    surname = split_surname(text) if _HAN.match(text) else None
    if surname is None or len(text) - len(surname) not in {1, 2}:
        return None
    return Name(NameKind.FULL, text, surname_sound(surname), sound_of(text, surname))
