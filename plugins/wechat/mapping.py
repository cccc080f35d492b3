"""WeChat's JSON as canonical records; pure functions.

Field meanings: developers.weixin.qq.com, user/info, tags/get, data-analysis, code2Session, getPhoneNumber. Every time is in
Unix seconds; days of statistics are days in China.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from typing import Any, Final

from hub.errors import RowError
from hub.records import Assurance, Customer, Event, Identifier, IdentifierKind
from plugins.wechat.client import CHINA

__all__ = [
    "SYSTEM_TAGS",
    "day_of",
    "identifiers_of",
    "instant",
    "to_day",
    "to_follower",
    "to_follower_counts",
    "to_pages",
    "to_tag",
    "to_user",
]

SYSTEM_TAGS: Final = frozenset({0, 1, 2})
"""Ids of the platform's own tags: no group, 黑名单, 星标组."""

_GENDERS: Final = {1: "male", 2: "female"}
_FOLLOWER_KNOWN: Final = frozenset(
    {"subscribe", "openid", "unionid", "nickname", "sex", "city", "province", "country", "headimgurl", "subscribe_time", "tagid_list", "groupid"}
)  # fmt: skip
_HOME_COUNTRY: Final = "86"


def instant(seconds: object) -> dt.datetime | None:
    """Return Unix seconds (a number or digits) as an instant; None for nothing and for 0."""
    number = int(str(seconds)) if seconds not in (None, "") else 0
    return dt.datetime.fromtimestamp(number, dt.UTC) if number else None


def day_of(ref_date: object) -> dt.date:
    """Return a day written ``20260301`` or ``2026-03-01``.

    Raises:
        RowError: it is no day.
    """
    text = str(ref_date or "").replace("-", "")
    try:
        return dt.datetime.strptime(text, "%Y%m%d").date()  # noqa: DTZ007 - a day has no zone
    except ValueError as error:
        raise RowError("The day is not a date.", code="day_unreadable", context={"column": "ref_date"}) from error


def _midnight(day: dt.date) -> dt.datetime:
    return dt.datetime.combine(day, dt.time.min, CHINA)


def identifiers_of(appid: str, openid: str, unionid: object = None, phone: object = None) -> tuple[Identifier, ...]:
    """Return what identifies a person of this appid.

    Args:
        appid: scope of the openid.
        openid: unique in this appid only.
        unionid: the same in every appid bound to one 微信开放平台 account; may be missing.
        phone: full number that the person has handed over by a tap.
    """
    found = [Identifier(kind=IdentifierKind.OPENID, value=openid, scope=appid)]
    if unionid:
        found.append(Identifier(kind=IdentifierKind.UNIONID, value=str(unionid)))
    if phone:
        found.append(Identifier(kind=IdentifierKind.PHONE, value=str(phone), assurance=Assurance.AUTHORISED))
    return tuple(found)


def to_follower(row: Mapping[str, Any], appid: str, tags: Mapping[int, str], own_prefix: str) -> Customer:
    """A follower (粉丝) of an official account.

    Names and pictures are given no more since the end of 2021; accounts that still get the keys get them empty. The hub's
    own tags are left out: they say what the hub has said.

    Args:
        row: as ``batchget`` gives it.
        appid: the account.
        tags: names of the account's tags.
        own_prefix: what the names of the hub's tags begin with.
    """
    names = [tags.get(int(tag), str(tag)) for tag in row.get("tagid_list") or [] if int(tag) not in SYSTEM_TAGS]
    return Customer(
        source_id=str(row["openid"]),
        identifiers=identifiers_of(appid, str(row["openid"]), row.get("unionid")),
        nickname=row.get("nickname") or None,
        gender=_GENDERS.get(int(row.get("sex") or 0)),
        country=row.get("country") or None,
        province=row.get("province") or None,
        city=row.get("city") or None,
        avatar_url=row.get("headimgurl") or None,
        registered_at=instant(row.get("subscribe_time")),
        acquired_through=row.get("qr_scene_str") or row.get("subscribe_scene") or None,
        tags=tuple(sorted(name for name in names if not name.startswith(own_prefix))),
        extra=_left_over(row, _FOLLOWER_KNOWN),
    )


def _left_over(row: Mapping[str, Any], known: Iterable[str]) -> dict[str, Any]:
    return {key: value for key, value in row.items() if key not in known and value not in (None, "", [], {})}


def to_tag(row: Mapping[str, Any], seen_on: dt.date, appid: str) -> Event:
    """A tag of the account, as the event of its being seen first: WeChat does not say when it was made."""
    return Event(
        source_id=f"tag:{row['id']}",
        type="tag.seen",
        occurred_at=_midnight(seen_on),
        channel="wechat",
        subject_kind="tag",
        subject_id=str(row["id"]),
        properties={"name": row.get("name"), "followers": row.get("count"), "appid": appid},
    )


def to_day(kind: str, day: dt.date, numbers: Mapping[str, Any], appid: str) -> Event:
    """One day of statistics of a mini-program."""
    return Event(
        source_id=f"{kind}:{day:%Y%m%d}",
        type=f"miniprogram.{kind}",
        occurred_at=_midnight(day),
        channel="miniprogram",
        subject_kind="miniprogram",
        subject_id=appid,
        properties={key: value for key, value in numbers.items() if key != "ref_date"},
    )


def to_pages(day: dt.date, row: Mapping[str, Any], appid: str) -> Event:
    """One day of one page of a mini-program."""
    path = str(row["page_path"])
    return Event(
        source_id=f"page_visits:{day:%Y%m%d}:{path}",
        type="miniprogram.page_visits",
        occurred_at=_midnight(day),
        channel="miniprogram",
        subject_kind="page",
        subject_id=path,
        properties={**{key: value for key, value in row.items() if key != "page_path"}, "appid": appid},
    )


def to_follower_counts(day: dt.date, rows: Iterable[Mapping[str, Any]], total: object, appid: str) -> Event:
    """One day of an official account: how many came and went, by where they came from, and how many there are.

    Args:
        day: the day.
        rows: of ``getusersummary``, one per ``user_source``.
        total: ``cumulate_user`` of that day.
        appid: the account.
    """
    listed = list(rows)
    sources = {str(row.get("user_source", 0)): int(row.get("new_user") or 0) for row in listed if row.get("new_user")}
    return Event(
        source_id=f"follower_counts:{day:%Y%m%d}",
        type="official_account.follower_counts",
        occurred_at=_midnight(day),
        channel="wechat",
        subject_kind="official_account",
        subject_id=appid,
        properties={
            "new_user": sum(sources.values()),
            "cancel_user": sum(int(row.get("cancel_user") or 0) for row in listed),
            "cumulate_user": total,
            "new_user_by_source": sources,
        },
    )


def to_user(row: Mapping[str, Any], appid: str) -> Customer:
    """A user of a mini-program, as its backend has seen them log in.

    Args:
        row: ``openid``, ``unionid``, ``phone`` (with the country's number for foreign ones), ``country``, ``seen_at``.
        appid: the mini-program.
    """
    return Customer(
        source_id=str(row["openid"]),
        identifiers=identifiers_of(appid, str(row["openid"]), row.get("unionid"), row.get("phone")),
        registered_at=instant(row.get("seen_at")),
        acquired_through="miniprogram",
    )
