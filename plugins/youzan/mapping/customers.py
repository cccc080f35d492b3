"""A customer of a shop (客户) as a profile."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final, Literal

from hub.errors import RowError
from hub.records import Assurance, Card, Customer, Identifier, IdentifierKind
from plugins.youzan.values import flag, from_epoch, from_text, is_cipher, text, yuan, yuan_of_fen

__all__ = ["CustomerFacts", "customer_secrets", "is_masked", "to_customer"]

_GENDERS: Final[Mapping[str, Literal["male", "female"]]] = {"1": "male", "2": "female"}
_FULL_DAY: Final = re.compile(r"^(\d{4})-(\d{2})-(\d{2})")
_YEARLESS_DAY: Final = re.compile(r"^(\d{2})-(\d{2})$")
_WECHAT_KINDS: Final = {"1": "official_account", "2": "mini_program"}

_USED: Final = frozenset({
    "yz_open_id", "name", "show_name", "mobile", "gender", "birthday", "updated_at", "member_created_at", "created_at",
    "ascription_kdt_id", "tags", "tag_ids", "cards", "level", "level_infos", "points", "prepaid_balance", "latest_nickname",
    "wx_nickname", "latest_avatar", "wx_avatar", "province_name", "city_name", "county_name", "outer_card_no",
    "source_channel_desc", "member_source_channel_desc", "auth_info",
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class CustomerFacts:
    """What several methods say of one customer.

    Attributes:
        detail: ``data`` of customer.detail.get.
        users: ``user_list`` of users.info.query: one entry per WeChat identity.
        guide: the belonging guide's staff number, if known.
    """

    detail: Mapping[str, Any]
    users: Sequence[Mapping[str, Any]] = field(default=())
    guide: str | None = None


def customer_secrets(facts: CustomerFacts) -> Iterator[object]:
    """Give every value of a customer that may be encrypted."""
    for name in ("mobile", "name", "show_name", "latest_nickname", "wx_nickname"):
        yield facts.detail.get(name)


def is_masked(number: str) -> bool:
    """Say whether a phone number is masked: good for display, never a key."""
    return "*" in number


def to_customer(facts: CustomerFacts, plain: Mapping[str, str], kdt_id: str) -> Customer:
    """Map one customer.

    Args:
        facts: what the platform says.
        plain: decrypted values by cipher text; an encrypted value that is not here is treated as not known.
        kdt_id: the head office, within which ``yz_open_id`` is a customer.

    Raises:
        RowError: no ``yz_open_id``, or a time or amount that cannot be read.
    """
    detail = facts.detail
    source_id = text(detail.get("yz_open_id"))
    if source_id is None:
        raise RowError("A customer has no yz_open_id.", code="id_missing", context={"column": "yz_open_id"})
    level = _level(detail)
    return Customer(
        source_id=source_id,
        updated_at=from_epoch(detail.get("updated_at")),
        identifiers=tuple(_identifiers(source_id, facts, plain, kdt_id)),
        name=_readable(detail.get("name"), plain),
        nickname=next(
            filter(None, (_readable(detail.get(key), plain) for key in ("latest_nickname", "wx_nickname"))), None
        ),
        gender=_GENDERS.get(str(detail.get("gender"))),
        birthday=_birthday(detail.get("birthday")),
        province=text(detail.get("province_name")),
        city=text(detail.get("city_name")),
        district=text(detail.get("county_name")),
        avatar_url=text(detail.get("latest_avatar")) or text(detail.get("wx_avatar")),
        level_id=level[0],
        level=level[1],
        points=None if detail.get("points") is None else yuan(detail["points"]),
        balance=None if detail.get("prepaid_balance") is None else yuan_of_fen(detail["prepaid_balance"]),
        registered_at=from_epoch(detail.get("member_created_at")) or from_epoch(detail.get("created_at")),
        acquired_through=text(detail.get("member_source_channel_desc")) or text(detail.get("source_channel_desc")),
        belonging_store_id=_shop(detail.get("ascription_kdt_id")),
        belonging_guide_id=facts.guide,
        tags=tuple(str(tag["name"]) for tag in detail.get("tags") or () if tag.get("name")),
        cards=tuple(map(_card, detail.get("cards") or ())),
        extra=_extra(detail),
    )


def _identifiers(source_id: str, facts: CustomerFacts, plain: Mapping[str, str], kdt_id: str) -> Iterator[Identifier]:
    yield Identifier(kind=IdentifierKind.YZ_OPEN_ID, value=source_id, scope=kdt_id)
    if phone := _readable(facts.detail.get("mobile"), plain):
        yield _phone(phone, authorised=_is_authorised(facts.detail))
    if card := text(facts.detail.get("outer_card_no")):
        yield Identifier(kind=IdentifierKind.CARD_NO, value=card, assurance=Assurance.TYPED_BY_STAFF)
    yield from _wechat_identifiers(facts.users, kdt_id)


def _phone(number: str, *, authorised: bool) -> Identifier:
    kind = IdentifierKind.PHONE_MASKED if is_masked(number) else IdentifierKind.PHONE
    return Identifier(
        kind=kind, value=number, assurance=Assurance.AUTHORISED if authorised else Assurance.TYPED_BY_STAFF
    )


def _is_authorised(detail: Mapping[str, Any]) -> bool:
    auth = detail.get("auth_info") or {}
    # The pages name this flag in three ways.
    return any(
        flag(found)
        for found in (auth.get("is_mobile_auth"), detail.get("is_mobile_auth"), detail.get("is_mobile_enable"))
    )


def _wechat_identifiers(users: Sequence[Mapping[str, Any]], kdt_id: str) -> Iterator[Identifier]:
    seen: set[tuple[str, str, str]] = set()
    for user in users:
        wechat, platform = user.get("wechat_info") or {}, user.get("platform_info") or {}
        app = _WECHAT_KINDS.get(str(wechat.get("wechat_type")))
        found = [(IdentifierKind.UNIONID, text(wechat.get("union_id")), "")]
        if app:
            found.append((IdentifierKind.OPENID, text(platform.get("weixin_open_id")), f"{kdt_id}/{app}"))
        for kind, value, scope in found:
            if value and not is_cipher(value) and (kind, value, scope) not in seen:
                seen.add((kind, value, scope))
                yield Identifier(kind=kind, value=value, scope=scope)


def _readable(value: object, plain: Mapping[str, str]) -> str | None:
    found = text(value)
    return text(plain.get(found)) if found is not None and is_cipher(found) else found


def _birthday(value: object) -> str | None:
    written = text(value) or ""
    if found := _FULL_DAY.match(written):
        return found[0]
    if found := _YEARLESS_DAY.match(written):
        return f"--{found[0]}"
    return None


def _level(detail: Mapping[str, Any]) -> tuple[str | None, str | None]:
    """Return alias and name of the free level (等级); the paid one only where there is no other."""
    levels = sorted(detail.get("level_infos") or (), key=lambda level: int(level.get("level_type") or 1))
    if levels:
        return text(levels[0].get("level_alias")), text(levels[0].get("level_name"))
    return None, text(detail.get("level"))


def _shop(value: object) -> str | None:
    found = text(value)
    return None if found == "0" else found


def _card(card: Mapping[str, Any]) -> Card:
    begin, end = from_text(card.get("begin_at")), from_text(card.get("end_at"))
    return Card(
        scheme=str(card.get("name") or card.get("id") or ""),
        level=text(card.get("level")),
        valid_from=begin.date() if begin else None,
        valid_to=end.date() if end else None,
    )


def _extra(detail: Mapping[str, Any]) -> dict[str, Any]:
    kept = {name: value for name, value in detail.items() if name not in _USED and value not in (None, "", [], {})}
    attributes = {
        str(item["name"]): item.get("value") for item in detail.get("customer_attrInfos") or () if item.get("name")
    }
    kept.pop("customer_attrInfos", None)
    if attributes:
        kept["attributes"] = attributes
    if detail.get("tag_ids"):
        kept["tag_ids"] = [str(tag) for tag in detail["tag_ids"]]
    if isinstance(kept.get("total_trade_amount"), int):
        kept["total_trade_amount"] = str(Decimal(kept["total_trade_amount"]) / 100)
    return kept
