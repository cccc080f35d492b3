"""WeCom's JSON as canonical records; pure functions. Field meanings: official documents 92114, 92994, 90201, 90208, 92122."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final
from zoneinfo import ZoneInfo

from hub.errors import RowError
from hub.records import Assurance, Customer, Event, Identifier, IdentifierKind, Relation, Staff, Store

__all__ = [
    "CHINA",
    "TagLibrary",
    "instant",
    "to_customer",
    "to_department",
    "to_group",
    "to_joined",
    "to_left",
    "to_message_result",
    "to_staff",
    "to_statistics",
    "to_tag",
]

CHINA: Final = ZoneInfo("Asia/Shanghai")
"""WeCom counts its days in China's time wherever the corp is."""

_GENDERS: Final = {1: "male", 2: "female"}
_ADD_WAYS: Final = {
    0: "unknown", 1: "scan", 2: "search_phone", 3: "card", 4: "group", 5: "phone_book", 6: "wechat_contact",
    7: "wechat_request", 8: "third_party_service", 9: "search_email", 10: "channels", 11: "calendar", 12: "meeting",
    13: "wecom_of_friend", 14: "hardware", 15: "on_site_service", 16: "acquisition_link", 17: "custom", 18: "demand_reply",
    21: "third_party_presales", 22: "possible_partner", 24: "accepted_request", 201: "shared", 202: "assigned",
}  # fmt: skip
"""``add_way``: how the contact came about; numbers that are not listed are kept as they are."""
_JOIN_SCENES: Final = {1: "invited", 2: "invite_link", 3: "group_code"}
_MESSAGE_STATES: Final = {1: "message.sent", 2: "message.not_a_friend", 3: "message.capped"}
_CONTACT_KNOWN: Final = frozenset({"external_userid", "name", "avatar", "gender", "unionid"})
_FOLLOW_KNOWN: Final = frozenset(
    {"userid", "remark", "description", "createtime", "tags", "tag_id", "remark_mobiles", "add_way", "state"}
)
_STAFF_KNOWN: Final = frozenset({"userid", "name", "position", "status", "department", "main_department"})
_DEPARTMENT_KNOWN: Final = frozenset({"id", "name", "parentid"})
_GROUP_KNOWN: Final = frozenset({"chat_id", "create_time", "member_list"})

TagLibrary = Mapping[str, str]
"""Names of tags by id."""


def instant(seconds: object) -> dt.datetime | None:
    """Return Unix seconds (a number or digits) as an instant; None for nothing and for 0."""
    number = int(str(seconds)) if seconds not in (None, "") else 0
    return dt.datetime.fromtimestamp(number, dt.UTC) if number else None


def to_customer(
    contact: Mapping[str, Any], follows: Sequence[Mapping[str, Any]], corp_id: str, tags: TagLibrary
) -> Customer:
    """Merge a contact and its relations into one profile; the same whether it came from ``batch`` or ``get``.

    Args:
        contact: ``external_contact``.
        follows: ``follow_info`` or ``follow_user`` of every relation, in any order.
        corp_id: scope of the external_userid.
        tags: names of corp and strategy tags.
    """
    ordered = sorted(follows, key=lambda follow: (int(follow.get("createtime") or 0), str(follow["userid"])))
    relations = tuple(_relation(follow, tags) for follow in ordered)
    is_wechat = contact.get("type") != 2
    name = contact.get("name")
    first = ordered[0] if ordered else {}
    return Customer(
        source_id=str(contact["external_userid"]),
        identifiers=_identifiers(contact, ordered, corp_id),
        nickname=name if is_wechat else None,
        name=None if is_wechat else name,
        gender=_GENDERS.get(contact.get("gender") or 0),
        avatar_url=contact.get("avatar"),
        registered_at=relations[0].added_at if relations else None,
        acquired_through=first.get("state") or (relations[0].add_way if relations else None),
        belonging_guide_id=relations[0].staff_id if relations else None,
        tags=tuple(sorted({tag for relation in relations for tag in relation.tags})),
        relations=relations,
        extra=_left_over(contact, _CONTACT_KNOWN) | _follow_extra(ordered),
    )


