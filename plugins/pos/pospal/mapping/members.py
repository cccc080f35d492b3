"""A member (会员) as a profile. The password's hash that comes with it is dropped here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal
from zoneinfo import ZoneInfo

from hub.records import Assurance, Card, Customer, Identifier, IdentifierKind
from plugins.pos.pospal.config import PospalConfig, ShopSettings
from plugins.pos.pospal.values import amount, day, id_of, kept, moment, needed_id, text

__all__ = ["MemberContext", "is_deleted", "to_customer"]

_OFFICIAL, _MINI, _UNION = 0, 1, 1000
_KNOWN: Final = frozenset(
    ("customerUid", "categoryName", "number", "name", "point", "balance", "phone", "birthday", "email", "address", "createdDate",
     "expiryDate", "createStoreAppIdOrAccount", "weixinOpenIds", "password")
)  # fmt: skip
_SEX: Final[Mapping[str, Literal["male", "female"]]] = {"1": "male", "0": "female"}


@dataclass(frozen=True)
class MemberContext:
    """What a member does not say: within which shops it counts, and whose openids its openids are."""

    config: PospalConfig
    shop: ShopSettings
    zone: ZoneInfo

    @property
    def scope(self) -> str:
        """The set of shops within which numbers are unique."""
        return self.shop.member_group or self.shop.id


def is_deleted(row: Mapping[str, Any]) -> bool:
    """Say whether a member was deleted (``enable`` is −1)."""
    return str(row.get("enable")) == "-1"


def to_customer(row: Mapping[str, Any], context: MemberContext) -> Customer:
    """Return a member as a profile.

    Raises:
        RowError: it has no id, or an unreadable amount or time.
    """
    details: Mapping[str, Any] = row.get("extInfo") or {}
    sex = details.get("sex")
    birthday, lunar = _birthday(row.get("birthday")), _birthday(details.get("lunarBirthday"))
    points, balance = amount(row.get("point"), "point"), amount(row.get("balance"), "balance")
    opened_at = text(row.get("createStoreAppIdOrAccount"))
    level = text(row.get("categoryName"))
    extra = kept({**row, "extInfo": {k: v for k, v in details.items() if k not in {"sex", "nickName"}}}, _KNOWN)
    return Customer(
        source_id=needed_id(row, "customerUid"),
        identifiers=tuple(_identifiers(row, context)),
        name=text(row.get("name")),
        nickname=text(details.get("nickName")),
        gender=_SEX.get(str(sex)),
        birthday=birthday or lunar,
        birthday_calendar="lunar" if lunar and not birthday else "solar",
        address=text(row.get("address")),
        level=level,
        points=points,
        balance=balance,
        registered_at=moment(row["createdDate"], context.zone, "createdDate") if text(row.get("createdDate")) else None,
        belonging_store_id=context.config.shop_of_app(opened_at) or opened_at,
        cards=(
            Card(
                scheme=context.scope,
                card_no=text(row.get("number")),
                level=level,
                points=points,
                balance=balance,
                valid_to=day(row.get("expiryDate")),
            ),
        ),
        extra=extra,
    )


def _identifiers(row: Mapping[str, Any], context: MemberContext) -> list[Identifier]:
    found: list[Identifier] = []

    def add(kind: IdentifierKind, value: object, scope: str = "", assurance: Assurance = Assurance.ISSUED) -> None:
        if known := text(value):
            found.append(Identifier(kind=kind, value=known, scope=scope, assurance=assurance))

    add(IdentifierKind.MEMBER_NO, row.get("number"), context.scope)
    add(IdentifierKind.PHONE, row.get("phone"), assurance=Assurance.TYPED_BY_STAFF)
    add(IdentifierKind.EMAIL, row.get("email"), assurance=Assurance.TYPED_BY_STAFF)
    members = context.config.members
    for each in row.get("weixinOpenIds") or ():
        kind = int(each.get("openIdType") or _OFFICIAL)
        if kind == _UNION:
            add(IdentifierKind.UNIONID, each.get("openId"))
        else:
            scope = members.mini_program if kind == _MINI else members.official_account
            add(IdentifierKind.OPENID, id_of(each.get("openId")), scope or f"pospal/{kind}")
    return found


def _birthday(value: object) -> str | None:
    """Return a day of birth; a year before 1900 stands for one that is not known."""
    found = day(value)
    if found is None:
        return None
    return found.isoformat() if found.year >= 1900 else f"--{found:%m-%d}"
