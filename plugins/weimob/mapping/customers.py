"""A customer (客户) as a profile: what several capabilities say of one wid, put together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from hub.errors import RowError
from hub.records import Assurance, Card, Customer, Identifier, IdentifierKind
from plugins.weimob.values import birthday, extra_of, flag, instant, is_masked, is_plain_phone, text, yuan

__all__ = ["CustomerFacts", "merged_away", "phone_of", "to_customer"]

_GENDERS: Final[Mapping[str, Literal["male", "female"]]] = {"1": "male", "2": "female"}
_LEVEL_CARD: Final = "1"
"""``cardType`` of 等级卡; 2 is 权益卡."""
_UNIONID: Final = "2"
_OPENID_CHANNELS: Final = frozenset({"0", "1"})
"""公众号, 小程序."""
_USED: Final = frozenset({
    "wid", "name", "nickname", "avatarUrl", "phone", "birthday", "gender", "becomeCustomerTime", "becomeMemberTime", "belongVid",
    "extendInfoList", "sourceChannel", "email", "updateTime",
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class CustomerFacts:
    """What is known of one customer.

    Attributes:
        base: an entry of customer/getList.
        channels: ``userChannelInfoDtoList`` of user/channel/getList: one entry per channel identity.
        super_wid: the number the customer goes by after merges, if asked for.
        cards: what membercard/getList gives.
        tags: the customer's entry in customer/tag/getList.
        points: ``data`` of point/get.
        balance: ``data`` of balance/get.
        guide: wid of the guide (导购) whose list the customer stands in, if the list was read.
    """

    base: Mapping[str, Any]
    channels: Sequence[Mapping[str, Any]] = ()
    super_wid: str | None = None
    cards: Sequence[Mapping[str, Any]] = ()
    tags: Sequence[Mapping[str, Any]] = ()
    points: Mapping[str, Any] = field(default_factory=dict)
    balance: Mapping[str, Any] = field(default_factory=dict)
    guide: str | None = None


def to_customer(facts: CustomerFacts, bos_id: str) -> Customer:
    """Map one customer.

    Args:
        facts: what the platform says.
        bos_id: the merchant, within whom ``wid`` is a customer.

    Raises:
        RowError: no ``wid``, or a time or amount that cannot be read.
    """
    base = facts.base
    source_id = text(base.get("wid"))
    if source_id is None:
        raise RowError("A customer has no wid.", code="id_missing", context={"column": "wid"})
    level = next((card for card in facts.cards if str(card.get("cardType", _LEVEL_CARD)) == _LEVEL_CARD), {})
    points, stored = facts.points.get("availablePoint"), facts.balance.get("availableAmount")
    merged = facts.super_wid if facts.super_wid != source_id else None
    return Customer(
        source_id=source_id,
        updated_at=instant(base.get("updateTime")),
        identifiers=tuple(_identifiers(source_id, facts, bos_id)),
        name=text(base.get("name")),
        nickname=text(base.get("nickname")),
        gender=_GENDERS.get(str(base.get("gender"))),
        birthday=birthday(base.get("birthday")),
        avatar_url=text(base.get("avatarUrl")),
        level_id=text(level.get("levelId")) or _level_of(base),
        level=text(level.get("levelName")),
        points=None if points is None else yuan(points),
        growth=None if level.get("growthValue") in (None, "") else yuan(level["growthValue"]),
        balance=None if stored is None else yuan(stored),
        registered_at=instant(base.get("becomeMemberTime")) or instant(base.get("becomeCustomerTime")),
        acquired_through=",".join(map(str, base.get("sourceChannel") or ())) or None,
        belonging_store_id=_node(base.get("belongVid")),
        belonging_guide_id=facts.guide,
        merged_into=merged,
        tags=tuple(dict.fromkeys(_tags(facts.tags))),
        cards=tuple(map(_card, facts.cards)),
        extra={**extra_of(base, _USED), **_fields(base)},
    )


def merged_away(wid: str, into: str, bos_id: str) -> Customer:
    """Return what is left of a customer whose number was merged into another (合并账号)."""
    identifier = Identifier(kind=IdentifierKind.WID, value=wid, scope=bos_id)
    return Customer(source_id=wid, identifiers=(identifier,), merged_into=into)


def phone_of(number: str, assurance: Assurance) -> Identifier | None:
    """Return a phone number as identifier; cipher text is nobody's number."""
    if is_masked(number):
        return Identifier(kind=IdentifierKind.PHONE_MASKED, value=number, assurance=assurance)
    digits = "".join(filter(str.isdigit, number))
    if is_plain_phone(number) or (len(number) <= 20 and len(digits) >= 7 and not any(map(str.isalpha, number))):
        return Identifier(kind=IdentifierKind.PHONE, value=number, assurance=assurance)
    return None