def _relation(follow: Mapping[str, Any], tags: TagLibrary) -> Relation:
    way = follow.get("add_way")
    return Relation(
        staff_id=str(follow["userid"]),
        remark=follow.get("remark"),
        description=follow.get("description"),
        tags=tuple(sorted(tags.get(tag, tag) for tag in tag_ids(follow))),
        add_way=None if way is None else _ADD_WAYS.get(way, str(way)),
        state=follow.get("state"),
        added_at=instant(follow.get("createtime")),
    )


def tag_ids(follow: Mapping[str, Any]) -> list[str]:
    """Return a relation's tag ids; personal tags (个人标签) have none, and only one of the two APIs shows them."""
    listed = follow.get("tag_id") or [tag.get("tag_id") for tag in follow.get("tags") or []]
    return [str(tag) for tag in listed if tag]


def _identifiers(
    contact: Mapping[str, Any], follows: Iterable[Mapping[str, Any]], corp_id: str
) -> tuple[Identifier, ...]:
    found = [
        Identifier(kind=IdentifierKind.EXTERNAL_USERID, value=str(contact["external_userid"]), scope=corp_id),
    ]
    if contact.get("unionid"):
        found.append(Identifier(kind=IdentifierKind.UNIONID, value=contact["unionid"]))
    phones = {str(phone).strip() for follow in follows for phone in follow.get("remark_mobiles") or []}
    found += [
        Identifier(kind=IdentifierKind.PHONE, value=phone, assurance=Assurance.TYPED_BY_STAFF)
        for phone in sorted(filter(None, phones))
    ]
    return tuple(found)


def _left_over(row: Mapping[str, Any], known: frozenset[str]) -> dict[str, Any]:
    return {key: value for key, value in row.items() if key not in known and value not in (None, "", [], {})}


def _follow_extra(follows: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """What a relation has beyond the canonical fields, by member of staff."""
    found = {str(follow["userid"]): _left_over(follow, _FOLLOW_KNOWN) for follow in follows}
    found = {userid: extra for userid, extra in found.items() if extra}
    return {"follow": found} if found else {}


def to_department(row: Mapping[str, Any]) -> Store:
    """A department (部门): in a store chain the shops and regions."""
    parent = row.get("parentid")
    return Store(
        source_id=str(row["id"]),
        name=str(row.get("name") or row["id"]),
        kind="department",
        parent_id=str(parent) if parent else None,
        extra=_left_over(row, _DEPARTMENT_KNOWN),
    )


def to_staff(row: Mapping[str, Any], departments: Mapping[int, str], follow_users: frozenset[str]) -> Staff:
    """A member of staff.

    Args:
        row: as user/list gives it; only the userid is certain.
        departments: names of the departments.
        follow_users: staff with the right to customer contact.
    """
    userid = str(row["userid"])
    member_of = [int(number) for number in row.get("department") or []]
    main = row.get("main_department") or (member_of[0] if member_of else None)
    return Staff(
        source_id=userid,
        name=str(row.get("name") or userid),
        role=row.get("position"),
        store_id=str(main) if main else None,
        active=row.get("status", 1) == 1,
        departments=tuple(departments.get(number, str(number)) for number in member_of),
        extra={**_left_over(row, _STAFF_KNOWN), "customer_contact": userid in follow_users},
    )


def to_tag(group: Mapping[str, Any], tag: Mapping[str, Any], kind: str) -> Event:
    """A tag of the library, as the event of its making: WeCom's tags are no records of their own in the hub."""
    return Event(
        source_id=f"tag:{tag['id']}",
        type="tag.created",
        occurred_at=_required(tag.get("create_time") or group.get("create_time"), "create_time"),
        channel="wecom",
        subject_kind="tag",
        subject_id=str(tag["id"]),
        properties={
            "kind": kind, "name": tag.get("name"), "order": tag.get("order"),
            "group_id": group.get("group_id"), "group": group.get("group_name"),
        },
    )  # fmt: skip


def _required(seconds: object, column: str) -> dt.datetime:
    moment = instant(seconds)
    if moment is None:
        raise RowError("The row has no time.", code="time_missing", context={"column": column})
    return moment


def to_group(listed: Mapping[str, Any], group: Mapping[str, Any]) -> Event:
    """A customer group (客户群), as the event of its making, with what it is like now."""
    members = group.get("member_list") or []
    return Event(
        source_id=f"group:{group['chat_id']}",
        type="group.created",
        occurred_at=_required(group.get("create_time"), "create_time"),
        channel="wecom",
        staff_id=group.get("owner"),
        subject_kind="group",
        subject_id=str(group["chat_id"]),
        properties={
            **_left_over(group, _GROUP_KNOWN),
            "status": listed.get("status", 0),
            "customers": sum(member.get("type") == 2 for member in members),
            "staff": sum(member.get("type") == 1 for member in members),
        },
    )


def membership_id(chat_id: str, member: Mapping[str, Any]) -> str:
    """Return what tells one stay of one person in one group from another."""
    return f"{chat_id}:{member['userid']}:{member.get('join_time') or 0}"


def to_joined(group: Mapping[str, Any], member: Mapping[str, Any], corp_id: str) -> Event:
    """A customer's joining of a group."""
    chat_id = str(group["chat_id"])
    unionid = member.get("unionid")
    invitor = (member.get("invitor") or {}).get("userid")
    scene = member.get("join_scene")
    return Event(
        source_id=f"joined:{membership_id(chat_id, member)}",
        type="group.joined",
        occurred_at=_required(member.get("join_time"), "join_time"),
        customer_id=str(member["userid"]),
        identifiers=_member_identifiers(str(member["userid"]), unionid, corp_id),
        channel="wecom",
        staff_id=invitor or group.get("owner"),
        subject_kind="group",
        subject_id=chat_id,
        properties={
            "group": group.get("name"), "nickname": member.get("name"), "state": member.get("state"),
            "scene": _JOIN_SCENES.get(scene or 0, scene), "invited_by": invitor,
        },
    )  # fmt: skip


def _member_identifiers(userid: str, unionid: str | None, corp_id: str) -> tuple[Identifier, ...]:
    own = Identifier(kind=IdentifierKind.EXTERNAL_USERID, value=userid, scope=corp_id)
    return (own, Identifier(kind=IdentifierKind.UNIONID, value=unionid)) if unionid else (own,)


def to_left(key: str, noticed: dt.datetime, since: dt.datetime | None, corp_id: str) -> Event:
    """A customer's leaving of a group, noticed between two reads: the platform does not say when it happened.

    Args:
        key: see :func:`membership_id`.
        noticed: when the member was missing.
        since: when the member was last seen.
        corp_id: scope of the external_userid.
    """
    chat_id, userid, joined = key.rsplit(":", 2)
    return Event(
        source_id=f"left:{key}",
        type="group.left",
        occurred_at=noticed,
        customer_id=userid,
        identifiers=_member_identifiers(userid, None, corp_id),
        channel="wecom",
        subject_kind="group",
        subject_id=chat_id,
        properties={"last_seen": since.isoformat() if since else None, "joined": int(joined)},
    )


def to_statistics(userid: str, row: Mapping[str, Any]) -> Event:
    """One day of one member's contact statistics (联系客户统计)."""
    day = _required(row.get("stat_time"), "stat_time")
    numbers = {key: value for key, value in row.items() if key != "stat_time"}
    return Event(
        source_id=f"stats:{userid}:{day.astimezone(CHINA).date().isoformat()}",
        type="staff.contact_statistics",
        occurred_at=day,
        channel="wecom",
        staff_id=userid,
        properties=numbers,
    )


def to_message_result(msgid: str, row: Mapping[str, Any]) -> Event | None:
    """What became of a mass message for one customer; None while the guide has not pressed send."""
    kind = _MESSAGE_STATES.get(int(row.get("status") or 0))
    if kind is None or not row.get("external_userid"):
        return None
    return Event(
        source_id=f"message:{msgid}:{row['userid']}:{row['external_userid']}",
        type=kind,
        occurred_at=_required(row.get("send_time") or row.get("create_time"), "send_time"),
        customer_id=str(row["external_userid"]),
        channel="wecom",
        staff_id=str(row["userid"]),
        subject_kind="message",
        subject_id=msgid,
    )