def _identifiers(source_id: str, facts: CustomerFacts, bos_id: str) -> Iterator[Identifier]:
    yield Identifier(kind=IdentifierKind.WID, value=source_id, scope=bos_id)
    if (number := text(facts.base.get("phone"))) and (phone := phone_of(number, Assurance.TYPED_BY_CUSTOMER)):
        yield phone
    if email := text(facts.base.get("email")):
        yield Identifier(kind=IdentifierKind.EMAIL, value=email, assurance=Assurance.TYPED_BY_CUSTOMER)
    for card in facts.cards:
        if number := text(card.get("customCardNo")):
            yield Identifier(kind=IdentifierKind.CARD_NO, value=number, scope=bos_id)
    yield from _wechat(facts.channels)


def _wechat(channels: Sequence[Mapping[str, Any]]) -> Iterator[Identifier]:
    """Give unionid and openids. The unionid is the ``openId`` of the row of channel 2, not the field of that name."""
    seen: set[tuple[str, str]] = set()
    for row in channels:
        channel, value, app = str(row.get("channelType")), text(row.get("openId")), text(row.get("appId")) or ""
        if value is None or (channel, value) in seen:
            continue
        seen.add((channel, value))
        if channel == _UNIONID:
            yield Identifier(kind=IdentifierKind.UNIONID, value=value)
        elif channel in _OPENID_CHANNELS:
            yield Identifier(kind=IdentifierKind.OPENID, value=value, scope=app)


def _level_of(base: Mapping[str, Any]) -> str | None:
    memberships: Sequence[Mapping[str, Any]] = base.get("memberIdentifyInfoList") or ()
    return next((text(each.get("levelId")) for each in memberships if str(each.get("membershipType")) == "1"), None)


def _node(value: object) -> str | None:
    found = text(value)
    return None if found == "0" else found


def _tags(rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Give ``tag:value`` for each value of a tag, the bare name where it has none."""
    for row in rows:
        name = text(row.get("tagName"))
        if name is None:
            continue
        values: Sequence[Mapping[str, Any]] = row.get("customerTagAttrVoList") or ()
        found = [value for each in values if (value := text(each.get("attrValue")) or text(each.get("attrName")))]
        yield from (f"{name}:{value}" for value in found) if found else (name,)


def _card(card: Mapping[str, Any]) -> Card:
    begin, end = instant(card.get("effectiveTime")), instant(card.get("expireTime"))
    return Card(
        scheme=text(card.get("name")) or text(card.get("membershipPlanId")) or "",
        card_no=text(card.get("customCardNo")) or text(card.get("cardNo")),
        level_id=text(card.get("levelId")),
        level=text(card.get("levelName")),
        growth=None if card.get("growthValue") in (None, "") else yuan(card["growthValue"]),
        valid_from=begin.date() if begin else None,
        valid_to=end.date() if end else None,
    )


def _fields(base: Mapping[str, Any]) -> dict[str, Any]:
    """Return the custom fields (自定义资料项) by their key."""
    found = {str(each["key"]): each.get("value") for each in base.get("extendInfoList") or () if each.get("key")}
    gone = {"isCustomer": False} if "isCustomer" in base and not flag(base["isCustomer"]) else {}
    return {**({"attributes": found} if found else {}), **gone}
